"""The test kit: believable signed deliveries for the tests of an endpoint.

>>> from listrak_webhooks.testing import cart
>>> event = cart(email="jane@example.com").signed("the HMAC secret").event()
>>> event.journey, event.email
('cart', 'jane@example.com')
"""

from .builders import Delivery, SignedDelivery, alert, cart, custom, line, order, page, product
from .clock import Clock, stop_clock
from .sender import Sender
from .stores import fail_store

__all__ = [
    "Clock",
    "Delivery",
    "Sender",
    "SignedDelivery",
    "alert",
    "cart",
    "custom",
    "fail_store",
    "line",
    "order",
    "page",
    "product",
    "stop_clock",
]
