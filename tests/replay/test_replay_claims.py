"""What a claim does between entering and leaving: interrupted, cancelled, closed, misused, under any event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, ReplayGuardError
from listrak_webhooks._event_loops import running_library
from listrak_webhooks.replay import SqliteReplayGuard, State, StoreGuard
from support.deliveries import logged
from support.guards import AsyncDictionary, Dictionary, Place, event_of
from support.helpers import BODY, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from pathlib import Path
    from types import FrameType

    from listrak_webhooks import Event
    from listrak_webhooks.replay import Delivery

SYNC = ["memory", "sqlite", "redis", "django-redis", "django-memcached", "own"]
LOOPS = ["asyncio", "trio"]

each_loop = pytest.mark.parametrize("loop", LOOPS)


def run_in(loop: str, place: Place, steps: Callable[[], Awaitable[None]]) -> None:
    """Run a test's steps under asyncio or trio, and close the clients behind it."""
    try:
        anyio.run(steps, backend=loop)
    finally:
        asyncio.run(place.close())


def is_first(guard: Any, event: Event) -> bool:
    """Handle an event, and return whether it was to be handled; nobody else holds it."""
    with guard.handle(event) as first:
        return bool(first)


class TestMisuse:
    """What users write by mistake."""

    @pytest.mark.parametrize("kind", [*SYNC, "own-async"])
    def test_a_claim_in_place_of_what_it_gives_is_an_error(self, place: Place, kind: str) -> None:
        """It would be true each time, and every replay would be handled."""
        guard = place.guard(kind)
        with pytest.raises(TypeError, match=r"`with guard\.handle\(event\) as first:`"):
            bool(guard.handle(event_of(BODY)))

    @pytest.mark.parametrize("kind", SYNC)
    def test_a_claim_is_entered_once(self, place: Place, kind: str) -> None:
        """By its token a second entry would be the same claim, and let the delivery be handled twice."""
        guard, event = place.guard(kind), event_of(BODY)
        claim = guard.handle(event)
        with claim as first:
            assert first
            with pytest.raises(RuntimeError, match=r"entered before; call guard\.handle\(event\) for each try"):
                claim.__enter__()
            with pytest.raises(DuplicateDeliveryError):
                is_first(guard, event)
        with pytest.raises(RuntimeError, match="entered before"):
            claim.__enter__()
        assert not is_first(guard, event)
        asyncio.run(place.close())

    @each_loop
    @pytest.mark.parametrize("kind", [*SYNC, "own-async"])
    def test_a_claim_is_entered_once_in_a_loop_too(self, place: Place, kind: str, loop: str) -> None:
        """And the first entry is not disturbed."""

        async def steps() -> None:
            guard, event = place.guard(kind), event_of(BODY)
            claim = guard.handle(event)
            async with claim as first:
                assert first
                with pytest.raises(RuntimeError, match="entered before"):
                    await claim.__aenter__()
                with pytest.raises(DuplicateDeliveryError):
                    await guard.handle(event).__aenter__()

        run_in(loop, place, steps)

    @pytest.mark.parametrize("kind", SYNC)
    def test_a_claim_that_was_not_entered_leaves_nothing(self, place: Place, kind: str) -> None:
        """Nor does one that is left twice."""
        guard, event = place.guard(kind), event_of(BODY)
        guard.handle(event).__exit__(None, None, None)
        claim = guard.handle(event)
        assert claim.__enter__()
        claim.__exit__(LookupError, LookupError(), None)
        claim.__exit__(None, None, None)
        assert is_first(guard, event)
        asyncio.run(place.close())


def interrupted(action: Callable[[], object], at: int, frames: set[str]) -> bool:
    """Do something, and press Ctrl-C at one of the lines of the claim; return whether it came so far."""
    reached = 0

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal reached
        if not frame.f_code.co_filename.endswith(("_claim.py", "_steps.py")) or frame.f_code.co_name in frames:
            return None
        if what == "line":
            reached += 1
            if reached == at:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            action()
    finally:
        sys.settrace(before)
    return reached >= at


