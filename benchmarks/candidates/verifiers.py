"""What is measured: every way to verify a delivery that a Python receiver may have at hand.

Each candidate gets a genuine delivery in its own sender's form: the same body and the same ordinary headers, and its
own signature headers among them.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import json
import time
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING

import standardwebhooks
import stripe
import svix.webhooks
from listrak_webhooks import PayloadError, VerificationError, Webhook

from benchmarks.deliveries import SECRET, Delivery
from benchmarks.harness.candidate import Call, Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = SECRET.encode()
MESSAGE_ID = "msg_2bVq8Zr0XkYdT1nPsW5uLhC7aE4"
TOLERANCE = 900
"""Seconds; stripe's function needs one to check the time at all, and the hand-written check has the same."""


def _returned(_: object) -> bool:
    """Take any return for a yes: a no is an exception."""
    return True


def _is_true(result: object) -> bool:
    return result is True


# Ours


def _ours(delivery: Delivery) -> Call:
    webhook = Webhook(SECRET)
    return Call(webhook.verify, (delivery.received, listrak_headers(delivery)), _returned)


def _ours_and_payload(delivery: Delivery) -> Call:
    webhook = Webhook(SECRET)

    def verify_and_parse(body: bytes, headers: dict[str, str]) -> object:
        return webhook.verify(body, headers).payload

    return Call(verify_and_parse, (delivery.received, listrak_headers(delivery)), _returned)


def listrak_headers(delivery: Delivery) -> dict[str, str]:
    """Return all headers of a delivery as Listrak would send it."""
    # By Python's own hmac, not by ours, so that the two check each other.
    timestamp = str(delivery.timestamp)
    mac = hmac.digest(KEY, delivery.signed + timestamp.encode(), "sha256")
    return {
        **delivery.ordinary_headers,
        "LTK-Timestamp": timestamp,
        "LTK-HmacSignature": base64.b64encode(mac).decode(),
    }


# Python, with nothing installed


def listrak_sample(body: bytes, headers: Mapping[str, str], secret: str) -> bool:
    """Do what the Python sample in Listrak's help article does.

    A reconstruction in our own words from its documented behaviour, step for step and faults included: local time
    without a zone, no bound in the future, `int()` of whatever the header holds, a body that must be UTF-8, and a
    comparison that is not constant-time.
    """
    timestamp = headers["LTK-Timestamp"]
    sent_at = datetime.fromtimestamp(int(timestamp))  # noqa: DTZ006
    if sent_at < datetime.now() - timedelta(minutes=15):  # noqa: DTZ005
        return False
    signed = body.decode("utf-8") + timestamp
    mac = hmac.new(secret.encode("utf-8"), signed.encode("utf-8"), hashlib.sha256).digest()
    return base64.b64encode(mac).decode("utf-8") == headers["LTK-HmacSignature"]


def by_hand(body: bytes, headers: dict[str, str], key: bytes) -> bool:
    """Do the least that is safe, the fastest way Python has: no errors told apart, no hex, names in one case only."""
    timestamp = headers["LTK-Timestamp"]
    if abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    mac = hmac.digest(key, body + timestamp.encode(), "sha256")
    return hmac.compare_digest(mac, binascii.a2b_base64(headers["LTK-HmacSignature"]))


def _listrak_sample(delivery: Delivery) -> Call:
    return Call(listrak_sample, (delivery.received, listrak_headers(delivery), SECRET), _is_true)


def _by_hand(delivery: Delivery) -> Call:
    return Call(by_hand, (delivery.received, listrak_headers(delivery), KEY), _is_true)


def _digest_alone(delivery: Delivery) -> Call:
    timestamp = str(delivery.timestamp).encode()
    mac = hmac.new(KEY, delivery.signed + timestamp, hashlib.sha256).digest()
    return Call(hmac.digest, (KEY, delivery.received + timestamp, "sha256"), lambda result: result == mac)


def _loads_alone(delivery: Delivery) -> Call:
    document = json.loads(delivery.signed)
    return Call(json.loads, (delivery.received,), lambda result: result == document)


# Other senders' libraries


