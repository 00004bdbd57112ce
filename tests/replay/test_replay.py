"""What every replay guard promises, in each setting in which it promises it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, StaleTimestampError, Webhook
from listrak_webhooks.replay import MemoryReplayGuard
from support.deliveries import logged, signed
from support.guards import WEBHOOK, event_of, handling, redis_client, run, workers
from support.helpers import BODY, NOW, PATIENCE, SIGNATURE, TIMESTAMP

if TYPE_CHECKING:
    from listrak_webhooks import Event
    from support.guards import Place

SYNC = ["memory", "sqlite", "redis", "redis-text", "django-redis", "django-memcached", "own"]
KINDS = [*SYNC, "redis-async", "own-async"]
SHARED = ["sqlite", "redis", "django-redis", "django-memcached"]
"""Those that several processes share."""

WAYS = [
    *(pytest.param(kind, "with", id=f"{kind}-with") for kind in SYNC),
    *(pytest.param(kind, "async with", id=f"{kind}-async-with") for kind in KINDS),
]
each_way = pytest.mark.parametrize(("kind", "way"), WAYS)


def short_lease(kind: str) -> float:
    """Return a lease that is soon over; caches count in whole seconds."""
    return 1.0 if kind.startswith("django") else 0.4


def later_than(lease: float, kind: str) -> float:
    """Return after how many seconds a lease is over for certain; Memcached's clock ticks once a second."""
    return lease + (1.1 if kind == "django-memcached" else 0.1)


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
    def test_a_second_one_is_refused_while_the_first_is_handled(self, place: Place, kind: str, way: str) -> None:
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
        """A claim is given back by whoever holds it."""

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


class TestMemory:
    """What only the guard in memory can be asked."""

    def test_when_it_is_full_it_refuses_and_forgets_nothing(self) -> None:
        """Until an entry is given back or its time is over."""
        guard = MemoryReplayGuard(2)
        with guard.handle(event_of(b"1")), guard.handle(event_of(b"2")):
            pass
        with pytest.raises(Exception, match=r"the guard is full: each of its 2 .*; raise max_entries") as caught:
            guard.handle(event_of(b"3")).__enter__()
        assert getattr(caught.value, "code", "") == "replay_guard_unavailable"
        with guard.handle(event_of(b"1")) as first:
            assert not first
        assert len(guard) == 2

    def test_when_it_is_full_it_can_let_pass(self, caplog: pytest.LogCaptureFixture) -> None:
        """`fail_open` prefers handling something twice to handling it not at all, and says so."""
        guard = MemoryReplayGuard(1, fail_open=True)
        with guard.handle(event_of(b"1")):
            pass
        for _ in range(2):
            with guard.handle(event_of(b"2")) as first:
                assert first
        texts = [record.getMessage() for record in logged(caplog)]
        assert {record.levelno for record in logged(caplog)} == {logging.ERROR}
        assert "may be handled twice" in texts[0]
        assert "was handled, but that could not be saved" in texts[1]

    @pytest.mark.parametrize("max_entries", [0, -1, True, None, "9", 1.5])
    def test_its_size_is_a_positive_number(self, max_entries: Any) -> None:
        """It is never without a bound."""
        with pytest.raises(ConfigurationError, match="max_entries must be a positive int"):
            MemoryReplayGuard(max_entries)

    def test_a_clock_is_a_function(self) -> None:
        """And one that does not say the time is named."""
        wrong: Any = 5
        with pytest.raises(ConfigurationError, match="clock must be a function"):
            MemoryReplayGuard(clock=wrong)
        guard = MemoryReplayGuard(clock=lambda: 1 / 0)
        with pytest.raises(ConfigurationError, match="clock raised ZeroDivision"), guard.handle(event_of(BODY)):
            pass

    def test_many_entries_stay_within_the_promised_memory_and_time(self) -> None:
        """Far from a benchmark, which a busy machine would upset: the bounds are wide, and catch a mistake in kind."""
        guard, now = MemoryReplayGuard(), int(time.time())
        count = 200_000
        events = [
            WEBHOOK.verify(body, WEBHOOK.signed_headers(body, now - 890 + number % 1780))
            for number, body in ((number, b"%d" % number) for number in range(count))
        ]
        before = _resident_bytes()
        began = time.perf_counter()
        for event in events:
            with guard.handle(event):
                pass
        elapsed = time.perf_counter() - began
        assert len(guard) == count
        assert (_resident_bytes() - before) / count < 200
        assert elapsed / count < 20e-6


def _resident_bytes() -> int:
    with contextlib.suppress(FileNotFoundError), open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096
    pytest.skip("only Linux tells a process its memory like this")


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
        """In every instant of the last second at which `verify` takes it, and the next second `verify` refuses it."""
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


