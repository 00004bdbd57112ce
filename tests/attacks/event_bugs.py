"""Events and guards with a bug that is put in on purpose, for the attacks to find."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from listrak_webhooks import DuplicateDeliveryError, Event, PayloadError
from support.payloads import event_of

from .reference import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Changed:
    """An event some of whose attributes are read in another way."""

    def __init__(self, event: Event, **changes: Callable[[Event], Any]) -> None:
        self._event = event
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        if name in self._changes:
            return self._changes[name](self._event)
        return getattr(self._event, name)

    def __reduce__(self) -> Any:
        return self._event.__reduce__()

    def __eq__(self, other: object) -> bool:
        return self._event == other

    def __hash__(self) -> int:
        return hash(self._event)


def changed(**changes: Callable[[Event], Any]) -> Callable[[bytes], Any]:
    """Return what verifies a body and reads it with a bug."""
    return lambda body: Changed(event_of(body), **changes)


def payload_by(loads: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return what verifies a body and reads its payload by another function of the body."""

    def read(event: Event) -> Any:
        value = None
        with contextlib.suppress(ValueError, RecursionError):
            value = loads(event.body)
        if not isinstance(value, dict) or depth_of(value) > LEVELS:
            raise PayloadError("it is not JSON, or not an object, or too deep")
        return value

    return changed(payload=read)


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a JSON value with each value in it that holds no others changed."""
    if isinstance(value, dict):
        return {key: each(item, change) for key, item in value.items()}
    return [each(item, change) for item in value] if isinstance(value, list) else change(value)


def each_of_the_payload(change: Callable[[Any], Any]) -> Callable[[bytes], Any]:
    """Return what verifies a body and changes each value of its payload."""
    return changed(payload=lambda event: each(event.payload, change))


def first_of_a_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object in which the first of equal keys counts."""
    return dict(reversed(pairs)) if len(dict(pairs)) < len(pairs) else dict(pairs)


def depth_of(value: Any) -> int:
    """Return how many levels a JSON value has."""
    if isinstance(value, (dict, list)):
        return 1 + max((depth_of(item) for item in (value.values() if isinstance(value, dict) else value)), default=0)
    return 1


def shallow(event: Event) -> Any:
    """Return a payload that has one level less than it may."""
    payload = event.payload
    if depth_of(payload) > LEVELS - 1:
        raise PayloadError("it is too deep")
    return payload


def show_the_body(event: Event) -> Any:
    """Return the payload, or say what the body is instead."""
    with contextlib.suppress(PayloadError):
        return event.payload
    raise PayloadError(f"it is {event.body!r}")


def items_that_fail(event: Event) -> Any:
    """Return the lines, if each of them has a price."""
    lines = event.payload.get("items")
    if isinstance(lines, list):
        for line in lines:
            line["price"]
    return event.items


DIFFERENTIALS: dict[str, Callable[[bytes], Any]] = {
    "loses the sign of zero": each_of_the_payload(
        lambda value: value + 0.0 if value == 0.0 and type(value) is float else value
    ),
    "makes floats of long integers": payload_by(
        lambda body: json.loads(
            body.decode(), parse_int=lambda text: int(text) if -(2**63) <= int(text) < 2**64 else float(text)
        )
    ),
    "loses the last digits of a float": each_of_the_payload(
        lambda value: float(f"{value:.15g}") if type(value) is float else value
    ),
    "makes integers of whole floats": each_of_the_payload(
        lambda value: int(value) if type(value) is float and value.is_integer() else value
    ),
    "replaces lone surrogates": each_of_the_payload(
        lambda value: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    ),
    "rejects numbers beyond the largest float": payload_by(
        lambda body: json.loads(
            body.decode(), parse_float=lambda text: float(text) if abs(float(text)) < 1e999 else float("none")
        )
    ),
    "accepts NaN": payload_by(lambda body: json.loads(body.decode())),
    "replaces bytes that are not UTF-8": payload_by(lambda body: json.loads(body.decode("utf-8", "replace"))),
    "accepts raw control characters": payload_by(lambda body: json.loads(body.decode(), strict=False)),
    "passes over what is behind the object": payload_by(
        lambda body: json.JSONDecoder().raw_decode(body.decode().lstrip())[0]
    ),
    "takes other white space": payload_by(lambda body: json.loads(body.decode().strip())),
    "keeps the first of equal keys": payload_by(
        lambda body: json.loads(body.decode(), object_pairs_hook=first_of_a_key)
    ),
    "sorts the keys": changed(payload=lambda event: dict(sorted(event.payload.items()))),
    "takes one level less": changed(payload=shallow),
    "shows the body": changed(payload=show_the_body),
    "finds the address by a plain key only": changed(email=lambda event: event.payload.get("email") or None),
    "fails on a line without a price": changed(items=items_that_fail),
}


class Guard:
    """A guard in memory, in plain Python and right."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.states: dict[str, str] = {}

    @contextlib.contextmanager
    def handle(self, event: Event) -> Generator[bool, None, None]:
        """Return the context in which an event is handled."""
        if not self.claim(event.id):
            yield False
            return
        try:
            yield True
        except BaseException:
            self.release(event.id)
            raise
        self.complete(event.id)

    def claim(self, delivery: str) -> bool:
        """Claim a delivery."""
        with self.lock:
            return self.decide(self.states.setdefault(delivery, ""), delivery)

    def decide(self, state: str, delivery: str) -> bool:
        """Return whether the one that finds this state may handle the delivery."""
        if state == "held":
            raise DuplicateDeliveryError("another has it")
        if not state:
            self.states[delivery] = "held"
        return not state

    def release(self, delivery: str) -> None:
        """Give a claim back."""
        del self.states[delivery]

    def complete(self, delivery: str) -> None:
        """Remember that a delivery was handled."""
        self.states[delivery] = "handled"


class LooksAndThenWrites(Guard):
    """Another may come between the look and the claim."""

    def claim(self, delivery: str) -> bool:
        """Claim a delivery."""
        state = self.states.get(delivery, "")
        time.sleep(0)
        return self.decide(state, delivery)


class KeepsTheClaimOfAFailure(Guard):
    """A delivery whose handler fails is never handled."""

    def release(self, delivery: str) -> None:
        """Give a claim back."""


class CompletesAFailure(Guard):
    """A delivery whose handler fails counts as handled."""

    release = Guard.complete


class ForgetsWhatWasHandled(Guard):
    """A delivery can be handled again when it has been."""

    complete = Guard.release


CLAIMS: list[type[Guard]] = [LooksAndThenWrites, KeepsTheClaimOfAFailure, CompletesAFailure, ForgetsWhatWasHandled]
