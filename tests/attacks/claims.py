"""Claims: deliveries that arrive many times at once, in several processes and threads, are each handled exactly once.

Some handlers fail, which gives their claim back. The scheduler says which side is the first, so a failure cannot be
repeated to the letter.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from listrak_webhooks import DuplicateDeliveryError
from support.deliveries import signed
from support.guards import WEBHOOK, Place

from .campaign import generator

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from listrak_webhooks import Event

PROCESSES = 4
THREADS = 2
SIDES = PROCESSES * THREADS
"""How often each delivery arrives at once; a guard in memory has as many threads in one process."""

PATIENCE = 600.0
BLOCK = 16
"""Each side takes so many deliveries in an order of its own: all of them are busy with the same few."""

HANDLED, KNOWN, HELD, FAILED = "handled", "handled before", "held by another", "failed and given back"

FACTORS = {"memory": 10}
"""How many times as many claims as others a guard of this kind gets, because it takes them in so little time."""

OPTIONS: dict[str, dict[str, Any]] = {"sqlite": {"timeout": 60.0}}
"""Of guards, by kind: on a busy machine a lock may take long."""


class Spec(NamedTuple):
    """What all processes have in common."""

    kind: str
    folder: str
    port: int
    seed: str
    deliveries: int
    timestamp: str


class Outcome(NamedTuple):
    """What came of the claims of one process."""

    handled: list[int]
    outcomes: Counter[str]
    problem: str = ""


class HandlerError(Exception):
    """What a handler raises that fails."""


def events_of(spec: Spec) -> list[Event]:
    """Return the deliveries, which are the same in each process."""
    bodies = [b"delivery %d" % number for number in range(spec.deliveries)]
    return [WEBHOOK.verify(body, signed(body, timestamp=spec.timestamp)) for body in bodies]


def side(guard: Any, events: list[Event], rng: random.Random, outcome: Outcome) -> None:
    """Have a guard admit each of the deliveries once."""
    numbers = [*range(len(events))]
    for start in range(0, len(events), BLOCK):
        block = numbers[start : start + BLOCK]
        rng.shuffle(block)
        for number in block:
            outcome.outcomes[claim(guard, events[number], number, rng, outcome.handled)] += 1


def claim(guard: Any, event: Event, number: int, rng: random.Random, handled: list[int]) -> str:
    """Claim one delivery, handle it if it is ours to handle, and return what came of it."""
    fate = rng.random()
    try:
        with guard.handle(event) as first:
            if not first:
                return KNOWN
            if fate < 0.05:
                # Others come meanwhile.
                time.sleep(0.0005)
            if fate > 0.9:
                raise HandlerError  # noqa: TRY301 -- as in a handler
            handled.append(number)
    except DuplicateDeliveryError:
        return HELD
    except HandlerError:
        return FAILED
    return HANDLED


def in_threads(guard: Any, spec: Spec, threads: int, name: str, started: Callable[[], object]) -> Outcome:
    """Claim all deliveries in each of some threads of this process at once."""
    events = events_of(spec)
    outcomes = [Outcome([], Counter()) for _ in range(threads)]
    problems: list[str] = []
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        try:
            rng = generator(spec.seed, f"claims {name}", number)
            barrier.wait(PATIENCE)
            side(guard, events, rng, outcomes[number])
        except BaseException:  # noqa: BLE001 -- reported, wherever it comes from
            problems.append(traceback.format_exc())

    started()
    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    return merged([*outcomes, Outcome([], Counter(), "".join(problems))])


def merged(outcomes: list[Outcome]) -> Outcome:
    """Return all outcomes as one."""
    handled = [number for outcome in outcomes for number in outcome.handled]
    counts = sum((outcome.outcomes for outcome in outcomes), Counter[str]())
    return Outcome(handled, counts, "".join(outcome.problem for outcome in outcomes))


def _process(spec: Spec, number: int, barrier: Barrier, connection: Connection) -> None:
    try:
        guard = Place(Path(spec.folder), spec.port).guard(spec.kind, **OPTIONS.get(spec.kind, {}))
        outcome = in_threads(guard, spec, THREADS, str(number), lambda: barrier.wait(PATIENCE))
    except BaseException:  # noqa: BLE001 -- reported, wherever it comes from
        outcome = Outcome([], Counter(), traceback.format_exc())
    connection.send(outcome)


def in_processes(spec: Spec) -> Outcome:
    """Claim all deliveries in each of the threads of several processes at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    pipes = [context.Pipe(duplex=False) for _ in range(PROCESSES)]
    processes = [
        context.Process(target=_process, args=(spec, number, barrier, sending), daemon=True)
        for number, (_, sending) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    try:
        outcomes = []
        for receiving, sending in pipes:
            # What is left open here would hide that the process has died.
            sending.close()
            if not receiving.poll(PATIENCE):
                raise AssertionError("a process hangs")
            try:
                outcomes.append(receiving.recv())
            except EOFError:
                raise AssertionError("a process died") from None
        return merged(outcomes)
    finally:
        for process in processes:
            process.kill()
            process.join()
        for receiving, _ in pipes:
            receiving.close()


def last_round(guard: Any, spec: Spec, outcome: Outcome) -> Outcome:
    """Send each delivery once more, with handlers that do not fail: all of them are handled then."""
    more = Outcome([], Counter())
    for number, event in enumerate(events_of(spec)):
        try:
            with guard.handle(event) as first:
                if first:
                    more.handled.append(number)
            more.outcomes[HANDLED if first else KNOWN] += 1
        except DuplicateDeliveryError:  # noqa: PERF203
            more.outcomes[HELD] += 1
    return merged([outcome, more])


def problem_of(outcome: Outcome, spec: Spec) -> str:
    """Return what is wrong, or nothing: each delivery is to be handled once."""
    if outcome.problem:
        return outcome.problem
    times = Counter(outcome.handled)
    wrong = {number: times[number] for number in range(spec.deliveries) if times[number] != 1}
    return (
        f"of {spec.deliveries} deliveries {len(wrong)} were not handled once: {[*wrong.items()][:10]}" if wrong else ""
    )
