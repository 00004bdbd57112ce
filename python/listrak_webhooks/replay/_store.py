"""What a guard and its store say to each other: the delivery, its states, and the hooks of a store."""

from __future__ import annotations

import enum
import secrets
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._core import Event

MARGIN = 60
"""How many seconds a delivery is remembered beyond the last one at which it can pass the time window.

For what the clocks of several machines differ by, and for the time between the verdict and the claim: `verify` and the
guard each read the clock.
"""

T = TypeVar("T")


class State(enum.Enum):
    """What a store says to a claim."""

    CLAIMED = enum.auto()
    HELD = enum.auto()
    COMPLETED = enum.auto()


class Delivery:
    """One delivery, as a store sees it.

    Args:
        event: the verified event.
    """

    __slots__ = ("expires_at", "id", "lease_ends", "token")

    def __init__(self, event: Event) -> None:
        self.id = event.id
        self.expires_at = event.expires_at
        # What tells this claim from any other, in all processes.
        self.token = secrets.token_hex(16)
        # By our clock, for a store that cannot compare the token itself.
        self.lease_ends = 0.0

    @property
    def keep_until(self) -> int:
        """The Unix second from which on it may be forgotten.

        `verify` rounds the clock down, so it accepts the delivery during the whole of the second `expires_at`.
        """
        return self.expires_at + 1 + MARGIN


class Store(Protocol):
    """Where a guard keeps its claims. The three hooks may raise anything; those of an async store are to be awaited."""

    is_async: bool

    def claim(self, delivery: Delivery) -> Any:
        """Claim a delivery until the lease ends, in one atomic step, and return the `State` that it was in."""
        ...

    def complete(self, delivery: Delivery) -> Any:
        """Remember until its `keep_until` that a delivery was handled, whoever holds the claim by now."""
        ...

    def release(self, delivery: Delivery) -> Any:
        """Give back the claim, if its token still holds it."""
        ...

    def explain(self, error: Exception) -> str:
        """Return what a hook's error means, and the next step."""
        ...

    async def off_loop(self, function: Callable[[], T]) -> T:
        """Run a function that may wait where it does not keep the event loop."""
        ...
