"""The Django adapter: what Django alone has, under WSGI and ASGI, and real servers."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, Event, Webhook
from support.apps import call_django, configure_django, django_app
from support.deliveries import PATH, Delivery, forged, logged, one_refusal, signed
from support.helpers import BODY, OTHER_SECRET, SECRET, SIGNATURE, TIMESTAMP, VARIABLE
from support.servers import (
    Connection,
    exchange,
    gunicorn_server,
    not_on_windows,
    uvicorn_server,
    wait_for,
    with_kernel_timeout,
    wsgiref_server,
)

configure_django()

from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.test import AsyncClient, Client, RequestFactory, override_settings  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views import View  # noqa: E402
from listrak_webhooks.django import listrak_webhook  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from support.deliveries import Answer

pytestmark = pytest.mark.usefixtures("secret_in_settings")

REFUSED = {"error": "signature_mismatch"}
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"

both_protocols = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])


SHORT_WAIT = "/short-wait"


@pytest.fixture
def short_wait() -> float:
    """Return the seconds that a body may take to arrive at `SHORT_WAIT`."""
    return 0.3


def echo(request: Any, event: Event) -> HttpResponse:
    """Stand for a view that answers with its event's body."""
    return HttpResponse(b"%d %s" % (len(event.body), event.body))


async def async_echo(request: Any, event: Event) -> HttpResponse:
    """Do the same as an async view."""
    return echo(request, event)


ECHO = b"%d %s" % (len(BODY), BODY)


def never(request: Any, event: Event) -> None:
    """Stand for a view that must not be reached."""
    pytest.fail(f"the view was called with {event}")


def send(
    view: Any, delivery: Delivery | None = None, *, asgi: bool = False, route: str = PATH, **settings: Any
) -> Answer:
    """Send a delivery, genuine where none is given, to an app with this one view."""
    with django_app((route, view), asgi=asgi, **settings) as app:
        return call_django(app, delivery or Delivery(), asgi=asgi)


class Receiver(View):
    """A class-based view, to be decorated in each way there is."""

    greeting = "hello"

    def post(self, request: HttpRequest, event: Event, account: str = "-") -> HttpResponse:
        """Answer with everything that came."""
        return HttpResponse(f"{self.greeting} {account} {event.encoding} {self.request is request}")


class AsyncReceiver(View):
    """The same with an async handler."""

    greeting = "hello"

    async def post(self, request: HttpRequest, event: Event, account: str = "-") -> HttpResponse:
        """Answer with everything that came."""
        return HttpResponse(f"{self.greeting} {account} {event.encoding} {self.request is request}")


def on_dispatch(view: type[View]) -> type[View]:
    """Decorate `dispatch`, as the documentation says."""
    decorator: Any = listrak_webhook
    copy = type(view.__name__, (view,), {})
    return method_decorator(decorator, name="dispatch")(copy)


def on_post(view: type[View]) -> type[View]:
    """Decorate the handler alone."""
    decorator: Any = listrak_webhook
    copy = type(view.__name__, (view,), {"post": view.post})  # type: ignore[attr-defined]
    return method_decorator(decorator, name="post")(copy)


