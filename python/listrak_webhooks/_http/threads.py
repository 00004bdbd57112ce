"""Blocking work of the user's own, beside an event loop that must not wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


def in_thread(function: Callable[..., T], *args: Any) -> Awaitable[T]:
    """Run a function that may block in a thread."""
    return asyncio.ensure_future(asyncio.to_thread(function, *args))


async def shielded(work: Awaitable[T], undo: Callable[[], Awaitable[object]] | None = None) -> T:
    """Await work that goes on if this task is cancelled; then `undo` is awaited behind it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if undo is not None:
            await task
            await undo()
        raise
