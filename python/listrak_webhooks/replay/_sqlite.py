"""The guard for several processes on one machine, with nothing but the standard library."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from listrak_webhooks._core import DEFAULT_LEASE, DEFAULT_TOLERANCE, MARGIN

from ._configuration import check_seconds
from ._guard import StoreGuard
from ._sqlite_file import Turn, check_file, check_path, describe, open_file, shrink, unusable
from ._store import State

if TYPE_CHECKING:
    from listrak_webhooks._types import Clock, Tolerance

    from ._store import Delivery

PURGED_AT_ONCE = 100
"""How many rows one claim deletes at most; it adds one."""

COMMITS_PER_LOOK = 64
"""After how many transactions of a process it looks at how large the file and its log are."""

UNSYNCED, SYNCED = "PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"

# Without names, which Python's module would look up for each statement.

FIND = "SELECT token, claimed_at, lease_ends, keep_until FROM delivery WHERE id = ?"

ADD = "INSERT OR IGNORE INTO delivery (id, token, claimed_at, lease_ends, keep_until) VALUES (?, ?, ?, ?, ?)"

PUT = "REPLACE INTO delivery (id, token, claimed_at, lease_ends, keep_until) VALUES (?, ?, ?, ?, ?)"

KEEP = "UPDATE delivery SET keep_until = max(keep_until, ?) WHERE id = ?"

# What nearly every completion is: of a claim that is still held, and whose row is kept for long enough. A completion
# that changes `keep_until` would have to write to the index too.
COMPLETE_HELD = """
    UPDATE delivery SET token = NULL
    WHERE id = ? AND token = ? AND claimed_at <= ? AND ? < lease_ends AND keep_until >= ?
"""

COMPLETE = "UPDATE delivery SET token = NULL WHERE id = ?"

RELEASE = "DELETE FROM delivery WHERE id = ? AND token = ?"

# A claim outlives its entry if the lease is not over, whatever becomes of the wall clock.
PURGE = """
    DELETE FROM delivery WHERE id IN (
        SELECT id FROM delivery WHERE keep_until <= ?
        AND (token IS NULL OR lease_ends <= ? OR claimed_at > ?) LIMIT ?
    )
