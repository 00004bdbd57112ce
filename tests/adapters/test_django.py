"""The Django adapter: what Django alone has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from support.apps import call_django, configure_django, django_app
from support.deliveries import PATH, Delivery, forged, one_rejection, signed
from support.django_views import (
    ECHO,
    REJECTED,
    AsyncReceiver,
    Receiver,
    async_echo,
    both_protocols,
    echo,
    never,
    on_dispatch,
    send,
)
from support.helpers import BODY, OTHER_SECRET, SECRET

configure_django()

from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.test import AsyncClient, Client  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views import View  # noqa: E402
from listrak_webhooks.django import listrak_webhook  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks import Event

pytestmark = pytest.mark.usefixtures("secret_in_settings")
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"


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
            rejection = Client().post(PATH, BODY, content_type="application/json", headers=forged())
            assert (rejection.status_code, rejection.json()) == (401, REJECTED)

            async def post() -> Any:
                return await AsyncClient().post(PATH, BODY, content_type="application/json", headers=signed())

            async_answer = asyncio.run(post())
            assert (async_answer.status_code, async_answer.content) == (200, ECHO)

    @both_protocols
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_url_arguments_pass_through(self, *, is_async: bool, asgi: bool) -> None:
        """They come by name, next to the request and the event."""
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
        rejection = send(view, Delivery(path="/acme", headers=forged()), asgi=asgi, route="/<account>")
        assert (rejection.status, rejection.json()) == (401, REJECTED)

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
        assert send(view, Delivery(headers=forged()), asgi=asgi).json() == REJECTED
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
        one_rejection(caplog, "invalid_payload")

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
            assert client.post(PATH, headers=forged(), **options).json() == REJECTED

    @VIEWS
    @both_protocols
    def test_login_required_middleware_lets_it_through(self, view: Callable[[], Any], *, asgi: bool) -> None:
        """Listrak has no login, and is not sent to a login page."""
        settings: Any = {"MIDDLEWARE": [f"{__name__}.anonymous", LOGIN], "LOGIN_URL": "/login"}
        with django_app((PATH, view()), ("/other", lambda _: HttpResponse()), asgi=asgi, **settings) as app:
            assert call_django(app, Delivery(path="/other"), asgi=asgi).status == 302
            assert call_django(app, Delivery(), asgi=asgi).status == 200
            assert call_django(app, Delivery(headers=forged()), asgi=asgi).json() == REJECTED

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
