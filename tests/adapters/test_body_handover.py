"""Code behind the adapter finds the body where it looks for it, and code before it does no harm."""

from __future__ import annotations

import io
import json
import socket
import wsgiref.validate
from typing import TYPE_CHECKING, Any

import flask
import listrak_webhooks.django
import listrak_webhooks.flask
import pytest
from django.http import HttpResponse
from listrak_webhooks import Event, Webhook
from listrak_webhooks._http.body import DRAIN_BYTES
from support.apps import call_django, call_wsgi, django_app
from support.deliveries import PATH, Answer, Delivery, logged, one_rejection, signed
from support.helpers import BODY, PATIENCE, SECRET
from support.servers import exchange, wsgiref_server
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from collections.abc import Callable

FORM = b"campaign=vip&email=jane%40example.com"
FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART = b"--x\r\nContent-Disposition: form-data; name=campaign\r\n\r\nvip\r\n--x--\r\n"
MULTIPART_TYPE = "multipart/form-data; boundary=x"

ways_to_come = pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])


def flask_app(view: Callable[[Event], Any], *args: Any, **config: Any) -> flask.Flask:
    """Return an app with one view."""
    app = flask.Flask("tests")
    app.config.update({"LISTRAK_WEBHOOK_SECRET": SECRET, "PROPAGATE_EXCEPTIONS": True, **config})
    app.post(PATH)(listrak_webhooks.flask.listrak_webhook(*args)(view))
    return app


def call_view_of_django(view: Callable[[Any, Event], Any], delivery: Delivery, *, asgi: bool = False) -> Answer:
    """Send a delivery to a Django app with one view."""
    with django_app((PATH, listrak_webhooks.django.listrak_webhook(SECRET)(view)), asgi=asgi) as app:
        return call_django(app, delivery, asgi=asgi)


class TestFlask:
    """What a Flask view, and what runs after it, can do with the request."""

    @pytest.mark.parametrize(
        ("read", "body", "content_type", "found"),
        [
            pytest.param(lambda: flask.request.get_data(), BODY, "application/json", BODY, id="get_data"),
            pytest.param(lambda: flask.request.get_json(), BODY, "application/json", json.loads(BODY), id="get_json"),
            pytest.param(lambda: flask.request.stream.read(), BODY, "application/json", BODY, id="stream"),
            pytest.param(lambda: flask.request.get_data(as_text=True), BODY, None, BODY.decode(), id="text"),
            pytest.param(lambda: flask.request.form["email"], FORM, FORM_TYPE, "jane@example.com", id="form"),
            pytest.param(lambda: flask.request.values["email"], FORM, FORM_TYPE, "jane@example.com", id="values"),
            pytest.param(lambda: flask.request.form["campaign"], MULTIPART, MULTIPART_TYPE, "vip", id="multipart"),
            pytest.param(lambda: flask.request.environ["wsgi.input"].read(), BODY, None, BODY, id="wsgi.input"),
            pytest.param(lambda: flask.request.content_length, BODY, None, len(BODY), id="content_length"),
            pytest.param(lambda: "Transfer-Encoding" in flask.request.headers, BODY, None, False, id="no-chunks"),
        ],
    )
    @ways_to_come
    def test_the_view_reads_the_request(
        self, read: Callable[[], Any], body: bytes, content_type: str | None, found: Any, *, chunked: bool
    ) -> None:
        """Each of Flask's own ways gives what it gives without the adapter."""
        seen: list[Any] = []
        app = flask_app(lambda _: seen.append(read()))
        assert call_wsgi(app, Delivery(body, content_type=content_type, chunked=chunked)).status == 200
        assert seen == [found]

    @ways_to_come
    def test_a_teardown_reads_the_request(self, *, chunked: bool) -> None:
        """The body is there as long as the request is."""
        seen: list[bytes] = []
        app = flask_app(lambda _: None)
        app.teardown_request(lambda _: seen.append(flask.request.get_data()))
        assert call_wsgi(app, Delivery(chunked=chunked)).status == 200
        assert seen == [BODY]

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("read", ["get_data", "stream"])
    def test_a_hook_that_was_given_nothing_of_a_body(self, read: str, *, chunked: bool) -> None:
        """Werkzeug takes a body in chunks for an empty one if its server does not say that it ends.

        So what the hook read was not the body, which is still there, for the view's own reading too.
        """
        seen: list[bytes] = []
        app = flask_app(lambda _: seen.append(flask.request.get_data()))

        def hook() -> None:
            assert flask.request.stream.read() == b"" if read == "stream" else flask.request.get_data() == b""

        if chunked:
            app.before_request(hook)

        def gathered(environ: dict[str, Any], start_response: Any) -> Any:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
            return app(environ, start_response)

        assert call_wsgi(gathered, Delivery(chunked=chunked, terminated=False)).status == 200
        assert seen == [BODY]

    @ways_to_come
    @pytest.mark.parametrize(
        "wrap", [LintMiddleware, wsgiref.validate.validator, ProxyFix], ids=["lint", "validator", "proxy-fix"]
    )
    def test_middleware_around_the_app(self, wrap: Callable[[Any], Any], *, chunked: bool) -> None:
        """Those that look closely at what the app does have nothing to say, and the rest are not disturbed."""
        app = flask_app(lambda event: event.body)

        def server(environ: dict[str, Any], start_response: Any) -> Any:
            environ["wsgi.errors"] = Errors()
            environ["wsgi.input"] = Input(environ["wsgi.input"])
            return wrap(app)(environ, start_response)

        answer = call_wsgi(server, Delivery(chunked=chunked, headers=signed() | {"X-Forwarded-For": "192.0.2.1"}))
        assert (answer.status, answer.body) == (200, BODY)

    @pytest.mark.newer("Flask 3.1, which has the setting")
    def test_forms_have_a_limit_of_their_own(self) -> None:
        """It counts when a view asks for the form, as it does without the adapter, and not before."""
        app = flask_app(lambda event: str(len(event.body)), MAX_FORM_MEMORY_SIZE=10)
        answer = call_wsgi(app, Delivery(MULTIPART, content_type=MULTIPART_TYPE))
        assert (answer.status, answer.body) == (200, str(len(MULTIPART)).encode())
        app = flask_app(lambda _: flask.request.form["email"], MAX_FORM_MEMORY_SIZE=10, PROPAGATE_EXCEPTIONS=False)
        app.add_url_rule("/bare", "bare", lambda: flask.request.form["email"], methods=["POST"])
        for path in (PATH, "/bare"):
            assert call_wsgi(app, Delivery(MULTIPART, content_type=MULTIPART_TYPE, path=path)).status == 413

    def test_an_empty_response_is_written(self) -> None:
        """Hypercorn starts a response with its first piece, so there has to be one, even an empty one."""
        app = flask_app(lambda _: None)
        parts: list[bytes] = []

        def server(environ: dict[str, Any], start_response: Any) -> Any:
            parts.extend(app(environ, start_response))
            return parts

        assert call_wsgi(server, Delivery()).status == 200
        assert parts == [b""]


