"""Verify Listrak Journey Hub webhooks.

>>> from listrak_webhooks import Webhook
>>> webhook = Webhook("the HMAC secret")
>>> headers = webhook.signed_headers(b'{"campaign": "vip-mailer"}')
>>> webhook.verify(b'{"campaign": "vip-mailer"}', headers).payload["campaign"]
'vip-mailer'
"""

from ._core import Cart, Cause, Event, Explanation, LineItem, Order, Page, Product, Webhook, __version__, sign, verify
from .exceptions import (
    BodyTooLargeError,
    BodyUnavailableError,
    ConfigurationError,
    DuplicateDeliveryError,
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    PayloadError,
    PayloadProblem,
    ReplayGuardError,
    SignatureMismatchError,
    StaleTimestampError,
    VerificationError,
    WebhookError,
)

__all__ = [
    "BodyTooLargeError",
    "BodyUnavailableError",
    "Cart",
    "Cause",
    "ConfigurationError",
    "DuplicateDeliveryError",
    "Event",
    "Explanation",
    "FutureTimestampError",
    "LineItem",
    "MalformedSignatureError",
    "MalformedTimestampError",
    "MissingHeaderError",
    "Order",
    "Page",
    "PayloadError",
    "PayloadProblem",
    "Product",
    "ReplayGuardError",
    "SignatureMismatchError",
    "StaleTimestampError",
    "VerificationError",
    "Webhook",
    "WebhookError",
    "__version__",
    "sign",
    "verify",
]
