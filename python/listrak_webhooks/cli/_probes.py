"""What `check` sends: genuine deliveries in every form that a body can take, and deliveries that must be rejected."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook
from listrak_webhooks._types import SigningEncoding

from ._wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE = 3 * 1024 * 1024
SIZES = (1024 * 1024, 300_000, 120_000, 90_000, 30_000)
"""The bytes that are tried, from the largest down, if an endpoint rejects `LARGE`."""

HOUR = 3600


@dataclass(frozen=True)
class Probe:
    """One request, and what it is in words."""

    name: str
    what: str
    make: Callable[[Signer], Request]


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


class Signer:
    """Writes and signs what is sent.

    Args:
        webhook: whose secret is used.
        form: how bodies are written, and signatures.
    """

    def __init__(self, webhook: Webhook, form: Form = FORMS[0]) -> None:
        self._webhook = webhook
        self.form = form

    def body(self, **more: Any) -> bytes:
        """Return the body of a delivery that is like no other, for a person in a reserved domain."""
        return json.dumps(fields(**more), separators=self.form.separators, indent=self.form.indent).encode()

    def request(self, body: bytes, *, age: int = 0, signed_body: bytes | None = None) -> Request:
        """Return a request with a body and its two headers.

        Args:
            body: what is sent.
            age: how many seconds ago it was signed.
            signed_body: what was signed, if that is not what is sent.
        """
        signed = body if signed_body is None else signed_body
        headers = self._webhook.signed_headers(signed, int(_clock.now()) - age, encoding=self.form.encoding)
        return Request(headers, body)


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
    what = f"a genuine delivery, signed in {form.encoding},"
    return Probe(f"genuine_{form.encoding}", what, lambda signer: signer.request(signer.body()))


TRANSPORT = [
    Probe("chunked", "a delivery in chunks", lambda signer: replace(signer.request(signer.body()), chunked=True)),
    Probe(
        "expect_continue",
        "a delivery with `Expect: 100-continue`",
        lambda signer: replace(signer.request(signer.body()), expect=True),
    ),
    Probe(
        "lower_case_headers",
        "a delivery with its headers in lower case",
        lambda signer: replace(signer.request(signer.body()), lower_case=True),
    ),
]
"""Genuine deliveries that come over HTTP in another way."""


def large(size: int) -> Probe:
    """Return a genuine delivery whose body has about so many bytes."""
    cart = {"sku": "SHIRT-M-RED", "name": "Linen shirt", "price": "49.99", "quantity": 1}
    lines = size // len(json.dumps(cart, separators=(",", ":")) + ",")
    return Probe(
        "large_body", f"a body of {in_words(size)}", lambda signer: signer.request(signer.body(items=[cart] * lines))
    )


def in_words(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1024 / 1024:.0f} MiB" if size >= 1024 * 1024 else f"{size // 1000} kB"


def _tampered(signer: Signer) -> Request:
    body = signer.body()
    return signer.request(body.replace(b"check-", b"chEck-", 1), signed_body=body)


def _other_secret(signer: Signer) -> Request:
    return Signer(Webhook(secrets.token_hex(20)), signer.form).request(signer.body())


def _signature(change: Callable[[str], str]) -> Callable[[Signer], Request]:
    def make(signer: Signer) -> Request:
        request = signer.request(signer.body())
        return replace(request, headers=request.headers | {SIGNATURE_HEADER: change(request.headers[SIGNATURE_HEADER])})

    return make


def _other_time(signer: Signer) -> Request:
    request = signer.request(signer.body(), age=60)
    return replace(request, headers=request.headers | {TIMESTAMP_HEADER: str(int(_clock.now()))})


def _without(*names: str) -> Callable[[Signer], Request]:
    def make(signer: Signer) -> Request:
        request = signer.request(signer.body())
        return replace(request, headers={name: value for name, value in request.headers.items() if name not in names})

    return make


BAD = [
    Probe("tampered_body", "a body that was changed after it was signed", _tampered),
    Probe("other_secret", "a signature made with another secret", _other_secret),
    Probe("tampered_time", "a timestamp that was changed after it was signed", _other_time),
    Probe("cut_signature", "a signature that was cut in half", _signature(lambda text: text[: len(text) // 2])),
    Probe("stale", "a genuine delivery that is an hour old", lambda signer: signer.request(signer.body(), age=HOUR)),
    Probe("future", "a delivery from an hour in the future", lambda signer: signer.request(signer.body(), age=-HOUR)),
    Probe("no_headers", "a delivery without either header", _without(SIGNATURE_HEADER, TIMESTAMP_HEADER)),
    Probe("no_signature", "a delivery without its signature", _without(SIGNATURE_HEADER)),
    Probe("no_timestamp", "a delivery without its timestamp", _without(TIMESTAMP_HEADER)),
    Probe("empty_signature", "an empty signature", _signature(lambda _: "")),
]
"""What must be rejected with 401."""
