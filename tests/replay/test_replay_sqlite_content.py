"""The file of the SQLite guard: what is in it, and how large it gets."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest
from listrak_webhooks import ConfigurationError, ReplayGuardError
from listrak_webhooks.replay import SqliteReplayGuard, _sqlite_file
from support.deliveries import signed
from support.guards import WEBHOOK, event_of, is_first
from support.helpers import BODY, NOW, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from listrak_webhooks import Event


def connect(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """Return a connection of another program's."""
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def make_of_ours(path: Path) -> Event:
    """Make a file as the guard makes it, and return what has been handled."""
    event = event_of(BODY)
    assert is_first(SqliteReplayGuard(path), event)
    return event


class TestContent:
    """A file that is not this guard's is rejected, and never changed."""

    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            ("PRAGMA user_version = 7", "its schema has version 7 and not 1"),
            ("CREATE TABLE shop (id)", "its schema is not the one that this version makes"),
            ("CREATE VIEW recent AS SELECT * FROM delivery", "its schema is not the one"),
            ("CREATE TRIGGER t AFTER INSERT ON delivery BEGIN DELETE FROM delivery; END", "its schema is not the one"),
            ("CREATE TEMP TRIGGER t AFTER INSERT ON delivery BEGIN DELETE FROM delivery; END", None),
            ("CREATE UNIQUE INDEX one ON delivery (token)", "its schema is not the one"),
            ("DROP INDEX delivery_by_end", "its schema is not the one"),
            ("ALTER TABLE delivery ADD COLUMN note TEXT", "its schema is not the one"),
            ("ALTER TABLE delivery RENAME TO deliveries", "its schema is not the one"),
            ("ANALYZE", None),
            ("VACUUM", None),
        ],
    )
    def test_a_file_that_was_changed_is_named(self, path: Path, statement: str, fault: str | None) -> None:
        """By its whole schema and not by a number in it: what is in it would run in place of what was asked."""
        event = make_of_ours(path)
        with connect(path) as connection:
            connection.execute(statement)
        if fault is None:
            assert not is_first(SqliteReplayGuard(path), event)
            return
        with pytest.raises(ConfigurationError, match=f"cannot be used.*{fault}.*give the guard a file of its own"):
            SqliteReplayGuard(path)

    @pytest.mark.parametrize(
        "schema",
        [
            "CREATE VIEW delivery AS SELECT '' AS id, NULL AS token, 0 AS claimed_at, 0 AS lease_ends, 0 AS keep_until",
            "CREATE TABLE delivery (id, token, claimed_at, lease_ends, keep_until)",
            "CREATE TABLE shop (id)",
        ],
    )
    @pytest.mark.parametrize("version", [0, 1])
    def test_a_file_that_was_prepared_is_named(self, path: Path, schema: str, version: int) -> None:
        """Also when the version in it is right; and by a guard that was made before the file."""
        earlier = SqliteReplayGuard(path)
        with connect(path) as connection:
            connection.execute(schema)
            connection.execute(f"PRAGMA user_version = {version}")
        before = path.read_bytes()
        with pytest.raises(ConfigurationError, match="give the guard a file of its own"):
            SqliteReplayGuard(path)
        with pytest.raises(ReplayGuardError, match="give the guard a file of its own"):
            is_first(earlier, event_of(BODY))
        with connect(path) as connection:
            tables = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        assert tables == [(schema,)]
        assert len(path.read_bytes()) == len(before)

    def test_text_is_named_and_left_alone(self, path: Path) -> None:
        """It is never overwritten."""
        content = b"not a database at all" * 100
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"file is not a database.*give the guard a file of its own"):
            SqliteReplayGuard(path)
        assert path.read_bytes() == content

    def test_an_empty_file_is_used(self, path: Path) -> None:
        """An administrator has made it, with the rights that they want."""
        path.touch()
        assert is_first(SqliteReplayGuard(path), event_of(BODY))

    def test_a_file_that_is_locked_does_not_keep_the_application_from_starting(self, path: Path) -> None:
        """It may be free when the first delivery comes."""
        make_of_ours(path)
        with connect(path) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            guard = SqliteReplayGuard(path)
            connection.execute("ROLLBACK")
        assert is_first(guard, event_of(b"another"))

    def test_a_damaged_file_is_named_at_the_start(self, path: Path) -> None:
        """With what it costs to remove it."""
        make_of_ours(path)
        with connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff" * 2000)
        with pytest.raises(ConfigurationError, match=r"malformed.*remove it"):
            SqliteReplayGuard(path)


