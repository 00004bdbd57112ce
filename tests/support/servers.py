"""What the adapters' tests share: deliveries, apps called as a server calls them, and real servers.

Deliveries are signed with the standard library, never with the code under test.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP, base64_of, sign_like_listrak

if TYPE_CHECKING:
    import socketserver
    from collections.abc import Callable, Generator

    import pytest

PATH = "/listrak"
TESTS = Path(__file__).parents[1]
PATIENCE = 20.0
"""Seconds after which something that must not hang is taken to hang."""

LOGGER = "listrak_webhooks"

HTTP_HEADERS = "Content-Length", "Content-Type"


def signed(
    body: bytes = BODY, *, secret: str = SECRET, encoding: str = "base64", age: int = 0, timestamp: str | None = None
) -> dict[str, str]:
    """Return the two headers of a genuine delivery that was sent `age` seconds ago."""
    sent = str(int(time.time()) - age) if timestamp is None else timestamp
    mac = sign_like_listrak(secret.encode(), body, sent)
    return {TIMESTAMP: sent, SIGNATURE: base64_of(mac) if encoding == "base64" else mac.hex()}


def forged(body: bytes = BODY) -> dict[str, str]:
    """Return headers that are well formed, and signed with another secret."""
    return signed(body, secret="not the secret")


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)


@dataclass
class Delivery:
    """One request, and how much of its body has been taken off the wire."""

    body: bytes = BODY
    headers: dict[str, str] | list[tuple[str, str]] | None = None
    """Those of a genuine delivery, where none are given."""
    chunked: bool = False
    declared: int | None = None
    """What `Content-Length` says, where it is not the length of the body."""
    path: str = PATH
    method: str = "POST"
    content_type: str | None = "application/json"
    piece: int = 65_536
    """How much a server hands over at once."""
    broken: bool = False
    """The client goes away behind the last byte of `body`, before the end."""
    terminated: bool = True
    """Where it comes in chunks, the WSGI server marks the end of its input."""
    taken: int = 0

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All headers."""
        headers = signed(self.body) if self.headers is None else self.headers
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if self.chunked:
            pairs.append(("Transfer-Encoding", "chunked"))
        else:
            pairs.append(("Content-Length", str(len(self.body) if self.declared is None else self.declared)))
        if self.content_type is not None:
            pairs.append(("Content-Type", self.content_type))
        return [("Host", "127.0.0.1"), *pairs]

    def to_bytes(self) -> bytes:
        """Return the request as it goes over a socket."""
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.pairs), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        return head + (self.to_chunks() if self.chunked else self.body)

    def to_chunks(self) -> bytes:
        """Return the body in chunked transfer coding."""
        pieces = [self.body[start : start + self.piece] for start in range(0, len(self.body), self.piece)]
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


# Apps, called as a server calls them.


