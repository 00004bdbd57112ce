"""What the package must say, by the standard library alone: `hmac`, `base64`, `json` and a dict.

Nothing here is fast, clever or shared with the code under test.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hmac
import json
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCEPTED = "accepted"
TYPE_ERROR = "TypeError"
OWN_EXCEPTION = "the container's own exception"

REACHED_THE_MAC = (ACCEPTED, "SignatureMismatchError", "StaleTimestampError", "FutureTimestampError")
"""The outcomes of deliveries whose MAC was computed."""

LEVELS = 201
DIGITS = 4300

TOO_DEEP = "nested too deep"
TOO_LONG = "an integer of too many digits"


class Receiver(NamedTuple):
    """What a webhook is made with."""

    secrets: tuple[bytes, ...]
    tolerance: int = 900
    encoding: str = "any"
    max_body: int = 4 * 1024 * 1024


class Verdict(NamedTuple):
    """What is to come of a delivery, and how it must be described."""

    outcome: str
    skew: int = 0
    mac: bytes = b""
    secret_index: int = 0
    encoding: str = ""


def verdict(  # noqa: PLR0911 -- one for each step
    receiver: Receiver, body: bytes, timestamp: Any, signature: Any, now: float
) -> Verdict:
    """Return the verdict on a delivery: size, presence, timestamp, signature, MAC and time window, in this order."""
    if len(body) > receiver.max_body:
        return Verdict("BodyTooLargeError")
    if not timestamp or not signature:
        return Verdict("MissingHeaderError")
    timestamp, signature = raw(timestamp), raw(signature)
    if not re.fullmatch(rb"[1-9][0-9]{9}", timestamp):
        return Verdict("MalformedTimestampError")
    claimed, encoding = claimed_mac(signature)
    if claimed is None or receiver.encoding not in {"any", encoding}:
        return Verdict("MalformedSignatureError")
    macs = [hmac.digest(secret, body + timestamp, "sha256") for secret in receiver.secrets]
    if claimed not in macs:
        return Verdict("SignatureMismatchError")
    age = math.floor(now) - int(timestamp)
    if abs(age) > receiver.tolerance:
        # A skew fits 64 bits, however absurd the clock.
        return Verdict("StaleTimestampError" if age > 0 else "FutureTimestampError", min(abs(age), 2**63 - 1))
    return Verdict(ACCEPTED, 0, claimed, macs.index(claimed), encoding)


def claimed_mac(text: bytes) -> tuple[bytes | None, str]:
    """Return what `text` spells and in which encoding: canonical base64 or hex of 32 bytes, else None."""
    if re.fullmatch(rb"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text.decode()), "hex"
    try:
        mac = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None, ""
    return (mac, "base64") if len(mac) == 32 and base64.b64encode(mac) == text else (None, "")


def raw(value: Any) -> bytes:
    """Return what a text or bytes, of any subclass, really hold."""
    if isinstance(value, str):
        return str.encode(value, "utf-8", "surrogatepass")
    return bytes.__getitem__(value, slice(None))


class Rejected(Exception):  # noqa: N818 -- it is an outcome
    """What comes of headers that hold no two single values."""


NAMES = {b"ltk-timestamp": "MalformedTimestampError", b"ltk-hmacsignature": "MalformedSignatureError"}
"""The two names in lower case, and what comes of a header that came twice."""

ENVIRON_NAMES = {b"HTTP_LTK_TIMESTAMP": b"ltk-timestamp", b"HTTP_LTK_HMACSIGNATURE": b"ltk-hmacsignature"}


def header_values(pairs: Iterable[tuple[Any, Any]], *, environ: bool) -> tuple[Any, Any]:
    """Return the timestamp and the signature in pairs of names and values.

    Args:
        pairs: all that the container holds.
        environ: whether the names may be those of a WSGI environ, as they may in every mapping.

    Raises:
        Rejected: they are not there, or not once, or not text.
    """
    found: dict[bytes, list[Any]] = {name: [] for name in NAMES}
    for name, value in pairs:
        if isinstance(name, (str, bytes)) and value is not None:
            plain = raw(name)
            # `bytes.lower` changes ASCII letters and nothing else.
            plain = ENVIRON_NAMES.get(plain, plain.lower()) if environ else plain.lower()
            if plain in found:
                found[plain].append(value)
    timestamp, signature = (_single(name, found[name]) for name in NAMES)
    return timestamp, signature


def _single(name: bytes, values: list[Any]) -> Any:
    # A header of the request, and then what a list that a container keeps for a name holds.
    for _ in range(2):
        if len(values) != 1:
            raise Rejected(NAMES[name] if values else "MissingHeaderError")
        (value,) = values
        if not isinstance(value, (list, tuple)):
            break
        values = [*value]
    if value is None:
        raise Rejected("MissingHeaderError")
    if not isinstance(value, (str, bytes)):
        raise Rejected(TYPE_ERROR)
    if not raw(value):
        raise Rejected("MissingHeaderError")
    return value


def payload(body: bytes) -> tuple[dict[str, Any] | None, str]:  # noqa: PLR0911 -- one for each reason
    """Return what `json` makes of the object in `body`, within the stated limits; else None and why not."""
    try:
        value = json.loads(without_mark(body).decode("utf-8"), parse_constant=_reject)
    except UnicodeDecodeError:
        return None, "not UTF-8"
    except json.JSONDecodeError:
        return None, "not JSON"
    except _ConstantError:
        return None, "NaN or an infinity"
    except RecursionError:
        return None, TOO_DEEP
    except ValueError:
        return None, TOO_LONG
    if not isinstance(value, dict):
        return None, "not an object"
    if body.count(b"[") + body.count(b"{") >= LEVELS and _levels(body) > LEVELS:
        return None, TOO_DEEP
    return value, ""


def without_mark(body: bytes) -> bytes:
    """Return the body behind a byte order mark, which a reader may pass over (RFC 8259, section 8.1)."""
    return body.removeprefix(codecs.BOM_UTF8)


def beyond_the_limits(body: bytes) -> Any:
    """Return what the payload would be without limits; integers that are too long for them are left out."""
    return json.loads(
        body.removeprefix(codecs.BOM_UTF8), parse_int=lambda text: int(text) if len(text) <= DIGITS else None
    )


class _ConstantError(ValueError):
    """NaN or an infinity, which `json` accepts by default."""


def _reject(constant: str) -> NoReturn:
    raise _ConstantError(constant)


class _Fields(list[Any]):
    """The values of an object, those that a repeated key hides included."""


def _levels(body: bytes) -> int:
    """Return how many levels the JSON in `body` has: a value is one level below what holds it."""
    levels = 0
    rest: list[Any] = [
        json.loads(
            body.removeprefix(codecs.BOM_UTF8), object_pairs_hook=lambda pairs: _Fields(value for _, value in pairs)
        )
    ]
    while rest:
        levels += 1
        # An empty container is a level, and so is a key, which never comes without a value.
        rest = [inner for value in rest if isinstance(value, list) for inner in value]
    return levels
