"""The examples of handing deliveries to a task queue: real servers and workers, and what holds when they die."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.deliveries import Delivery, signed
from support.guards import RedisServer, redis_client
from support.helpers import PATIENCE, SECRET
from support.queue_examples import EXAMPLES, Commands, Programs
from support.scripts import environment
from support.servers import exchange, gunicorn_server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="a worker's processes are found in /proc"),
]

EMAIL = "jane@example.com"


class Example(NamedTuple):
    """One of them."""

    module: str
    queue: str
    """A table or key that tasks go through."""
    empty: tuple[str, ...]
    """The tables or keys that hold nothing when nothing is left to do."""
    rejection: str
    """What the worker prints when it rejects a task that is not JSON."""
    forgets_after: float = 0
    """The seconds after which a worker that starts takes what a dead one held, where it looks only then."""

    @property
    def needs_redis(self) -> bool:
        """Whether it is on Redis."""
        return self.module.endswith("_redis")


HUEY = Example("huey_sqlite", "task", ("inbox", "task", "schedule"), "Error reading from queue")
CELERY = Example(
    "celery_redis", "celery", ("celery", "unacked", "unacked_index"), "Refusing to deserialize", forgets_after=2.5
)
RQ = Example("rq_redis", "rq:queue:listrak", ("rq:queue:listrak", "rq:wip:listrak", "rq:job:*"), "DeserializationError")
DRAMATIQ = Example(
    "dramatiq_redis", "dramatiq:default", ("dramatiq:default*", "dramatiq:__acks__*"), "Failed to decode message"
)

each_example = pytest.mark.parametrize("example", [HUEY, CELERY, RQ, DRAMATIQ], ids=lambda example: example.module)


class Place:
    """Where one test's example runs: its folder, its servers and its workers."""

    def __init__(self, example: Example, folder: Path, redis: RedisServer | None) -> None:
        self.example = example
        self.folder = folder
        self.redis = redis
        self.programs = Programs(folder)

    @contextlib.contextmanager
    def receiving(self) -> Generator[int, None, None]:
        """Run the example's app, and yield its port."""
        with gunicorn_server(f"{self.example.module}:app", self.folder / "receiver.log") as port:
            yield port

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker of the example, as its docstring says."""
        program, *arguments = Commands.of(self.example.module).worker
        path = str(Path(sys.executable).with_name(program))
        return self.programs.start([path, *arguments], "worker", environment())

    def written(self, name: str) -> list[Any]:
        """Return what the stand-in for the shop has written down: what has `begun`, or what is `done`."""
        path = self.folder / name
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def wait_for(self, name: str, count: int) -> list[Any]:
        """Wait until so many deliveries have `begun` or are `done`, and return them."""
        deadline = time.monotonic() + PATIENCE
        while len(self.written(name)) < count:
            text = f"{count} are not {name} in time: {self.written(name)}\n{self.programs.logs()}"
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        return self.written(name)

    def wait_for_log(self, text: str) -> None:
        """Wait until a program has printed a text."""
        deadline = time.monotonic() + PATIENCE
        while text not in (logs := self.programs.logs()):
            assert time.monotonic() < deadline, logs
            time.sleep(0.05)

    def wait_until_empty(self) -> None:
        """Wait until the queue has let go of everything."""
        deadline = time.monotonic() + PATIENCE
        while left := [name for name in self.example.empty if self._holds(name)]:
            assert time.monotonic() < deadline, f"{left} still hold something\n{self.programs.logs()}"
            time.sleep(0.05)

    def _holds(self, name: str) -> bool:
        if self.redis is not None:
            with self.redis_client() as client:
                return bool(client.keys(name))
        file = "inbox.db" if name == "inbox" else "queue.db"
        with contextlib.closing(sqlite3.connect(self.folder / file)) as connection:
            return bool(connection.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608

    @contextlib.contextmanager
    def redis_client(self) -> Generator[Any, None, None]:
        """Yield a client of the test's Redis server."""
        assert self.redis is not None
        client = redis_client(self.redis.port)
        yield client
        client.close()

    @contextlib.contextmanager
    def broken(self) -> Generator[None, None, None]:
        """Let the store work, but the queue in it take nothing."""
        name = self.example.queue
        if self.redis is not None:
            with self.redis_client() as client:
                assert client.rename(name, "elsewhere")
                assert client.set(name, "a string, where a list is needed")
                yield
                assert client.rename("elsewhere", name)
        else:
            with contextlib.closing(sqlite3.connect(self.folder / "queue.db")) as connection:
                connection.execute(f"ALTER TABLE {name} RENAME TO elsewhere")
                yield
                connection.execute(f"ALTER TABLE elsewhere RENAME TO {name}")

    def slip_in(self, data: bytes) -> None:
        """Put a task of these bytes into a queue that holds one, as a program could that may write to its store."""
        if self.redis is None:
            with contextlib.closing(sqlite3.connect(self.folder / "queue.db")) as queue, queue:
                queue.execute("INSERT INTO task (queue, data) VALUES ('listrak', ?)", (data,))
            return
        with self.redis_client() as client:
            if self.example is RQ:
                fields = {"data": data, "status": "queued", "origin": "listrak", "created_at": "2026-01-01T00:00:00Z"}
                client.hset("rq:job:forged", mapping=fields)
                client.lpush(self.example.queue, "forged")
            elif self.example is DRAMATIQ:
                client.hset(f"{self.example.queue}.msgs", "forged", data)
                client.rpush(self.example.queue, "forged")
            else:
                message = json.loads(client.lindex(self.example.queue, 0))
                message["body"] = base64.b64encode(data).decode()
                message["content-type"], message["content-encoding"] = "application/x-python-serialize", "binary"
                message["properties"]["delivery_tag"] = "forged"
                client.lpush(self.example.queue, json.dumps(message))

    def pass_time(self) -> None:
        """Let so much time pass that a dead worker is missed."""
        time.sleep(self.example.forgets_after)
        if self.example is RQ:
            # It takes 90 seconds, of which nothing can be set: let what ends then end now.
            with self.redis_client() as client:
                for member in client.zrange("rq:wip:listrak", 0, -1):
                    assert client.zadd("rq:wip:listrak", {member: time.time() - 1}, xx=True, ch=True)
                assert client.delete("rq:scheduler-lock:listrak")


