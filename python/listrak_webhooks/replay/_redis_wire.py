"""The connections of the Redis guard: bounded in time, kept while they are fresh, and never shared between loops.

They are made with the arguments of the user's client, so that login, TLS and database are the same, and they are the
guard's own: a client's pool waits, connects and tries again for as long as its owner likes, which no caller can bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import socket
import time
import weakref
from typing import TYPE_CHECKING, Any

from listrak_webhooks._steps import arun, run
from listrak_webhooks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

FRESH = 30.0
"""How many seconds a connection may lie unused; firewalls drop those that lie longer, often without a word."""

MOST_IDLE = 50
"""How many unused connections to one server are kept."""

SHORTEST = 0.001
"""The shortest wait, in seconds: to a socket, 0 is not to wait at all."""

CLOSING = 1.0
"""How many seconds a loop that ends waits for a connection to close."""

NOT_PASSED = ("maint_", "maintenance_", "orig_", "oss_cluster_")
"""How the arguments begin that bind a connection to its pool; its own `connection_pool` is left out too."""


def pack(*words: bytes | int) -> bytes:
    """Return a command as it goes over the wire; not packed by the client, whose encoding has no say here."""
    parts = [word if isinstance(word, bytes) else b"%d" % word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])


def leave_behind() -> None:
    """Do nothing, as a step of its own between an error of the client and one of ours.

    While steps go on from an error, all that they raise has it as its context, and its frames may hold a password.
    """


class Deadline:
    """Until when something must be done.

    Args:
        seconds: from now.
    """

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, at least the shortest wait."""
        return max(self._end - time.monotonic(), SHORTEST)

    def half(self) -> float:
        """Return half of that, so that something else can be tried when this fails."""
        return max(self.left() / 2, SHORTEST)


def connection_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Return a client's arguments for its connections, without what makes them try again or bound to their pool."""
    kept = {name: value for name, value in given.items() if not name.startswith(NOT_PASSED)}
    kept.pop("connection_pool", None)
    return {**kept, "retry": None, "retry_on_error": [], "retry_on_timeout": False, "health_check_interval": 0}


# What bounds a connection that waits in its socket.


class _Limits:
    """How long a connection may wait."""

    __slots__ = ("connect", "each", "end")

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.end = 0.0
        """Until when, by the monotonic clock."""
        self.each: float = arguments.get("socket_timeout") or math.inf
        """For how many seconds in one wait, by the client's own arguments."""
        self.connect: float = arguments.get("socket_connect_timeout") or self.each


class _BoundedSocket:
    """A socket that waits no longer than it may, however small the pieces in which a response comes."""

    # Not the connection, because in a circle the socket may go first, and complain that it was not closed.
    __slots__ = ("_limits", "_socket")

    def __init__(self, sock: socket.socket, limits: _Limits) -> None:
        self._socket = sock
        self._limits = limits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, _: object) -> None:
        """Leave it to the limits."""

    def recv(self, *args: Any) -> bytes:
        self._bound()
        return self._socket.recv(*args)

    def recv_into(self, *args: Any) -> int:
        self._bound()
        return self._socket.recv_into(*args)

    def sendall(self, data: bytes) -> None:
        self._bound()
        self._socket.sendall(data)

    def _bound(self) -> None:
        left = min(self._limits.end - time.monotonic(), self._limits.each)
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class _Bounded:
    """What goes before a sync client's connection class: no wait of it goes beyond its limits."""

    opened = False

    def __init__(self, **arguments: Any) -> None:
        self.limits = _Limits(arguments)
        super().__init__(**arguments)

    @property
    def socket_timeout(self) -> float:
        return max(min(self.limits.each, self.limits.end - time.monotonic()), SHORTEST)

    @socket_timeout.setter
    def socket_timeout(self, value: object) -> None:
        """Leave it to the limits: the base class sets what its client was given."""

    @property
    def socket_connect_timeout(self) -> float:
        # A name may have several addresses, which are tried in turn, and the first may be dead.
        return max(min(self.limits.connect, (self.limits.end - time.monotonic()) / 2), SHORTEST)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: object) -> None:
        """Leave it to the limits."""

    def _connect(self) -> Any:
        return _bound(super()._connect(), self.limits)  # type: ignore[misc]


def _bound(opened: Any, limits: _Limits) -> Any:
    # A fake server's socket is not one.
    return _BoundedSocket(opened, limits) if isinstance(opened, socket.socket) else opened


class _Quiet:
    """What goes before an async client's connection class, which needs its loop at the end, when that may be closed."""

    loop: asyncio.AbstractEventLoop | None = None
    _writer: Any

    def __del__(self) -> None:
        if getattr(self, "_writer", None) is not None:
            _abandon(self)


@functools.cache
def _mixed(ours: Any, connection_class: Any) -> Any:
    """Return a client's connection class with one of ours before it."""
    return type(f"{ours.__name__[1:]}{connection_class.__name__}", (ours, connection_class), {})


# What is kept.