class TestView:
    """How the view is called, and what it may return."""

    @pytest.mark.parametrize("view", [echo, async_echo], ids=["def", "async"])
    @pytest.mark.parametrize("bare", [True, False], ids=["bare", "with-parentheses"])
    def test_djangos_own_clients_deliver(self, view: Any, *, bare: bool) -> None:
        """`Client` and `AsyncClient` are what users test with."""
        decorated = listrak_webhook(view) if bare else listrak_webhook()(view)
        with django_app((PATH, decorated)):
            answer = Client().post(PATH, BODY, content_type="application/json", headers=signed())
            assert (answer.status_code, answer.content) == (200, ECHO)
            refusal = Client().post(PATH, BODY, content_type="application/json", headers=forged())
            assert (refusal.status_code, refusal.json()) == (401, REFUSED)

            async def post() -> Any:
                return await AsyncClient().post(PATH, BODY, content_type="application/json", headers=signed())

            async_answer = asyncio.run(post())
            assert (async_answer.status_code, async_answer.content) == (200, ECHO)

    @both_protocols
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_url_arguments_pass_through(self, *, is_async: bool, asgi: bool) -> None:
        """They come by name, beside the request and the event."""
        seen: list[Any] = []

        def view(request: HttpRequest, event: Event, account: str, *, number: int) -> None:
            seen.append((request.method, event.body, account, number))

        async def async_view(request: HttpRequest, event: Event, account: str, *, number: int) -> None:
            view(request, event, account, number=number)

        decorated = listrak_webhook(async_view if is_async else view)
        delivery = Delivery(path="/acme/7")
        assert send(decorated, delivery, asgi=asgi, route="/<account>/<int:number>").status == 200
        assert seen == [("POST", BODY, "acme", 7)]

    @both_protocols
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    @pytest.mark.parametrize(
        ("result", "status", "body"),
        [
            pytest.param(HttpResponse("text"), 200, b"text", id="response"),
            pytest.param(JsonResponse({"a": 1}, status=201), 201, b'{"a": 1}', id="json"),
            pytest.param(None, 200, b"", id="none"),
        ],
    )
    def test_it_may_return_what_django_takes(
        self, result: Any, status: int, body: bytes, *, is_async: bool, asgi: bool
    ) -> None:
        """Only `None` is given a meaning of our own."""

        def view(request: Any, event: Event) -> Any:
            return result

        async def async_view(request: Any, event: Event) -> Any:
            return result

        answer = send(listrak_webhook(async_view if is_async else view), asgi=asgi)
        assert (answer.status, answer.body) == (status, body)

    @both_protocols
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_the_body_stays_readable(self, *, chunked: bool, is_async: bool, asgi: bool) -> None:
        """`request.body` works behind the adapter."""
        seen: list[bytes] = []

        def view(request: HttpRequest, event: Event) -> None:
            seen.append(request.body)

        async def async_view(request: HttpRequest, event: Event) -> None:
            seen.append(request.body)

        assert (
            send(listrak_webhook(async_view if is_async else view), Delivery(chunked=chunked), asgi=asgi).status == 200
        )
        assert seen == [BODY]

    @both_protocols
    @pytest.mark.parametrize("decorate", [on_dispatch, on_post], ids=["dispatch", "post"])
    @pytest.mark.parametrize("receiver", [Receiver, AsyncReceiver], ids=["def", "async"])
    def test_class_based_views(self, decorate: Any, receiver: type[View], *, asgi: bool) -> None:
        """By `method_decorator`, on `dispatch` and on the handler."""
        view = decorate(receiver).as_view()
        answer = send(view, Delivery(path="/acme"), asgi=asgi, route="/<account>")
        assert (answer.status, answer.body) == (200, b"hello acme base64 True")
        refusal = send(view, Delivery(path="/acme", headers=forged()), asgi=asgi, route="/<account>")
        assert (refusal.status, refusal.json()) == (401, REFUSED)

    @both_protocols
    @pytest.mark.parametrize("receiver", [Receiver, AsyncReceiver], ids=["def", "async"])
    def test_a_class_based_view_with_arguments_to_the_decorator(self, receiver: type[View], *, asgi: bool) -> None:
        """`method_decorator(listrak_webhook(...))`."""
        codes: list[str] = []
        decorator = listrak_webhook([OTHER_SECRET, SECRET], on_rejected=lambda error, _: codes.append(error.code))
        copy: Any = type("Copy", (receiver,), {})
        view = method_decorator(decorator, name="dispatch")(copy).as_view()
        assert send(view, asgi=asgi).status == 200
        assert send(view, Delivery(headers=signed(secret=OTHER_SECRET)), asgi=asgi).status == 200
        assert send(view, Delivery(headers=forged()), asgi=asgi).json() == REFUSED
        assert codes == ["signature_mismatch"]

    @both_protocols
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_class_based_view_that_returns_none(self, *, is_async: bool, asgi: bool) -> None:
        """An empty 200 here too."""

        class Quiet(View):
            def post(self, request: HttpRequest, event: Event) -> None: ...

        class AsyncQuiet(View):
            async def post(self, request: HttpRequest, event: Event) -> None: ...

        answer = send(on_dispatch(AsyncQuiet if is_async else Quiet).as_view(), asgi=asgi)
        assert (answer.status, answer.body) == (200, b"")

    @both_protocols
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_payload_error_in_a_class_based_view(
        self, caplog: pytest.LogCaptureFixture, *, is_async: bool, asgi: bool
    ) -> None:
        """The handler of an async class only raises when it is awaited, and that is caught as well."""

        class Parsing(View):
            def post(self, request: HttpRequest, event: Event) -> JsonResponse:
                return JsonResponse(event.payload)

        class AsyncParsing(View):
            async def post(self, request: HttpRequest, event: Event) -> JsonResponse:
                return JsonResponse(event.payload)

        view = on_dispatch(AsyncParsing if is_async else Parsing).as_view()
        answer = send(view, Delivery(b"{"), asgi=asgi)
        assert (answer.status, answer.json()) == (400, {"error": "invalid_payload"})
        one_refusal(caplog, "invalid_payload")

    def test_on_rejected_gets_the_request(self) -> None:
        """Django's own, with what the URL resolver found."""
        seen: list[Any] = []

        def reject(error: Any, request: HttpRequest) -> None:
            assert request.resolver_match is not None
            seen.append((error.code, request.resolver_match.kwargs))

        delivery = Delivery(path="/acme", headers=forged())
        send(listrak_webhook(on_rejected=reject)(never), delivery, route="/<account>")
        assert seen == [("signature_mismatch", {"account": "acme"})]


