"""What a replay guard is to its users: the two protocols that any guard fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from listrak_webhooks._core import Event


class ReplayGuard(Protocol):
    """Any guard for code that may wait: `with guard.handle(event) as first:`.

    Entering gives true to the one that is to handle the delivery, and false if that has been done; it raises
    `DuplicateDeliveryError` while another handles it and `ReplayGuardError` where that cannot be known. Leaving
    completes the claim, and an exception gives it back.
    """

    def handle(self, event: Event, /) -> AbstractContextManager[bool, bool | None]:
        """Return the context in which `event` is handled."""
        ...


class AsyncContext(Protocol):
    """What `async with` needs; what `contextlib.asynccontextmanager` makes is one."""

    def __aenter__(self) -> Awaitable[bool]: ...

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> Awaitable[bool | None]: ...


class AsyncReplayGuard(Protocol):
    """Any guard for code in an event loop: `async with guard.handle(event) as first:`; else as `ReplayGuard`."""

    def handle(self, event: Event, /) -> AsyncContext:
        """Return the context in which `event` is handled."""
        ...
