"""A replay guard whose store does not respond."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from listrak_webhooks._core import FAILS_IN_TEST, MemoryReplayGuard
from listrak_webhooks.replay import StoreGuard

if TYPE_CHECKING:
    from collections.abc import Generator

    from listrak_webhooks.replay import AsyncReplayGuard, ReplayGuard, ReplayStore


@contextlib.contextmanager
def fail_store(guard: ReplayGuard | AsyncReplayGuard) -> Generator[None, None, None]:
    """Let a guard's store not respond in a block, and respond again after it, whatever the block raises.

    A claim then raises `ReplayGuardError`, which the adapters respond to with 503; or the delivery is handled all the
    same, if the guard has `fail_open`. What is handled in the block by an earlier claim cannot be saved in it, which is
    logged. The block is for `with` in asynchronous code too, and for every thread.

    Args:
        guard: a guard of this library, or any `StoreGuard`.

    Raises:
        TypeError: it is a guard of another kind, whose store the kit does not know.

    Example:
        >>> from listrak_webhooks import ReplayGuardError
        >>> from listrak_webhooks.replay import MemoryReplayGuard
        >>> from listrak_webhooks.testing import cart, fail_store
        >>> guard, event = MemoryReplayGuard(), cart().signed("a secret of mine").event()
        >>> with fail_store(guard):
        ...     try:
        ...         with guard.handle(event):
        ...             pass
        ...     except ReplayGuardError as error:
        ...         error.status
        503
    """
    if isinstance(guard, MemoryReplayGuard):
        before = guard._fail(True)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        try:
            yield
        finally:
            guard._fail(before)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    elif isinstance(guard, StoreGuard):
        # All claims of the guard, those that were made before too, have this one object.
        configuration = guard._configuration  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        store = configuration.store
        configuration.store = _FailingStore(store)
        try:
            yield
        finally:
            configuration.store = store
    else:
        raise TypeError(
            f"fail_store does not know the store of {type(guard).__qualname__}; it knows the guards of this library "
            "and every StoreGuard"
        )


class _StoreFailsError(Exception):
    """Raised by a store that a test has made fail."""


class _FailingStore:
    """What a store is replaced with.

    Args:
        store: the one that is replaced, which says whether its hooks are awaited.
    """

    def __init__(self, store: ReplayStore) -> None:
        self.is_async = store.is_async
        self.claim = self.complete = self.release = self._afail if store.is_async else self._fail

    def _fail(self, delivery: object) -> Any:
        del delivery
        raise _StoreFailsError

    async def _afail(self, delivery: object) -> Any:
        del delivery
        raise _StoreFailsError

    def explain(self, error: Exception) -> str:
        """Say that a test wants it so."""
        del error
        return FAILS_IN_TEST
