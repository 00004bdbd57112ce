"""The headers of a genuine delivery, among others."""

from __future__ import annotations

from support.helpers import SENT, SIGNATURE, TIMESTAMP, headers_for

MAC_TEXT = headers_for()[SIGNATURE]

Pairs = list[tuple[str, str]]
GENUINE: Pairs = [
    ("Host", "shop.example"),
    ("Content-Type", "application/json"),
    (TIMESTAMP, SENT),
    (SIGNATURE, MAC_TEXT),
    ("X-Forwarded-For", "192.0.2.1"),
]
