"""FastAPI: the signature that decorators of the user's own see, and handlers that are called directly."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from listrak_webhooks import ConfigurationError, Event, PayloadError, Webhook
from listrak_webhooks.fastapi import listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from starlette.requests import HTTPConnection
from support.deliveries import PATH, signed
from support.fastapi_decorators import GUARDS, NO_JSON, CartMail, Seen, in_an_executor, post
from support.helpers import BODY, SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a guard of each kind, and none."""
    return GUARDS[request.param](tmp_path)


class TestSignature:
    """What decorators over ours find on a handler."""

    def test_without_a_guard_it_has_the_handlers_own_parameters(self, app: FastAPI) -> None:
        """One that spells them out instead of passing on whatever comes works."""

        @listrak_webhook(on_rejected=print)
        async def handler(event: Event, tag: str = "-") -> str:
            return f"{event.encoding} {tag}"

        @functools.wraps(handler)
        async def wrapper(event: Event, tag: str) -> Any:
            return await handler(event=event, tag=tag)

        assert list(inspect.signature(handler).parameters) == ["event", "tag"]
        app.post(PATH)(wrapper)
        assert post(app).json() == "base64 -"

    @pytest.mark.newer("a FastAPI that makes a route once when its router is included")
    @pytest.mark.parametrize("guard", [None, MemoryReplayGuard()], ids=["plain", "guarded"])
    def test_its_annotations_are_those_that_fastapi_reads(self, app: FastAPI, guard: Any) -> None:
        """An injector takes them to make a signature anew, with or without parameters of its own."""

        class Mailer:
            """What FastAPI cannot read."""

        class Injected:
            """The note of an injector."""

        def inject(handler: Callable[..., Any]) -> Any:
            hints = inspect.get_annotations(handler)
            signature = inspect.signature(handler)
            own = [name for name, hint in hints.items() if Injected in getattr(hint, "__metadata__", ())]

            async def wrapper(**kwargs: Any) -> Any:
                return await handler(**kwargs, **{name: Mailer() for name in own})

            kept = [each for name, each in signature.parameters.items() if name not in own]
            parameters = [each.replace(annotation=hints[each.name]) for each in kept]
            wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
            return wrapper

        class InjectingRoute(APIRoute):
            def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
                super().__init__(path, inject(endpoint), **options)

        async def handler(event: Event, mailer: Annotated[Mailer, Injected], request: Request) -> str:
            return f"{type(mailer).__name__} {event.encoding} {request.method}"

        router = APIRouter(route_class=InjectingRoute)
        router.post(PATH)(listrak_webhook(replay=guard)(handler))
        app.include_router(router)
        assert post(app).json() == "Mailer base64 POST"

    def test_what_an_injector_fills_is_not_taken_from_the_payload(self, app: FastAPI) -> None:
        """A note of another library means that it fills the parameter, also if its type could be read."""

        class Injected:
            """The note of an injector."""

        async def handler(event: Event, settings: Annotated[CartMail, Injected()]) -> None: ...

        parameters = inspect.signature(listrak_webhook(handler)).parameters
        assert parameters["settings"].annotation.__metadata__[0].__class__ is Injected

    def test_a_parameter_that_a_decorator_over_it_fills(self, app: FastAPI) -> None:
        """It need not be one that FastAPI can read."""

        class Session:
            """What FastAPI cannot read."""

        def with_session(handler: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(handler)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                return await handler(*args, session=Session(), **kwargs)

            signature = inspect.signature(handler)
            kept = [each for name, each in signature.parameters.items() if name != "session"]
            wrapper.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
            return wrapper

        @with_session
        @listrak_webhook
        async def handler(event: Event, session: Session) -> str:
            return type(session).__name__

        app.post(PATH)(handler)
        assert post(app).json() == "Session"

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_handler_that_asks_for_the_connection_itself(self, app: FastAPI, *, is_async: bool) -> None:
        """FastAPI gives it to one parameter alone, so a guard does not ask for it then."""
        handled: list[str] = []

        def handler(event: Event, connection: HTTPConnection, request: Request) -> None:
            assert connection.scope is request.scope
            handled.append(event.id)

        async def async_handler(event: Event, connection: HTTPConnection, request: Request) -> None:
            handler(event, connection, request)

        app.post(PATH)(listrak_webhook(replay=MemoryReplayGuard())(async_handler if is_async else handler))
        headers = signed()
        assert [post(app, headers=headers).status for _ in range(2)] == [200, 200]
        assert len(handled) == 1

    def test_a_class_based_view(self, app: FastAPI) -> None:
        """What gives `self` to FastAPI as a dependency, and rewrites the signature for that."""

        class Shop:
            name = "shop"

            @listrak_webhook(replay=MemoryReplayGuard())
            async def receive(self, event: Event) -> str:
                return f"{self.name} {event.encoding}"

        endpoint: Any = Shop.receive
        first, *rest = inspect.signature(endpoint).parameters.values()
        own = first.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Shop, Depends(Shop)])
        endpoint.__signature__ = inspect.signature(endpoint).replace(parameters=[own, *rest])
        app.post(PATH)(endpoint)
        assert post(app).json() == "shop base64"


