"""The ways in which `send --tamper` makes a delivery wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER

from ._sending import Outgoing

if TYPE_CHECKING:
    from listrak_webhooks._core import Webhook

AWAY_SECONDS = 3600
"""How far the time of a stale or future delivery is away, four times the usual tolerance."""


def outgoing(webhook: Webhook, body: bytes, tamper: str | None) -> list[Outgoing]:
    """Return what is sent for a body: one request, or two for a duplicate.

    Args:
        webhook: signs.
        body: the body.
        tamper: what `send --tamper` takes, or `None` for a genuine delivery.
    """
    now = int(_clock.now())
    age = {"stale": AWAY_SECONDS, "future": -AWAY_SECONDS}.get(tamper or "", 0)
    headers = webhook.signed_headers(body, now - age)
    signature = headers[SIGNATURE_HEADER]
    if tamper == "body":
        body = _with_a_bit_flipped(body)
    elif tamper == "signature":
        headers[SIGNATURE_HEADER] = ("B" if signature[0] == "A" else "A") + signature[1:]
    elif tamper == "timestamp":
        headers[TIMESTAMP_HEADER] = str(now - 1)
    elif tamper == "encoding":
        # The same MAC without its padding: 43 characters, which are neither base64 nor hex.
        headers[SIGNATURE_HEADER] = signature.rstrip("=")
    request = Outgoing(body, headers)
    return [request, request] if tamper == "duplicate" else [request]


def _with_a_bit_flipped(body: bytes) -> bytes:
    """Return another body; an empty one gets a byte."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else b"\0"
