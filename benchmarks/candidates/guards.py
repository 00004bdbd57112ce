"""What is measured: what each replay guard takes to claim a delivery and complete it.

A guard remembers, so each call gets a delivery that it has not seen. They are verified while no time is taken.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import django
import redis
from django.conf import settings
from listrak_webhooks import Event, Webhook
from listrak_webhooks.replay import (
    DjangoCacheReplayGuard,
    MemoryReplayGuard,
    RedisReplayGuard,
    ReplayGuard,
    SqliteReplayGuard,
)

from benchmarks.candidates.entries import fill
from benchmarks.candidates.verifiers import listrak_headers
from benchmarks.deliveries import SECRET, Delivery
from benchmarks.harness.candidate import Call, Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

ROOT = Path(__file__).parents[2]
MILLION = 1_000_000
SPARE = 2 * MILLION
"""How many more deliveries the guard with a million has room for; each call of a round takes one."""
TIMEOUT = 5.0
"""Seconds; for whatever a Redis server may take."""
WEBHOOK = Webhook(SECRET)


def handle(guard: ReplayGuard, event: Event) -> bool:
    """Claim and complete, with nothing to do in between."""
    with guard.handle(event) as first:
        return first


def verify(body: bytes, headers: dict[str, str]) -> object:
    """Verify, through as thin a function."""
    return WEBHOOK.verify(body, headers)


def two_pings(client: redis.Redis) -> bool:
    """Make two round trips that do nothing."""
    client.ping()
    return bool(client.ping())


def _fresh_events() -> Iterator[Event]:
    for number in itertools.count():
        body = b'{"number":%d}' % number
        yield WEBHOOK.verify(body, WEBHOOK.signed_headers(body))


def _claims(guard: Callable[[], ReplayGuard]) -> Callable[[Delivery], Call]:
    """Return what prepares a claim at the guard that is returned, for each load of fresh deliveries anew."""
    events = _fresh_events()
    kept: list[ReplayGuard] = []

    def ready(count: int) -> list[tuple[object, ...]]:
        # Kept until the next time, because what a guard with entries takes to go away is not to be measured.
        kept[:] = [guard()]
        return [(kept[0], event) for event in itertools.islice(events, count)]

    return lambda _: Call(handle, (), lambda first: first is True, ready)


def _at(guard: ReplayGuard) -> Callable[[Delivery], Call]:
    return _claims(lambda: guard)


def _verify(delivery: Delivery) -> Call:
    body, headers = delivery.received, listrak_headers(delivery)
    return Call(verify, (), lambda _: True, lambda count: [(body, headers) for _ in range(count)])


def _two_pings(client: redis.Redis) -> Callable[[Delivery], Call]:
    return lambda _: Call(two_pings, (), lambda answer: answer is True, lambda count: [(client,) for _ in range(count)])


VERIFY = Candidate("verify alone, at 1.2 kB", _verify)
EMPTY = Candidate(
    "MemoryReplayGuard, empty", _claims(MemoryReplayGuard), note="a new guard for every 256 deliveries at most"
)


def at_a_million() -> tuple[Candidate, MemoryReplayGuard]:
    """Return the row of a memory guard with a million live entries, and the guard."""
    guard = MemoryReplayGuard(MILLION + SPARE)
    fill(guard, MILLION)
    note = "sent evenly over the 900 seconds of the tolerance; each call adds one"
    return Candidate("MemoryReplayGuard, at a million entries", _at(guard), note=note), guard


def sqlite(folder: Path) -> Candidate:
    """Return the row of a database in a folder."""
    guard = SqliteReplayGuard(folder / "deliveries.db")
    return Candidate(
        "SqliteReplayGuard", _at(guard), note="in the temporary folder; each completion waits for its disk"
    )


def over_redis(port: int) -> list[Candidate]:
    """Return the rows of the guards that need a Redis server, and of the floor under them."""
    if not settings.configured:
        location = f"redis://127.0.0.1:{port}"
        backend = "django.core.cache.backends.redis.RedisCache"
        settings.configure(CACHES={"default": {"BACKEND": backend, "LOCATION": location}})
        django.setup()
    client = _client(port, redis.Connection)
    return [
        Candidate(
            f"RedisReplayGuard, redis-py {redis.__version__}",
            _at(RedisReplayGuard(client)),
            note="a server on this machine that writes nothing to its disk",
        ),
        Candidate(
            f"DjangoCacheReplayGuard, Django {django.__version__}",
            _at(DjangoCacheReplayGuard()),
            note="over the same server, by Django's own backend; it reads back what it completed",
        ),
        Candidate(
            "two PINGs by redis-py", _two_pings(client), note="not a guard: two round trips to that server, the floor"
        ),
    ]


def prove(call: Call) -> bool:
    """Return whether a guard lets a delivery be handled once and not twice; what is not a guard does the same twice."""
    assert call.fresh is not None
    arguments = call.fresh(1).pop()
    results = [call.accepts(call.function(*arguments)) for _ in range(2)]
    return results == [True, call.function is not handle]


class CountingProxy:
    """Relays between clients and a server, and counts round trips: what a client sends after a response."""

    def __init__(self, port: int) -> None:
        self.round_trips = 0
        self._server = "127.0.0.1", port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            is_answered = True
            while True:
                for readable in select.select([client, server], [], [])[0]:
                    data = readable.recv(65_536)
                    if not data:
                        return
                    if readable is server:
                        is_answered = True
                        client.sendall(data)
                        continue
                    self.round_trips += is_answered
                    is_answered = False
                    server.sendall(data)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()


def round_trips(port: int, deliveries: int) -> list[int]:
    """Return what each of some deliveries costs a Redis guard, over a connection that is open already."""
    with contextlib.closing(CountingProxy(port)) as proxy:
        guard, counts = RedisReplayGuard(_client(proxy.port, redis.Connection), prefix="counted:"), list[int]()
        # The first opens the connection and teaches the server the script.
        for event in itertools.islice(_fresh_events(), deliveries + 1):
            before = proxy.round_trips
            assert handle(guard, event)
            counts.append(proxy.round_trips - before)
    return counts[1:]


def _client(port: int, connection_class: type[redis.Connection]) -> redis.Redis:
    pool = redis.ConnectionPool(
        connection_class, host="127.0.0.1", port=port, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
    )
    return redis.Redis(connection_pool=pool)


@contextlib.contextmanager
def redis_server(folder: Path) -> Generator[int | None, None, None]:
    """Run a Redis server that keeps nothing, and yield its port; `None` where the program is not there."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    with contextlib.closing(redis.Redis(port=port, socket_timeout=TIMEOUT)) as client:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                return
            time.sleep(0.02)
    raise RuntimeError("redis-server does not answer")


def bytes_an_entry(count: int) -> float | None:
    """Return what an entry of a memory guard with `count` takes, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.candidates.entries", str(count)]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout.strip()  # noqa: S603
    return None if text == "unknown" else float(text)
