"""Reading a body from a WSGI server without ever hanging on it."""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

from . import _adapter
from ._adapter import body_over_framework_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._core import Webhook


class SupportsRead(Protocol):
    """Anything with the `read` of a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""
        ...


class BufferedReader(Protocol):
    """A buffered reader, as far as it is needed here."""

    def read1(self, size: int, /) -> bytes:
        """Return what is there, and wait only where nothing is, and only once."""
        ...

    def peek(self, size: int, /) -> bytes:
        """Return what is there without taking it, and wait only where nothing is."""
        ...


def is_chunked(environ: dict[str, Any]) -> bool:
    """Return whether the request came with a `Transfer-Encoding`, and so without a length."""
    return bool(environ.get("HTTP_TRANSFER_ENCODING"))


def is_terminated(environ: dict[str, Any]) -> bool:
    """Return whether the server marks where a body without a length ends; any other could be read for ever."""
    return bool(environ.get("wsgi.input_terminated"))


def read_limited(stream: SupportsRead, webhook: Webhook, framework_limit: int | None, framework_setting: str) -> bytes:
    """Return what is left in `stream`, which has an end but no known length.

    Args:
        stream: what to read.
        webhook: its `max_body` is one limit.
        framework_limit: the framework's own is the other, in bytes; `None` is none.
        framework_setting: what sets the framework's.

    Raises:
        BodyTooLargeError: it is over the lower of the two, of which no more than one byte beyond was read.
    """
    limit = webhook.max_body if framework_limit is None else min(webhook.max_body, framework_limit)
    body = read_pieces(stream.read, limit + 1)
    if framework_limit is not None and len(body) > framework_limit:
        raise body_over_framework_limit(framework_setting)
    webhook.check_size(len(body))
    return body


def read_pieces(read: Callable[[int], bytes], size: int) -> bytes:
    """Return the next `size` bytes that `read` gives, or what it gave before it came back with nothing."""
    pieces: list[bytes] = []
    while size > 0 and (piece := read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@contextmanager
def bounded_wait(environ: dict[str, Any]) -> Generator[BufferedReader | None, None, None]:
    """Let no single read of the request's body within wait longer than `BODY_WAIT_SECONDS`.

    Some servers hand out the connection itself (Werkzeug's, `wsgiref` and Django's for development, gunicorn's with
    threads): once other code has read the body, or where the sender stalls, a read waits for bytes that never come.
    For these the kernel ends the wait, and the read comes back short; not under TLS, which reads on by itself. Yields
    the connection's bare stream, or `None` where the server has one of its own.
    """
    bare = _bare_stream(environ)
    number = _descriptor(environ, bare)
    if number is None:
        yield bare
        return
    # A duplicate of the descriptor: options belong to the connection, and closing this one leaves the server's open. So
    # does the blocking mode, which a new socket object sets by the process's default timeout.
    blocking = os.get_blocking(number)
    with socket.socket(fileno=os.dup(number)) as connection:
        os.set_blocking(number, blocking)
        before = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("ll"))
        seconds, fraction = divmod(_adapter.BODY_WAIT_SECONDS, 1)
        after = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, after)
        try:
            yield bare
        finally:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, before)


def _bare_stream(environ: dict[str, Any]) -> BufferedReader | None:
    stream = environ.get("wsgi.input")
    # Django's development server has put a stream of Django's around it, which keeps its method.
    stream = getattr(getattr(stream, "_read", None), "__self__", stream)
    return cast("BufferedReader", stream) if isinstance(stream, io.BufferedReader) else None


def _descriptor(environ: dict[str, Any], stream: object) -> int | None:
    """Return the descriptor of the connection that a development server hands out, if it does."""
    if sys.platform == "win32":
        # The option has another form there, and descriptors of sockets cannot be duplicated like this.
        return None
    raw: object = getattr(stream, "raw", None)
    connection = environ.get("werkzeug.socket") or environ.get("gunicorn.socket") or raw
    return connection.fileno() if isinstance(connection, socket.socket | socket.SocketIO) else None
