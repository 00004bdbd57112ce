"""A delivery that can be sent again, and its event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.deliveries import Delivery, signed
from support.guards import WEBHOOK
from support.helpers import BODY

if TYPE_CHECKING:
    from listrak_webhooks import Event


def delivery() -> Delivery:
    """Return a delivery that can be sent again, byte for byte."""
    return Delivery(headers=signed(BODY))


def event_in(sent: Delivery) -> Event:
    """Return the event of a delivery."""
    return WEBHOOK.verify(sent.body, sent.headers or {})
