"""FastAPI with libraries that many apps have: an injector, an error reporter, and another event loop."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import contextlib
import dataclasses
import sys
import threading
import types
from collections.abc import Callable, Generator
from typing import Annotated, Any

import anyio
import pytest
import sentry_sdk
from dishka import FromDishka, Provider, Scope, make_async_container
from dishka.integrations.fastapi import DishkaRoute, inject, setup_dishka
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from listrak_webhooks import Event, ReplayGuardError, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import BaseModel
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from starlette.middleware.base import BaseHTTPMiddleware
from support.apps import call_asgi
from support.deliveries import PATH, Delivery, forged, one_rejection, signed
from support.helpers import SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class CartMail(BaseModel):
    """What the marketer writes."""

    campaign: str


@dataclasses.dataclass
class Mailer:
    """What an injector provides; a type that a payload could be read as, too."""

    name: str


GUARDS: list[Any] = [None, MemoryReplayGuard]
every_guard = pytest.mark.parametrize("guard", GUARDS, ids=["plain", "guarded"])
each_kind = pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])


class TestDishka:
    """An injector that rewrites signatures and annotations."""

    def _register(self, app: FastAPI, place: str, handler: Callable[..., Any], guard: Any) -> None:
        ours = listrak_webhook(replay=guard and guard())
        if place == "route":
            router = APIRouter(route_class=DishkaRoute)
            router.post(PATH)(ours(handler))
            app.include_router(router)
        else:
            app.post(PATH)(inject(ours(handler)) if place == "over" else ours(inject(handler)))
        provider = Provider(scope=Scope.REQUEST)
        provider.provide(lambda: Mailer("dishka"), provides=Mailer)
        setup_dishka(make_async_container(provider), app)

    @every_guard
    @each_kind
    @pytest.mark.parametrize("takes", ["event", "model"])
    @pytest.mark.parametrize("place", ["route", "over", "under"])
    def test_it_fills_its_own_parameters(
        self, app: FastAPI, place: str, takes: str, guard: Any, *, is_async: bool
    ) -> None:
        """As a route class, over ours and under it; what it fills is not taken for the payload."""

        def handler(event: Event, mailer: FromDishka[Mailer]) -> str:
            return f"{mailer.name} {event.payload['campaign']}"

        async def async_handler(event: Event, mailer: FromDishka[Mailer]) -> str:
            return handler(event, mailer)

        def model_handler(mailer: FromDishka[Mailer], mail: CartMail) -> str:
            return f"{mailer.name} {mail.campaign}"

        async def async_model_handler(mailer: FromDishka[Mailer], mail: CartMail) -> str:
            return model_handler(mailer, mail)

        pair = (handler, async_handler) if takes == "event" else (model_handler, async_model_handler)
        self._register(app, place, pair[is_async], guard)
        headers = signed()
        bodies = [call_asgi(app, Delivery(headers=headers)).body for _ in range(2)]
        assert bodies == [b'"dishka vip-mailer"', b'"dishka vip-mailer"' if guard is None else b""]
        assert call_asgi(app, Delivery(headers=forged())).status == 401


SENTRY = """
from __future__ import annotations
import sentry_sdk
from fastapi import BackgroundTasks
from listrak_webhooks import Event

@listrak_webhook
@sentry_sdk.trace
async def under(event: Event, tasks: BackgroundTasks, tag: str = "-") -> dict[str, str]:
    return {"seen": f"{event.encoding} {type(tasks).__name__} {tag}"}

@sentry_sdk.trace
@listrak_webhook
def over(event: Event, tasks: BackgroundTasks, tag: str = "-") -> dict[str, str]:
    return {"seen": f"{event.encoding} {type(tasks).__name__} {tag}"}
"""


class TestSentry:
    """A tracer that sets a signature, and a reporter that sends the variables of every frame."""

    @pytest.mark.parametrize("place", ["over", "under"])
    def test_its_tracer_under_postponed_annotations(self, app: FastAPI, place: str) -> None:
        """The signature that it sets has text for annotations, which Python leaves alone."""
        module = types.ModuleType("traced")
        module.__dict__["listrak_webhook"] = listrak_webhook
        sys.modules[module.__name__] = module
        try:
            exec(SENTRY, module.__dict__)
        finally:
            del sys.modules[module.__name__]
        app.post(PATH)(module.__dict__[place])
        answer = call_asgi(app, Delivery(path=f"{PATH}?tag=x"))
        assert answer.json() == {"seen": "base64 BackgroundTasks x"}
        assert call_asgi(app, Delivery(headers=forged())).status == 401

    @pytest.fixture
    def events(self) -> Generator[list[Any], None, None]:
        """Yield what is reported while a test runs; nothing is patched, which would outlast it."""
        events: list[Any] = []

        class Keep(Transport):
            def capture_envelope(self, envelope: Envelope) -> None:
                events.append(envelope.get_event())

        sentry_sdk.init(dsn="https://key@localhost/1", transport=Keep, default_integrations=False)
        yield events
        sentry_sdk.get_global_scope().set_client(None)

    @pytest.mark.parametrize("form", ["def", "async", "dependency"])
    def test_what_it_reports_of_a_delivery(self, app: FastAPI, events: list[Any], form: str) -> None:
        """A rejection by the guard is a fault of the server's, which it reports with all frames; ours have no body."""

        class Broken:
            def handle(self, event: Event) -> Any:
                raise ReplayGuardError("the store is away")

        @app.exception_handler(HTTPException)
        async def report(request: Request, error: HTTPException) -> Response:
            sentry_sdk.capture_exception(error)
            return Response(status_code=error.status_code)

        def handler(mail: CartMail) -> None: ...

        async def async_handler(mail: CartMail) -> None: ...

        hook = ListrakWebhook(replay=Broken(), parse_as=CartMail)

        async def dependent(mail: Annotated[CartMail, Depends(hook)]) -> None: ...

        decorate = listrak_webhook(replay=Broken())
        app.post(PATH)({"def": decorate(handler), "async": decorate(async_handler), "dependency": dependent}[form])
        assert call_asgi(app, Delivery(b'{"campaign":"jane@example.com"}')).status == 503
        [event] = events
        frames = [frame for value in event["exception"]["values"] for frame in value["stacktrace"]["frames"]]
        own = [frame["vars"] for frame in frames if frame["module"].startswith("listrak_webhooks")]
        assert own
        assert "jane" not in repr(own)


