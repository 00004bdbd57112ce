"""The FastAPI adapter: what FastAPI alone has, and Uvicorn."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `future_annotations_app.py` has them as text.
import asyncio
import functools
import inspect
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
)
from listrak_webhooks import ConfigurationError, Event, PayloadError, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook, route_docs
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from support.apps import acall_asgi, call_asgi
from support.deliveries import PATH, Answer, Delivery, forged, logged, one_refusal, signed
from support.helpers import BODY, OTHER_SECRET, SECRET, SIGNATURE, TIMESTAMP, VARIABLE
from support.servers import Connection, exchange, uvicorn_server

pytestmark = pytest.mark.usefixtures("secret_in_environment")

REFUSED = {"detail": "signature_mismatch"}


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


SHORT = 0.3
"""Seconds that a test waits for a body that does not come."""


def post(app: Any, body: bytes = BODY, path: str = PATH, **options: Any) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(body, path=path, **options))


async def echo(event: Event) -> Response:
    """Stand for a handler that answers with its event's body."""
    return Response(b"%d %s" % (len(event.body), event.body))


ECHO = b"%d %s" % (len(BODY), BODY)


async def never(event: Event) -> None:
    """Stand for a handler that must not be reached."""
    pytest.fail(f"the handler was called with {event}")


class TestHandler:
    """How the handler is called, and what it may return."""

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    @pytest.mark.parametrize("bare", [True, False], ids=["bare", "with-parentheses"])
    def test_its_other_parameters_pass_through(self, app: FastAPI, *, is_async: bool, bare: bool) -> None:
        """Path, query, header and request parameters stand beside the event."""
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
        """FastAPI would take `**rest` for a parameter that must be there, and refuse every delivery without it."""

        async def one(event: Event, account: int, **rest: str) -> str:
            return f"{account} {rest} {event.encoding}"

        async def other(account: int, event: Event, **rest: str) -> str:
            return await one(event, account, **rest)

        app.post("/{account}")(listrak_webhook(one if first else other))
        assert post(app, path="/7").json() == "7 {} base64"

    def test_a_parameter_with_a_default_before_the_event(self, app: FastAPI) -> None:
        """The event has no default, wherever it stands."""

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
        assert post(app, headers=forged()).json() == REFUSED
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

    def test_without_a_parameter_for_the_event_it_is_refused_at_decoration(self) -> None:
        """Else every delivery would be verified and then thrown away."""

        async def handler(request: Request) -> None: ...

        with pytest.raises(ConfigurationError, match="annotate one with Event"):
            listrak_webhook(handler)

    def test_an_object_without_a_parameter_for_the_event_is_refused_as_well(self) -> None:
        """The message must not depend on there being a name."""

        class Handler:
            async def __call__(self, request: Request) -> None: ...

        with pytest.raises(ConfigurationError, match="annotate one with Event"):
            listrak_webhook(Handler())

    def test_an_event_that_is_imported_for_type_checkers_alone_is_refused_or_works(self, app: FastAPI) -> None:
        """A name that does not exist at run time must not become a query parameter."""
        names: dict[str, Any] = {"listrak_webhook": listrak_webhook}
        exec("async def handler(event: 'Delivery'): ...", names)
        with pytest.raises(ConfigurationError, match="imported at run time"):
            listrak_webhook(names["handler"])


