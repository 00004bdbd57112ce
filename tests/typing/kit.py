"""What users write with the test kit; type checkers must have nothing to say about it."""

from collections.abc import Generator
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from flask import Flask
from listrak_webhooks import Event, Webhook
from listrak_webhooks.replay import DjangoCacheReplayGuard, MemoryReplayGuard, SqliteReplayGuard
from listrak_webhooks.testing import (
    Clock,
    Delivery,
    Sender,
    SignedDelivery,
    alert,
    cart,
    custom,
    fail_store,
    line,
    order,
    page,
    product,
    stop_clock,
)

deliveries: list[Delivery] = [
    cart(total="89.98", email=None, items=[line(sku="A-1", price=Decimal("9.99"), quantity=2), {"sku": 7}]),
    cart(set={"cart.meta1": "x", "own": [1, None]}, style="pascal", seed=7, meta=["a", None]),
    order(number="0531435151", placed_at=datetime.now(timezone.utc), shipping_address={"city": "Lititz"}),
    product(price=19.99, on_sale=True, stock=45),
    alert(alert_type="BackInStock", sku="A-1"),
    page(url="/sale", data={"season": "summer"}),
    custom(campaign="vip-mailer", points=120, email="jane@example.com"),
    Delivery(body=b"any bytes"),
]


@pytest.fixture
def clock() -> Generator[Clock, None, None]:
    """Stop the time."""
    with stop_clock(1700000000) as stopped:
        yield stopped


@pytest.mark.listrak(secret=["the new one", "the old one"], now=1700000000)
def test_endpoint(listrak: Sender, listrak_clock: Clock) -> None:
    """What the fixtures give."""
    client = Flask(__name__).test_client()
    status: int = listrak.send(client, deliveries[0], path="/listrak").status_code
    listrak.check(client, "/listrak", delivery=deliveries[1])
    listrak_clock.move(60)
    listrak_clock.at(datetime.now(timezone.utc))
    assert status


async def test_asynchronous(listrak: Sender, client: object) -> None:
    """What is awaited."""
    await listrak.asend(client, cart(), path="/listrak")
    await listrak.acheck(client, path="/listrak")


def spoil(webhook: Webhook) -> list[SignedDelivery]:
    """Return each kind of fault."""
    signed = cart().signed("a secret", 1700000000, encoding="hex")
    event: Event = signed.event(webhook)
    assert event.email
    return [
        signed.forged(),
        signed.stale(seconds=901),
        signed.future(),
        signed.bit_flipped(),
        signed.reserialized(),
        signed.with_headers({"Content-Type": "text/plain"}).without("content-type"),
    ]


def test_stores() -> None:
    """Guards of each kind."""
    for guard in (MemoryReplayGuard(), SqliteReplayGuard("deliveries.db"), DjangoCacheReplayGuard()):
        with fail_store(guard):
            pass
