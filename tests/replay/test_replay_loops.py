"""Claims in event loops of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio
from listrak_webhooks import DuplicateDeliveryError
from listrak_webhooks._event_loops import running_library
from listrak_webhooks.replay import SqliteReplayGuard, State
from support.claims import SYNC, each_loop, run_in
from support.guards import Place, event_of
from support.helpers import BODY, PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from listrak_webhooks.replay import Delivery


class TestLoops:
    """The same under asyncio and under trio, which FastAPI runs on too."""

    @each_loop
    @pytest.mark.parametrize("kind", [*SYNC, "own-async"])
    def test_the_life_of_a_claim(self, place: Place, kind: str, loop: str) -> None:
        """Held, given back, completed."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            with contextlib.suppress(LookupError):
                async with guard.handle(event) as first:
                    assert first
                    with pytest.raises(DuplicateDeliveryError):
                        await guard.handle(event).__aenter__()
                    raise LookupError
            for expected in (True, False, False):
                async with guard.handle(event) as first:
                    assert first is expected

        run_in(loop, place, steps)

    @each_loop
    @pytest.mark.parametrize("kind", [*SYNC, "own-async"])
    def test_a_task_that_is_cancelled_in_the_block_gives_its_claim_back(
        self, place: Place, kind: str, loop: str
    ) -> None:
        """Before the cancelled scope is left."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            with anyio.move_on_after(0.05):
                async with guard.handle(event):
                    await anyio.sleep(PATIENCE)
            async with guard.handle(event) as first:
                assert first

        run_in(loop, place, steps)

    @each_loop
    @pytest.mark.parametrize("kind", ["sqlite", "own", "own-async"])
    @pytest.mark.parametrize("cancels", [1, 3])
    def test_a_task_that_is_cancelled_on_its_way_in_leaves_no_claim(
        self, place: Place, kind: str, loop: str, cancels: int
    ) -> None:
        """However often: the store gives the claim to somebody who has gone."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            store: Any = guard._configuration.store
            real = store.claim

            def slow(delivery: Delivery) -> State:
                time.sleep(0.1)
                state: State = real(delivery)
                time.sleep(0.1)
                return state

            async def slow_async(delivery: Delivery) -> State:
                await anyio.sleep(0.1)
                state: State = await real(delivery)
                await anyio.sleep(0.1)
                return state

            store.claim = slow_async if kind == "own-async" else slow

            async def handle(scopes: list[anyio.CancelScope]) -> None:
                with contextlib.ExitStack() as stack:
                    scopes.extend(stack.enter_context(anyio.CancelScope()) for _ in range(cancels))
                    async with guard.handle(event):
                        await anyio.sleep(PATIENCE)

            scopes: list[anyio.CancelScope] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(handle, scopes)
                await anyio.sleep(0.05)
                for scope in reversed(scopes):
                    scope.cancel()
                    await anyio.sleep(0.02)
            store.claim = real
            async with guard.handle(event) as first:
                assert first

        run_in(loop, place, steps)

    @each_loop
    def test_a_store_that_takes_its_time_does_not_keep_the_loop(self, place: Place, loop: str) -> None:
        """It is asked in a thread."""

        async def steps() -> None:
            guard = place.guard("own")
            real, threads = place.dictionary.claim, set()

            def slow(delivery: Delivery) -> State:
                threads.add(threading.current_thread())
                time.sleep(0.3)
                return real(delivery)

            guard._configuration.store.claim = slow
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await anyio.sleep(0.01)
                    ticks += 1

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tick)
                async with guard.handle(event_of(BODY)) as first:
                    assert first
                tasks.cancel_scope.cancel()
            assert ticks > 3
            assert threading.main_thread() not in threads

        run_in(loop, place, steps)

    @each_loop
    @pytest.mark.parametrize("kind", [*SYNC, "own-async"])
    def test_of_many_tasks_one_is_the_first(self, place: Place, kind: str, loop: str) -> None:
        """The others are told that it is, or was, handled."""
        handled: list[int] = []

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)

            async def deliver(number: int) -> None:
                with contextlib.suppress(DuplicateDeliveryError):
                    async with guard.handle(event) as first:
                        if first:
                            handled.append(number)
                            await anyio.sleep(0.02)

            async with anyio.create_task_group() as tasks:
                for number in range(50):
                    tasks.start_soon(deliver, number)

        run_in(loop, place, steps)
        assert len(handled) == 1

    def test_trio_as_a_guest_of_asyncio_is_trio(self, tmp_path: Path) -> None:
        """There is a loop of asyncio's too, and it cannot run what trio waits for."""
        guard, event = SqliteReplayGuard(tmp_path / "deliveries.db"), event_of(BODY)
        seen: list[object] = []

        async def guest() -> None:
            seen.append(running_library())
            for _ in range(2):
                async with guard.handle(event) as first:
                    seen.append(first)

        async def host() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            trio.lowlevel.start_guest_run(
                guest, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=done.set_result
            )
            (await done).unwrap()
            seen.append(running_library())

        asyncio.run(host())
        assert seen == ["trio", True, False, "asyncio"]
        assert running_library() is None