def _standard_webhooks(delivery: Delivery) -> Call:
    headers = _standard_headers(delivery, "webhook")
    return Call(standardwebhooks.Webhook(KEY).verify, (delivery.received, headers), _returned)


def _standard_webhooks_unparsed(delivery: Delivery) -> Call:
    headers = _standard_headers(delivery, "webhook")
    verify = functools.partial(standardwebhooks.Webhook(KEY).verify, json_parse=False)
    return Call(verify, (delivery.received, headers), _returned)


def _svix(delivery: Delivery) -> Call:
    headers = _standard_headers(delivery, "svix")
    return Call(svix.webhooks.Webhook(KEY).verify, (delivery.received, headers), _returned)


def _standard_headers(delivery: Delivery, prefix: str) -> dict[str, str]:
    sent_at = datetime.fromtimestamp(delivery.timestamp, tz=timezone.utc)
    signature = standardwebhooks.Webhook(KEY).sign(MESSAGE_ID, sent_at, delivery.signed.decode())
    return {
        **delivery.ordinary_headers,
        f"{prefix}-id": MESSAGE_ID,
        f"{prefix}-timestamp": str(delivery.timestamp),
        f"{prefix}-signature": signature,
    }


def _stripe(delivery: Delivery) -> Call:
    header = stripe.WebhookSignature.generate_signature_header(delivery.signed.decode(), SECRET, delivery.timestamp)
    # Called as its own construct_event calls it, but with our tolerance.
    return Call(stripe.WebhookSignature.verify_header, (delivery.received, header, SECRET, TOLERANCE), _is_true)


OURS = Candidate(
    f"listrak-webhooks {version('listrak-webhooks')}, verify",
    _ours,
    (VerificationError,),
)
SAMPLE = Candidate(
    "Listrak's Python sample (reconstructed)",
    _listrak_sample,
    note="less: exact-case header names, base64 only, future timestamps pass, not constant-time",
)
STANDARD_WEBHOOKS = Candidate(
    f"standardwebhooks {version('standardwebhooks')}, verify",
    _standard_webhooks,
    (standardwebhooks.WebhookVerificationError,),
    note="more: parses the JSON, as it does unless told json_parse=False",
)
STANDARD_WEBHOOKS_UNPARSED = Candidate(
    "standardwebhooks, json_parse=False",
    _standard_webhooks_unparsed,
    (standardwebhooks.WebhookVerificationError,),
    note="signs a message id too; base64 only; called through functools.partial",
)
SVIX = Candidate(
    f"svix {version('svix')}, verify",
    _svix,
    (svix.webhooks.WebhookVerificationError,),
    note="as standardwebhooks with json_parse=False, on which it is built: this version parses nothing",
)
STRIPE = Candidate(
    f"stripe {version('stripe')}, verify_header",
    _stripe,
    (stripe.SignatureVerificationError,),
    note="less: is handed its one header, so it looks up none; future timestamps pass; parses nothing",
)
BY_HAND = Candidate(
    "Python by hand: hmac.digest and checks",
    _by_hand,
    note="less: exact-case header names, base64 only, int() for a grammar, no errors told apart",
)
OURS_AND_PAYLOAD = Candidate(
    "listrak-webhooks, verify and .payload",
    _ours_and_payload,
    (VerificationError, PayloadError),
    note="more: parses the JSON, as standardwebhooks does; called through a one-line function",
    comparable=False,
)
LOADS_ALONE = Candidate(
    "json.loads alone",
    _loads_alone,
    note="not a verifier: what the parse costs in the row of standardwebhooks",
    checks_time=False,
    comparable=False,
)
DIGEST_ALONE = Candidate(
    "hmac.digest alone: the floor of Python",
    _digest_alone,
    note="less: body and timestamp already joined, nothing decoded, compared or checked",
    checks_time=False,
)

CANDIDATES = (
    OURS,
    SAMPLE,
    BY_HAND,
    STRIPE,
    SVIX,
    STANDARD_WEBHOOKS_UNPARSED,
    STANDARD_WEBHOOKS,
    OURS_AND_PAYLOAD,
    LOADS_ALONE,
    DIGEST_ALONE,
)
