"""What is tried on an endpoint, as data: how each delivery is made, what may come of it, and what to do if it does not.

Nothing here sends anything, so that the test kit and the command line share it.

>>> material = Material("the HMAC secret")
>>> [probe.name for probe in PROBES][:2]
['genuine_base64', 'genuine_hex']
>>> [request.method for request in PROBES[0].requests(material)]
['POST']
>>> PROBES[0].finding([Answer(401)]).level
'red'
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER

from ._odd_bodies import ODD_BODIES, forms_of
from .builders import Delivery, cart, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from listrak_webhooks._types import Secrets, SigningEncoding

    from .builders import SignedDelivery

Level: TypeAlias = Literal["green", "yellow", "red"]

SLOW = 2.0
"""Seconds after which an answer is late. Listrak's own limit is not documented."""

LARGE = 300_000
"""Bytes; carts of over 100 kB are known."""

HUGE = 4 * 1024 * 1024 + 1
"""Bytes; more than a `Webhook` takes unless it is told otherwise."""

TOLERANCE = 900
"""Seconds by which a clock may be wrong, unless a `Webhook` is told otherwise."""

DAY = 86_400
"""Seconds; further away than a sensible tolerance."""


class Request(NamedTuple):
    """What is sent to the endpoint."""

    method: str
    body: bytes
    headers: dict[str, str]

    def __repr__(self) -> str:
        # Tracebacks show it.
        return f"Request({self.method}, body=<{len(self.body)} bytes>)"


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status; `None` if none came.
        location: where a redirect leads to.
        seconds: how long it took.
        error: what was raised instead, for people.
        is_unreachable: whether it was raised because nothing listens.
    """

    status: int | None
    location: str | None = None
    seconds: float = 0.0
    error: str | None = None
    is_unreachable: bool = False

    def __str__(self) -> str:
        return f"{self.status}" if self.status is not None else self.error or "no answer"


class Verdict(NamedTuple):
    """What an answer means."""

    level: Level
    advice: str = ""


@dataclass(frozen=True)
class Finding:
    """What came of a probe.

    Attributes:
        name: the probe's.
        level: `"green"`, `"yellow"` (it works, and something is amiss) or `"red"`.
        summary: what was sent, what came back, and what should have.
        advice: what to do; empty if there is nothing to do.
    """

    name: str
    level: Level
    summary: str
    advice: str


@dataclass(frozen=True)
class Probe:
    """One thing that is tried.

    Attributes:
        name: what it is called, in reports and `--json`.
        what: what is sent, for people.
        expected: what should come back, for people.
        requests: makes what is sent, one after the other.
        judge: says what the last answer means.
        advice: what to do if it is not what it should be.
    """

    name: str
    what: str
    expected: str
    requests: Callable[[Material], list[Request]]
    judge: Callable[[int], Level]
    advice: str

    def finding(self, answers: Sequence[Answer]) -> Finding:
        """Return what the answers to the requests mean, which are at least one."""
        verdict = self._verdict(answers)
        came = " then ".join(str(answer) for answer in answers)
        return Finding(self.name, verdict.level, f"{self.what}: {came}; expected {self.expected}", verdict.advice)

    def _verdict(self, answers: Sequence[Answer]) -> Verdict:
        for answer in answers:
            if answer.status is None:
                return Verdict("red", _RAISED)
            if answer.status >= 500:  # noqa: PLR2004
                return Verdict("red", f"{_FAILED}; {self.advice}" if self.advice else _FAILED)
            if 300 <= answer.status < 400:  # noqa: PLR2004
                return Verdict("red", f"{_REDIRECT} (to {_shown(answer.location)})")
        # Where the same is sent twice, the first must be accepted as any other.
        levels = {_handled(answer.status or 0) for answer in answers[:-1]} | {self.judge(answers[-1].status or 0)}
        if "red" in levels:
            return Verdict("red", self.advice)
        if "yellow" in levels:
            return Verdict("yellow", _NOT_200 if self.judge in {_handled, _repeated} else self.advice)
        return Verdict("green")


_RAISED = "make the endpoint respond whatever it is sent; its own traceback says where it failed"
_FAILED = "the endpoint failed: see its log"
_REDIRECT = (
    "Listrak posts to one URL, and whether it follows a redirect is not documented: give it the URL that responds "
    "itself, with the slash at the end if there is one"
)
_NOT_200 = "respond with 200: which other statuses count as success for Listrak is not documented"


def _shown(location: str | None) -> str:
    """Return an address of a stranger for people: without control characters, and cut."""
    return "nowhere" if location is None else ascii(location[:200])


def _handled(status: int) -> Level:
    """A genuine delivery is answered 200."""
    if status == 200:  # noqa: PLR2004
        return "green"
    return "yellow" if 200 < status < 300 else "red"  # noqa: PLR2004


def _repeated(status: int) -> Level:
    """A delivery that comes again may be told so."""
    return "green" if status == 409 else _handled(status)  # noqa: PLR2004


def _rejected(status: int) -> Level:
    """What is not genuine, or not timely, is answered 401."""
    if status == 401:  # noqa: PLR2004
        return "green"
    return "yellow" if 400 <= status < 500 else "red"  # noqa: PLR2004


def _large_or_not(status: int) -> Level:
    """A body over the limit is rejected for its size, and the endpoint's limit may be higher."""
    return "yellow" if status in {401, 403} else "green"


