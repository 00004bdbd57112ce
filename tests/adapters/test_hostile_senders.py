"""Requests that no honest sender makes get an answer of ours as well: in time, logged, and without a traceback."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

import flask
import listrak_webhooks.django
import listrak_webhooks.flask
import pytest
from flask.views import MethodView
from listrak_webhooks import ConfigurationError, Event, WebhookError
from listrak_webhooks._http.source import Source
from support.apps import call_django, call_wsgi, django_app
from support.deliveries import Delivery, one_rejection
from support.helpers import BODY, SECRET, TESTS
from support.servers import Connection, exchange, gunicorn_server, werkzeug_server, wsgiref_server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Server = Callable[[Any], AbstractContextManager[int]]

BAD_CHUNKS = {
    "size-that-is-no-number": b"zz\r\nabc\r\n0\r\n\r\n",
    "negative-size": b"-5\r\nabc\r\n0\r\n\r\n",
    "trailer-without-a-colon": b"0\r\nbad trailer\r\n\r\n",
}

BAD_LENGTHS = {"with-a-sign": "+9", "a-list": "9, 9", "negative": "-5", "superscript": "\xb2"}


def nothing(_request: Any, _event: Event) -> None:
    """Do nothing with a delivery."""


def make_flask_app(body_timeout: float = 0.3) -> flask.Flask:
    """Return an app with one route, which does not wait for a body for long."""
    app = flask.Flask(__name__)

    @app.post("/listrak")
    @listrak_webhooks.flask.listrak_webhook(SECRET, body_timeout=body_timeout)
    def view(event: Event) -> str:
        return event.id

    return app


def gunicorn_app() -> flask.Flask:
    """Return what Gunicorn serves, with a short wait, and a default timeout such as code that calls out often sets."""
    socket.setdefaulttimeout(10)
    return make_flask_app()


def raw_request(rest: bytes, *headers: str) -> bytes:
    """Return a request whose framing headers and body are written by hand."""
    genuine = [f"{name}: {value}" for name, value in Delivery().pairs if name != "Content-Length"]
    return "\r\n".join(["POST /listrak HTTP/1.1", *genuine, *headers, "", ""]).encode("latin-1") + rest


@pytest.fixture(scope="module")
def gunicorn_port(gunicorn_log: Path) -> Generator[int, None, None]:
    """Yield Gunicorn's port."""
    with gunicorn_server("test_hostile_senders:gunicorn_app()", gunicorn_log) as port:
        yield port


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
class TestGunicorn:
    """Gunicorn with threads hands a broken body's errors, and its waits, to the app."""

    @pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS.keys())
    def test_a_malformed_chunk_is_answered(self, gunicorn_port: int, gunicorn_log: Path, chunks: bytes) -> None:
        """The server's own exception for it does not escape."""
        with Connection(gunicorn_port) as connection:
            connection.send(raw_request(chunks, "Transfer-Encoding: chunked"))
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert "body_unavailable" in gunicorn_log.read_text(encoding="utf-8")
        assert "Traceback" not in gunicorn_log.read_text(encoding="utf-8")

    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
    def test_an_honest_sender_that_is_slow_is_waited_for(self, gunicorn_port: int, *, chunked: bool) -> None:
        """Also where the process has a default timeout, which would make the connection one that never waits."""
        delivery = Delivery(chunked=chunked).to_bytes()
        head, blank, rest = delivery.partition(b"\r\n\r\n")
        with Connection(gunicorn_port) as connection:
            for part in (head + blank, rest[:7], rest[7:]):
                connection.send(part)
                time.sleep(0.1)
            assert connection.answer().status == 200

    @pytest.mark.parametrize(
        "request_bytes",
        [
            pytest.param(raw_request(BODY[:9], f"Content-Length: {len(BODY)}"), id="in-the-body"),
            pytest.param(raw_request(b"5\r\n{", "Transfer-Encoding: chunked"), id="in-a-chunk"),
        ],
    )
    def test_a_sender_that_stalls_is_not_waited_for_for_ever(self, gunicorn_port: int, request_bytes: bytes) -> None:
        """A thread that waited would be one less for the genuine deliveries."""
        with Connection(gunicorn_port) as connection:
            connection.send(request_bytes)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert exchange(gunicorn_port, Delivery()).status == 200


