"""The Flask adapter: what Flask alone has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import pytest
from flask.views import MethodView
from listrak_webhooks.flask import listrak_webhook
from support.apps import call_wsgi
from support.deliveries import PATH, Delivery, forged
from support.flask_views import ECHO, echo, make_app, never, post
from support.helpers import BODY, SECRET

if TYPE_CHECKING:
    from listrak_webhooks import Event

pytestmark = pytest.mark.usefixtures("no_secret_around")


@pytest.fixture
def app() -> flask.Flask:
    """Return an app without routes."""
    return make_app()


class TestView:
    """How the view is called, and what it may return."""

    def test_flasks_own_client_delivers(self, app: flask.Flask) -> None:
        """`app.test_client()` is what users test with."""
        app.post(PATH)(listrak_webhook(echo))
        answer = post(app)
        assert (answer.status_code, answer.data) == (200, ECHO)
        rejection = post(app, headers=forged())
        assert (rejection.status_code, rejection.json) == (401, {"error": "signature_mismatch"})
        assert rejection.mimetype == "application/json"

    @pytest.mark.parametrize("bare", [True, False], ids=["bare", "with-parentheses"])
    def test_url_arguments_pass_through(self, app: flask.Flask, *, bare: bool) -> None:
        """They come by name, next to the event."""
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
