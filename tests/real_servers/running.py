"""Real servers as processes of their own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from support.deliveries import Answer, Delivery
from support.helpers import PATIENCE, TESTS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from .table import Server

START_SECONDS = 30.0


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def process(command: list[str], log: Path) -> Generator[subprocess.Popen[bytes], None, None]:
    """Run a program in a process group of its own, and end the group."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=log.parent,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)]),
                "PYTHONUNBUFFERED": "1",
                # Else eventlet imports dnspython, and by that httpcore2 and trio, which it cannot patch.
                "EVENTLET_NO_GREENDNS": "yes",
            },
        )
    try:
        yield running
    finally:
        _end(running)


def _end(running: subprocess.Popen[bytes]) -> None:
    for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0)):
        # The group is there as long as anything of it is.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(seconds)


class Running:
    """A server that runs."""

    def __init__(self, server: Server, port: int, log: Path, second_port: int = 0) -> None:
        self.server = server
        self.port = port
        self.second_port = second_port
        self._log = log

    def read_log(self) -> str:
        """Return all that the server and the app have written."""
        return self._log.read_text(errors="replace")

    @contextlib.contextmanager
    def logged(self) -> Iterator[list[str]]:
        """Yield a list that holds what was written in the block once it is left."""
        before = len(self.read_log())
        lines: list[str] = []
        yield lines
        lines.extend(self.read_log()[before:].splitlines())

    def send(self, delivery: Delivery) -> Answer:
        """Send all of a delivery before anything is read, as many clients do, and return the response."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(delivery.to_bytes())
            return answer_of(connection)


def answer_of(connection: socket.socket) -> Answer:
    """Return the next response on a connection."""
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    body = response.read()
    return Answer(response.status, body, {name.lower(): value for name, value in response.getheaders()})


@contextlib.contextmanager
def run(server: Server, folder: Path) -> Generator[Running, None, None]:
    """Run a server until it responds, and then end it."""
    port, second_port = free_port(), free_port()
    log = folder / "log"
    ports = {"{port}": str(port), "{second_port}": str(second_port)}
    command = [_filled(part, ports) for part in server.command]
    with process(command, log) as running:
        found = Running(server, port, log, second_port)
        wait_until_it_responds(port, f"/{server.frameworks[0]}/ping", running, log)
        yield found


def _filled(part: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        part = part.replace(name, value)
    return part


def wait_until_it_responds(port: int, path: str, running: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server's first response."""
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and running.poll() is None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(client):
            client.request("GET", path)
            if client.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {running.args!r}\n{log.read_text(errors='replace')}")