class TestExemptions:
    """What Django puts before a view, and a webhook cannot satisfy."""

    VIEWS = pytest.mark.parametrize(
        "view",
        [
            pytest.param(lambda: listrak_webhook(echo), id="bare"),
            pytest.param(lambda: listrak_webhook()(echo), id="with-parentheses"),
            pytest.param(lambda: listrak_webhook(async_echo), id="async"),
            pytest.param(lambda: on_dispatch(Receiver).as_view(), id="class"),
            pytest.param(lambda: on_dispatch(AsyncReceiver).as_view(), id="async-class"),
        ],
    )

    @VIEWS
    def test_the_csrf_check_lets_it_through(self, view: Callable[[], Any]) -> None:
        """The signature takes the token's place."""
        with django_app((PATH, view()), ("/other", lambda _: HttpResponse()), MIDDLEWARE=[CSRF]):
            client = Client(enforce_csrf_checks=True)
            options: Any = {"data": BODY, "content_type": "application/json"}
            assert client.post("/other", **options).status_code == 403
            assert client.post(PATH, headers=signed(), **options).status_code == 200
            assert client.post(PATH, headers=forged(), **options).json() == REFUSED

    @VIEWS
    @both_protocols
    def test_login_required_middleware_lets_it_through(self, view: Callable[[], Any], *, asgi: bool) -> None:
        """Listrak has no login, and is not sent to a login page."""
        settings: Any = {"MIDDLEWARE": ["test_django.anonymous", LOGIN], "LOGIN_URL": "/login"}
        with django_app((PATH, view()), ("/other", lambda _: HttpResponse()), asgi=asgi, **settings) as app:
            assert call_django(app, Delivery(path="/other"), asgi=asgi).status == 302
            assert call_django(app, Delivery(), asgi=asgi).status == 200
            assert call_django(app, Delivery(headers=forged()), asgi=asgi).json() == REFUSED

    @VIEWS
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
    @both_protocols
    def test_other_methods_answer_405(self, view: Callable[[], Any], method: str, *, asgi: bool) -> None:
        """Even with a genuine signature: nothing but POST is a delivery."""
        answer = send(view(), Delivery(method=method), asgi=asgi)
        assert answer.status == 405
        assert answer.headers["allow"] == "POST"


def anonymous(get_response: Any) -> Any:
    """Be the middleware that `LoginRequiredMiddleware` builds on, without a database behind it."""
    from types import SimpleNamespace

    def middleware(request: Any) -> Any:
        request.user = SimpleNamespace(is_authenticated=False)
        return get_response(request)

    return middleware


