"""The deliveries that are measured: made up, realistic, and the same on every run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SECRET = "kQ2vX8rT5nW1zB7mC4hJ9pL3sD6fG0aY"  # noqa: S105 -- nobody's: made up here
"""The HMAC Secret under which everything is signed, as long as the real ones look."""

ITEMS = {"150 B": None, "1.2 kB": 3, "7 kB": 22, "145 kB": 465}
"""How many items there are in the cart of each size; `None` is a delivery without a cart."""


@dataclass(frozen=True)
class Delivery:
    """What a receiver has in its hands, and what the sender signed."""

    signed: bytes
    """The body that the sender signed."""
    received: bytes
    """The body that arrives: the same object, unless it was tampered with."""
    timestamp: int
    """The sender's Unix seconds."""

    @property
    def ordinary_headers(self) -> dict[str, str]:
        """What comes with any request through a proxy, besides the sender's own headers."""
        return {
            "Host": "shop.example.com",
            "User-Agent": "Mozilla/5.0 (compatible; webhooks/1.0)",
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(self.received)),
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Proto": "https",
            "X-Request-Id": "5f0c8e0e-6d0b-4c8e-9d52-0b7a3b8c1f42",
        }


def genuine(body: bytes, timestamp: int) -> Delivery:
    """Return a delivery that every verifier must accept while `timestamp` is the current time."""
    return Delivery(body, body, timestamp)


def tampered(body: bytes, timestamp: int) -> Delivery:
    """Return one whose body was changed on the way, by one letter: still valid JSON of the same length."""
    return Delivery(body, body.replace(b"example.com", b"exbmple.com", 1), timestamp)


def body(items: int | None) -> bytes:
    """Return the JSON of an abandoned cart of `items` items, in UTF-8; `None` is a small message without a cart."""
    document: dict[str, Any] = {
        "campaign": "browse-reminder" if items is None else "abandoned-cart",
        "email": "jane.doe@example.com",
        "phone": "17175559636",
        "firstName": "Jane",
        "lastName": "Doe",
        "couponCodes": ["WELCOME10-7F3K"],
    }
    if items is not None:
        lines = [_item(number) for number in range(1, items + 1)]
        document["cart"] = {
            "cartLink": "https://www.example.com/cart/restore?token=8c1f420b7a3b",
            "source": "web",
            "total": f"{sum(float(line['total']) for line in lines):.2f}",
            "items": lines,
        }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _item(number: int) -> dict[str, Any]:
    quantity = number % 3 + 1
    price = 1299 + number * 737 % 9000
    return {
        "sku": f"{number * 7919 % 1_000_000:06d}-{'SML'[number % 3]}",
        "name": f"Waxed canvas weekender {number}",
        "imageUrl": f"https://cdn.example.com/images/products/{number * 7919 % 1_000_000:06d}/main.jpg",
        "linkUrl": f"https://www.example.com/products/waxed-canvas-weekender-{number}",
        "brand": "Harbor & Pine",
        "category": "Bags",
        "size": "SML"[number % 3],
        "color": ("forest green", "navy", "tan")[number % 3],
        "quantity": quantity,
        "price": f"{price / 100:.2f}",
        "total": f"{quantity * price / 100:.2f}",
    }
