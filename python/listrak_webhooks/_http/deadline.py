"""A deadline for a body that a blocking read waits for.

Whatever a server does to read (in pieces or at once, in a loop of its own, through TLS, in a greenlet), a read ends if
the receiving side of its connection is shut down; the sending side stays open for the response.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

LONGEST_SLEEP = 1.0
"""How many seconds the watchdog sleeps at most while a body is waited for."""

IDLE_SLEEP = 60.0


class BodyDeadline:
    """The time within which a request's body has to arrive, for a `with` around all reads of it.

    Args:
        environ: the WSGI environ, in which the connection is looked for. Some servers hide it; a body there has the
            time that the server gives it.
        seconds: how long the reads may take altogether.
    """

    __slots__ = ("_descriptor", "_seconds", "ends", "passed")

    def __init__(self, environ: dict[str, Any], seconds: float) -> None:
        self._descriptor = _connection(environ)
        self._seconds = seconds
        self.ends = 0.0
        self.passed = False
        """Whether it passed before the block was left."""

    def __enter__(self) -> Self:
        self.ends = time.monotonic() + self._seconds
        if self._descriptor is not None:
            _watchdog().add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            _watchdog().remove(self)
        self.passed = self.passed or time.monotonic() >= self.ends

    def end_reads(self) -> None:
        """Let the reads see the end of the connection's data."""
        self.passed = True
        assert self._descriptor is not None  # noqa: S101
        # A duplicate, because closing a socket object closes its descriptor; a shutdown is the connection's.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as connection:
            connection.shutdown(socket.SHUT_RD)


class _Watchdog:
    """One thread for all deadlines of a process. It looks at them now and then, so that a request costs no wake-up."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._condition = threading.Condition()
        self._deadlines: set[BodyDeadline] = set()
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def add(self, deadline: BodyDeadline) -> None:
        with self._condition:
            self._deadlines.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="listrak_webhooks-body-deadline", daemon=True)
                self._thread.start()
            elif deadline.ends < self._wakes:
                self._condition.notify()

    def remove(self, deadline: BodyDeadline) -> None:
        # Under the lock: from here on the server may close the descriptor, and its number may be another connection's.
        with self._condition:
            self._deadlines.discard(deadline)

    def _watch(self) -> None:
        with self._condition:
            while True:
                now = time.monotonic()
                for deadline in [each for each in self._deadlines if each.ends <= now]:
                    self._deadlines.discard(deadline)
                    deadline.end_reads()
                soonest = min((each.ends - now for each in self._deadlines), default=IDLE_SLEEP)
                sleep = min(soonest, LONGEST_SLEEP) if self._deadlines else IDLE_SLEEP
                self._wakes = now + sleep
                self._condition.wait(sleep)


_current: _Watchdog | None = None


def _watchdog() -> _Watchdog:
    """Return this process's watchdog; a fork leaves the parent's thread behind, and its lock perhaps held."""
    global _current  # noqa: PLW0603
    if _current is None or _current.pid != os.getpid():
        _current = _Watchdog()
    return _current


def _connection(environ: dict[str, Any]) -> int | None:
    """Return the descriptor of the request's connection, if the server lets it be known."""
    for candidate in _candidates(environ):
        try:
            descriptor = candidate.fileno()
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return int(descriptor)
        except (AttributeError, OSError, ValueError, TypeError):  # noqa: PERF203
            # Not a file, a file without a descriptor, or one that was closed.
            continue
    return None


def _candidates(environ: dict[str, Any]) -> list[Any]:
    stream = environ.get("wsgi.input")
    # Django's development server wraps the stream in one of its own, which keeps the stream's method.
    stream = getattr(getattr(stream, "_read", None), "__self__", stream)
    # Gunicorn, Werkzeug; `wsgiref` and Django's for development; gevent, eventlet, cheroot.
    places = (
        environ.get("gunicorn.socket"),
        environ.get("werkzeug.socket"),
        stream,
        getattr(stream, "socket", None),
        getattr(stream, "rfile", None),
    )
    return [place for place in places if place is not None]
