"""The guard over a store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ._claim import Claim, log_unguarded, log_unsaved
from ._configuration import DEFAULT_LEASE, GuardConfiguration, check_lease, check_seconds
from ._store import Delivery, State, Store

if TYPE_CHECKING:
    from listrak_webhooks._core import Event
    from listrak_webhooks._types import Clock

# The core takes `check_lease`, `log_unguarded` and `log_unsaved` from here.
__all__ = [
    "DEFAULT_LEASE",
    "Delivery",
    "State",
    "Store",
    "StoreGuard",
    "check_lease",
    "check_seconds",
    "log_unguarded",
    "log_unsaved",
]


class StoreGuard:
    """Base of the guards that keep their claims in a store."""

    def __init__(self, store: Store, *, lease: float, fail_open: bool, clock: Clock | None) -> None:
        self._configuration = GuardConfiguration(store, check_lease(lease), fail_open, clock or time.time)

    @property
    def async_only(self) -> bool:
        """Whether `async with` is the only way: the store's client is one for event loops."""
        return self._configuration.store.is_async

    def handle(self, event: Event) -> Claim:
        """Return the context in which `event` is handled, for `with` and for `async with`.

        In it the value is true for whoever is to handle the delivery, and false where that has been done. Leaving the
        block completes the claim, and an exception gives it back, so that the delivery may come again.

        Args:
            event: a delivery, fresh from `verify`.

        Raises:
            DuplicateDeliveryError: on entering, while another handles it.
            ReplayGuardError: on entering, where the store does not answer.
        """
        return Claim(self._configuration, event)
