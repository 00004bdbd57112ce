"""A deadline for a body that a blocking read waits for.

Whatever a server does to read (in pieces or at once, in a loop of its own, through TLS, in a greenlet), a read ends if
the receiving side of its connection is shut down; the sending side stays open for the response.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

from .streams import Connection

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

LONGEST_SLEEP = 1.0
"""How many seconds the watchdog sleeps at most while a body is waited for."""

IDLE_SECONDS = 60.0
"""How long the watchdog waits for the next body before its thread ends."""

POLL_SECONDS = 0.01


class BodyDeadline:
    """The time within which a request's body has to arrive, for a `with` around all reads of it.

    Args:
        environ: the WSGI environ, in which the connection is looked for. Some servers hide it; a body there has the
            time that the server gives it.
        seconds: how long the reads may take altogether.
    """

    __slots__ = ("_connection", "_seconds", "_watchdog", "cut", "ends", "passed")

    def __init__(self, environ: dict[str, Any], seconds: float) -> None:
        self._connection = Connection.of(environ)
        self._seconds = seconds
        self._watchdog: _Watchdog | None = None
        self.ends = 0.0
        self.passed = False
        """Whether the time was over when the block was left."""
        self.cut = False
        """Whether the reads were ended because the time was over."""

    def __enter__(self) -> Self:
        self.ends = time.monotonic() + self._seconds
        if self._connection is not None:
            self._watchdog = _watchdog()
            self._watchdog.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._watchdog is not None:
            self._watchdog.remove(self)
        self.passed = self.cut or time.monotonic() >= self.ends

    @property
    def is_kept(self) -> bool:
        """Whether the reads end with the time, because the server does not hide the connection."""
        return self._connection is not None

    def sees_data(self, seconds: float) -> bool:
        """Return whether anything arrives within so many seconds, of a connection that the server does not hide."""
        connection = self._connection
        if connection is None:
            return False
        # Not `select`: what gevent and eventlet leave of it differs, and a sleep is theirs in either.
        ends = time.monotonic() + seconds
        while not _is_readable(connection.descriptor):
            if time.monotonic() >= ends:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def end_reads(self) -> None:
        """Let the reads see the end of the connection's data."""
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        self.cut = True
        with contextlib.suppress(OSError):
            _shut_down(connection.descriptor)


def _is_readable(descriptor: int) -> bool:
    # Windows has neither, and no descriptor that could come here.
    import fcntl  # noqa: PLC0415
    import termios  # noqa: PLC0415

    size = struct.Struct("i")
    try:
        return bool(size.unpack(fcntl.ioctl(descriptor, termios.FIONREAD, size.pack(0)))[0])
    except OSError:
        return False


def _shut_down(descriptor: int) -> None:
    """Shut down the receiving side of a connection whose socket object is the server's."""
    # The bare type, because what gevent and eventlet put in the place of the other belongs to one thread.
    blocking = os.get_blocking(descriptor)
    connection = _socket.socket(fileno=descriptor)
    try:
        # A new object sets the mode by the process's default timeout, and the mode is the connection's.
        os.set_blocking(descriptor, blocking)
        connection.shutdown(_socket.SHUT_RD)
    finally:
        # Without closing what is not its own.
        connection.detach()


class _Watchdog:
    """One thread for all deadlines of a process. It looks at them now and then, so that a request costs no wake-up."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._deadlines: set[BodyDeadline] = set()
        self._wakes = 0.0
        self._is_running = False

    def add(self, deadline: BodyDeadline) -> None:
        with self._condition:
            self._deadlines.add(deadline)
            if not self._is_running:
                self._start()
            elif deadline.ends < self._wakes:
                self._condition.notify()

    def remove(self, deadline: BodyDeadline) -> None:
        # Under the lock: from here on the server may close the descriptor, and its number may be another connection's.
        with self._condition:
            self._deadlines.discard(deadline)

    def _start(self) -> None:
        """Start the thread; if none can be started, the body has the time that the server gives it."""
        thread = threading.Thread(target=self._watch, name="listrak_webhooks-body-deadline", daemon=True)
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._is_running = True

    def _watch(self) -> None:
        with self._condition:
            try:
                while self._look():
                    pass
            finally:
                self._is_running = False

    def _look(self) -> bool:
        """End the reads whose time is over, and sleep; return whether there may be more to do."""
        now = time.monotonic()
        for deadline in [each for each in self._deadlines if each.ends <= now]:
            self._deadlines.discard(deadline)
            deadline.end_reads()
        is_idle = not self._deadlines
        sleep = IDLE_SECONDS if is_idle else min(LONGEST_SLEEP, *(each.ends - now for each in self._deadlines))
        self._wakes = now + sleep
        was_woken = self._condition.wait(sleep)
        return was_woken or bool(self._deadlines) or not is_idle


_watchdogs: dict[int, _Watchdog] = {}


def _watchdog() -> _Watchdog:
    """Return this process's watchdog; a fork leaves the parent's thread behind, and its lock perhaps held."""
    process = os.getpid()
    found = _watchdogs.get(process)
    # In one step, because two requests may be the first.
    return _watchdogs.setdefault(process, _Watchdog()) if found is None else found
