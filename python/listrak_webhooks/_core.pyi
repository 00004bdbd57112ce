# Generated from the Rust source by `make stub`; edit that.
"""
What `import listrak_webhooks._core` finds.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Any, final

from listrak_webhooks._types import AcceptedEncoding, Clock, Headers, Secrets, SigningEncoding, SigningTime, Tolerance

__all__ = ["Event", "MemoryClaim", "MemoryReplayGuard", "Webhook", "sign", "verify"]

@final
class Event:
    """
    A delivery that is proven genuine.

    Only `verify` makes one. It is immutable, hashable and equal by `id`; its `repr` shows no personal data.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> webhook = Webhook("the HMAC secret")
        >>> body = b'{"campaign": "vip-mailer"}'
        >>> event = webhook.verify(body, webhook.signed_headers(body))
        >>> event.payload
        {'campaign': 'vip-mailer'}
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __repr__(self, /) -> str: ...
    @property
    def body(self, /) -> bytes:
        """
        The raw body, byte for byte as it was received.
        """
    @property
    def encoding(self, /) -> str:
        """
        How the signature header was written: `"base64"` or `"hex"`.
        """
    @property
    def expires_at(self, /) -> int:
        """
        The last second, in Unix seconds, at which this delivery can still pass the time window.
        """
    @property
    def id(self, /) -> str:
        """
        The delivery's identity: its MAC in lower-case hex, whatever the header's spelling was.

        Listrak sends no delivery id; header text is no identity, because one MAC has several spellings.
        """
    @property
    def payload(self, /) -> dict[str, Any]:
        """
        The JSON object in the body, built on first use and then kept.

        It is what `json.loads` gives: integers exact, up to 4,300 digits; floats to the bit; the last of duplicate
        keys. What RFC 8259 forbids, such as NaN, trailing data or a byte order mark, is an error, and so is nesting
        deeper than 201 levels, the outermost object being the first and a number or a string counting as one.

        Raises:
            PayloadError: the body is not a JSON object; `body` still holds it.
        """
    @property
    def secret_index(self, /) -> int:
        """
        Which of the webhook's secrets matched: 0 is the current one.
        """
    @property
    def sent_at(self, /) -> datetime:
        """
        The sender's time, as an aware `datetime` in UTC.
        """
    @property
    def timestamp(self, /) -> int:
        """
        The sender's time, in Unix seconds.
        """

@final
class MemoryClaim:
    """
    The handling of one delivery: a context, for `with` and for `async with`.
    """
    def __aenter__(self, /) -> Awaitable[bool]:
        """
        Do what `with` does, for `async with`.
        """
    def __aexit__(
        self, /, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: object
    ) -> Awaitable[None]:
        """
        Do what `with` does, for `async with`.
        """
    def __enter__(self, /) -> bool:
        """
        Claim the delivery; return whether it is the caller's to handle.
        """
    def __exit__(self, /, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: object) -> None:
        """
        Complete the claim, or give it back where there is an exception, which passes on.
        """

@final
class MemoryReplayGuard:
    """
    Lets each delivery be handled once in this process, and forgets nothing too early.

    It is for one process: several workers, and a worker that is started again, know nothing of each other. It never
    waits, so it serves `with` and `async with` alike.

    Args:
        max_entries: how many deliveries can be remembered; a million by default, which takes about 100 MB when they are
            there. When it is full of deliveries that could still be sent again, new ones are refused.
        lease: the seconds after which a claim may be taken over by another try, where its handler neither came to an
            end nor failed; longer than a handler ever takes.
        fail_open: handle deliveries all the same when it is full, though they may be handled twice then.
        clock: returns Unix seconds; for tests. The system's by default.

    Raises:
        ConfigurationError: an argument cannot be right.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> from listrak_webhooks.replay import MemoryReplayGuard
        >>> webhook, guard = Webhook("the HMAC secret"), MemoryReplayGuard()
        >>> event = webhook.verify(b"{}", webhook.signed_headers(b"{}"))
        >>> for _ in range(2):
        ...     with guard.handle(event) as first:
        ...         print(first)
        True
        False
    """
    def __len__(self, /) -> int: ...
    def __new__(
        cls, /, max_entries: int = ..., *, lease: float = ..., fail_open: bool = False, clock: Clock | None = None
    ) -> MemoryReplayGuard: ...
    def __repr__(self, /) -> str: ...
    def handle(self, /, event: Event) -> MemoryClaim:
        """
        Return the context in which `event` is handled, for `with` and for `async with`.

        In it the value is true for whoever is to handle the delivery, and false where that has been done. Leaving the
        block completes the claim, and an exception gives it back, so that the delivery may come again.

        Args:
            event: a delivery, fresh from `verify`.

        Raises:
            DuplicateDeliveryError: on entering, while another handles it.
            ReplayGuardError: on entering, when the guard is full.
        """