class _Input(io.RawIOBase):
    """The `wsgi.input` of a delivery, which keeps count.

    As with real servers, a read of a body with a length waits for all of it, and one of a body in chunks comes back
    with what there is (Werkzeug's). It has a connection, on which something of the body can be seen.
    """

    def __init__(self, delivery: Delivery, connection: socket.socket) -> None:
        self._delivery = delivery
        self._body = io.BytesIO(delivery.body)
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._body.read(min(len(buffer), self._delivery.piece))
        self._delivery.taken += len(piece)
        if not piece and self._delivery.broken:
            raise ConnectionResetError
        buffer[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        data = super().read(size) or b""
        while not self._delivery.chunked and 0 < len(data) < size and (more := super().read(size - len(data))):
            data += more
        return data


def call_wsgi(app: Any, delivery: Delivery) -> Answer:
    """Send a delivery to a WSGI app."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(delivery.body[:1])
        return _call_wsgi(app, delivery, theirs)


def _call_wsgi(app: Any, delivery: Delivery, connection: socket.socket) -> Answer:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": delivery.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": delivery.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": _Input(delivery, connection),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in delivery.pairs:
        key = name.upper().replace("-", "_")
        key = key if name in HTTP_HEADERS else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if delivery.chunked and delivery.terminated:
        environ["wsgi.input_terminated"] = True
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., None]:
        started.append((status, headers))
        return lambda _: None

    parts = app(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[-1]
    return Answer(int(status[:3]), body, {name.lower(): value for name, value in headers})


async def acall_asgi(app: Any, delivery: Delivery) -> Answer:
    """Send a delivery to an ASGI app, as Uvicorn would: who asks for more than there is waits until it is over."""
    path, _, query = delivery.path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": delivery.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in delivery.pairs],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    starts = list(range(0, len(delivery.body), delivery.piece)) or [0]
    pieces = [delivery.body[start : start + delivery.piece] for start in starts]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if delivery.broken:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    over = anyio.Event()
    status = 0
    headers: dict[str, str] = {}
    body = b""

    async def receive() -> dict[str, Any]:
        if messages:
            message = messages.pop(0)
            piece = message.get("body", b"")
            assert isinstance(piece, bytes)
            delivery.taken += len(piece)
            return message
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            body += message.get("body", b"")
            if not message.get("more_body"):
                over.set()

    with anyio.fail_after(PATIENCE):
        await app(scope, receive, send)
    return Answer(status, body, headers)


def call_asgi(app: Any, delivery: Delivery, backend: str = "asyncio") -> Answer:
    """Send a delivery to an ASGI app from code without a loop."""
    return anyio.run(acall_asgi, app, delivery, backend=backend)


# Django, which has one set of settings a process.


def configure_django() -> None:
    """Configure Django for this process; a test changes what it needs with `override_settings`."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY="only for tests",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=(),
            MIDDLEWARE=[],
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
            LOGGING_CONFIG=None,
            USE_TZ=True,
        )
        django.setup()


@contextlib.contextmanager
def django_app(*views: tuple[str, Any], asgi: bool = False, **settings: Any) -> Generator[Any, None, None]:
    """Yield a Django app with these views by path, and these settings."""
    configure_django()
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings
    from django.urls import path

    # A tuple, because Django keeps one resolver for each URLconf in a dictionary.
    urls = tuple(path(route.removeprefix("/"), view) for route, view in views)
    with override_settings(ROOT_URLCONF=urls, **settings):
        yield get_asgi_application() if asgi else get_wsgi_application()


def call_django(app: Any, delivery: Delivery, *, asgi: bool = False) -> Answer:
    """Send a delivery to a Django app, and raise what its view raised."""
    from django.core.signals import got_request_exception

    raised: list[BaseException | None] = []

    def keep(**_: Any) -> None:
        raised.append(sys.exc_info()[1])

    got_request_exception.connect(keep)
    try:
        answer = (call_asgi if asgi else call_wsgi)(app, delivery)
    finally:
        got_request_exception.disconnect(keep)
    for error in raised:
        assert error is not None
        raise error
    return answer


# Real servers.


class Connection:
    """A client's end of one connection, on which requests can be written byte by byte."""

    def __init__(self, port: int, patience: float = PATIENCE) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Write bytes; a server that has answered and gone is no error."""
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
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _has_control_socket() -> bool:
    known = import_module("gunicorn.config").KNOWN_SETTINGS
    return any(setting.name == "control_socket_disable" for setting in known)


# The log.


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the library has logged."""
    return [record for record in caplog.records if record.name == LOGGER]


def one_refusal(caplog: pytest.LogCaptureFixture, code: str, level: int = logging.WARNING) -> str:
    """See that one refusal with this code was logged and nothing besides, and return its text."""
    records = logged(caplog)
    assert [(record.levelno, getattr(record, "listrak_code", None)) for record in records] == [(level, code)], [
        record.getMessage() for record in records
    ]
    text = records[0].getMessage()
    assert f" {code}: " in text
    assert records[0].exc_info is None
    caplog.clear()
    return text