class TestCalledDirectly:
    """A unit test of the user's calls the handler, and nothing else happens."""

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_it_returns_and_raises_what_the_handler_does(self, guard: Any, *, is_async: bool) -> None:
        """Also a `PayloadError`, and as often as it is called."""

        def handler(event: Event, tag: str = "-") -> str:
            return f"{event.payload['campaign']} {tag}"

        async def async_handler(event: Event, tag: str = "-") -> str:
            return handler(event, tag)

        decorate = listrak_webhook(replay=guard, on_rejected=lambda *_: pytest.fail("rejected"))
        wrapped: Any = decorate(async_handler if is_async else handler)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = wrapped(*args, **kwargs)
            return asyncio.run(result) if is_async else result

        webhook = Webhook(SECRET)
        event = webhook.verify(BODY, signed())
        assert call(event) == call(event=event) == "vip-mailer -"
        assert call(event, tag="x") == "vip-mailer x"
        with pytest.raises(PayloadError, match="JSON"):
            call(event=webhook.verify(NO_JSON, signed(NO_JSON)))


class TestAsync:
    """Handlers that are async without showing it, and those that only seem to be."""

    def test_what_cannot_be_awaited_is_said_and_not_counted_as_handled(self, app: FastAPI) -> None:
        """A plain function that returns a coroutine and says so nowhere is one that FastAPI does not await either."""

        async def later(event: Event) -> str:
            return event.id

        def handler(event: Event) -> Any:
            return later(event)

        guard = MemoryReplayGuard()
        app.post(PATH)(listrak_webhook(replay=guard)(handler))
        with pytest.raises(TypeError, match=r"make it `async def`.*functools\.wraps"):
            post(app)
        assert len(guard) == 0

    def test_a_partial_of_an_async_object(self, app: FastAPI) -> None:
        """Through all of it."""

        class Handler:
            async def __call__(self, greeting: str, event: Event) -> str:
                return f"{greeting} {event.encoding}"

        app.post(PATH)(listrak_webhook(functools.partial(Handler(), "hello")))
        assert post(app).json() == "hello base64"

    def test_an_async_guard_is_rejected_where_it_is_none(self) -> None:
        """What is not a guard at all is found at decoration, whatever the handler is."""

        def handler(event: Event) -> None: ...

        with pytest.raises(ConfigurationError, match="replay must be a guard"):
            listrak_webhook(replay=object())(handler)  # type: ignore[call-overload]

    def test_background_tasks_of_a_plain_handler_in_a_foreign_thread(self, app: FastAPI) -> None:
        """They run when the response is out, as always."""
        done: list[int] = []

        @in_an_executor(Seen())
        @listrak_webhook(replay=MemoryReplayGuard())
        def handler(event: Event, tasks: BackgroundTasks) -> None:
            tasks.add_task(lambda: done.append(threading.get_ident()))

        app.post(PATH)(handler)
        assert post(app).status == 200
        assert len(done) == 1