class TestBodyParameter:
    """Parameters that FastAPI would fill from the body, before the signature is checked."""

    @pytest.mark.parametrize(
        "annotation", [dict[str, Any], Annotated[str, Body()], list[int]], ids=["dict", "Body", "list"]
    )
    def test_it_is_refused_at_decoration(self, annotation: Any) -> None:
        """What is not yet proven genuine must not be parsed, however FastAPI spells it."""

        async def handler(event: Event, data: Any) -> None: ...

        handler.__annotations__["data"] = annotation
        with pytest.raises(ConfigurationError, match="data from the body"):
            listrak_webhook(handler)

    def test_one_in_a_dependency_of_the_handler_is_refused_too(self) -> None:
        """FastAPI parses the body for it just the same."""

        def read(cart: Annotated[dict[str, Any], Body()]) -> None: ...

        async def handler(event: Event, cart: Annotated[None, Depends(read)]) -> None: ...

        with pytest.raises(ConfigurationError, match="from the body"):
            listrak_webhook(handler)

    def test_a_route_without_one_is_served(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """Parameters of the path and the query are FastAPI's to fill."""

        @app.post("/{account}")
        async def handler(event: Annotated[Event, Depends(ListrakWebhook())], account: int, tag: str = "") -> None: ...

        assert post(app, path="/7").status == 200
        assert logged(caplog) == []


class TestNeverParsedBefore:
    """The signature comes first: an unsigned request learns nothing about the route."""

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"", b"[" * 10_000], ids=["malformed", "binary", "empty", "deep"])
    @pytest.mark.parametrize("path", ["/7", "/seven", "/7?number=x"], ids=["valid", "invalid-path", "invalid-query"])
    @pytest.mark.parametrize("form", ["decorator", "dependency"])
    def test_an_unsigned_request_answers_401_and_never_422(
        self, app: FastAPI, form: str, path: str, body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever else is wrong with it."""
        if form == "decorator":

            @app.post("/{account}")
            @listrak_webhook
            async def handler(account: int, event: Event, number: int = 0) -> None: ...
        else:

            @app.post("/{account}")
            async def handler(
                account: int, event: Annotated[Event, Depends(ListrakWebhook())], number: int = 0
            ) -> None: ...

        answer = post(app, body, path, headers={})
        assert (answer.status, answer.json()) == (401, {"detail": "missing_header"})
        one_refusal(caplog, "missing_header")

    def test_an_invalid_parameter_of_another_dependency_does_not_come_first(self, app: FastAPI) -> None:
        """Nor does what a dependency asks of the query."""

        def page(number: int, size: Annotated[int, Query(ge=1)]) -> int:
            return number * size

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, start: Annotated[int, Depends(page)]) -> None: ...

        assert post(app, path=f"{PATH}?number=x&size=0", headers=forged()).json() == REFUSED
        assert post(app, path=f"{PATH}?number=x&size=0").status == 422

    def test_a_genuine_request_with_an_invalid_parameter_answers_422(self, app: FastAPI) -> None:
        """Then it is FastAPI's turn."""

        @app.post("/{account}")
        @listrak_webhook
        async def handler(account: Annotated[int, Path(ge=1)], event: Event) -> None: ...

        assert post(app, path="/0").status == 422
        assert post(app, path="/1").status == 200

    def test_a_malformed_genuine_body_reaches_a_handler_that_does_not_parse_it(self, app: FastAPI) -> None:
        """It is genuine, and that is all that was asked."""
        app.post(PATH)(listrak_webhook(echo))
        assert post(app, b"{").body == b"1 {"


class TestSchema:
    """The OpenAPI schema."""

    def _operation(self, app: FastAPI) -> Any:
        return json.loads(json.dumps(app.openapi()))["paths"][PATH]["post"]

    @pytest.mark.parametrize(
        "form",
        [
            "decorator",
            "dependency",
            "guarded-dependency",
            pytest.param("both", marks=pytest.mark.newer("a FastAPI that names a scheme once for a route")),
        ],
    )
    def test_the_headers_are_in_it(self, app: FastAPI, form: str) -> None:
        """The signature is a security scheme of the route, whose description names the other header."""
        hooks: dict[str, Any] = {
            "dependency": ListrakWebhook(),
            "guarded-dependency": ListrakWebhook(replay=MemoryReplayGuard()),
            "both": ListrakWebhook(OTHER_SECRET),
        }
        dependencies = [Depends(hooks[form])] if form in hooks else []

        async def handler(event: Event) -> None: ...

        async def plain() -> None: ...

        decorated = listrak_webhook(handler) if form in {"decorator", "both"} else plain
        app.post(PATH, dependencies=dependencies)(decorated)
        operation = self._operation(app)
        assert "parameters" not in operation
        [(name, scopes)] = [pair for scheme in operation["security"] for pair in scheme.items()]
        scheme = app.openapi()["components"]["securitySchemes"][name]
        assert (scheme["type"], scheme["in"], scheme["name"], scopes) == ("apiKey", "header", SIGNATURE, [])
        assert TIMESTAMP in scheme["description"]

    def test_route_docs_adds_the_other_header(self, app: FastAPI) -> None:
        """As a parameter, with what it has to be."""
        app.post(PATH, **route_docs())(listrak_webhook(echo))
        [parameter] = self._operation(app)["parameters"]
        assert (parameter["name"], parameter["in"], parameter["required"]) == (TIMESTAMP, "header", True)
        assert parameter["description"]

    def test_the_event_is_not_in_it(self, app: FastAPI) -> None:
        """It is no parameter of the request, and no body."""
        app.post(PATH)(listrak_webhook(echo))
        operation = self._operation(app)
        assert "requestBody" not in operation
        assert "parameters" not in operation

    def test_the_other_parameters_are_in_it(self, app: FastAPI) -> None:
        """Also with a guard, for which the handler is called with one argument more."""

        @app.post(PATH)
        @listrak_webhook(replay=MemoryReplayGuard())
        async def handler(event: Event, number: int) -> None:
            """Take a cart."""

        operation = self._operation(app)
        assert {parameter["name"] for parameter in operation["parameters"]} == {"number"}
        assert operation["description"] == "Take a cart."
        assert operation["operationId"].startswith("handler")

    def test_route_docs_adds_the_body_and_the_refusals(self, app: FastAPI) -> None:
        """A JSON object, and each status with its codes."""
        app.post(PATH, **route_docs())(listrak_webhook(echo))
        operation = self._operation(app)
        body = operation["requestBody"]
        assert body["required"] is True
        assert list(body["content"]) == ["application/json"]
        assert body["content"]["application/json"]["schema"] == {"type": "object"}
        responses = operation["responses"]
        assert {"200", "400", "401", "413", "500"} <= responses.keys()
        codes = {
            status: responses[status]["content"]["application/json"]["schema"]["properties"]["detail"]["enum"]
            for status in ("400", "401", "413", "500")
        }
        assert codes == {
            "400": ["invalid_payload"],
            "401": [
                "missing_header",
                "malformed_timestamp",
                "malformed_signature",
                "signature_mismatch",
                "stale_timestamp",
                "future_timestamp",
            ],
            "413": ["body_too_large"],
            "500": ["body_unavailable", "configuration_error"],
        }
        for status, each in codes.items():
            assert all(code in responses[status]["description"] for code in each)

    def test_route_docs_leaves_the_verdict_alone(self, app: FastAPI) -> None:
        """Documenting a JSON body does not make FastAPI look at one."""
        app.post(PATH, **route_docs())(listrak_webhook(echo))
        assert post(app, b"{", headers={}).json() == {"detail": "missing_header"}
        assert post(app, b"{", content_type="text/plain").body == b"1 {"

    def test_route_docs_gives_each_route_its_own(self, app: FastAPI) -> None:
        """What one route adds must not turn up at another."""
        first, second = route_docs(), route_docs()
        first["responses"][404] = {"description": "no such account"}
        first["openapi_extra"]["requestBody"]["content"].clear()
        assert 404 not in second["responses"]
        assert second["openapi_extra"]["requestBody"]["content"]


class TestDependencies:
    """Routers, dependencies and overrides."""

    def test_a_router_with_a_prefix_and_dependencies(self) -> None:
        """Router-level dependencies run, and one that answers by itself is heard."""
        calls: list[str] = []

        def tenant(tenant: str) -> None:
            calls.append(tenant)
            if tenant == "gone":
                raise HTTPException(410, "gone")

        router = APIRouter(prefix="/tenants/{tenant}", dependencies=[Depends(tenant)])

        @router.post("/listrak")
        @listrak_webhook
        async def handler(event: Event, tenant: str) -> str:
            return f"{tenant} {event.encoding}"

        app = FastAPI()
        app.include_router(router, prefix="/v1")
        assert post(app, path="/v1/tenants/acme/listrak").json() == "acme base64"
        assert post(app, path="/v1/tenants/gone/listrak").status == 410
        assert post(app, path="/v1/tenants/acme/listrak", headers=forged()).json() == REFUSED
        assert calls == ["acme", "gone", "acme"]

    @pytest.mark.parametrize("path", ["/decorator/7?tag=t", "/alias/7", "/module/7", "/router/dependency/7"])
    def test_annotations_that_are_text(self, path: str) -> None:
        """`from __future__ import annotations`, in a module of its own."""
        from support.future_annotations_app import app

        answer = post(app, path=path)
        assert answer.status == 200, answer
        assert answer.json()["seen"].endswith("base64")
        assert answer.json()["seen"].startswith("7 ")
        assert post(app, path=path, headers=forged()).json() == REFUSED

    def test_annotations_that_are_text_and_defined_inside_a_function(self) -> None:
        """What FastAPI itself cannot resolve is said at decoration, and never served unverified."""
        source = (
            "from __future__ import annotations\n"
            "def make(listrak_webhook):\n"
            "    from listrak_webhooks import Event\n"
            "    class Local: ...\n"
            "    @listrak_webhook\n"
            "    async def handler(event: Event) -> None: ...\n"
            "    return handler\n"
        )
        names: dict[str, Any] = {}
        exec(source, names)
        app = FastAPI()
        app.post(PATH)(names["make"](listrak_webhook))
        assert post(app).status == 200
        assert post(app, headers=forged()).json() == REFUSED

    def test_other_dependencies_query_parameters_and_background_tasks(self, app: FastAPI) -> None:
        """The usual company of a path operation."""
        order: list[str] = []

        async def session() -> AsyncIterator[str]:
            order.append("open")
            yield "session"
            order.append("closed")

        @app.post(PATH)
        @listrak_webhook
        async def handler(
            event: Event, session: Annotated[str, Depends(session)], tasks: BackgroundTasks, tag: str = "-"
        ) -> str:
            order.append("handler")
            tasks.add_task(order.append, f"task {event.payload['campaign']}")
            return f"{session} {tag}"

        answer = post(app, path=f"{PATH}?tag=t")
        assert answer.json() == "session t"
        assert sorted(order) == sorted(["open", "handler", "task vip-mailer", "closed"])
        assert order.index("handler") < order.index("task vip-mailer")

    def test_background_tasks_run_where_none_is_returned(self, app: FastAPI) -> None:
        """The empty 200 must not lose what the handler left to do."""
        done: list[str] = []

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, tasks: BackgroundTasks) -> None:
            tasks.add_task(done.append, event.encoding)

        answer = post(app)
        assert (answer.status, answer.body) == (200, b"")
        assert done == ["base64"]

    def test_a_payload_error_in_a_background_task_is_no_refusal(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The answer is out by then: the error is the task's own, and must not be logged as a 400 nobody got."""
        rejected: list[Any] = []

        @app.post(PATH)
        @listrak_webhook(on_rejected=lambda error, _: rejected.append(error))
        async def handler(event: Event, tasks: BackgroundTasks) -> None:
            tasks.add_task(lambda: event.payload)

        with pytest.raises(PayloadError):
            post(app, b"{")
        assert rejected == []
        assert logged(caplog) == []

    def test_a_dependency_on_the_event(self, app: FastAPI) -> None:
        """The event can feed further dependencies, whose `PayloadError` answers 400 as the handler's does."""
        hook = ListrakWebhook(SECRET)

        def campaign(event: Annotated[Event, Depends(hook)]) -> str:
            return str(event.payload["campaign"])

        @app.post(PATH)
        async def handler(campaign: Annotated[str, Depends(campaign)]) -> str:
            return campaign

        assert post(app).json() == "vip-mailer"
        refusal = post(app, b"{")
        assert (refusal.status, refusal.json()) == (400, {"detail": "invalid_payload"})
        assert post(app, headers=forged()).json() == REFUSED

    def test_one_dependency_used_twice_verifies_once(self, app: FastAPI) -> None:
        """FastAPI keeps its value for the request."""
        resolved: list[Request] = []

        def resolve(request: Request) -> Webhook:
            resolved.append(request)
            return Webhook(SECRET)

        hook = ListrakWebhook(resolver=resolve)

        def encoding(event: Annotated[Event, Depends(hook)]) -> str:
            return event.encoding

        @app.post(PATH)
        async def handler(
            event: Annotated[Event, Depends(hook)],
            again: Annotated[Event, Depends(hook)],
            code: Annotated[str, Depends(encoding)],
        ) -> bool:
            return event is again and code == event.encoding

        assert post(app).json() is True
        assert len(resolved) == 1

    def test_two_dependencies_verify_each_for_itself(self, app: FastAPI) -> None:
        """The second finds the body that the first has read."""

        @app.post(PATH)
        async def handler(
            first: Annotated[Event, Depends(ListrakWebhook(SECRET))],
            second: Annotated[Event, Depends(ListrakWebhook([OTHER_SECRET, SECRET]))],
        ) -> bool:
            return first == second and (first.secret_index, second.secret_index) == (0, 1)

        assert post(app).json() is True

    def test_a_dependency_of_the_route_alone(self, app: FastAPI) -> None:
        """`dependencies=[Depends(...)]` guards a handler that does not want the event."""

        @app.post(PATH, dependencies=[Depends(ListrakWebhook())])
        async def handler() -> str:
            return "in"

        assert post(app).json() == "in"
        assert post(app, headers=forged()).json() == REFUSED

    def test_an_override_of_another_dependency(self, app: FastAPI) -> None:
        """Tests of users' own replace what they do not test."""

        def real() -> str:
            pytest.fail("the real one was called")

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, database: Annotated[str, Depends(real)]) -> str:
            return f"{database} {event.encoding}"

        app.dependency_overrides[real] = lambda: "fake"
        assert post(app).json() == "fake base64"
        assert post(app, headers=forged()).json() == REFUSED

    def test_an_override_of_the_webhook_itself(self, app: FastAPI) -> None:
        """The instance is the key, and an event may come from anywhere."""
        hook = ListrakWebhook(OTHER_SECRET)
        event = Webhook(SECRET).verify(BODY, signed())

        @app.post(PATH)
        async def handler(event: Annotated[Event, Depends(hook)]) -> str:
            return event.encoding

        assert post(app, headers={}).status == 401
        app.dependency_overrides[hook] = lambda: event
        assert post(app, headers={}).json() == "base64"

    def test_two_routes_do_not_share_a_secret(self, app: FastAPI) -> None:
        """Each webhook has its own, and a delivery for one is none for the other."""

        @app.post("/a")
        @listrak_webhook(SECRET)
        async def first(event: Event) -> None: ...

        @app.post("/b")
        @listrak_webhook(OTHER_SECRET)
        async def second(event: Event) -> None: ...

        assert post(app, path="/a").status == 200
        assert post(app, path="/b").json() == REFUSED
        assert post(app, path="/b", headers=signed(secret=OTHER_SECRET)).status == 200

    def test_on_rejected_gets_the_request(self, app: FastAPI) -> None:
        """FastAPI's own, with the route's parameters."""
        seen: list[Any] = []

        @app.post("/{account}")
        @listrak_webhook(on_rejected=lambda error, request: seen.append((error.code, request.path_params)))
        async def handler(account: int, event: Event) -> None: ...

        post(app, path="/7", headers=forged())
        assert seen == [("signature_mismatch", {"account": "7"})]

    def test_the_dependency_in_a_mounted_app(self, app: FastAPI) -> None:
        """A sub-application is like any other."""
        inner = FastAPI()
        inner.post(PATH)(listrak_webhook(echo))
        app.mount("/inner", inner)
        assert post(app, path=f"/inner{PATH}").body == ECHO


