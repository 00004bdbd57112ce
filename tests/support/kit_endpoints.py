"""Endpoints for the test kit to check: a fit one, written with the standard library alone, and ones with a fault."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from support.helpers import SECRET, sign_like_listrak

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOLERANCE = 900
LIMIT = 4 * 1024 * 1024
SMALL_LIMIT = 100 * 1024
DELAY = 0.1


class Response(NamedTuple):
    """What an endpoint responds with."""

    status: int
    location: str | None = None


def _decoded(signature: str, fault: str) -> bytes:
    """Return a MAC; empty if it is written in no encoding that is taken."""
    try:
        if len(signature) == 64 and fault != "base64_only":
            return bytes.fromhex(signature)
        if len(signature) == 44 and fault != "hex_only":
            return base64.b64decode(signature, validate=True)
    except ValueError:
        pass
    return b""


def _is_genuine(body: bytes, timestamp: str, signature: str, fault: str) -> bool:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) == 10):
        return False
    if fault.startswith("reserializes"):
        style: Any = {"separators": (",", ":"), "ensure_ascii": False} if fault.endswith("compactly") else {}
        try:
            body = json.dumps(json.loads(body), **style).encode()
        except (ValueError, RecursionError):
            return False
    expected = sign_like_listrak(SECRET.encode(), body, timestamp)
    return fault == "accepts_forgeries" or hmac.compare_digest(expected, _decoded(signature, fault))


def _is_odd(body: bytes) -> bool:
    try:
        return not isinstance(json.loads(body.decode()), dict)
    except (ValueError, RecursionError):
        return True


def _handled(body: bytes, fault: str) -> Response:
    if fault == "slow" and len(body) > SMALL_LIMIT:
        # One slow answer is enough, and many take their time.
        time.sleep(DELAY)
    if _is_odd(body):
        if fault == "raises":
            raise ZeroDivisionError
        if fault == "fails":
            return Response(500)
    return Response(201 if fault == "created" else 200)


def _repeats(_: bytes, __: str, signature: str, seen: set[str]) -> bool:
    """Whether a delivery comes again, for which some have a unique index and no more."""
    repeated = signature != "" and signature in seen
    seen.add(signature)
    return repeated


_LOWERED = ("ltk-timestamp", "ltk-hmacsignature")

_CARELESS: dict[str, Callable[[bytes, str, str, set[str]], bool]] = {
    "fails_without_headers": lambda _, timestamp, signature, __: not (timestamp and signature),
    "fails_on_malformed_timestamp": lambda _, timestamp, __, ___: not (timestamp or "0").isdecimal(),
    "fails_on_malformed_signature": lambda _, __, signature, ___: "%" in signature,
    "fails_when_repeated": _repeats,
    "fails_on_huge_bodies": lambda body, *_: len(body) > LIMIT - 1024,
    "fails_on_lone_surrogates": lambda body, *_: b"ud83d" in body,
}


def endpoint(fault: str = "") -> Callable[[str, bytes, Mapping[str, str]], Response]:
    """Return what responds to a method, a body and headers; with one fault, if one is named."""
    seen: set[str] = set()

    def respond(method: str, body: bytes, headers: Mapping[str, str]) -> Response:
        if method != "POST":
            return Response(200 if fault == "accepts_get" else 405)
        if fault == "redirects":
            return Response(307, "/listrak/")
        known = headers if fault == "case_sensitive" else {name.lower(): value for name, value in headers.items()}
        names = ("LTK-Timestamp", "LTK-HmacSignature") if fault == "case_sensitive" else _LOWERED
        timestamp, signature = known.get(names[0], ""), known.get(names[1], "")
        if fault in _CARELESS and _CARELESS[fault](body, timestamp, signature, seen):
            return Response(500)
        if len(body) > (SMALL_LIMIT if fault == "small_limit" else LIMIT):
            return Response(413)
        genuine = _is_genuine(body, timestamp, signature, fault)
        timely = fault == "ignores_time" or (genuine and abs(time.time() - int(timestamp)) <= TOLERANCE)
        return _handled(body, fault) if genuine and timely else Response(401)

    return respond


ODD = {"empty_body", "not_json", "json_without_object", "nul_bytes", "invalid_utf8", "byte_order_mark", "deep_json"}

FAULTS: dict[str, set[str]] = {
    "accepts_forgeries": {"forged", "body_changed", "body_reserialized", "malformed_signature", "no_signature"},
    "ignores_time": {"stale", "future"},
    "hex_only": {"genuine_base64"},
    "base64_only": {"genuine_hex"},
    "reserializes": {"genuine_base64"},
    "reserializes_compactly": {"body_reserialized"},
    "small_limit": {"large_body"},
    "created": {"genuine_base64"},
    "slow": {"time_to_answer"},
    "redirects": {"genuine_base64"},
    "fails": ODD,
    "raises": ODD,
    "accepts_get": {"get"},
}
"""What must be found, by fault: one row for one cause, however many probes fail for it."""

RARE_FAULTS: dict[str, set[str]] = {
    "case_sensitive": {"lower_case_headers"},
    "fails_without_headers": {"no_headers", "no_timestamp", "no_signature"},
    "fails_on_malformed_timestamp": {"malformed_timestamp"},
    "fails_on_malformed_signature": {"malformed_signature"},
    "fails_when_repeated": {"twice"},
    "fails_on_huge_bodies": {"huge_body"},
    "fails_on_lone_surrogates": {"lone_surrogate"},
}
"""What exactly must be found, by fault, through a client that hides nothing of it."""
