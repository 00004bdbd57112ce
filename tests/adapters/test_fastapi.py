"""The FastAPI adapter: what FastAPI alone has."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `support/future_annotations_app.py` has them as text.
import asyncio
import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from pydantic import BaseModel
from support.deliveries import PATH, forged, logged, signed
from support.fastapi_views import ECHO, REJECTED, echo, post
from support.helpers import BODY, SECRET, VARIABLE

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class TestHandler:
    """How the handler is called, and what it may return."""

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    @pytest.mark.parametrize("bare", [True, False], ids=["bare", "with-parentheses"])
    def test_its_other_parameters_pass_through(self, app: FastAPI, *, is_async: bool, bare: bool) -> None:
        """Path, query, header and request parameters work next to the event."""
        seen: list[Any] = []

        def handler(
            account: int,
            event: Event,
            request: Request,
            tag: str = "none",
            *,
            number: Annotated[int, Query()],
            user_agent: Annotated[str | None, Header()] = None,
        ) -> None:
            seen.append((account, event.body, request.method, tag, number, user_agent))

        @functools.wraps(handler)
        async def async_handler(*args: Any, **kwargs: Any) -> None:
            handler(*args, **kwargs)

        decorator: Any = listrak_webhook if bare else listrak_webhook()
        app.post("/{account}")(decorator(async_handler if is_async else handler))
        answer = post(app, path="/7?number=5", headers=signed() | {"User-Agent": "x"})
        assert answer.status == 200, answer
        assert seen == [(7, BODY, "POST", "none", 5, "x")]

    def test_a_parameter_that_is_annotated_as_annotated(self, app: FastAPI) -> None:
        """`Annotated[Event, ...]` is an `Event` too."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Annotated[Event, "what Listrak sent"]) -> str:
            return event.encoding

        assert post(app).json() == "base64"

    def test_a_keyword_only_event(self, app: FastAPI) -> None:
        """FastAPI calls by name, so this works like any other."""

        @app.post("/{account}")
        @listrak_webhook
        async def handler(account: int, *, event: Event, tag: str = "-") -> str:
            return f"{account} {tag} {event.encoding}"

        assert post(app, path="/7?tag=t").json() == "7 t base64"

    @pytest.mark.parametrize("first", [True, False], ids=["event-first", "event-last"])
    def test_arbitrary_keyword_arguments_beside_the_event(self, app: FastAPI, *, first: bool) -> None:
        """FastAPI would take `**rest` for a parameter that must be there, and reject every delivery without it."""

        async def one(event: Event, account: int, **rest: str) -> str:
            return f"{account} {rest} {event.encoding}"

        async def other(account: int, event: Event, **rest: str) -> str:
            return await one(event, account, **rest)

        app.post("/{account}")(listrak_webhook(one if first else other))
        assert post(app, path="/7").json() == "7 {} base64"

    def test_a_parameter_with_a_default_before_the_event(self, app: FastAPI) -> None:
        """The event has no default, in any position."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(tag: str = "-", event: Event = None) -> str:  # type: ignore[assignment]
            return f"{tag} {event.encoding}"

        assert post(app).json() == "- base64"

    def test_an_instance_with_an_async_call(self, app: FastAPI) -> None:
        """A handler may be an object."""

        class Handler:
            greeting = "hello"

            async def __call__(self, event: Event, account: int) -> str:
                return f"{self.greeting} {account} {event.encoding}"

        app.post("/{account}")(listrak_webhook(Handler()))
        assert post(app, path="/7").json() == "hello 7 base64"

    def test_an_instance_with_a_plain_call(self, app: FastAPI) -> None:
        """The same without `async`."""

        class Handler:
            def __call__(self, event: Event, account: int) -> str:
                return f"{account} {event.encoding}"

        app.post("/{account}")(listrak_webhook(Handler()))
        assert post(app, path="/7").json() == "7 base64"

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_partial(self, app: FastAPI, *, is_async: bool) -> None:
        """A handler may be a function with some of its arguments filled in."""

        def handler(greeting: str, event: Event) -> str:
            return f"{greeting} {event.encoding}"

        async def async_handler(greeting: str, event: Event) -> str:
            return f"{greeting} {event.encoding}"

        chosen: Any = async_handler if is_async else handler
        app.post(PATH)(listrak_webhook(functools.partial(chosen, "hello")))
        assert post(app).json() == "hello base64"

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_bound_method(self, app: FastAPI, *, is_async: bool) -> None:
        """A handler may be a method of an object."""

        class Handlers:
            greeting = "hello"

            def now(self, event: Event) -> str:
                return f"{self.greeting} {event.encoding}"

            async def later(self, event: Event) -> str:
                return f"{self.greeting} {event.encoding}"

        handlers = Handlers()
        app.post(PATH)(listrak_webhook(handlers.later if is_async else handlers.now))
        assert post(app).json() == "hello base64"

    def test_what_is_stacked_under_it_is_called(self, app: FastAPI) -> None:
        """A decorator of the user's own that takes `*args, **kwargs` by `functools.wraps` stays in place."""
        calls: list[str] = []

        def counted(handler: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(handler)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                calls.append("counted")
                return await handler(*args, **kwargs)

            return wrapper

        app.post(PATH)(listrak_webhook(counted(echo)))
        assert post(app).body == ECHO
        assert calls == ["counted"]

    def test_what_is_stacked_over_it_is_called(self, app: FastAPI) -> None:
        """The same on the outside."""
        calls: list[str] = []
        decorated = listrak_webhook(echo)

        @functools.wraps(decorated)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            calls.append("counted")
            return await decorated(*args, **kwargs)

        app.post(PATH)(wrapper)
        assert post(app).body == ECHO
        assert post(app, headers=forged()).json() == REJECTED
        assert calls == ["counted"]

    @pytest.mark.parametrize(
        ("result", "status", "body"),
        [
            pytest.param({"a": 1}, 200, b'{"a":1}', id="dict"),
            pytest.param("text", 200, b'"text"', id="text"),
            pytest.param([], 200, b"[]", id="empty-list"),
            pytest.param(0, 200, b"0", id="zero"),
            pytest.param(Response("tea", 418), 418, b"tea", id="response"),
            pytest.param(None, 200, b"", id="none"),
        ],
    )
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_it_may_return_what_fastapi_takes(
        self, app: FastAPI, result: Any, status: int, body: bytes, *, is_async: bool
    ) -> None:
        """Only `None` is given a meaning of our own."""

        def handler(event: Event) -> Any:
            return result

        async def async_handler(event: Event) -> Any:
            return result

        app.post(PATH)(listrak_webhook(async_handler if is_async else handler))
        answer = post(app)
        assert (answer.status, answer.body) == (status, body)

    def test_a_response_model_holds(self, app: FastAPI) -> None:
        """The return annotation filters what goes out, as without the decorator."""

        class Done(BaseModel):
            encoding: str

        @app.post(PATH, status_code=202)
        @listrak_webhook
        async def handler(event: Event) -> Done:
            return Done.model_construct(encoding=event.encoding, secret="x")

        answer = post(app)
        assert (answer.status, answer.json()) == (202, {"encoding": "base64"})

    def test_its_http_exceptions_pass_through(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """FastAPI answers them as always."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event) -> None:
            raise HTTPException(404, "no such journey")

        answer = post(app)
        assert (answer.status, answer.json()) == (404, {"detail": "no such journey"})
        assert logged(caplog) == []

    def test_an_exception_handler_of_the_app_gets_its_exception(self, app: FastAPI) -> None:
        """Exceptions of the user's own are the user's own."""

        @app.exception_handler(LookupError)
        async def answer_lookup_error(request: Request, error: LookupError) -> Response:
            return Response(str(error.args[0]), 422)

        @app.post(PATH)
        @listrak_webhook
        def handler(event: Event) -> None:
            raise LookupError("no such cart")

        answer = post(app)
        assert (answer.status, answer.body) == (422, b"no such cart")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_the_body_stays_readable(self, app: FastAPI, *, chunked: bool) -> None:
        """`request.body()`, `request.json()` and `request.stream()` work behind the adapter."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, request: Request) -> bool:
            streamed = b"".join([piece async for piece in request.stream()])
            return await request.body() == BODY == streamed and await request.json() == event.payload

        assert post(app, chunked=chunked, piece=10).json() is True

    def test_called_directly_it_is_the_users_function(self) -> None:
        """A unit test of the user's can hand it an event of its own."""
        webhook = Webhook(SECRET)
        event = webhook.verify(BODY, signed())

        @listrak_webhook(webhook)
        async def handler(event: Event, tag: str) -> str:
            return f"{event.encoding} {tag}"

        assert asyncio.run(handler(event=event, tag="x")) == "base64 x"

    def test_without_a_parameter_for_the_event_it_is_rejected_at_decoration(self) -> None:
        """Else every delivery would be verified and then thrown away."""

        async def handler(request: Request) -> None: ...

        with pytest.raises(ConfigurationError, match="annotate one with Event"):
            listrak_webhook(handler)

    def test_an_object_without_a_parameter_for_the_event_is_rejected_as_well(self) -> None:
        """The message must not depend on there being a name."""

        class Handler:
            async def __call__(self, request: Request) -> None: ...

        with pytest.raises(ConfigurationError, match="annotate one with Event"):
            listrak_webhook(Handler())

    def test_an_event_that_is_imported_for_type_checkers_alone_is_rejected_or_works(self, app: FastAPI) -> None:
        """A name that does not exist at run time must not become a query parameter."""
        names: dict[str, Any] = {"listrak_webhook": listrak_webhook}
        exec("async def handler(event: 'Delivery'): ...", names)
        with pytest.raises(ConfigurationError, match="imported at run time"):
            listrak_webhook(names["handler"])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: listrak_webhook(echo), id="decorator"),
        pytest.param(lambda: listrak_webhook(), id="decorator-with-parentheses"),
        pytest.param(lambda: ListrakWebhook(), id="dependency"),
    ],
)
def test_the_secret_is_looked_up_at_decoration(make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An app without a secret does not start."""
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ConfigurationError, match=VARIABLE):
        make()


class TestOrder:
    """What happens before, and after, the handler."""

    def test_the_signature_is_checked_before_the_other_dependencies_run(self, app: FastAPI) -> None:
        """A database session or a rate limiter that comes first in the signature is not reached by a forgery."""
        seen: list[str] = []

        def session() -> None:
            seen.append("session")

        @app.post(PATH)
        @listrak_webhook
        def handler(session: Annotated[None, Depends(session)], number: int, event: Event) -> None:
            del session, number, event

        assert post(app, headers=forged(), path=f"{PATH}?number=1").status == 401
        assert seen == []
        assert post(app, path=f"{PATH}?number=1").status == 200
        assert seen == ["session"]

    def test_what_the_handler_did_to_its_response_is_kept(self, app: FastAPI) -> None:
        """Headers, cookies and a status set on an injected `Response` go out with the empty answer."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, response: Response) -> None:
            response.headers["X-Delivery"] = event.id[:8]
            response.set_cookie("seen", "yes")
            response.status_code = 202

        answer = post(app)
        assert (answer.status, answer.body) == (202, b"")
        assert len(answer.headers["x-delivery"]) == 8
        assert answer.headers["set-cookie"].startswith("seen=yes")

    def test_an_event_by_position_only_is_rejected_at_once(self) -> None:
        """FastAPI passes everything by name, so every delivery would be lost."""

        def handler(event: Event, /) -> None:
            del event

        with pytest.raises(ConfigurationError, match="by position only"):
            listrak_webhook(handler)

    def test_a_method_can_be_decorated_in_its_class(self, app: FastAPI) -> None:
        """`self` stays in front, so that the method can be bound."""

        class Shop:
            name = "shop"

            @listrak_webhook
            async def receive(self, event: Event, tag: str = "-") -> str:
                return f"{self.name} {tag} {event.encoding}"

        app.post(PATH)(Shop().receive)
        assert post(app, path=f"{PATH}?tag=t").json() == "shop t base64"

    def test_two_events_are_one_too_many(self) -> None:
        """There is one delivery in a request."""

        def handler(event: Event, other: Event) -> None:
            del event, other

        with pytest.raises(ConfigurationError, match="2 parameters for the event"):
            listrak_webhook(handler)

    @pytest.mark.newer("a FastAPI that takes Depends for a Response")
    def test_a_response_made_by_a_dependency_does_not_describe_the_empty_one(self, app: FastAPI) -> None:
        """Its length and type are its own."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, made: Annotated[Response, Depends(lambda: Response("text"))]) -> None:
            del event, made

        answer = post(app)
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
