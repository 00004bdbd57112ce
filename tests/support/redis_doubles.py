"""What the tests of the Redis guard share: a network and a server that fail, deliveries, and clients of each kind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio

from support.guards import event_of, redis_client
from support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from listrak_webhooks import Event
    from listrak_webhooks.replay import RedisReplayGuard

each_way = pytest.mark.parametrize("way", ["with", "async with"])
"""By a sync client, and by an async one."""


PIECE = 65_536


class Proxy:
    """Passes bytes between clients and a server, until it is told to fail."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = int(self._listener.getsockname()[1])
        self.opened = 0
        """How many connections there have been."""
        self.hangs = False
        """No byte passes any more, in either direction."""
        self.lost_answers = 0
        """So many responses are still to be lost: the server gets the command, and the client a closed connection."""
        self.pause = 0.0
        """So many seconds pass before each byte of a response."""
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._dead: set[int] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.opened += 1
                server = socket.create_connection(("127.0.0.1", self._server_port))
                with self._lock:
                    self._pairs.append((client, server))
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            back = threading.Thread(target=self._pass, args=(server, client, True), daemon=True)
            back.start()
            self._pass(client, server, False)
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:  # noqa: FBT001
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                while self.hangs:
                    time.sleep(0.01)
                if id(source) in self._dead or id(target) in self._dead:
                    continue
                if is_answer and self.lost_answers:
                    self.lost_answers -= 1
                    break
                if is_answer and self.pause:
                    for byte in data:
                        time.sleep(self.pause)
                        target.sendall(bytes([byte]))
                    continue
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close_connections(self) -> None:
        """Close all connections, as a server does with those that are idle."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 5
        while any(end.fileno() >= 0 for pair in pairs for end in pair) and time.monotonic() < deadline:
            time.sleep(0.01)

    def forget_connections(self) -> None:
        """Drop what comes over the connections that there are, without a word, as a firewall does."""
        with self._lock:
            self._dead.update(id(end) for pair in self._pairs for end in pair)

    def close(self) -> None:
        """Close everything."""
        self.hangs = False
        # A thread that waits in `accept` keeps the listener open otherwise.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_connections()


@contextlib.contextmanager
def proxy(server_port: int) -> Generator[Proxy, None, None]:
    """Run a proxy before a server."""
    running = Proxy(server_port)
    try:
        yield running
    finally:
        running.close()


@contextlib.contextmanager
def told(answer: Callable[[list[bytes]], bytes]) -> Generator[int, None, None]:
    """Run a server that responds to each command with what the function returns, and yield its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    clients: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client, client.makefile("rb") as stream:
            while line := stream.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int(stream.readline()[1:])
                    words.append(stream.read(size + 2)[:-2])
                client.sendall(answer(words))

    def accept() -> None:
        threads = []
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threads.append(threading.Thread(target=serve, args=(client,), daemon=True))
                threads[-1].start()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        # What waits in `accept` is woken so, and not by closing alone.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


def bulk(*words: object) -> bytes:
    """Return an array as a server sends it, arrays within included; what is an `int` is sent as one."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        if isinstance(word, list):
            parts.append(bulk(*word))
        elif isinstance(word, int):
            parts.append(b":%d\r\n" % word)
        else:
            text = str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


bodies = itertools.count()


def fresh_event() -> Event:
    """Return the event of a delivery that has never been seen."""
    return event_of(b"%d of %d" % (next(bodies), os.getpid()))


def client_at(port: int, way: str, **options: Any) -> Any:
    """Return a client of the kind that the way is for."""
    make: Any = redis.Redis if way == "with" else redis.asyncio.Redis
    return make(port=port, **options)


async def ahandle(guard: RedisReplayGuard, event: Event) -> bool:
    """Handle an event in the running loop."""
    async with guard.handle(event) as first:
        return first


def handle(guard: RedisReplayGuard, event: Event) -> bool:
    """Handle an event, with a loop of its own if the guard needs one."""
    if guard.async_only:
        return asyncio.run(ahandle(guard, event))
    with guard.handle(event) as first:
        return first


def in_one_loop(way: str, steps: Callable[[], Any]) -> None:
    """Run a test's steps, which may await, in one loop; those of a sync guard in no loop at all."""
    if way == "async with":
        asyncio.run(steps())
        return
    with pytest.raises(StopIteration):
        steps().send(None)


def clients_of(port: int) -> int:
    """Return how many connections the server has, without the one that asks."""
    with contextlib.closing(redis_client(port)) as client:
        return len(client.client_list()) - 1


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes soon."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait(seconds: float) -> None:
    """Wait, and keep the loop waiting too, if there is one."""
    time.sleep(seconds)


def close(client: Any) -> None:
    """Close a client of any kind; before redis-py 5.0.1 an async one has no `aclose`."""
    closing = getattr(client, "aclose", client.close)()
    if closing is not None:
        asyncio.run(closing)
