"""The body of a WSGI request, read within its limits and its deadline, whatever the server."""

from __future__ import annotations

import contextlib
import io
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from listrak_webhooks.exceptions import BodyTooLargeError, BodyUnavailableError, WebhookError

from .body import (
    DRAIN_BYTES,
    DRAIN_SECONDS,
    Body,
    body_late,
    body_unreadable,
    check_size,
    is_encoded,
    late,
    missing_body,
    parse_content_length,
)
from .deadline import BodyDeadline
from .streams import SupportsRead, chunks_of, ends_by_itself, is_gathered

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._core import Webhook

PIECE = 64 * 1024

FIRST_DATA_SECONDS = 0.2
"""How long a body that is thrown away may take to begin. A sender that has sent nothing waits for the response."""


class Framing(NamedTuple):
    """Where the body of a request is, and where it ends.

    One of three is true: `length` is its length; or it `is_terminated`, so that `stream` ends with it; or nobody knows.
    """

    stream: SupportsRead
    length: int | None
    is_terminated: bool
    is_chunked: bool
    declared: int | None
    """What `Content-Length` says. It is not the length of what a layer before us has decompressed."""
    encoding: str | None

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Framing:
        """Return how the body of the request in `environ` is framed.

        Raises:
            BodyUnavailableError: its length is not a number.
        """
        stream: SupportsRead = environ["wsgi.input"]
        declared = parse_content_length(environ.get("CONTENT_LENGTH"))
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        encoding = environ.get("HTTP_CONTENT_ENCODING")
        if declared is None and is_chunked:
            stream = chunks_of(stream) or stream
        # Chunks rule over a length (RFC 9112, section 6.3), but not over that of a chunked body which a server in front
        # has gathered and counted, as nginx does for uWSGI.
        has_own_end = declared is None or is_chunked or is_encoded(encoding)
        if has_own_end and (environ.get("wsgi.input_terminated") or ends_by_itself(stream)):
            return cls(stream, None, is_terminated=True, is_chunked=is_chunked, declared=declared, encoding=encoding)
        return cls(stream, declared, is_terminated=False, is_chunked=is_chunked, declared=declared, encoding=encoding)

    def missing(self, data: bytes, *, touched: bool) -> str | None:
        """Return what indicates that `data` is not the whole body, if anything does (see `missing_body`)."""
        declared = None if self.is_chunked and self.is_terminated else self.declared
        return missing_body(data, declared=declared, chunked=self.is_chunked, encoding=self.encoding, touched=touched)


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
    deadline = BodyDeadline(environ, limits.seconds)
    try:
        if framing.declared is not None:
            limits.check(framing.declared)
        with deadline:
            data = _read(framing, limits) if read is None else read()
    except BodyTooLargeError:
        if read is None:
            _throw_away(environ, framing, begun=framing.is_terminated)
        raise
    except (WebhookError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001
        # A server's reader has exceptions of its own for what it cannot read.
        raise (body_late(limits.seconds) if deadline.passed else body_unreadable(error)) from None
    missing = framing.missing(data, touched=read is not None)
    if deadline.cut or (missing is not None and deadline.passed):
        # Some readers take the end of the connection for the end of the body.
        missing = late(limits.seconds)
    return Body(data, missing)


def _read(framing: Framing, limits: Limits) -> bytes:
    if framing.length is not None:
        return read_pieces(framing.stream.read, framing.length)
    if not framing.is_terminated:
        return b""
    # Cheroot puts together what one read returns chunk by chunk, at a cost that grows with the square of their number.
    piece = None if is_gathered(framing.stream) else PIECE
    data = read_pieces(framing.stream.read, limits.most + 1, piece)
    limits.check(len(data))
    return data


def read_pieces(read: Callable[[int], bytes], size: int, most: int | None = None) -> bytes:
    """Return the next `size` bytes that `read` gives, at `most` so many at once, or what it gave before it ended."""
    pieces: list[bytes] = []
    most = size if most is None else most
    while size > 0 and (piece := read(min(size, most))):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def drain(environ: dict[str, Any]) -> None:
    """Throw away the body of a request that is rejected without it (see `_throw_away`)."""
    with contextlib.suppress(BodyUnavailableError):
        _throw_away(environ, Framing.of(environ), begun=False)


def _throw_away(environ: dict[str, Any], framing: Framing, *, begun: bool) -> None:
    """Read and throw away what is left of a body, up to a bound in bytes and time.

    A body that has not begun to arrive is left alone, and one whose end nobody knows. From a connection that the server
    hides it cannot be seen whether a body has begun, and the time counts between two reads only; so a slow sender has
    there what it has with any body.
    """
    left = framing.length
    if left is None:
        left = DRAIN_BYTES if framing.is_terminated and (framing.is_chunked or framing.declared) else 0
    if not 0 < left <= DRAIN_BYTES:
        return
    deadline = BodyDeadline(environ, DRAIN_SECONDS)
    if not begun and not _has_begun(environ, deadline):
        return
    # The response is the same whatever the server's reader raises.
    with contextlib.suppress(Exception), deadline:
        while left > 0 and time.monotonic() < deadline.ends and (piece := framing.stream.read(min(left, PIECE))):
            left -= len(piece)


def _has_begun(environ: dict[str, Any], deadline: BodyDeadline) -> bool:
    """Return whether something of a body that nobody has read is on its way."""
    if deadline.is_kept:
        return deadline.sees_data(FIRST_DATA_SECONDS)
    # A sender that expects to be asked for the body has sent nothing, and a read would ask for it.
    return not is_gathered(environ["wsgi.input"]) and "HTTP_EXPECT" not in environ


def put_back(environ: dict[str, Any], data: bytes) -> None:
    """Leave the body where code behind this looks for it."""
    environ["wsgi.input"] = io.BytesIO(data)
    environ["CONTENT_LENGTH"] = str(len(data))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
