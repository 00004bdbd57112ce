"""What all claims of one guard have in common, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from listrak_webhooks.exceptions import ConfigurationError

from ._unsaved import Unsaved

if TYPE_CHECKING:
    from listrak_webhooks._types import Clock

    from ._store import Store

DEFAULT_LEASE = 60.0
"""How many seconds a claim lasts."""

MAX_LEASE = 365 * 24 * 60 * 60


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
    given: Any = seconds
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < seconds <= MAX_LEASE:
        raise ConfigurationError(f"{name} must be a positive number of seconds, at most {MAX_LEASE} (365 days)")
    return float(seconds)


@dataclass
class GuardConfiguration:
    """What all claims of one guard have in common."""

    store: Store
    lease: float
    fail_open: bool
    clock: Clock
    unsaved: Unsaved = field(init=False)

    def __post_init__(self) -> None:
        self.unsaved = Unsaved(self.clock)
