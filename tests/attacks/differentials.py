"""Payload differentials: what is read from a genuine body is what `json` and a lookup in plain Python say it holds."""

from __future__ import annotations

import json
import pickle
import re
from typing import TYPE_CHECKING, Any

from listrak_webhooks import Event, PayloadError
from support.contact_reference import contact_of
from support.helpers import same
from support.payloads import event_of, views_of

from . import documents, reference
from .campaign import CHUNK, WrongError, shown

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from .campaign import Tally

VIEWS = ("email", "phone", "coupons", "items", "cart", "order", "product", "page", "journey")
PER_WRITER = 100
FRACTION = re.compile(r"-?[0-9]+\.[0-9]+")
TRAVELS = 8
"""One event in so many is sent through a queue and back."""


def run(rng: random.Random, tally: Tally, read: Callable[[bytes], Any] = event_of) -> None:
    """Have `read` verify a chunk of bodies, and compare what their events say."""
    for number in range(CHUNK):
        if number % PER_WRITER == 0:
            writer = documents.Writer(rng)
        sort, body = writer.draw()
        expected, reason = reference.payload(body)
        try:
            event = read(body)
            problem = (compare_error(event, body, reason) if expected is None else compare(rng, event, expected)) or (
                compare_travels(event, expected) if rng.random() * TRAVELS < 1 else ""
            )
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 -- a panic of the core is one
            problem = f"it came to {type(error).__name__} ({error})"
        if problem:
            raise WrongError(f"{sort}: {problem}\n    body = {shown(body)}")
        tally.add(sort, f"PayloadError ({reason})" if reason else "a payload")


def compare(rng: random.Random, event: Any, expected: dict[str, Any]) -> str:
    """Return what is wrong with a payload and its views, or nothing."""
    # Read first, the contact comes out of the bytes; read after the payload, perhaps out of that.
    if rng.random() < 0.7 and (problem := compare_contact(event, expected)):
        return problem
    if not same(event.payload, expected):
        return f"the payload is {shown(event.payload)} and should be {shown(expected)}"
    views_of(event)
    if not same(event.payload, expected):
        return "the views have changed the payload"
    return compare_contact(event, expected)


def compare_contact(event: Any, expected: dict[str, Any]) -> str:
    """Return what is wrong with the email address and the phone number, or nothing."""
    found = (event.email, event.phone)
    if is_contact(found, expected):
        return ""
    return f"the contact is {shown(found)} and should be {shown(contact_of(expected))}"


def is_contact(found: tuple[str | None, str | None], document: dict[str, Any]) -> bool:
    """Whether these are the email address and the phone number in a document."""
    email, phone = contact_of(document)
    return found[0] == email and is_same_number(found[1], phone)


def is_same_number(phone: str | None, expected: str | None) -> bool:
    """Whether the two are equal, or two texts of the same length for the same double: now and then there are two."""
    if phone is None or expected is None or phone == expected:
        return phone == expected
    are_fractions = FRACTION.fullmatch(phone) and FRACTION.fullmatch(expected)
    return bool(are_fractions) and len(phone) == len(expected) and float(phone) == float(expected)


def compare_error(event: Any, body: bytes, reason: str) -> str:
    """Return what is wrong with the rejection of a payload, or nothing."""
    read: dict[str, Any] = {}
    for name in ("payload", *VIEWS):
        try:
            read[name] = getattr(event, name)
        except PayloadError as error:  # noqa: PERF203
            if documents.MARK in str(error) or error.__cause__ or error.__context__:
                return f"the message shows part of the body, or the error another one: {error}"
    if not read or (read.keys() == {"email", "phone"} and may_have_a_contact(read, body, reason)):
        return ""
    return f"it should be a PayloadError ({reason}), and these were read: {shown(read)}"


def may_have_a_contact(read: dict[str, Any], body: bytes, reason: str) -> bool:
    """Whether a body is JSON and more than the payload takes, and its contact is this."""
    if reason not in {reference.TOO_DEEP, reference.TOO_LONG}:
        return False
    try:
        document = reference.beyond_the_limits(body)
    except RecursionError:
        # It is more than the reference takes as well.
        return True
    return isinstance(document, dict) and is_contact((read["email"], read["phone"]), document)


def compare_travels(event: Any, expected: dict[str, Any] | None) -> str:
    """Return what is wrong with an event that has been through a queue, or nothing."""
    by_json = Event.from_dict(json.loads(json.dumps(event.to_dict())))
    by_pickle: Any = pickle.loads(pickle.dumps(event))  # noqa: S301 -- our own
    for arrived in (by_json, by_pickle):
        if (arrived, arrived.body, arrived.to_dict()) != (event, event.body, event.to_dict()):
            return "another event arrives than was sent"
        if expected is not None and not same(arrived.payload, expected):
            return f"the payload that arrives is {shown(arrived.payload)}"
    return ""
