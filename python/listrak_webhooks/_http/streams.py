"""What is known of the streams that WSGI servers hand out: where a body ends, and whose connection it comes from.

PEP 3333 leaves both open. So each server's own way is known here, once; `docs/how-to/servers.md` lists them.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

GATHERED = io.BytesIO, tempfile.SpooledTemporaryFile, io.BufferedRandom
"""The types of streams with a body that is there already, in memory or in a file.

So do Waitress, Bjoern, Tornado, Hypercorn and asgiref, and a middleware that puts a body back.
"""


class SupportsRead(Protocol):
    """Anything with the `read` of a file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""
        ...


def is_gathered(stream: object) -> bool:
    """Return whether no read of a stream waits for the sender."""
    return isinstance(stream, GATHERED) or _maker(stream) == "twisted"


def ends_by_itself(stream: object) -> bool:
    """Return whether a stream is known to end with the body, though its server does not say so."""
    maker = _maker(stream)
    if maker == "eventlet":
        return bool(getattr(stream, "chunked_input", False))
    return maker == "a2wsgi" or isinstance(stream, _UwsgiChunks) or is_gathered(stream)


def chunks_of(stream: object) -> SupportsRead | None:
    """Return what reads a body in chunks, if that is not the stream itself but known."""
    uwsgi = sys.modules.get("uwsgi") if _maker(stream) == "uwsgi" else None
    return None if uwsgi is None else _UwsgiChunks(uwsgi)


def _maker(stream: object) -> str:
    return type(stream).__module__.partition(".")[0]


class _UwsgiChunks:
    """A body in chunks under uWSGI, whose `wsgi.input` is empty then."""

    def __init__(self, uwsgi: Any) -> None:
        self._uwsgi = uwsgi

    def read(self, _size: int, /) -> bytes:
        """Return the next chunk, whatever its size; uWSGI itself limits it."""
        chunk: bytes = self._uwsgi.chunked_read()
        return chunk


class Connection(NamedTuple):
    """A request's connection."""

    descriptor: int
    identity: tuple[int, int]
    """What tells it from a later one with the same descriptor."""

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Connection | None:
        """Return the connection that a request's body comes from, or `None` if the server hides it."""
        for candidate in _candidates(environ):
            if candidate is None:
                continue
            try:
                descriptor = candidate.fileno()
                status = os.fstat(descriptor)
            except (AttributeError, OSError, ValueError, TypeError):
                # Not a file, a file without a descriptor, or one that was closed.
                continue
            if stat.S_ISSOCK(status.st_mode):
                return cls(descriptor, (status.st_dev, status.st_ino))
        return None

    @property
    def is_open(self) -> bool:
        """Whether the descriptor is still this connection's."""
        try:
            status = os.fstat(self.descriptor)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.identity


def _candidates(environ: dict[str, Any]) -> Iterator[Any]:
    """Yield what may have the descriptor of a request's connection."""
    stream = environ.get("wsgi.input")
    if is_gathered(stream):
        # Nothing is waited for. And to ask some of these for a descriptor has them write the body to a file.
        return
    # Gunicorn, Werkzeug.
    yield environ.get("gunicorn.socket")
    yield environ.get("werkzeug.socket")
    # Django's development server wraps the stream in one of its own, which keeps the stream's method.
    stream = getattr(getattr(stream, "_read", None), "__self__", stream)
    # `wsgiref`, Django for development, uWSGI.
    yield stream
    # gevent, eventlet, cheroot.
    yield getattr(stream, "rfile", None)
