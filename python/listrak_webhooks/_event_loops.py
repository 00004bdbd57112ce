"""Work that may block and work that must not be cut short, under asyncio, under trio, and without either.

Which library runs is asked each time: an application may use several, and a guard is not bound to one.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextlib import AbstractContextManager

T = TypeVar("T")


def running_library() -> Literal["asyncio", "trio"] | None:
    """Return which library runs the calling coroutine; `None` means that it is driven by hand."""
    try:
        # A task, and not only a loop: trio as a guest runs inside the callbacks of an asyncio loop.
        if asyncio.current_task() is not None:
            return "asyncio"
    except RuntimeError:
        pass
    # What runs has been imported, so a project without trio does not need it.
    trio: Any = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            pass
        else:
            return "trio"
    return None


async def in_thread(function: Callable[[], T]) -> T:
    """Run a function that may block, in a thread if an event loop would have to wait for it."""
    library = running_library()
    if library == "asyncio":
        return await asyncio.to_thread(function)
    if library == "trio":
        result: T = await sys.modules["trio"].to_thread.run_sync(function)
        return result
    return function()


async def settled(result: Awaitable[Any]) -> Any:
    """Return what an awaitable gives, and if a plain function returned what an async one gives, what that gives."""
    found = await result
    return await found if hasattr(found, "__await__") else found


async def finished(
    work: Callable[[], Coroutine[Any, Any, T]], undo: Callable[[], Coroutine[Any, Any, object]] | None = None
) -> T:
    """Await work that is finished even if the caller is cancelled.

    Under asyncio a task that is cancelled gets no result. Where a scope of trio's or anyio's is cancelled, that waits
    for the caller's next checkpoint, so the caller gets the result.

    Args:
        work: what to await.
        undo: takes the work back; awaited behind it, and finished too, if the caller gets an exception and no result.
    """
    library = running_library()
    with _shield(library):
        if library != "asyncio":
            try:
                return await work()
            except BaseException:
                if undo is not None:
                    await undo()
                raise
        task = _start(work())
        try:
            return await asyncio.shield(task)
        except BaseException:
            if undo is not None:
                await asyncio.shield(_start(_after(task, undo)))
            raise


def _shield(library: str | None) -> AbstractContextManager[object]:
    """Return a scope that cancellation from outside does not enter, if the library has scopes."""
    # Those of anyio cancel a task of asyncio's at each step that it takes, so `asyncio.shield` does not hold them off.
    scopes = {"trio": "trio", "asyncio": "anyio"}.get(library or "", "")
    scope: Any = getattr(sys.modules.get(scopes), "CancelScope", None)
    return nullcontext() if scope is None else scope(shield=True)


async def _after(task: asyncio.Task[Any], undo: Callable[[], Awaitable[object]]) -> None:
    await asyncio.wait([task])
    await undo()


_running: set[asyncio.Task[Any]] = set()
"""A loop keeps only weak references to its tasks."""


def _start(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.ensure_future(work)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    # Looked at, so that asyncio does not report it if nobody waits for it any more.
    if not task.cancelled():
        task.exception()
