"""The Flask adapter behind real servers."""

from __future__ import annotations

import http.server
import logging
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

import flask
import pytest
from listrak_webhooks import Event, Webhook
from listrak_webhooks.flask import listrak_webhook
from support.apps import swallow
from support.deliveries import PATH, Delivery, forged, logged, one_rejection, signed
from support.flask_views import ECHO, echo, make_app, never
from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP
from support.servers import (
    Connection,
    exchange,
    gunicorn_server,
    not_on_windows,
    serving,
    wait_for,
    werkzeug_server,
    with_kernel_timeout,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_secret_around")


@pytest.fixture
def app() -> flask.Flask:
    """Return an app without routes."""
    return make_app()


@pytest.fixture
def short_wait() -> float:
    """Return a short time for a body to arrive."""
    return 0.3


class TestWerkzeugServer:
    """Flask's development server, over a socket, with threads and keep-alive."""

    @pytest.fixture
    def port(self, app: flask.Flask) -> Generator[int, None, None]:
        """Yield the port of a server with two routes."""
        app.post(PATH)(listrak_webhook(echo))
        small = listrak_webhook(Webhook(SECRET, max_body=100))(lambda event: echo(event))
        app.add_url_rule("/small", "small", small, methods=["POST"])
        with werkzeug_server(app) as port:
            yield port

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, port: int, *, chunked: bool, size: int) -> None:
        """Werkzeug decodes chunks itself."""
        answer = exchange(port, Delivery(b"x" * size, chunked=chunked))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_forgery_is_rejected(self, port: int, *, chunked: bool) -> None:
        """Over a socket as without one."""
        answer = exchange(port, Delivery(headers=forged(), chunked=chunked))
        assert (answer.status, answer.json()) == (401, {"error": "signature_mismatch"})

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_rejected(self, port: int, name: str) -> None:
        """However the server puts the two together."""
        headers = signed()
        answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})

    def test_a_length_over_the_limit_is_answered_without_the_body(self, port: int) -> None:
        """The client has sent nothing but the head, and gets its answer at once."""
        delivery = Delivery(b"", headers=signed(), declared=101, path="/small")
        answer = exchange(port, delivery)
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})

    @with_kernel_timeout
    def test_a_swallowed_body_does_not_hang(
        self, app: flask.Flask, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """This server hands out the connection itself, on which nothing more will come."""
        app.post(PATH)(listrak_webhook(body_timeout=short_wait)(never))
        with werkzeug_server(swallow(app)) as port:
            start = time.monotonic()
            answer = exchange(port, Delivery())
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert short_wait * 0.9 < elapsed < short_wait + 5
        assert "middleware" in one_rejection(caplog, "body_unavailable")

    @with_kernel_timeout
    def test_a_sender_that_stalls_is_not_waited_for_for_ever(
        self, app: flask.Flask, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Half a body, and then silence on an open connection."""
        app.post(PATH)(listrak_webhook(body_timeout=short_wait)(never))
        with werkzeug_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(BODY[:20], headers=signed(), declared=len(BODY)).to_bytes())
            answer = connection.answer()
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert short_wait * 0.9 < elapsed < short_wait + 5
        one_rejection(caplog, "body_unavailable")

    def test_a_slow_sender_is_served(self, app: flask.Flask) -> None:
        """A body that comes in pieces, within the time for the whole of it, is accepted."""
        app.post(PATH)(listrak_webhook(echo))
        with werkzeug_server(app) as port, Connection(port) as connection:
            request = Delivery().to_bytes()
            connection.send(request[:-40])
            for start in range(40, 0, -10):
                time.sleep(0.1)
                connection.send(request[len(request) - start : len(request) - start + 10])
            answer = connection.answer()
        assert (answer.status, answer.body) == (200, ECHO)

    @with_kernel_timeout
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_sender_that_dribbles_has_one_deadline_for_the_whole_body(
        self, app: flask.Flask, short_wait: float, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Each piece comes in time, and the body as a whole does not."""
        app.post(PATH)(listrak_webhook(body_timeout=short_wait)(never))
        delivery = Delivery(b"x", headers=signed(), declared=1000, chunked=chunked)
        request = delivery.to_bytes()[:-5] if chunked else delivery.to_bytes()
        with werkzeug_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.dribble(request, pause=short_wait / 5, piece=b"1\r\nx\r\n" if chunked else b"x")
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert time.monotonic() - start < short_wait + 5
        assert "within 0.3 seconds" in one_rejection(caplog, "body_unavailable")

    def test_a_client_that_leaves_in_the_middle_is_not_a_bad_signature(
        self, app: flask.Flask, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody is there to answer, and the log does not blame the secret."""
        app.post(PATH)(listrak_webhook(never))
        with werkzeug_server(app) as port, Connection(port) as connection:
            connection.send(Delivery(BODY[:20], headers=signed(), declared=len(BODY)).to_bytes())
            connection.socket.close()
            wait_for(lambda: bool(logged(caplog)))
        one_rejection(caplog, "body_unavailable")

    @with_kernel_timeout
    def test_a_sender_that_stalls_in_the_middle_of_a_chunk_is_not_waited_for_for_ever(
        self, app: flask.Flask, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Chunks come through the same connection, and the same bound holds for them."""
        app.post(PATH)(listrak_webhook(body_timeout=short_wait)(never))
        with werkzeug_server(app) as port, Connection(port, patience=4) as connection:
            start = time.monotonic()
            connection.send(Delivery(chunked=True).to_bytes()[:-20])
            answer = connection.answer()
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert elapsed < short_wait + 5
        one_rejection(caplog, "body_unavailable")


class KeepAliveHandler(http.server.BaseHTTPRequestHandler):
    """The least of a WSGI server that hands out the connection itself, and keeps it for the next request."""

    protocol_version = "HTTP/1.1"
    app: ClassVar[Any]

    def do_POST(self) -> None:
        """Answer one request."""
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": self.rfile,
            "wsgi.errors": sys.stderr,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_LENGTH" else f"HTTP_{key}"] = value

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            self.send_response(int(status[:3]))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()

        body = b"".join(type(self).app(environ, start_response))
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@with_kernel_timeout
class TestKeepAlive:
    """A connection that goes on after the delivery, on a server that hands out the connection itself."""

    @pytest.fixture
    def port(self, app: flask.Flask, short_wait: float) -> Generator[int, None, None]:
        """Yield the port of such a server, which waits for a body but shortly."""
        app.post(PATH)(listrak_webhook(body_timeout=short_wait)(echo))
        handler = type("Handler", (KeepAliveHandler,), {"app": app})
        with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
            yield port

    def test_the_connection_serves_the_next_delivery(self, port: int) -> None:
        """No byte of what follows is taken."""
        with Connection(port) as connection:
            for headers in (None, forged(), None):
                connection.send(Delivery(headers=headers).to_bytes())
                answer = connection.answer()
                assert answer.status == (401 if headers else 200)

    def test_the_next_delivery_may_be_there_already(self, port: int) -> None:
        """Two requests in one write, each with its own body."""
        bodies = [b'{"number":1}', b'{"number":22}']
        with Connection(port) as connection:
            connection.send(b"".join(Delivery(body).to_bytes() for body in bodies))
            received = b""
            while received.count(b"number") < 2 and (piece := connection.socket.recv(65_536)):
                received += piece
        for body in bodies:
            assert f"{len(body)} {body.decode()}".encode() in received

    def test_the_bound_ends_with_the_request(self, port: int, short_wait: float) -> None:
        """Idling between two requests is the server's business, and may be longer than our wait."""
        with Connection(port) as connection:
            for pause in (0.0, short_wait * 2):
                time.sleep(pause)
                connection.send(Delivery().to_bytes())
                assert connection.answer().body == ECHO

    def test_a_connection_that_was_given_up_can_still_send_the_response(self, port: int, short_wait: float) -> None:
        """The receiving side alone is shut down, and the server closes the connection behind the response."""
        with Connection(port) as connection:
            connection.send(Delivery(BODY[:20], headers=signed(), declared=len(BODY)).to_bytes())
            answer = connection.answer()
            assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
            assert connection.socket.recv(1) == b""


def gunicorn_app() -> flask.Flask:
    """Return the app that Gunicorn serves, in a process of its own."""
    app = make_app()
    app.post(PATH)(listrak_webhook(echo))

    @app.post("/async")
    @listrak_webhook
    async def receive(event: Event) -> str:
        return echo(event)

    small = listrak_webhook(Webhook(SECRET, max_body=100))(lambda event: echo(event))
    app.add_url_rule("/small", "small", small, methods=["POST"])
    lower = listrak_webhook(lambda event: echo(event))
    app.add_url_rule("/lower", "lower", lower, methods=["POST"])

    def hook() -> None:
        if flask.request.path == "/lower":
            app.config["MAX_CONTENT_LENGTH"] = 20
        else:
            app.config["MAX_CONTENT_LENGTH"] = None
        if flask.request.args.get("swallow"):
            flask.request.environ["wsgi.input"].read()

    app.before_request(hook)
    logging.basicConfig(format="%(message)s")
    return app


@pytest.fixture(scope="module")
def gunicorn_port(gunicorn_log: Path) -> Generator[int, None, None]:
    """Yield the port of one Gunicorn for all."""
    with gunicorn_server(f"{__name__}:gunicorn_app()", gunicorn_log) as port:
        yield port


@not_on_windows
class TestGunicorn:
    """Gunicorn, which marks where a body in chunks ends."""

    @pytest.mark.parametrize("path", [PATH, "/async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(
        self,
        gunicorn_port: int,
        path: str,
        *,
        chunked: bool,
        size: int,
    ) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(b"x" * size, chunked=chunked, path=path))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_forgery_is_rejected(self, gunicorn_port: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(headers=forged(), chunked=chunked))
        assert (answer.status, answer.json()) == (401, {"error": "signature_mismatch"})

    @pytest.mark.parametrize(
        ("path", "setting"), [("/small", "max_body"), ("/lower", "MAX_CONTENT_LENGTH")], ids=["ours", "flasks"]
    )
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_over_a_limit_is_rejected(
        self,
        gunicorn_port: int,
        gunicorn_log: Path,
        path: str,
        setting: str,
        *,
        chunked: bool,
    ) -> None:
        """Either limit answers 413, and the log names it."""
        answer = exchange(gunicorn_port, Delivery(b"x" * 101, chunked=chunked, path=path))
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        wait_for(lambda: setting in gunicorn_log.read_text().strip().splitlines()[-1])

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_is_said_to_be_gone(self, gunicorn_port: int, *, chunked: bool) -> None:
        """Gunicorn knows the end of the body, so there is nothing to wait for."""
        start = time.monotonic()
        answer = exchange(gunicorn_port, Delivery(chunked=chunked, path=f"{PATH}?swallow=1"))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert time.monotonic() - start < 5

    def test_the_connection_serves_the_next_delivery(self, gunicorn_port: int) -> None:
        """Keep-alive holds: what one delivery was does not disturb the next."""
        with Connection(gunicorn_port) as connection:
            for chunked, headers in [(False, None), (True, None), (True, forged()), (False, forged()), (False, None)]:
                connection.send(Delivery(chunked=chunked, headers=headers).to_bytes())
                answer = connection.answer()
                assert answer.status == (401 if headers else 200)
                assert headers or answer.body == ECHO

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_rejected(self, gunicorn_port: int, name: str) -> None:
        """However the server puts the two together."""
        headers = signed()
        answer = exchange(gunicorn_port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_ends_in_the_middle_is_not_a_bad_signature(
        self,
        gunicorn_port: int,
        *,
        chunked: bool,
    ) -> None:
        """It closes its half of the connection in the middle of the body, and still hears what became of it."""
        request = Delivery(chunked=chunked).to_bytes()
        with Connection(gunicorn_port) as connection:
            connection.send(request[:-20])
            connection.socket.shutdown(socket.SHUT_WR)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