class TestThreads:
    """The event loop is never blocked by the user's own functions."""

    def test_sync_handlers_run_side_by_side(self, app: FastAPI) -> None:
        """Each waits for the other, so both must be running."""
        barrier = threading.Barrier(2, timeout=10)

        @app.post(PATH)
        @listrak_webhook
        def handler(event: Event) -> None:
            barrier.wait()

        async def both() -> tuple[Answer, Answer]:
            return await asyncio.gather(acall_asgi(app, Delivery()), acall_asgi(app, Delivery()))

        assert [answer.status for answer in asyncio.run(both())] == [200, 200]

    def test_async_handlers_run_in_the_loop(self, app: FastAPI) -> None:
        """And in no thread of their own."""
        threads: list[int] = []

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event) -> None:
            threads.append(threading.get_ident())

        post(app)
        assert threads == [threading.get_ident()]

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_resolver_and_on_rejected(self, app: FastAPI, *, is_async: bool) -> None:
        """They may ask a database: plain ones run in a thread, async ones in the loop."""
        threads: list[int] = []

        def resolve(request: Request) -> Webhook:
            threads.append(threading.get_ident())
            return Webhook(SECRET)

        def reject(error: Any, request: Request) -> None:
            threads.append(threading.get_ident())

        async def resolve_later(request: Request) -> Webhook:
            return resolve(request)

        async def reject_later(error: Any, request: Request) -> None:
            reject(error, request)

        options: Any = (
            {"resolver": resolve_later, "on_rejected": reject_later}
            if is_async
            else {"resolver": resolve, "on_rejected": reject}
        )
        app.post(PATH)(listrak_webhook(**options)(never))
        post(app, headers=forged())
        assert len(threads) == 2
        assert [thread == threading.get_ident() for thread in threads] == [is_async, is_async]


