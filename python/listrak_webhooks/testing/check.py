"""Whether an endpoint is fit for Listrak, through a test client."""

from __future__ import annotations

import contextlib
import textwrap
import time
from typing import TYPE_CHECKING, Any

from . import _clients
from ._causes import Outcome, joined, same_of_genuine
from .probes import PROBES, Answer, Material, Request, time_finding

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from listrak_webhooks._types import Secrets

    from ._delivery import Delivery
    from .probes import Finding

_WIDTH = 100
"""Of the table, in characters."""


def check(
    client: Any, path: str, *, secret: Secrets, now: float | None = None, delivery: Delivery | None = None
) -> None:
    """Do what `Sender.check` does."""
    __tracebackhide__ = True
    trial = _Trial(client, path, Material(secret, now, delivery))
    for request in trial.requests():
        with trial.answer() as note:
            note(_clients.only_answer(_clients.send(client, request)))
    trial.conclude()


async def acheck(
    client: Any, path: str, *, secret: Secrets, now: float | None = None, delivery: Delivery | None = None
) -> None:
    """Do what `Sender.acheck` does."""
    __tracebackhide__ = True
    trial = _Trial(client, path, Material(secret, now, delivery))
    for request in trial.requests():
        with trial.answer() as note:
            note(await _clients.awaited(_clients.send(client, request)))
    trial.conclude()


class _Trial:
    """An endpoint that is being checked."""

    def __init__(self, client: Any, path: str, material: Material) -> None:
        self._client = client
        self._path = path
        self._material = material
        self._outcomes: list[Outcome] = []
        self._answers: list[Answer] = []
        self._errors: list[Exception] = []
        self._accepted_form: str | None = None

    def requests(self) -> Generator[_clients.Request, None, None]:
        """Yield what is to be sent; what came back must be there when the next is asked for."""
        for probe in PROBES:
            yield from self._sent(probe.requests(self._material))
            self._outcomes.append(Outcome(probe, self._answers, probe.finding(self._answers)))
        if (answer := same_of_genuine(self._outcomes)) and answer.status == 401:  # noqa: PLR2004
            yield from self._forms()

    def _forms(self) -> Generator[_clients.Request, None, None]:
        """Yield a delivery in other forms until one is accepted: an endpoint that changes the body knows the secret."""
        for name, signed in self._material.forms():
            yield from self._sent([Request("POST", signed.body, signed.headers)])
            if 200 <= (self._answers[0].status or 0) < 300:  # noqa: PLR2004
                self._accepted_form = name
                return

    def _sent(self, requests: Iterable[Request]) -> Generator[_clients.Request, None, None]:
        self._answers = []
        for method, body, headers in requests:
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
            seconds, raised = time.perf_counter() - began, f"raised {type(error).__name__}"
            came = [Answer(None, None, seconds, raised, _clients.is_unreachable(self._client, error))]
        self._answers += came

    def conclude(self) -> None:
        """Raise if anything was found."""
        __tracebackhide__ = True
        slowest = time_finding(answer for outcome in self._outcomes for answer in outcome.answers)
        findings = [outcome.finding for outcome in self._outcomes]
        count = sum(finding.level != "green" for finding in (*findings, slowest))
        if count:
            found = [*joined(self._outcomes, self._material, self._accepted_form), slowest]
            cause = self._errors[0] if self._errors else None
            raise AssertionError(table(self._path, found, count, len(findings) + 1)) from cause


def table(path: str, findings: Iterable[Finding], count: int, of: int) -> str:
    """Return what was found as a table for people.

    Args:
        path: where the endpoint is.
        findings: what was found; what is as it should be is left out.
        count: how many probes found something.
        of: how many probes there are.
    """
    found = [finding for finding in findings if finding.level != "green"]
    column = max(len(finding.name) for finding in found) + 2
    lines = [f"{path} is not fit for Listrak: {count} of {of} probes found something", ""]
    for finding in found:
        text = f"{finding.summary}. {finding.advice[:1].upper()}{finding.advice[1:]}."
        first, *rest = textwrap.wrap(text, _WIDTH - column - len("yellow  "), break_long_words=False)
        lines.append(f"{finding.level:8}{finding.name:{column}}{first}")
        lines += [f"{'':8}{'':{column}}{each}" for each in rest]
    return "\n".join(lines)