"""


class SqliteReplayGuard(StoreGuard):
    """Lets each delivery be handled once on this machine, in however many processes, and across restarts.

    A completed delivery is on the disk before the block is left, and so survives a power loss. Safe to share between
    threads and across `fork`. The file must be on a local disk: SQLite's locks do not work on a network share. All
    processes must run on the same kernel, as the containers of one machine do, because leases go by its clock.

    Args:
        path: the database's file. The first delivery makes it, for this user alone (mode 0600); an existing file keeps
            its mode. Keep it to this guard. Its folder must exist, and be writable, when the guard is made.
        lease: the seconds after which a claim may be taken over by another try because its process died; longer than a
            handler ever takes.
        fail_open: handle deliveries all the same while the file cannot be used, though they may be handled twice then.
        timeout: the seconds to wait for the file while other processes write to it.
        tolerance: the longest tolerance, in seconds or as a `timedelta`, of the webhooks whose deliveries the guard
            sees. A guard that sees a longer one goes by that from then on.
        clock: returns Unix seconds; for tests. The system's clocks by default.

    Raises:
        ConfigurationError: an argument cannot be right, or the file cannot be used.

    Example:
        >>> from listrak_webhooks.replay import SqliteReplayGuard
        >>> guard = SqliteReplayGuard("deliveries.db")
    """

    def __init__(  # noqa: PLR0913
        self,
        path: str | os.PathLike[str],
        *,
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        timeout: float = 5.0,
        tolerance: Tolerance = DEFAULT_TOLERANCE,
        clock: Clock | None = None,
    ) -> None:
        store = _Store(check_path(path), check_seconds("timeout", timeout))
        super().__init__(store, lease=lease, fail_open=fail_open, tolerance=tolerance, clock=clock)
        check_file(store.path)
        self._path = store.path

    def __repr__(self) -> str:
        return f"SqliteReplayGuard({self._path!r})"


class _Handle:
    """The connection of one process, which its threads use in turn.

    They wait for each other here and not in SQLite, which would have them sleep and try again.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self.commits = 0

    def drop(self) -> None:
        """Close the connection, whatever state it is in, which rolls back; the next transaction starts afresh."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        # From Python 3.13 on, `sqlite3` warns of a connection that nobody closed.
        if self.connection is not None and self.pid == os.getpid():
            self.connection.close()


_inherited: list[_Handle] = []
"""What a fork left behind. Closing such a connection could pull the write-ahead log from under the parent."""


class _Store:
    is_async = False

    def __init__(self, path: str, timeout: float) -> None:
        self.path = path
        self.timeout = timeout
        self.turn = Turn(path)
        self._handle = _Handle()

    # The clocks are read behind the lock, so that the claim of another that has just been made is in their past.

    def claim(self, delivery: Delivery) -> State:
        # A claim that a power loss takes away is one whose handler died with it.
        with self._transaction(UNSYNCED) as connection:
            now, monotonic = delivery.now(), delivery.monotonic()
            keep_until = _keep_until(delivery, now)
            row = (delivery.id, delivery.token, monotonic, monotonic + delivery.lease, keep_until)
            connection.execute(PURGE, (now, monotonic, monotonic, PURGED_AT_ONCE))
            if connection.execute(ADD, row).rowcount:
                return State.CLAIMED
            state, kept_until = _find(connection, delivery, now, monotonic)
            if state is State.FREE or state is State.CLAIMED:
                connection.execute(PUT, row)
                return State.CLAIMED
            if state is State.COMPLETED and keep_until > kept_until + MARGIN:
                connection.execute(KEEP, (keep_until, delivery.id))
            return state

    def complete(self, delivery: Delivery) -> State:
        with self._transaction(SYNCED) as connection:
            now, monotonic = delivery.now(), delivery.monotonic()
            keep_until = _keep_until(delivery, now)
            held = (delivery.id, delivery.token, monotonic, monotonic, keep_until - MARGIN)
            if connection.execute(COMPLETE_HELD, held).rowcount:
                return State.CLAIMED
            state, _ = _find(connection, delivery, now, monotonic)
            if state is not State.HELD:
                connection.execute(ADD, (delivery.id, None, 0, 0, keep_until))
                connection.execute(COMPLETE, (delivery.id,))
                connection.execute(KEEP, (keep_until, delivery.id))
            return state

    def release(self, delivery: Delivery) -> State:
        with self._transaction(UNSYNCED) as connection:
            state, _ = _find(connection, delivery, delivery.now(), delivery.monotonic())
            connection.execute(RELEASE, (delivery.id, delivery.token))
            return state

    def explain(self, error: Exception) -> str:
        return unusable(self.path, describe(error))

    def _transaction(self, synchronous: str) -> _Transaction:
        if self._handle.pid != os.getpid():
            _inherited.append(self._handle)
            self._handle = _Handle()
        return _Transaction(self, self._handle, synchronous)


class _Transaction:
    """The process's connection inside a write transaction, which is committed at the end."""

    __slots__ = ("_handle", "_store", "_synchronous")

    def __init__(self, store: _Store, handle: _Handle, synchronous: str) -> None:
        self._store = store
        self._handle = handle
        self._synchronous = synchronous

    def __enter__(self) -> sqlite3.Connection:
        handle, store = self._handle, self._store
        deadline = time.monotonic() + store.timeout
        locked = False
        try:
            locked = handle.lock.acquire(timeout=store.timeout)
            if not locked:
                raise sqlite3.OperationalError("database is locked by other threads")  # noqa: TRY301
            connection = handle.connection
            if connection is None:
                connection = handle.connection = open_file(store.path, deadline)
            connection.execute(self._synchronous)
            store.turn.take(partial(connection.execute, "BEGIN IMMEDIATE"), deadline)
        except BaseException:
            if locked:
                handle.drop()
                handle.lock.release()
            raise
        return connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        handle = self._handle
        try:
            if kind is None and handle.connection is not None:
                handle.connection.execute("COMMIT")
                handle.commits += 1
                if handle.commits % COMMITS_PER_LOOK == 0:
                    shrink(handle.connection, self._store.path)
            else:
                handle.drop()
        except BaseException:
            handle.drop()
            raise
        finally:
            handle.lock.release()


def _keep_until(delivery: Delivery, now: float) -> float:
    # A claim is not forgotten before its lease is over.
    return now + max(delivery.keep_for, delivery.lease)


def _find(connection: sqlite3.Connection, delivery: Delivery, now: float, monotonic: float) -> tuple[State, float]:
    """Return the state of a delivery, as its claim sees it, and until when its row is kept."""
    row = connection.execute(FIND, (delivery.id,)).fetchone()
    if row is None:
        return State.FREE, 0.0
    token, claimed_at, lease_ends, keep_until = row
    if token is None:
        return (State.COMPLETED if now < keep_until else State.FREE), keep_until
    # One that was claimed in the future was claimed before the machine was restarted, and its process is gone.
    if not claimed_at <= monotonic < lease_ends:
        return State.FREE, keep_until
    return (State.CLAIMED if token == delivery.token else State.HELD), keep_until
