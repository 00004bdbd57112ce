"""How many cases there are of each kind, in which processes they run, and what is told of them.

The environment says it:

- `ATTACK_CASES`: the number of cases of each kind; `ATTACK_FORGERIES`, `ATTACK_CONTAINERS`, `ATTACK_DIFFERENTIALS` and
  `ATTACK_CLAIMS` (for each guard) set that of one kind.
- `ATTACK_SEED`: what all of them are drawn from; a new one each time, if it is not set.
- `ATTACK_PROCESSES`: how many run at once; one for each core, if it is not set.
- `ATTACK_CHUNK`: run this one chunk, in this process. It is how a case is repeated that failed.

The cases of a chunk depend on the seed, on the kind and on the number of the chunk, and on nothing else.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import secrets
import time
import traceback
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from .reference import REACHED_THE_MAC

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    Chunk = Callable[[random.Random, "Tally"], None]

DEFAULT_CASES = {"forgeries": 100_000, "containers": 100_000, "differentials": 50_000, "claims": 20_000}
"""Together about half a minute on two cores."""

CHUNK = 1000
"""How many cases a chunk has."""

PATIENCE = 600.0
"""Seconds after which a chunk, which takes a fraction of one, is taken to hang."""

SHOWN = 3000
"""How many characters of a case a message shows."""


class WrongError(Exception):
    """The package did not do what the reference says."""


class Tally(Counter[tuple[str, str]]):
    """How many cases there were, by attack and outcome."""

    def add(self, attack: str, outcome: str) -> None:
        """Count one case."""
        self[attack, outcome] += 1


class Done(NamedTuple):
    """What came of one chunk."""

    tally: Tally
    failure: str


@dataclass
class Report:
    """What came of all chunks of one kind."""

    kind: str
    seed: str
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)

    @property
    def cases(self) -> int:
        """How many there were."""
        return self.tally.total()

    def count(self, *outcomes: str) -> int:
        """Return how many cases came to one of these outcomes."""
        return sum(count for (_, outcome), count in self.tally.items() if outcome in outcomes)

    def lines(self, *, by_attack: bool) -> Iterator[str]:
        """Yield what a reader should know."""
        reached = self.count(*REACHED_THE_MAC)
        computed = f", {reached:,} of which reached the MAC" if reached else ""
        yield f"{self.kind}: {self.cases:,} cases{computed}, in {self.seconds:.1f} s, seed {self.seed}"
        yield f"    {_counts(self.tally, 1)}"
        if by_attack:
            for attack in sorted({attack for attack, _ in self.tally}):
                of_this = Counter({key: count for key, count in self.tally.items() if key[0] == attack})
                yield f"      {attack}: {_counts(of_this, 1)}"


def _counts(tally: Mapping[tuple[str, str], int], place: int) -> str:
    counts: Counter[str] = Counter()
    for key, count in tally.items():
        counts[key[place]] += count
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


class Campaign:
    """All attacks of one run.

    Args:
        environment: what says how many, from which seed, and in how many processes.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.seed = environment.get("ATTACK_SEED") or str(secrets.randbelow(10**9))
        self.processes = int(environment.get("ATTACK_PROCESSES") or os.cpu_count() or 1)
        self._only = environment.get("ATTACK_CHUNK")
        self._pool: ProcessPoolExecutor | None = None
        self.reports: list[Report] = []
        self.found: dict[str, int] = {}
        """How many cases it took to find each of the bugs that are put in on purpose."""

    def cases(self, kind: str) -> int:
        """Return how many cases of a kind are wanted."""
        asked = self._environment.get(f"ATTACK_{kind.upper()}") or self._environment.get("ATTACK_CASES")
        return int(asked) if asked else DEFAULT_CASES[kind]

    def run(self, kind: str) -> Report:
        """Run the cases of the kind that is the module of this name, and report.

        Raises:
            AssertionError: a case failed; the message says which, and how to repeat it.
        """
        __tracebackhide__ = True
        with self.report(kind) as report:
            if self._only is not None:
                self._take(report, run_chunk(kind, self.seed, int(self._only)))
            else:
                self._run_all(report, -(-self.cases(kind) // CHUNK))
        return report

    @contextlib.contextmanager
    def report(self, kind: str) -> Generator[Report, None, None]:
        """Yield what is told of some cases at the end, with the time that they take."""
        report = Report(kind, self.seed)
        self.reports.append(report)
        began = time.perf_counter()
        try:
            yield report
        finally:
            report.seconds = time.perf_counter() - began

    def _run_all(self, report: Report, chunks: int) -> None:
        __tracebackhide__ = True
        if self._pool is None:
            # Fresh ones: a fork would share whatever the tests before have left behind.
            self._pool = ProcessPoolExecutor(self.processes, multiprocessing.get_context("spawn"))
        numbers = iter(range(chunks))
        running: dict[Future[Done], int] = {}
        while True:
            # A few more than there are processes, so that none of them waits; not all, which would only fill memory.
            for number in islice(numbers, 4 * self.processes - len(running)):
                running[self._pool.submit(run_chunk, report.kind, self.seed, number)] = number
            if not running:
                return
            done, _ = wait(running, PATIENCE, FIRST_COMPLETED)
            if not done:
                self.close(kill=True)
                raise AssertionError(f"one of these chunks hangs: {self._repeat(report.kind, *running.values())}")
            for future in done:
                try:
                    self._take(report, future.result())
                except BrokenProcessPool:
                    self._pool = None
                    where = self._repeat(report.kind, *running.values())
                    raise AssertionError(f"a process died in one of these chunks: {where}") from None
                del running[future]

    def _take(self, report: Report, done: Done) -> None:
        __tracebackhide__ = True
        report.tally.update(done.tally)
        if done.failure:
            self.close(kill=True)
            raise AssertionError(done.failure)

    def _repeat(self, kind: str, *numbers: int) -> str:
        return "".join(f"\n    {how_to_repeat(kind, self.seed, number)}" for number in sorted(numbers))

    def close(self, *, kill: bool = False) -> None:
        """End the processes; those that hang only end if they are killed."""
        if self._pool is not None:
            processes = [*(self._pool._processes or {}).values()]
            self._pool.shutdown(wait=not kill, cancel_futures=True)
            self._pool = None
            for process in processes if kill else []:
                process.kill()


def generator(seed: str, kind: str, number: int) -> random.Random:
    """Return what the cases of a chunk are drawn from."""
    return random.Random(f"{seed} {kind} {number}")  # noqa: S311 -- nothing here is secret


def pick(rng: random.Random, things: Sequence[Any]) -> Any:
    """Return one of `things`, in half the time of `choice`."""
    return things[int(rng.random() * len(things))]


def run_chunk(kind: str, seed: str, number: int) -> Done:
    """Run one chunk of a kind: its module has a function `run`."""
    tally = Tally()
    run: Chunk = import_module(f"attacks.{kind}").run
    try:
        run(generator(seed, kind, number), tally)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 -- a panic of the core, or a fault of the attack, is to be repeated
        text = str(error) if isinstance(error, WrongError) else traceback.format_exc()
        case = f"case {tally.total()} of chunk {number} of the {kind}"
        return Done(tally, f"{case}: {text}\nto repeat it: {how_to_repeat(kind, seed, number)}")
    return Done(tally, "")


def how_to_repeat(kind: str, seed: str, number: int) -> str:
    """Return the command that runs one chunk again."""
    return f"ATTACK_SEED={seed} ATTACK_CHUNK={number} python -m pytest tests/attacks/test_{kind}.py"


def shown(value: object) -> str:
    """Return `value` as a message shows it."""
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
