"""The Django adapter: bodies that were read before, and Django's own limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Event, Webhook
from support.apps import configure_django
from support.deliveries import PATH, Delivery, forged, one_rejection, signed
from support.django_views import ECHO, async_echo, both_protocols, echo, never, reader, send
from support.helpers import BODY, SECRET

configure_django()

from django.test import RequestFactory  # noqa: E402
from listrak_webhooks.django import listrak_webhook  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

pytestmark = pytest.mark.usefixtures("secret_in_settings")


async def async_never(request: Any, event: Event) -> None:
    """Stand for an async view that must not be reached."""
    never(request, event)


MULTIPART = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n"


class TestBodyReadBefore:
    """Other code that reads the request before the view."""

    @both_protocols
    @pytest.mark.parametrize("view", [echo, async_echo], ids=["def", "async"])
    @pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
    def test_a_body_that_was_read_and_kept_is_accepted(self, view: Any, content_type: str, *, asgi: bool) -> None:
        """Middleware that reads `request.body`, for one, does no harm."""
        decorated = reader(lambda request: request.body)(listrak_webhook(view))
        answer = send(decorated, Delivery(content_type=content_type), asgi=asgi)
        assert (answer.status, answer.body) == (200, ECHO)

    @pytest.mark.parametrize("view", [echo, async_echo], ids=["def", "async"])
    def test_a_body_in_chunks_that_was_read_and_kept_is_accepted_under_asgi(self, view: Any) -> None:
        """Django has all of it there."""
        decorated = reader(lambda request: request.body)(listrak_webhook(view))
        assert send(decorated, Delivery(chunked=True), asgi=True).body == ECHO

    @pytest.mark.parametrize("view", [echo, async_echo], ids=["def", "async"])
    def test_a_body_in_chunks_that_was_asked_for_before_under_wsgi(self, view: Any) -> None:
        """Django takes it for empty and keeps that; the body itself is still there, and the delivery is genuine."""
        decorated = reader(lambda request: request.body)(listrak_webhook(view))
        answer = send(decorated, Delivery(chunked=True))
        assert (answer.status, answer.body) == (200, ECHO)

    @both_protocols
    @pytest.mark.parametrize("view", [echo, async_echo], ids=["def", "async"])
    def test_a_form_that_was_parsed_from_a_kept_body_is_accepted(self, view: Any, *, asgi: bool) -> None:
        """Django parses url-encoded forms from `request.body`, so `request.POST` leaves it there."""
        body = b"a=1&b=2"
        decorated = reader(lambda request: request.POST["a"])(listrak_webhook(view))
        answer = send(decorated, Delivery(body, content_type="application/x-www-form-urlencoded"), asgi=asgi)
        assert (answer.status, answer.body) == (200, b"7 a=1&b=2")

    @both_protocols
    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize(
        ("read", "reads"),
        [
            pytest.param(lambda request: request.read(), True, id="read"),
            pytest.param(lambda request: request.read(5), True, id="read-in-part"),
            pytest.param(lambda request: request.readline(), True, id="readline"),
            pytest.param(lambda request: list(request), True, id="iterated"),
            pytest.param(lambda request: request.POST, False, id="multipart-post"),
            pytest.param(lambda request: request.FILES, False, id="multipart-files"),
        ],
    )
    def test_a_body_that_is_gone_is_said_to_be_gone(
        self,
        read: Callable[[Any], Any],
        view: Any,
        caplog: pytest.LogCaptureFixture,
        *,
        reads: bool,
        chunked: bool,
        asgi: bool,
    ) -> None:
        """It is a fault on our side, so a 500 that says what to look for, and never a bad signature."""
        decorated = reader(read)(listrak_webhook(view))
        delivery = Delivery(MULTIPART, content_type="multipart/form-data; boundary=x", chunked=chunked)
        if chunked and not (asgi and reads):
            # Where Django goes by a length, it takes nothing of such a body, and all of it is left.
            view = echo if view is never else async_echo
            answer = send(reader(read)(listrak_webhook(view)), delivery, asgi=asgi)
            assert (answer.status, answer.body) == (200, b"%d %s" % (len(MULTIPART), MULTIPART))
            return
        answer = send(decorated, delivery, asgi=asgi)
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert "middleware" in one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_input_is_said_to_be_gone(
        self, view: Any, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """WSGI middleware that reads `wsgi.input` and gives nothing back."""
        decorated = reader(lambda request: request.environ["wsgi.input"].read(10_000))(listrak_webhook(view))
        answer = send(decorated, Delivery(chunked=chunked))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    @pytest.mark.parametrize(
        ("chunked", "broken"),
        [
            pytest.param(False, False, id="declared-truncated"),
            pytest.param(False, True, id="declared-broken"),
            pytest.param(True, True, id="chunked-broken"),
        ],
    )
    def test_a_connection_that_breaks_off_is_not_a_bad_signature(
        self, view: Any, caplog: pytest.LogCaptureFixture, *, chunked: bool, broken: bool
    ) -> None:
        """The sender, or a proxy, went away in the middle of the body."""
        headers = signed(BODY + b"the rest")
        delivery = Delivery(headers=headers, chunked=chunked, declared=len(BODY) + 8, broken=broken)
        answer = send(listrak_webhook(view), delivery)
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    @both_protocols
    def test_a_forgery_without_a_body_is_a_forgery(self, caplog: pytest.LogCaptureFixture, *, asgi: bool) -> None:
        """Nothing is lost where nothing was sent."""
        assert send(listrak_webhook(never), Delivery(b"", headers=forged(b"")), asgi=asgi).status == 401
        one_rejection(caplog, "signature_mismatch")

    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    def test_chunks_that_the_server_does_not_mark(self, view: Any, caplog: pytest.LogCaptureFixture) -> None:
        """Without `wsgi.input_terminated` the body could be read for ever, so it is not."""
        delivery = Delivery(chunked=True, terminated=False)
        answer = send(listrak_webhook(view), delivery)
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert delivery.taken == 0
        one_rejection(caplog, "body_unavailable")

    def test_chunks_from_the_request_factory(self, caplog: pytest.LogCaptureFixture) -> None:
        """As a user might try it in a test of their own."""
        headers = signed() | {"Transfer-Encoding": "chunked"}
        request = RequestFactory().post(PATH, BODY, content_type="application/json", headers=headers, CONTENT_LENGTH="")
        answer = listrak_webhook(never)(request)
        assert answer.status_code == 500
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("view", [echo, async_echo], ids=["def", "async"])
    def test_the_request_factory_delivers(self, view: Any) -> None:
        """Without middleware and URLs."""
        request = RequestFactory().post(PATH, BODY, content_type="application/json", headers=signed())
        decorator: Any = listrak_webhook
        answer = decorator(view)(request)
        if view is async_echo:
            answer = asyncio.run(answer)
        assert (answer.status_code, answer.content) == (200, ECHO)


class TestLimitOfDjango:
    """`DATA_UPLOAD_MAX_MEMORY_SIZE`, which is 2.5 MB by default and so lower than `max_body`."""

    @both_protocols
    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_over_it_answers_413_and_the_log_names_the_setting(
        self, view: Any, caplog: pytest.LogCaptureFixture, *, chunked: bool, asgi: bool
    ) -> None:
        """The operator must not look for the limit in the wrong place."""
        delivery = Delivery(chunked=chunked, piece=8)
        answer = send(listrak_webhook(view), delivery, asgi=asgi, DATA_UPLOAD_MAX_MEMORY_SIZE=20)
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in one_rejection(caplog, "body_too_large")
        assert delivery.taken == len(BODY)

    @both_protocols
    def test_a_body_that_was_already_parsed_is_still_over_it(
        self, caplog: pytest.LogCaptureFixture, *, asgi: bool
    ) -> None:
        """Django raises at the first who asks for the body, and again at us."""

        def read(request: HttpRequest) -> None:
            from django.core.exceptions import RequestDataTooBig

            with pytest.raises(RequestDataTooBig):
                assert request.body

        view = reader(read)(listrak_webhook(never))
        answer = send(view, asgi=asgi, DATA_UPLOAD_MAX_MEMORY_SIZE=20)
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        one_rejection(caplog, "body_too_large")

    @both_protocols
    @pytest.mark.parametrize("limit", [len(BODY), None, 10_000], ids=["exactly", "none", "higher"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_within_it_is_accepted(self, limit: int | None, *, chunked: bool, asgi: bool) -> None:
        """The limit itself is within the limit, and `None` is not a limit."""
        view = listrak_webhook(echo)
        answer = send(view, Delivery(chunked=chunked), asgi=asgi, DATA_UPLOAD_MAX_MEMORY_SIZE=limit)
        assert (answer.status, answer.body) == (200, ECHO)

    @both_protocols
    @pytest.mark.parametrize("limit", [1000, None], ids=["higher", "none"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_one_that_is_higher_leaves_ours(
        self, limit: int | None, caplog: pytest.LogCaptureFixture, *, chunked: bool, asgi: bool
    ) -> None:
        """The lower of the two counts, and the log names that one."""
        view = listrak_webhook(Webhook(SECRET, max_body=20))(never)
        answer = send(view, Delivery(chunked=chunked), asgi=asgi, DATA_UPLOAD_MAX_MEMORY_SIZE=limit)
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        text = one_rejection(caplog, "body_too_large")
        assert "max_body" in text
        assert "DATA_UPLOAD" not in text

    def test_the_default_is_named_too(self, caplog: pytest.LogCaptureFixture) -> None:
        """Nobody who never set it would think of it."""
        answer = send(listrak_webhook(never), Delivery(b"x" * (3 * 1024 * 1024)))
        assert answer.status == 413
        assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in one_rejection(caplog, "body_too_large")
