"""The file of the SQLite guard: where it may be, who may use it, what is in it, its size, and whose turn it is."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, ReplayGuardError
from listrak_webhooks.replay import SqliteReplayGuard, _sqlite_file
from support.deliveries import logged, signed
from support.guards import WEBHOOK, event_of
from support.helpers import BODY, NOW, PATIENCE, TESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from listrak_webhooks import Event

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database that is not there yet."""
    return tmp_path / "deliveries.db"


@pytest.fixture
def fast_path(tmp_path: Path) -> Generator[Path, None, None]:
    """Return the path of a database in memory, where there is such a file system: no test here is about a disk."""
    memory = Path("/dev/shm")  # noqa: S108
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=memory)) if memory.is_dir() else tmp_path
        yield Path(folder) / "deliveries.db"


def is_first(guard: SqliteReplayGuard, event: Event) -> bool:
    """Handle an event; return whether it was the first."""
    with guard.handle(event) as first:
        return bool(first)


def connect(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """Return a connection of another program's."""
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def in_a_process(script: str, *arguments: object, **options: Any) -> str:
    """Run a script in a process of its own, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE, **options
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


class TestPlace:
    """A path that cannot be a database is found when the guard is made, not by the first delivery."""

    @pytest.mark.parametrize(
        ("given", "fault"),
        [
            ("", "path must name a file.*use MemoryReplayGuard"),
            ("  ", "path must name a file"),
            (":memory:", "path must name a file"),
            (None, "path must be a str or a pathlib.Path, not NoneType"),
            (5, "path must be a str or a pathlib.Path, not int"),
            ("a\0b", "path must not have a NUL character"),
            ("sqlite:///deliveries.db", "must be a file's path and not a URL; pass what follows sqlite:///"),
            ("postgresql://user:password@host/shop", "must be a file's path and not a URL"),
            ("file:deliveries.db?mode=rw", "must be a file's path and not a URL"),
            ("~/deliveries.db", r"begins with ~, which only a shell expands.*os\.path\.expanduser\(path\)"),
            ("~shop/deliveries.db", "begins with ~"),
            ("", "path must name a file"),
            (".", "is a folder; name a file in it, such as .*deliveries.db"),
            ("missing/", "is a folder; name a file in it"),
            (
                "missing/deliveries.db",
                "is in .*missing, which is not a folder that exists; create that folder, or mount",
            ),
            ("a-file/deliveries.db", "is in .*a-file, which is not a folder that exists"),
            ("dangling", "is in .*nowhere, which is not a folder that exists"),
        ],
    )
    def test_what_cannot_be_a_file_is_named(
        self, given: Any, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the next step, and without a password."""
        (tmp_path / "a-file").write_bytes(b"")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "deliveries.db")
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.iterdir())
        with pytest.raises(ConfigurationError, match=fault) as caught:
            SqliteReplayGuard(given)
        assert "password" not in str(caught.value)
        assert sorted(tmp_path.iterdir()) == before

    @posix
    def test_what_is_not_a_regular_file_is_named(self, path: Path) -> None:
        """A pipe would never answer."""
        os.mkfifo(path)
        with pytest.raises(ConfigurationError, match="is not a regular file; name one"):
            SqliteReplayGuard(path)

    def test_a_path_may_be_bytes(self, path: Path) -> None:
        """As for `open`."""
        given: Any = os.fsencode(path)
        assert is_first(SqliteReplayGuard(given), event_of(BODY))
        assert path.exists()

    @posix
    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
    @pytest.mark.parametrize(
        ("prepare", "fault"),
        [
            ("os.chmod(folder, 0o555)", "is in a folder that this process may not write to; let its user write there"),
            ("open(path, 'w').close(); os.chmod(path, 0o444)", "is a file that this process may not read and write"),
            ("open(path, 'w').close(); os.chmod(path, 0o222)", "is a file that this process may not read and write"),
        ],
    )
    def test_rights_that_are_missing_are_named(self, prepare: str, fault: str, tmp_path: Path) -> None:
        """For the user that the process runs as."""
        folder = tmp_path / "folder"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        for parent in (tmp_path, *tmp_path.parents):
            if parent.owner() == "root" and "pytest" in str(parent):
                parent.chmod(0o755)
        printed = in_a_process(
            "import os, sys\n"
            "from listrak_webhooks import ConfigurationError\n"
            "from listrak_webhooks.replay import SqliteReplayGuard\n"
            "folder = sys.argv[1]; path = folder + '/deliveries.db'\n"
            f"{prepare}\n"
            "os.setgroups([]); os.setegid(65534); os.seteuid(65534)\n"
            "try: SqliteReplayGuard(path)\n"
            "except ConfigurationError as error: print(error)\n",
            folder,
        )
        assert fault in printed

    def test_the_file_is_not_made_by_the_constructor(self, path: Path) -> None:
        """An application is often loaded by another user than the one that it runs as."""
        guard = SqliteReplayGuard(path)
        assert not path.exists()
        assert is_first(guard, event_of(BODY))
        assert path.exists()

    def test_a_folder_that_goes_away_later_is_a_store_that_does_not_respond(self, tmp_path: Path) -> None:
        """Until it is back."""
        folder = tmp_path / "mount"
        folder.mkdir()
        guard = SqliteReplayGuard(folder / "deliveries.db")
        folder.rmdir()
        with pytest.raises(
            ReplayGuardError, match=r"cannot be used.*create its folder and let this process write there"
        ):
            is_first(guard, event_of(BODY))
        folder.mkdir()
        assert is_first(guard, event_of(BODY))