class Errors(io.StringIO):
    """What `wsgi.errors` has to be."""


class Input:
    """What `wsgi.input` has to be, as the standard library's validator has it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.read = stream.read
        self.readline = stream.readline
        self.readlines = stream.readlines

    def __iter__(self) -> Any:
        return iter(self._stream)


class TestDjango:
    """What a Django view can do with the request."""

    @pytest.mark.parametrize(
        ("read", "body", "content_type", "found"),
        [
            pytest.param(lambda request: request.body, BODY, "application/json", BODY, id="body"),
            pytest.param(lambda request: request.read(), BODY, "application/json", BODY, id="read"),
            pytest.param(
                lambda request: request.read(5) + request.read(), BODY, "application/json", BODY, id="read-in-parts"
            ),
            pytest.param(lambda request: b"".join(request), BODY, "application/json", BODY, id="lines"),
            pytest.param(lambda request: (request.body, request.read()), BODY, None, (BODY, BODY), id="body-and-read"),
            pytest.param(lambda request: request.POST["email"], FORM, FORM_TYPE, "jane@example.com", id="form"),
            pytest.param(lambda request: request.POST["campaign"], MULTIPART, MULTIPART_TYPE, "vip", id="multipart"),
        ],
    )
    @ways_to_come
    @pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
    def test_the_view_reads_the_request(
        self,
        read: Callable[[Any], Any],
        body: bytes,
        content_type: str | None,
        found: Any,
        *,
        chunked: bool,
        asgi: bool,
    ) -> None:
        """Each of Django's own ways gives what it gives without the adapter."""
        seen: list[Any] = []

        def view(request: Any, _event: Event) -> HttpResponse:
            seen.append(read(request))
            return HttpResponse()

        delivery = Delivery(body, content_type=content_type, chunked=chunked)
        assert call_view_of_django(view, delivery, asgi=asgi).status == 200
        assert seen == [found]

    def test_a_view_that_reads_on_does_not_wait(self) -> None:
        """On a server that hands out the connection, a read behind the body would wait for the sender."""

        def view(request: Any, _event: Event) -> HttpResponse:
            return HttpResponse(request.environ["wsgi.input"].read())

        with (
            django_app(("listrak", listrak_webhooks.django.listrak_webhook(SECRET)(view))) as app,
            wsgiref_server(app) as port,
        ):
            assert exchange(port, Delivery()).body == BODY

    @pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}], ids=["none", "some"])
    def test_a_chunked_body_that_ends_by_itself_is_taken(self, headers: dict[str, str]) -> None:
        """Bridges gather it and do not say that it ends."""
        with django_app((PATH, listrak_webhooks.django.listrak_webhook(SECRET)(_length))) as app:

            def gathered(environ: dict[str, Any], start_response: Any) -> Any:
                environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
                return app(environ, start_response)

            answer = call_django(gathered, Delivery(chunked=True, terminated=False, headers=signed() | headers))
        assert (answer.status, answer.body) == (200, str(len(BODY)).encode())


