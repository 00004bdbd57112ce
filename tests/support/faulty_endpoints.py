"""Endpoints as others write them, without our package: right ones, and ones with one fault each."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from support.helpers import SECRET
from support.servers import serving, werkzeug_server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager


@dataclass
class Endpoint:
    """What an endpoint does with a delivery, right unless it is told otherwise."""

    accepts_forgeries: bool = False
    ignores_time: bool = False
    encodings: tuple[str, ...] = ("base64", "hex")
    change: Callable[[bytes], bytes] = bytes
    """What becomes of the body before it is verified."""
    limit: int | None = None
    status: int = 200
    seconds: float = 0.0
    location: str | None = None
    second: int | None = None
    """The status for a delivery that has been there before."""
    case_sensitive: bool = False
    parses: bool = False
    """Fails if the body is not JSON."""
    headers: dict[str, str] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)

    def respond(self, headers: Any, body: bytes) -> int:
        """Return the status for a request."""
        time.sleep(self.seconds)
        if self.location is not None:
            return 308
        if self.limit is not None and len(body) > self.limit:
            return 413
        if not self.accepts_forgeries and not self._is_genuine(headers, body):
            return 401
        if self.parses:
            try:
                json.loads(body)
            except ValueError:
                return 500
        if self.second is not None:
            mark = sha256(body).digest()
            if mark in self.seen:
                return self.second
            self.seen.add(mark)
        return self.status

    def _is_genuine(self, headers: Any, body: bytes) -> bool:
        timestamp, signature = headers.get("LTK-Timestamp", ""), headers.get("LTK-HmacSignature", "")
        if not timestamp.isdecimal() or not signature:
            return False
        mac = hmac.new(SECRET.encode(), self.change(body) + timestamp.encode(), sha256).digest()
        spelled = {"base64": base64.b64encode(mac).decode(), "hex": mac.hex()}
        if signature not in {spelled[each] for each in self.encodings}:
            return False
        return self.ignores_time or abs(time.time() - int(timestamp)) <= 900


def written_again(body: bytes) -> bytes:
    """Return JSON as `json.dumps` writes what was parsed; what is not JSON is left alone."""
    try:
        return json.dumps(json.loads(body)).encode()
    except ValueError:
        return body


def read_as_text(body: bytes) -> bytes:
    """Return the body decoded and encoded again."""
    return body.decode("utf-8", "replace").encode()


def read_as_latin_1(body: bytes) -> bytes:
    """Return the body decoded as one character set and encoded as another."""
    return body.decode("latin-1").encode()


@contextlib.contextmanager
def plain_endpoint(endpoint: Endpoint) -> Generator[int, None, None]:
    """Run an endpoint on `http.server`, and yield its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = _body_of(self)
            status = endpoint.respond(_Exactly(self.headers) if endpoint.case_sensitive else self.headers, body)
            self._respond(status)

        def _respond(self, status: int) -> None:
            self.send_response_only(status)
            if "Date" not in endpoint.headers:
                self.send_header("Date", self.date_time_string())
            for name, value in endpoint.headers.items():
                if value:
                    self.send_header(name, value)
            if endpoint.location is not None:
                self.send_header("Location", endpoint.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


def _body_of(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", "0")))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


class _Exactly(dict[str, str]):
    """Headers that are found by their names in the right case alone."""

    def __init__(self, headers: Any) -> None:
        super().__init__(headers.items())


@contextlib.contextmanager
def flask_endpoint(endpoint: Endpoint) -> Generator[int, None, None]:
    """Run an endpoint in Flask, and yield its port."""
    import flask

    app = flask.Flask("tests")
    if endpoint.limit is not None:
        app.config["MAX_CONTENT_LENGTH"] = endpoint.limit

    @app.post("/<path:path>")
    def view(path: str) -> flask.Response:
        del path
        body = flask.request.get_data()
        response = flask.Response(status=endpoint.respond(flask.request.headers, body))
        if endpoint.location is not None:
            response.headers["Location"] = endpoint.location
        return response

    with werkzeug_server(app) as port:
        yield port


@contextlib.contextmanager
def raw_endpoint(response: bytes, *, linger: float = 0.0) -> Generator[int, None, None]:
    """Run a server that sends some bytes to whatever connects, and closes; yield its port."""
    import socketserver

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(response)
            time.sleep(linger)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with serving(Server(("127.0.0.1", 0), Handler)) as port:
        yield port


ENDPOINTS: dict[str, Callable[[Endpoint], AbstractContextManager[int]]] = {
    "http.server": plain_endpoint,
    "flask": flask_endpoint,
}
"""How an endpoint is served."""


class Seen:
    """Collects deliveries and what was thought of them, in the order in which they came."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.lock = threading.Lock()

    def __call__(self, body: bytes) -> bytes:
        with self.lock:
            self.bodies.append(body)
        return body


@contextlib.contextmanager
def trickling_endpoint(pause: float = 0.2) -> Generator[int, None, None]:
    """Run a server that responds with 200 at once, and sends a byte of the body now and then; yield its port."""
    import socketserver

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            with contextlib.suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    self.request.sendall(b"x")
                    time.sleep(pause)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    with serving(Server(("127.0.0.1", 0), Handler)) as port:
        yield port
