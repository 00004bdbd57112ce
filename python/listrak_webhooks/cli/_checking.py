"""The course of a check: what is sent in which order, and what is not sent any more once it would say nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import math
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from listrak_webhooks import _clock

from . import _findings as findings
from ._body_changes import NAME as BODY
from ._body_changes import of_body
from ._findings import Finding
from ._probes import (
    BAD,
    LARGE,
    ODD,
    SIZES,
    TRANSPORT,
    VARIANTS,
    VARIANTS_OF_ANY,
    Form,
    Probe,
    Signer,
    forms_of,
    genuine,
    in_words,
    large,
)
from ._problems import NO_ANSWER_SECONDS, problem_of
from ._target import trusted_certificates
from ._wire import Answer, UntrustedCertificateError, Wire, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from listrak_webhooks._types import Secrets

    from ._content import Content
    from ._target import Target

LONGEST_SECONDS = 180.0
"""After this nothing more is sent, so that a check of an endpoint that is slow to respond has an end."""

AT_ONCE = 4
"""Requests that are under way at the same time, after the first, whose times are measured."""

_UNLIKE_ADVICE = (
    "Compare the secret of the endpoint with the one given here, character by character. If they agree, something "
    "consumes or changes the body before it is verified, or the clocks differ: see the other findings."
)
_NOT_AN_ENDPOINT = {404, 405}


class _TooLongError(Exception):
    """The check has taken as long as it may."""


class Check:
    """One check of an endpoint.

    Args:
        target: the endpoint.
        secret: the endpoint's, as for `Webhook`.
        content: what the genuine deliveries hold.
        on_answer: called after each response, with what was sent.
    """

    def __init__(self, target: Target, secret: Secrets, content: Content, on_answer: Callable[[str], None]) -> None:
        self._target = target
        self._secret = secret
        self._content = content
        self._forms = forms_of(content)
        self._on_answer = on_answer
        self._context = trusted_certificates() if target.is_tls else None
        self._wire = Wire(target, self._context)
        self._signer = self._signer_of(self._forms[0])
        self._is_form_accepted = False
        self._accepts_forgeries = False
        self._of_a_mismatch = {400, 401, 403}
        """The statuses of a delivery whose signature does not match."""
        self._times: list[float] = []
        self._end = math.inf
        self._skew: float | None = None

    def run(self) -> Iterator[Finding]:
        """Yield the findings as they come."""
        self._end = time.monotonic() + LONGEST_SECONDS
        try:
            yield from self._run()
        except _TooLongError:
            yield from self._about_responses()
            yield findings.unfinished(LONGEST_SECONDS)

    def _run(self) -> Iterator[Finding]:
        address = list(self._address())
        yield from address
        if any(each.level == "red" for each in address):
            return
        first = self._first()
        if all(self._says_nothing(answer) for answer in first.values()):
            yield from self._of_first(first)
            yield findings.not_tried([*first.values()])
            yield from self._about_responses()
            return
        self._find_form(first)
        yield from self._of_first(first)
        yield from self._forgeries()
        yield from self._bodies()
        if self._is_form_accepted:
            yield from self._ways()
        yield from self._about_responses()

    def _forgeries(self) -> Iterator[Finding]:
        """Yield whether what must be rejected is; if everything is, that says nothing."""
        answers = self._all(BAD)
        changed = answers["body_changed"]
        self._accepts_forgeries = findings.is_accepted(changed)
        # Not of the changed one: a parser before the check may say 400 to what is no JSON any more.
        forged = answers["forged"].status
        if self._is_form_accepted and forged is not None and 400 <= forged < 500:  # noqa: PLR2004
            self._of_a_mismatch = {forged}
        if not self._is_form_accepted and not any(map(findings.is_accepted, answers.values())):
            yield findings.NOTHING_ACCEPTED
            return
        yield from (findings.of_bad(probe.name, probe.what, answers[probe.name], probe.advice) for probe in BAD)

    def _ways(self) -> Iterator[Finding]:
        """Yield what there is to say of one delivery twice, of large ones, and of other ways over HTTP."""
        yield self._twice()
        yield self._large()
        answers = self._all(TRANSPORT)
        yield from (findings.of_genuine(probe.name, probe.what, answers[probe.name]) for probe in TRANSPORT)

    def _says_nothing(self, answer: Answer) -> bool:
        """Whether all other deliveries would get the same, as this is not an endpoint, or one that does not work."""
        return (
            answer.status is None
            or answer.status in _NOT_AN_ENDPOINT
            or findings.is_redirect(answer)
            or findings.is_failure(answer)
        )

    def _address(self) -> Iterator[Finding]:
        """Yield what there is to say of the connection: the way there, and the certificate."""
        try:
            connection = connect(self._target, self._context, time.monotonic() + NO_ANSWER_SECONDS)
        except UntrustedCertificateError as error:
            yield Finding(
                "certificate",
                "red",
                f"its certificate is not trusted: {error}",
                "Listrak will not connect. Install a certificate for this host that is not past, with the whole chain "
                "up to a public authority.",
            )
            return
        except OSError as error:
            yield Finding(
                "reachable",
                "red",
                f"nothing responds at {self._target.host} port {self._target.port}: {problem_of(error)}",
                "Start the endpoint, and look at its address, its port, and the firewalls on the way. Listrak comes "
                "from the public internet.",
            )
            return
        with contextlib.closing(connection):
            if isinstance(connection, ssl.SSLSocket):
                yield findings.of_certificate(*_end_of(connection.getpeercert() or {}))
            else:
                yield Finding(
                    "certificate",
                    "yellow",
                    "plain http: everybody on the way can read the deliveries",
                    "Give Listrak an https URL.",
                )

    def _signer_of(self, form: Form) -> Signer:
        return Signer(self._secret, self._content, form)

    def _send(self, probe: Probe, signer: Signer | None = None) -> Answer:
        if time.monotonic() > self._end:
            raise _TooLongError
        answer = self._wire.exchange(probe.make(signer or self._signer))
        self._on_answer(probe.what)
        return answer

    def _all(self, probes: Sequence[Probe]) -> dict[str, Answer]:
        """Send each, some at the same time, and return the answers by name."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                return dict(zip([probe.name for probe in probes], pool.map(self._send, probes), strict=True))
            except BaseException:
                # Such as Ctrl-C; the pool waits for what is under way.
                self._wire.abort()
                raise

    def _first(self) -> dict[Form, Answer]:
        """Send a genuine delivery in both encodings, one after the other, and measure the responses."""
        answers = {form: self._send(genuine(form), self._signer_of(form)) for form in self._forms[:2]}
        for answer in answers.values():
            self._measure(answer)
        return answers

    def _find_form(self, first: dict[Form, Answer]) -> None:
        """Find a form of JSON that is accepted, for all that is sent next: a rejection of any other says nothing."""
        for form in self._forms:
            answer = first.get(form) or self._send(genuine(form), self._signer_of(form))
            if findings.is_accepted(answer):
                self._signer = self._signer_of(form)
                self._is_form_accepted = True
                return

    def _of_first(self, first: dict[Form, Answer]) -> Iterator[Finding]:
        """Yield whether genuine deliveries are accepted."""
        accepted = [form.encoding for form, answer in first.items() if findings.is_accepted(answer)]
        advice = _UNLIKE_ADVICE
        if len(accepted) == 1:
            advice = (
                f"It accepts signatures in {accepted[0]} alone. Listrak's article shows both encodings, so accept "
                "both: 44 characters are base64, 64 are hex."
            )
        elif self._is_form_accepted:
            advice = f"JSON that is written in another way is accepted: see {BODY}."
        given: dict[str, str] = {}
        for form, answer in first.items():
            probe = genuine(form)
            finding = findings.of_first(probe.name, probe.what, answer, advice)
            if finding.advice in given:
                finding = finding._replace(advice=f"As for {given[finding.advice]}.")
            elif finding.advice:
                given[finding.advice] = finding.name
            yield finding

    def _measure(self, answer: Answer) -> None:
        if answer.status is None:
            return
        self._times.append(answer.seconds)
        date = answer.headers.get("date")
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            if date and self._skew is None:
                # It has whole seconds: on average the true time is half of one later.
                sent = email.utils.parsedate_to_datetime(date).timestamp()
                self._skew = sent + 0.5 - answer.received_at

    def _about_responses(self) -> Iterator[Finding]:
        if self._times:
            yield findings.of_time(self._times)
            yield findings.of_clock(self._skew)

    def _bodies(self) -> Iterator[Finding]:
        """Yield whether the body arrives as it was sent, and what else is wrong with some of its forms."""
        variants = VARIANTS if self._content.is_object else VARIANTS_OF_ANY
        answers = self._all([*variants, *ODD])
        rejected: dict[str, str] = {}
        others: list[Finding] = []
        for probe in variants:
            if answers[probe.name].status in self._of_a_mismatch:
                rejected[probe.name] = probe.what
            elif not findings.is_accepted(answers[probe.name]):
                others.append(findings.of_variant(probe.name, probe.what, answers[probe.name]))
        for probe in ODD:
            if answers[probe.name].status in {401, 403}:
                rejected[probe.name] = probe.what
            elif finding := findings.of_odd(probe.name, probe.what, answers[probe.name]):
                others.append(finding)
        taken = len(answers) - len(rejected) - sum(each.level == "red" for each in others)
        yield of_body(rejected, taken, accepts_forgeries=self._accepts_forgeries)
        yield from others
        if not any(probe.name in {each.name for each in others} or probe.name in rejected for probe in ODD):
            yield Finding("odd_bytes", "green", "bodies that are not JSON do no harm")

    def _twice(self) -> Finding:
        request = self._signer.request(self._signer.body())
        again = Probe("twice", "the same delivery twice", lambda _: request)
        return findings.of_second(self._send(again), self._send(again))

    def _large(self) -> Finding:
        answer = self._send(large(LARGE))
        if findings.is_accepted(answer):
            return findings.of_genuine("large_body", "a genuine body of 3 MiB", answer)
        smallest = LARGE
        for size in SIZES:
            smaller = self._send(large(size))
            if findings.is_accepted(smaller):
                return findings.of_limit(size, in_words(smallest), in_words(size), answer)
            smallest, answer = size, smaller
        return findings.of_limit(None, in_words(smallest), "", answer)


def _end_of(certificate: ssl._PeerCertRetDictType) -> tuple[float | None, str]:  # pyright: ignore[reportPrivateUsage]
    """Return in how many days a certificate ends, and on which; the store of some systems does not say."""
    end = certificate.get("notAfter")
    if not isinstance(end, str):
        return None, ""
    seconds = ssl.cert_time_to_seconds(end)
    day = dt.datetime.fromtimestamp(seconds, dt.timezone.utc)
    return (seconds - _clock.now()) / 86400, f"{day:%Y-%m-%d}"