def _other_method(status: int) -> Level:
    """Only POST is for Listrak."""
    return "green" if 400 <= status < 500 else "red"  # noqa: PLR2004


def _not_unauthentic(status: int) -> Level:
    """A genuine delivery may be useless, and is genuine all the same."""
    return "red" if status in {401, 403} else "green"


HANDLED = (_handled, _repeated)
"""How it is judged what must be accepted."""

REJECTED = _rejected
"""How it is judged what must be rejected."""


class Material:
    """What deliveries are made of. No two of them are the same, so that a replay guard tells them apart.

    Args:
        secret: as for `Webhook`.
        now: the Unix second at which the deliveries are signed; the second at which it is sent by default.
        delivery: the delivery to use, for a handler that does not take any; a cart by default. It is sent with spaces
            behind, which mean nothing in JSON.
    """

    def __init__(self, secret: Secrets, now: float | None = None, delivery: Delivery | None = None) -> None:
        self._secret = secret
        self._now = now
        self._delivery = delivery
        self._run = secrets.token_hex(8)
        self._made = secrets.randbelow(1000)

    def genuine(self, encoding: SigningEncoding = "base64") -> SignedDelivery:
        """Return a delivery that must be accepted."""
        return self.signed(self._next().body, encoding)

    def padded(self, size: int) -> SignedDelivery:
        """Return a genuine delivery of at least `size` bytes."""
        if self._delivery is not None:
            return self.signed(self._next().body.ljust(size))
        lines = [line()] * (size // _LINE)
        return self.signed(cart(items=lines, seed=f"{self._run} {size}").body.ljust(size))

    def signed(self, body: bytes, encoding: SigningEncoding = "base64") -> SignedDelivery:
        """Return a genuine delivery of any bytes."""
        now = _clock.second() if self._now is None else self._now
        return Delivery(body).signed(self._secret, int(now // 1), encoding)

    def forms(self) -> list[tuple[str, SignedDelivery]]:
        """Return one delivery in the forms in which an endpoint may write it again, each with its name."""
        body = self._next().body if self._delivery is None else self._delivery.body
        return [(name, self.signed(form)) for name, form in forms_of(body)]

    @property
    def seconds_ahead(self) -> int:
        """How far the time of signing is from the package's clock, in seconds; 0 if it is tolerated."""
        ahead = 0 if self._now is None else int(self._now // 1) - _clock.second()
        return ahead if abs(ahead) > TOLERANCE else 0

    def _next(self) -> Delivery:
        self._made += 1
        if self._delivery is not None:
            return Delivery(self._delivery.body + b" " * self._made)
        return cart(seed=f"{self._run} {self._made}")


_LINE = 350
"""The bytes of a line, about."""


def _post(signed: SignedDelivery) -> Request:
    return Request("POST", signed.body, signed.headers)


def _genuine(material: Material) -> list[Request]:
    return [_post(material.genuine())]


def _hex(material: Material) -> list[Request]:
    return [_post(material.genuine("hex"))]


def _twice(material: Material) -> list[Request]:
    return [_post(material.genuine())] * 2


def _lower_case(material: Material) -> list[Request]:
    method, body, headers = _post(material.genuine())
    return [Request(method, body, {name.lower(): value for name, value in headers.items()})]


def _changed(change: Callable[[SignedDelivery], SignedDelivery]) -> Callable[[Material], list[Request]]:
    return lambda material: [_post(change(material.genuine()))]


def _reserialized(signed: SignedDelivery) -> SignedDelivery:
    try:
        return signed.reserialized()
    except ValueError:
        # The user's own delivery need not be JSON.
        return signed.bit_flipped()


def _odd(change: Callable[[bytes], bytes]) -> Callable[[Material], list[Request]]:
    return lambda material: [_post(material.signed(change(material.genuine().body)))]


def _without(header: str) -> Callable[[Material], list[Request]]:
    return _changed(lambda signed: signed.without(header))


def _with(header: str, value: str) -> Callable[[Material], list[Request]]:
    return _changed(lambda signed: signed.with_headers({header: value}))


_CHECK_THE_BYTES = (
    "verify the raw body, byte for byte, with the HMAC Secret as Listrak shows it, before anything parses, decodes or "
    "writes it again"
)
_BOTH = f"Listrak's own samples differ: accept base64 and hex; {_CHECK_THE_BYTES}"
_CHECK_THE_MAC = "compare the MAC of the body and the timestamp, and reject what does not match"
_CHECK_THE_TIME = "compare the timestamp with the clock, both ways"
_NEED_BOTH = "reject a delivery without both headers before anything is read from it"
_ANY_BODY = "a genuine delivery may hold any bytes: verify them as they are, and let the handler say 400 at most"

PROBES: list[Probe] = [
    Probe("genuine_base64", "genuine, signature in base64", "200", _genuine, _handled, _BOTH),
    Probe("genuine_hex", "genuine, signature in hex", "200", _hex, _handled, _BOTH),
    Probe(
        "lower_case_headers", "genuine, header names in lower case", "200", _lower_case, _handled,
        "take header names in any case: HTTP/2 and many proxies write them in lower case",
    ),
    Probe(
        "twice", "the same delivery twice", "200, then 200 or 409", _twice, _repeated,
        "handle a repeated delivery once, and respond with 200 or 409",
    ),
    Probe(
        "large_body", f"a genuine body of {LARGE // 1000} kB", "200", lambda material: [_post(material.padded(LARGE))],
        _handled, "raise the limits of the framework and of the proxy in front: carts are large now and then",
    ),
    Probe(
        "huge_body", "a genuine body of 4 MiB", "413, 200 or any 4xx but 401",
        lambda material: [_post(material.padded(HUGE))], _large_or_not, "respond with 413 to a body over the limit",
    ),
    Probe("forged", "signed with another secret", "401", _changed(lambda d: d.forged()), _rejected, _CHECK_THE_MAC),
    Probe(
        "body_changed", "one bit of the body changed", "401", _changed(lambda d: d.bit_flipped()), _rejected,
        _CHECK_THE_MAC,
    ),
    Probe(
        "body_reserialized", "the same JSON in other bytes", "401", _changed(_reserialized),
        _rejected, f"a body in other bytes must not match: {_CHECK_THE_BYTES}",
    ),
    Probe("stale", "genuine, a day old", "401", _changed(lambda d: d.stale(DAY)), _rejected, _CHECK_THE_TIME),
    Probe("future", "genuine, a day ahead", "401", _changed(lambda d: d.future(DAY)), _rejected, _CHECK_THE_TIME),
    Probe(
        "no_headers", "neither header", "401",
        _changed(lambda d: d.without(TIMESTAMP_HEADER).without(SIGNATURE_HEADER)), _rejected, _NEED_BOTH,
    ),
    Probe("no_timestamp", "no timestamp", "401", _without(TIMESTAMP_HEADER), _rejected, _NEED_BOTH),
    Probe("no_signature", "no signature", "401", _without(SIGNATURE_HEADER), _rejected, _NEED_BOTH),
    Probe(
        "malformed_timestamp", "a timestamp that is no number", "401", _with(TIMESTAMP_HEADER, "yesterday"), _rejected,
        "take ten digits for a timestamp, and reject everything else",
    ),
    Probe(
        "malformed_signature", "a signature that is neither base64 nor hex", "401", _with(SIGNATURE_HEADER, "%%%"),
        _rejected, "take base64 or hex of 32 bytes for a signature, and reject everything else",
    ),
    Probe(
        "get", "GET", "405 or any other 4xx", lambda _: [Request("GET", b"", {})], _other_method,
        "respond to POST alone",
    ),
    *(
        Probe(name, what, "no 401 and no 5xx", _odd(change), _not_unauthentic, _ANY_BODY)
        for name, what, change in ODD_BODIES
    ),
]  # fmt: skip
"""What is tried, in this order."""


def time_finding(answers: Iterable[Answer]) -> Finding:
    """Return what the time to answer means, of all answers."""
    slowest = max((answer.seconds for answer in answers), default=0.0)
    level: Level = "yellow" if slowest > SLOW else "green"
    advice = "respond at once and do the work later, in a task queue: how long Listrak waits is not documented"
    summary = f"the slowest answer took {slowest:.1f} s; expected at most {SLOW:.0f} s"
    return Finding("time_to_answer", level, summary, advice if level == "yellow" else "")
