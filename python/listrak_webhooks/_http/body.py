"""The raw body: how long it is said to be, whether all of it is there, and what is wrong if it is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from listrak_webhooks.exceptions import (
    BodyTooLargeError,
    BodyUnavailableError,
    ConfigurationError,
    MalformedSignatureError,
    MalformedTimestampError,
    SignatureMismatchError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from listrak_webhooks._core import Event, Webhook
    from listrak_webhooks._types import Headers

DEFAULT_BODY_TIMEOUT = 30.0
"""How many seconds a body may take to arrive, from the first look at it to its end."""

MAX_BODY_TIMEOUT = 24 * 60 * 60

DRAIN_BYTES = 16 * 1024 * 1024
"""How much of a body that is too large is read and thrown away.

A server that closes a connection with unread data in it resets it, and the sender, or the proxy in between, then sees
the reset and not the response.
"""

DRAIN_SECONDS = 2.0


def check_body_timeout(seconds: Any) -> float:
    """Return the user's `body_timeout`, if it is a number of seconds that a body can take.

    Raises:
        ConfigurationError: it is not.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= MAX_BODY_TIMEOUT:
        raise ConfigurationError(
            f"body_timeout must be a positive number of seconds, at most {MAX_BODY_TIMEOUT} (a day)"
        )
    return float(seconds)


class Body(NamedTuple):
    """A body, as far as the framework delivered it."""

    data: bytes
    missing: str | None = None
    """What indicates that part of it is missing, if anything does."""


def parse_content_length(text: str | None) -> int | None:
    """Return the number in a `Content-Length` header, or `None` if there is no such header.

    Raises:
        BodyUnavailableError: it is not a number (RFC 9110, section 8.6), so that nobody knows where the body ends.
    """
    # White space around a value is not part of it (RFC 9110, section 5.5), and not every server removes it.
    text = (text or "").strip(" \t")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BodyUnavailableError("the Content-Length header is not a number; look for what rewrites it on the way")
    # A longer one is beyond any limit, and `int` rejects thousands of digits.
    longest = 18
    return int(text) if len(text) <= longest else sys.maxsize


def is_encoded(encoding: str | None) -> bool:
    """Return whether a `Content-Encoding` header says that the body is compressed."""
    return (encoding or "").strip().lower() not in {"", "identity"}


COMPRESSED = {
    "gzip": b"\x1f\x8b",
    "x-gzip": b"\x1f\x8b",
    "deflate": b"\x78",
    "zstd": b"\x28\xb5\x2f\xfd",
}
"""What a body begins with as long as nobody has decompressed it; it is known of these encodings."""


def missing_body(
    data: bytes, *, declared: int | None, chunked: bool, encoding: str | None = None, touched: bool = False
) -> str | None:
    """Return what indicates that `data` is not the whole body, if anything does.

    Args:
        data: the raw body, as far as the framework delivered it.
        declared: the request's `Content-Length`, if it has one.
        chunked: whether it has a `Transfer-Encoding` instead.
        encoding: its `Content-Encoding`, if it has one. Once a layer before us has decompressed the body, the declared
            length means nothing.
        touched: whether other code is known to have used the stream before.
    """
    if declared is not None:
        if len(data) < declared and not _is_decompressed(data, encoding):
            return f"only {len(data)} of {declared} bytes of the body were left"
        return None
    if chunked and not data:
        return "the body was sent in chunks and nothing of it was left"
    if chunked and touched:
        return "the body was sent in chunks and its stream was used before"
    return None


def _is_decompressed(data: bytes, encoding: str | None) -> bool:
    if not data or encoding is None or not is_encoded(encoding):
        return False
    start = COMPRESSED.get(encoding.strip().lower())
    return start is None or not data.startswith(start)


def verify(webhook: Webhook, body: Body, headers: Headers) -> Event:
    """Return the event in a delivery, telling a body that is not whole from a wrong signature.

    Raises:
        BodyUnavailableError: the signature does not match and part of the body is missing.
        VerificationError, BodyTooLargeError: as `Webhook.verify`.
    """
    try:
        try:
            return webhook.verify(body.data, headers)
        except (MalformedTimestampError, MalformedSignatureError):
            return webhook.verify(body.data, _without_outer_space(headers))
    except SignatureMismatchError:
        # Only now: whatever happened to the body, a delivery whose signature matches is genuine.
        if body.missing is None:
            raise
        raise body_consumed(body.missing) from None


def _without_outer_space(headers: Any) -> Headers:
    """Return the headers without spaces and tabs around their values.

    They are not part of a value (RFC 9110, section 5.5), and some servers hand them on all the same. It is done only
    after the values as they are were found malformed, because hardly any have them.
    """
    if isinstance(headers, dict):
        environ: dict[object, object] = headers  # pyright: ignore[reportUnknownVariableType]
        return {name: _stripped(value) for name, value in environ.items()}
    # As pairs: another mapping may hold one name twice, and that stays an error.
    pairs: Iterable[tuple[object, object]] = headers.items() if hasattr(headers, "items") else headers
    return [(name, _stripped(value)) for name, value in pairs]


def _stripped(value: Any) -> object:
    if isinstance(value, str):
        return value.strip(" \t")
    if isinstance(value, list):
        return [_stripped(each) for each in cast("list[object]", value)]
    return value.strip(b" \t") if isinstance(value, bytes) else value


def body_consumed(fact: str) -> BodyUnavailableError:
    """Return the error for a body that is no longer available, with `fact` in front."""
    return BodyUnavailableError(
        f"{fact}: other code has read the request before this view, or the sender or the server broke off; look for a "
        "middleware or hook that reads the body, form or stream, and let it leave this route alone"
    )


def late(seconds: float) -> str:
    """Return what indicates that a body is missing if its time is over."""
    return f"the body did not arrive within {seconds:g} seconds"


def body_late(seconds: float) -> BodyUnavailableError:
    """Return the error for a body that did not arrive in time."""
    return body_consumed(late(seconds))


def body_unreadable(error: Exception) -> BodyUnavailableError:
    """Return the error for a body that the server's reader gave up on, with an exception of its own."""
    return body_consumed(f"the body ended early or was malformed ({type(error).__name__})")


def body_over_framework_limit(setting: str) -> BodyTooLargeError:
    """Return the error for a body that is over the framework's own limit, which `setting` sets."""
    return BodyTooLargeError(
        f"the body is larger than {setting} allows; raise it if Listrak really sends that much, at least for this route"
    )


def check_size(webhook: Webhook, size: int, framework_limit: int | None, framework_setting: str) -> None:
    """Reject a body of `size` bytes that is over `max_body`, or over the framework's own limit.

    Raises:
        BodyTooLargeError: it is.
    """
    if framework_limit is not None and size > framework_limit:
        raise body_over_framework_limit(framework_setting)
    webhook.check_size(size)
