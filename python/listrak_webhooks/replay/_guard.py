"""The guard over a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listrak_webhooks._core import DEFAULT_LEASE, DEFAULT_TOLERANCE
from listrak_webhooks._event_loops import in_thread

from ._claim import Claim, log_lost_claim, log_unguarded, log_unsaved
from ._configuration import (
    GuardConfiguration,
    check_clock,
    check_lease,
    check_seconds,
    check_store,
    check_tolerance,
)
from ._store import Delivery, ReplayStore, State

if TYPE_CHECKING:
    from listrak_webhooks._core import Event
    from listrak_webhooks._types import Clock, Tolerance

# The core takes `check_lease` and what logs from here.
__all__ = [
    "Delivery",
    "ReplayStore",
    "State",
    "StoreGuard",
    "check_lease",
    "check_seconds",
    "log_lost_claim",
    "log_unguarded",
    "log_unsaved",
]


class StoreGuard:
    """The guard over a store: over yours, or the base of those that come with the library.

    It does everything that does not depend on the store: the life of a claim, what a store means that does not respond,
    what is logged, `with` and `async with`, threads and event loops.

    Args:
        store: where the claims are kept; see `ReplayStore`.
        lease: the seconds after which a claim may be taken over by another try because its process died; longer than a
            handler ever takes.
        fail_open: handle deliveries all the same while the store does not respond, though they may be handled twice
            then.
        tolerance: the longest tolerance, in seconds or as a `timedelta`, of the webhooks whose deliveries the guard
            sees. A guard that sees a longer one goes by that from then on.
        clock: returns Unix seconds; for tests. The system's clocks by default.

    Raises:
        ConfigurationError: an argument cannot be right.

    Example:
        >>> from listrak_webhooks.replay import State, StoreGuard
        >>> class OneProcess:
        ...     is_async = False
        ...     states = {}
        ...     def claim(self, delivery):
        ...         token = self.states.setdefault(delivery.id, delivery.token)
        ...         return {"done": State.COMPLETED, delivery.token: State.CLAIMED}.get(token, State.HELD)
        ...     def complete(self, delivery):
        ...         self.states[delivery.id] = "done"
        ...         return State.CLAIMED
        ...     def release(self, delivery):
        ...         del self.states[delivery.id]
        ...         return State.CLAIMED
        ...     def explain(self, error):
        ...         return "the store failed"
        >>> guard = StoreGuard(OneProcess())
    """

    def __init__(
        self,
        store: ReplayStore,
        *,
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        tolerance: Tolerance = DEFAULT_TOLERANCE,
        clock: Clock | None = None,
    ) -> None:
        self._configuration = GuardConfiguration(
            check_store(store),
            check_lease(lease),
            fail_open,
            check_tolerance(tolerance),
            check_clock(clock),
            self._in_thread,
        )

    _in_thread = staticmethod(in_thread)
    """What runs a store's hooks for `async with`."""

    @property
    def async_only(self) -> bool:
        """Whether `async with` is the only way, because the store's hooks are to be awaited."""
        return self._configuration.store.is_async

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self._configuration.store).__name__})"

    def handle(self, event: Event) -> Claim:
        """Return the context in which `event` is handled, for `with` and for `async with`; it can be entered once.

        In it the value is true for the one that is to handle the delivery, and false if that has been done. Leaving the
        block completes the claim, and an exception gives it back, so that the delivery may come again.

        Args:
            event: a delivery, fresh from `verify`.

        Raises:
            DuplicateDeliveryError: on entering, while another handles it.
            ReplayGuardError: on entering, if the store does not respond.
            RuntimeError: on entering a second time.
        """
        return Claim(self._configuration, event)