class Clock:
    """A clock that the test turns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def events(count: int, clock: Clock) -> Generator[Event, None, None]:
    """Yield fresh deliveries."""
    for number in range(count):
        body = b"%f %d" % (clock.now, number)
        yield WEBHOOK.verify(body, signed(body, timestamp=str(int(clock.now))), now=clock.now)


def rows(path: Path) -> int:
    """Return how many deliveries the file holds."""
    with connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM delivery").fetchone()[0])


class TestSize:
    """How large the file and its log grow, and that they shrink again."""

    def test_the_log_is_bounded_while_others_read(self, fast_path: Path) -> None:
        """Reads that overlap never leave a gap; checkpoints are made all the same."""
        guard, clock = SqliteReplayGuard(fast_path), Clock(NOW)
        assert is_first(guard, event_of(BODY))
        stop = threading.Event()

        def read(seconds: float) -> None:
            with connect(fast_path) as connection:
                while not stop.is_set():
                    connection.execute("BEGIN")
                    connection.execute("SELECT count(*) FROM delivery").fetchone()
                    time.sleep(seconds)
                    connection.execute("COMMIT")

        readers = [threading.Thread(target=read, args=(0.01 + number / 100,)) for number in range(3)]
        for reader in readers:
            reader.start()
        largest = 0
        try:
            for event in events(6000, clock):
                assert is_first(guard, event)
                largest = max(largest, fast_path.with_name("deliveries.db-wal").stat().st_size)
        finally:
            stop.set()
            for reader in readers:
                reader.join(PATIENCE)
        assert largest < _sqlite_file.LARGEST_LOG * 1.5

    def test_the_log_shrinks_when_a_reader_that_kept_it_has_gone(self, fast_path: Path) -> None:
        """Nothing can be taken from it while somebody reads what was before."""
        guard, clock, log = SqliteReplayGuard(fast_path), Clock(NOW), fast_path.with_name("deliveries.db-wal")
        assert is_first(guard, event_of(BODY))
        with connect(fast_path) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM delivery").fetchone()
            for event in events(10_000, clock):
                assert is_first(guard, event)
                if log.stat().st_size > 2 * _sqlite_file.LOG_LIMIT:
                    break
            else:
                pytest.fail("the log does not grow")
        clock.now += 1
        for event in events(300, clock):
            assert is_first(guard, event)
        assert log.stat().st_size <= _sqlite_file.LOG_LIMIT

    def test_the_file_shrinks_after_a_flood(self, fast_path: Path) -> None:
        """What was forgotten goes back to the file system, a little with each claim."""
        clock = Clock(NOW)
        guard = SqliteReplayGuard(fast_path, clock=clock)
        for event in events(1, clock):
            assert is_first(guard, event)
        with connect(fast_path) as connection:
            flood = [(f"{number:064}", clock.now + 1860) for number in random.sample(range(40_000), 40_000)]
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO delivery VALUES (?, NULL, 0, 0, ?)", flood)
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        flooded = fast_path.stat().st_size
        clock.now += 2 * 900 + 61
        for event in events(600, clock):
            assert is_first(guard, event)
        with connect(fast_path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert rows(fast_path) == 600
        spare = (_sqlite_file.SPARE_PAGES + 50) * 4096
        assert flooded > 2 * spare
        assert fast_path.stat().st_size < spare

    def test_a_claim_forgets_more_than_it_adds(self, fast_path: Path) -> None:
        """Or a flood would stay for as long as deliveries come as fast."""
        clock = Clock(NOW)
        guard = SqliteReplayGuard(fast_path, clock=clock)
        for event in events(1000, clock):
            assert is_first(guard, event)
        clock.now += 2 * 900 + 61
        for added, event in enumerate(events(10, clock), start=1):
            assert is_first(guard, event)
            assert rows(fast_path) == 1000 - 100 * added + added

    def test_what_is_forgotten_is_never_a_claim_that_is_held(
        self, fast_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wall clock that is set forward makes entries old, and no lease."""
        from listrak_webhooks import _clock

        guard, event = SqliteReplayGuard(fast_path), event_of(BODY)
        ahead = 0.0

        real_time, real_monotonic = time.time, time.monotonic

        class System:
            time = staticmethod(lambda: real_time() + ahead)
            monotonic = staticmethod(real_monotonic)

        monkeypatch.setattr(_clock, "time", System)
        with guard.handle(event):
            ahead = 10_000.0
            assert is_first(guard, event_of(b"another"))
            assert rows(fast_path) == 2
