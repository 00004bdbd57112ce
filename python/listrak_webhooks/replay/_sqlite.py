"""The guard for several processes on one machine, with nothing but the standard library."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from listrak_webhooks.exceptions import ConfigurationError

from ._guard import DEFAULT_LEASE, Delivery, State, StoreGuard, check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from listrak_webhooks._types import Clock

SCHEMA_VERSION = 1
"""In the file's `user_version`."""

PURGED_AT_ONCE = 100
"""How many expired rows one claim deletes at most."""

# A claim has a token; a completed delivery has none any more.
SCHEMA = (
    """CREATE TABLE delivery (
        id TEXT PRIMARY KEY NOT NULL,
        token TEXT,
        lease_ends REAL NOT NULL,
        keep_until REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX delivery_by_end ON delivery (keep_until)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

CLAIM = """
    INSERT INTO delivery (id, token, lease_ends, keep_until)
    VALUES (:id, :token, :lease_ends, max(:keep_until, :lease_ends))
    ON CONFLICT (id) DO UPDATE SET
        token = excluded.token, lease_ends = excluded.lease_ends, keep_until = max(keep_until, excluded.keep_until)
    WHERE (token IS NOT NULL AND lease_ends <= :now) OR keep_until <= :now
"""

COMPLETE = """
    INSERT INTO delivery (id, token, lease_ends, keep_until) VALUES (:id, NULL, 0, :keep_until)
    ON CONFLICT (id) DO UPDATE SET token = NULL, keep_until = max(keep_until, excluded.keep_until)
"""

RELEASE = "DELETE FROM delivery WHERE id = :id AND token = :token"

PURGE = "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE keep_until <= :now LIMIT :some)"

T = TypeVar("T")


class SqliteReplayGuard(StoreGuard):
    """Lets each delivery be handled once on this machine, in however many processes, and across restarts.

    A completed delivery is on the disk before the block is left, and so survives a power loss. Safe to share between
    threads and across `fork`. The file must be on a local disk: SQLite's locks do not work on a network share.

    Args:
        path: the database's file; it is made where it does not exist. Keep it to this guard.
        lease: the seconds after which a claim may be taken over by another try, where its process died; longer than a
            handler ever takes.
        fail_open: handle deliveries all the same while the file cannot be used, though they may be handled twice then.
        timeout: the seconds to wait for the file while other processes write to it.
        clock: returns Unix seconds; for tests. The system's by default.

    Raises:
        ConfigurationError: an argument cannot be right.

    Example:
        >>> from listrak_webhooks.replay import SqliteReplayGuard
        >>> guard = SqliteReplayGuard("/var/lib/shop/deliveries.db")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        timeout: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        store = _Store(_check_path(path), lease, check_seconds("timeout", timeout), clock or time.time)
        super().__init__(store, lease=lease, fail_open=fail_open, clock=clock)
        self._path = store.path

    def __repr__(self) -> str:
        return f"SqliteReplayGuard({self._path!r})"


def _check_path(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if not text or text == ":memory:":
        raise ConfigurationError(
            "path must name a file, because a database in memory is not shared; for one process, use MemoryReplayGuard"
        )
    # An application may change its directory, and a worker would find another file then.
    return os.path.abspath(text)  # noqa: PTH100


class _UnusableFileError(Exception):
    """The file is there and is not this guard's."""


class _Handle:
    """The connection of one process, which its threads use in turn.

    They wait for each other here and not in SQLite, which would have them sleep and try again.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None

    def __del__(self) -> None:
        # From Python 3.13 on, `sqlite3` warns of a connection that nobody closed.
        if self.connection is not None and self.pid == os.getpid():
            self.connection.close()


_inherited: list[_Handle] = []
"""What a fork left behind. Closing such a connection could pull the write-ahead log from under the parent."""


class _Store:
    is_async = False

    def __init__(self, path: str, lease: float, timeout: float, clock: Clock) -> None:
        self.path = path
        self._lease = lease
        self._timeout = timeout
        self._clock = clock
        self._handle = _Handle()

    def claim(self, delivery: Delivery) -> State:
        now = self._clock()
        values = {
            "id": delivery.id,
            "token": delivery.token,
            "lease_ends": now + self._lease,
            "keep_until": delivery.keep_until,
            "now": now,
            "some": PURGED_AT_ONCE,
        }
        # A claim that a power loss takes away is one whose handler died with it.
        with self._transaction("NORMAL") as connection:
            connection.execute(PURGE, values)
            if connection.execute(CLAIM, values).rowcount:
                return State.CLAIMED
            row = connection.execute("SELECT token FROM delivery WHERE id = :id", values).fetchone()
        return State.COMPLETED if row[0] is None else State.HELD

    def complete(self, delivery: Delivery) -> None:
        with self._transaction("FULL") as connection:
            connection.execute(COMPLETE, {"id": delivery.id, "keep_until": delivery.keep_until})

    def release(self, delivery: Delivery) -> None:
        with self._transaction("NORMAL") as connection:
            connection.execute(RELEASE, {"id": delivery.id, "token": delivery.token})

    def explain(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        return f"the replay guard's file {self.path} cannot be used ({text or type(error).__name__}); {_advice(text)}"

    async def off_loop(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    @contextmanager
    def _transaction(self, synchronous: str) -> Generator[sqlite3.Connection, None, None]:
        """Yield the connection inside a write transaction, which is committed at the end."""
        handle = self._handle
        if handle.pid != os.getpid():
            _inherited.append(handle)
            handle = self._handle = _Handle()
        if not handle.lock.acquire(timeout=self._timeout):
            raise sqlite3.OperationalError("database is locked by other threads")
        try:
            if handle.connection is None:
                handle.connection = _open(self.path, self._timeout)
            connection = handle.connection
            try:
                connection.execute(f"PRAGMA synchronous = {synchronous}")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Whatever state it is in, the next one starts afresh; closing rolls back.
                handle.connection = None
                connection.close()
                raise
        finally:
            handle.lock.release()


def _open(path: str, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        _use_write_ahead_log(connection, timeout)
        _prepare_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection, timeout: float) -> None:
    # SQLite does not wait here by itself while another process does the same.
    deadline = time.monotonic() + timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise _UnusableFileError("its file system has no shared memory for a write-ahead log")
        return


def _prepare_schema(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    # Looked at again, because another process may have been faster.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version or tables:
            raise _UnusableFileError(
                f"its schema has version {version} and not {SCHEMA_VERSION}: another program's, or another version's"
            )
        for statement in SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")


ADVICE = (
    ("locked", "another process is writing to it for long: stop that, or raise timeout"),
    ("unable to open", "create its folder and let this process write there"),
    ("readonly", "let this process write to it and to its folder"),
    ("full", "make room on its disk"),
    ("disk I/O", "make room on its disk, and check the disk"),
    ("not a database", "give the guard a file of its own"),
    ("malformed", "the file is damaged: remove it, and know that deliveries of the last minutes may be handled again"),
    ("schema", "give the guard a file of its own"),
    ("shared memory", "put it on a local disk"),
)


def _advice(text: str) -> str:
    return next((advice for part, advice in ADVICE if part in text), "check the file, its folder and its disk")