def delivery(what: str) -> Delivery:
    """Return a delivery that says what is to become of it, and that can be sent again byte for byte."""
    body = json.dumps({"do": what, "email": EMAIL}).encode()
    return Delivery(body, signed(body))


def as_done(sent: Delivery) -> list[Any]:
    """Return what is to be written down of a delivery whose work is done."""
    headers = dict(sent.pairs)
    mac = base64.b64decode(headers["LTK-HmacSignature"])
    return [mac.hex(), sent.body.decode(), int(headers["LTK-Timestamp"])]


@pytest.fixture
def place(
    example: Example, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[Place, None, None]:
    """Yield a place for the test's example, and see afterwards that its logs show no secret, body, address or id."""
    redis = request.getfixturevalue("own_redis") if example.needs_redis else None
    monkeypatch.syspath_prepend(str(EXAMPLES))
    (tmp_path / "shop.py").write_text("from support.shop_stand_in import handle as handle\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = {
        "LISTRAK_WEBHOOK_SECRET": SECRET,
        "LISTRAK_FOLDER": str(tmp_path),
        "HAND_OFF_FOLDER": str(tmp_path),
        "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0" if redis else "",
        "RETRY_AFTER": "1",
        "VISIBILITY_TIMEOUT": "2",
        "HEARTBEAT_TIMEOUT": "2",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    place = Place(example, tmp_path, redis)
    try:
        yield place
    finally:
        place.programs.kill_all()
    logs = place.programs.logs()
    for event_id, body, _ in place.written("done"):
        for private in (SECRET, EMAIL, base64.b64encode(body.encode()).decode()[:40], event_id[:9]):
            assert private not in logs, logs


@each_example
def test_a_delivery_gets_a_200_and_its_work_is_done_once(example: Example, place: Place) -> None:
    """A worker gets the event that was verified, and a replay never reaches a worker."""
    sent, after = delivery("work"), delivery("work after it")
    with place.receiving() as port:
        assert exchange(port, sent).status == 200
        assert not place.written("begun")
        assert exchange(port, sent).status == 200
        place.start_worker()
        place.wait_for("done", 1)
        assert exchange(port, after).status == 200
        assert place.wait_for("done", 2) == [as_done(sent), as_done(after)]
        place.wait_until_empty()
    assert len(place.written("begun")) == 2


@each_example
def test_work_that_fails_is_tried_again(example: Example, place: Place) -> None:
    """Work that raises is done at the next try, and the reason of the failure is in the worker's log."""
    sent = delivery("fail once")
    with place.receiving() as port:
        place.start_worker()
        assert exchange(port, sent).status == 200
        assert place.wait_for("done", 1) == [as_done(sent)]
    assert len(place.written("begun")) == 2
    assert "the shop is closed" in place.programs.logs()


@each_example
def test_what_a_killed_worker_held_is_done_by_the_next(example: Example, place: Place) -> None:
    """A worker that starts does the work of one that died with all its children, as when its machine dies."""
    sent = delivery("hang once")
    with place.receiving() as port:
        worker = place.start_worker()
        assert exchange(port, sent).status == 200
        place.wait_for("begun", 1)
        place.programs.kill(worker)
        assert not place.written("done")
        place.pass_time()
        place.start_worker()
        assert place.wait_for("done", 1) == [as_done(sent)]
        place.wait_until_empty()
    assert [event_id for event_id, _ in place.written("begun")] == [as_done(sent)[0]] * 2


class Bomb:
    """An object whose pickle makes a folder where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@each_example
def test_a_pickle_in_the_queue_runs_no_code(example: Example, place: Place) -> None:
    """The worker rejects a task that is not JSON, and says so in its log."""
    made = place.folder / "made"
    sent = delivery("work")
    with place.receiving() as port:
        assert exchange(port, sent).status == 200
        place.slip_in(pickle.dumps(Bomb(made)))
        place.start_worker()
        assert place.wait_for("done", 1) == [as_done(sent)]
        place.wait_for_log(example.rejection)
    assert not made.exists()
    pickle.loads(pickle.dumps(Bomb(made)))  # noqa: S301 -- our own
    assert made.exists()


@pytest.mark.parametrize("example", [HUEY], ids=lambda example: example.module)
def test_the_files_are_open_to_their_user_alone(
    example: Example, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example gives its folder and files closed modes, whatever the umask, and closes a file that exists."""
    folder = place.folder / "new"
    monkeypatch.setenv("LISTRAK_FOLDER", str(folder))
    umask = os.umask(0)
    try:
        with place.receiving() as port:
            place.start_worker()
            assert exchange(port, delivery("work")).status == 200
            place.wait_for("done", 1)
            modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {"deliveries.db", "inbox.db", "queue.db", "queue.db-wal", "queue.db-shm"} <= modes.keys()
        assert set(modes.values()) == {0o600}, modes
        (folder / "queue.db").chmod(0o666)
        with place.receiving() as port:
            assert exchange(port, delivery("work")).status == 200
        assert (folder / "queue.db").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(umask)


@pytest.mark.parametrize("example", [HUEY], ids=lambda example: example.module)
def test_what_was_queued_twice_is_done_once(example: Example, place: Place) -> None:
    """A second task for one delivery, which a consumer that starts may queue while it arrives, changes nothing."""
    sent, after = delivery("work"), delivery("work after it")
    with place.receiving() as port:
        assert exchange(port, sent).status == 200
        with contextlib.closing(sqlite3.connect(place.folder / "queue.db")) as queue, queue:
            queue.execute("INSERT INTO task (queue, data) SELECT queue, data FROM task")
        assert exchange(port, after).status == 200
        place.start_worker()
        assert place.wait_for("done", 2) == [as_done(sent), as_done(after)]
        place.wait_until_empty()


@pytest.mark.parametrize("example", [HUEY], ids=lambda example: example.module)
def test_what_a_terminated_consumer_held_is_done_by_the_next(example: Example, place: Place) -> None:
    """Huey does not wait for running tasks at SIGTERM, and the next consumer does them again."""
    sent, queued = delivery("hang once"), delivery("work after it")
    with place.receiving() as port:
        worker = place.start_worker()
        assert exchange(port, sent).status == 200
        assert exchange(port, queued).status == 200
        place.wait_for("begun", 1)
        worker.terminate()
        worker.wait(PATIENCE)
        place.start_worker()
        assert sorted(place.wait_for("done", 2)) == sorted([as_done(sent), as_done(queued)])
        place.wait_until_empty()
    assert len(place.written("begun")) == 3


@pytest.mark.parametrize("example", [CELERY, RQ], ids=lambda example: example.module)
def test_what_a_killed_child_held_is_done_by_its_worker(example: Example, place: Place) -> None:
    """A worker puts back the task of a child that was killed alone, for its memory say, and it is done again."""
    sent = delivery("hang once")
    with place.receiving() as port:
        place.start_worker()
        assert exchange(port, sent).status == 200
        ((_, child),) = place.wait_for("begun", 1)
        os.kill(child, signal.SIGKILL)
        assert place.wait_for("done", 1) == [as_done(sent)]
        place.wait_until_empty()


@each_example
def test_a_delivery_that_cannot_be_queued_gets_a_500_and_may_come_again(example: Example, place: Place) -> None:
    """The replay guard releases its claim, and the delivery is handled when it comes again."""
    before, sent = delivery("work before"), delivery("work")
    with place.receiving() as port:
        assert exchange(port, before).status == 200
        with place.broken():
            assert exchange(port, sent).status == 500
        assert exchange(port, sent).status == 200
        place.start_worker()
        assert sorted(place.wait_for("done", 2)) == sorted([as_done(before), as_done(sent)])


@pytest.mark.parametrize(
    ("example", "status"), [(CELERY, 503), (RQ, 503), (DRAMATIQ, 500)], ids=lambda value: getattr(value, "module", "")
)
def test_while_redis_is_down_deliveries_get_a_5xx_and_the_queue_outlives_it(
    example: Example, status: int, place: Place
) -> None:
    """A Redis that writes to its disk loses no task; a 503 comes from the replay guard, if that is on Redis too."""
    before, meanwhile, after = delivery("work before"), delivery("work meanwhile"), delivery("work after")
    assert place.redis is not None
    with place.receiving() as port:
        assert exchange(port, before).status == 200
        place.redis.stop()
        assert exchange(port, meanwhile).status == status
        place.redis.start()
        assert exchange(port, meanwhile).status == 200
        place.start_worker()
        assert sorted(place.wait_for("done", 2)) == sorted([as_done(before), as_done(meanwhile)])
        place.wait_until_empty()
        place.redis.stop()
        place.redis.start()
        if example is RQ:
            # Its workers outlive this only where they wait for a job; else a supervisor starts another.
            place.start_worker()
        assert exchange(port, after).status == 200
        assert place.wait_for("done", 3)[2] == as_done(after)
