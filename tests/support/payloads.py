"""What the tests of payloads share: made-up bodies, and what the views of any event may be."""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listrak_webhooks import Cart, Event, LineItem, Order, Page, Product, Webhook

from support.helpers import NOW, SENT, sign_like_listrak

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = b"payload-secret"
WEBHOOK = Webhook(SECRET, max_body=16 * 1024 * 1024)

BODIES: dict[str, dict[str, Any]] = json.loads(Path(__file__).parents[1].joinpath("data", "bodies.json").read_text())
"""One for each kind of journey, by its name; made up, not observed."""

OPTIONAL_TEXT = (str, type(None))
OPTIONAL_NUMBER = (Decimal, type(None))
OPTIONAL_FLAG = (bool, type(None))

_ITEM: dict[str, Any] = dict.fromkeys(
    ["sku", "name", "image_url", "link_url", "brand", "category", "sub_category", "size", "color"], OPTIONAL_TEXT
) | dict.fromkeys(["price", "sale_price"], OPTIONAL_NUMBER)

ATTRIBUTES: dict[type, dict[str, Any]] = {
    LineItem: _ITEM | dict.fromkeys(["quantity", "total"], OPTIONAL_NUMBER) | {"meta": tuple},
    Cart: dict.fromkeys(["link", "stage", "source"], OPTIONAL_TEXT)
    | {"total": OPTIONAL_NUMBER, "items": tuple, "meta": tuple},
    Order: dict.fromkeys(
        ["number", "status", "source", "currency", "customer_number", "tracking_number", "shipping_method"],
        OPTIONAL_TEXT,
    )
    | {"placed_at": (datetime, type(None))}
    | dict.fromkeys(["total", "item_total", "tax_total", "shipping_total", "handling_total"], OPTIONAL_NUMBER)
    | {"items": tuple, "shipping_address": dict, "billing_address": dict, "meta": tuple},
    Product: _ITEM
    | dict.fromkeys(["description", "master_sku", "style", "gender"], OPTIONAL_TEXT)
    | dict.fromkeys(["msrp", "stock"], OPTIONAL_NUMBER)
    | dict.fromkeys(["on_sale", "in_stock", "discontinued"], OPTIONAL_FLAG)
    | {"meta": tuple},
    Page: {"url": OPTIONAL_TEXT, "data": object},
}
"""Every attribute of every view, but for `raw`, and what it may be."""

JOURNEYS = {"cart", "order", "product", "page", "alert", "custom"}


def event_of(body: bytes | dict[str, Any], webhook: Webhook = WEBHOOK) -> Event:
    """Return the event of a delivery with this body, signed without the code under test."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return webhook.verify_values(raw, SENT, sign_like_listrak(SECRET, raw, SENT).hex(), now=NOW)


def views_of(event: Event) -> dict[str, Any]:
    """Return every view of an event, having seen that each is of a documented type."""
    assert isinstance(event.email, OPTIONAL_TEXT)
    assert isinstance(event.phone, OPTIONAL_TEXT)
    assert event.email != ""
    assert event.phone != ""
    assert event.journey in JOURNEYS
    assert all(isinstance(coupon, str) and coupon for coupon in event.coupons)
    views = {"cart": event.cart, "order": event.order, "product": event.product, "page": event.page}
    for view in [*views.values(), *event.items]:
        if view is not None:
            check_types(view)
    return {
        **views,
        "email": event.email,
        "phone": event.phone,
        "coupons": event.coupons,
        "items": event.items,
        "journey": event.journey,
    }


def check_types(view: Any) -> None:
    """See that each attribute of a view is of its documented type."""
    assert isinstance(view.raw, dict)
    for name, kind in ATTRIBUTES[type(view)].items():
        assert isinstance(getattr(view, name), kind), name
    if "meta" in ATTRIBUTES[type(view)]:
        assert len(view.meta) == 5
        assert all(isinstance(text, OPTIONAL_TEXT) for text in view.meta)
    for item in getattr(view, "items", ()):
        check_types(item)


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+", name)]


SPELLINGS: dict[str, Callable[[str], str]] = {
    "camelCase": lambda name: "".join(
        word if not index else word.capitalize() for index, word in enumerate(_words(name))
    ),
    "PascalCase": lambda name: "".join(word.capitalize() for word in _words(name)),
    "snake_case": lambda name: "_".join(_words(name)),
    "lower case": lambda name: " ".join(_words(name)),
    "lowercase": lambda name: "".join(_words(name)),
    "KEBAB-CASE": lambda name: "-".join(_words(name)).upper(),
}
"""The ways in which the same names are written."""


def spelled(value: Any, spell: Callable[[str], str]) -> Any:
    """Return a JSON value with all its keys written in one way."""
    if isinstance(value, dict):
        return {spell(key): spelled(item, spell) for key, item in value.items()}
    return [spelled(item, spell) for item in value] if isinstance(value, list) else value
