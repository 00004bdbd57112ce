"""What several test files share: the known answers, and a signer that owes nothing to the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from listrak_webhooks import WebhookError

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks import Event

NOW = 1_700_000_000
SENT = str(NOW)
SECRET = "listrak-test-secret"
OTHER_SECRET = "another account's secret"
VARIABLE = "LISTRAK_WEBHOOK_SECRET"
"""The variable of the environment, and the setting, that a secret is taken from."""
BODY = b'{"campaign":"vip-mailer","email":"jane@example.com"}'

TESTS = Path(__file__).parents[1]
PATIENCE = 20.0
"""Seconds after which something that must not hang is taken to hang."""

TIMESTAMP = "LTK-Timestamp"
SIGNATURE = "LTK-HmacSignature"


def spelled(value: object) -> str:
    """Return the name of a test's parameter, which is the same in each process that collects the tests."""
    return re.sub(r" at 0x[0-9a-f]+", "", ascii(value))


class Vector(NamedTuple):
    """One known answer."""

    secret: str
    timestamp: str
    body: bytes
    mac: bytes


def sign_like_listrak(secret: bytes, body: bytes, timestamp: str) -> bytes:
    """Return the MAC as Listrak's article computes it: over the body followed directly by the timestamp's text."""
    return hmac.new(secret, body + timestamp.encode("ascii"), hashlib.sha256).digest()


def base64_of(mac: bytes) -> str:
    """Return `mac` as Listrak's Python and C# samples write it."""
    return base64.b64encode(mac).decode("ascii")


def headers_for(body: bytes = BODY, timestamp: str = SENT, secret: str = SECRET) -> dict[str, str]:
    """Return the two headers of a genuine delivery, made without the code under test."""
    mac = sign_like_listrak(secret.encode("utf-8"), body, timestamp)
    return {TIMESTAMP: timestamp, SIGNATURE: base64_of(mac)}


def verdict_of(verify: Callable[[], Event]) -> Event | WebhookError:
    """Return what `verify` returns or, where it rejects, the rejection; anything else it raises passes through."""
    try:
        return verify()
    except WebhookError as rejection:
        return rejection


def same(left: object, right: object) -> bool:
    """Whether the two are equal in every type, in the order of their keys and in each bit of their floats."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return [*left] == [*right] and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack(">d", left) == struct.pack(">d", right)
    return left == right


def _read_vectors() -> list[Vector]:
    text = TESTS.joinpath("data", "vectors.json").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = json.loads(text)["vectors"]
    vectors = []
    for entry in entries:
        body = bytes.fromhex(entry["body_hex"]) if "body_hex" in entry else entry["body"].encode("utf-8")
        mac = base64.b64decode(entry["base64"], validate=True)
        if "hex" in entry and bytes.fromhex(entry["hex"]) != mac:
            message = f"the two spellings of a known answer differ: {entry}"
            raise ValueError(message)
        vectors.append(Vector(entry["secret"], entry["timestamp"], body, mac))
    return vectors


VECTORS = _read_vectors()
