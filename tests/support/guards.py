"""What the tests of the replay guards share: guards of every kind, servers, and workers of their own process.

Run as a script it is such a worker: `python -m support.guards KIND FOLDER PORT MEMCACHED_PORT LEASE`, told what
to do line by line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listrak_webhooks import Webhook
from listrak_webhooks.replay import (
    DjangoCacheReplayGuard,
    MemoryReplayGuard,
    RedisReplayGuard,
    SqliteReplayGuard,
    State,
    StoreGuard,
)

from support.apps import configure_django
from support.deliveries import signed
from support.helpers import PATIENCE, SECRET
from support.scripts import environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from listrak_webhooks import Event
    from listrak_webhooks.replay import Delivery

WEBHOOK = Webhook(SECRET)


def event_of(body: bytes, *, age: int = 0, encoding: str = "base64") -> Event:
    """Return the verified event of a delivery."""
    return WEBHOOK.verify(body, signed(body, age=age, encoding=encoding))


def is_first(guard: Any, event: Event) -> bool:
    """Handle an event, and return whether it was to be handled; nobody else holds it."""
    with guard.handle(event) as first:
        return bool(first)


# A Redis server.


def wait_for_response(port: int, command: bytes, response: bytes) -> None:
    """Send a server a command until it gives this response."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(command + b"\r\n")
                if connection.recv(64) == response + b"\r\n":
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, f"the server at port {port} does not respond to {command!r}"
        time.sleep(0.02)


class RedisServer:
    """A Redis server of the tests' own, which keeps its data across a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it, with further options of the server's, and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_response(self.port, b"PING", b"+PONG")

    def stop(self) -> None:
        """Stop it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None


def has_redis() -> bool:
    """Return whether the server's program is there."""
    return shutil.which("redis-server") is not None


class MemcachedServer:
    """A Memcached server of the tests' own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        command = ["memcached", "-p", str(self.port), "-l", "127.0.0.1", "-U", "0", "-u", "nobody"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def clear(self) -> None:
        """Forget everything, and wait until the server responds."""
        wait_for_response(self.port, b"flush_all", b"OK")

    def stop(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait(PATIENCE)


def has_memcached() -> bool:
    """Return whether the server's program is there."""
    return shutil.which("memcached") is not None


def redis_client(port: int, **options: Any) -> Any:
    """Return a sync client that gives up soon."""
    import redis

    options = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry": None, **options}
    return redis.Redis(port=port, **options)


def async_redis_client(port: int, **options: Any) -> Any:
    """Return an async client that gives up soon."""
    import redis.asyncio

    options = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry": None, **options}
    return redis.asyncio.Redis(port=port, **options)


# A store of a user's own.


class Dictionary:
    """A store in a dictionary, as a user would write one for `StoreGuard`."""

    is_async = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: dict[str, tuple[str, float]] = {}
        self._completed: dict[str, float] = {}

    def claim(self, delivery: Delivery) -> State:
        with self._lock:
            state = self._find(delivery)
            if state is State.COMPLETED:
                self._keep(delivery)
            if state is not State.FREE:
                return state
            self._claims[delivery.id] = delivery.token, delivery.monotonic() + delivery.lease
            return State.CLAIMED

    def complete(self, delivery: Delivery) -> State:
        with self._lock:
            state = self._find(delivery)
            if state is not State.HELD:
                self._claims.pop(delivery.id, None)
                self._keep(delivery)
            return state

    def release(self, delivery: Delivery) -> State:
        with self._lock:
            state = self._find(delivery)
            if state is State.CLAIMED:
                del self._claims[delivery.id]
            return state

    def explain(self, error: Exception) -> str:
        return f"the dictionary failed ({type(error).__name__}); look at it"

    def _find(self, delivery: Delivery) -> State:
        if self._completed.get(delivery.id, 0) > delivery.monotonic():
            return State.COMPLETED
        token, lease_ends = self._claims.get(delivery.id, ("", 0.0))
        if delivery.monotonic() >= lease_ends:
            return State.FREE
        return State.CLAIMED if token == delivery.token else State.HELD

    def _keep(self, delivery: Delivery) -> None:
        until = delivery.monotonic() + delivery.keep_for
        self._completed[delivery.id] = max(until, self._completed.get(delivery.id, 0))


class AsyncDictionary:
    """The same, where each hook is awaited, with no word about which library runs it."""

    is_async = True

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary

    async def claim(self, delivery: Delivery) -> State:
        return self._dictionary.claim(delivery)

    async def complete(self, delivery: Delivery) -> State:
        return self._dictionary.complete(delivery)

    async def release(self, delivery: Delivery) -> State:
        return self._dictionary.release(delivery)

    def explain(self, error: Exception) -> str:
        return self._dictionary.explain(error)


