"""What is printed: tables, how to read them, where we are behind, and what became of the promises."""

from __future__ import annotations

import statistics
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.harness.candidate import Candidate
    from benchmarks.harness.timing import Measurement, Ratio

WIDTH = 110
TWO_DECIMALS_BELOW = 9.995


@dataclass(frozen=True)
class Promise:
    """One claim about the package, and what came of it; `holds` is `None` where it could not be measured."""

    text: str
    measured: str
    holds: bool | None

    def __str__(self) -> str:
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "NOT MEASURED"}[self.holds]
        return textwrap.fill(f"{verdict:<14} {self.text}: {self.measured}", WIDTH, subsequent_indent=" " * 15)


@dataclass(frozen=True)
class Table:
    """Contenders down, sizes across, each with its time and its multiple of the first row's."""

    title: str
    rows: Sequence[Candidate]
    measurements: Mapping[str, Measurement]

    @property
    def ours(self) -> Candidate:
        """The row that the others are compared with."""
        return self.rows[0]

    def lines(self) -> Iterable[str]:
        """Yield the table."""
        name_width = max(len(row.name) for row in self.rows)
        rounds = " / ".join(str(measurement.rounds) for measurement in self.measurements.values())
        yield f"{self.title} ({rounds} rounds)"
        yield (" " * name_width + "".join(f"{size:>16}" for size in self.measurements)).rstrip()
        for row in self.rows:
            cells = "".join(self._cell(row, measurement) for measurement in self.measurements.values())
            yield f"{row.name:<{name_width}}{cells}".rstrip()

    def _cell(self, row: Candidate, measurement: Measurement) -> str:
        if row not in measurement.seconds:
            return f"{'-':>9}{'':>7}"
        multiple = "" if row is self.ours else f"{_multiple(measurement.ratio(row, self.ours).best)}x"
        return f"{microseconds(measurement.best(row)):>9}{multiple:>7}"

    def notes(self) -> Iterable[str]:
        """Yield what each row does more or less than ours."""
        for row in self.rows:
            if row.note:
                yield from textwrap.wrap(
                    f"{row.name.strip()}: {row.note}", WIDTH, initial_indent="  ", subsequent_indent="    "
                )

    def behind(self) -> Iterable[str]:
        """Yield where another candidate is faster than ours."""
        found = False
        for size, measurement in self.measurements.items():
            for row in self.rows[1:]:
                if not row.comparable or row not in measurement.seconds:
                    continue
                ratio = measurement.ratio(self.ours, row)
                if ratio.worst > 1:
                    found = True
                    yield f"behind: at {size} ours takes {ratio} times as long as {row.name.strip()}"
        if not found:
            yield "behind: nowhere; in no cell is another row that can be compared faster than ours"


@dataclass(frozen=True)
class CostTable:
    """Candidates down, with the time of each and what it costs over the first row, which is bare."""

    title: str
    rows: Sequence[Candidate]
    measurement: Measurement

    def cost(self, row: Candidate) -> float:
        """Return the seconds that a row takes beyond the first, in the ordinary round."""
        times = self.measurement.seconds
        return statistics.median(one - bare for one, bare in zip(times[row], times[self.rows[0]], strict=True))

    def lines(self) -> Iterable[str]:
        """Yield the table."""
        name_width = max(len(row.name) for row in self.rows)
        yield f"{self.title} ({self.measurement.rounds} rounds)"
        yield f"{'':<{name_width}}{'best':>10}{'over bare':>12}"
        for row in self.rows:
            cost = "" if row is self.rows[0] else microseconds(self.cost(row))
            yield f"{row.name:<{name_width}}{microseconds(self.measurement.best(row)):>10}{cost:>12}".rstrip()


def at_most(text: str, ratio: Ratio, limit: float) -> Promise:
    """Return the promise that a time is at most `limit` of another."""
    return Promise(text, f"{ratio}, limit {limit:.3f}", ratio.worst <= limit)


def paragraph(text: str) -> list[str]:
    """Return the lines of running text."""
    return textwrap.wrap(text, WIDTH)


def microseconds(seconds: float) -> str:
    """Return a time as the tables have it."""
    value = seconds * 1e6
    return f"{value:.1f}" if value >= TWO_DECIMALS_BELOW else f"{value:.2f}"


def _multiple(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"
