"""Accidents that can befall a delivery, made with the standard library alone, and what each is called.

A `Trip` is one delivery on its way: what was signed and how, and what arrived. An accident changes it, on the sender's
side before it is signed or on the way behind that, and `arrival` is what an endpoint then sees.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import urllib.parse
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from support.helpers import NOW, SIGNATURE, TIMESTAMP
from support.sender_json import WRITERS, dumps, money

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

Pairs = list[tuple[str, str]]


def directly(body: bytes, time: bytes) -> bytes:
    """Return what Listrak signs."""
    return body + time


def base64_text(mac: bytes) -> str:
    """Return a MAC as most of Listrak's samples write it."""
    return base64.b64encode(mac).decode()


@dataclass
class Trip:
    """One delivery on its way."""

    body: bytes
    secret: str
    header_time: str = str(NOW)
    signed_time: str = str(NOW)
    layout: Callable[[bytes, bytes], bytes] = directly
    spell: Callable[[bytes], str] = base64_text
    received: bytes = b""
    configured: str | bytes = ""
    others: list[str] = field(default_factory=list)
    headers: list[Callable[[Pairs], Pairs]] = field(default_factory=list)
    now: int = NOW

    def __post_init__(self) -> None:
        self.received, self.configured = self.body, self.secret

    def mac_text(self) -> str:
        """Return the signature header."""
        signed = self.layout(self.body, self.signed_time.encode())
        return self.spell(hmac.new(self.secret.encode(), signed, hashlib.sha256).digest())

    def pairs(self) -> Pairs:
        """Return the headers that arrive."""
        pairs = [("Content-Type", "application/json"), (TIMESTAMP, self.header_time), (SIGNATURE, self.mac_text())]
        for change in self.headers:
            pairs = change(pairs)
        return pairs


# The accidents, each with the ways in which it happens.

WAYS: dict[str, list[Any]] = {}


def way(name: str) -> Callable[[Any], Any]:
    """Register a way in which an accident happens."""

    def register(function: Any) -> Any:
        WAYS.setdefault(name, []).append(function)
        return function

    return register


@way("body_reserialized")
def _decimals_lost(trip: Trip, random: Random) -> None:
    trip.body = money(trip.body.decode()).encode()
    trip.received = json.dumps(json.loads(trip.body)).encode()


@way("body_reserialized")
def _sorted(trip: Trip, random: Random) -> None:
    value = json.loads(trip.body)
    trip.body = dumps(value, sort_keys=True).encode()
    keys = [*value]
    random.shuffle(keys)
    trip.received = dumps({key: value[key] for key in keys}, indent=None).encode() + b""
    if trip.received == trip.body:
        trip.received = json.dumps(value, sort_keys=True).encode()


@dataclass(frozen=True)
class BodyChange:
    """A change of the body on its way, and if need be what the body has to be for it."""

    change: Callable[[bytes], bytes]
    before: Callable[[bytes], bytes] | None = None

    def prepare(self, trip: Trip) -> None:
        """Have the sender sign a body that it can happen to."""
        if self.before is not None:
            trip.body = trip.received = self.before(trip.body)

    def __call__(self, trip: Trip, random: Random) -> None:
        """Prepare and change a body."""
        self.prepare(trip)
        trip.received = self.change(trip.received)


def _body(name: str, change: Callable[[bytes], bytes], before: Callable[[bytes], bytes] | None = None) -> None:
    way(name)(BodyChange(change, before))


def _with_umlaut(body: bytes) -> bytes:
    return body.replace(b'"', '"é'.encode(), 1) if body.isascii() else body


def _in_lines(body: bytes) -> bytes:
    return json.dumps(json.loads(body), indent=2).encode()


def _in_crlf(body: bytes) -> bytes:
    return _in_lines(body).replace(b"\n", b"\r\n")


def _rewriting(reader: str) -> Callable[[bytes], bytes]:
    return lambda body: WRITERS[reader](json.loads(body)).encode()


for _reader in ("JavaScript", "Python", "Python, raw", "JavaScript, indented", ".NET", "PHP", "Newtonsoft, indented"):
    _body("body_reserialized", _rewriting(_reader))

