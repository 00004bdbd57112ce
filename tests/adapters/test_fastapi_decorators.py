"""FastAPI: decorators of the user's own over and under `@listrak_webhook`, in whatever thread or loop they call.

They have the shapes of well-known ones; `test_fastapi_libraries.py` has some of these themselves.
"""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from listrak_webhooks import ConfigurationError, Event, PayloadError, Webhook
from listrak_webhooks.fastapi import listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard, SqliteReplayGuard
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from support.apps import acall_asgi, call_asgi
from support.deliveries import PATH, Answer, Delivery, forged, one_refusal, signed
from support.helpers import BODY, SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
NO_JSON = b"{"


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class CartMail(BaseModel):
    """What the marketer writes."""

    campaign: str


def post(app: Any, body: bytes = BODY, headers: dict[str, str] | None = None) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(body, headers=headers))


# Decorators, each of which notes what it is called with.


class Seen(list[str]):
    """The types of what decorators were called with under the handler's own names."""

    def note(self, arguments: dict[str, Any]) -> None:
        """Note one call."""
        self.extend(type(arguments[name]).__name__ for name in ("event", "mail") if name in arguments)


def plain(seen: Seen) -> Decorator:
    """Return what wraps any handler in a plain function, as timers do."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            return handler(*args, **kwargs)

        return wrapper

    return decorate


def awaiting(seen: Seen) -> Decorator:
    """Return what wraps any handler in an async function."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            result = handler(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return wrapper

    return decorate


def with_a_signature(seen: Seen) -> Decorator:
    """Return what sets a signature of its own whose annotations are text, as tracers do."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        wrapper: Any = awaiting(seen)(handler) if inspect.iscoroutinefunction(handler) else plain(seen)(handler)
        wrapper.__signature__ = inspect.signature(handler)
        return wrapper  # type: ignore[no-any-return]

    return decorate


def retrying(seen: Seen) -> Decorator:
    """Return what calls a handler again if it raises."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            call = awaiting(Seen())(handler)
            try:
                return await call(*args, **kwargs)
            except LookupError:
                return await call(*args, **kwargs)

        return wrapper

    return decorate


def in_a_thread(seen: Seen) -> Decorator:
    """Return what calls a plain handler in a thread of asyncio's, which copies the context."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            return await asyncio.to_thread(handler, *args, **kwargs)

        return wrapper

    return decorate


def in_an_executor(seen: Seen) -> Decorator:
    """Return what calls a plain handler in an executor of its own, which copies no context."""
    executor = ThreadPoolExecutor(1)

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            call = functools.partial(handler, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(executor, call)

        return wrapper

    return decorate


def in_another_loop(seen: Seen) -> Decorator:
    """Return what runs an async handler in a loop of its own."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            return await asyncio.to_thread(lambda: asyncio.run(handler(*args, **kwargs)))

        return wrapper

    return decorate


FOR_BOTH = [plain, awaiting, with_a_signature, retrying]
FOR_PLAIN = [in_a_thread, in_an_executor]
FOR_ASYNC = [in_another_loop]
SHAPES = [
    *((shape, is_async) for shape in FOR_BOTH for is_async in (False, True)),
    *((shape, False) for shape in FOR_PLAIN),
    *((shape, True) for shape in FOR_ASYNC),
]


class OwnSync:
    """A guard of a user's own for `with`, of which nothing can be known before it is used."""

    def __init__(self) -> None:
        self._guard = MemoryReplayGuard()

    def handle(self, event: Event) -> Any:
        """Return the context."""
        claim: Any = self._guard.handle(event)

        class Context:
            def __enter__(self) -> Any:
                return claim.__enter__()

            def __exit__(self, *exception: object) -> Any:
                return claim.__exit__(*exception)

        return Context()


class OwnAsync:
    """The same for `async with`."""

    def __init__(self) -> None:
        self._guard = MemoryReplayGuard()

    def handle(self, event: Event) -> Any:
        """Return the context."""
        claim: Any = self._guard.handle(event)

        class Context:
            async def __aenter__(self) -> Any:
                await asyncio.sleep(0)
                return claim.__enter__()

            async def __aexit__(self, *exception: object) -> Any:
                await asyncio.sleep(0)
                return claim.__exit__(*exception)

        return Context()


GUARDS: dict[str, Callable[[Path], Any]] = {
    "no-guard": lambda folder: None,
    "memory": lambda folder: MemoryReplayGuard(),
    "sqlite": lambda folder: SqliteReplayGuard(folder / "deliveries.db"),
    "own-sync": lambda folder: OwnSync(),
    "own-async": lambda folder: OwnAsync(),
}

every_place = pytest.mark.parametrize("place", ["over", "under"])

UNWRAPPED = pytest.mark.newer("a FastAPI that awaits an async function under a plain wrapper")


def _case(shape: Any, place: str, *, is_async: bool) -> Any:
    name = f"{shape.__name__}-{'async' if is_async else 'def'}-{place}"
    marks = [UNWRAPPED] if (shape, is_async, place) == (plain, True, "over") else []
    return pytest.param(shape, is_async, place, id=name, marks=marks)


