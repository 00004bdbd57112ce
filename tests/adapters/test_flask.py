"""The Flask adapter: what Flask alone has, and real servers."""

from __future__ import annotations

import functools
import http.server
import logging
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

import flask
import pytest
from flask.views import MethodView
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.flask import listrak_webhook
from support.apps import call_wsgi
from support.deliveries import PATH, Delivery, forged, logged, one_refusal, signed
from support.helpers import BODY, OTHER_SECRET, SECRET, SIGNATURE, TIMESTAMP, VARIABLE
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
    from collections.abc import Callable, Generator
    from pathlib import Path

    from werkzeug.test import TestResponse

pytestmark = pytest.mark.usefixtures("no_secret_around")


def make_app(**config: Any) -> flask.Flask:
    """Return an app that raises what its views raise, with the secret in its config."""
    app = flask.Flask("tests")
    app.config.update({VARIABLE: SECRET, "PROPAGATE_EXCEPTIONS": True, **config})
    return app


@pytest.fixture
def app() -> flask.Flask:
    """Return an app without routes."""
    return make_app()


@pytest.fixture
def short_wait() -> float:
    """Return a short time for a body to arrive."""
    return 0.3


def post(app: flask.Flask, body: bytes = BODY, path: str = PATH, **options: Any) -> TestResponse:
    """Send a delivery with Flask's own client, genuine where no headers are given."""
    options.setdefault("headers", signed(body))
    return app.test_client().post(path, data=body, **options)


def echo(event: Event) -> str:
    """Stand for a view that answers with its event's body."""
    return f"{len(event.body)} {event.body.decode()}"


ECHO = f"{len(BODY)} {BODY.decode()}".encode()


def never(event: Event) -> None:
    """Stand for a view that must not be reached."""
    pytest.fail(f"the view was called with {event}")