class OwnGuard:
    """A guard of a user's own for `with`, which may block."""

    def __init__(self) -> None:
        self._guard = MemoryReplayGuard()
        self.threads: set[int] = set()

    def handle(self, event: Event) -> Any:
        """Return the context."""

        @contextlib.contextmanager
        def context() -> Generator[bool, None, None]:
            self.threads.add(threading.get_ident())
            with self._guard.handle(event) as first:
                yield first

        return context()


class OwnAsyncGuard(OwnGuard):
    """The same for `async with`."""

    def handle(self, event: Event) -> Any:
        """Return the context."""
        claim: Any = self._guard.handle(event)

        class Context:
            async def __aenter__(self) -> Any:
                return claim.__enter__()

            async def __aexit__(self, *exception: object) -> Any:
                return claim.__exit__(*exception)

        return Context()


OTHER_GUARDS: list[Any] = [lambda: None, MemoryReplayGuard, OwnGuard, OwnAsyncGuard]
each_guard = pytest.mark.parametrize("make", OTHER_GUARDS, ids=["plain", "memory", "own", "own-async"])


class TestTrio:
    """Nothing of ours needs asyncio, as nothing of FastAPI's does."""

    @each_guard
    @pytest.mark.parametrize("form", ["def", "async", "dependency"])
    def test_deliveries(self, app: FastAPI, form: str, make: Any) -> None:
        """Genuine, again, and forged, with each kind of guard."""
        guard = make()

        def handler(event: Event) -> str:
            return event.encoding

        async def async_handler(event: Event) -> str:
            return event.encoding

        async def dependent(event: Annotated[Event, Depends(ListrakWebhook(replay=guard))]) -> str:
            return event.encoding

        decorate = listrak_webhook(replay=guard)
        app.post(PATH)({"def": decorate(handler), "async": decorate(async_handler), "dependency": dependent}[form])
        headers = signed()
        bodies = [call_asgi(app, Delivery(headers=headers), "trio").body for _ in range(2)]
        assert bodies == [b'"base64"', b'"base64"' if guard is None else b""]
        assert call_asgi(app, Delivery(headers=forged()), "trio").status == 401

    @each_kind
    def test_functions_of_the_users(self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, is_async: bool) -> None:
        """A resolver and `on_rejected`, plain or async, and a payload that is not JSON."""
        rejected: list[str] = []

        def resolve(request: Request) -> Webhook:
            return Webhook(SECRET)

        async def resolve_later(request: Request) -> Webhook:
            return Webhook(SECRET)

        def notify(error: Any, request: Request) -> None:
            rejected.append(error.code)

        async def notify_later(error: Any, request: Request) -> None:
            rejected.append(error.code)

        options: Any = (
            {"resolver": resolve_later, "on_rejected": notify_later}
            if is_async
            else {"resolver": resolve, "on_rejected": notify}
        )

        @app.post(PATH)
        @listrak_webhook(**options)
        def handler(event: Event) -> Any:
            return event.payload

        assert call_asgi(app, Delivery(b"{"), "trio").status == 400
        one_rejection(caplog, "invalid_payload")
        assert call_asgi(app, Delivery(headers=forged()), "trio").status == 401
        assert rejected == ["invalid_payload", "signature_mismatch"]

    @pytest.mark.newer("a Starlette that closes its stream under trio")
    def test_a_large_body_under_a_middleware(self, app: FastAPI) -> None:
        """In many pieces, and parsed in a thread."""

        async def nothing(request: Request, call_next: Any) -> Any:
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=nothing)

        @app.post(PATH)
        @listrak_webhook
        async def handler(mail: CartMail) -> int:
            return len(mail.campaign)

        body = b'{"campaign":"%s"}' % (b"x" * 300_000)
        for chunked in (False, True):
            assert call_asgi(app, Delivery(body, chunked=chunked), "trio").json() == 300_000

    def test_a_body_that_does_not_come(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """The deadline holds there too."""

        async def silent(scope: Any, receive: Any, send: Any) -> None:
            async def nothing() -> Any:
                await anyio.sleep(20)

            await app(scope, nothing, send)

        @app.post(PATH)
        @listrak_webhook(body_timeout=0.2)
        async def handler(event: Event) -> None: ...

        answer = call_asgi(silent, Delivery(), "trio")
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        assert "0.2 seconds" in one_rejection(caplog, "body_unavailable")

    def test_a_body_that_is_too_large(self, app: FastAPI) -> None:
        """It is drained there too."""

        @app.post(PATH)
        @listrak_webhook(Webhook(SECRET, max_body=100))
        async def handler(event: Event) -> None: ...

        delivery = Delivery(b"x" * 600, chunked=True, piece=60)
        answer = call_asgi(app, delivery, "trio")
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})
        assert delivery.taken == 600