# Guards of every kind.


@dataclass
class Place:
    """Where guards of one test keep what they know, so that several of them know the same."""

    folder: Path
    port: int
    memcached_port: int = 0
    dictionary: Dictionary = field(default_factory=Dictionary)
    _clients: list[Any] = field(default_factory=list)

    def guard(self, kind: str, **options: Any) -> Any:
        """Return a new guard of this kind; a second one stands for another process, if the kind has any."""
        makers: dict[str, Callable[..., Any]] = {
            "memory": MemoryReplayGuard,
            "sqlite": partial(SqliteReplayGuard, self.folder / "deliveries.db"),
            "redis": lambda **options: RedisReplayGuard(self.keep(redis_client(self.port)), **options),
            "redis-text": lambda **options: RedisReplayGuard(
                self.keep(redis_client(self.port, decode_responses=True)), **options
            ),
            "redis-async": lambda **options: RedisReplayGuard(self.keep(async_redis_client(self.port)), **options),
            "django-redis": partial(DjangoCacheReplayGuard, "redis"),
            "django-memcached": partial(DjangoCacheReplayGuard, "memcached"),
            "own": partial(StoreGuard, self.dictionary),
            "own-async": partial(StoreGuard, AsyncDictionary(self.dictionary)),
        }
        return makers[kind](**options)

    def keep(self, client: Any) -> Any:
        """Return a client, which `close` closes."""
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Close the clients."""
        while self._clients:
            client = self._clients.pop()
            closing: Any = client.aclose() if hasattr(client, "aclose") else client.close()
            if closing is not None:
                await closing


def django_caches(port: int, memcached_port: int = 0) -> dict[str, Any]:
    """Return the setting that the kinds over Django's caches need."""
    return {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "redis": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}",
        },
        "memcached": {
            "BACKEND": "support.memcached_cache.ClosingCache",
            "LOCATION": f"127.0.0.1:{memcached_port}",
            "OPTIONS": {"connect_timeout": 2, "timeout": 2},
        },
    }


@contextlib.asynccontextmanager
async def handling(guard: Any, event: Event, way: str) -> AsyncGenerator[bool, None]:
    """Handle an event by `with` or by `async with`."""
    if way == "with":
        with guard.handle(event) as first:
            yield first
    else:
        async with guard.handle(event) as first:
            yield first


def run(place: Place, work: Callable[[], Awaitable[None]]) -> None:
    """Run a test's steps in a loop, and close the clients in it."""

    async def steps() -> None:
        try:
            await work()
        finally:
            await place.close()

    asyncio.run(steps())


# Workers in processes of their own.


class Worker:
    """A process that handles deliveries at a guard, as it is told."""

    def __init__(self, kind: str, place: Place, lease: float = 60) -> None:
        ports = [str(place.port), str(place.memcached_port)]
        command = [sys.executable, "-m", "support.guards", kind, str(place.folder), *ports, str(lease)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def tell(self, what: str, bodies: list[str], timestamp: str) -> None:
        """Say what to do: to `handle` all these, or to `hang` while handling the first."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([what, bodies, timestamp]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Return what it has done: the bodies that it was the first for, and how many were rejected."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it; `kill` has done so already, perhaps."""
        self.process.kill()
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def workers(count: int, kind: str, place: Place, lease: float = 60) -> Generator[list[Worker], None, None]:
    """Yield some workers that share one place."""
    started = [Worker(kind, place, lease) for _ in range(count)]
    try:
        for worker in started:
            assert worker.answer() == "ready"
        yield started
    finally:
        for worker in started:
            worker.close()


def work(kind: str, folder: str, port: str, memcached_port: str, lease: str) -> None:
    """Be a worker."""
    from django.test import override_settings
    from listrak_webhooks import DuplicateDeliveryError

    configure_django()
    with override_settings(CACHES=django_caches(int(port), int(memcached_port))):
        guard = Place(Path(folder), int(port)).guard(kind, lease=float(lease))
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            what, bodies, timestamp = json.loads(line)
            first: list[str] = []
            held = 0
            for body in bodies:
                event = WEBHOOK.verify(body.encode(), signed(body.encode(), timestamp=timestamp))
                try:
                    with guard.handle(event) as is_first:
                        if is_first:
                            first.append(body)
                        if what == "hang":
                            print(json.dumps("hanging"), flush=True)
                            time.sleep(PATIENCE)
                except DuplicateDeliveryError:
                    held += 1
            print(json.dumps([first, held]), flush=True)


if __name__ == "__main__":
    work(*sys.argv[1:])
