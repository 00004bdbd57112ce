"""Whether an endpoint is fit for Listrak, through a test client."""

from __future__ import annotations

import contextlib
import textwrap
import time
from typing import TYPE_CHECKING, Any

from . import _clients
from .probes import PROBES, Answer, Finding, Material, Probe, time_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from listrak_webhooks._types import Secrets

    from ._delivery import Delivery

_WIDTH = 100
"""Of the table, in characters."""


def check(
    client: Any, path: str, *, secret: Secrets, now: float | None = None, delivery: Delivery | None = None
) -> None:
    """Do what `Sender.check` does."""
    __tracebackhide__ = True
    trial = _Trial(path, Material(secret, now, delivery))
    for request in trial.requests():
        with trial.answer() as note:
            note(_clients.only_answer(_clients.send(client, request)))
    trial.conclude()


async def acheck(
    client: Any, path: str, *, secret: Secrets, now: float | None = None, delivery: Delivery | None = None
) -> None:
    """Do what `Sender.acheck` does."""
    __tracebackhide__ = True
    trial = _Trial(path, Material(secret, now, delivery))
    for request in trial.requests():
        with trial.answer() as note:
            note(await _clients.awaited(_clients.send(client, request)))
    trial.conclude()


class _Trial:
    """An endpoint that is being checked."""

    def __init__(self, path: str, material: Material) -> None:
        self._path = path
        self._material = material
        self._findings: list[Finding] = []
        self._all: list[Answer] = []
        self._answers: list[Answer] = []
        self._errors: list[Exception] = []

    def requests(self) -> Generator[_clients.Request, None, None]:
        """Yield what is to be sent; what came back must be there when the next is asked for."""
        for probe in PROBES:
            yield from self._requests_of(probe)
            self._findings.append(probe.finding(self._answers))
            self._all += self._answers
        self._findings.append(time_finding(self._all))

    def _requests_of(self, probe: Probe) -> Generator[_clients.Request, None, None]:
        self._answers = []
        for method, body, headers in probe.requests(self._material):
            yield _clients.Request(method, self._path, body, headers)

    @contextlib.contextmanager
    def answer(self) -> Generator[Callable[[Any], None], None, None]:
        """Yield what takes the client's answer to one request; what is raised instead is an answer too."""
        came: list[Answer] = []
        began = time.perf_counter()

        def note(answer: Any) -> None:
            seconds = time.perf_counter() - began
            came.append(Answer(_clients.status_of(answer), _clients.header_of(answer, "Location"), seconds))
            _clients.finish(answer)

        try:
            yield note
        except _clients.UnusableClientError:
            raise
        except Exception as error:  # noqa: BLE001  # a test client raises whatever the endpoint did
            self._errors.append(error)
            came = [Answer(None, None, time.perf_counter() - began, f"raised {type(error).__name__}")]
        self._answers += came

    def conclude(self) -> None:
        """Raise if anything was found."""
        __tracebackhide__ = True
        found = [finding for finding in self._findings if finding.level != "green"]
        if found:
            cause = self._errors[0] if self._errors else None
            raise AssertionError(table(self._path, found, len(self._findings))) from cause


def table(path: str, findings: Iterable[Finding], count: int) -> str:
    """Return what was found as a table for people.

    Args:
        path: where the endpoint is.
        findings: what was found, apart from what is as it should be.
        count: how many findings there are in all.
    """
    found = [*findings]
    column = max(len(finding.name) for finding in found) + 2
    lines = [f"{path} is not fit for Listrak: {len(found)} of {count} probes found something", ""]
    for finding in found:
        text = f"{finding.summary}. {finding.advice[:1].upper()}{finding.advice[1:]}."
        first, *rest = textwrap.wrap(text, _WIDTH - column - len("yellow  "), break_long_words=False)
        lines.append(f"{finding.level:8}{finding.name:{column}}{first}")
        lines += [f"{'':8}{'':{column}}{each}" for each in rest]
    return "\n".join(lines)
