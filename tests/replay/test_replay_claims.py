"""What a claim does between entering and leaving: if it is misused, interrupted or closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import DuplicateDeliveryError
from listrak_webhooks.replay import SqliteReplayGuard, State
from support.claims import SYNC, each_loop, run_in
from support.deliveries import logged
from support.guards import Place, event_of, is_first
from support.helpers import BODY, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from pathlib import Path
    from types import FrameType

    from listrak_webhooks.replay import Delivery


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