class TestMany:
    """The same bytes from many sides at once."""

    @pytest.mark.parametrize("kind", SYNC)
    def test_of_a_hundred_threads_one_is_the_first(self, place: Place, kind: str) -> None:
        """The others are told that it is, or was, handled."""
        guard, event = place.guard(kind), event_of(BODY)
        barrier = threading.Barrier(100)
        handled: list[int] = []

        def deliver(number: int) -> str:
            barrier.wait(PATIENCE)
            try:
                with guard.handle(event) as first:
                    if first:
                        handled.append(number)
                        time.sleep(0.02)
                    return str(first)
            except DuplicateDeliveryError:
                return "held"

        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(deliver, range(100)))
        asyncio.run(place.close())
        assert len(handled) == 1
        assert answers.count("True") == 1
        assert set(answers) <= {"True", "False", "held"}

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_hundred_tasks_one_is_the_first(self, place: Place, kind: str) -> None:
        """And the loop goes on meanwhile."""
        handled: list[int] = []

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)

            async def deliver(number: int) -> None:
                with contextlib.suppress(DuplicateDeliveryError):
                    async with guard.handle(event) as first:
                        if first:
                            handled.append(number)
                            await asyncio.sleep(0.02)

            await asyncio.gather(*(deliver(number) for number in range(100)))

        run(place, steps)
        assert len(handled) == 1

    @pytest.mark.parametrize(
        ("kind", "count"),
        [
            *((kind, 500) for kind in ("sqlite", "redis", "django-redis", "django-memcached")),
            *(
                pytest.param(kind, 10_000, marks=pytest.mark.slow)
                for kind in ("sqlite", "redis", "django-redis", "django-memcached")
            ),
        ],
    )
    def test_four_processes_handle_each_delivery_once(self, place: Place, kind: str, count: int) -> None:
        """Though each of them gets all of them, at once and in the same order."""
        bodies = [f"delivery {number}" for number in range(count)]
        timestamp = str(int(time.time()))
        with workers(4, kind, place) as started:
            for worker in started:
                worker.tell("handle", bodies, timestamp)
            answers = [worker.answer() for worker in started]
        handled = [body for first, _ in answers for body in first]
        assert len(handled) == count
        assert set(handled) == set(bodies)

    def test_ten_thousand_deliveries_in_threads_are_each_handled_once(self) -> None:
        """Each comes twice, in two threads."""
        guard = MemoryReplayGuard()
        events = [event_of(b"%d" % number) for number in range(10_000)]
        handled: list[Event] = []

        def deliver() -> None:
            for event in events:
                with contextlib.suppress(DuplicateDeliveryError), guard.handle(event) as first:
                    if first:
                        handled.append(event)

        threads = [threading.Thread(target=deliver) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(handled) == 10_000
        assert set(handled) == set(events)


class TestDeath:
    """What becomes of a delivery whose process dies."""

    @pytest.mark.parametrize("kind", SHARED)
    def test_a_killed_worker_blocks_its_delivery_for_the_lease_and_no_longer(self, place: Place, kind: str) -> None:
        """Then the next try is handled, once."""
        lease, timestamp = 1.0, str(int(time.time()))
        with workers(2, kind, place, lease) as (doomed, other):
            doomed.tell("hang", ["a body"], timestamp)
            assert doomed.answer() == "hanging"
            began = time.monotonic()
            doomed.process.kill()
            doomed.process.wait(PATIENCE)
            other.tell("handle", ["a body"], timestamp)
            assert other.answer() == [[], 1]
            time.sleep(max(0, began + later_than(lease, kind) - time.monotonic()))
            other.tell("handle", ["a body", "a body"], timestamp)
            assert other.answer() == [["a body"], 0]

    @pytest.mark.parametrize("kind", SHARED)
    def test_a_worker_that_is_started_again_knows_what_was_handled(self, place: Place, kind: str) -> None:
        """The store does, and not the process."""
        timestamp = str(int(time.time()))
        for expected in ([["a body"], 0], [[], 0]):
            with workers(1, kind, place) as (worker,):
                worker.tell("handle", ["a body"], timestamp)
                assert worker.answer() == expected


class TestCancelled:
    """A task that is cancelled has handled nothing."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_in_the_block_its_claim_is_given_back(self, place: Place, kind: str) -> None:
        """Before the cancelled task has ended."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            entered = asyncio.Event()

            async def deliver() -> None:
                async with guard.handle(event):
                    entered.set()
                    await asyncio.sleep(PATIENCE)

            task = asyncio.create_task(deliver())
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with guard.handle(event) as first:
                assert first is True

        run(place, steps)

    @pytest.mark.parametrize("kind", ["sqlite", "redis", "redis-async", "django-redis"])
    def test_on_its_way_into_the_block_too(self, place: Place, kind: str) -> None:
        """The store may give the claim to somebody who has gone."""

        async def steps() -> None:
            guard = place.guard(kind)
            for number in range(30):
                event = event_of(b"%d" % number)

                async def deliver(event: Event = event) -> None:
                    async with guard.handle(event):
                        await asyncio.sleep(PATIENCE)

                task = asyncio.create_task(deliver())
                await asyncio.sleep(number * 0.0001)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                async with guard.handle(event) as first:
                    assert first is True

        run(place, steps)

    @pytest.mark.parametrize("kind", ["sqlite", "redis-async"])
    def test_again_and_again_its_claim_is_given_back_all_the_same(self, place: Place, kind: str) -> None:
        """Some frameworks cancel a task at every step that it takes."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            entered = asyncio.Event()

            async def deliver() -> None:
                async with guard.handle(event):
                    entered.set()
                    await asyncio.sleep(PATIENCE)

            task = asyncio.create_task(deliver())
            await entered.wait()
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
            deadline = time.monotonic() + 5
            while True:
                with contextlib.suppress(DuplicateDeliveryError):
                    async with guard.handle(event) as first:
                        assert first is True
                        return
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

        run(place, steps)


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
