"""What `check` sends: genuine deliveries in every form that a body can take, and deliveries that must be rejected."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER
from listrak_webhooks._types import SigningEncoding
from listrak_webhooks.testing.builders import Delivery
from listrak_webhooks.testing.probes import PROBES, Material

from ._wire import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._types import Secrets
    from listrak_webhooks.testing.builders import SignedDelivery

    from ._content import Content

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
    """How a body is written, and signed."""

    encoding: SigningEncoding = "base64"
    """The signature's."""
    separators: tuple[str, str] = (",", ":")
    indent: int | None = None
    as_it_is: bool = False
    """The user's own body, byte for byte."""


FORMS = [
    Form(encoding, separators, indent)
    for separators, indent in (((",", ":"), None), ((", ", ": "), None), ((",", ": "), 2))
    for encoding in get_args(SigningEncoding)
]
"""Those of which one has to be accepted: without spaces, with spaces, indented; in both encodings."""


def forms_of(content: Content) -> list[Form]:
    """Return the forms of which one has to be accepted; the first two are what must get 200."""
    if content.raw is None:
        return FORMS
    own = [Form(encoding, as_it_is=True) for encoding in get_args(SigningEncoding)]
    return [*own, *(FORMS if content.is_object else [])]


class Signer(Material):
    """Writes and signs what is sent; the probes of the test kit take it as their material.

    Args:
        secret: as for `Webhook`.
        content: what genuine deliveries hold.
        form: how bodies are written, and signatures.
    """

    def __init__(self, secret: Secrets, content: Content, form: Form) -> None:
        super().__init__(secret)
        self.content = content
        self.form = form

    def body(self) -> bytes:
        """Return the body of a genuine delivery."""
        if self.content.raw is not None and self.form.as_it_is:
            return self.content.raw
        return self._written(self.content.fields())

    def large(self, size: int) -> bytes:
        """Return the body of a genuine delivery of about `size` bytes."""
        if not self.content.is_object:
            return self.body().ljust(size)
        body = self._written(self.content.large(size))
        # Without a list of items it gets white space inside: a handler may reject a field that it does not expect.
        return body if len(body) > size // 2 else body[:1] + b" " * (size - len(body)) + body[1:]

    def genuine(self, encoding: SigningEncoding | None = None) -> SignedDelivery:
        """Return a delivery that must be accepted."""
        return self.signed(self.body(), encoding or self.form.encoding)

    def signed(self, body: bytes, encoding: SigningEncoding = "base64") -> SignedDelivery:
        """Return a genuine delivery of any bytes, which is like no other."""
        return Delivery(body).signed(self._secret, self.content.second_for(body), encoding)

    def request(self, body: bytes) -> Request:
        """Return a genuine request with a body."""
        return request_of(self.signed(body, self.form.encoding))

    def _written(self, fields: dict[str, Any]) -> bytes:
        return json.dumps(fields, separators=self.form.separators, indent=self.form.indent).encode()


def request_of(signed: SignedDelivery) -> Request:
    """Return the request of a delivery."""
    return Request(signed.headers, signed.body)


def _compact(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _indented(content: Content) -> bytes:
    return json.dumps(content.fields(), indent=2).encode()


def _with(addition: str) -> Callable[[Content], bytes]:
    """Return a maker of compact JSON with one more field, as text, before its closing brace."""
    return lambda content: content.compact()[:-1] + b"," + addition.encode() + b"}"


def _with_a_key_twice(content: Content) -> bytes:
    fields = content.fields()
    name, value = next(iter(fields.items()))
    return _compact(fields)[:-1] + b"," + _compact({name: value})[1:]


def _reversed(content: Content) -> bytes:
    return _compact(dict(reversed([*content.fields().items()])))


_OBJECTS: dict[str, tuple[str, Callable[[Content], bytes]]] = {
    "compact": ("compact JSON", lambda content: content.compact()),
    "spaced": ("JSON with spaces", lambda content: json.dumps(content.fields()).encode()),
    "indented": ("indented JSON", _indented),
    "line_endings": ("JSON with CRLF", lambda content: _indented(content).replace(b"\n", b"\r\n")),
    "key_order": ("keys in another order", _reversed),
    "repeated_key": ("a key twice", _with_a_key_twice),
    "numbers": (
        "numbers such as 1.50 and 1e2",
        _with('"check":{"total":1.50,"points":1e2,"zero":0.0,"id":12345678901234567890}'),
    ),
    "escapes": (
        r"escapes such as \u00e9 and \/",
        _with(r'"check":{"name":"Jos\u00e9 \u003cb\u003e","link":"https:\/\/example.com\/"}'),
    ),
    "not_ascii": ("letters that are not ASCII", _with('"check":{"name":"José Ångström 東京","note":"<&>"}')),
}
_ANY_BODIES: dict[str, tuple[str, Callable[[Content], bytes]]] = {
    "newline_at_end": ("a newline at the end", lambda content: content.compact() + b"\n"),
    "spaces_around": ("spaces around", lambda content: b"  " + content.compact() + b" \t "),
}

_ODD_BODIES: dict[str, tuple[str, Callable[[Content], bytes]]] = {
    "byte_order_mark": ("a byte order mark", lambda content: b"\xef\xbb\xbf" + content.compact()),
    "not_utf8": ("bytes that are not UTF-8", lambda content: content.compact()[:-1] + b',"check":"\xe9\xff"}'),
    "nul": ("NUL and control characters", lambda content: content.compact() + b"\x00\x01\x7f"),
    "not_json": ("text that is not JSON", lambda _: b"campaign=check&mark=" + secrets.token_hex(6).encode()),
}


def _plain(body: Callable[[Content], bytes]) -> Callable[[Signer], Request]:
    return lambda signer: signer.request(body(signer.content))


VARIANTS = [Probe(name, what, _plain(body)) for name, (what, body) in (_OBJECTS | _ANY_BODIES).items()]
"""Genuine deliveries, all of them JSON: a mismatch in some says how the body is changed on its way."""

VARIANTS_OF_ANY = [probe for probe in VARIANTS if probe.name in _ANY_BODIES]
"""Those that can be made of a body that is not a JSON object."""

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
    what = f"a genuine body of {in_words(size)}"
    return Probe("large_body", what, lambda signer: signer.request(signer.large(size)))


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
