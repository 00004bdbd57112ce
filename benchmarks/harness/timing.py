"""How calls are timed, side by side, and how their times compare.

In each round every candidate makes one batch of calls in turn, the order rotating from round to round, so that what
disturbs the machine disturbs them all alike.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.harness.candidate import Call, Candidate

BATCH_SECONDS = 0.003
MIN_ROUNDS = 15
READY_AT_ONCE = 256
"""How many fresh arguments are made ahead at most: few enough to be in the processor's cache, as a receiver's are."""


@dataclass(frozen=True)
class Ratio:
    """How a time compares with another one."""

    median: float
    """Of the ratios within the rounds; `low` and `high` are their quartiles."""
    low: float
    high: float
    best: float
    """Of the best times of both, which may come from different rounds: what a quiet machine would show."""

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f}-{self.high:.3f}; best times {self.best:.3f})"

    @property
    def worst(self) -> float:
        """The less flattering of the two ways to compare."""
        return max(self.median, self.best)


@dataclass(frozen=True)
class Measurement:
    """Seconds for one call: of each candidate, in each round, all rounds at the same place."""

    seconds: Mapping[Candidate, Sequence[float]]

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return len(next(iter(self.seconds.values())))

    def best(self, candidate: Candidate) -> float:
        """Return the time in the round that was disturbed least."""
        return min(self.seconds[candidate])

    def median(self, candidate: Candidate) -> float:
        """Return the time in the ordinary round."""
        return statistics.median(self.seconds[candidate])

    def ratio(self, candidate: Candidate, other: Candidate) -> Ratio:
        """Return what part of the time of `other` `candidate` takes."""
        pairs = zip(self.seconds[candidate], self.seconds[other], strict=True)
        low, median, high = statistics.quantiles((one / two for one, two in pairs), n=4)
        return Ratio(median, low, high, self.best(candidate) / self.best(other))


def measure(
    calls: Mapping[Candidate, Call], seconds: float, batch_seconds: float = BATCH_SECONDS, *, collecting: bool = False
) -> Measurement:
    """Time every call side by side, in rounds.

    Args:
        calls: what to time.
        seconds: for about how long in all.
        batch_seconds: for about how long in one batch.
        collecting: whether the garbage collector runs, as it has to if the calls leave cycles behind: else memory
            grows, and each call pays for new pages.
    """
    order = list(calls)
    counts = {candidate: _calibrate(call, batch_seconds) for candidate, call in calls.items()}
    times: dict[Candidate, list[float]] = {candidate: [] for candidate in order}
    was_collecting = gc.isenabled()
    gc.collect()
    (gc.enable if collecting else gc.disable)()
    try:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times[order[0]]) < MIN_ROUNDS:
            for candidate in order:
                count = counts[candidate]
                times[candidate].append(_batch(calls[candidate], count) / count)
            order.append(order.pop(0))
    finally:
        (gc.enable if was_collecting else gc.disable)()
    return Measurement(times)


def _batch(call: Call, count: int) -> float:
    """Return the seconds that `count` calls take, with the loop around them: the same for every candidate."""
    if call.fresh is not None:
        return _fresh_batch(call, count)
    function, arguments = call.function, call.arguments
    calls = repeat(None, count)
    start = time.perf_counter()
    for _ in calls:
        function(*arguments)
    return time.perf_counter() - start


def _fresh_batch(call: Call, count: int) -> float:
    """Do the same with arguments of its own for each call, which are made while no time is taken."""
    assert call.fresh is not None
    function, seconds = call.function, 0.0
    while count > 0:
        ready = call.fresh(min(count, READY_AT_ONCE))
        count -= len(ready)
        # Popped, so that what a call leaves in its arguments is freed before the next, as a returned document is.
        start = time.perf_counter()
        while ready:
            function(*ready.pop())
        seconds += time.perf_counter() - start
    return seconds


def _calibrate(call: Call, batch_seconds: float) -> int:
    """Return how many calls make a batch."""
    count = 1
    # The faster of two, because a first call may import and build what no other has to.
    while (seconds := min(_batch(call, count), _batch(call, count))) < batch_seconds / 2:
        count *= 2
    return max(1, round(count * batch_seconds / seconds))