every_shape_and_place = pytest.mark.parametrize(
    ("shape", "is_async", "place"),
    [_case(shape, place, is_async=is_async) for shape, is_async in SHAPES for place in ("over", "under")],
)


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a guard of each kind, and none."""
    return GUARDS[request.param](tmp_path)


def decorated(
    shape: Callable[[Seen], Decorator], seen: Seen, handler: Callable[..., Any], place: str, **options: Any
) -> Any:
    """Return a handler with our decorator and another one."""
    ours, theirs = listrak_webhook(**options), shape(seen)
    return theirs(ours(handler)) if place == "over" else ours(theirs(handler))


class TestShapes:
    """A decorator over ours or under it works as it does without ours, and sees what the handler sees."""

    @every_shape_and_place
    def test_the_event_is_handled_once(
        self, app: FastAPI, shape: Any, place: str, guard: Any, *, is_async: bool
    ) -> None:
        """With a guard a second arrival is not handled, in whatever thread or loop the handler is called."""
        seen, handled = Seen(), list[str]()

        def handler(event: Event) -> str:
            handled.append(event.id)
            return "handled"

        async def async_handler(event: Event) -> str:
            return handler(event)

        chosen = decorated(shape, seen, async_handler if is_async else handler, place, replay=guard)
        app.post(PATH)(chosen)
        headers = signed()
        answers = [post(app, headers=headers) for _ in range(2)]
        twice = guard is None
        assert [answer.body for answer in answers] == [b'"handled"', b'"handled"' if twice else b""]
        assert [answer.status for answer in answers] == [200, 200]
        assert len(handled) == (2 if twice else 1)
        assert set(seen) == {"Event"}
        assert post(app, headers=forged()).status == 401
        assert len(handled) == (2 if twice else 1)

    @every_shape_and_place
    def test_a_payload_error_is_a_rejection(
        self,
        app: FastAPI,
        shape: Any,
        place: str,
        guard: Any,
        *,
        is_async: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """It is logged, `on_rejected` gets it and the request, and the delivery may come again."""
        rejected: list[Any] = []

        async def notify(error: Any, request: Request) -> None:
            rejected.append((type(error), request.url.path))

        def handler(event: Event) -> Any:
            return event.payload

        async def async_handler(event: Event) -> Any:
            return event.payload

        chosen = decorated(
            shape,
            Seen(),
            async_handler if is_async else handler,
            place,
            replay=guard,
            on_rejected=notify,
        )
        app.post(PATH)(chosen)
        headers = signed(NO_JSON)
        for _ in range(2):
            answer = post(app, NO_JSON, headers)
            assert (answer.status, answer.json()) == (400, {"detail": "invalid_payload"})
            one_refusal(caplog, "invalid_payload")
        assert rejected == [(PayloadError, PATH)] * 2

    @every_shape_and_place
    def test_a_model_is_what_all_of_them_see(
        self, app: FastAPI, shape: Any, place: str, guard: Any, *, is_async: bool
    ) -> None:
        """Also without a parameter for the event, which the guard needs nevertheless."""
        seen, handled = Seen(), list[str]()

        def handler(mail: CartMail) -> None:
            handled.append(mail.campaign)

        async def async_handler(mail: CartMail) -> None:
            handler(mail)

        chosen = decorated(shape, seen, async_handler if is_async else handler, place, replay=guard)
        app.post(PATH)(chosen)
        headers = signed()
        assert [post(app, headers=headers)[:2] for _ in range(2)] == [(200, b""), (200, b"")]
        assert len(handled) == (2 if guard is None else 1)
        assert set(seen) == {"CartMail"}

    @every_place
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_one_that_calls_again_is_let_in_again(self, app: FastAPI, place: str, *, is_async: bool) -> None:
        """A call that raised has given its claim back, and the next one handles the delivery."""
        results: list[Any] = [LookupError("not yet"), "handled"]

        def handler(event: Event) -> Any:
            result = results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result

        async def async_handler(event: Event) -> Any:
            return handler(event)

        chosen = async_handler if is_async else handler
        app.post(PATH)(decorated(retrying, Seen(), chosen, place, replay=MemoryReplayGuard()))
        headers = signed()
        assert [post(app, headers=headers).body for _ in range(2)] == [b'"handled"', b""]

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_one_that_does_not_wait_for_the_handler(self, app: FastAPI, *, is_async: bool) -> None:
        """The guard is around the handler, and not around the request, which is over when it runs."""
        handled: list[str] = []
        pending: list[asyncio.Future[Any]] = []

        def hand_off(handler: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(handler)
            async def wrapper(*args: Any, **kwargs: Any) -> dict[str, bool]:
                call = functools.partial(handler, *args, **kwargs)
                loop = asyncio.get_running_loop()
                pending.append(asyncio.ensure_future(call()) if is_async else loop.run_in_executor(None, call))
                return {"queued": True}

            return wrapper

        def handler(event: Event) -> None:
            handled.append(event.id)

        async def async_handler(event: Event) -> None:
            handled.append(event.id)

        app.post(PATH)(hand_off(listrak_webhook(replay=MemoryReplayGuard())(async_handler if is_async else handler)))

        async def steps() -> None:
            sent = signed()
            for _ in range(3):
                assert (await acall_asgi(app, Delivery(headers=sent))).json() == {"queued": True}
                await asyncio.gather(*pending)
                pending.clear()

        asyncio.run(steps())
        assert len(handled) == 1


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

    def test_an_async_guard_is_refused_where_it_is_none(self) -> None:
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
