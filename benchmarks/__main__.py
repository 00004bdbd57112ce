"""Measure receiving deliveries next to the other ways to do it, and check the promises made of it.

    make bench
    .venv/bin/python -m benchmarks --check     exit status 1 if a promise does not hold

Everything in one table is measured side by side, in rounds (`timing.py`). A table has the best round of each candidate,
and multiples of ours by those. A promise is judged twice, by the best times and by the median over the rounds of the
ratio within the round, and holds if both do: a busy machine slows the candidates written in Python more than ours, so
the median alone would flatter us.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from listrak_webhooks import Webhook

from benchmarks import deliveries
from benchmarks.candidates import adapters, explaining, guards, parsers, readers, verifiers
from benchmarks.candidates.verifiers import CANDIDATES, OURS
from benchmarks.harness import machine
from benchmarks.harness.report import CostTable, Promise, Table, at_most, microseconds, paragraph
from benchmarks.harness.timing import Measurement, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.harness.candidate import Candidate

VERIFIERS_SECONDS = 9.0
READERS_SECONDS = 8.0
PARSERS_SECONDS = 7.0
"""For each size."""
GUARDS_SECONDS = 3.0
ADAPTERS_SECONDS = 5.0
"""For each framework."""
EXPLAIN_SECONDS = 4.0
"""For each table."""
GUARDS_BATCH_SECONDS = 0.0005
"""Short, because a guard that remembers a million deliveries remembers more with each call."""
ROUND_TRIPS_COUNTED = 200
MEGABYTE = 1024 * 1024


HOW_TO_READ = (
    "Times: microseconds for one call, the best round of each, with the loop around the calls. Multiples: those times "
    "over the first row's. The bodies are plain ASCII, which suits best those that decode the body. Before it was "
    "timed every row accepted the genuine delivery of each size and read the right thing in it; each verifier rejected "
    "a tampered and an old one, and each guard a second handling."
)
VERIFIERS_NOTE = (
    "Ours takes base64 and hex, names in any case, looks for repeated headers and keeps the body undecoded until "
    ".payload is asked for. Of the others:"
)
READERS_NOTE = (
    "Each row is a one-line function around what verifies. Ours looks for the address under all names that Listrak may "
    "give it, and makes sure that the whole body is JSON. The verdict by hand does less, as said above."
)
PARSERS_NOTE = (
    "An event keeps its payload, so each call of ours gets an event of its own. At most 256 at a time are verified "
    "while the clock is stopped, and freed, with the payload, while it runs. The parsers get the body in the same "
    "loop. Each row is a function of one line."
)
GUARDS_NOTE = (
    "Each call handles a delivery that the guard has not seen, verified while the clock is stopped: `with "
    "guard.handle(event) as first: return first`."
)


class Unfit(Exception):  # noqa: N818 -- it says what a candidate is
    """A candidate that does not do what is to be measured."""


def prove(candidate: Candidate, body: bytes, now: int) -> None:
    """Make sure that `candidate` takes a genuine delivery, reads it right, and rejects a forged and an old one.

    Raises:
        Unfit: it does not, and its time would mean nothing.
    """
    cases = [("a genuine delivery", deliveries.genuine(body, now), True)]
    if candidate.rejects:
        cases.append(("a tampered delivery", deliveries.tampered(body, now), False))
    if candidate.checks_time:
        cases.append(("an hour-old delivery", deliveries.genuine(body, now - 3600), False))
    for case, delivery, genuine in cases:
        if candidate.prepare(delivery).accepted(candidate.rejections) is not genuine:
            wrong = "rejects or misreads" if genuine else "accepts"
            raise Unfit(f"{candidate.name} {wrong} {case} of {len(body)} bytes")


def measure_sizes(rows: Callable[[int | None], Sequence[Candidate]], seconds: float) -> dict[str, Measurement]:
    """Prove and time candidates at each size, which may have rows of its own.

    Raises:
        Unfit: one of them does not do what is to be measured.
    """
    measurements = {}
    for size, items in deliveries.ITEMS.items():
        body, now = deliveries.body(items), int(time.time())
        for candidate in rows(items):
            prove(candidate, body, now)
        delivery = deliveries.genuine(body, now)
        measurements[size] = measure({row: row.prepare(delivery) for row in rows(items)}, seconds)
    return measurements


def verify_promises(measurements: Mapping[str, Measurement]) -> Iterable[Promise]:
    """Yield the promises about the time of `verify`."""
    for size, candidate, limit, text in (
        ("1.2 kB", verifiers.SAMPLE, 1 / 3, "at most 1/3 of the time of Listrak's Python sample"),
        ("1.2 kB", verifiers.SVIX, 1 / 6, "at most 1/6 of the time of svix"),
        (
            "1.2 kB",
            verifiers.STANDARD_WEBHOOKS,
            1 / 9,
            "at most 1/9 of the time of standardwebhooks, as it comes (it parses)",
        ),
        ("145 kB", verifiers.DIGEST_ALONE, 1.0, "no longer than hmac.digest over the same bytes"),
    ):
        yield at_most(f"verify at {size}, {text}", measurements[size].ratio(OURS, candidate), limit)


def reading_promises(read: Mapping[str, Measurement], parsed: Mapping[str, Measurement]) -> Iterable[Promise]:
    """Yield the promises about the time of the readers and of the payload alone."""
    for candidate, limit, text in (
        (readers.SAMPLE_EMAIL, 1 / 5, "at most 1/5 of the time of Listrak's Python sample and json.loads"),
        (readers.BY_HAND_EMAIL, 1 / 2, "at most 1/2 of the time of hmac.digest by hand and orjson"),
    ):
        ratio = read["1.2 kB"].ratio(readers.OURS_EMAIL, candidate)
        yield at_most(f"verify and .email at 1.2 kB, {text}", ratio, limit)
    ratio = parsed["7 kB"].ratio(parsers.OURS, parsers.JSON)
    yield at_most(".payload alone at 7 kB, at most 2/3 of the time of json.loads", ratio, 2 / 3)


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


def measure_guards(folder: Path, port: int | None) -> tuple[Table, list[Promise]]:
    """Prove and time the replay guards, and return what came of the promises about them.

    Raises:
        Unfit: a guard lets a delivery be handled twice, or not at all.
    """
    million, guard = guards.at_a_million()
    rows = [guards.VERIFY, guards.EMPTY, million, guards.sqlite(folder)]
    rows += [] if port is None else guards.over_redis(port)
    delivery = deliveries.genuine(deliveries.body(deliveries.ITEMS["1.2 kB"]), int(time.time()))
    calls = {row: row.prepare(delivery) for row in rows}
    for row, call in calls.items():
        if not guards.prove(call):
            raise Unfit(f"{row.name} does not let a delivery be handled just once")
    measurement = measure(calls, GUARDS_SECONDS, GUARDS_BATCH_SECONDS)
    table = Table("One delivery claimed and completed by a replay guard", rows, {"": measurement})

    times = measurement.median(million), measurement.best(million)
    alive = len(guard) >= guards.MILLION
    measured = "{} microseconds in the median round, {} in the best, limit 2; {:.1f} million when it was over".format(
        *map(microseconds, times), len(guard) / 1e6
    )
    memory = guards.bytes_an_entry(guards.MILLION)
    trips = None if port is None else guards.round_trips(port, ROUND_TRIPS_COUNTED)
    return table, [
        Promise(
            "MemoryReplayGuard adds at most 2 microseconds at a million live entries",
            measured if alive else "the machine is so slow that entries were forgotten meanwhile",
            max(times) <= 2e-6 if alive else None,
        ),
        Promise(
            "MemoryReplayGuard takes at most 200 bytes an entry, at a million",
            "resident memory cannot be had on this system" if memory is None else f"{memory:.0f} bytes",
            None if memory is None else memory <= 200,
        ),
        Promise(
            "RedisReplayGuard makes at most two round trips to claim and complete",
            "there is no redis-server here"
            if trips is None
            else f"at most {max(trips)} in {len(trips)} deliveries, over an open connection",
            None if trips is None else min(trips) >= 1 and max(trips) <= 2,
        ),
    ]


def measure_adapters() -> Iterable[tuple[CostTable, list[Promise]]]:
    """Prove and time the adapters, and yield what came of the promises about them.

    Raises:
        Unfit: a route does not accept a genuine delivery.
    """
    limits = {
        "Flask": {"our decorator": ("Listrak's sample", 1.5)},
        "Django": {"our decorator": ("Listrak's sample", 1.0)},
        "FastAPI": {
            "our decorator": ("a dependency that calls verify", 1.3),
            "our dependency": ("a dependency that calls verify", 1.3),
            "our decorator with a memory guard": ("a dependency that calls verify", 2.5),
        },
    }
    for framework, rows in adapters.adapters():
        body, now = deliveries.body(deliveries.ITEMS["1.2 kB"]), int(time.time())
        calls = {row: row.prepare(deliveries.genuine(body, now)) for row in rows}
        for row, call in calls.items():
            if not call.accepted(()):
                raise Unfit(f"{framework}: {row.name} does not accept a genuine delivery")
        table = CostTable(
            f"{framework}: a request, in process", rows, measure(calls, ADAPTERS_SECONDS, collecting=True)
        )
        by_name = {row.name: row for row in rows}
        promises = []
        for name, (other, limit) in limits[framework].items():
            ratio = table.cost(by_name[name]) / table.cost(by_name[other])
            text = f"{framework}: {name} costs at most {limit:g} times {other}, over a bare route"
            promises.append(Promise(text, f"{ratio:.2f}", ratio <= limit))
        yield table, promises


def measure_explain() -> tuple[list[Table], list[Promise]]:
    """Prove and time explain, and what it costs a flood of forgeries, and return what came of the promises.

    Raises:
        Unfit: explain names a cause of a forgery that has none, or a forged request is not rejected.
    """
    now, promises = int(time.time()), []
    small = deliveries.genuine(deliveries.body(deliveries.ITEMS["1.2 kB"]), now)
    large = deliveries.genuine(deliveries.body(explaining.LARGE), now)
    tables = []
    for size, delivery, other, limit, text in (
        ("1.2 kB", small, explaining.VERIFY, 400, "at most 400 times the time of one verify"),
        (f"{len(large.signed) / MEGABYTE:.1f} MiB", large, explaining.MAC, 512, "at most the time of 512 MACs"),
    ):
        rows = [other, explaining.EXPLAIN]
        calls = {row: row.prepare(delivery) for row in rows}
        if not all(call.accepted(()) for call in calls.values()):
            raise Unfit("explain names a cause of a forgery that has none")
        measurement = measure(calls, EXPLAIN_SECONDS)
        tables.append(Table("Explaining a forgery", rows, {size: measurement}))
        times = measurement.ratio(explaining.EXPLAIN, other)
        measured = f"{times.median:.0f} (best times {times.best:.0f})"
        promises.append(Promise(f"explain at {size}, {text}", measured, times.worst <= limit))
    for framework, plain, whole in explaining.floods():
        calls = {row: row.prepare(explaining.tampered()) for row in (plain, whole)}
        if not all(call.accepted(()) for call in calls.values()):
            raise Unfit(f"{framework}: a forged request is not rejected")
        ratio = measure(calls, EXPLAIN_SECONDS, collecting=True).ratio(whole, plain)
        text = f"{framework}: a forged request, in process, takes at most 15 % longer for what the log says of it"
        promises.append(Promise(text, f"{100 * (ratio.median - 1):.0f} %", ratio.median <= 1.15))
    return tables, promises


def fairness(measurement: Measurement) -> Iterable[str]:
    """Yield what tempers the promise about standardwebhooks as it comes, which parses where we do not."""
    unparsed = measurement.ratio(OURS, verifiers.STANDARD_WEBHOOKS_UNPARSED)
    parsed = measurement.ratio(verifiers.OURS_AND_PAYLOAD, verifiers.STANDARD_WEBHOOKS)
    yield "Like with like, at 1.2 kB, which is not promised:"
    for text, ratio in (
        ("neither parses, ours to standardwebhooks with json_parse=False", unparsed),
        ("both parse, ours with .payload to standardwebhooks as it comes", parsed),
    ):
        yield f"  {text}: {ratio};"
        yield f"    {'within' if ratio.worst <= 1 / 9 else 'NOT within'} 1/9 ({1 / 9:.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the report, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure receiving deliveries next to the other ways to do it.")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a promise does not hold")
    check: bool = parser.parse_args(arguments).check
    try:
        promises = report()
    except Unfit as unfit:
        _print([f"cannot measure: {unfit}"])
        return 1
    return int(check and any(promise.holds is False for promise in promises))


def report() -> list[Promise]:
    """Measure and print everything, and return the promises.

    Raises:
        Unfit: a candidate does not do what is to be measured.
    """
    # First, while the process is small and no memory lies about that could hide a copy.
    copies = list(copy_promises())
    _print([*machine.description(), *paragraph(HOW_TO_READ), ""])

    verified = measure_sizes(lambda _: CANDIDATES, VERIFIERS_SECONDS)
    _print_table(Table("One genuine delivery verified", CANDIDATES, verified), VERIFIERS_NOTE)

    rows = (*readers.EMAIL_READERS, *readers.PAYLOAD_READERS)
    read = measure_sizes(lambda _: rows, READERS_SECONDS)
    _print_table(Table("One delivery verified, and its email address read", readers.EMAIL_READERS, read), READERS_NOTE)
    _print_table(Table("One delivery verified, and its document read", readers.PAYLOAD_READERS, read))

    parsed = measure_sizes(parsers.of_size, PARSERS_SECONDS)
    _print_table(Table("The document alone, of a delivery verified before", parsers.PARSERS, parsed), PARSERS_NOTE)

    # SQLite's connection is open until the process ends, where a folder cannot be removed on every system.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, guards.redis_server(Path(name)) as port:
        claimed, kept = measure_guards(Path(name), port)
    _print([*claimed.lines(), "", *paragraph(GUARDS_NOTE), *claimed.notes()])
    _print(["NOT MEASURED: the guards over Redis, because there is no redis-server here"] if port is None else [])

    cost: list[Promise] = []
    for costs, adapter_promises in measure_adapters():
        _print(["", *costs.lines()])
        cost += adapter_promises

    tables, explained = measure_explain()
    for table in tables:
        _print_table(table)
    cost += explained

    promises = [*verify_promises(verified), *reading_promises(read, parsed), *copies, *kept, *cost]
    _print(
        ["", "The promises: median ratio of the rounds (quartiles; ratio of the best times), each within the limit?"]
    )
    _print(str(promise) for promise in promises)
    _print(["", *fairness(verified["1.2 kB"])])
    return promises


def _print_table(table: Table, note: str = "") -> None:
    _print([*table.lines(), "", *paragraph(note), *table.notes(), *table.behind(), ""])


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
