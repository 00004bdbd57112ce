"""What every replay guard promises, in each setting and in both ways to enter it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, StaleTimestampError, Webhook
from listrak_webhooks.replay import MemoryReplayGuard
from support.deliveries import signed
from support.guard_kinds import KINDS, SYNC, later_than
from support.guards import WEBHOOK, event_of, handling, redis_client, run
from support.helpers import BODY, NOW, SIGNATURE, TIMESTAMP

if TYPE_CHECKING:
    from support.guards import Place


WAYS = [
    *(pytest.param(kind, "with", id=f"{kind}-with") for kind in SYNC),
    *(pytest.param(kind, "async with", id=f"{kind}-async-with") for kind in KINDS),
]
each_way = pytest.mark.parametrize(("kind", "way"), WAYS)


def short_lease(kind: str) -> float:
    """Return a lease that is soon over; caches count in whole seconds."""
    return 1.0 if kind.startswith("django") else 0.4


class TestLife:
    """The life of a claim."""

    @each_way
    def test_a_delivery_is_the_first_once(self, place: Place, kind: str, way: str) -> None:
        """However often it arrives after that; another one is another."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            for expected in (True, False, False):
                async with handling(guard, event, way) as first:
                    assert first is expected
            async with handling(guard, event_of(b"another"), way) as first:
                assert first is True

        run(place, steps)

    @each_way
    def test_a_second_one_is_rejected_while_the_first_is_handled(self, place: Place, kind: str, way: str) -> None:
        """And the first is completed all the same."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            async with handling(guard, event, way):
                with pytest.raises(DuplicateDeliveryError, match="if that one fails, it can be sent again"):
                    async with handling(guard, event, way):
                        pytest.fail("entered")
            async with handling(guard, event, way) as first:
                assert first is False

        run(place, steps)

    @each_way
    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
    def test_an_exception_gives_it_back_and_passes(
        self, place: Place, kind: str, way: str, error: type[BaseException]
    ) -> None:
        """Any at all: what was not handled may come again."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            raised = error("mine")

            async def fail() -> None:
                async with handling(guard, event, way):
                    raise raised

            with pytest.raises(error) as caught:
                await fail()
            assert caught.value is raised
            async with handling(guard, event, way) as first:
                assert first is True

        run(place, steps)

    @each_way
    def test_a_claim_can_be_taken_over_when_its_lease_ends(self, place: Place, kind: str, way: str) -> None:
        """Not before; and its holder, who is late, cannot complete it, because another has it."""

        async def steps() -> None:
            lease = short_lease(kind)
            guard, event = place.guard(kind, lease=lease), event_of(BODY)
            slow = contextlib.AsyncExitStack()
            began = time.monotonic()
            assert await slow.enter_async_context(handling(guard, event, way)) is True
            with pytest.raises(DuplicateDeliveryError):
                await slow.enter_async_context(handling(guard, event, way))
            await asyncio.sleep(max(0, later_than(lease, kind) - (time.monotonic() - began)))
            # A guard in memory shares nothing with another.
            patient = guard if kind == "memory" else place.guard(kind)
            async with handling(patient, event, way) as first:
                assert first is True
                await slow.aclose()
                with pytest.raises(DuplicateDeliveryError):
                    await slow.enter_async_context(handling(guard, event, way))
            async with handling(guard, event, way) as first:
                assert first is False

        run(place, steps)

    @pytest.mark.parametrize(("kind", "way"), [(kind, "async with") for kind in KINDS])
    def test_a_late_failure_does_not_free_what_another_has(self, place: Place, kind: str, way: str) -> None:
        """A claim is given back by its holder alone."""

        async def steps() -> None:
            lease = short_lease(kind)
            guard, event = place.guard(kind, lease=lease), event_of(BODY)
            with contextlib.suppress(ValueError):
                async with handling(guard, event, way):
                    await asyncio.sleep(later_than(lease, kind))
                    taken = contextlib.AsyncExitStack()
                    patient = guard if kind == "memory" else place.guard(kind)
                    assert await taken.enter_async_context(handling(patient, event, way)) is True
                    raise ValueError
            with pytest.raises(DuplicateDeliveryError):
                await taken.enter_async_context(handling(guard, event, way))
            await taken.aclose()

        run(place, steps)

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_headers_do_not_make_it_another(self, place: Place, kind: str) -> None:
        """One MAC has several spellings, and the rest of a request is anybody's to change."""
        base64 = signed(BODY)
        sent = base64[TIMESTAMP]
        hexadecimal = signed(BODY, encoding="hex", timestamp=sent)
        spellings: list[dict[str, str]] = [
            base64,
            hexadecimal,
            {**hexadecimal, SIGNATURE: hexadecimal[SIGNATURE].upper()},
            {**base64, "X-Request-Id": "another", "Content-Type": "text/plain"},
            {name.lower(): value for name, value in base64.items()},
        ]

        async def steps() -> None:
            guard = place.guard(kind)
            seen: list[bool] = []
            for headers in spellings:
                async with handling(guard, WEBHOOK.verify(BODY, headers), "async with") as first:
                    seen.append(first)
            assert seen == [True, False, False, False, False]

        run(place, steps)

    def test_a_rotated_secret_makes_it_no_other(self) -> None:
        """The old secret's MAC is still what Listrak sent."""
        headers, guard = signed(BODY), MemoryReplayGuard()
        both = Webhook(["a new secret", "listrak-test-secret"], tolerance=600)
        with guard.handle(WEBHOOK.verify(BODY, headers)) as first:
            assert first
        with guard.handle(both.verify(BODY, headers)) as first:
            assert not first

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("lease", [0, -1, True, None, "60", float("nan"), float("inf"), 40_000_000])
    def test_a_lease_is_a_positive_span(self, place: Place, kind: str, lease: Any) -> None:
        """One that cannot be right is the programmer's to mend."""

        async def steps() -> None:
            with pytest.raises(ConfigurationError, match="lease must be a positive number of seconds"):
                place.guard(kind, lease=lease)

        run(place, steps)


