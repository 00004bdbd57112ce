"""The payload of a body, and what `json.loads` makes of the same text."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from listrak_webhooks import Event, PayloadError, Webhook

from support.helpers import NOW, SENT, sign_like_listrak

DIGITS = 4300

# Rust strings cannot hold a lone surrogate, so a body with one takes the way over Python's own parser.
SURROGATE = rb'"surrogate":"\ud800"'

WEBHOOK = Webhook(b"payload-secret", max_body=16 * 1024 * 1024)


def genuine(body: bytes) -> Event:
    """Return the event of a genuine delivery with this body."""
    return WEBHOOK.verify_values(body, SENT, sign_like_listrak(b"payload-secret", body, SENT).hex(), now=NOW)


def payload_of(body: bytes) -> dict[str, Any]:
    """Return the payload of a genuine delivery with this body."""
    return genuine(body).payload


def reject(constant: str) -> NoReturn:
    """Reject a constant that is not JSON."""
    raise ValueError(constant)


def reference(body: bytes) -> dict[str, Any] | None:
    """Return what the contract says the payload is, by Python's `json` alone; None is a rejection.

    A byte order mark in front is passed over, as `json.loads` does with bytes.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=reject)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def rejection_of(body: bytes) -> PayloadError:
    """Return why a genuine body has no payload."""
    event = genuine(body)
    assert event.body == body
    with pytest.raises(PayloadError) as caught:
        _ = event.payload
    return caught.value
