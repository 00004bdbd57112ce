"""The body of a WSGI request, read within its limits and its deadline, whatever the server.

PEP 3333 leaves open how a body without a `Content-Length` ends. So each server's own way is known here, once.
"""

from __future__ import annotations

import io
import tempfile
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from listrak_webhooks.exceptions import BodyTooLargeError, WebhookError

from .body import (
    DRAIN_BYTES,
    DRAIN_SECONDS,
    Body,
    body_late,
    body_unreadable,
    check_size,
    missing_body,
    parse_content_length,
)
from .deadline import BodyDeadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._core import Webhook

PIECE = 64 * 1024


class SupportsRead(Protocol):
    """Anything with the `read` of a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""
        ...


class Framing(NamedTuple):
    """Where the body of a request ends.

    One of three is true: `length` is its length; or it `is_terminated`, so that the server's stream ends with it; or
    nobody knows.
    """

    length: int | None
    is_terminated: bool
    is_chunked: bool

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Framing:
        """Return how the body of the request in `environ` is framed.

        Raises:
            BodyUnavailableError: its length is not a number.
        """
        length = parse_content_length(environ.get("CONTENT_LENGTH"))
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        is_terminated = bool(environ.get("wsgi.input_terminated"))
        if is_chunked and is_terminated:
            # The chunks rule (RFC 9112, section 6.3).
            return cls(None, is_terminated=True, is_chunked=True)
        if length is not None:
            # Also that of a chunked body which a server in front has gathered and counted, as nginx does for uWSGI.
            return cls(length, is_terminated=False, is_chunked=is_chunked)
        is_whole = is_terminated or (is_chunked and _ends_by_itself(environ.get("wsgi.input")))
        return cls(None, is_terminated=is_whole, is_chunked=is_chunked)


def _ends_by_itself(stream: object) -> bool:
    """Return whether a stream is known to end with the body, though the server does not say so."""
    # The body was gathered first: by asgiref, Hypercorn, Tornado and the like.
    if isinstance(stream, io.BytesIO | tempfile.SpooledTemporaryFile | io.BufferedRandom):
        return True
    # a2wsgi's stream ends where the messages of ASGI do.
    return type(stream).__module__.partition(".")[0] == "a2wsgi"


class Limits(NamedTuple):
    """How large a body may be, and how long it may take."""

    webhook: Webhook
    """Its `max_body` is one limit."""
    framework_limit: int | None
    """The framework's own is the other, in bytes; `None` if it has none."""
    framework_setting: str
    """What sets the framework's."""
    seconds: float

    def check(self, size: int) -> None:
        """Reject a body of `size` bytes that is too large.

        Raises:
            BodyTooLargeError: it is.
        """
        check_size(self.webhook, size, self.framework_limit, self.framework_setting)

    @property
    def most(self) -> int:
        """The lower of the two limits, in bytes."""
        ours = self.webhook.max_body
        return ours if self.framework_limit is None else min(ours, self.framework_limit)


def read_body(environ: dict[str, Any], limits: Limits, read: Callable[[], bytes] | None = None) -> Body:
    """Return the body of a request.

    Args:
        environ: the request's.
        limits: its size and its time.
        read: returns the body by the framework's own means, if other code has already used the stream.

    Raises:
        BodyTooLargeError: it is over a limit. What was sent of it is thrown away, up to a bound, so that the sender
            sees the response.
        BodyUnavailableError: it did not arrive in time, or the server's reader gave up.
    """
    framing = Framing.of(environ)
    stream = environ["wsgi.input"]
    deadline = BodyDeadline(environ, limits.seconds)
    try:
        if framing.length is not None:
            limits.check(framing.length)
        with deadline:
            data = _read(stream, framing, limits) if read is None else read()
    except BodyTooLargeError:
        if read is None:
            drain(environ, stream, framing)
        raise
    except (WebhookError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001
        # A server's reader has exceptions of its own for what it cannot read.
        raise (body_late(limits.seconds) if deadline.passed else body_unreadable(error)) from None
    missing = missing_body(
        data,
        declared=framing.length,
        chunked=framing.is_chunked,
        encoding=environ.get("HTTP_CONTENT_ENCODING"),
        touched=read is not None,
    )
    if missing is not None and deadline.passed:
        raise body_late(limits.seconds)
    return Body(data, missing)


def _read(stream: SupportsRead, framing: Framing, limits: Limits) -> bytes:
    if framing.length is not None:
        return read_pieces(stream.read, framing.length)
    if not framing.is_terminated:
        return b""
    data = read_pieces(stream.read, limits.most + 1)
    limits.check(len(data))
    return data


def read_pieces(read: Callable[[int], bytes], size: int) -> bytes:
    """Return the next `size` bytes that `read` gives, or what it gave before it came back with nothing."""
    pieces: list[bytes] = []
    while size > 0 and (piece := read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def drain(environ: dict[str, Any], stream: SupportsRead, framing: Framing) -> None:
    """Read and throw away what is left of a body that is too large, up to a bound in bytes and time."""
    left = DRAIN_BYTES if framing.length is None else framing.length
    if left > DRAIN_BYTES or (framing.length is None and not framing.is_terminated):
        return
    deadline = BodyDeadline(environ, DRAIN_SECONDS)
    try:
        with deadline:
            while left > 0 and time.monotonic() < deadline.ends and (piece := stream.read(min(left, PIECE))):
                left -= len(piece)
    except Exception:  # noqa: BLE001
        # The response is the same.
        return


def put_back(environ: dict[str, Any], data: bytes) -> None:
    """Leave the body where code behind this looks for it."""
    environ["wsgi.input"] = io.BytesIO(data)
    environ["CONTENT_LENGTH"] = str(len(data))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