class TestView:
    """How the view is called, and what it may return."""

    def test_flasks_own_client_delivers(self, app: flask.Flask) -> None:
        """`app.test_client()` is what users test with."""
        app.post(PATH)(listrak_webhook(echo))
        answer = post(app)
        assert (answer.status_code, answer.data) == (200, ECHO)
        refusal = post(app, headers=forged())
        assert (refusal.status_code, refusal.json) == (401, {"error": "signature_mismatch"})
        assert refusal.mimetype == "application/json"

    @pytest.mark.parametrize("bare", [True, False], ids=["bare", "with-parentheses"])
    def test_url_arguments_pass_through(self, app: flask.Flask, *, bare: bool) -> None:
        """They come by name, beside the event."""
        seen: list[Any] = []

        def view(event: Event, account: str, *, number: int) -> str:
            seen.append((event.body, account, number))
            return "done"

        app.post("/<account>/<int:number>")(listrak_webhook(view) if bare else listrak_webhook()(view))
        assert post(app, path="/acme/7").data == b"done"
        assert seen == [(BODY, "acme", 7)]

    def test_an_async_view_gets_url_arguments_too(self, app: flask.Flask) -> None:
        """Flask runs it in a loop of its own."""

        @app.post("/<account>")
        @listrak_webhook
        async def view(event: Event, account: str) -> str:
            return f"{account} {event.encoding}"

        assert post(app, path="/acme").data == b"acme base64"

    @pytest.mark.parametrize(
        ("result", "status", "body"),
        [
            pytest.param("text", 200, b"text", id="text"),
            pytest.param({"a": 1}, 200, b'{"a":1}\n', id="dict"),
            pytest.param([], 200, b"[]\n", id="empty-list"),
            pytest.param("", 200, b"", id="empty-text"),
            pytest.param(("made", 201, {"X-A": "b"}), 201, b"made", id="tuple"),
            pytest.param(None, 200, b"", id="none"),
        ],
    )
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_it_may_return_what_flask_takes(
        self,
        app: flask.Flask,
        result: Any,
        status: int,
        body: bytes,
        *,
        is_async: bool,
    ) -> None:
        """Only `None` is given a meaning of our own."""

        def view(event: Event) -> Any:
            return result

        async def async_view(event: Event) -> Any:
            return result

        app.post(PATH)(listrak_webhook(async_view if is_async else view))
        answer = post(app)
        assert (answer.status_code, answer.data) == (status, body)

    def test_it_may_return_a_response(self, app: flask.Flask) -> None:
        """A `Response` goes out as it is."""
        app.post(PATH)(listrak_webhook(lambda event: flask.Response("tea", status=418)))
        assert post(app).status_code == 418

    def test_aborting_works(self, app: flask.Flask) -> None:
        """Flask's own HTTP exceptions reach Flask."""

        def view(event: Event) -> None:
            flask.abort(404)

        app.post(PATH)(listrak_webhook(view))
        assert post(app).status_code == 404

    def test_an_error_handler_of_the_app_gets_the_views_exception(self, app: flask.Flask) -> None:
        """Exceptions of the user's own are the user's own."""
        app.register_error_handler(LookupError, lambda error: (str(error.args[0]), 422))

        def view(event: Event) -> None:
            raise LookupError("no such cart")

        app.post(PATH)(listrak_webhook(view))
        answer = post(app)
        assert (answer.status_code, answer.data) == (422, b"no such cart")

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_the_body_stays_readable(self, app: flask.Flask, *, is_async: bool) -> None:
        """`request.get_data()`, `request.json` and `request.data` work behind the adapter."""
        seen: list[Any] = []

        def view(event: Event) -> None:
            seen.extend([flask.request.get_data(), flask.request.json == event.payload, flask.request.data])

        async def async_view(event: Event) -> None:
            view(event)

        app.post(PATH)(listrak_webhook(async_view if is_async else view))
        assert post(app, content_type="application/json").status_code == 200
        assert seen == [BODY, True, BODY]

    def test_a_body_in_chunks_stays_readable(self, app: flask.Flask) -> None:
        """A body that came without a length is kept for `request.get_data()` as well."""
        seen: list[Any] = []
        app.post(PATH)(listrak_webhook(lambda event: seen.append((flask.request.get_data(), flask.request.json))))
        assert call_wsgi(app, Delivery(chunked=True)).status == 200
        assert seen == [(BODY, flask.json.loads(BODY))]

    def test_blueprints(self, app: flask.Flask) -> None:
        """A route of a blueprint is like any other."""
        blueprint = flask.Blueprint("hooks", __name__, url_prefix="/hooks/<tenant>")

        @blueprint.post("/listrak")
        @listrak_webhook
        def receive(event: Event, tenant: str) -> str:
            return f"{tenant}: {flask.url_for('hooks.receive', tenant=tenant)}"

        app.register_blueprint(blueprint)
        assert post(app, path="/hooks/acme/listrak").data == b"acme: /hooks/acme/listrak"
        assert post(app, path="/hooks/acme/listrak", headers={}).status_code == 401

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_method_of_a_method_view(self, app: flask.Flask, *, is_async: bool) -> None:
        """It is called as `post(self, event, **url_args)`."""
        decorator: Any = listrak_webhook

        class Receiver(MethodView):
            greeting = "hello"

            def receive(self, event: Event, account: str) -> str:
                return f"{self.greeting} {account} {event.encoding}"

            post = decorator(receive)

        class AsyncReceiver(MethodView):
            greeting = "hello"

            async def receive(self, event: Event, account: str) -> str:
                return f"{self.greeting} {account} {event.encoding}"

            post = decorator(SECRET)(receive)

        view = AsyncReceiver.as_view("receive") if is_async else Receiver.as_view("receive")
        app.add_url_rule("/<account>", view_func=view)
        assert post(app, path="/acme").data == b"hello acme base64"
        assert post(app, path="/acme", headers=forged()).status_code == 401

    def test_two_routes_on_one_view(self, app: flask.Flask) -> None:
        """Stacked route decorators each serve the same verified view."""
        decorated = listrak_webhook(echo)
        app.post("/a")(app.post("/b")(decorated))
        assert post(app, path="/a").data == post(app, path="/b").data == ECHO

    def test_the_wrong_order_of_the_decorators_accepts_nothing(self, app: flask.Flask) -> None:
        """The route then has the bare view, which cannot be called without an event."""
        route: Any = app.post(PATH)
        listrak_webhook(route(never))
        with pytest.raises(TypeError, match="event"):
            post(app)

    def test_on_rejected_gets_the_request_itself(self, app: flask.Flask) -> None:
        """Not the proxy, which means another request, or none, once it is kept."""
        requests: list[flask.Request] = []
        app.post(PATH)(listrak_webhook(on_rejected=lambda _, request: requests.append(request))(never))
        post(app, headers=forged())
        [request] = requests
        assert type(request) is flask.Request
        assert request.path == PATH