@final
class Webhook:
    """
    One webhook integration: its secrets, and how its deliveries are taken.

    Validated once, keyed once, immutable, and safe to share between threads and across `fork`.

    Args:
        secret: the HMAC Secret exactly as Listrak shows it, as `str` (its UTF-8 bytes are the key) or `bytes`; or a
            sequence of them while the secret is being rotated, the current one first.
        tolerance: how many seconds the sender's clock may be behind or ahead of ours, as a number or a `timedelta`;
            900 by default, the example in Listrak's article. 0 means the same second. Fractions of a second are
            dropped. At most 365 days; it cannot be switched off.
        encoding: `"any"` (the default) takes signatures in base64 and in hex, `"base64"` and `"hex"` only the one.
            Listrak's article shows both.
        max_body: the largest body that is looked at, in bytes; 4 MiB by default.

    Raises:
        ConfigurationError: an argument cannot be right, such as an empty secret or one with white space around it.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> Webhook(["the new secret", "the old secret"], tolerance=300)
        Webhook(<2 secrets>, tolerance=300, encoding='any', max_body=4194304)
    """
    def __copy__(self, /) -> Webhook: ...
    def __deepcopy__(self, /, _memo: Any) -> Webhook: ...
    def __new__(
        cls, /, secret: Secrets, *, tolerance: Tolerance = ..., encoding: AcceptedEncoding = ..., max_body: int = ...
    ) -> Webhook: ...
    def __repr__(self, /) -> str: ...
    def check_size(self, /, size: int) -> None:
        """
        Refuse a body of `size` bytes that is over `max_body`, before it is read.

        Args:
            size: any int, such as what a stranger wrote as the `Content-Length`.

        Raises:
            BodyTooLargeError: it is.

        Example:
            >>> Webhook("the HMAC secret").check_size(int("49"))
        """
    @property
    def encoding(self, /) -> str:
        """
        Which signature encodings are taken: `"any"`, `"base64"` or `"hex"`.
        """
    @staticmethod
    def from_env(
        name: str = "LISTRAK_WEBHOOK_SECRET",
        *,
        tolerance: Tolerance = ...,
        encoding: AcceptedEncoding = ...,
        max_body: int = ...,
    ) -> Webhook:
        """
        Return a Webhook with the secret in an environment variable.

        Args:
            name: the variable of the current secret. Where `<name>_PREVIOUS` is set too and not empty, it is the old
                one, still accepted during a rotation.
            tolerance, encoding, max_body: as for `Webhook`.

        Raises:
            ConfigurationError: the variable is unset or empty, or what it holds cannot be a secret.

        Example:
            >>> import os
            >>> os.environ["LISTRAK_WEBHOOK_SECRET"] = "the HMAC secret"
            >>> Webhook.from_env(tolerance=300)
            Webhook(<1 secret>, tolerance=300, encoding='any', max_body=4194304)
        """
    @property
    def max_body(self, /) -> int:
        """
        The largest body that is looked at, in bytes.
        """
    def sign(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        timestamp: SigningTime = ...,
        *,
        encoding: SigningEncoding = ...,
    ) -> str:
        """
        Return the signature of `body` at `timestamp` under the current secret, as Listrak would send it.

        Args:
            body: the raw body.
            timestamp: Unix seconds, an aware `datetime`, or `None` for now.
            encoding: `"base64"` (the default) or `"hex"`.

        Raises:
            ValueError: the timestamp is naive or does not have ten digits.

        Example:
            >>> Webhook("listrak-test-secret").sign(b"", 1700000000)
            'ZNPNaIR3QhCCVQS1ScxUbgxBs6aqmgLEvAur6HNq+Ys='
        """
    def signed_headers(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        timestamp: SigningTime = ...,
        *,
        encoding: SigningEncoding = ...,
    ) -> dict[str, str]:
        """
        Return the two headers of a delivery of `body`, signed as `sign` does.

        Example:
            >>> Webhook("listrak-test-secret").signed_headers(b"", 1700000000)["LTK-Timestamp"]
            '1700000000'
        """
    @property
    def tolerance(self, /) -> int:
        """
        How many seconds the sender's clock may be behind or ahead of ours.
        """
    def verify(
        self, /, body: bytes | bytearray | memoryview | str, headers: Headers, *, now: float | None = None
    ) -> Event:
        """
        Return the `Event` in a delivery that is genuine and timely; raise for every other.

        Nothing in the body is looked at before the signature has matched. The checks come in this order: size,
        headers present and single, timestamp, signature, MAC, time window; so a stale or future error is only ever
        about a genuine delivery.

        Args:
            body: the raw request body, byte for byte; `bytes` are not copied.
            headers: the request's headers as the framework gives them: any mapping, in any case, whose values are
                `str`, `bytes` or one-element lists; pairs, as ASGI has them; a WSGI environ or Django's `META`.
            now: our own time in Unix seconds, for checking an old capture; the system's clock by default.

        Raises:
            VerificationError: it is not genuine, or not timely; each reason has its own subclass.
            BodyTooLargeError: it is larger than `max_body`.
            TypeError: an argument is of the wrong type, such as parsed JSON for the body.

        Example:
            >>> webhook = Webhook("example-hmac-secret")
            >>> webhook.verify(
            ...     b'{"email":"jane@example.com","phone":"17175559636"}',
            ...     {
            ...         "LTK-Timestamp": "1700000000",
            ...         "LTK-HmacSignature": "P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=",
            ...     },
            ...     now=1700000060,
            ... )
            Event(id=3f4d27c4..., timestamp=1700000000, body=<49 bytes>)
        """
    def verify_values(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        timestamp: str | bytes | None,
        signature: str | bytes | None,
        *,
        now: float | None = None,
    ) -> Event:
        """
        Do what `verify` does, for callers that hold the two header values.

        Args:
            body: as for `verify`.
            timestamp: the value of `LTK-Timestamp` as it was received; `None` if it was not.
            signature: the value of `LTK-HmacSignature` as it was received; `None` if it was not.
            now: as for `verify`.

        Raises:
            VerificationError, BodyTooLargeError, TypeError: as `verify`.
        """

def sign(
    body: bytes | bytearray | memoryview | str,
    timestamp: SigningTime,
    secret: Secrets,
    *,
    encoding: SigningEncoding = ...,
) -> str:
    """
    Sign one body in one call, as Listrak would.

    Args:
        body, timestamp, encoding: as for `Webhook.sign`.
        secret: as for `Webhook`; the first of several signs.

    Raises:
        ValueError: as `Webhook.sign`.
        ConfigurationError: as `Webhook`.
    """

def verify(
    body: bytes | bytearray | memoryview | str,
    headers: Headers,
    secret: Secrets,
    *,
    now: float | None = None,
    tolerance: Tolerance = ...,
    encoding: AcceptedEncoding = ...,
    max_body: int = ...,
) -> Event:
    """
    Verify one delivery in one call. Where there are many, make a `Webhook` once and use its `verify`.

    Args:
        body, headers, now: as for `Webhook.verify`.
        secret, tolerance, encoding, max_body: as for `Webhook`.

    Raises:
        VerificationError, BodyTooLargeError, TypeError: as `Webhook.verify`.
        ConfigurationError: as `Webhook`.
    """
