"""The file of the SQLite guard: many processes that write to it in turns."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ReplayGuardError
from listrak_webhooks.replay import SqliteReplayGuard, _sqlite_file
from support.guards import event_of, is_first
from support.helpers import BODY, PATIENCE
from support.scripts import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


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
    command = [sys.executable, "-c", WRITER, str(path), str(deliveries)]
    started = [
        subprocess.Popen(command, env=environment(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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
