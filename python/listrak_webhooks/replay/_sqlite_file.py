"""The file of the guard over SQLite: where it may be, who may use it, what is in it, and how large it grows."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from listrak_webhooks.exceptions import ConfigurationError
from listrak_webhooks.instrumentation import logger

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION = 1
"""In the file's `user_version`."""

# A claim has a token and a lease; a completed delivery has no token.
SCHEMA = {
    "delivery": """CREATE TABLE delivery (
        id TEXT PRIMARY KEY NOT NULL,
        token TEXT,
        claimed_at REAL NOT NULL,
        lease_ends REAL NOT NULL,
        keep_until REAL NOT NULL
    ) WITHOUT ROWID""",
    "delivery_by_end": "CREATE INDEX delivery_by_end ON delivery (keep_until)",
}

FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.025
"""Seconds between two tries to get the file's lock: each is twice the one before."""

PATIENCE = 0.25
"""Seconds after which a process that waits for the lock asks the others to step back."""

COURTESY = 0.02
"""Seconds after which those who have stepped back look whether they still have to."""

INTERVAL = 0.005
"""Seconds for which a process does not look again whether it has to."""

STALE = 1.0
"""Seconds after which such a request is one of a process that has died."""

LOG_LIMIT = 4 * 1024 * 1024
"""Bytes of the write-ahead log that stay when a checkpoint has emptied it; one is due at about that size."""

LARGEST_LOG = 4 * LOG_LIMIT
"""Bytes of the log from which on a checkpoint waits for the others, who never leave it a gap."""

CHECKPOINT_PATIENCE = 0.1
"""Seconds for which such a checkpoint waits for those who read."""

SPARE_PAGES = 256
"""Pages that are free in the file and stay there for the next deliveries."""

SHRUNK_AT_ONCE = 256
"""Pages that are given back to the file system at most when a process looks."""

URL = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|(file|sqlite):")


class UnusableFileError(Exception):
    """The file is there and is not this guard's."""


def check_path(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of the file, if a database can be there.

    Raises:
        ConfigurationError: it cannot; the text says what to do.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise ConfigurationError(f"path must be a str or a pathlib.Path, not {type(path).__name__}") from None
    if not text.strip() or ":memory:" in text:
        raise ConfigurationError(
            "path must name a file, because a database in memory is not shared; for one process, use MemoryReplayGuard"
        )
    if "\0" in text:
        raise ConfigurationError("path must not have a NUL character; pass the path of a file")
    if URL.match(text):
        # It could hold a password.
        raise ConfigurationError("path must be a file's path and not a URL; pass what follows sqlite:/// in it")
    if text.startswith("~"):
        raise ConfigurationError(
            f"path {text} begins with ~, which only a shell expands, and each user's is another; pass an absolute "
            "path, or os.path.expanduser(path)"
        )
    # An application may change its directory, and a worker would find another file then.
    absolute = os.path.abspath(text)  # noqa: PTH100
    if text.endswith(("/", os.sep)):
        raise _unfit(absolute, "is a folder", f"name a file in it, such as {os.path.join(absolute, 'deliveries.db')}")  # noqa: PTH118
    _check_place(absolute)
    return absolute


def _unfit(path: str, fact: str, step: str) -> ConfigurationError:
    return ConfigurationError(f"the replay guard's path {path} {fact}; {step}")


def _check_place(path: str) -> None:
    folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120
    if not os.path.isdir(folder):  # noqa: PTH112
        # It is not made: a folder that is not there is most often a mount that is not there.
        raise _unfit(path, f"is in {folder}, which is not a folder that exists", "create that folder, or mount it")
    if os.path.isdir(path):  # noqa: PTH112
        raise _unfit(path, "is a folder", f"name a file in it, such as {os.path.join(path, 'deliveries.db')}")  # noqa: PTH118
    if not _may(folder, os.W_OK | os.X_OK):
        raise _unfit(path, "is in a folder that this process may not write to", "let its user write there")
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise _unfit(path, "is not a regular file", "name one, or one that does not exist yet")
    if not _may(path, os.R_OK | os.W_OK):
        raise _unfit(path, "is a file that this process may not read and write", "let its user do so")
    if os.name == "posix" and status.st_mode & stat.S_IWOTH:
        logger().warning(
            "every user of this machine may write to the replay guard's file %s, and so make deliveries pass twice or "
            "not at all; take that right away with chmod o-w",
            path,
        )


def _may(path: str, rights: int) -> bool:
    # A service that has given up its rights is another user by its effective id.
    return os.access(path, rights, effective_ids=os.access in os.supports_effective_ids)


def check_file(path: str) -> None:
    """See that a file that exists is this guard's; one that does not is made by the first delivery.

    It is not made here: an application is often loaded by another user than the one that it runs as.

    Raises:
        ConfigurationError: it is another's.
    """
    try:
        if not os.path.getsize(path):  # noqa: PTH202
            return
        with closing(open_file(path, time.monotonic() + 1)):
            return
    except FileNotFoundError:
        return
    except (UnusableFileError, sqlite3.DatabaseError) as error:
        text = describe(error)
        # What may be over by the time of the first delivery does not keep the application from starting.
        if isinstance(error, sqlite3.OperationalError) and not text.startswith(("unable to open", "attempt to write")):
            return
        raise ConfigurationError(unusable(path, text)) from None


def open_file(path: str, deadline: float) -> sqlite3.Connection:
    """Return a connection to the file, which is made if it does not exist.

    Args:
        path: of the file.
        deadline: until when to wait for other processes, by `time.monotonic`.

    Raises:
        UnusableFileError: the file is another's, or its file system has no shared memory.
        sqlite3.Error: it cannot be used.
    """
    _make_file(path)
    # Not SQLite's own way to wait: the longer a process has waited, the more rarely it looks, and it may never win.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # A file must not bring code of its own (sqlite.org/security.html).
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
        Turn(path).take(lambda: _prepare(connection), deadline)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_file(path: str) -> None:
    """Make the file for its owner alone, whatever the umask; SQLite gives its log the same mode."""
    with suppress(OSError):
        # Where it exists it is not opened, because closing it would take SQLite's locks away from the whole process.
        descriptor = os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)