def timed(view: Any) -> Any:
    """Stand for a decorator above ours."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


class TestSecretAtStartUp:
    """A missing secret is found before the first delivery."""

    @pytest.mark.parametrize("kind", ["function", "method"])
    def test_the_first_request_to_another_endpoint_finds_it(
        self, app: flask.Flask, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A health check is enough; it is said once."""
        app.config.pop(VARIABLE)
        app.get("/health")(lambda: "fine")
        if kind == "function":
            app.post(PATH, endpoint="listrak")(timed(listrak_webhook(never)))
        else:

            class View(MethodView):
                @listrak_webhook
                def post(self, event: Event) -> None:
                    never(event)

            app.add_url_rule(PATH, view_func=View.as_view("listrak"))
        for _ in range(2):
            assert app.test_client().get("/health").status_code == 200
        (record,) = logged(caplog)
        assert (record.levelno, "listrak" in record.getMessage()) == (logging.ERROR, True)
        assert f"the environment variable {VARIABLE} is unset" in record.getMessage()

    @pytest.mark.parametrize("secret", ["config", "environment", "argument", "resolver"])
    def test_one_that_is_there_is_not_mentioned(
        self, app: flask.Flask, secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Wherever it is."""
        if secret != "config":
            app.config.pop(VARIABLE)
        if secret == "environment":
            monkeypatch.setenv(VARIABLE, SECRET)
        options: dict[str, Any] = {"resolver": lambda _: Webhook(SECRET)} if secret == "resolver" else {}
        arguments = (SECRET,) if secret == "argument" else ()
        decorate: Any = listrak_webhook(*arguments, **options)
        app.post(PATH)(decorate(never))
        app.test_client().get("/health")
        assert not logged(caplog)


class TestSecretInConfig:
    """`app.config["LISTRAK_WEBHOOK_SECRET"]`."""

    @pytest.mark.parametrize("value", [SECRET, SECRET.encode(), [OTHER_SECRET, SECRET], (OTHER_SECRET, SECRET)])
    def test_a_secret_or_a_list_of_them(self, value: Any) -> None:
        """A list is a rotation."""
        app = make_app(**{VARIABLE: value})
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        assert post(app, headers=forged()).status_code == 401

    def test_it_may_be_set_after_the_decorator_ran(self) -> None:
        """As with an application factory, and a view in a module of its own."""
        decorated = listrak_webhook(echo)
        for secret in (SECRET, OTHER_SECRET):
            app = make_app(**{VARIABLE: secret})
            app.post(PATH)(decorated)
            assert post(app, headers=signed(secret=secret)).status_code == 200
            other = OTHER_SECRET if secret == SECRET else SECRET
            assert post(app, headers=signed(secret=other)).status_code == 401

    def test_a_change_counts_from_the_next_delivery_on(self, app: flask.Flask) -> None:
        """The secret is keyed once, and again when it is another one."""
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        app.config[VARIABLE] = [OTHER_SECRET]
        assert post(app).status_code == 401
        assert post(app, headers=signed(secret=OTHER_SECRET)).status_code == 200

    def test_a_list_that_is_changed_in_place_counts_too(self) -> None:
        """What was revoked must not be accepted because the list is still the same object."""
        secrets = [OTHER_SECRET, SECRET]
        app = make_app(**{VARIABLE: secrets})
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        secrets.pop()
        assert post(app).status_code == 401

    def test_it_comes_before_the_environment(self, app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        """The nearer source wins, and the other one's secret opens nothing."""
        monkeypatch.setenv(VARIABLE, OTHER_SECRET)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        assert post(app, headers=signed(secret=OTHER_SECRET)).status_code == 401

    def test_one_given_in_code_comes_before_it(self, app: flask.Flask) -> None:
        """What stands at the route wins."""
        app.post(PATH)(listrak_webhook(OTHER_SECRET)(echo))
        assert post(app).status_code == 401
        assert post(app, headers=signed(secret=OTHER_SECRET)).status_code == 200

    @pytest.mark.parametrize("value", ["", " ", [], [SECRET, ""], 5, "secret\n"])
    def test_one_that_cannot_be_right_accepts_nothing(self, value: Any, caplog: pytest.LogCaptureFixture) -> None:
        """It is no absent one: the environment does not take its place, and the log says what is wrong."""
        app = make_app(**{VARIABLE: value})
        app.post(PATH)(listrak_webhook(never))
        answer = post(app)
        assert (answer.status_code, answer.json) == (500, {"error": "configuration_error"})
        one_refusal(caplog, "configuration_error", logging.ERROR)

    def test_an_empty_one_is_not_replaced_by_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An empty setting is a mistake, and a mistake must not pick another secret silently."""
        monkeypatch.setenv(VARIABLE, SECRET)
        app = make_app(**{VARIABLE: ""})
        app.post(PATH)(listrak_webhook(never))
        assert post(app).status_code == 500
        one_refusal(caplog, "configuration_error", logging.ERROR)

    def test_none_there_means_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`None` is how a config says that it has nothing."""
        monkeypatch.setenv(VARIABLE, SECRET)
        app = make_app(**{VARIABLE: None})
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200

    def test_a_bad_secret_in_code_is_an_error_at_decoration(self) -> None:
        """Where it is known at once, it is said at once."""
        with pytest.raises(ConfigurationError):
            listrak_webhook("")


class TestBodyReadBefore:
    """Other code that reads the request before the view."""

    @pytest.mark.parametrize(
        "read",
        [
            pytest.param(lambda: flask.request.get_data(), id="get_data"),
            pytest.param(lambda: flask.request.get_json(silent=True), id="get_json"),
            pytest.param(lambda: flask.request.data, id="data"),
        ],
    )
    def test_a_body_that_was_read_and_kept_is_accepted(self, app: flask.Flask, read: Callable[[], Any]) -> None:
        """A hook that logs the body, for one, does no harm."""

        def hook() -> None:
            read()

        app.before_request(hook)
        app.post(PATH)(listrak_webhook(echo))
        answer = post(app, content_type="application/json")
        assert (answer.status_code, answer.data) == (200, ECHO)

    @pytest.mark.parametrize("read", ["get_data", "get_json"])
    def test_a_body_in_chunks_that_was_read_and_kept_is_accepted(self, app: flask.Flask, read: str) -> None:
        """The same without a length."""

        def hook() -> None:
            getattr(flask.request, read)()

        app.before_request(hook)
        app.post(PATH)(listrak_webhook(echo))
        answer = call_wsgi(app, Delivery(chunked=True))
        assert (answer.status, answer.body) == (200, ECHO)

    @pytest.mark.parametrize(
        ("read", "content_type"),
        [
            pytest.param(lambda: flask.request.get_data(cache=False), "application/json", id="not-cached"),
            pytest.param(lambda: flask.request.stream.read(), "application/json", id="stream"),
            pytest.param(lambda: flask.request.stream.read(5), "application/json", id="part-of-the-stream"),
            pytest.param(lambda: flask.request.form, "application/x-www-form-urlencoded", id="form"),
            pytest.param(lambda: flask.request.values, "application/x-www-form-urlencoded", id="values"),
            pytest.param(lambda: flask.request.files, "multipart/form-data; boundary=x", id="files"),
            pytest.param(lambda: flask.request.environ["wsgi.input"].read(), "application/json", id="wsgi.input"),
        ],
    )
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_that_is_gone_is_said_to_be_gone(
        self,
        app: flask.Flask,
        read: Callable[[], Any],
        content_type: str,
        *,
        chunked: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """It is a fault on our side, so a 500 that says what to look for, and never a bad signature."""

        def hook() -> None:
            read()

        app.before_request(hook)
        app.post(PATH)(listrak_webhook(never))
        body = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n"
        answer = call_wsgi(app, Delivery(body, content_type=content_type, chunked=chunked))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert "middleware" in one_refusal(caplog, "body_unavailable")

    def test_on_rejected_is_told(self, app: flask.Flask) -> None:
        """A lost body is what an alert is for."""
        codes: list[str] = []
        app.before_request(lambda: flask.request.stream.read() and None)
        app.post(PATH)(listrak_webhook(on_rejected=lambda error, _: codes.append(error.code))(never))
        assert post(app).status_code == 500
        assert codes == ["body_unavailable"]

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_connection_that_breaks_off_is_no_bad_signature(
        self,
        app: flask.Flask,
        *,
        chunked: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The sender, or a proxy, went away in the middle of the body."""
        app.post(PATH)(listrak_webhook(never))
        headers = signed(BODY + b"the rest")
        delivery = Delivery(BODY, headers=headers, chunked=chunked, declared=len(BODY) + 8, broken=True)
        answer = call_wsgi(app, delivery)
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    def test_a_truncated_body_is_no_bad_signature(self, app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
        """A server that ends the input early leaves less than was declared."""
        app.post(PATH)(listrak_webhook(never))
        answer = call_wsgi(app, Delivery(BODY, headers=signed(BODY + b"the rest"), declared=len(BODY) + 8))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    def test_a_forgery_without_a_body_is_a_forgery(self, app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
        """Nothing is lost where nothing was sent."""
        app.post(PATH)(listrak_webhook(never))
        assert call_wsgi(app, Delivery(b"", headers=forged(b""))).status == 401
        one_refusal(caplog, "signature_mismatch")

    def test_chunks_that_the_server_does_not_deliver(self, app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
        """Without `wsgi.input_terminated`, Werkzeug hands out nothing of such a body, for fear of reading for ever."""
        app.post(PATH)(listrak_webhook(never))
        answer = call_wsgi(app, Delivery(chunked=True, terminated=False))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")


class TestLimitOfFlask:
    """`MAX_CONTENT_LENGTH`, where it is lower than `max_body`."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_over_it_answers_413_and_the_log_names_the_setting(
        self,
        *,
        chunked: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The operator must not look for the limit in the wrong place."""
        app = make_app(MAX_CONTENT_LENGTH=20)
        app.post(PATH)(listrak_webhook(never))
        delivery = Delivery(chunked=chunked, piece=8)
        answer = call_wsgi(app, delivery)
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        assert "MAX_CONTENT_LENGTH" in one_refusal(caplog, "body_too_large")
        assert delivery.taken == len(BODY)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_of_exactly_its_size_is_accepted(self, *, chunked: bool) -> None:
        """The limit itself is within the limit."""
        app = make_app(MAX_CONTENT_LENGTH=len(BODY))
        app.post(PATH)(listrak_webhook(echo))
        assert call_wsgi(app, Delivery(chunked=chunked)).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_one_that_is_higher_leaves_ours(
        self,
        *,
        chunked: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The lower of the two counts, and the log names that one."""
        app = make_app(MAX_CONTENT_LENGTH=1000)
        app.post(PATH)(listrak_webhook(Webhook(SECRET, max_body=20))(never))
        assert call_wsgi(app, Delivery(chunked=chunked)).status == 413
        text = one_refusal(caplog, "body_too_large")
        assert "max_body" in text
        assert "MAX_CONTENT_LENGTH" not in text

    @pytest.mark.newer("Flask 3.1, which has a limit for one request")
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_that_of_one_request_counts(self, *, chunked: bool, caplog: pytest.LogCaptureFixture) -> None:
        """Flask 3.1 can set the limit for one request, before the view."""
        app = make_app()

        def hook() -> None:
            flask.request.max_content_length = 20  # type: ignore[misc, unused-ignore]

        app.before_request(hook)
        app.post(PATH)(listrak_webhook(never))
        assert call_wsgi(app, Delivery(chunked=chunked)).status == 413
        assert "MAX_CONTENT_LENGTH" in one_refusal(caplog, "body_too_large")

    def test_the_limit_for_forms_does_not_count(self) -> None:
        """The body is never parsed as a form, so `MAX_FORM_MEMORY_SIZE` has nothing to say."""
        app = make_app(MAX_FORM_MEMORY_SIZE=10)
        app.post(PATH)(listrak_webhook(echo))
        answer = call_wsgi(app, Delivery(content_type="application/x-www-form-urlencoded"))
        assert answer.body == ECHO


def swallow(app: Any) -> Callable[..., Any]:
    """Return WSGI middleware that reads the body and gives nothing back, as some that log do."""

    def middleware(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        assert len(environ["wsgi.input"].read(length)) == length
        return app(environ, start_response)

    return middleware


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
    def test_a_forgery_is_refused(self, port: int, *, chunked: bool) -> None:
        """Over a socket as without one."""
        answer = exchange(port, Delivery(headers=forged(), chunked=chunked))
        assert (answer.status, answer.json()) == (401, {"error": "signature_mismatch"})

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_refused(self, port: int, name: str) -> None:
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
        assert "middleware" in one_refusal(caplog, "body_unavailable")

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
        one_refusal(caplog, "body_unavailable")

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
        assert "within 0.3 seconds" in one_refusal(caplog, "body_unavailable")

    def test_a_client_that_leaves_in_the_middle_is_no_bad_signature(
        self, app: flask.Flask, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody is there to answer, and the log does not blame the secret."""
        app.post(PATH)(listrak_webhook(never))
        with werkzeug_server(app) as port, Connection(port) as connection:
            connection.send(Delivery(BODY[:20], headers=signed(), declared=len(BODY)).to_bytes())
            connection.socket.close()
            wait_for(lambda: bool(logged(caplog)))
        one_refusal(caplog, "body_unavailable")

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
        one_refusal(caplog, "body_unavailable")


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
    with gunicorn_server("test_flask:gunicorn_app()", gunicorn_log) as port:
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
    def test_a_forgery_is_refused(self, gunicorn_port: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(headers=forged(), chunked=chunked))
        assert (answer.status, answer.json()) == (401, {"error": "signature_mismatch"})

    @pytest.mark.parametrize(
        ("path", "setting"), [("/small", "max_body"), ("/lower", "MAX_CONTENT_LENGTH")], ids=["ours", "flasks"]
    )
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_over_a_limit_is_refused(
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
    def test_a_header_that_comes_twice_is_refused(self, gunicorn_port: int, name: str) -> None:
        """However the server puts the two together."""
        headers = signed()
        answer = exchange(gunicorn_port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_ends_in_the_middle_is_no_bad_signature(
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
