"""Deliveries by the thousand: so many a second, so many at a time, and what came of them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from listrak_webhooks._extras import importing

from ._client import by_way_of, client_for
from ._problems import NO_ANSWER_SECONDS, problem_of, protocol_problem_of

with importing("httpx2", needed_by="send"):
    import httpx2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOST_OF_A_RESPONSE = 1 << 20
"""Bytes of a response after which the rest is not waited for."""

PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


class Outgoing(NamedTuple):
    """One request."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Summary:
    """What came of a run, as far as it went."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    problems: Counter[str] = field(default_factory=Counter[str])
    """Why there was no answer."""
    seconds: list[float] = field(default_factory=list[float])
    """How long each answer took, from the first byte sent to the last one received."""

    interrupted: bool = False
    """Ctrl-C was pressed."""

    @property
    def failed(self) -> int:
        """How many got no answer."""
        return self.problems.total()

    @property
    def sent(self) -> int:
        """How many were sent, answered or not."""
        return self.statuses.total() + self.failed

    def accepted(self) -> int:
        """Return how many were taken as received."""
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)  # noqa: PLR2004

    def latencies(self) -> dict[str, float | None]:
        """Return the percentiles of the answers' times, in milliseconds; `None` where there was no answer."""
        ordered = sorted(self.seconds)
        return {
            name: round(ordered[max(0, math.ceil(part * len(ordered)) - 1)] * 1000, 1) if ordered else None
            for name, part in PERCENTILES.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the summary for machines."""
        return {
            "sent": self.sent,
            "statuses": {str(status): self.statuses[status] for status in sorted(self.statuses)},
            "failed": self.failed,
            **({"failures": dict(sorted(self.problems.items()))} if self.problems else {}),
            "latency_ms": self.latencies(),
        }


class Plan(NamedTuple):
    """How much is sent, and how fast."""

    url: str
    deliveries: int
    rate: float | None
    """Deliveries a second, at most; `None` is as fast as they are answered."""
    concurrency: int
    """How many are under way at the same time, at most."""
    prepare: Callable[[int], list[Outgoing]]
    """Returns the requests of a delivery by its number, signed now; one is sent after the other was answered."""


async def send_until_interrupted(plan: Plan, summary: Summary, on_answer: Callable[[str], None]) -> bool:
    """Do what `send_all` does until Ctrl-C; whether that ended it."""
    run = asyncio.ensure_future(send_all(plan, summary, on_answer))

    def interrupt() -> None:
        # Before Python 3.12 `wait_for` loses a cancellation that comes together with an answer.
        summary.interrupted = True
        run.cancel()

    # Before Python 3.11 Ctrl-C would otherwise strike in the middle of anything.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
    try:
        await run
    except asyncio.CancelledError:
        return True
    return summary.interrupted


async def send_all(plan: Plan, summary: Summary, on_answer: Callable[[str], None]) -> None:
    """Send what is planned.

    Args:
        plan: what is sent.
        summary: is filled as answers come, so that it holds what was sent if the run is interrupted.
        on_answer: called after each delivery with what came back.
    """
    numbers = iter(range(plan.deliveries))
    start = time.monotonic()
    async with client_for(plan.concurrency) as client:

        async def work() -> None:
            for number in numbers:
                if summary.interrupted:
                    return
                if plan.rate is not None:
                    await asyncio.sleep(max(0.0, start + number / plan.rate - time.monotonic()))
                for outgoing in plan.prepare(number):
                    on_answer(await _send_one(client, plan.url, outgoing, summary))

        await asyncio.gather(*(work() for _ in range(min(plan.concurrency, plan.deliveries))))


async def _send_one(client: httpx2.AsyncClient, url: str, outgoing: Outgoing, summary: Summary) -> str:
    begin = time.perf_counter()

    async def on_event(event: str, _: object) -> None:
        """Begin to count once there is a connection: what is measured is the endpoint, and not this program."""
        nonlocal begin
        if event.endswith("send_request_headers.started"):
            begin = time.perf_counter()

    try:
        status = await asyncio.wait_for(_status_of(client, url, outgoing, on_event), NO_ANSWER_SECONDS)
    except (httpx2.HTTPError, httpx2.InvalidURL, asyncio.TimeoutError, OSError) as error:
        problem = _problem_of(error) + by_way_of(url)
        summary.problems[problem] += 1
        return problem
    summary.seconds.append(time.perf_counter() - begin)
    summary.statuses[status] += 1
    return str(status)


async def _status_of(
    client: httpx2.AsyncClient, url: str, outgoing: Outgoing, on_event: Callable[[str, object], Awaitable[None]]
) -> int:
    headers = {"Content-Type": "application/json", "User-Agent": "listrak-webhooks", **outgoing.headers}
    trace = {"trace": on_event}
    async with client.stream("POST", url, content=outgoing.body, headers=headers, extensions=trace) as response:
        length = 0
        async for part in response.aiter_raw():
            length += len(part)
            if length > MOST_OF_A_RESPONSE:
                break
        return int(response.status_code)


def _problem_of(error: Exception) -> str:
    """Return why there was no answer, in words that are the same for the same reason."""
    if isinstance(error, httpx2.TimeoutException | asyncio.TimeoutError):
        return problem_of(TimeoutError())
    # The library wraps the system's own error, which says it best.
    found: BaseException | None = error
    deepest: OSError | None = None
    while found is not None:
        deepest = found if isinstance(found, OSError) else deepest
        found = found.__cause__ or found.__context__
    if deepest is not None:
        return problem_of(deepest)
    if isinstance(error, httpx2.RemoteProtocolError):
        return protocol_problem_of(error)
    if isinstance(error, httpx2.NetworkError):
        return "the connection was closed"
    return str(error) or type(error).__name__
