"""What the guards do when their store fails: nothing that was handled is handled again, and no failure is silent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, ReplayGuardError
from listrak_webhooks.replay import RedisReplayGuard, SqliteReplayGuard
from listrak_webhooks.replay import _sqlite as sqlite_module
from listrak_webhooks.replay import _sqlite_file as file_module
from support.deliveries import logged
from support.guards import Place, async_redis_client, event_of, handling, redis_client, run
from support.helpers import BODY, PATIENCE
from support.scripts import environment

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from support.guards import RedisServer


def one_record(caplog: pytest.LogCaptureFixture, level: int) -> str:
    """See that the library logged once, at this level, and return the text."""
    (record,) = logged(caplog)
    assert record.levelno == level
    caplog.clear()
    return record.getMessage()


@contextlib.contextmanager
def locked(path: Path) -> Generator[None, None, None]:
    """Hold the write lock of a database, as another process would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


class TestSqlite:
    """Files that cannot be used."""

    def test_a_locked_file_rejects_in_time(self, path: Path) -> None:
        """With the reason, and as soon as it is free it is used again."""
        guard, event = SqliteReplayGuard(path, timeout=0.2), event_of(BODY)
        with guard.handle(event_of(b"before")):
            pass
        began = time.monotonic()
        with locked(path), pytest.raises(ReplayGuardError, match=r"database is locked.*raise timeout") as caught:
            guard.handle(event).__enter__()
        assert 0.1 < time.monotonic() - began < 5
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        with guard.handle(event) as first:
            assert first

    def test_a_short_lock_is_waited_for(self, path: Path) -> None:
        """Several processes write to it all the time."""
        guard = SqliteReplayGuard(path)
        with guard.handle(event_of(b"before")):
            pass
        is_locked = threading.Event()

        def hold() -> None:
            with locked(path):
                is_locked.set()
                time.sleep(0.4)

        thread = threading.Thread(target=hold)
        thread.start()
        assert is_locked.wait(PATIENCE)
        began = time.monotonic()
        with guard.handle(event_of(BODY)) as first:
            assert first
        assert time.monotonic() - began > 0.2
        thread.join(PATIENCE)

    def test_with_fail_open_it_is_handled_and_said_loudly(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """And in this process it is not handled twice even then."""
        guard, event = SqliteReplayGuard(path, timeout=0.1, fail_open=True), event_of(BODY)
        with guard.handle(event_of(b"before")):
            pass
        with locked(path):
            with guard.handle(event) as first:
                assert first
                assert "may be handled twice" in one_record(caplog, logging.ERROR)
            assert "was handled, but that could not be saved" in one_record(caplog, logging.ERROR)
            with guard.handle(event) as first:
                assert not first
        assert not logged(caplog)

    def test_what_was_handled_while_it_was_locked_is_saved_later(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The handler has done its work: that is not an error for the sender, and not forgotten."""
        guard, event = SqliteReplayGuard(path, timeout=0.1, lease=0.5), event_of(BODY)
        another_process = SqliteReplayGuard(path)
        with contextlib.ExitStack() as stack:
            with guard.handle(event) as first:
                assert first
                stack.enter_context(locked(path))
            assert "until it is, another process may handle it again" in one_record(caplog, logging.ERROR)
            with guard.handle(event) as first:
                assert not first
        # The next delivery finds the file free, and hands over what it did not take.
        with guard.handle(event_of(b"the next")):
            pass
        time.sleep(0.6)
        with another_process.handle(event) as first:
            assert not first

    def test_one_that_was_handled_while_the_claim_was_on_its_way_is_not_handled_again(self, path: Path) -> None:
        """The store does not know yet, and this process does."""
        guard, event = SqliteReplayGuard(path), event_of(BODY)
        configuration: Any = guard._configuration
        claim, late = configuration.store.claim, guard.handle(event)

        def slow(delivery: Any) -> Any:
            configuration.unsaved.add(delivery)
            configuration.unsaved.next = lambda: None
            return claim(delivery)

        configuration.store.claim = slow
        with late as first:
            assert not first

    def test_a_claim_that_cannot_be_given_back_is_ended_by_its_lease(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The handler's exception passes, whatever the store does."""
        guard, event = SqliteReplayGuard(path, timeout=0.1, lease=0.5), event_of(BODY)
        with contextlib.ExitStack() as stack:
            with pytest.raises(LookupError, match="mine"), guard.handle(event):  # noqa: PT012
                stack.enter_context(locked(path))
                raise LookupError("mine")
            assert "its lease of 0.5 seconds ends it" in one_record(caplog, logging.WARNING)
        with pytest.raises(DuplicateDeliveryError):
            guard.handle(event).__enter__()
        time.sleep(0.6)
        with guard.handle(event) as first:
            assert first

    def test_a_full_disk_rejects_and_loses_nothing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What was completed before stays so; what cannot be claimed is not handled; room makes it go on."""
        real_open = file_module.open_file
        pages = 0

        def small(path: str, deadline: float) -> sqlite3.Connection:
            connection = real_open(path, deadline)
            if pages:
                connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        monkeypatch.setattr(sqlite_module, "open_file", small)
        SqliteReplayGuard(path).handle(event_of(b"makes the file")).__enter__()
        pages = 8
        guard = SqliteReplayGuard(path)
        handled = []
        with pytest.raises(ReplayGuardError, match=r"disk is full.*make room on its disk"):  # noqa: PT012
            for number in range(1000):
                event = event_of(b"%d" % number)
                with guard.handle(event) as first:
                    assert first
                    handled.append(event)
        assert handled
        pages = 0
        guard = SqliteReplayGuard(path)
        for event in handled:
            with guard.handle(event) as first:
                assert not first
        with guard.handle(event_of(b"the next")) as first:
            assert first
        assert not logged(caplog)

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts a small file system")
    def test_a_disk_that_is_really_full_rejects(self, tmp_path: Path) -> None:
        """As root on Linux, on a file system of one megabyte."""
        folder = tmp_path / "small"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("no right to mount a file system here")
        try:
            guard = SqliteReplayGuard(folder / "deliveries.db")
            event = event_of(BODY)
            with guard.handle(event):
                pass
            (folder / "filler").write_bytes(b"")
            with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            with pytest.raises(ReplayGuardError, match="make room on its disk"):  # noqa: PT012
                for number in range(500):
                    with guard.handle(event_of(b"%d" % number)):
                        pass
            (folder / "filler").unlink()
            with guard.handle(event) as first:
                assert not first
        finally:
            guard = None  # type: ignore[assignment]
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    def test_a_damaged_file_is_told_from_others(self, path: Path) -> None:
        """With what it costs to remove it."""
        guard = SqliteReplayGuard(path)
        for number in range(200):
            with guard.handle(event_of(b"%d" % number)):
                pass
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        with pytest.raises(ReplayGuardError, match=r"malformed.*remove it"):
            guard.handle(event_of(BODY)).__enter__()

    @pytest.mark.parametrize("timeout", [0, -1, True, None, float("nan")])
    def test_a_timeout_is_a_positive_span(self, path: Path, timeout: Any) -> None:
        """Nothing waits for ever."""
        with pytest.raises(ConfigurationError, match="timeout must be a positive number of seconds"):
            SqliteReplayGuard(path, timeout=timeout)

    def test_it_survives_a_change_of_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A relative path is that of the moment when the guard was made."""
        monkeypatch.chdir(tmp_path)
        guard = SqliteReplayGuard("deliveries.db")
        monkeypatch.chdir("/")
        with guard.handle(event_of(BODY)):
            pass
        assert (tmp_path / "deliveries.db").exists()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
    def test_a_fork_opens_the_file_anew(self, path: Path) -> None:
        """A connection that two processes use damages the file; the child's handling counts for the parent."""
        script = (
            "import os, sys\n"
            "from support.guards import event_of\n"
            "from listrak_webhooks.replay import SqliteReplayGuard\n"
            "guard, event, later = SqliteReplayGuard(sys.argv[1]), event_of(b'1'), event_of(b'2')\n"
            "with guard.handle(event) as first: assert first\n"
            "lock = guard._configuration.store._handle.lock  # as if another thread were just using it\n"
            "lock.acquire()\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    with guard.handle(event) as first: assert not first\n"
            "    with guard.handle(later) as first: assert first\n"
            "    sys.exit(7)\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
            "lock.release()\n"
            "with guard.handle(later) as first: assert not first\n"
            "with guard.handle(event_of(b'3')) as first: assert first\n"
        )
        command = [sys.executable, "-W", "ignore", "-c", script, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)
        assert done.returncode == 0, done.stderr

    def test_a_completed_delivery_is_synced_and_a_claim_is_not(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a power loss may take is a claim, whose handler dies with it."""
        guard = SqliteReplayGuard(path)
        with guard.handle(event_of(b"before")):
            pass
        statements: list[str] = []
        handle: Any = guard._configuration.store
        handle._handle.connection.set_trace_callback(statements.append)
        with guard.handle(event_of(BODY)):
            claimed = len(statements)
        claim, complete = " ".join(statements[:claimed]), " ".join(statements[claimed:])
        assert "synchronous = NORMAL" in claim
        assert "synchronous = FULL" in complete
        assert claim.count("COMMIT") == complete.count("COMMIT") == 1


@pytest.fixture(params=["with", "async with"])
def way(request: pytest.FixtureRequest) -> str:
    """Return how a guard is used: by a sync client, or by an async one."""
    return str(request.param)


def guard_at(port: int, way: str, clients: Place, **options: Any) -> RedisReplayGuard:
    """Return a guard over a client of the right kind, which the place closes."""
    make = redis_client if way == "with" else async_redis_client
    return RedisReplayGuard(clients.keep(make(port)), **options)


class TestRedis:
    """Servers that go away, come back, or hang."""

    def test_a_server_that_is_not_there_rejects(self, way: str, tmp_path: Path) -> None:
        """With the reason."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        place = Place(tmp_path, port)

        async def steps() -> None:
            guard = guard_at(port, way, place)
            with pytest.raises(ReplayGuardError, match=r"did not answer \(ConnectionError.*check that it runs"):
                async with handling(guard, event_of(BODY), way):
                    pytest.fail("entered")

        run(place, steps)

    def test_a_server_that_hangs_rejects_in_time(self, way: str, tmp_path: Path) -> None:
        """It takes the connection and never says a word."""
        with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
            port = listener.getsockname()[1]
            place = Place(tmp_path, port)

            async def steps() -> None:
                options = {"socket_timeout": 0.3} if way == "with" else {"socket_timeout": None}
                make = redis_client if way == "with" else async_redis_client
                guard = RedisReplayGuard(place.keep(make(port, **options)), timeout=0.3)
                began = time.monotonic()
                with pytest.raises(ReplayGuardError, match="TimeoutError"):
                    async with handling(guard, event_of(BODY), way):
                        pytest.fail("entered")
                assert time.monotonic() - began < 5

            run(place, steps)

    def test_one_that_stops_while_a_delivery_is_handled_loses_nothing(
        self, own_redis: RedisServer, way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is handled once: in this process at once, in the others as soon as the server is back."""
        place = Place(tmp_path, own_redis.port)

        async def steps() -> None:
            guard, event = guard_at(own_redis.port, way, place, lease=2), event_of(BODY)
            async with handling(guard, event, way) as first:
                assert first
                own_redis.stop()
            assert "was handled, but that could not be saved" in one_record(caplog, logging.ERROR)
            async with handling(guard, event, way) as first:
                assert not first
            with pytest.raises(ReplayGuardError):
                async with handling(guard, event_of(b"another"), way):
                    pytest.fail("entered")
            own_redis.start()
            async with handling(guard, event_of(b"another"), way) as first:
                assert first
            another_process = guard_at(own_redis.port, way, place)
            async with handling(another_process, event, way) as first:
                assert not first

        run(place, steps)

    def test_what_was_completed_outlives_a_crash_of_a_server_that_persists(
        self, own_redis: RedisServer, way: str, tmp_path: Path
    ) -> None:
        """With `appendfsync always`."""
        place = Place(tmp_path, own_redis.port)

        async def steps() -> None:
            event = event_of(BODY)
            async with handling(guard_at(own_redis.port, way, place), event, way):
                pass
            own_redis.stop()
            own_redis.start()
            async with handling(guard_at(own_redis.port, way, place), event, way) as first:
                assert not first

        run(place, steps)

    def test_a_handler_that_fails_while_it_is_away_is_retried_after_the_lease(
        self, own_redis: RedisServer, way: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The claim cannot be given back, and nobody is rejected for longer than it lasts."""
        place = Place(tmp_path, own_redis.port)

        async def steps() -> None:
            guard, event = guard_at(own_redis.port, way, place, lease=1.5), event_of(BODY)
            began = time.monotonic()
            with pytest.raises(LookupError):  # noqa: PT012
                async with handling(guard, event, way):
                    own_redis.stop()
                    raise LookupError
            assert "ends it" in one_record(caplog, logging.WARNING)
            own_redis.start()
            await asyncio.sleep(max(0, began + 1.6 - time.monotonic()))
            async with handling(guard, event, way) as first:
                assert first

        run(place, steps)

    def test_a_delivery_costs_two_round_trips(self, redis_server: RedisServer, way: str, tmp_path: Path) -> None:
        """One to claim it and one to complete it, as the server itself counts them."""
        place = Place(tmp_path, redis_server.port)

        async def steps() -> None:
            guard = guard_at(redis_server.port, way, place)
            async with handling(guard, event_of(b"connects"), way):
                pass
            with contextlib.closing(redis_client(redis_server.port)) as watching, watching.monitor() as monitor:
                async with handling(guard, event_of(f"is counted {way}".encode()), way) as first:
                    assert first
                watching.ping()
                seen = list(itertools.takewhile(lambda command: command["command"] != "PING", monitor.listen()))
            own = [command["command"] for command in seen if command["client_port"] == seen[0]["client_port"]]
            assert [command.split()[0] for command in own] == ["EVAL", "EVAL"]

        run(place, steps)
