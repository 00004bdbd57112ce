"""The time as this package sees it: the machine's, unless a test has stopped it."""

from __future__ import annotations

import time

from ._core import _freeze_clock, _frozen_clock, _now


def now() -> float:
    """Return the Unix time in seconds, as `time.time` does; or the second at which a test has stopped the clock."""
    frozen = _frozen_clock()
    return time.time() if frozen is None else float(frozen[0])


def monotonic() -> float:
    """Return what `time.monotonic` does, moved along with a stopped clock."""
    frozen = _frozen_clock()
    return time.monotonic() if frozen is None else time.monotonic() + frozen[1]


def second() -> int:
    """Return the Unix second that `verify` and `sign` go by, whatever a test has made of `time.time`."""
    return _now()


def frozen() -> int | None:
    """Return the second at which the clock is stopped, if it is."""
    state = _frozen_clock()
    return None if state is None else state[0]


def freeze(seconds: int | None) -> None:
    """Stop the clock, move a stopped one, or let it run (`None`). It is for the test kit alone."""
    _freeze_clock(seconds)
