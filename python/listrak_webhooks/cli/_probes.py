"""What `check` sends: genuine deliveries in every form that a body can take, and deliveries that must be rejected."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER
from listrak_webhooks._types import SigningEncoding
from listrak_webhooks.testing.probes import PROBES, Material

from ._wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._types import Secrets
    from listrak_webhooks.testing.builders import SignedDelivery

LARGE = 3 * 1024 * 1024
SIZES = (1024 * 1024, 300_000, 120_000, 90_000, 30_000)
"""The bytes that are tried, from the largest down, if an endpoint rejects `LARGE`."""


@dataclass(frozen=True)
class Probe:
    """One request, and what it is in words."""

    name: str
    what: str
    make: Callable[[Signer], Request]
    advice: str = ""
    """What to do if it does not come out as it must, if that is always the same."""


class Form(NamedTuple):
    """How JSON is written."""

    encoding: SigningEncoding = "base64"
    """The signature's."""
    separators: tuple[str, str] = (",", ":")
    indent: int | None = None


FORMS = [
    Form(encoding, separators, indent)
    for separators, indent in (((",", ":"), None), ((", ", ": "), None), ((",", ": "), 2))
    for encoding in get_args(SigningEncoding)
]
"""Those of which one has to be accepted: without spaces, with spaces, indented; in both encodings."""


class Signer(Material):
    """Writes and signs what is sent; the probes of the test kit take it as their material.

    Args:
        secret: as for `Webhook`.
        form: how bodies are written, and signatures.
    """

    def __init__(self, secret: Secrets, form: Form = FORMS[0]) -> None:
        super().__init__(secret)
        self.form = form

    def body(self, **more: Any) -> bytes:
        """Return the body of a delivery that is like no other, for a person in a reserved domain."""
        return json.dumps(fields(**more), separators=self.form.separators, indent=self.form.indent).encode()

    def genuine(self, encoding: SigningEncoding | None = None) -> SignedDelivery:
        """Return a delivery that must be accepted."""
        return self.signed(self.body(), encoding or self.form.encoding)

    def request(self, body: bytes) -> Request:
        """Return a genuine request with a body."""
        return request_of(self.signed(body, self.form.encoding))


def request_of(signed: SignedDelivery) -> Request:
    """Return the request of a delivery."""
    return Request(signed.headers, signed.body)


def fields(**more: Any) -> dict[str, Any]:
    """Return the content of a delivery that is like no other, for a person in a reserved domain."""
    mark = secrets.token_hex(6)
    return {"campaign": "listrak-webhooks check", "email": f"check-{mark}@example.com", **more}


def compact(**more: Any) -> bytes:
    """Return JSON without spaces, in ASCII, its keys in order."""
    return json.dumps(fields(**more), separators=(",", ":")).encode()


def _indented() -> bytes:
    return json.dumps(fields(items=[{"sku": "A-1", "quantity": 2}]), indent=2).encode()


def _with(addition: str) -> Callable[[], bytes]:
    """Return a maker of compact JSON with more, as text, before its closing brace."""
    return lambda: compact()[:-1] + b"," + addition.encode() + b"}"


_BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "compact": ("compact JSON", compact),
    "spaced": ("JSON with spaces", lambda: json.dumps(fields()).encode()),
    "indented": ("indented JSON", _indented),
    "line_endings": ("JSON with CRLF", lambda: _indented().replace(b"\n", b"\r\n")),
    "key_order": (
        "keys in another order",
        lambda: json.dumps({"z": 1, **fields(), "a": 2}).replace(": ", ":").encode(),
    ),
    "repeated_key": ("a key twice", _with('"email":"second@example.com"')),
    "numbers": (
        "numbers such as 1.50 and 1e2",
        _with('"total":1.50,"points":1e2,"zero":0.0,"id":12345678901234567890'),
    ),
    "escapes": (
        r"escapes such as \u00e9 and \/",
        _with(r'"name":"Jos\u00e9 \u003cb\u003e","link":"https:\/\/example.com\/"'),
    ),
    "not_ascii": ("letters that are not ASCII", _with('"name":"José Ångström 東京","note":"<&>"')),
    "newline_at_end": ("a newline at the end", lambda: compact() + b"\n"),
    "spaces_around": ("spaces around", lambda: b"  " + compact() + b" \t "),
}