_body("body_reserialized", lambda body: json.dumps({"headers": {}, "body": body.decode()}).encode())
_body("body_reserialized", lambda body: b"[" + body + b"]")
_body(
    "body_reserialized",
    lambda body: body.replace(b"\\/", b"/"),
    lambda body: WRITERS["PHP, raw"](json.loads(body)).encode(),
)
_body("newline_added", lambda body: body + b"\n")
_body("newline_added", lambda body: body + b"\r\n")
_body("newline_added", lambda body: b"\n" + body)
_body("newline_removed", lambda body: body.removesuffix(b"\n"), lambda body: body + b"\n")
_body("newline_removed", lambda body: body.removesuffix(b"\r\n"), lambda body: body + b"\r\n")
_body("newline_removed", lambda body: body.strip(b"\n"), lambda body: body + b"\n\n")
_body("whitespace_trimmed", bytes.strip, lambda body: body + b" ")
_body("whitespace_trimmed", bytes.strip, lambda body: b" " + body)
_body("whitespace_trimmed", bytes.strip, lambda body: b"  " + body)
_body("whitespace_trimmed", bytes.strip, lambda body: b" " + body + b"\n")
_body("whitespace_trimmed", bytes.strip, lambda body: body + b"\t")
_body("line_endings_changed", lambda body: body.replace(b"\r\n", b"\n"), _in_crlf)
_body("line_endings_changed", lambda body: body.replace(b"\n", b"\r\n"), _in_lines)
_body("line_endings_changed", lambda body: body.replace(b"\n", b"\r"), _in_lines)
_body("bom_added", lambda body: b"\xef\xbb\xbf" + body)
_body("bom_added", lambda body: body.decode().encode("utf-8-sig"))
_body("bom_added", lambda body: b"\xef\xbb\xbf" + body, _in_lines)
_body("bom_removed", lambda body: body.removeprefix(b"\xef\xbb\xbf"), lambda body: b"\xef\xbb\xbf" + body)
_body("bom_removed", lambda body: body.decode("utf-8-sig").encode(), lambda body: body.decode().encode("utf-8-sig"))
_body("bom_removed", lambda body: body[3:], lambda body: b"\xef\xbb\xbf" + _in_lines(body))
_body("charset_changed", lambda body: body.decode().encode("latin-1"), lambda body: _latin(_with_umlaut(body)))
_body("charset_changed", lambda body: body.decode("latin-1").encode(), _with_umlaut)
_body("charset_changed", lambda body: body.decode().encode("utf-16-le"))
_body("charset_changed", lambda body: body.decode().encode("utf-16"))
_body("charset_changed", lambda body: body.decode("cp1252", "replace").encode(), lambda body: '{"a":"é"}'.encode())
_body("charset_changed", lambda body: body.decode().encode("utf-16-be"))
_body("charset_changed", lambda body: body.decode().encode("cp1252"), lambda body: '{"a":"é €"}'.encode())
_body("body_base64_encoded", base64.b64encode)
_body("body_base64_encoded", base64.encodebytes)
_body("body_base64_encoded", base64.urlsafe_b64encode)
_body("body_compressed", gzip.compress)
_body("body_compressed", zlib.compress)
_body("body_compressed", lambda body: gzip.compress(body, 1))
_body("body_compressed", lambda body: _deflated(body))
_body("body_form_encoded", lambda body: urllib.parse.urlencode({"payload": body.decode()}).encode())
_body("body_form_encoded", lambda body: urllib.parse.urlencode({"a": "1", "body": body.decode(), "z": ""}).encode())
_body("body_form_encoded", lambda body: urllib.parse.quote_plus(body.decode()).encode() + b"=")
_body("body_form_encoded", lambda body: urllib.parse.quote(body.decode()).encode())