@pytest.mark.parametrize("server", [wsgiref_server, werkzeug_server])
@pytest.mark.parametrize("framework", ["flask", "django"])
class TestDevelopmentServers:
    """The servers that hand out the connection itself."""

    @pytest.fixture
    def port(self, framework: str, server: Server) -> Generator[int, None, None]:
        """Yield the port of one framework on one server."""
        if framework == "flask":
            with server(make_flask_app()) as port:
                yield port
        else:
            view = listrak_webhooks.django.listrak_webhook(SECRET, body_timeout=0.3)(nothing)
            with django_app(("listrak", view)) as app, server(app) as port:
                yield port

    @pytest.mark.parametrize("length", BAD_LENGTHS.values(), ids=BAD_LENGTHS.keys())
    def test_a_length_that_is_not_a_number_gets_a_response(
        self, port: int, length: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody knows where such a body ends, so nothing of it is waited for."""
        with Connection(port) as connection:
            connection.send(raw_request(b"", f"Content-Length: {length}"))
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert "Content-Length" in one_rejection(caplog, "body_unavailable")

    def test_a_length_of_thousands_of_digits_is_too_large(self, port: int) -> None:
        """It is a number, and beyond every limit."""
        with Connection(port) as connection:
            connection.send(raw_request(b"", "Content-Length: " + "9" * 5000))
            answer = connection.answer()
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})

    @pytest.mark.parametrize("length", ["{} ", "\t{}\t"], ids=["space", "tabs"])
    def test_white_space_around_a_length_is_not_part_of_it(self, port: int, length: str) -> None:
        """Not every server takes it off, and the delivery is genuine."""
        with Connection(port) as connection:
            connection.send(raw_request(BODY, "Content-Length:" + length.format(len(BODY))))
            assert connection.answer().status == 200

    def test_a_sender_that_stalls_is_not_waited_for_for_ever(self, port: int) -> None:
        """The wait ends, the answer says that the body is not there, and the server goes on."""
        with Connection(port) as connection:
            connection.send(raw_request(BODY[:9], f"Content-Length: {len(BODY)}"))
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert exchange(port, Delivery()).status == 200


@pytest.mark.parametrize("sent", [0, 9])
@pytest.mark.parametrize("server", [wsgiref_server, werkzeug_server])
def test_the_wait_for_the_next_piece_is_one_wait(server: Server, sent: int) -> None:
    """What came before the sender stalled does not earn it another wait."""
    with server(make_flask_app(body_timeout=1.0)) as port, Connection(port) as connection:
        started = time.monotonic()
        connection.send(raw_request(BODY[:sent], f"Content-Length: {len(BODY)}"))
        assert connection.answer().json() == {"error": "body_unavailable"}
        assert 0.9 < time.monotonic() - started < 1.9


def frames_of(error: BaseException) -> str:
    """Return what an error reporter would send off."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


class TestErrorReporters:
    """An exception that reaches the user's code takes no body, header or secret along."""

    @pytest.mark.parametrize("framework", ["flask", "django"])
    def test_a_rejection_that_is_reported_from_on_rejected(self, framework: str) -> None:
        """The frames of the adapter hold body and headers, so the error comes without them."""
        reports: list[str] = []

        def report(error: WebhookError, request: object) -> None:
            del request
            reports.append(frames_of(error))

        delivery = Delivery(body=b'{"email":"jane@example.com"}', headers=Delivery().pairs[1:3])
        if framework == "flask":
            app = flask.Flask(__name__)
            app.post("/listrak")(listrak_webhooks.flask.listrak_webhook(SECRET, on_rejected=report)(lambda _: ""))
            assert call_wsgi(app, delivery).status == 401
        else:
            decorate = listrak_webhooks.django.listrak_webhook(SECRET, on_rejected=report)
            with django_app(("listrak", decorate(nothing))) as app:
                assert call_django(app, delivery).status == 401
        assert len(reports) == 1
        assert "SignatureMismatchError" in reports[0]
        assert "jane@example.com" not in reports[0]
        assert Delivery().pairs[2][1] not in reports[0]

    def test_a_secret_in_the_settings_that_cannot_be_one(self) -> None:
        """It is named as wrong, and not shown."""
        source = Source(read_setting=lambda: ["a secret with a slip "])
        with pytest.raises(ConfigurationError) as caught:
            source.get()
        own = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        frames = [frame.locals for frame in own if "listrak_webhooks" in frame.filename]
        assert "white space" in str(caught.value)
        assert "with a slip" not in repr(frames)


def test_a_view_that_cannot_take_the_event_is_rejected_at_once() -> None:
    """Otherwise it would be found out by the first delivery, which would be lost."""

    class Method(MethodView):
        decorators = [listrak_webhooks.flask.listrak_webhook(SECRET)]  # noqa: RUF012

        def post(self, event: Event) -> str:
            return event.id

    def by_name_only(*, event: Event) -> str:
        return event.id

    with pytest.raises(ConfigurationError, match="on the method"):
        Method.as_view("method")
    with pytest.raises(ConfigurationError, match="takes no event"):
        listrak_webhooks.flask.listrak_webhook(SECRET)(by_name_only)  # type: ignore[arg-type]


ATOMIC = """
import django
from django.conf import settings
from support.helpers import SECRET
from support.deliveries import Delivery, signed

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    ROOT_URLCONF="urls",
)
django.setup()
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import path
from listrak_webhooks.django import listrak_webhook
import sys, types

@listrak_webhook(SECRET)
def view(request, event):
    Group.objects.create(name=event.id[:9])
    event.payload

sys.modules["urls"] = types.SimpleNamespace(urlpatterns=[path("listrak", view)])
call_command("migrate", verbosity=0)
for body in (b"no json", b"{}"):
    answer = Client().post("/listrak", body, content_type="application/json", headers=signed(body))
    print(answer.status_code, Group.objects.count())
"""


def test_what_a_rejected_delivery_did_to_the_database_is_rolled_back() -> None:
    """Under ATOMIC_REQUESTS a view that fails half-way leaves nothing behind, no matter what responds."""
    command = [sys.executable, "-c", ATOMIC]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS)
    assert done.stdout == "400 0\n200 1\n", done.stderr


def test_a_configuration_error_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """It is ours to mend, and every delivery is lost until then."""
    app = flask.Flask(__name__)
    app.config["LISTRAK_WEBHOOK_SECRET"] = ""
    app.post("/listrak")(listrak_webhooks.flask.listrak_webhook(lambda _: ""))
    assert call_wsgi(app, Delivery()).status == 500
    one_rejection(caplog, "configuration_error", logging.ERROR)
