"""The replay guard around the handler: entered before it, left once after it, whatever happens in between."""

from __future__ import annotations

import inspect
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from listrak_webhooks._event_loops import finished, in_thread
from listrak_webhooks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from listrak_webhooks._core import Event
    from listrak_webhooks.replay import AsyncReplayGuard, ReplayGuard


class NotHandledError(Exception):
    """What a claim is left with if the handler's response says that it did not handle the delivery."""


def not_handled(status: int) -> NotHandledError | None:
    """Return what to leave a claim with after a response with this status: from 400 on it was not handled."""
    return NotHandledError() if status >= HTTPStatus.BAD_REQUEST else None


def check_guard(replay: object, *, can_await: bool) -> None:
    """Find, at decoration, what cannot guard the view.

    Raises:
        ConfigurationError: it is not a guard, or it is one for `async with` alone and the view cannot await.
    """
    if replay is None:
        return
    handle = getattr(replay, "handle", None)
    if not callable(handle) or isinstance(replay, type):
        raise ConfigurationError(
            f"replay must be a guard, not {_name_of(replay)}; use one of listrak_webhooks.replay, such as "
            "SqliteReplayGuard(path)"
        )
    # Of a user's own guard it can be known if `contextlib` made its context.
    async_only = getattr(replay, "async_only", False) or inspect.isasyncgenfunction(inspect.unwrap(handle))
    if async_only and not can_await:
        raise _async_guard(replay)


def _name_of(thing: object) -> str:
    return thing.__name__ if isinstance(thing, type) else type(thing).__name__


def _async_guard(replay: object) -> ConfigurationError:
    return ConfigurationError(
        f"{_name_of(replay)} needs `async with`, which this view cannot do; give it a sync client, such as redis.Redis "
        "instead of redis.asyncio.Redis"
    )


class Admission:
    """One delivery at the guard: entered, then left once.

    Args:
        replay: the guard; without one, every delivery is the first.
        event: the verified delivery.
        can_await: whether the guard is entered in an event loop, which nothing may keep waiting.
    """

    __slots__ = ("_can_await", "_context", "_replay", "event", "first")

    def __init__(self, replay: ReplayGuard | AsyncReplayGuard | None, event: Event, *, can_await: bool) -> None:
        self._replay = replay
        self._can_await = can_await
        self._context: Any = None
        self.event = event
        self.first = True

    async def enter(self) -> bool:
        """Claim the delivery; return whether it is to be handled, or that has been done.

        Raises:
            DuplicateDeliveryError, ReplayGuardError: as the guard.
            ConfigurationError: the guard supports `async with` alone.
        """
        if self._replay is None:
            return True
        context: Any = self._replay.handle(self.event)
        if self._can_await:
            if not hasattr(context, "__aenter__"):
                context = _InThread(context)
            entered = await context.__aenter__()
        else:
            if not hasattr(context, "__enter__"):
                raise _async_guard(self._replay)
            entered = context.__enter__()
        self._context, self.first = context, bool(entered)
        if not self.first:
            await self.leave()
        return self.first

    async def leave(self, error: BaseException | None = None) -> None:
        """Complete the claim, or give it back if there is an `error`; a second time does nothing."""
        context, self._context = self._context, None
        if context is None:
            return
        information = (None, None, None) if error is None else (type(error), error, error.__traceback__)
        if self._can_await:
            await context.__aexit__(*information)
        else:
            context.__exit__(*information)


class _InThread:
    """A context of a user's own that only knows `with`, for `async with`."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._has_entered = False

    async def __aenter__(self) -> Any:
        return await finished(lambda: in_thread(self._enter), undo=self._give_back)

    def _enter(self) -> Any:
        result = self._context.__enter__()
        self._has_entered = True
        return result

    async def __aexit__(self, *exception: object) -> None:
        await finished(lambda: in_thread(partial(self._context.__exit__, *exception)))

    async def _give_back(self) -> None:
        if not self._has_entered:
            return
        error = NotHandledError()
        await in_thread(partial(self._context.__exit__, type(error), error, None))