class TestInterrupted:
    """A signal at any moment; the claim is completed or given back."""

    def test_on_the_way_into_the_block_it_is_given_back(self, tmp_path: Path) -> None:
        """Whichever line of the claim has been reached: nobody leaves a block that was not entered."""
        guard, another = (SqliteReplayGuard(tmp_path / "deliveries.db") for _ in range(2))
        for at in range(1, 1000):
            event = event_of(b"%d" % at)
            if not interrupted(guard.handle(event).__enter__, at, set()):
                break
            assert is_first(another, event), at
        assert at > 20

    @pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
    def test_on_the_way_out_it_is_left_all_the_same(self, tmp_path: Path, *, fails: bool) -> None:
        """The store is asked a second time, which it takes for the same claim."""
        guard, another = (SqliteReplayGuard(tmp_path / "deliveries.db") for _ in range(2))
        error = LookupError() if fails else None
        for at in range(1, 1000):
            event = event_of(b"%d" % at)
            claim = guard.handle(event)
            assert claim.__enter__()
            # Python itself can be interrupted before the first line of a function.
            if not interrupted(
                lambda claim=claim: claim.__exit__(type(error) if error else None, error, None),  # type: ignore[misc]
                at,
                {"__exit__", "_leave"},
            ):
                break
            assert is_first(another, event) is fails, at
        assert at > 8

    @pytest.mark.parametrize("hook", ["claim", "release", "complete"])
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_in_the_store_too(self, tmp_path: Path, hook: str, moment: str) -> None:
        """Before it has done what it was asked for, and behind that."""
        guard, another = (SqliteReplayGuard(tmp_path / "deliveries.db") for _ in range(2))
        store: Any = guard._configuration.store
        real, event = getattr(store, hook), event_of(BODY)

        def struck(delivery: Delivery) -> State:
            setattr(store, hook, real)
            if moment == "after":
                real(delivery)
            raise KeyboardInterrupt

        setattr(store, hook, struck)
        with contextlib.suppress(KeyboardInterrupt, LookupError), guard.handle(event):
            if hook == "release":
                raise LookupError
        assert is_first(another, event) is (hook != "complete")

    def test_a_completion_that_is_interrupted_again_is_saved_later(self, tmp_path: Path) -> None:
        """This process knows of it, and the next claim tells the store."""
        guard, another = (SqliteReplayGuard(tmp_path / "deliveries.db", lease=0.3) for _ in range(2))
        store: Any = guard._configuration.store
        real, event = store.complete, event_of(BODY)

        def struck(delivery: Delivery) -> State:
            raise KeyboardInterrupt

        store.complete = struck
        with pytest.raises(KeyboardInterrupt), guard.handle(event):
            pass
        assert not is_first(guard, event)
        store.complete = real
        assert is_first(guard, event_of(b"the next"))
        time.sleep(0.4)
        assert not is_first(another, event)


class Suspended:
    """Something to await that never comes."""

    def __await__(self) -> Generator[Any, None, None]:
        yield self


