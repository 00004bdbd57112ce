"""What is measured: ways to verify a delivery and read it, from the raw bytes to the email address or the document."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec
import orjson
from listrak_webhooks import PayloadError, VerificationError, Webhook

from benchmarks.candidates.verifiers import KEY, by_hand, listrak_headers, listrak_sample
from benchmarks.deliveries import SECRET, Delivery
from benchmarks.harness.candidate import Call, Candidate

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Read = Callable[[bytes, dict[str, str]], object]


class Rejected(Exception):  # noqa: N818 -- it says what became of a delivery
    """The delivery is not genuine, by one of the ways that only return a `bool`."""


class Contact(msgspec.Struct):
    """All that one who wants the address alone would have msgspec read."""

    email: str


# Each is a one-line function around a call that verifies; none pays for a wrapper that another does not have.


def _ours_email(delivery: Delivery) -> Call:
    webhook = Webhook(SECRET)

    def read(body: bytes, headers: dict[str, str]) -> object:
        return webhook.verify(body, headers).email

    return _email(delivery, read)


def _ours_payload(delivery: Delivery) -> Call:
    webhook = Webhook(SECRET)

    def read(body: bytes, headers: dict[str, str]) -> object:
        return webhook.verify(body, headers).payload

    return _document(delivery, read)


def _by_hand_email(delivery: Delivery) -> Call:
    def read(body: bytes, headers: dict[str, str]) -> object:
        if not by_hand(body, headers, KEY):
            raise Rejected
        return orjson.loads(body)["email"]

    return _email(delivery, read)


def _by_hand_struct(delivery: Delivery) -> Call:
    contact = msgspec.json.Decoder(Contact)

    def read(body: bytes, headers: dict[str, str]) -> object:
        if not by_hand(body, headers, KEY):
            raise Rejected
        return contact.decode(body).email

    return _email(delivery, read)


def _by_hand_payload(delivery: Delivery) -> Call:
    def read(body: bytes, headers: dict[str, str]) -> object:
        if not by_hand(body, headers, KEY):
            raise Rejected
        return orjson.loads(body)

    return _document(delivery, read)


def _sample_email(delivery: Delivery) -> Call:
    def read(body: bytes, headers: dict[str, str]) -> object:
        if not listrak_sample(body, headers, SECRET):
            raise Rejected
        return json.loads(body)["email"]

    return _email(delivery, read)


def _sample_payload(delivery: Delivery) -> Call:
    def read(body: bytes, headers: dict[str, str]) -> object:
        if not listrak_sample(body, headers, SECRET):
            raise Rejected
        return json.loads(body)

    return _document(delivery, read)


def _email(delivery: Delivery, read: Read) -> Call:
    # Of the body that arrives, so that a candidate that reads a tampered one and does not reject it is found out.
    email = _loaded(delivery)["email"]
    return Call(read, (delivery.received, listrak_headers(delivery)), lambda result: result == email)


def _document(delivery: Delivery, read: Read) -> Call:
    document = _loaded(delivery)
    return Call(read, (delivery.received, listrak_headers(delivery)), lambda result: result == document)


def _loaded(delivery: Delivery) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(delivery.received)
    return document


ERRORS = (VerificationError, PayloadError)
ORJSON = f"orjson {version('orjson')}"
MSGSPEC = f"msgspec {version('msgspec')}"

OURS_EMAIL = Candidate("listrak-webhooks, verify and .email", _ours_email, ERRORS)
BY_HAND_EMAIL = Candidate(f"by hand: hmac.digest, {ORJSON}", _by_hand_email, (Rejected,))
BY_HAND_STRUCT = Candidate(
    f"by hand: hmac.digest, {MSGSPEC}",
    _by_hand_struct,
    (Rejected,),
    note="less: knows one name, `email` at the top level, into a Struct that has nothing else",
)
SAMPLE_EMAIL = Candidate("Listrak's Python sample, json.loads", _sample_email, (Rejected,))

OURS_PAYLOAD = Candidate("listrak-webhooks, verify and .payload", _ours_payload, ERRORS)
BY_HAND_PAYLOAD = Candidate(f"by hand: hmac.digest, {ORJSON}", _by_hand_payload, (Rejected,))
SAMPLE_PAYLOAD = Candidate("Listrak's Python sample, json.loads", _sample_payload, (Rejected,))

EMAIL_READERS = (OURS_EMAIL, BY_HAND_STRUCT, BY_HAND_EMAIL, SAMPLE_EMAIL)
PAYLOAD_READERS = (OURS_PAYLOAD, BY_HAND_PAYLOAD, SAMPLE_PAYLOAD)
