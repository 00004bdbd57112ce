"""Verify Listrak Journey Hub webhooks.

>>> from listrak_webhooks import Webhook
>>> webhook = Webhook("the HMAC secret")
>>> headers = webhook.signed_headers(b'{"campaign": "vip-mailer"}')
>>> webhook.verify(b'{"campaign": "vip-mailer"}', headers).payload["campaign"]
'vip-mailer'
"""

from ._core import Event, Webhook, sign, verify
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
    ReplayGuardError,
    SignatureMismatchError,
    StaleTimestampError,
    VerificationError,
    WebhookError,
)

__all__ = [
    "BodyTooLargeError",
    "BodyUnavailableError",
    "ConfigurationError",
    "DuplicateDeliveryError",
    "Event",
    "FutureTimestampError",
    "MalformedSignatureError",
    "MalformedTimestampError",
    "MissingHeaderError",
    "PayloadError",
    "ReplayGuardError",
    "SignatureMismatchError",
    "StaleTimestampError",
    "VerificationError",
    "Webhook",
    "WebhookError",
    "sign",
    "verify",
]