class Swallow:
    """Pure ASGI middleware that takes every message of the body and gives none back."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        while (await receive()).get("more_body"):
            pass
        await self.app(scope, receive, send)


class TestBodyReadBefore:
    """Other code that reads the request before the dependency."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_does_not_hang(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """The server has nothing more to give, so the wait ends by itself."""
        app.post(PATH)(listrak_webhook(body_timeout=SHORT)(never))
        start = time.monotonic()
        answer = post(Swallow(app), chunked=chunked)
        assert SHORT * 0.9 < time.monotonic() - start < SHORT + 5
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        assert "middleware" in one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_middleware_that_gives_an_empty_body_instead(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Nothing is not what was sent, so this is no bad signature."""

        async def emptied(scope: Any, receive: Any, send: Any) -> None:
            async def nothing() -> Any:
                return {"type": "http.request", "body": b"", "more_body": False}

            await app(scope, nothing, send)

        app.post(PATH)(listrak_webhook(never))
        answer = post(emptied, chunked=chunked)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_leaves_is_no_bad_signature(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """It went away in the middle of the body."""
        app.post(PATH)(listrak_webhook(never))
        answer = post(app, headers=signed(BODY + b"."), declared=len(BODY) + 1, chunked=chunked, broken=True)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("read", ["body", "json"])
    def test_a_dependency_that_reads_the_body_first(self, app: FastAPI, read: str, *, chunked: bool) -> None:
        """Starlette keeps it, so nothing is lost."""

        async def peek(request: Request) -> None:
            await getattr(request, read)()

        app.post(PATH, dependencies=[Depends(peek)])(listrak_webhook(echo))
        assert post(app, chunked=chunked).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_dependency_that_takes_the_stream_first(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """A stream can be read once, and then it is gone."""

        async def take(request: Request) -> None:
            async for _ in request.stream():
                pass

        app.post(PATH, dependencies=[Depends(take)])(listrak_webhook(never))
        answer = post(app, chunked=chunked)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        assert "stream" in one_refusal(caplog, "body_unavailable")

    def test_a_dependency_that_takes_a_part_of_the_stream(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """The rest alone has another signature, and the length tells that from a forgery; chunks have none."""

        async def take(request: Request) -> None:
            assert await anext(aiter(request.stream()))

        app.post(PATH, dependencies=[Depends(take)])(listrak_webhook(never))
        answer = post(app, piece=10)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_base_http_middleware_that_reads_the_body(self, app: FastAPI, *, chunked: bool) -> None:
        """The usual way to log bodies in FastAPI."""

        async def log(request: Request, call_next: Any) -> Any:
            assert await request.body() == BODY
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=log)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app, chunked=chunked, piece=10).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_base_http_middleware_that_takes_the_stream(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """It keeps nothing, so nothing is left."""

        async def take(request: Request, call_next: Any) -> Any:
            async for _ in request.stream():
                pass
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=take)
        app.post(PATH)(listrak_webhook(body_timeout=SHORT)(never))
        answer = post(app, chunked=chunked)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    def test_a_base_http_middleware_that_does_nothing(self, app: FastAPI) -> None:
        """Its wrapping of the request alone must not get in the way, nor of the refusals."""

        async def nothing(request: Request, call_next: Any) -> Any:
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=nothing)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).body == ECHO
        assert post(app, headers=forged()).json() == REFUSED


