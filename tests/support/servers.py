"""Real servers on this machine, and connections to them."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from support.deliveries import Answer, Delivery
from support.helpers import PATIENCE, TESTS
from support.scripts import environment

if TYPE_CHECKING:
    import socketserver
    from collections.abc import Callable, Generator
    from pathlib import Path


not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="Gunicorn does not run on Windows")

with_kernel_timeout = pytest.mark.skipif(
    sys.platform == "win32", reason="on Windows the wait of the development servers is not bounded"
)


class Connection:
    """A client's end of one connection, on which requests can be written byte by byte."""

    def __init__(self, port: int, patience: float = PATIENCE) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Write bytes; a server that has answered and gone is not an error."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def dribble(self, request: bytes, *, pause: float, piece: bytes = b"x", most: int = 100) -> None:
        """Write a request, and then a piece of its body after each pause, until there is a response."""
        self.send(request)
        for _ in range(most):
            if select.select([self.socket], [], [], pause)[0]:
                return
            self.send(piece)

    def answer(self) -> Answer:
        """Read one response; where none comes in time, that is a `TimeoutError`."""
        response = http.client.HTTPResponse(self.socket, method="POST")
        response.begin()
        body = response.read()
        return Answer(response.status, body, {name.lower(): value for name, value in response.getheaders()})


def exchange(port: int, delivery: Delivery) -> Answer:
    """Send a delivery over a connection of its own."""
    with Connection(port) as connection:
        connection.send(delivery.to_bytes())
        return connection.answer()


@contextlib.contextmanager
def _in_thread(run: Callable[[], object], stop: Callable[[], object]) -> Generator[None, None, None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not stop"


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Generator[int, None, None]:
    """Run any server of the standard library's kind, and yield its port."""
    # The poll interval is how long stopping takes.
    with _in_thread(lambda: server.serve_forever(poll_interval=0.01), server.shutdown):
        yield int(server.socket.getsockname()[1])
    server.server_close()


@contextlib.contextmanager
def werkzeug_server(app: Any) -> Generator[int, None, None]:
    """Run Flask's development server with threads, and yield its port."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
            pass

    with serving(make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)) as port:
        yield port


@contextlib.contextmanager
def wsgiref_server(app: Any) -> Generator[int, None, None]:
    """Run the standard library's server, on which Django's `runserver` is built, and yield its port."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with serving(make_server("127.0.0.1", 0, app, handler_class=Handler)) as port:
        yield port


@contextlib.contextmanager
def uvicorn_server(app: Any) -> Generator[int, None, None]:
    """Run Uvicorn and yield its port."""
    import uvicorn

    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])

        def stop() -> None:
            server.should_exit = True

        # Connections wait in the listener's queue until the server is up.
        with _in_thread(lambda: server.run(sockets=[listener]), stop):
            yield port


@contextlib.contextmanager
def gunicorn_server(app: str, log: Path) -> Generator[int, None, None]:
    """Run Gunicorn on a `module:factory()` of the tests, and yield its port; what is logged goes to the file."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        port = int(listener.getsockname()[1])
        command = [sys.executable, "-m", "gunicorn", app, "--bind", f"fd://{listener.fileno()}"]
        command += ["--chdir", str(TESTS), "--threads", "2", "--log-level", "error", "--graceful-timeout", "1"]
        command += ["--no-control-socket"] if _has_control_socket() else []
        process = subprocess.Popen(
            command,
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
            env=environment(),
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _has_control_socket() -> bool:
    known = import_module("gunicorn.config").KNOWN_SETTINGS
    return any(setting.name == "control_socket_disable" for setting in known)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something has happened in another thread."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()
