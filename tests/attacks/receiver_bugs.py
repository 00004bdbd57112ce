"""Receivers with a bug that is put in on purpose: what a hasty receiver gets wrong, and the attacks have to find.

Each is the package itself, but for one point.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import TYPE_CHECKING, Any

from listrak_webhooks import (
    Event,
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    SignatureMismatchError,
    StaleTimestampError,
    VerificationError,
)
from support.payloads import event_of

from . import reference
from .forgeries import mac_of, make_webhook
from .hostile import Explosion, ItemsOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    from .reference import Receiver

    Make = Callable[[Receiver], Any]


class Asked:
    """A delivery that a receiver with a bug is asked about."""

    def __init__(self, receiver: Receiver, body: Any, timestamp: Any, signature: Any, now: float) -> None:
        self.receiver = receiver
        self.body = body.encode() if isinstance(body, str) else bytes(body)
        self.timestamp = timestamp
        self.signature = signature
        self.now = now

    @property
    def claimed(self) -> bytes:
        """The MAC that the signature spells."""
        return reference.claimed_mac(reference.raw(self.signature))[0] or b""

    def macs(self, between: bytes = b"") -> list[bytes]:
        """Return the right MACs, or those with something between body and timestamp."""
        message = self.body + between + reference.raw(self.timestamp)
        return [mac_of(secret, message) for secret in self.receiver.secrets]


class Wrapped:
    """A webhook whose verdicts are changed by the functions that it is made with.

    Args:
        receiver: what is asked for.
        is_really: what is made instead.
        change: changes a delivery before it is verified.
        forgive: says whether a rejection is one that the bug accepts; or raises another.
        doubt: says whether the bug rejects what was accepted, by the exception that it returns.
    """

    def __init__(
        self,
        receiver: Receiver,
        is_really: Callable[[Receiver], Receiver] = lambda receiver: receiver,
        change: Callable[[Asked], None] = lambda _: None,
        forgive: Callable[[Asked, VerificationError], bool] = lambda *_: False,
        doubt: Callable[[Asked, Event], Exception | None] = lambda *_: None,
    ) -> None:
        self._receiver = receiver
        self._webhook = make_webhook(is_really(receiver))
        self._change, self._forgive, self._doubt = change, forgive, doubt

    def verify(self, body: Any, headers: Any, *, now: float) -> Any:
        """Verify a delivery by what holds its two headers, in this order."""
        pairs = headers.items() if isinstance(headers, dict) else headers
        return self.verify_values(body, *(value for _, value in pairs), now=now)

    def verify_values(self, body: Any, timestamp: Any, signature: Any, *, now: float) -> Any:
        """Verify a delivery."""
        asked = Asked(self._receiver, body, timestamp, signature, now)
        self._change(asked)
        try:
            verdict = self._webhook.verify_values(asked.body, asked.timestamp, asked.signature, now=now)
        except VerificationError as error:
            verdict = error
        # Not in the `except`, so that what is raised here carries nothing else.
        if isinstance(verdict, VerificationError):
            if self._forgive(asked, verdict):
                return event_of(b"{}")
            raise verdict
        doubt = self._doubt(asked, verdict)
        if doubt is not None:
            raise doubt
        return verdict


def bug(**how: Any) -> Make:
    """Return what makes a webhook with a bug."""
    return lambda receiver: Wrapped(receiver, **how)


def trim(asked: Asked) -> None:
    """Take white space off the timestamp."""
    asked.timestamp = asked.timestamp and asked.timestamp.strip()


def read_a_number(asked: Asked) -> None:
    """Take for the timestamp what `int` reads."""
    with contextlib.suppress(ValueError, TypeError):
        asked.timestamp = str(int(asked.timestamp))


def decode_leniently(asked: Asked) -> None:
    """Decode base64 as `b64decode` does by default."""
    if asked.signature and len(asked.signature) < 60:
        with contextlib.suppress(binascii.Error, ValueError):
            asked.signature = base64.b64encode(base64.b64decode(asked.signature))


def drop_stray_bits(asked: Asked) -> None:
    """Decode base64 strictly, but for the bits behind the last byte."""
    if asked.signature and len(asked.signature) == 44:
        with contextlib.suppress(binascii.Error, ValueError):
            asked.signature = base64.b64encode(base64.b64decode(asked.signature, validate=True))


def take_the_other_alphabet(asked: Asked) -> None:
    """Take `-` and `_` for `+` and `/`."""
    if isinstance(asked.signature, str):
        asked.signature = asked.signature.translate({45: "+", 95: "/"})


def encode_as_ascii(asked: Asked) -> None:
    """Fail on a header that is not ASCII."""
    for value in (asked.timestamp, asked.signature):
        if isinstance(value, str):
            value.encode("ascii")


def look_at_the_clock_first(asked: Asked, error: VerificationError) -> bool:
    """Call old what is forged and old."""
    if isinstance(error, SignatureMismatchError) and int(asked.timestamp) < asked.now - asked.receiver.tolerance:
        raise StaleTimestampError("it is old", 1)
    return False


def show_the_mac(asked: Asked, error: VerificationError) -> bool:
    """Say what the signature should have been."""
    if isinstance(error, SignatureMismatchError):
        raise SignatureMismatchError(f"not {asked.macs()[0].hex()}")
    return False


def is_mismatch(error: VerificationError) -> bool:
    """Whether the MAC was the reason."""
    return isinstance(error, SignatureMismatchError)


def is_upper_case(asked: Asked, event: Event) -> Exception | None:
    """Reject hex in upper case."""
    signature = reference.raw(asked.signature)
    return MalformedSignatureError("case") if event.encoding == "hex" and signature != signature.lower() else None


FORGERIES: dict[str, Make] = {
    "trims the timestamp": bug(change=trim),
    "reads the timestamp as a number": bug(change=read_a_number),
    "takes a timestamp of any number of digits": bug(
        forgive=lambda asked, error: (
            isinstance(error, MalformedTimestampError) and asked.timestamp.isdigit() and asked.claimed in asked.macs()
        )
    ),
    "decodes base64 leniently": bug(change=decode_leniently),
    "takes base64 that is not canonical": bug(change=drop_stray_bits),
    "takes the URL-safe alphabet": bug(change=take_the_other_alphabet),
    "rejects hex in upper case": bug(doubt=is_upper_case),
    "compares all bytes of the MAC but the last": bug(
        forgive=lambda asked, error: is_mismatch(error) and asked.claimed[:31] in {mac[:31] for mac in asked.macs()}
    ),
    "compares all bits of the MAC but the last": bug(
        forgive=lambda asked, error: (
            is_mismatch(error)
            and any(mac[:31] == asked.claimed[:31] and mac[31] ^ asked.claimed[31] < 2 for mac in asked.macs())
        )
    ),
    "takes an empty key": bug(
        forgive=lambda asked, error: (
            is_mismatch(error) and asked.claimed == mac_of(b"", asked.body + reference.raw(asked.timestamp))
        )
    ),
    "takes a dot between body and timestamp": bug(
        forgive=lambda asked, error: is_mismatch(error) and asked.claimed in asked.macs(b".")
    ),
    "does not sign the timestamp": bug(
        forgive=lambda asked, error: (
            is_mismatch(error) and asked.claimed in [mac_of(secret, asked.body) for secret in asked.receiver.secrets]
        )
    ),
    "takes the future": bug(forgive=lambda _, error: isinstance(error, FutureTimestampError)),
    "is lenient by a second": bug(
        forgive=lambda asked, error: (
            isinstance(error, StaleTimestampError) and error.skew == asked.receiver.tolerance + 1
        )
    ),
    "is strict by a second": bug(
        doubt=lambda asked, event: (
            StaleTimestampError("it is old", asked.receiver.tolerance) if int(asked.now) == event.expires_at else None
        )
    ),
    "looks at the clock first": bug(forgive=look_at_the_clock_first),
    "forgets the pinned encoding": bug(is_really=lambda receiver: receiver._replace(encoding="any")),
    "forgets the size limit": bug(is_really=lambda receiver: receiver._replace(max_body=2**40)),
    "forgets the other secrets": bug(is_really=lambda receiver: receiver._replace(secrets=receiver.secrets[:1])),
    "fails on what is not ASCII": bug(change=encode_as_ascii),
    "shows the MAC": bug(forgive=show_the_mac),
}


class Reading:
    """A webhook that changes the pairs in a list or a dict before it reads them."""

    def __init__(self, receiver: Receiver, change: Callable[[list[Any]], list[Any]]) -> None:
        self._webhook = make_webhook(receiver)
        self._change = change

    def verify(self, body: Any, headers: Any, *, now: float) -> Any:
        """Verify a delivery by its headers."""
        if type(headers) is list and all(type(pair) is tuple and len(pair) == 2 for pair in headers):
            headers = self._change(headers)
        elif type(headers) is dict:
            pairs = self._change([*headers.items()])
            headers = ItemsOnly("items", lambda: pairs)
        return self._webhook.verify(body, headers, now=now)


def reading(change: Callable[[Any, Any], tuple[Any, Any]]) -> Make:
    """Return what makes a webhook that changes each pair."""
    return lambda receiver: Reading(receiver, lambda pairs: [change(name, value) for name, value in pairs])


def last_of_a_name(pairs: list[Any]) -> list[Any]:
    """Keep the last of several headers of a name."""
    return [*{key_of(pair[0]): pair for pair in pairs}.values()]


def first_of_a_name(pairs: list[Any]) -> list[Any]:
    """Keep the first of several headers of a name."""
    return last_of_a_name(pairs[::-1])


def key_of(name: Any) -> Any:
    """Return what a name has in common with others."""
    return reference.raw(name).lower() if type(name) in {str, bytes} else id(name)


class Swallowing(Reading):
    """A webhook that takes whatever a container raises for a missing header."""

    def verify(self, body: Any, headers: Any, *, now: float) -> Any:
        """Verify a delivery by its headers."""
        try:
            return super().verify(body, headers, now=now)
        except Explosion:
            raise MissingHeaderError("it is not there") from None


def folded(name: Any) -> Any:
    """Return plain text as it is compared in all languages; other objects as they are."""
    return name.casefold() if type(name) is str and name.casefold().startswith("ltk") else name


CONTAINERS: dict[str, Make] = {
    "takes the last of two headers": lambda receiver: Reading(receiver, last_of_a_name),
    "takes the first of two headers": lambda receiver: Reading(receiver, first_of_a_name),
    "takes underscores for dashes": reading(
        lambda name, value: (name.replace("_", "-") if type(name) is str and name[:3].lower() == "ltk" else name, value)
    ),
    "folds the case of other scripts": reading(lambda name, value: (folded(name), value)),
    "takes the first of a list": reading(
        lambda name, value: (name, value[0] if type(value) in {list, tuple} and value else value)
    ),
    "takes a number for its digits": reading(lambda name, value: (name, str(value) if type(value) is int else value)),
    "asks text what it says of itself": reading(
        lambda name, value: (name, str(value) if isinstance(value, str) else value)
    ),
    "fails on names that are not text": reading(lambda name, value: (name.upper(), value)),
    "passes over bytes": lambda receiver: Reading(
        receiver, lambda pairs: [pair for pair in pairs if not isinstance(pair[0], bytes)]
    ),
    "takes an empty header for a malformed one": reading(
        lambda name, value: (name, "?" if type(value) in {str, bytes} and not value else value)
    ),
    "swallows what a container raises": lambda receiver: Swallowing(receiver, lambda pairs: pairs),
}
