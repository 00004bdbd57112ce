"""Blocking work of the user's own, beside an event loop that must not wait for it: asyncio's or trio's."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def _trio() -> Any:
    """Return trio if it runs the caller; a project without it has not imported it."""
    trio: Any = sys.modules.get("trio")
    try:
        if trio is not None:
            trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a function that may block in a thread."""
    trio = _trio()
    if trio is None:
        return await asyncio.to_thread(function, *args)
    result: T = await trio.to_thread.run_sync(function, *args)
    return result


async def shielded(work: Awaitable[T], undo: Callable[[], Awaitable[object]] | None = None) -> T:
    """Await work that goes on if the caller is cancelled.

    Under asyncio the caller is then told at once, and `undo` is awaited behind the work. Under trio it is told at its
    next checkpoint, so it has the result and there is nothing to undo.
    """
    trio = _trio()
    if trio is not None:
        with trio.CancelScope(shield=True):
            return await work
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if undo is not None:
            await task
            await undo()
        raise