class TestSecretInSettings:
    """`settings.LISTRAK_WEBHOOK_SECRET`."""

    @pytest.mark.parametrize("value", [SECRET, SECRET.encode(), [OTHER_SECRET, SECRET], (OTHER_SECRET, SECRET)])
    def test_a_secret_or_a_list_of_them(self, value: Any) -> None:
        """A list is a rotation."""
        with override_settings(LISTRAK_WEBHOOK_SECRET=value):
            view = listrak_webhook(echo)
            assert send(view).status == 200
            assert send(view, Delivery(headers=forged())).status == 401

    def test_override_settings_counts_behind_the_decorator(self) -> None:
        """Tests of users' own change the secret when the view is long decorated."""
        view = listrak_webhook(echo)
        assert send(view).status == 200
        assert send(view, LISTRAK_WEBHOOK_SECRET=OTHER_SECRET).status == 401
        delivery = Delivery(headers=signed(secret=OTHER_SECRET))
        assert send(view, delivery, LISTRAK_WEBHOOK_SECRET=[OTHER_SECRET]).status == 200
        assert send(view).status == 200

    def test_a_list_that_is_changed_in_place_counts_too(self) -> None:
        """What was revoked must not be accepted because the list is still the same object."""
        secrets = [OTHER_SECRET, SECRET]
        with override_settings(LISTRAK_WEBHOOK_SECRET=secrets):
            view = listrak_webhook(echo)
            assert send(view).status == 200
            secrets.pop()
            assert send(view).status == 401

    def test_it_comes_before_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The nearer source wins."""
        monkeypatch.setenv(VARIABLE, OTHER_SECRET)
        view = listrak_webhook(echo)
        assert send(view).status == 200
        assert send(view, Delivery(headers=signed(secret=OTHER_SECRET))).status == 401

    def test_one_given_in_code_comes_before_it(self) -> None:
        """What stands at the view wins."""
        view = listrak_webhook(OTHER_SECRET)(echo)
        assert send(view).status == 401
        assert send(view, Delivery(headers=signed(secret=OTHER_SECRET))).status == 200

    @pytest.mark.parametrize("value", ["", " ", [], [SECRET, ""], 5, "secret\n"])
    def test_one_that_cannot_be_right_is_refused_at_decoration(
        self, value: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is no absent one: the environment does not take its place."""
        monkeypatch.setenv(VARIABLE, SECRET)
        with override_settings(LISTRAK_WEBHOOK_SECRET=value), pytest.raises(ConfigurationError):
            listrak_webhook(never)

    @pytest.mark.parametrize("value", ["", " ", [], [SECRET, ""], 5])
    @both_protocols
    def test_one_that_turns_wrong_later_accepts_nothing(
        self, value: Any, caplog: pytest.LogCaptureFixture, *, asgi: bool
    ) -> None:
        """A 500, and an ERROR that says what is wrong."""
        view = listrak_webhook(never)
        answer = send(view, asgi=asgi, LISTRAK_WEBHOOK_SECRET=value)
        assert (answer.status, answer.json()) == (500, {"error": "configuration_error"})
        one_refusal(caplog, "configuration_error", logging.ERROR)

    def test_none_there_means_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`None` is how settings say that they have nothing."""
        monkeypatch.setenv(VARIABLE, SECRET)
        with override_settings(LISTRAK_WEBHOOK_SECRET=None):
            assert send(listrak_webhook(echo)).status == 200

    def test_decorating_before_the_settings_are_configured(self) -> None:
        """It is not known yet whether there is a secret, so the first delivery finds out."""
        script = (
            "import sys\n"
            "from listrak_webhooks.django import listrak_webhook\n"
            "@listrak_webhook\n"
            "def view(request, event): ...\n"
            "from django.conf import settings\n"
            "assert not settings.configured\n"
            "settings.configure(LOGGING_CONFIG=None, ALLOWED_HOSTS=['*'])\n"
            "from django.test import RequestFactory\n"
            "answer = view(RequestFactory().post('/', b'{}', content_type='application/json'))\n"
            "print(answer.status_code, answer.content.decode())\n"
            "from django.test import override_settings\n"
            "with override_settings(LISTRAK_WEBHOOK_SECRET='a secret'):\n"
            "    answer = view(RequestFactory().post('/', b'{}', content_type='application/json'))\n"
            "print(answer.status_code, answer.content.decode())\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [
            '500 {"error": "configuration_error"}',
            '401 {"error": "missing_header"}',
        ]
        assert VARIABLE in done.stderr


def reader(read: Callable[[Any], Any]) -> Any:
    """Return a decorator that does something with the request before the view does."""

    def decorate(view: Any) -> Any:
        def outer(request: Any) -> Any:
            read(request)
            return view(request)

        async def async_outer(request: Any) -> Any:
            read(request)
            return await view(request)

        return async_outer if asyncio.iscoroutinefunction(view) else outer

    return decorate


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
        assert "middleware" in one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_input_is_said_to_be_gone(
        self, view: Any, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """WSGI middleware that reads `wsgi.input` and gives nothing back."""
        decorated = reader(lambda request: request.environ["wsgi.input"].read(10_000))(listrak_webhook(view))
        answer = send(decorated, Delivery(chunked=chunked))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    @pytest.mark.parametrize(
        ("chunked", "broken"),
        [
            pytest.param(False, False, id="declared-truncated"),
            pytest.param(False, True, id="declared-broken"),
            pytest.param(True, True, id="chunked-broken"),
        ],
    )
    def test_a_connection_that_breaks_off_is_no_bad_signature(
        self, view: Any, caplog: pytest.LogCaptureFixture, *, chunked: bool, broken: bool
    ) -> None:
        """The sender, or a proxy, went away in the middle of the body."""
        headers = signed(BODY + b"the rest")
        delivery = Delivery(headers=headers, chunked=chunked, declared=len(BODY) + 8, broken=broken)
        answer = send(listrak_webhook(view), delivery)
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    @both_protocols
    def test_a_forgery_without_a_body_is_a_forgery(self, caplog: pytest.LogCaptureFixture, *, asgi: bool) -> None:
        """Nothing is lost where nothing was sent."""
        assert send(listrak_webhook(never), Delivery(b"", headers=forged(b"")), asgi=asgi).status == 401
        one_refusal(caplog, "signature_mismatch")

    @pytest.mark.parametrize("view", [never, async_never], ids=["def", "async"])
    def test_chunks_that_the_server_does_not_mark(self, view: Any, caplog: pytest.LogCaptureFixture) -> None:
        """Without `wsgi.input_terminated` the body could be read for ever, so it is not."""
        delivery = Delivery(chunked=True, terminated=False)
        answer = send(listrak_webhook(view), delivery)
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert delivery.taken == 0
        one_refusal(caplog, "body_unavailable")

    def test_chunks_from_the_request_factory(self, caplog: pytest.LogCaptureFixture) -> None:
        """As a user might try it in a test of their own."""
        headers = signed() | {"Transfer-Encoding": "chunked"}
        request = RequestFactory().post(PATH, BODY, content_type="application/json", headers=headers, CONTENT_LENGTH="")
        answer = listrak_webhook(never)(request)
        assert answer.status_code == 500
        one_refusal(caplog, "body_unavailable")

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
        assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in one_refusal(caplog, "body_too_large")
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
        one_refusal(caplog, "body_too_large")

    @both_protocols
    @pytest.mark.parametrize("limit", [len(BODY), None, 10_000], ids=["exactly", "none", "higher"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_within_it_is_accepted(self, limit: int | None, *, chunked: bool, asgi: bool) -> None:
        """The limit itself is within the limit, and `None` is no limit."""
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
        text = one_refusal(caplog, "body_too_large")
        assert "max_body" in text
        assert "DATA_UPLOAD" not in text

    def test_the_default_is_named_too(self, caplog: pytest.LogCaptureFixture) -> None:
        """Nobody who never set it would think of it."""
        answer = send(listrak_webhook(never), Delivery(b"x" * (3 * 1024 * 1024)))
        assert answer.status == 413
        assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in one_refusal(caplog, "body_too_large")


def swallow(app: Any) -> Callable[..., Any]:
    """Return WSGI middleware that reads the body and gives nothing back, as some that log do."""

    def middleware(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        assert len(environ["wsgi.input"].read(length)) == length
        return app(environ, start_response)

    return middleware


class TestWsgirefServer:
    """The standard library's server, on which `runserver` is built: it hands out the connection itself."""

    @pytest.fixture(params=[echo, async_echo], ids=["def", "async"])
    def app(self, request: pytest.FixtureRequest) -> Generator[Any, None, None]:
        """Yield an app with a view of either kind, one with a low limit, and one that does not wait for long."""
        small = listrak_webhook(Webhook(SECRET, max_body=100))(request.param)
        impatient = listrak_webhook(body_timeout=0.3)(request.param)
        with django_app((PATH, listrak_webhook(request.param)), ("/small", small), (SHORT_WAIT, impatient)) as app:
            yield app

    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, app: Any, size: int) -> None:
        """Of any size."""
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(b"x" * size))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    def test_a_forgery_is_refused(self, app: Any) -> None:
        """Over a socket as without one."""
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(headers=forged()))
        assert (answer.status, answer.json()) == (401, REFUSED)

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_refused(self, app: Any, name: str) -> None:
        """However the server puts the two together."""
        headers = signed()
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})

    def test_a_length_over_the_limit_is_answered_without_the_body(self, app: Any) -> None:
        """The client has sent nothing but the head, and gets its answer at once."""
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(b"", headers=signed(), declared=101, path="/small"))
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})

    def test_chunks_cannot_be_delivered(self, app: Any, caplog: pytest.LogCaptureFixture) -> None:
        """This server does not decode them, and nobody waits for anything."""
        with wsgiref_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(chunked=True).to_bytes())
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert time.monotonic() - start < 5
        one_refusal(caplog, "body_unavailable")

    @with_kernel_timeout
    def test_a_swallowed_body_does_not_hang(
        self, app: Any, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing more will come, so the wait ends by itself."""
        with wsgiref_server(swallow(app)) as port:
            start = time.monotonic()
            answer = exchange(port, Delivery(path=SHORT_WAIT))
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert short_wait * 0.9 < elapsed < short_wait + 5
        one_refusal(caplog, "body_unavailable")

    @with_kernel_timeout
    @pytest.mark.parametrize("sent", [0, 20], ids=["nothing", "a-part"])
    @pytest.mark.parametrize("size", [len(BODY), 200_000], ids=["small", "large"])
    def test_a_sender_that_stalls_is_not_waited_for_for_ever(
        self, app: Any, sent: int, size: int, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A part of the body, and then silence on an open connection."""
        with wsgiref_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(b"x" * sent, headers=signed(), declared=size, path=SHORT_WAIT).to_bytes())
            answer = connection.answer()
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert short_wait * 0.9 < elapsed < short_wait + 5
        one_refusal(caplog, "body_unavailable")

    def test_a_client_that_leaves_in_the_middle_is_no_bad_signature(
        self, app: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody is there to answer, and the log does not blame the secret."""
        with wsgiref_server(app) as port:
            with Connection(port) as connection:
                connection.send(Delivery().to_bytes()[:-20])
            wait_for(lambda: bool(logged(caplog)))
        one_refusal(caplog, "body_unavailable")

    def test_a_slow_sender_is_served(self, app: Any) -> None:
        """A body that comes in pieces, within the time for the whole of it, is accepted."""
        request = Delivery().to_bytes()
        with wsgiref_server(app) as port, Connection(port) as connection:
            connection.send(request[:-40])
            for start in range(40, 0, -10):
                time.sleep(0.1)
                connection.send(request[len(request) - start : len(request) - start + 10])
            assert connection.answer().body == ECHO

    @with_kernel_timeout
    def test_a_sender_that_dribbles_has_one_deadline_for_the_whole_body(
        self, app: Any, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Each piece comes in time, and the body as a whole does not."""
        delivery = Delivery(b"x", headers=signed(), declared=1000, path=SHORT_WAIT)
        with wsgiref_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.dribble(delivery.to_bytes(), pause=short_wait / 5)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert time.monotonic() - start < short_wait + 5
        assert "within 0.3 seconds" in one_refusal(caplog, "body_unavailable")


def gunicorn_app() -> Any:
    """Return the app that Gunicorn serves, in a process of its own."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    settings.LISTRAK_WEBHOOK_SECRET = SECRET
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 400_000
    small = listrak_webhook(Webhook(SECRET, max_body=100))(echo)
    asynchronous: Any = listrak_webhook(async_echo)
    # A tuple, because Django keeps one resolver for each URLconf in a dictionary.
    settings.ROOT_URLCONF = (
        path("listrak", listrak_webhook(echo)),
        path("async", asynchronous),
        path("class", on_dispatch(AsyncReceiver).as_view()),
        path("small", small),
        path("swallowed", reader(lambda request: request.environ["wsgi.input"].read(1000))(listrak_webhook(echo))),
    )
    logging.basicConfig(format="%(message)s")
    return get_wsgi_application()


@pytest.fixture(scope="module")
def gunicorn_port(gunicorn_log: Path) -> Generator[int, None, None]:
    """Yield the port of one Gunicorn for all."""
    with gunicorn_server("test_django:gunicorn_app()", gunicorn_log) as port:
        yield port


@not_on_windows
class TestGunicorn:
    """Gunicorn, which marks where a body in chunks ends."""

    @pytest.mark.parametrize("path", [PATH, "/async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, gunicorn_port: int, path: str, size: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(b"x" * size, chunked=chunked, path=path))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_class_based_view(self, gunicorn_port: int, *, chunked: bool) -> None:
        """An async one under WSGI."""
        answer = exchange(gunicorn_port, Delivery(chunked=chunked, path="/class"))
        assert (answer.status, answer.body) == (200, b"hello - base64 True")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_forgery_is_refused(self, gunicorn_port: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(headers=forged(), chunked=chunked))
        assert (answer.status, answer.json()) == (401, REFUSED)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize(
        ("path", "size", "setting"),
        [
            pytest.param("/small", 101, "max_body", id="ours"),
            pytest.param(PATH, 400_001, "DATA_UPLOAD_MAX_MEMORY_SIZE", id="djangos"),
        ],
    )
    def test_a_body_over_a_limit_is_refused(
        self, gunicorn_port: int, gunicorn_log: Path, path: str, size: int, setting: str, *, chunked: bool
    ) -> None:
        """Either limit answers 413, and the log names it."""
        headers = signed(b"x" * size)
        # The end of the body stays here, so that the answer is not lost to a connection that is reset.
        request = Delivery(b"x" * size, headers=headers, chunked=chunked, path=path).to_bytes()
        with Connection(gunicorn_port) as connection:
            connection.send(request)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        wait_for(lambda: setting in gunicorn_log.read_text().split("rejected a delivery")[-1])

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_is_said_to_be_gone(self, gunicorn_port: int, *, chunked: bool) -> None:
        """Gunicorn knows the end of the body, so there is nothing to wait for."""
        answer = exchange(gunicorn_port, Delivery(chunked=chunked, path="/swallowed"))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_ends_in_the_middle_is_no_bad_signature(self, gunicorn_port: int, *, chunked: bool) -> None:
        """It closes its half of the connection in the middle of the body, and still hears what became of it."""
        request = Delivery(chunked=chunked).to_bytes()
        with Connection(gunicorn_port) as connection:
            connection.send(request[:-20])
            connection.socket.shutdown(1)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})

    def test_the_connection_serves_the_next_delivery(self, gunicorn_port: int) -> None:
        """Keep-alive holds: what one delivery was does not disturb the next."""
        with Connection(gunicorn_port) as connection:
            for chunked, headers in [(False, None), (True, None), (True, forged()), (False, forged()), (False, None)]:
                connection.send(Delivery(chunked=chunked, headers=headers).to_bytes())
                answer = connection.answer()
                assert answer.status == (401 if headers else 200)
                assert headers or answer.body == ECHO


class TestUvicorn:
    """Django under ASGI, over a socket."""

    @pytest.fixture
    def port(self) -> Generator[int, None, None]:
        """Yield the port of a server with views of each kind."""

        def payload(request: HttpRequest, event: Event) -> JsonResponse:
            return JsonResponse(event.payload)

        async def async_payload(request: HttpRequest, event: Event) -> JsonResponse:
            return JsonResponse(event.payload)

        views = [
            ("/def", listrak_webhook(echo)),
            ("/async", listrak_webhook(async_echo)),
            ("/payload", listrak_webhook(payload)),
            ("/async-payload", listrak_webhook(async_payload)),
            ("/class", on_dispatch(Receiver).as_view()),
            ("/async-class", on_dispatch(AsyncReceiver).as_view()),
        ]
        with django_app(*views, asgi=True) as app, uvicorn_server(app) as port:
            yield port

    @pytest.mark.parametrize("path", ["/def", "/async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, port: int, path: str, size: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(port, Delivery(b"x" * size, chunked=chunked, path=path))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("path", ["/def", "/async", "/class", "/async-class"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_forgery_is_refused(self, port: int, path: str, *, chunked: bool) -> None:
        """By every kind of view."""
        assert exchange(port, Delivery(chunked=chunked, path=path)).status == 200
        answer = exchange(port, Delivery(headers=forged(), chunked=chunked, path=path))
        assert (answer.status, answer.json()) == (401, REFUSED)

    @pytest.mark.parametrize("path", ["/payload", "/async-payload"])
    def test_a_payload_that_is_none_answers_400(self, port: int, path: str) -> None:
        """By either kind of view."""
        answer = exchange(port, Delivery(b"[]", path=path))
        assert (answer.status, answer.json()) == (400, {"error": "invalid_payload"})
        assert exchange(port, Delivery(path=path)).json() == json.loads(BODY)

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_refused(self, port: int, name: str) -> None:
        """Django puts the two together with a comma."""
        headers = signed()
        answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])], path="/def"))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})
