"""What all claims of one guard have in common, checked once."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from listrak_webhooks._core import MAX_TOLERANCE
from listrak_webhooks.exceptions import ConfigurationError

from ._store import Delivery, lifetime
from ._unsaved import Unsaved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from listrak_webhooks._core import Event
    from listrak_webhooks._types import Clock, Tolerance

    from ._store import ReplayStore

HOOKS = ("claim", "complete", "release", "explain")

T = TypeVar("T")


def check_lease(lease: float) -> float:
    """Return `lease`, if it is a number of seconds that a claim can last.

    Raises:
        ConfigurationError: it is not.
    """
    return check_seconds("lease", lease)


def check_seconds(name: str, seconds: float) -> float:
    """Return `seconds`, if it is a positive span of at most a year.

    Raises:
        ConfigurationError: it is not, or not even a number.
    """
    if not _is_number(seconds) or not 0 < seconds <= MAX_TOLERANCE:
        raise ConfigurationError(f"{name} must be a positive number of seconds, at most {MAX_TOLERANCE} (365 days)")
    return float(seconds)


def check_tolerance(tolerance: Tolerance) -> float:
    """Return the seconds of `tolerance`, if a `Webhook` can have it.

    Raises:
        ConfigurationError: it cannot.
    """
    seconds = tolerance.total_seconds() if isinstance(tolerance, timedelta) else tolerance
    if not _is_number(seconds) or not 0 <= seconds <= MAX_TOLERANCE:
        raise ConfigurationError(
            f"tolerance must be from 0 to {MAX_TOLERANCE} seconds (365 days), as int, float or timedelta; pass the "
            "longest of the webhooks whose deliveries the guard sees"
        )
    return float(seconds)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def check_clock(clock: Clock | None) -> Clock | None:
    """Return the user's own clock, if it is one; what it returns is checked each time that it is read.

    Raises:
        ConfigurationError: it is not; or, from the clock that is returned, it does not say the time.
    """
    if clock is None:
        return None
    if not callable(clock):
        raise ConfigurationError("clock must be a function that returns Unix seconds")

    def read() -> float:
        try:
            seconds: Any = clock()
        except Exception as error:
            raise ConfigurationError(
                f"clock raised {type(error).__name__} and did not return Unix seconds; check the function that was "
                "passed as clock"
            ) from error
        if not _is_number(seconds) or not math.isfinite(seconds):
            returned = "a number that is not a time" if _is_number(seconds) else type(seconds).__name__
            raise ConfigurationError(
                f"clock must return Unix seconds, a finite int or float, and returned {returned}; check the function "
                "that was passed as clock"
            )
        return float(seconds)

    return read


def check_store(store: ReplayStore) -> ReplayStore:
    """Return `store`, if it has what a guard asks of one.

    Raises:
        ConfigurationError: it does not.
    """
    missing = [name for name in HOOKS if not callable(getattr(store, name, None))]
    if not isinstance(getattr(store, "is_async", None), bool):
        missing.append("is_async")
    if isinstance(store, type):
        fault = f"{store.__name__} is a class"
    elif missing:
        fault = f"{type(store).__name__} lacks {' and '.join(missing)}"
    else:
        fault = ""
    if fault:
        raise ConfigurationError(
            f"the store must be an object with {', '.join(HOOKS)} and is_async, and {fault}; see ReplayStore in "
            "listrak_webhooks.replay"
        )
    if inspect.iscoroutinefunction(store.claim) and not store.is_async:
        raise ConfigurationError("the store's hooks are async, and its is_async is False; set it to True")
    return store


@dataclass
class GuardConfiguration:
    """What all claims of one guard have in common.

    Attributes:
        store: where the claims are kept.
        lease: how many seconds a claim lasts.
        fail_open: whether a delivery is handled all the same while the store does not respond.
        tolerance: the longest tolerance, in seconds, that the guard knows of.
        clock: returns Unix seconds; `None` for the system's clocks.
        in_thread: runs what may block where no event loop has to wait for it.
        keep_for: how many seconds an entry lives.
        unsaved: the completions that the store did not take.
    """

    store: ReplayStore
    lease: float
    fail_open: bool
    tolerance: float
    clock: Clock | None
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    keep_for: int = field(init=False)
    unsaved: Unsaved = field(init=False, default_factory=Unsaved)

    def __post_init__(self) -> None:
        self.keep_for = lifetime(self.tolerance)

    def delivery(self, event: Event) -> Delivery:
        """Return what the store is told of a delivery."""
        # Two webhooks may share a guard: an entry that the one makes must outlive what the other tolerates.
        tolerance = event.expires_at - event.timestamp
        if tolerance > self.tolerance:
            self.tolerance = tolerance
            self.keep_for = lifetime(tolerance)
        return Delivery(event.id, lease=self.lease, keep_for=self.keep_for, clock=self.clock)
