"""The time as this package sees it, standing still for a test."""

from __future__ import annotations

import contextlib
import math
import time
from typing import TYPE_CHECKING

from listrak_webhooks import _clock

from . import _arguments

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime


class Clock:
    """A clock that is stopped until it is moved; `stop_clock` and the fixture `listrak_clock` make one."""

    def __init__(self, timestamp: float | datetime) -> None:
        self._now = _arguments.time("timestamp", timestamp)
        _clock.freeze(math.floor(self._now))

    def __repr__(self) -> str:
        return f"Clock({self._now:g})"

    @property
    def now(self) -> float:
        """The time that it shows, in Unix seconds; the package goes by whole ones, rounded down."""
        return self._now

    def move(self, seconds: float) -> None:
        """Move it.

        Args:
            seconds: how far ahead; back if it is negative.

        Raises:
            TypeError: it is not a number.
            ValueError: it is not finite, or out of all range.
        """
        self.at(self._now + _arguments.seconds("seconds", seconds))

    def at(self, timestamp: float | datetime) -> None:
        """Put it somewhere else.

        Args:
            timestamp: Unix seconds, or an aware `datetime`.

        Raises:
            TypeError: it is neither.
            ValueError: it is naive, not finite, or out of all range.
        """
        self._now = _arguments.time("timestamp", timestamp)
        _clock.freeze(math.floor(self._now))


@contextlib.contextmanager
def stop_clock(timestamp: float | datetime | None = None) -> Generator[Clock, None, None]:
    """Stop the time, as this package sees it, in a block.

    That is the time of `verify` and `sign`, of the adapters, of the replay guards and of this kit, in every thread of
    the process. It is not the time of a `Webhook` or a guard with a `clock` of its own, nor that of other libraries:
    `time.time` runs on. The leases of guards run on too, and are moved along by `move`.

    Args:
        timestamp: the time that it shows: Unix seconds, or an aware `datetime`. By default what `time.time` returns, so
            that the clock agrees with one that freezegun or time-machine has stopped.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> from listrak_webhooks.testing import stop_clock
        >>> with stop_clock(1700000000) as clock:
        ...     clock.move(60)
        ...     Webhook("listrak-test-secret").signed_headers(b"")["LTK-Timestamp"]
        '1700000060'
    """
    before = _clock.frozen()
    clock = Clock(time.time() if timestamp is None else timestamp)
    try:
        yield clock
    finally:
        _clock.freeze(before)
