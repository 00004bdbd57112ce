"""The completions that a store did not take, until it takes them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._store import Delivery

MAX_UNSAVED = 10_000
"""How many completions that the store did not take are remembered in this process."""


class Unsaved:
    """The completions that the store did not take, oldest first; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deliveries: OrderedDict[str, tuple[Delivery, float]] = OrderedDict()

    def __contains__(self, delivery_id: str) -> bool:
        return delivery_id in self._deliveries

    def add(self, delivery: Delivery) -> None:
        """Remember one, and forget the oldest if there are too many."""
        with self._lock:
            self._deliveries[delivery.id] = delivery, delivery.monotonic() + delivery.keep_for
            if len(self._deliveries) > MAX_UNSAVED:
                self._deliveries.popitem(last=False)

    def remove(self, delivery: Delivery) -> None:
        """Forget one that was saved, or was never here."""
        if not self._deliveries:
            return
        with self._lock:
            self._deliveries.pop(delivery.id, None)

    def next(self) -> Delivery | None:
        """Return the oldest that is still worth saving."""
        if not self._deliveries:
            return None
        with self._lock:
            while self._deliveries:
                delivery, worthless_at = next(iter(self._deliveries.values()))
                if delivery.monotonic() < worthless_at:
                    return delivery
                del self._deliveries[delivery.id]
        return None