class UntilSuspended:
    """Await a coroutine up to the point where it is suspended for good."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, None]:
        while not isinstance(waiting_for := self._coroutine.send(None), Suspended):
            yield waiting_for


class TestClosed:
    """Coroutines that end before their time."""

    @pytest.mark.parametrize("kind", ["memory", "sqlite", "own", "own-async"])
    def test_a_coroutine_that_is_driven_by_hand_needs_no_loop(self, place: Place, kind: str) -> None:
        """Then blocking work is done in place, and a closed one has handled nothing."""
        guard, event = place.guard(kind), event_of(BODY)

        async def handle() -> None:
            async with guard.handle(event) as first:
                assert first
                await Suspended()

        coroutine = handle()
        coroutine.send(None)
        with pytest.raises(DuplicateDeliveryError):
            handle().send(None)
        coroutine.close()
        coroutine = handle()
        coroutine.send(None)
        with pytest.raises(StopIteration):
            coroutine.send(None)

    @pytest.mark.parametrize("kind", ["memory", "sqlite", "own"])
    def test_a_coroutine_that_is_closed_inside_a_loop_gives_its_claim_back(self, place: Place, kind: str) -> None:
        """At once, because it cannot wait for the loop any more."""
        guard, event = place.guard(kind), event_of(BODY)

        async def handle() -> None:
            async with guard.handle(event):
                await Suspended()

        async def main() -> None:
            coroutine = handle()
            await UntilSuspended(coroutine)
            with pytest.raises(DuplicateDeliveryError):
                await guard.handle(event).__aenter__()
            coroutine.close()
            assert is_first(guard, event)

        asyncio.run(main())

    def test_a_thread_that_enters_behind_the_one_that_gives_up_claims_nothing(self, place: Place) -> None:
        """They were started in the other order."""
        guard, event = place.guard("own"), event_of(BODY)
        claim = guard.handle(event)
        claim._run(claim._give_up)
        assert claim._run(claim._enter) is False
        assert is_first(guard, event)

    def test_a_loop_that_is_closed_over_a_task_gives_its_claim_back(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing can be awaited any more by then."""
        guard, event = SqliteReplayGuard(tmp_path / "deliveries.db"), event_of(BODY)
        entered = asyncio.Event()

        async def handle() -> None:
            async with guard.handle(event):
                entered.set()
                await asyncio.sleep(PATIENCE)

        loop = asyncio.new_event_loop()
        task = loop.create_task(handle())
        loop.run_until_complete(entered.wait())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        del task, loop
        gc.collect()
        assert not logged(caplog)
        assert is_first(guard, event)

    @pytest.mark.parametrize("answer", ["late", "lost"])
    @pytest.mark.parametrize("kind", ["sqlite", "own-async"])
    def test_a_loop_that_ends_while_a_task_enters_leaves_no_claim(
        self, place: Place, kind: str, answer: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At its end asyncio cancels every task at once, ours too."""
        guard, event = place.guard(kind), event_of(BODY)
        store: Any = guard._configuration.store
        real, asked = store.claim, threading.Event()

        def slow(delivery: Delivery) -> State:
            asked.set()
            if answer == "late":
                time.sleep(0.2)
            state: State = real(delivery)
            time.sleep(0.2)
            return state

        async def slow_async(delivery: Delivery) -> State:
            asked.set()
            if answer == "late":
                await asyncio.sleep(0.2)
            state: State = await real(delivery)
            await asyncio.sleep(0.2)
            return state

        store.claim = slow_async if kind == "own-async" else slow

        async def handle() -> None:
            async with guard.handle(event):
                pytest.fail("entered")

        async def main() -> None:
            task = asyncio.create_task(handle())
            await asyncio.to_thread(asked.wait, PATIENCE)
            assert not task.done()

        asyncio.run(main())
        store.claim = real
        assert not logged(caplog)

        async def again() -> None:
            async with guard.handle(event) as first:
                assert first

        asyncio.run(again())


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


class Broken(Dictionary):
    """A store of a user's own with a mistake in it."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self._result = result
        self.released = 0

    def claim(self, delivery: Delivery) -> State:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result  # type: ignore[no-any-return]

    def release(self, delivery: Delivery) -> State:
        self.released += 1
        return super().release(delivery)


class TestOwnStore:
    """A store of a user's own."""

    def test_what_lacks_a_hook_is_named(self) -> None:
        """When the guard is made."""

        class Half:
            is_async = False

            def claim(self, delivery: Delivery) -> State:
                return State.CLAIMED

        half: Any = Half()
        with pytest.raises(ConfigurationError, match="Half lacks complete and release and explain; see ReplayStore"):
            StoreGuard(half)

    def test_a_class_in_place_of_an_instance_is_named(self) -> None:
        """Its hooks are there, and have nobody to belong to."""
        store: Any = Dictionary
        with pytest.raises(ConfigurationError, match="Dictionary is a class"):
            StoreGuard(store)

    @pytest.mark.parametrize("is_async", [None, "False"])
    def test_it_says_whether_it_is_async(self, is_async: Any) -> None:
        """A store that does not is not guessed at."""
        store: Any = Dictionary()
        store.is_async = is_async
        with pytest.raises(ConfigurationError, match="Dictionary lacks is_async"):
            StoreGuard(store)

    def test_async_hooks_that_say_that_they_are_not_are_named(self) -> None:
        """A coroutine that nobody awaits would let everything pass."""
        store: Any = AsyncDictionary(Dictionary())
        store.is_async = False
        with pytest.raises(ConfigurationError, match="the store's hooks are async, and its is_async is False"):
            StoreGuard(store)

    def test_an_async_one_needs_async_with(self, place: Place) -> None:
        """As an async client does."""
        guard = place.guard("own-async")
        assert guard.async_only
        with pytest.raises(ConfigurationError, match="needs `async with`"):
            guard.handle(event_of(BODY)).__enter__()

    @pytest.mark.parametrize("result", [None, True, State.FREE, "CLAIMED", []])
    def test_a_claim_that_says_no_state_is_an_error(self, result: Any) -> None:
        """Nothing is handled; and what may have been claimed is given back."""
        store = Broken(result)
        with pytest.raises(ConfigurationError, match=r"the store's claim returned \w.*let it return State\.CLAIMED"):
            StoreGuard(store).handle(event_of(BODY)).__enter__()
        assert store.released == 1

    def test_its_own_configuration_errors_pass(self) -> None:
        """They are for the programmer, and `fail_open` does not hide them."""
        store = Broken(ConfigurationError("the table is missing"))
        with pytest.raises(ConfigurationError, match="the table is missing"):
            StoreGuard(store, fail_open=True).handle(event_of(BODY)).__enter__()

    def test_its_error_is_explained_by_itself(self) -> None:
        """With no trace of the error, which could hold anything."""
        with pytest.raises(ReplayGuardError, match=r"the dictionary failed \(OSError\); look at it") as caught:
            StoreGuard(Broken(OSError("a password"))).handle(event_of(BODY)).__enter__()
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_an_explanation_that_fails_is_replaced(self, caplog: pytest.LogCaptureFixture) -> None:
        """A mistake in the message does not decide about a delivery."""
        store = Broken(OSError("a password"))
        store.explain = lambda error: error.nothing  # type: ignore[method-assign,attr-defined]
        with pytest.raises(ReplayGuardError, match=r"did not respond \(OSError\), and its explain raised Attribute"):
            StoreGuard(store).handle(event_of(BODY)).__enter__()
        assert is_first(StoreGuard(store, fail_open=True), event_of(b"another"))
        assert {record.levelno for record in logged(caplog)} == {logging.ERROR}