_ODD_BODIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "byte_order_mark": ("a byte order mark", lambda: b"\xef\xbb\xbf" + compact()),
    "not_utf8": ("bytes that are not UTF-8", lambda: compact()[:-2] + b'\xe9\xff"}'),
    "nul": ("NUL and control characters", lambda: compact() + b"\x00\x01\x7f"),
    "not_json": ("text that is not JSON", lambda: b"campaign=check&mark=" + secrets.token_hex(6).encode()),
}


def _plain(body: Callable[[], bytes]) -> Callable[[Signer], Request]:
    return lambda signer: signer.request(body())


VARIANTS = [Probe(name, what, _plain(body)) for name, (what, body) in _BODIES.items()]
"""Genuine deliveries, all of them JSON: a mismatch in some says how the body is changed on its way."""

ODD = [Probe(name, what, _plain(body)) for name, (what, body) in _ODD_BODIES.items()]
"""Genuine deliveries whose bodies nobody expects."""


def genuine(form: Form) -> Probe:
    """Return a genuine delivery as Listrak sends it, whose article shows both encodings."""
    what = f"genuine, signature in {form.encoding}"
    return Probe(f"genuine_{form.encoding}", what, lambda signer: signer.request(signer.body()))


TRANSPORT = [
    Probe("chunked", "a body in chunks", lambda signer: replace(signer.request(signer.body()), chunked=True)),
    Probe(
        "expect_continue",
        "`Expect: 100-continue`",
        lambda signer: replace(signer.request(signer.body()), expect=True),
    ),
    Probe(
        "lower_case_headers",
        "header names in lower case",
        lambda signer: replace(signer.request(signer.body()), lower_case=True),
    ),
]
"""Genuine deliveries that come over HTTP in another way."""


def large(size: int) -> Probe:
    """Return a genuine delivery whose body has about so many bytes."""
    cart = {"sku": "SHIRT-M-RED", "name": "Linen shirt", "price": "49.99", "quantity": 1}
    lines = size // len(json.dumps(cart, separators=(",", ":")) + ",")
    return Probe(
        "large_body",
        f"a genuine body of {in_words(size)}",
        lambda signer: signer.request(signer.body(items=[cart] * lines)),
    )


def in_words(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1024 / 1024:.0f} MiB" if size >= 1024 * 1024 else f"{size // 1000} kB"


def _shared(name: str) -> Probe:
    """Return a probe of the test kit, which checks the same through a test client."""
    (probe,) = [each for each in PROBES if each.name == name]

    def make(signer: Signer) -> Request:
        (request,) = probe.requests(signer)
        return Request(request.headers, request.body)

    return Probe(name, probe.what, make, f"{probe.advice[:1].upper()}{probe.advice[1:]}.")


def _bad(name: str, what: str, advice: str, change: Callable[[SignedDelivery], SignedDelivery], age: int = 0) -> Probe:
    """Return a probe of a genuine delivery that was changed."""
    return Probe(name, what, lambda signer: request_of(change(signer.genuine().stale(age))), advice)


def _with_half_a_signature(signed: SignedDelivery) -> SignedDelivery:
    signature = signed.headers[SIGNATURE_HEADER]
    return signed.with_headers({SIGNATURE_HEADER: signature[: len(signature) // 2]})


BAD = [
    *map(_shared, ("forged", "body_changed", "stale", "future", "no_headers", "no_timestamp", "no_signature")),
    *map(_shared, ("malformed_timestamp", "malformed_signature")),
    _bad(
        "empty_signature",
        "an empty signature",
        "Reject a delivery without both headers before anything is read from it; an empty one counts as none.",
        lambda signed: signed.with_headers({SIGNATURE_HEADER: ""}),
    ),
    _bad(
        "cut_signature",
        "half of the right signature",
        "Compare the whole of the signature, in constant time.",
        _with_half_a_signature,
    ),
    _bad(
        "time_changed",
        "the timestamp changed",
        "Compute the MAC over the body and the timestamp as it came, so that nobody can make an old delivery new.",
        lambda signed: signed.with_headers({TIMESTAMP_HEADER: str(int(_clock.now()))}),
        age=60,
    ),
]
"""What must be rejected with 401."""
