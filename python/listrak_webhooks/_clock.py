"""The time as this package sees it: the machine's, unless a test has stopped it."""

from __future__ import annotations

import time

from ._core import _frozen_clock


def now() -> float:
    """Return the Unix time in seconds, as `time.time` does; or the second at which a test has stopped the clock."""
    frozen = _frozen_clock()
    return time.time() if frozen is None else float(frozen[0])


def monotonic() -> float:
    """Return what `time.monotonic` does, moved along with a stopped clock."""
    frozen = _frozen_clock()
    return time.monotonic() if frozen is None else time.monotonic() + frozen[1]