def _deflated(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


def _latin(body: bytes) -> bytes:
    """Return a body of which all characters are Latin-1's."""
    return body.decode().encode("latin-1", "ignore").decode("latin-1").encode()


def _header(pairs: Pairs, name: str, value: str) -> Pairs:
    return [*pairs, (name, value)]


@way("body_truncated")
def _cut(trip: Trip, random: Random) -> None:
    length = str(len(trip.received))
    trip.headers.append(lambda pairs: _header(pairs, "Content-Length", length))
    trip.received = trip.received[: len(trip.received) // 2]


@way("body_truncated")
def _cut_a_little(trip: Trip, random: Random) -> None:
    length = str(len(trip.received))
    trip.headers.append(lambda pairs: _header(pairs, "content-length", length))
    trip.received = trip.received[:-7]


@way("body_truncated")
def _cut_in_environ(trip: Trip, random: Random) -> None:
    length = str(len(trip.received))
    trip.headers.append(lambda pairs: _header(pairs, "CONTENT_LENGTH", length))
    trip.received = trip.received[:10]


@way("body_empty")
def _empty(trip: Trip, random: Random) -> None:
    trip.received = b""


@way("body_empty")
def _consumed(trip: Trip, random: Random) -> None:
    length = str(len(trip.received))
    trip.headers.append(lambda pairs: _header(pairs, "Content-Length", length))
    trip.received = b""


@way("body_empty")
def _empty_in_chunks(trip: Trip, random: Random) -> None:
    trip.headers.append(lambda pairs: _header(pairs, "Transfer-Encoding", "chunked"))
    trip.received = b""


def _secret(name: str, configure: Callable[[str], str | bytes], sign: Callable[[str], str] | None = None) -> None:
    """Register a way in which the configured secret differs from the one that signed."""

    def configured(trip: Trip, random: Random) -> None:
        if sign is not None:
            trip.secret = sign(trip.secret)
        trip.configured = configure(trip.secret)

    way(name)(configured)


_secret("secret_whitespace", lambda secret: f"{secret}\n".encode())
_secret("secret_whitespace", lambda secret: f" {secret}".encode())
_secret("secret_whitespace", lambda secret: f"{secret}\r\n".encode())
_secret("secret_whitespace", lambda secret: secret.strip(), lambda secret: f"{secret}\n")
_secret("secret_whitespace", lambda secret: f"{secret}\u00a0".encode())
_secret("secret_whitespace", lambda secret: f"\ufeff{secret}".encode())
_secret("secret_whitespace", lambda secret: f"{secret[:9]}\n{secret[9:]}".encode())
_secret("secret_quoted", lambda secret: f'{secret}",')
_secret("secret_quoted", lambda secret: f'"{secret}"')
_secret("secret_quoted", lambda secret: f"'{secret}'")
_secret("secret_quoted", lambda secret: secret.strip('"'), lambda secret: f'"{secret}"')
_secret(
    "secret_decoded", lambda secret: base64.b64decode(secret), lambda secret: base64.b64encode(secret.encode()).decode()
)
_secret("secret_decoded", lambda secret: bytes.fromhex(secret), lambda secret: secret.encode().hex())
_secret(
    "secret_decoded",
    lambda secret: base64.urlsafe_b64decode(secret),
    lambda secret: base64.urlsafe_b64encode(f"?~{secret}".encode()).decode(),
)
_secret("secret_encoded", lambda secret: base64.b64encode(secret.encode()).decode())
_secret("secret_encoded", lambda secret: base64.b64encode(base64.b64encode(secret.encode())).decode())
_secret("secret_encoded", lambda secret: secret.encode().hex())
_secret("secret_encoded", lambda secret: base64.b64encode(f"{secret}\n".encode()).decode())
_secret("secret_escaped", lambda secret: f"{secret}\\n")
_secret("secret_escaped", lambda secret: urllib.parse.quote(secret, safe=""), lambda secret: f"{secret}/+=")
_secret("secret_escaped", lambda secret: secret.replace("&", "&amp;"), lambda secret: f"{secret}&x")
_secret("secret_escaped", lambda secret: json.dumps(secret)[1:-1], lambda secret: f'{secret}"\\q')


@way("other_secret")
def _other(trip: Trip, random: Random) -> None:
    trip.configured, trip.others = "the secret of this endpoint", ["a third one", trip.secret]


@way("other_secret")
def _first_other(trip: Trip, random: Random) -> None:
    trip.configured, trip.others = "the secret of this endpoint", [trip.secret]


@way("other_secret")
def _previous_other(trip: Trip, random: Random) -> None:
    trip.configured, trip.others = "k" * 40, [trip.secret, "l" * 40, "m" * 40]


def _layout(name: str, layout: Callable[[bytes, bytes], bytes]) -> None:
    def laid_out(trip: Trip, random: Random) -> None:
        trip.layout = layout

    way(name)(laid_out)


_layout("order_swapped", lambda body, time: time + body)
_layout("order_swapped", lambda body, time: b"".join([time, body]))
_layout("order_swapped", lambda body, time: bytes(bytearray(time) + body))
_layout("separator_added", lambda body, time: body + b"." + time)
_layout("separator_added", lambda body, time: body + b":" + time)
_layout("separator_added", lambda body, time: body + b"|" + time)
_layout("separator_added", lambda body, time: body + b"-" + time)


def _time(name: str, signed: Callable[[int], str], header: Callable[[int], str] = str) -> None:
    def timed(trip: Trip, random: Random) -> None:
        trip.signed_time, trip.header_time = signed(NOW), header(NOW)

    way(name)(timed)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


_time("timestamp_reformatted", lambda seconds: f"{seconds}000")
_time("timestamp_reformatted", lambda seconds: _moment(seconds).isoformat())
_time("timestamp_reformatted", lambda seconds: f"{float(seconds)}")
_time("timestamp_reformatted", lambda seconds: _moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ"))
_time("timestamp_in_milliseconds", lambda seconds: f"{seconds}123", lambda seconds: f"{seconds}123")
_time("timestamp_in_milliseconds", str, lambda seconds: f"{seconds}000")
_time("timestamp_in_milliseconds", str, lambda seconds: f"{seconds}987")
_time("timestamp_iso", str, lambda seconds: _moment(seconds).isoformat())
_time("timestamp_iso", lambda seconds: _moment(seconds).isoformat(), lambda seconds: _moment(seconds).isoformat())
_time("timestamp_iso", str, lambda seconds: _moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _spelling(name: str, spell: Callable[[bytes], str]) -> None:
    def spelled(trip: Trip, random: Random) -> None:
        trip.spell = spell

    way(name)(spelled)


def _urlsafe(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac).decode()


_spelling("hex_of_base64", lambda mac: base64_text(mac).encode().hex())
_spelling("hex_of_base64", lambda mac: base64_text(mac).encode().hex().upper())
_spelling("hex_of_base64", lambda mac: base64.b16encode(base64.b64encode(mac)).decode())
_spelling("base64_of_hex", lambda mac: base64_text(mac.hex().encode()))
_spelling("base64_of_hex", lambda mac: base64_text(mac.hex().upper().encode()))
_spelling("base64_of_hex", lambda mac: base64_text(base64.b16encode(mac)))
_spelling("signature_urlsafe", lambda mac: _urlsafe(mac).rstrip("="))
_spelling("signature_urlsafe", lambda mac: urllib.parse.quote(base64_text(mac), safe=""))
_spelling("signature_urlsafe", lambda mac: _urlsafe(mac).replace("=", "%3D"))
_spelling("signature_prefixed", lambda mac: "sha256=" + mac.hex())
_spelling("signature_prefixed", lambda mac: "v1," + base64_text(mac))
_spelling("signature_prefixed", lambda mac: "HMAC-SHA256 " + base64_text(mac))
_spelling("signature_prefixed", lambda mac: "sha256: " + base64_text(mac))
_spelling("signature_prefixed", lambda mac: "0x" + mac.hex())
_spelling("signature_quoted", lambda mac: f"b'{base64_text(mac)}'")
_spelling("signature_quoted", lambda mac: f"<{base64_text(mac)}>")
_spelling("signature_truncated", lambda mac: base64_text(mac)[:30] + "...")
_spelling("signature_truncated", lambda mac: base64_text(mac)[:40])
_spelling("signature_truncated", lambda mac: mac.hex()[:32])
_spelling("signature_truncated", lambda mac: base64_text(mac)[:-1])
_spelling("signature_quoted", lambda mac: f'"{base64_text(mac)}"')
_spelling("signature_quoted", lambda mac: f"'{mac.hex()}'")
_spelling("signature_quoted", lambda mac: json.dumps(base64_text(mac)))


def _clock(name: str, offset: int) -> None:
    def moved(trip: Trip, random: Random) -> None:
        trip.now = NOW + offset

    way(name)(moved)


for _seconds in (901, 3_600, 80_000):
    _clock("clock_ahead", _seconds)
    _clock("clock_behind", -_seconds)
for _days in (2, 30, 400):
    _clock("replayed_late", _days * 86_400)


def _headers(name: str, change: Callable[[Pairs], Pairs]) -> None:
    def changed(trip: Trip, random: Random) -> None:
        trip.headers.append(change)

    way(name)(changed)


def _renamed(rename: Callable[[str], str]) -> Callable[[Pairs], Pairs]:
    return lambda pairs: [(rename(name) if name in (TIMESTAMP, SIGNATURE) else name, value) for name, value in pairs]


_headers("header_missing", lambda pairs: [pair for pair in pairs if pair[0] != SIGNATURE])
_headers("header_missing", lambda pairs: [pair for pair in pairs if pair[0] != TIMESTAMP])
_headers("header_missing", lambda pairs: [pair for pair in pairs if pair[0] not in (SIGNATURE, TIMESTAMP)])
_headers("header_renamed", _renamed(lambda name: f"X-{name}"))
_headers("header_renamed", _renamed(lambda name: name.replace("-", "_")))
_headers("header_renamed", _renamed(lambda name: name.replace("LTK-", "Listrak-")))
_headers("header_repeated", lambda pairs: [*pairs, pairs[-1]])
_headers("header_repeated", lambda pairs: [(name, f"{value}, {value}") for name, value in pairs])
_headers("header_repeated", lambda pairs: [*pairs[:-1], (SIGNATURE, f"{pairs[-1][1]},{pairs[-1][1]}")])

ALIKE: Sequence[set[str]] = (
    {"newline_removed", "whitespace_trimmed"},
    {"newline_removed", "separator_added"},
    {"signature_truncated", "signature_urlsafe"},
    {"line_endings_changed", "body_reserialized"},
    {"secret_quoted", "secret_escaped"},
    {"secret_whitespace", "secret_escaped"},
)
"""Names of which either is true of some of the same bytes."""