class Idle:
    """The connections that nobody is using; safe to share between threads."""

    def __init__(self) -> None:
        self._lists: dict[Hashable, list[tuple[Any, float]]] = {}

    def take(self, address: Hashable) -> tuple[Any, list[Any]]:
        """Return the connection to an address that was used last, if it is fresh, and those to be closed."""
        kept = self._lists.get(address)
        while kept:
            try:
                connection, since = kept.pop()
            except IndexError:  # Another thread was faster.
                break
            if time.monotonic() - since < FRESH:
                return connection, []
            return None, [connection, *self.empty(address)]
        return None, []

    def give(self, address: Hashable, connection: Any) -> list[Any]:
        """Keep a connection that was used just now, and return those to be closed."""
        kept = self._lists.setdefault(address, [])
        if len(kept) >= MOST_IDLE:
            return [connection]
        kept.append((connection, time.monotonic()))
        return []

    def empty(self, address: Hashable) -> list[Any]:
        """Return all connections to an address, which are no longer kept."""
        return [connection for connection, _ in self._lists.pop(address, [])]

    def empty_all(self) -> list[Any]:
        """Return all connections."""
        return [connection for address in list(self._lists) for connection in self.empty(address)]


# How commands go over a connection.


class SyncWire:
    """For a client whose calls wait in their thread."""

    is_async = False
    run = staticmethod(run)

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._idle = Idle()

    def make(self, connection_class: Any, arguments: dict[str, Any]) -> Any:
        """Return a connection that is not open yet."""
        return _mixed(_Bounded, connection_class)(**connection_arguments(arguments))

    def idle(self) -> Idle:
        """Return the unused connections of this process: those of its parent are the parent's."""
        if self._pid != os.getpid():
            self._idle, self._pid = Idle(), os.getpid()
        return self._idle

    def exchange(self, connection: Any, seconds: float, *commands: bytes) -> Any:
        """Return the answer to the last of some commands. A connection that failed is closed."""
        connection.limits.end = time.monotonic() + seconds
        answer = None
        try:
            if not connection.opened:
                connection.connect()
                connection.opened = True
            for command in commands:
                connection.send_packed_command((command,), check_health=False)
                answer = connection.read_response()
        except BaseException:
            self.drop(connection)
            raise
        return answer

    def drop(self, connection: Any) -> None:
        """Close a connection."""
        with contextlib.suppress(Exception):
            connection.disconnect()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class AsyncWire:
    """For a client whose calls are awaited.

    A connection belongs to the loop in which it was opened. Some programs have a loop for each request, and so each
    loop has its own connections, which are closed when it ends.
    """

    is_async = True
    run = staticmethod(arun)

    def __init__(self) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, tuple[Idle, AsyncGenerator[None, None]]] = {}

    def make(self, connection_class: Any, arguments: dict[str, Any]) -> Any:
        """Return a connection that is not open yet."""
        return _mixed(_Quiet, connection_class)(**connection_arguments(arguments))

    def idle(self) -> Idle | None:
        """Return the unused connections of the running loop, or nothing if it has to be entered first.

        Raises:
            ConfigurationError: it is not asyncio's.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "an async Redis client needs asyncio, and this is another async library; give the guard a redis.Redis, "
                "which serves `async with` too"
            ) from None
        known = self._loops.get(loop)
        return None if known is None else known[0]

    async def enter(self) -> Idle:
        """Return the unused connections of a loop in which there were none, and have them closed when it ends."""
        loop = asyncio.get_running_loop()
        for ended in [other for other in list(self._loops) if other.is_closed()]:
            # It was closed without a word to its generators.
            known = self._loops.pop(ended, None)
            if known is not None:
                for connection in known[0].empty_all():
                    _abandon(connection)
        idle = Idle()
        # A loop that ends closes the async generators that began in it, and so it tells us.
        end = _closed_with(loop, idle, weakref.ref(self))
        await end.__anext__()
        self._loops[loop] = idle, end
        return idle

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget a loop that has ended."""
        self._loops.pop(loop, None)

    async def exchange(self, connection: Any, seconds: float, *commands: bytes) -> Any:
        """Return the answer to the last of some commands. A connection that failed is closed."""
        try:
            return await asyncio.wait_for(self._exchange(connection, commands), seconds)
        except BaseException:
            await self.drop(connection)
            raise

    async def _exchange(self, connection: Any, commands: tuple[bytes, ...]) -> Any:
        if not connection.is_connected:
            connection.loop = asyncio.get_running_loop()
            await connection.connect()
        answer = None
        for command in commands:
            await connection.send_packed_command((command,), check_health=False)
            answer = await connection.read_response()
        return answer

    async def drop(self, connection: Any) -> None:
        """Close a connection without waiting for the other end."""
        with contextlib.suppress(Exception):
            await connection.disconnect(nowait=True)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def _closed_with(
    loop: asyncio.AbstractEventLoop, idle: Idle, wire: weakref.ref[AsyncWire]
) -> AsyncGenerator[None, None]:
    """Close the unused connections of a loop when it ends, or when the guard goes, of which this is not a part."""
    try:
        yield
    finally:
        remaining = wire()
        if remaining is not None:
            remaining.forget(loop)
        for connection in idle.empty_all():
            with contextlib.suppress(Exception):
                await asyncio.wait_for(connection.disconnect(), CLOSING)


def _abandon(connection: Any) -> None:
    """Close a connection from outside of its loop, which may be closed and then closes nothing any more."""
    writer, loop = connection._writer, connection.loop  # noqa: SLF001
    connection._writer = connection._reader = None  # noqa: SLF001
    if not loop.is_closed():
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_abort, writer)
        return
    with contextlib.suppress(Exception):
        # It begins with that, and fails when it wants to go on in its loop.
        writer.transport.abort()
    with contextlib.suppress(Exception):
        writer.transport._call_connection_lost(None)  # noqa: SLF001


def _abort(writer: asyncio.StreamWriter) -> None:
    # Given the writer, and not its transport, because a writer complains if it goes before its transport is closed.
    writer.transport.abort()