def _length(_request: Any, event: Event) -> HttpResponse:
    return HttpResponse(str(len(event.body)))


class TestRejectedBeforeTheBody:
    """A delivery that is rejected before anybody has read its body."""

    @ways_to_come
    @pytest.mark.parametrize("framework", ["flask", "django"])
    @pytest.mark.parametrize("fault", ["no-webhook", "raises"])
    def test_its_body_is_thrown_away(
        self, framework: str, fault: str, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Else the server resets the connection, and the sender, or the proxy, does not see what the response is."""

        def resolver(_request: Any) -> Any:
            if fault == "raises":
                raise LookupError("no such account")

        delivery = Delivery(b"x" * 100_000, chunked=chunked, piece=10_000)
        if framework == "flask":
            app = flask.Flask("tests")
            app.logger.disabled = True
            app.post(PATH)(listrak_webhooks.flask.listrak_webhook(resolver=resolver)(lambda _: None))
            assert call_wsgi(app, delivery).status == 500
        else:
            view = listrak_webhooks.django.listrak_webhook(resolver=resolver)(_length)
            with django_app((PATH, view)) as app:
                assert call_wsgi(app, delivery).status == 500
        assert delivery.taken == 100_000
        assert len(logged(caplog)) == (0 if fault == "raises" else 1)

    @pytest.mark.parametrize("framework", ["flask", "django"])
    def test_a_body_that_was_read_before_is_not_read_again(self, framework: str) -> None:
        """Behind it, the next request may be there already."""
        delivery = Delivery()

        def resolver(request: Any) -> Any:
            assert request.get_data() if framework == "flask" else request.body
            taken.append(delivery.taken)

        taken: list[int] = []
        if framework == "flask":
            app = flask.Flask("tests")
            app.post(PATH)(listrak_webhooks.flask.listrak_webhook(resolver=resolver)(lambda _: None))
            assert call_wsgi(app, delivery).status == 500
        else:
            with django_app((PATH, listrak_webhooks.django.listrak_webhook(resolver=resolver)(_length))) as app:
                assert call_wsgi(app, delivery).status == 500
        assert [delivery.taken] == taken


@pytest.mark.parametrize("framework", ["flask", "django"])
def test_the_sender_of_a_body_that_is_too_large_sees_the_response(framework: str) -> None:
    """It sends all of it before it reads anything, as a proxy does that has gathered it."""
    body = b"x" * (DRAIN_BYTES // 2)
    small = Webhook(SECRET, max_body=100)
    if framework == "flask":
        app: Any = flask_app(lambda _: None, small)
        with wsgiref_server(app) as port:
            answer = _send_all(port, body)
    else:
        view = listrak_webhooks.django.listrak_webhook(small)(_length)
        with django_app(("listrak", view)) as app, wsgiref_server(app) as port:
            answer = _send_all(port, body)
    assert b" 413 " in answer
    assert b"body_too_large" in answer


def _send_all(port: int, body: bytes) -> bytes:
    """Return the response to a delivery whose sender does not suppress what the connection says."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(Delivery(body).to_bytes())
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


def test_a_rejection_of_a_decompressed_forgery(caplog: pytest.LogCaptureFixture) -> None:
    """A middleware that decompresses leaves the sender's length behind, and the forgery is one all the same."""
    app = flask_app(lambda _: None)

    def decompress(environ: dict[str, Any], start_response: Any) -> Any:
        environ["wsgi.input"] = io.BytesIO(b"{}")
        return app(environ, start_response)

    headers = signed(secret="another") | {"Content-Encoding": "gzip"}
    assert call_wsgi(decompress, Delivery(headers=headers)).status == 401
    one_rejection(caplog, "signature_mismatch")
