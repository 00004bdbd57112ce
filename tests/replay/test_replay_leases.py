"""How long entries and leases last, whatever the clocks do, and what is said when a claim was lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, Event, Webhook, _clock
from listrak_webhooks.replay import SqliteReplayGuard
from support.deliveries import logged, signed
from support.guards import WEBHOOK, Place, event_of, handling, redis_client, run
from support.helpers import BODY, NOW, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from listrak_webhooks.replay import Delivery

OWN_CLOCK = ["memory", "sqlite", "own"]
"""Those whose entries and leases go by the guard's clock, so that a test can turn it."""

KINDS = [*OWN_CLOCK, "redis", "redis-async", "django-redis", "django-memcached", "own-async"]


class Clock:
    """A clock that the test turns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def first_of(guard: Any, event: Event) -> bool:
    """Handle an event; return whether it was the first."""
    with guard.handle(event) as first:
        return bool(first)


def sent(tolerance: int, *, ahead: int = 0, now: float = NOW, body: bytes = BODY) -> Event:
    """Return the event of a delivery with a timestamp near `NOW`, verified at `now`."""
    headers = signed(body, timestamp=str(NOW + ahead))
    return Webhook(SECRET, tolerance=tolerance).verify(body, headers, now=now)


class TestLifetime:
    """An entry lives as long as any clock within the tolerance could still accept its delivery."""

    @pytest.mark.parametrize("kind", OWN_CLOCK)
    @pytest.mark.parametrize("tolerance", [0, 70, 900, 5000])
    @pytest.mark.parametrize("ahead", [-1, 0, 1])
    def test_it_is_kept_for_twice_the_tolerance_after_it_was_handled(
        self, place: Place, kind: str, tolerance: int, ahead: int
    ) -> None:
        """Wherever in its window it came: a slow clock elsewhere accepts it for as long."""
        clock = Clock(NOW)
        guard = place.guard(kind, clock=clock, tolerance=0)
        event = sent(tolerance, ahead=ahead * tolerance)
        assert first_of(guard, event)
        clock.now = NOW + 2 * tolerance + 59
        assert not first_of(guard, event)

    @pytest.mark.parametrize("kind", ["redis", "redis-async", "django-redis"])
    @pytest.mark.parametrize("skew", [-890, 0, 890])
    def test_a_clock_that_is_fast_or_slow_does_not_shorten_it(self, place: Place, kind: str, skew: int) -> None:
        """The machine that completes it says for how long to keep it, and not until when."""

        async def steps() -> None:
            guard = place.guard(kind, clock=lambda: time.time() + skew)
            event = WEBHOOK.verify(BODY, signed(BODY), now=time.time() + skew)
            async with handling(guard, event, "async with") as first:
                assert first
            client = redis_client(place.port)
            with contextlib.closing(client):
                (key,) = client.keys("*listrak_webhooks:*")
                assert client.ttl(key) > 2 * 900

        run(place, steps)

    @pytest.mark.parametrize("kind", OWN_CLOCK)
    def test_a_fast_machine_does_not_let_a_replay_pass_on_a_right_one(self, place: Place, kind: str) -> None:
        """It passes there until the tolerance is over, which is later than the fast clock thinks."""
        tolerance, clock = 70, Clock(NOW + 68)
        guard = place.guard(kind, clock=clock, tolerance=tolerance)
        assert first_of(guard, sent(tolerance, now=clock()))
        # The clock is set right, and then the delivery comes once more.
        clock.now = NOW + 64.5
        assert not first_of(guard, sent(tolerance, now=clock()))

    @pytest.mark.parametrize("kind", OWN_CLOCK)
    @pytest.mark.parametrize("known", ["default", "given", "seen"])
    def test_routes_with_different_tolerances_share_a_guard(self, place: Place, kind: str, known: str) -> None:
        """What the strict one has handled is kept for as long as the lax one accepts it."""
        lax = 900 if known == "default" else 5000
        clock = Clock(NOW)
        guard = place.guard(kind, clock=clock, **({"tolerance": lax} if known == "given" else {}))
        if known == "seen":
            assert first_of(guard, sent(lax, body=b"another"))
        assert first_of(guard, sent(10))
        clock.now = NOW + lax
        assert not first_of(guard, sent(lax, now=clock()))

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_that_comes_again_with_a_longer_tolerance_is_kept_for_longer(self, place: Place, kind: str) -> None:
        """Another process, which knows of the longer one, has not handled it."""

        async def steps() -> None:
            clock = Clock(NOW)
            options: dict[str, Any] = {"clock": clock} if kind in OWN_CLOCK else {}
            guard = place.guard(kind, **options)
            async with handling(guard, sent(900), "async with") as first:
                assert first
            another = guard if kind == "memory" else place.guard(kind, **options)
            async with handling(another, sent(5000), "async with") as first:
                assert not first
            clock.now = NOW + 2 * 5000
            if "redis" in kind:
                client = redis_client(place.port)
                with contextlib.closing(client):
                    (key,) = client.keys("*listrak_webhooks:*")
                    assert client.ttl(key) > 2 * 5000
            async with handling(guard, sent(900), "async with") as first:
                assert not first
            if "redis" in kind:
                client = redis_client(place.port)
                with contextlib.closing(client):
                    assert client.ttl(key) > 2 * 5000, "a shorter tolerance has shortened it"

        run(place, steps)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("way", ["now", "from_dict"])
    def test_an_old_capture_is_handled_once(self, place: Place, kind: str, way: str) -> None:
        """It is not forgotten at once because its time is over; so is one that comes out of a task queue late."""
        event = sent(900)
        if way == "from_dict":
            event = Event.from_dict(json.loads(json.dumps(event.to_dict())))

        async def steps() -> None:
            guard = place.guard(kind)
            for expected in (True, False, False):
                async with handling(guard, event, "async with") as first:
                    assert first is expected

        run(place, steps)

    @pytest.mark.parametrize("kind", OWN_CLOCK)
    def test_a_long_handler_does_not_shorten_it(self, place: Place, kind: str) -> None:
        """One that is completed after its entry would have ended is remembered from then on."""
        clock = Clock(NOW)
        guard = place.guard(kind, clock=clock, lease=10_000)
        event = sent(900)
        with guard.handle(event) as first:
            assert first
            clock.now += 5000
        clock.now += 1700
        assert not first_of(guard, event)

    @pytest.mark.parametrize("kind", ["sqlite", "redis", "redis-async", "django-redis", "own"])
    @pytest.mark.parametrize(
        "tolerance", [-1, True, None, "900", float("nan"), float("inf"), 40_000_000, timedelta(seconds=-1)]
    )
    def test_a_tolerance_is_one_that_a_webhook_can_have(self, place: Place, kind: str, tolerance: Any) -> None:
        """Another is the programmer's to mend."""

        async def steps() -> None:
            with pytest.raises(ConfigurationError, match="tolerance must be from 0 to 31536000 seconds"):
                place.guard(kind, tolerance=tolerance)

        run(place, steps)

    def test_a_tolerance_may_be_a_timedelta(self, tmp_path: Path) -> None:
        """As that of a webhook."""
        clock = Clock(NOW)
        guard = SqliteReplayGuard(tmp_path / "deliveries.db", tolerance=timedelta(hours=2), clock=clock)
        assert first_of(guard, sent(10))
        clock.now += 4 * 60 * 60
        assert not first_of(guard, sent(10))

    @pytest.mark.parametrize("kind", ["sqlite", "own"])
    def test_a_clock_that_does_not_say_the_time_is_named(self, place: Place, kind: str) -> None:
        """It is the programmer's to mend."""
        with pytest.raises(ConfigurationError, match="clock must be a function that returns Unix seconds"):
            place.guard(kind, clock=5)

        def fail() -> float:
            raise LookupError

        results: list[tuple[Any, str]] = [
            (None, "returned NoneType"),
            (True, "returned bool"),
            (float("nan"), "returned a number that is not a time"),
        ]
        for result, text in results:
            with pytest.raises(ConfigurationError, match=text):
                first_of(place.guard(kind, clock=lambda result=result: result), event_of(BODY))
        with pytest.raises(ConfigurationError, match="clock raised LookupError"):
            first_of(place.guard(kind, clock=fail), event_of(BODY))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the library has logged, which is all warnings."""
    records = logged(caplog)
    assert {record.levelno for record in records} <= {logging.WARNING}
    texts = [record.getMessage() for record in records]
    caplog.clear()
    return texts


class TestLostClaim:
    """A handler that outlives its lease is said to have done so."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
    @pytest.mark.parametrize("other", ["is handling it too", "has handled it too", "would have handled it again"])
    def test_a_late_end_is_logged(
        self, place: Place, kind: str, other: str, *, fails: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With what became of the delivery meanwhile, and the lease to raise."""

        async def steps() -> None:
            lease = 1 if kind.startswith("django") else 0.3
            guard, event = place.guard(kind, lease=lease), event_of(BODY)
            patient = guard if kind == "memory" else place.guard(kind)
            late, theirs = contextlib.AsyncExitStack(), contextlib.AsyncExitStack()
            assert await late.enter_async_context(handling(guard, event, "async with"))
            await asyncio.sleep(lease + (1.1 if kind == "django-memcached" else 0.1))
            if other != "would have handled it again":
                assert await theirs.enter_async_context(handling(patient, event, "async with"))
            if other == "has handled it too":
                await theirs.aclose()
            error = LookupError() if fails else None
            await late.__aexit__(type(error) if error else None, error, None)
            (text,) = warnings_of(caplog)
            assert f"delivery {event.id[:8]} was handled for" in text
            assert event.id[:9] not in text
            assert f"longer than its lease of {lease}, so another request {other}" in text
            assert "raise the guard's lease above what the handler takes" in text
            await theirs.aclose()
            assert not warnings_of(caplog)
            async with handling(guard, event, "async with") as first:
                assert first is (fails and other == "would have handled it again")

        run(place, steps)

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_end_in_time_is_not_logged(self, place: Place, kind: str, caplog: pytest.LogCaptureFixture) -> None:
        """Nor is a duplicate, or a failure."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            with contextlib.suppress(LookupError):
                async with handling(guard, event, "async with"):
                    raise LookupError
            for _ in range(2):
                async with handling(guard, event, "async with"):
                    pass
            assert not logged(caplog)

        run(place, steps)

    @pytest.mark.parametrize("kind", ["sqlite", "redis", "redis-async", "django-redis", "django-memcached", "own"])
    def test_a_store_that_forgets_a_claim_is_named(
        self, place: Place, kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It evicts, or somebody has emptied it: the lease is not to blame."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            async with handling(guard, event, "async with"):
                forget_everything(place, kind, request)
            (text,) = warnings_of(caplog)
            assert f"the replay guard's store lost the claim to delivery {event.id[:8]} after" in text
            assert "before its lease of 60 ended" in text
            assert "look for what evicts or removes the store's entries" in text
            async with handling(guard, event, "async with") as first:
                assert not first

        run(place, steps)

    def test_one_that_was_handled_without_a_claim_is_not_said_to_have_lost_it(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With `fail_open`, that has been said before."""
        path = tmp_path / "deliveries.db"
        guard = SqliteReplayGuard(path, timeout=0.05, lease=0.05, fail_open=True)
        assert first_of(guard, event_of(b"makes the file"))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with guard.handle(event_of(BODY)) as first:
                assert first
                connection.execute("ROLLBACK")
                time.sleep(0.1)
        (record,) = logged(caplog)
        assert "fail_open is set" in record.getMessage()


def forget_everything(place: Place, kind: str, request: pytest.FixtureRequest) -> None:
    """Empty a store."""
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(place.folder / "deliveries.db", isolation_level=None)) as connection:
            connection.execute("DELETE FROM delivery")
    elif kind == "own":
        place.dictionary._claims.clear()
    elif "memcached" in kind:
        request.getfixturevalue("memcached_server").clear()
    else:
        with contextlib.closing(redis_client(place.port)) as client:
            client.flushall()


class TestSteps:
    """Clocks that are set while a claim is held, and machines that are restarted."""

    @pytest.fixture
    def clocks(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
        """Let the test set the system's clocks, as far as deliveries read them."""
        clocks = {"time": time.time(), "monotonic": 1_000_000.0}

        class System:
            time = staticmethod(lambda: clocks["time"])
            monotonic = staticmethod(lambda: clocks["monotonic"])

        monkeypatch.setattr(_clock, "time", System)
        return clocks  # type: ignore[return-value]

    @pytest.mark.parametrize("step", [-10_000_000, -3600, 3600, 10_000_000])
    def test_a_wall_clock_that_is_set_ends_no_lease_and_prolongs_none(
        self, tmp_path: Path, clocks: dict[str, float], step: float
    ) -> None:
        """A lease goes by a clock that nobody sets."""
        path = tmp_path / "deliveries.db"
        guard, another, event = SqliteReplayGuard(path), SqliteReplayGuard(path), event_of(BODY)
        claim = guard.handle(event)
        assert claim.__enter__()
        clocks["time"] += step
        clocks["monotonic"] += 59
        for _ in range(2):
            with pytest.raises(DuplicateDeliveryError):
                another.handle(event).__enter__()
        clocks["monotonic"] += 1
        assert first_of(another, event)

    def test_a_claim_from_before_a_restart_of_the_machine_is_free(
        self, tmp_path: Path, clocks: dict[str, float]
    ) -> None:
        """Its process is gone, and the clock has begun anew; what was completed is known all the same."""
        path = tmp_path / "deliveries.db"
        guard, event, completed = SqliteReplayGuard(path), event_of(BODY), event_of(b"completed")
        assert first_of(guard, completed)
        assert guard.handle(event).__enter__()
        clocks["monotonic"] = 5.0
        clocks["time"] += 1
        again = SqliteReplayGuard(path)
        assert first_of(again, event)
        assert not first_of(again, event)
        assert not first_of(again, completed)

    def test_a_claim_that_was_made_while_another_waited_for_the_lock_is_held(
        self, tmp_path: Path, clocks: dict[str, float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one that waited has read no clock yet, so it does not see a claim in the future."""
        path = tmp_path / "deliveries.db"
        slow, quick, event = SqliteReplayGuard(path), SqliteReplayGuard(path), event_of(BODY)
        assert first_of(slow, event_of(b"opens the file"))
        turn: Any = slow._configuration.store
        take = turn.turn.take

        def take_late(step: Any, deadline: float) -> None:
            monkeypatch.setattr(turn.turn, "take", take)
            clocks["monotonic"] += 1
            assert quick.handle(event).__enter__()
            take(step, deadline)

        monkeypatch.setattr(turn.turn, "take", take_late)
        with pytest.raises(DuplicateDeliveryError):
            slow.handle(event).__enter__()

    def test_a_lease_is_counted_by_a_clock_that_all_processes_share(self, tmp_path: Path) -> None:
        """The store is told of both clocks by the delivery."""
        seen: list[Delivery] = []
        guard = SqliteReplayGuard(tmp_path / "deliveries.db")
        store: Any = guard._configuration.store
        claim = store.claim

        def watched(delivery: Delivery) -> Any:
            seen.append(delivery)
            return claim(delivery)

        store.claim = watched
        assert first_of(guard, event_of(BODY))
        (delivery,) = seen
        assert abs(delivery.monotonic() - time.monotonic()) < 10
        assert abs(delivery.now() - time.time()) < 10
        assert time.get_clock_info("monotonic").adjustable is False
