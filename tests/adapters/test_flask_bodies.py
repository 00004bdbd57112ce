"""The Flask adapter: bodies that were read before, and Flask's own limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import pytest
from listrak_webhooks import Webhook
from listrak_webhooks.flask import listrak_webhook
from support.apps import call_wsgi
from support.deliveries import PATH, Delivery, forged, one_rejection, signed
from support.flask_views import ECHO, echo, make_app, never, post
from support.helpers import BODY, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("no_secret_around")


@pytest.fixture
def app() -> flask.Flask:
    """Return an app without routes."""
    return make_app()


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
        assert "middleware" in one_rejection(caplog, "body_unavailable")

    def test_on_rejected_is_told(self, app: flask.Flask) -> None:
        """A lost body is what an alert is for."""
        codes: list[str] = []
        app.before_request(lambda: flask.request.stream.read() and None)
        app.post(PATH)(listrak_webhook(on_rejected=lambda error, _: codes.append(error.code))(never))
        assert post(app).status_code == 500
        assert codes == ["body_unavailable"]

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_connection_that_breaks_off_is_not_a_bad_signature(
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
        one_rejection(caplog, "body_unavailable")

    def test_a_truncated_body_is_not_a_bad_signature(self, app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
        """A server that ends the input early leaves less than was declared."""
        app.post(PATH)(listrak_webhook(never))
        answer = call_wsgi(app, Delivery(BODY, headers=signed(BODY + b"the rest"), declared=len(BODY) + 8))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    def test_a_forgery_without_a_body_is_a_forgery(self, app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
        """Nothing is lost where nothing was sent."""
        app.post(PATH)(listrak_webhook(never))
        assert call_wsgi(app, Delivery(b"", headers=forged(b""))).status == 401
        one_rejection(caplog, "signature_mismatch")

    def test_chunks_that_the_server_does_not_deliver(self, app: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
        """Without `wsgi.input_terminated`, Werkzeug hands out nothing of such a body, for fear of reading for ever."""
        app.post(PATH)(listrak_webhook(never))
        answer = call_wsgi(app, Delivery(chunked=True, terminated=False))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")


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
        assert "MAX_CONTENT_LENGTH" in one_rejection(caplog, "body_too_large")
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
        text = one_rejection(caplog, "body_too_large")
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
        assert "MAX_CONTENT_LENGTH" in one_rejection(caplog, "body_too_large")

    def test_the_limit_for_forms_does_not_count(self) -> None:
        """The body is never parsed as a form, so `MAX_FORM_MEMORY_SIZE` has nothing to say."""
        app = make_app(MAX_FORM_MEMORY_SIZE=10)
        app.post(PATH)(listrak_webhook(echo))
        answer = call_wsgi(app, Delivery(content_type="application/x-www-form-urlencoded"))
        assert answer.body == ECHO
