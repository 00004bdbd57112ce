"""Many at once: threads, tasks and processes at one guard, and those that die or are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from listrak_webhooks import DuplicateDeliveryError
from listrak_webhooks.replay import MemoryReplayGuard
from support.guard_kinds import KINDS, SYNC, later_than
from support.guards import event_of, run, workers
from support.helpers import BODY, PATIENCE

if TYPE_CHECKING:
    from listrak_webhooks import Event
    from support.guards import Place

SHARED = ["sqlite", "redis", "django-redis", "django-memcached"]
"""Those that several processes share."""


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
