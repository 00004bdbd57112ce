"""What a guard and its store say to each other: the delivery, its states, how long an entry lives, and the hooks."""

from __future__ import annotations

import enum
import math
import secrets
from typing import TYPE_CHECKING, Any, Protocol

from listrak_webhooks import _clock
from listrak_webhooks._core import MARGIN

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from listrak_webhooks._types import Clock


def lifetime(tolerance: float) -> int:
    """Return for how many seconds an entry must be kept after it was written.

    A delivery passes on a machine while that machine's clock is within the tolerance of the timestamp, which is the
    sender's. It cannot come before it was sent, so on a machine whose clock is slow by the whole tolerance it passes
    for twice the tolerance after its first arrival; a clock that is slower rejects every new delivery. The machine that
    handles it may have a clock that is fast or slow too. So the entry's life is a span and not an instant: neither the
    timestamp nor the clock of the machine that writes the entry counts, and an old capture is kept as long as a new
    delivery.

    Args:
        tolerance: seconds; the longest of all webhooks whose deliveries the store may hold.
    """
    return 2 * math.ceil(tolerance) + MARGIN


class State(enum.Enum):
    """The state of a delivery in a store, as one claim sees it."""

    CLAIMED = enum.auto()
    """This claim holds it."""

    HELD = enum.auto()
    """Another claim holds it, and its lease is not over."""

    COMPLETED = enum.auto()
    """It has been handled."""

    FREE = enum.auto()
    """Nobody holds it: it was never claimed, was given back or forgotten, or the lease is over and nobody took it."""


class Delivery:
    """One delivery and one claim to it, as a store sees them.

    Attributes:
        id: the delivery's identity, `event.id`: 64 hexadecimal digits.
        token: what tells this claim from every other, in all processes: 32 hexadecimal digits.
        lease: after how many seconds another claim may take the delivery over.
        keep_for: for how many seconds an entry must be kept after it is written; a claim's, at least for its lease.
        claimed_at: when the store was asked for the claim, by `monotonic`.
    """

    __slots__ = ("_clock", "claimed_at", "id", "keep_for", "lease", "token")

    def __init__(self, id: str, *, lease: float, keep_for: int, clock: Clock | None = None) -> None:  # noqa: A002
        self.id = id
        self.token = secrets.token_hex(16)
        self.lease = lease
        self.keep_for = keep_for
        self.claimed_at = 0.0
        self._clock = clock

    def now(self) -> float:
        """Return the Unix time in seconds, for entries that outlive a restart of the machine."""
        return (self._clock or _clock.now)()

    def monotonic(self) -> float:
        """Return seconds on a clock that nobody sets and that all processes of this machine share, for leases.

        Its start is arbitrary, and a restart of the machine begins anew. It is `time.monotonic`, unless the guard was
        given a clock, which is then both. A clock that the test kit has stopped moves it along.
        """
        return (self._clock or _clock.monotonic)()

    def __repr__(self) -> str:
        return f"Delivery(id={self.id[:8]}…)"


class ReplayStore(Protocol):
    """Where a guard keeps its claims: what `StoreGuard` asks of a store.

    The first three hooks may be called from any thread, and may raise any exception when the store does not respond.
    With `is_async` they are awaited. Each must be one atomic step, also between processes if they share the store.
    """

    is_async: bool
    """Whether the first three hooks return something to await."""

    def claim(self, delivery: Delivery) -> State | Awaitable[State]:
        """Claim a delivery for its `lease`, unless another claim holds it or it was completed.

        A claim with the same token is the same claim.

        Returns:
            `CLAIMED`, `HELD` or `COMPLETED`. A store that finds it completed keeps it for `keep_for` from now on, if
            that is longer than it would have kept it.
        """
        ...

    def complete(self, delivery: Delivery) -> State | Awaitable[State]:
        """Remember for `keep_for` seconds that a delivery was handled, unless another claim holds it.

        Returns:
            The state in which it was; `FREE` also if the lease was over and nobody had taken it.
        """
        ...

    def release(self, delivery: Delivery) -> State | Awaitable[State]:
        """Give the claim back, if it is still this claim's.

        Returns:
            The state in which it was, as `complete`.
        """
        ...

    def explain(self, error: Exception) -> str:
        """Return what an exception of the hooks means, and the next step; without any password."""
        ...


def answer_of(result: Any) -> State | None:
    """Return what a store's hook returned, if it is a state."""
    return result if isinstance(result, State) else None