class Clock:
    """A clock that the test turns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class TestClock:
    """The edges of the time window, on both sides."""

    @pytest.mark.parametrize("kind", ["memory", "sqlite"])
    @pytest.mark.parametrize(
        ("tolerance", "ahead"),
        [
            pytest.param(900, -900, id="sender-slow"),
            pytest.param(900, 0, id="same-time"),
            pytest.param(900, 900, id="sender-fast"),
            pytest.param(0, 0, id="no-tolerance"),
        ],
    )
    def test_it_is_remembered_for_as_long_as_it_can_pass(
        self, place: Place, kind: str, ahead: int, tolerance: int
    ) -> None:
        """In every instant of the last second at which `verify` takes it, and the next second `verify` rejects it."""
        webhook = Webhook("listrak-test-secret", tolerance=tolerance)
        headers = signed(BODY, timestamp=str(NOW + ahead))
        clock = Clock(NOW)
        guard = place.guard(kind, clock=clock)
        with guard.handle(webhook.verify(BODY, headers, now=clock())) as first:
            assert first
        last = NOW + ahead + tolerance
        for instant in (last, last + 0.5, last + 0.999):
            clock.now = instant
            with guard.handle(webhook.verify(BODY, headers, now=clock())) as first:
                assert not first
        # One that passed in the last instant may reach the guard a little later.
        event = webhook.verify(BODY, headers, now=clock())
        clock.now = last + 30
        with guard.handle(event) as first:
            assert not first
        with pytest.raises(StaleTimestampError):
            webhook.verify(BODY, headers, now=last + 1)

    @pytest.mark.parametrize("kind", ["memory", "sqlite"])
    def test_what_cannot_pass_any_more_is_forgotten(self, place: Place, kind: str) -> None:
        """Or the store would grow for ever."""
        clock = Clock(NOW)
        guard = place.guard(kind, clock=clock)
        for number in range(50):
            body = b"%d" % number
            with guard.handle(WEBHOOK.verify(body, signed(body, timestamp=str(NOW)), now=NOW)):
                pass
        assert _entries(place, guard) == 50
        clock.now = later = NOW + 2 * 900 + 61
        with guard.handle(WEBHOOK.verify(BODY, signed(BODY, timestamp=str(int(later))), now=later)):
            pass
        assert _entries(place, guard) == 1

    @pytest.mark.parametrize("kind", ["memory", "sqlite"])
    def test_a_lease_may_end_after_the_window(self, place: Place, kind: str) -> None:
        """Until then, nobody else may have the delivery."""
        clock = Clock(NOW)
        guard = place.guard(kind, clock=clock, lease=10_000)
        event = WEBHOOK.verify(BODY, signed(BODY, timestamp=str(NOW)), now=NOW)
        with guard.handle(event):
            clock.now = NOW + 9_999
            with pytest.raises(DuplicateDeliveryError):
                guard.handle(event).__enter__()

    @pytest.mark.parametrize("kind", ["redis", "redis-async", "django-redis"])
    def test_redis_keeps_it_for_twice_the_tolerance_and_the_margin(self, place: Place, kind: str) -> None:
        """By its own clock, however old the delivery was."""

        async def steps() -> None:
            event = event_of(BODY, age=100)
            async with handling(place.guard(kind), event, "async with"):
                assert 55 < _seconds_to_live(place) <= 60
            assert 1855 < _seconds_to_live(place) <= 1860

        run(place, steps)


def _entries(place: Place, guard: Any) -> int:
    if isinstance(guard, MemoryReplayGuard):
        return len(guard)
    with contextlib.closing(sqlite3.connect(place.folder / "deliveries.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM delivery").fetchone()[0])


def _seconds_to_live(place: Place) -> float:
    client = redis_client(place.port)
    try:
        (key,) = client.keys("*listrak_webhooks:*")
        return float(client.pttl(key)) / 1000
    finally:
        client.close()


def test_an_async_client_needs_async_with(place: Place) -> None:
    """And says so, instead of handing out a coroutine that is true."""

    async def steps() -> None:
        guard = place.guard("redis-async")
        with pytest.raises(ConfigurationError, match="needs `async with`"), guard.handle(event_of(BODY)):
            pytest.fail("entered")

    run(place, steps)


def test_no_guard_shows_what_it_was_given(place: Place) -> None:
    """A `repr` has no client, and so no password."""

    async def steps() -> None:
        kinds = {kind: repr(place.guard(kind)) for kind in ("memory", "sqlite", "redis-async", "django-redis", "own")}
        assert kinds["memory"] == "MemoryReplayGuard(<0 of 1000000 entries>)"
        assert kinds["sqlite"] == f"SqliteReplayGuard({str(place.folder / 'deliveries.db')!r})"
        assert kinds["redis-async"] == "RedisReplayGuard(prefix='listrak_webhooks:')"
        assert kinds["django-redis"] == "DjangoCacheReplayGuard('redis')"
        assert kinds["own"] == "StoreGuard(Dictionary)"

    run(place, steps)
