"""A delivery, unsigned and signed, and the ways in which a signed one can be wrong."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook, sign, verify

from . import _arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from listrak_webhooks._core import Event
    from listrak_webhooks._types import Secrets, SigningEncoding

_HOUR = 3600

_FORGER = "a secret that signs no webhook"
_OTHER_FORGER = "another secret that signs no webhook"
"""Signs for a webhook whose own secret is that of the first. Neither protects anything."""


@dataclass(frozen=True)
class Delivery:
    """What Listrak would send, before it is signed: a body of any bytes.

    Args:
        body: the raw body. The builders, such as `cart`, make believable ones.

    Example:
        >>> Delivery(b'{"campaign":"vip-mailer"}')
        Delivery(body=<25 bytes>)
    """

    body: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.body, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a delivery's body is bytes, not {type(self.body).__name__}; encode it first")

    def __repr__(self) -> str:
        return f"Delivery(body=<{len(self.body)} bytes>)"

    def signed(
        self, secret: Secrets, timestamp: int | datetime | None = None, encoding: SigningEncoding = "base64"
    ) -> SignedDelivery:
        """Return the delivery as Listrak would sign it.

        Args:
            secret: as for `Webhook`; the first of several signs.
            timestamp: the sender's time, in Unix seconds or as an aware `datetime`; `None` for now.
            encoding: how the signature is written, `"base64"` or `"hex"`.

        Raises:
            ConfigurationError: the secret cannot be one.
            ValueError: the timestamp is naive or does not have ten digits.

        Example:
            >>> signed = Delivery(b"{}").signed("the HMAC secret", 1700000000)
            >>> signed.headers["LTK-Timestamp"]
            '1700000000'
        """
        if timestamp is None:
            timestamp = _clock.second()
        signature = sign(self.body, timestamp, secret, encoding=encoding)
        seconds = timestamp if isinstance(timestamp, int) else math.floor(timestamp.timestamp())
        headers = {TIMESTAMP_HEADER: str(seconds), SIGNATURE_HEADER: signature}
        return SignedDelivery(self.body, headers, seconds, encoding, secret, secret)


@dataclass(frozen=True, repr=False)
class SignedDelivery:
    """A delivery with its headers, ready to be sent. `Delivery.signed` makes it, and each method returns a new one.

    Attributes:
        body: the raw body.
        headers: `LTK-Timestamp` and `LTK-HmacSignature`, and what `with_headers` added.
        timestamp: the time at which it was signed, in Unix seconds.
        encoding: how its signature is written.
    """

    body: bytes
    headers: dict[str, str]
    timestamp: int
    encoding: SigningEncoding
    _signer: Secrets = field(compare=False)
    _receiver: Secrets = field(compare=False)

    def __post_init__(self) -> None:
        # A client, or a test, may change the dict that it gets.
        object.__setattr__(self, "headers", dict(self.headers))

    __hash__ = None  # type: ignore[assignment]  # its headers are a dict, as clients want them

    def __repr__(self) -> str:
        names = ", ".join(self.headers)
        return f"SignedDelivery(timestamp={self.timestamp}, body=<{len(self.body)} bytes>, headers=<{names}>)"

    def event(self, webhook: Webhook | None = None) -> Event:
        """Return the event that a handler would get, verified as of the delivery's own time.

        Args:
            webhook: the webhook to verify with, such as one with your `aliases`. A default one with the secret that
                signed, if you give none.

        Raises:
            VerificationError: the delivery is not genuine, because it was `forged`, say.
            TypeError: `webhook` is not a `Webhook`.

        Example:
            >>> Delivery(b'{"email":"jane@example.com"}').signed("the HMAC secret").event().email
            'jane@example.com'
        """
        if webhook is not None:
            if not isinstance(webhook, Webhook):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"webhook must be a Webhook, not {_arguments.kind_of(webhook)}")
            return webhook.verify(self.body, self.headers, now=self.timestamp)
        return verify(self.body, self.headers, self._receiver, now=self.timestamp, max_body=max(1, len(self.body)))

    def forged(self) -> SignedDelivery:
        """Return it signed by somebody who does not know the secret: 401, `signature_mismatch`."""
        forgery = self._signed_again(self.timestamp, _FORGER)
        return forgery if forgery.headers != self.headers else self._signed_again(self.timestamp, _OTHER_FORGER)

    def stale(self, seconds: int = _HOUR) -> SignedDelivery:
        """Return it as if sent `seconds` earlier, with a genuine signature: 401, `stale_timestamp`.

        Args:
            seconds: how much earlier than this one; more than the tolerance, or it is still accepted.
        """
        return self._signed_again(self.timestamp - _arguments.whole("seconds", seconds), self._signer)

    def future(self, seconds: int = _HOUR) -> SignedDelivery:
        """Return it as if sent `seconds` later, with a genuine signature: 401, `future_timestamp`.

        Args:
            seconds: how much later than this one; more than the tolerance, or it is still accepted.
        """
        return self._signed_again(self.timestamp + _arguments.whole("seconds", seconds), self._signer)

    def bit_flipped(self) -> SignedDelivery:
        """Return it with one bit of the body changed after signing: 401, `signature_mismatch`.

        Raises:
            ValueError: the body is empty.
        """
        if not self.body:
            raise ValueError("an empty body has no bit to flip; give the delivery a body")
        middle = len(self.body) // 2
        changed = bytes([self.body[middle] ^ 1])
        return replace(self, body=self.body[:middle] + changed + self.body[middle + 1 :])

    def reserialized(self) -> SignedDelivery:
        """Return it with the same JSON in other bytes, as a proxy or `json=` writes it: 401, `signature_mismatch`.

        Raises:
            ValueError: the body is not JSON.
        """
        try:
            document = json.loads(self.body)
        except ValueError:
            # The cause would show the body.
            document = None
        else:
            body = json.dumps(document).encode()
            return replace(self, body=body if body != self.body else body + b"\n")
        raise ValueError("the body is not JSON, so it cannot be serialized again; give the delivery a JSON body")

    def with_headers(self, headers: Mapping[str, str]) -> SignedDelivery:
        """Return it with other headers, or more.

        Args:
            headers: by name, in any case; each replaces the one of its name.

        Raises:
            TypeError: they are not a mapping of text.

        Example:
            >>> signed = Delivery(b"{}").signed("the HMAC secret")
            >>> list(signed.with_headers({"Content-Type": "text/plain"}).headers)
            ['LTK-Timestamp', 'LTK-HmacSignature', 'Content-Type']
        """
        replaced = {name.lower() for name in _arguments.headers(headers)}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in replaced}
        return replace(self, headers=kept | dict(headers))

    def without(self, header: str) -> SignedDelivery:
        """Return it without a header: 401, `missing_header`, if that is one of the two.

        Args:
            header: its name, in any case.

        Raises:
            TypeError: the name is not a `str`.
            ValueError: there is no such header.
        """
        if not isinstance(header, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"header must be the name of a header, not {_arguments.kind_of(header)}")
        kept = {name: value for name, value in self.headers.items() if name.lower() != header.lower()}
        if len(kept) == len(self.headers):
            raise ValueError(f"the delivery has no header {header!r}; it has {', '.join(self.headers)}")
        return replace(self, headers=kept)

    def _signed_again(self, timestamp: int, signer: Secrets) -> SignedDelivery:
        """Return it under another signature, and with the same of the two headers as before."""
        present = {name.lower() for name in self.headers}
        signed = Delivery(self.body).signed(signer, timestamp, self.encoding)
        again = {name: value for name, value in signed.headers.items() if name.lower() in present}
        return replace(self.with_headers(again), timestamp=timestamp, _signer=signer)
