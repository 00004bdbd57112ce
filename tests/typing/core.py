"""What users write without a framework; type checkers must have nothing to say about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal, TypedDict

from listrak_webhooks import (
    BodyTooLargeError,
    Cart,
    ConfigurationError,
    Event,
    FutureTimestampError,
    LineItem,
    Order,
    Page,
    PayloadError,
    PayloadProblem,
    Product,
    StaleTimestampError,
    VerificationError,
    Webhook,
    WebhookError,
    sign,
    verify,
)
from typing_extensions import assert_type

body = b"{}"

Webhook("a secret")
Webhook(b"a secret")
Webhook(["new", b"old"])
Webhook(("new", "old"), tolerance=300, encoding="hex", max_body=1024)
Webhook("a secret", tolerance=1.5, encoding="base64")
Webhook("a secret", tolerance=timedelta(minutes=5), encoding="any")
Webhook("a secret", clock=time.time)
Webhook("a secret", clock=lambda: 1_700_000_000)
names: list[str] = ["new", "old"]
Webhook(names)
Webhook("a secret", aliases={"email": ["shopper_mail"], "items": ("basket.lines",)})
assert_type(Webhook.from_env(), Webhook)
assert_type(Webhook.from_env("SHOP_SECRET", tolerance=60, encoding="hex", max_body=1), Webhook)

webhook = Webhook("a secret")
assert_type(webhook.tolerance, int)
assert_type(webhook.encoding, Literal["any", "base64", "hex"])
assert_type(webhook.max_body, int)
assert_type(webhook.clock, Callable[[], float] | None)

headers = webhook.signed_headers(body)
assert_type(headers, dict[str, str])
assert_type(webhook.sign(body), str)
assert_type(webhook.sign(bytearray(body), 1_700_000_000, encoding="hex"), str)
assert_type(webhook.sign("{}", datetime.now(timezone.utc)), str)
assert_type(webhook.signed_headers(memoryview(body), None, encoding="base64"), dict[str, str])
assert_type(sign(body, 1_700_000_000, "a secret", encoding="hex"), str)
assert_type(sign(body, datetime.now(timezone.utc), ["new", b"old"]), str)


def check() -> None:
    assert_type(webhook.verify(body, headers), Event)
    assert_type(webhook.verify(bytearray(body), headers.items(), now=1_700_000_000), Event)
    assert_type(webhook.verify(memoryview(body), [(b"ltk-timestamp", b"1700000000")], now=1.5), Event)
    assert_type(webhook.verify("{}", {"ltk-timestamp": ["1700000000"]}, now=None), Event)
    assert_type(webhook.verify_values(body, "1700000000", b"signature", now=1), Event)
    assert_type(webhook.verify_values(body, None, None), Event)
    assert_type(verify(body, headers, "a secret"), Event)
    assert_type(verify(body, headers, ["new", b"old"], now=1, tolerance=1, encoding="any", max_body=1), Event)


def read(event: Event) -> None:
    assert_type(event.body, bytes)
    assert_type(event.timestamp, int)
    assert_type(event.sent_at, datetime)
    assert_type(event.id, str)
    assert_type(event.public_id, str)
    assert_type(event.expires_at, int)
    assert_type(event.secret_index, int)
    assert_type(event.encoding, Literal["base64", "hex"])
    assert_type(event.payload, dict[str, Any])
    assert_type({event: 1}, dict[Event, int])
    assert_type(event == event, bool)  # noqa: PLR0124


@dataclass
class CartMail:
    campaign: str


class CartDict(TypedDict):
    campaign: str


def read_views(event: Event) -> None:
    assert_type(event.email, str | None)
    assert_type(event.phone, str | None)
    assert_type(event.coupons, tuple[str, ...])
    assert_type(event.items, tuple[LineItem, ...])
    assert_type(event.cart, Cart | None)
    assert_type(event.order, Order | None)
    assert_type(event.product, Product | None)
    assert_type(event.page, Page | None)
    assert_type(event.journey, Literal["cart", "order", "product", "page", "alert", "custom"])
    if event.cart is not None:
        assert_type(event.cart.total, Decimal | None)
        assert_type(event.cart.items, tuple[LineItem, ...])
        assert_type(event.cart.raw, dict[str, Any])
        assert_type(event.cart.meta, tuple[str | None, ...])
    if event.order is not None:
        assert_type(event.order.placed_at, datetime | None)
        assert_type(event.order.shipping_address, dict[str, Any])
    if event.product is not None:
        assert_type(event.product.on_sale, bool | None)
    assert_type(event.to_dict(), dict[str, Any])
    assert_type(Event.from_dict(event.to_dict()), Event)


def parse(event: Event) -> None:
    assert_type(event.parse_as(CartMail), CartMail)
    assert_type(event.parse_as(CartDict), CartDict)
    assert_type(event.parse_as(list[int]), list[int])
    try:
        event.parse_as(CartMail)
    except PayloadError as error:
        assert_type(error.problems, tuple[PayloadProblem, ...])
        assert_type(error.problems[0].path, tuple[str | int, ...])


def answer(raw_body: bytes, raw_headers: dict[str, str]) -> tuple[int, str]:
    try:
        read(webhook.verify(raw_body, raw_headers))
    except (StaleTimestampError, FutureTimestampError) as error:
        assert_type(error.skew, int)
        return error.status, error.code
    except VerificationError as error:
        assert_type(error.code, str)
        return error.status, error.code
    except (BodyTooLargeError, PayloadError) as error:
        return error.status, error.code
    except WebhookError as error:
        assert_type(error.status, int)
        return error.status, error.code
    except ConfigurationError as error:
        as_value_error: ValueError = error
        return 500, str(as_value_error)
    return 200, WebhookError.__name__