has_max_body_size = pytest.mark.skipif(
    "max_body_size" not in inspect.signature(FastAPI).parameters, reason="this FastAPI has no limit of its own"
)


@pytest.mark.newer("a FastAPI with a limit of its own")
@has_max_body_size
class TestLimitOfFastAPI:
    """`FastAPI(max_body_size=...)`, where it is lower than `max_body`."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("where", ["app", "route"])
    def test_a_body_over_it_answers_413_and_the_log_names_the_setting(
        self, where: str, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """The operator must not look for the limit in the wrong place."""
        limit: Any = {"max_body_size": 20}
        app = FastAPI(**limit) if where == "app" else FastAPI()
        app.post(PATH, **(limit if where == "route" else {}))(listrak_webhook(never))
        delivery = Delivery(chunked=chunked, piece=8)
        answer = call_asgi(app, delivery)
        assert answer.status == 413
        assert "max_body_size" in one_refusal(caplog, "body_too_large")
        assert delivery.taken <= 28

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_of_exactly_its_size_is_accepted(self, *, chunked: bool) -> None:
        """The limit itself is within the limit."""
        limit: Any = {"max_body_size": len(BODY)}
        app = FastAPI(**limit)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app, chunked=chunked).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_one_that_is_higher_leaves_ours(self, caplog: pytest.LogCaptureFixture, *, chunked: bool) -> None:
        """The lower of the two counts, and the log names that one."""
        limit: Any = {"max_body_size": 1000}
        app = FastAPI(**limit)
        app.post(PATH)(listrak_webhook(Webhook(SECRET, max_body=20))(never))
        answer = post(app, chunked=chunked)
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})
        assert "max_body_size" not in one_refusal(caplog, "body_too_large")


class TestUvicorn:
    """The real server, over a socket."""

    @pytest.fixture
    def port(self, app: FastAPI) -> Generator[int, None, None]:
        """Yield the port of a server with a route of each kind."""
        app.post(PATH)(listrak_webhook(echo))
        app.post("/small")(listrak_webhook(Webhook(SECRET, max_body=100))(echo))
        app.post("/short")(listrak_webhook(body_timeout=SHORT)(echo))
        app.post("/patient")(listrak_webhook(body_timeout=20 * SHORT)(echo))

        @app.post("/payload")
        @listrak_webhook
        def payload(event: Event) -> Any:
            return event.payload

        @app.post("/dependency")
        async def dependency(event: Annotated[Event, Depends(ListrakWebhook())]) -> Any:
            return event.payload

        @app.post("/broken")
        @listrak_webhook
        async def broken(event: Event) -> None:
            raise LookupError("a bug of the user's")

        with uvicorn_server(app) as port:
            yield port

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, port: int, size: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(port, Delivery(b"x" * size, chunked=chunked))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("path", ["/payload", "/dependency"])
    def test_a_payload_error_of_the_handler_is_a_rejection(
        self, port: int, path: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A `PayloadError` answers 400 before anything else is sent."""
        answer = exchange(port, Delivery(b"{", path=path))
        assert (answer.status, answer.json()) == (400, {"detail": "invalid_payload"})
        one_refusal(caplog, "invalid_payload")
        assert exchange(port, Delivery(path=path)).json() == json.loads(BODY)

    def test_a_bug_in_the_handler_is_a_500_and_the_next_delivery_is_served(
        self, port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The server says what it always says, and the adapter says nothing."""
        assert exchange(port, Delivery(path="/broken")).status == 500
        assert logged(caplog) == []
        assert exchange(port, Delivery()).body == ECHO

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_refused(self, port: int, name: str) -> None:
        """ASGI delivers both, and neither is chosen."""
        headers = signed()
        answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"detail": code})

    def test_a_length_over_the_limit_is_answered_without_the_body(self, port: int) -> None:
        """The client has sent nothing but the head, and gets its answer at once."""
        answer = exchange(port, Delivery(b"", headers=signed(), declared=101, path="/small"))
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})

    def test_chunks_over_the_limit_are_answered_before_the_end(self, port: int) -> None:
        """The client is still sending, and gets its answer."""
        delivery = Delivery(b"x" * 200, headers=signed(), path="/small", chunked=True, piece=50)
        with Connection(port) as connection:
            connection.send(delivery.to_bytes()[:-60])
            answer = connection.answer()
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})

    def test_the_connection_serves_the_next_delivery(self, port: int) -> None:
        """Keep-alive holds: what one delivery was does not disturb the next."""
        with Connection(port) as connection:
            for chunked, headers in [(False, None), (True, None), (True, forged()), (False, forged()), (False, None)]:
                connection.send(Delivery(chunked=chunked, headers=headers).to_bytes())
                answer = connection.answer()
                assert answer.status == (401 if headers else 200)
                assert headers or answer.body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_sender_that_stalls_is_not_waited_for_for_ever(
        self, port: int, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Half a body, and then silence on an open connection."""
        with Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(chunked=chunked, path="/short").to_bytes()[:-20])
            answer = connection.answer()
        assert SHORT * 0.9 < time.monotonic() - start < SHORT + 5
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize(("path", "status"), [("/patient", 200), ("/short", 500)])
    def test_the_deadline_is_for_the_whole_body(self, port: int, path: str, status: int) -> None:
        """A sender that is slow but in time is served, and one that sends a little now and then gains nothing by it."""
        request = Delivery(path=path).to_bytes()
        with Connection(port) as connection:
            start = time.monotonic()
            connection.send(request[:-40])
            for begin in range(40, 0, -4):
                time.sleep(SHORT / 4)
                connection.send(request[len(request) - begin : len(request) - begin + 4])
            answer = connection.answer()
        assert answer.status == status, answer
        assert time.monotonic() - start < 20 * SHORT

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_leaves_in_the_middle_is_no_bad_signature(
        self, port: int, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Nobody is there to answer, and the log does not blame the secret."""
        with Connection(port) as connection:
            connection.send(Delivery(chunked=chunked).to_bytes()[:-20])
        deadline = time.monotonic() + 10
        while not logged(caplog) and time.monotonic() < deadline:
            time.sleep(0.01)
        one_refusal(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_does_not_hang(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Uvicorn waits for the client to leave, and the client waits for its answer."""
        app.post(PATH)(listrak_webhook(body_timeout=SHORT)(never))
        with uvicorn_server(Swallow(app)) as port:
            answer = exchange(port, Delivery(chunked=chunked))
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_refusal(caplog, "body_unavailable")


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
        """A database session or a rate limiter that stands first in the signature is not reached by a forgery."""
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

    def test_an_event_by_position_only_is_refused_at_once(self) -> None:
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
