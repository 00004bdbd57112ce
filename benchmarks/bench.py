"""Measure `Webhook.verify` beside the other ways to verify a delivery, and check the promises made of it.

    make bench
    .venv/bin/python benchmarks/bench.py --check     exit status 1 if a promise does not hold

Everything is measured side by side in one run: in each round every contender makes one batch of calls in turn, the
order rotating from round to round, so that what disturbs the machine disturbs them all alike. The table has the best
round of each contender, and multiples of ours by those. A promise is judged twice, by the best times and by the median
over the rounds of the ratio within the round, and holds if both do: a busy machine slows the contenders written in
Python more than ours, so the median alone would flatter us.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import textwrap
import time
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import contenders
import deliveries
import machine
from contenders import CONTENDERS, OURS, Call, Contender
from listrak_webhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BATCH_SECONDS = 0.003
SECONDS_PER_SIZE = 11.0
MIN_ROUNDS = 15
WIDTH = 110
TWO_DECIMALS_BELOW = 9.995
MEGABYTE = 1024 * 1024


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
    """Seconds for one call: of each contender, in each round, all rounds at the same place."""

    seconds: Mapping[Contender, Sequence[float]]

    def best(self, contender: Contender) -> float:
        """Return the time in the round that was disturbed least."""
        return min(self.seconds[contender])

    def ratio(self, contender: Contender, other: Contender) -> Ratio:
        """Return what part of the time of `other` `contender` takes."""
        pairs = zip(self.seconds[contender], self.seconds[other], strict=True)
        low, median, high = statistics.quantiles((one / two for one, two in pairs), n=4)
        return Ratio(median, low, high, self.best(contender) / self.best(other))


@dataclass(frozen=True)
class Promise:
    """One claim about the package, and what came of it; `holds` is `None` where it could not be measured."""

    text: str
    measured: str
    holds: bool | None

    def __str__(self) -> str:
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "NOT MEASURED"}[self.holds]
        return textwrap.fill(f"{verdict:<14} {self.text}: {self.measured}", WIDTH, subsequent_indent=" " * 15)


class Unfit(Exception):  # noqa: N818 -- it says what a contender is
    """A contender that does not do what is to be measured."""


def prove(contender: Contender, body: bytes, now: int) -> None:
    """Make sure that `contender` accepts a genuine delivery and refuses a forged and an old one.

    Raises:
        Unfit: it does not, and its time would mean nothing.
    """
    cases = [
        ("a genuine delivery", deliveries.genuine(body, now), True),
        ("a tampered delivery", deliveries.tampered(body, now), False),
    ]
    if contender.checks_time:
        cases.append(("an hour-old delivery", deliveries.genuine(body, now - 3600), False))
    for case, delivery, genuine in cases:
        if contender.prepare(delivery).accepted(contender.refusals) is not genuine:
            raise Unfit(f"{contender.name} {'refuses' if genuine else 'accepts'} {case} of {len(body)} bytes")


def measure(calls: Mapping[Contender, Call], seconds: float) -> Measurement:
    """Time every call side by side, in rounds, for about `seconds` in all."""
    order = list(calls)
    counts = {contender: _calibrate(call) for contender, call in calls.items()}
    times: dict[Contender, list[float]] = {contender: [] for contender in order}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times[order[0]]) < MIN_ROUNDS:
            for contender in order:
                count = counts[contender]
                times[contender].append(_batch(calls[contender], count) / count)
            order.append(order.pop(0))
    finally:
        if collecting:
            gc.enable()
    return Measurement(times)


def _batch(call: Call, count: int) -> float:
    """Return the seconds that `count` calls take, with the loop around them: the same for every contender."""
    function, arguments = call.function, call.arguments
    calls = repeat(None, count)
    start = time.perf_counter()
    for _ in calls:
        function(*arguments)
    return time.perf_counter() - start


def _calibrate(call: Call) -> int:
    """Return how many calls make a batch."""
    count = 1
    while (seconds := _batch(call, count)) < BATCH_SECONDS / 2:
        count *= 2
    return max(1, round(count * BATCH_SECONDS / seconds))


def table(title: str, measurements: Mapping[str, Measurement], base: Contender) -> Iterable[str]:
    """Yield the lines of one table: contenders down, sizes across, each with its time and its multiple of `base`."""
    rows = list(next(iter(measurements.values())).seconds)
    name_width = max(len(row.name) for row in rows)
    yield title
    yield " " * name_width + "".join(f"{size:>16}" for size in measurements)
    for row in rows:
        cells = []
        for measurement in measurements.values():
            multiple = "" if row is base else f"{measurement.ratio(row, base).best:.2f}x"
            cells.append(f"{_microseconds(measurement.best(row)):>9}{multiple:>7}")
        yield f"{row.name:<{name_width}}{''.join(cells)}".rstrip()


def _microseconds(seconds: float) -> str:
    microseconds = seconds * 1e6
    return f"{microseconds:.1f}" if microseconds >= TWO_DECIMALS_BELOW else f"{microseconds:.2f}"


def footnotes(rows: Iterable[Contender]) -> Iterable[str]:
    """Yield how to read the table, and what each row does more or less than ours."""
    yield from textwrap.wrap(
        "Times: microseconds for one call, the best round of each. Multiples: those times over ours. The loop around "
        "the calls is counted in all. The bodies are plain ASCII, which suits best those that decode the body. Ours "
        "takes base64 and hex, names in any case, looks for repeated headers and keeps the body undecoded until "
        ".payload is asked for. Of the others:",
        WIDTH,
    )
    for row in rows:
        if row.note:
            yield from _wrapped(f"{row.name.strip()}: {row.note}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def behind(measurements: Mapping[str, Measurement]) -> Iterable[str]:
    """Yield where another contender is faster than ours."""
    found = False
    for size, measurement in measurements.items():
        for contender in measurement.seconds:
            if contender is OURS or not contender.verifies:
                continue
            ratio = measurement.ratio(OURS, contender)
            if ratio.worst > 1:
                found = True
                yield f"behind: at {size} ours takes {ratio} times as long as {contender.name.strip()}"
    if not found:
        yield "behind: nowhere; in no cell is another verifier, or the floor, faster than ours"


def speed_promises(measurements: Mapping[str, Measurement]) -> Iterable[Promise]:
    """Yield the promises about time."""
    at_most = [
        ("1.2 kB", contenders.SAMPLE, 1 / 3, "at most 1/3 of the time of Listrak's Python sample"),
        ("1.2 kB", contenders.SVIX, 1 / 6, "at most 1/6 of the time of svix"),
        (
            "1.2 kB",
            contenders.STANDARD_WEBHOOKS,
            1 / 9,
            "at most 1/9 of the time of standardwebhooks, as it comes (it parses)",
        ),
        ("145 kB", contenders.DIGEST_ALONE, 1.0, "no longer than hmac.digest over the same bytes"),
    ]
    for size, contender, limit, text in at_most:
        ratio = measurements[size].ratio(OURS, contender)
        yield Promise(f"at {size} {text}", f"{ratio}, limit {limit:.3f}", ratio.worst <= limit)


def copy_promises() -> Iterable[Promise]:
    """Yield the promises about copies of a body: none at all is made of `bytes`."""
    webhook = Webhook(deliveries.SECRET)
    body = bytes(webhook.max_body)
    headers = webhook.signed_headers(body)
    event = webhook.verify(body, headers)
    yield Promise("event.body is the very object", "the same" if event.body is body else "another", event.body is body)

    text = f"no copy of a body of {len(body) // MEGABYTE} MiB on the way"
    kept: list[object] = []
    rise = machine.rise_of_peak_memory(lambda: kept.extend(webhook.verify(body, headers) for _ in range(32)))
    # Shows that one copy, made and dropped, would have been seen.
    control = machine.rise_of_peak_memory(lambda: bytearray(body))
    if rise is None or control is None:
        yield Promise(text, "the peak of resident memory cannot be had on this system", None)
    elif control < len(body) // 2:
        yield Promise(text, "a deliberate copy does not show in the peak of resident memory here", None)
    else:
        measured = (
            f"peak memory rises by {rise / MEGABYTE:.2f} MiB in 32 calls, by {control / MEGABYTE:.2f} in one copy"
        )
        yield Promise(text, measured, rise < len(body) // 8)


def fairness(measurement: Measurement) -> Iterable[str]:
    """Yield what tempers the promise about standardwebhooks as it comes, which parses where we do not."""
    unparsed = measurement.ratio(OURS, contenders.STANDARD_WEBHOOKS_UNPARSED)
    parsed = measurement.ratio(contenders.OURS_AND_PAYLOAD, contenders.STANDARD_WEBHOOKS)
    yield "Like with like, at 1.2 kB, which is not promised:"
    for text, ratio in (
        ("neither parses, ours to standardwebhooks with json_parse=False", unparsed),
        ("both parse, ours with .payload to standardwebhooks as it comes", parsed),
    ):
        yield f"  {text}: {ratio};"
        yield f"    {'within' if ratio.worst <= 1 / 9 else 'NOT within'} 1/9 ({1 / 9:.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure Webhook.verify beside the other ways to verify a delivery.")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a promise does not hold")
    check: bool = parser.parse_args(arguments).check

    # First, while the process is small and no memory lies about that could hide a copy.
    promises = list(copy_promises())
    _print(machine.description())

    measurements = {}
    for size, items in deliveries.ITEMS.items():
        body, now = deliveries.body(items), int(time.time())
        try:
            for contender in CONTENDERS:
                prove(contender, body, now)
        except Unfit as unfit:
            _print([f"cannot measure: {unfit}"])
            return 1
        delivery = deliveries.genuine(body, now)
        calls = {contender: contender.prepare(delivery) for contender in CONTENDERS}
        measurements[size] = measure(calls, SECONDS_PER_SIZE)
    promises = [*speed_promises(measurements), *promises]

    rounds = " / ".join(str(len(measurement.seconds[OURS])) for measurement in measurements.values())
    _print(
        ["Every row accepted the genuine delivery of each size; each verifier refused a tampered and an old one.", ""]
    )
    _print(table(f"One genuine delivery verified ({rounds} rounds)", measurements, OURS))
    _print(["", *footnotes(CONTENDERS), ""])
    _print(behind(measurements))
    _print(
        ["", "The promises: median ratio of the rounds (quartiles; ratio of the best times), each within the limit?"]
    )
    _print(str(promise) for promise in promises)
    _print(["", *fairness(measurements["1.2 kB"])])
    return int(check and any(promise.holds is False for promise in promises))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