@posix
class TestModes:
    """Who may read and write the file."""

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o277, 0o777])
    def test_the_file_and_its_log_are_for_their_owner_alone(self, path: Path, umask: int) -> None:
        """Whatever the umask; and so is the request to step back."""
        before = os.umask(umask)
        try:
            guard = SqliteReplayGuard(path)
            assert is_first(guard, event_of(BODY))
            _sqlite_file.Turn(str(path))._ask()
        finally:
            os.umask(before)
        names = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        waiting = names.pop("deliveries.db-waiting")
        assert waiting & 0o077 == 0
        assert names == {"deliveries.db": 0o600, "deliveries.db-wal": 0o600, "deliveries.db-shm": 0o600}

    def test_a_file_behind_a_link_is_too(self, path: Path) -> None:
        """The link's target is made, and not the link replaced."""
        target = path.with_name("target.db")
        path.symlink_to(target)
        assert is_first(SqliteReplayGuard(path), event_of(BODY))
        assert path.is_symlink()
        assert stat.S_IMODE(target.stat().st_mode) == 0o600

    def test_a_file_that_exists_keeps_its_mode(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Its log takes it over: so a group may share the guard."""
        path.touch()
        path.chmod(0o660)
        guard = SqliteReplayGuard(path)
        assert is_first(guard, event_of(BODY))
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o660}
        assert not logged(caplog)

    def test_one_that_everybody_may_write_to_is_logged(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Anybody on the machine could have a delivery handled twice, or not at all."""
        path.touch()
        path.chmod(0o666)
        assert is_first(SqliteReplayGuard(path), event_of(BODY))
        (record,) = logged(caplog)
        assert record.levelno == logging.WARNING
        assert f"may write to the replay guard's file {path}" in record.getMessage()
        assert "chmod o-w" in record.getMessage()


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
        from listrak_webhooks.replay import _store

        guard, event = SqliteReplayGuard(fast_path), event_of(BODY)
        ahead = 0.0

        real_time, real_monotonic = time.time, time.monotonic

        class System:
            time = staticmethod(lambda: real_time() + ahead)
            monotonic = staticmethod(real_monotonic)

        monkeypatch.setattr(_store, "time", System)
        with guard.handle(event):
            ahead = 10_000.0
            assert is_first(guard, event_of(b"another"))
            assert rows(fast_path) == 2


WRITER = """
import json, os, sys, time
from support.guards import WEBHOOK
from listrak_webhooks import WebhookError
from listrak_webhooks.replay import SqliteReplayGuard
path, count = sys.argv[1], int(sys.argv[2])
guard, longest, rejected = SqliteReplayGuard(path), 0.0, []
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    body = b"%d %d" % (os.getpid(), number)
    event = WEBHOOK.verify(body, WEBHOOK.signed_headers(body))
    began = time.monotonic()
    try:
        with guard.handle(event) as first:
            assert first
    except WebhookError as error:
        rejected.append(str(error))
    longest = max(longest, time.monotonic() - began)
print(json.dumps([longest, rejected]), flush=True)
"""


@contextlib.contextmanager
def writers(count: int, path: Path, deliveries: int) -> Generator[list[subprocess.Popen[str]], None, None]:
    """Yield processes that are ready to handle deliveries of their own, as fast as they can."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", WRITER, str(path), str(deliveries)]
    started = [
        subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(count)
    ]
    try:
        for writer in started:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        yield started
    finally:
        for writer in started:
            writer.kill()
            writer.communicate(timeout=PATIENCE)


def results_of(started: list[subprocess.Popen[str]]) -> list[Any]:
    """Let them begin at once, and return how long each has waited at most, and what was rejected."""
    for writer in started:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [json.loads(writer.stdout.readline()) for writer in started if writer.stdout is not None]


class TestTurns:
    """Several processes that write as fast as they can, on a machine that is busy besides."""

    def test_nobody_waits_for_long_behind_those_who_write_all_the_time(self, fast_path: Path) -> None:
        """SQLite itself lets some of them wait for most of the time that all take together."""
        burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
        try:
            with writers(16, fast_path, 500) as started:
                began = time.monotonic()
                results = results_of(started)
                took = time.monotonic() - began
        finally:
            for burner in burners:
                burner.kill()
                burner.wait(PATIENCE)
        assert [rejected for _, rejected in results] == [[]] * 16
        assert max(longest for longest, _ in results) < 0.4 * took
        assert not fast_path.with_name("deliveries.db-waiting").exists()

    def test_one_who_waits_for_long_makes_the_others_step_back(self, path: Path) -> None:
        """The lock is free for the one alone, however eagerly the others come again."""
        turn, other = _sqlite_file.Turn(str(path)), _sqlite_file.Turn(str(path))
        free, calls = threading.Event(), list[str]()

        def locked_until_free(name: str) -> Callable[[], None]:
            def step() -> None:
                calls.append(name)
                if not free.is_set():
                    raise sqlite3.OperationalError("database is locked")

            return step

        deadline = time.monotonic() + PATIENCE
        old = threading.Thread(target=turn.take, args=(locked_until_free("old"), deadline))
        old.start()
        while not path.with_name("deliveries.db-waiting").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        calls.clear()
        young = threading.Thread(target=other.take, args=(locked_until_free("young"), deadline))
        young.start()
        time.sleep(_sqlite_file.PATIENCE / 2)
        assert set(calls) == {"old"}
        free.set()
        old.join(PATIENCE)
        young.join(PATIENCE)
        assert calls[-1] == "young"
        assert not path.with_name("deliveries.db-waiting").exists()

    def test_the_request_of_a_process_that_died_holds_nobody_up(self, path: Path) -> None:
        """It is old by then, whichever way the clock was set since."""
        request = path.with_name("deliveries.db-waiting")
        for age in (-100, 100):
            request.touch()
            os.utime(request, (time.time() - age,) * 2)
            began = time.monotonic()
            _sqlite_file.Turn(str(path)).take(lambda: None, began + 5)
            assert time.monotonic() - began < _sqlite_file.COURTESY

    def test_a_lock_that_stays_is_given_up_in_time(self, path: Path) -> None:
        """And no request is left behind."""

        def locked() -> None:
            raise sqlite3.OperationalError("database is locked")

        for timeout in (0.05, 0.5):
            began = time.monotonic()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                _sqlite_file.Turn(str(path)).take(locked, began + timeout)
            assert timeout * 0.9 < time.monotonic() - began < timeout + 2
        assert not path.with_name("deliveries.db-waiting").exists()

    def test_another_error_passes_at_once(self, path: Path) -> None:
        """Waiting does not mend it."""

        def fail() -> None:
            raise sqlite3.OperationalError("disk I/O error")

        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="disk"):
            _sqlite_file.Turn(str(path)).take(fail, began + 5)
        assert time.monotonic() - began < 1

    def test_many_processes_make_the_file_at_once(self, path: Path) -> None:
        """The first of them prepares it, and the others wait for that."""
        for number in range(3):
            with writers(6, path.with_name(f"{number}.db"), 3) as started:
                assert [rejected for _, rejected in results_of(started)] == [[]] * 6


def test_a_connection_that_is_lost_in_the_middle_locks_nobody_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step fails, the next delivery starts afresh."""
    guard = SqliteReplayGuard(path)
    store: Any = guard._configuration.store
    assert is_first(guard, event_of(BODY))
    failing = random.Random(7)  # noqa: S311

    class Failing:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection

        def execute(self, *arguments: Any) -> Any:
            if failing.random() < 0.1:
                raise sqlite3.OperationalError("disk I/O error")
            return self._connection.execute(*arguments)

        def close(self) -> None:
            self._connection.close()

    from listrak_webhooks.replay import _sqlite

    real = _sqlite_file.open_file
    monkeypatch.setattr(_sqlite, "open_file", lambda *arguments: Failing(real(*arguments)))
    store._handle.drop()
    handled = []
    for number in range(200):
        event = event_of(b"%d" % number)
        with contextlib.suppress(ReplayGuardError), guard.handle(event) as first:
            assert first
            handled.append(event)
    monkeypatch.undo()
    store._handle.drop()
    assert 20 < len(handled) < 200
    assert not any(is_first(guard, event) for event in handled)
