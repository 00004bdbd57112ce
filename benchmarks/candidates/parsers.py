"""What is measured: the payload alone, of a delivery that is verified already, next to the parsers of JSON.

An event keeps its payload, so each call gets an event of its own. They are verified while no time is taken.
"""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec
import orjson
import pydantic_core
from listrak_webhooks import Event, Webhook

from benchmarks.candidates.verifiers import listrak_headers
from benchmarks.deliveries import SECRET, Delivery
from benchmarks.harness.candidate import Call, Candidate

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# All of them are called through a function of one line, as ours has to be: an attribute is not a call.


def payload(event: Event) -> object:
    """Build the payload."""
    return event.payload


def email(event: Event) -> object:
    """Read the contact, without the payload."""
    return event.email


def cart(event: Event) -> object:
    """Read what a mail about a cart shows of each line."""
    assert event.cart is not None
    return [(line.sku, line.name, line.quantity, line.price, line.total) for line in event.cart.items]


def by_json(body: bytes) -> object:
    """Parse with the standard library."""
    return json.loads(body)


def by_orjson(body: bytes) -> object:
    """Parse with orjson."""
    return orjson.loads(body)


def by_msgspec(body: bytes) -> object:
    """Parse with msgspec."""
    return msgspec.json.decode(body)


def by_pydantic_core(body: bytes) -> object:
    """Parse with what Pydantic parses with."""
    return pydantic_core.from_json(body)


def _of_events(read: Callable[[Event], object], expected: Callable[[Delivery], object]) -> Callable[[Delivery], Call]:
    def prepare(delivery: Delivery) -> Call:
        webhook, body, headers = Webhook(SECRET), delivery.received, listrak_headers(delivery)

        def verified(count: int) -> list[tuple[object, ...]]:
            return [(webhook.verify(body, headers),) for _ in range(count)]

        result = expected(delivery)
        return Call(read, (), lambda actual: actual == result, verified)

    return prepare


def _of_bodies(parse: Callable[[bytes], object]) -> Callable[[Delivery], Call]:
    def prepare(delivery: Delivery) -> Call:
        body = delivery.received

        def ready(count: int) -> list[tuple[object, ...]]:
            # A tuple of its own for each call here too, so that freeing it costs the same.
            return [(body,) for _ in range(count)]

        document = _document(delivery)
        return Call(parse, (), lambda actual: actual == document, ready)

    return prepare


def _document(delivery: Delivery) -> dict[str, object]:
    document: dict[str, object] = json.loads(delivery.signed)
    return document


def _email(delivery: Delivery) -> object:
    return _document(delivery)["email"]


def _cart(delivery: Delivery) -> object:
    document: Any = _document(delivery)
    return [
        (line["sku"], line["name"], Decimal(line["quantity"]), Decimal(line["price"]), Decimal(line["total"]))
        for line in document["cart"]["items"]
    ]


def _row(name: str, prepare: Callable[[Delivery], Call], note: str = "", *, comparable: bool = True) -> Candidate:
    return Candidate(name, prepare, note=note, rejects=False, checks_time=False, comparable=comparable)


OURS = _row("listrak-webhooks, .payload", _of_events(payload, _document))
ORJSON = _row(
    f"orjson {version('orjson')}, loads",
    _of_bodies(by_orjson),
    note="less: rejects 1e400 and lone surrogates, makes floats of integers over 64 bits",
)
MSGSPEC = _row(
    f"msgspec {version('msgspec')}, json.decode",
    _of_bodies(by_msgspec),
    note="less: rejects 1e400 and lone surrogates",
)
PYDANTIC_CORE = _row(
    f"pydantic_core {version('pydantic_core')}, from_json",
    _of_bodies(by_pydantic_core),
    note="less: rejects lone surrogates; keeps short strings for the next call, as it does by default",
)
JSON = _row("json.loads", _of_bodies(by_json))
EMAIL = _row(
    "listrak-webhooks, .email",
    _of_events(email, _email),
    note="for what it is worth: email and phone, found in one pass without a payload",
    comparable=False,
)
CART = _row(
    "listrak-webhooks, .cart",
    _of_events(cart, _cart),
    note="for what it is worth: the payload, the view, and of each line sku, name, quantity, price and total",
    comparable=False,
)

PARSERS = (OURS, ORJSON, MSGSPEC, PYDANTIC_CORE, JSON, EMAIL, CART)


def of_size(items: int | None) -> tuple[Candidate, ...]:
    """Return those that have something to do in a delivery of so many items."""
    return tuple(parser for parser in PARSERS if items is not None or parser is not CART)