def _prepare(connection: sqlite3.Connection) -> None:
    # It counts only before anything is in the file, and a write-ahead log is.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise UnusableFileError("its file system has no shared memory for a write-ahead log")
    if _is_prepared(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked at again, because another process may have been faster.
        if not _is_prepared(connection):
            for statement in SCHEMA.values():
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _is_prepared(connection: sqlite3.Connection) -> bool:
    """Return whether the file holds this guard's schema; if not, it is empty."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    # What `ANALYZE` leaves is statistics. No other name can begin like this.
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'")
    schema = dict(rows.fetchall())
    if version == 0 and not schema:
        return False
    if version != SCHEMA_VERSION:
        raise UnusableFileError(
            f"its schema has version {version} and not {SCHEMA_VERSION}: another program's, or another version's"
        )
    # A trigger or a view would run, and another table would answer, in place of what was asked for.
    if schema != SCHEMA:
        raise UnusableFileError("its schema is not the one that this version makes: somebody has changed it")
    return True


class Turn:
    """Whose turn it is to write to a file.

    SQLite has no queue. A process that writes all the time takes the lock again before those who wait look again, and
    on a busy machine they may not find it free for seconds. So a process that has waited for long leaves a request
    next to the file, and the others step back until it is gone.

    Args:
        path: of the database's file.
    """

    def __init__(self, path: str) -> None:
        self._request = f"{path}-waiting"
        self._next_look = 0.0

    def take(self, step: Callable[[], object], deadline: float) -> None:
        """Do something for which the file may be locked, again and again until it is not.

        Args:
            step: what to do.
            deadline: until when to try, by `time.monotonic`.

        Raises:
            sqlite3.OperationalError: it is still locked at the deadline, or something else is wrong.
        """
        began = time.monotonic()
        if began < self._next_look or not self._is_asked(began):
            try:
                step()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
            else:
                return
        pause = FIRST_PAUSE
        while (now := time.monotonic()) < began + PATIENCE:
            if now >= self._next_look and self._is_asked(now):
                time.sleep(COURTESY)
            elif _succeeds(step, deadline):
                return
            else:
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        self._insist(step, deadline)

    def _insist(self, step: Callable[[], object], deadline: float) -> None:
        asked_at = 0.0
        try:
            while True:
                if (now := time.monotonic()) - asked_at > STALE / 4:
                    self._ask()
                    asked_at = now
                if _succeeds(step, deadline):
                    return
                time.sleep(FIRST_PAUSE)
        finally:
            with suppress(OSError):
                os.unlink(self._request)  # noqa: PTH108

    def _is_asked(self, now: float) -> bool:
        try:
            age = time.time() - os.stat(self._request).st_mtime  # noqa: PTH116
        except OSError:
            age = STALE
        if abs(age) < STALE:
            return True
        self._next_look = now + INTERVAL
        return False

    def _ask(self) -> None:
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            os.close(os.open(self._request, flags, 0o600))
            os.utime(self._request)


def _succeeds(step: Callable[[], object], deadline: float) -> bool:
    """Do the step and return whether the file was not locked.

    Raises:
        sqlite3.OperationalError: it is locked and the deadline is over, or something else is wrong.
    """
    try:
        step()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) or time.monotonic() >= deadline:
            raise
        return False
    return True


def shrink(connection: sqlite3.Connection, path: str) -> None:
    """Give the file system back what the file and its log do not need, outside of a transaction.

    Errors are not the delivery's problem, because what it had to write has been written.
    """
    with suppress(sqlite3.Error):
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        if free > SPARE_PAGES:
            # Not `execute`: in Python 3.11 it ends such a statement after the first page.
            connection.executescript(f"PRAGMA incremental_vacuum({SHRUNK_AT_ONCE})")
    with suppress(sqlite3.Error, OSError):
        if os.path.getsize(f"{path}-wal") > LARGEST_LOG:  # noqa: PTH202
            _empty_log(connection)


def _empty_log(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(CHECKPOINT_PATIENCE * 1000)}")
    try:
        # If somebody reads for long, it does what it can.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


def describe(error: Exception) -> str:
    """Return an error's text, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def unusable(path: str, text: str) -> str:
    """Return the sentence about a file that cannot be used, with the next step."""
    return f"the replay guard's file {path} cannot be used ({text}); {_advice(text)}"


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
