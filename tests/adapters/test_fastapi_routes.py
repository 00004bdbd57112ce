"""FastAPI: mistakes in routes, which are found when the route is made or at its first request."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import logging
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request, Response, Security
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import BaseModel, ConfigDict, ValidationError
from support.apps import call_asgi
from support.deliveries import PATH, Answer, Delivery, forged, logged, one_rejection, signed
from support.helpers import BODY, SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class CartMail(BaseModel):
    """What the marketer writes."""

    campaign: str


def post(app: Any, path: str = PATH, headers: dict[str, str] | None = None) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(path=path, headers=headers))


# A body that FastAPI reads before any dependency runs.


def take_cart(cart: Annotated[dict[str, Any], Body()]) -> int:
    """Stand for a dependency of the user's that takes the body."""
    return len(cart)


async def never(event: Event) -> None:
    """Stand for a handler that must not be reached."""
    pytest.fail(f"the handler was called with {event}")


TAKES_CART = [Depends(take_cart)]
FORMS: dict[str, Callable[[], Any]] = {
    "decorator": lambda: listrak_webhook(never),
    "dependency": lambda: _plain(ListrakWebhook()),
    "guarded-dependency": lambda: _plain(ListrakWebhook(replay=MemoryReplayGuard())),
}


def _plain(hook: Any) -> Any:
    async def handler(event: Annotated[Event, Depends(hook)]) -> None:
        await never(event)

    return handler


def on_the_route(handler: Any) -> FastAPI:
    """Return an app whose route takes the body."""
    app = FastAPI()
    app.post(PATH, dependencies=TAKES_CART)(handler)
    return app


def on_the_router(handler: Any) -> FastAPI:
    """Return an app with a router that takes the body for all its routes."""
    app, router = FastAPI(), APIRouter(dependencies=TAKES_CART)
    router.post(PATH)(handler)
    app.include_router(router)
    return app


def where_it_is_included(handler: Any) -> FastAPI:
    """Return an app that takes the body for all routes of a router, which knows nothing of it."""
    app, router, outer = FastAPI(), APIRouter(), APIRouter()
    router.post(PATH)(handler)
    outer.include_router(router)
    app.include_router(outer, dependencies=TAKES_CART)
    return app


def on_the_app(handler: Any) -> FastAPI:
    """Return an app that takes the body for all its routes."""
    app = FastAPI(dependencies=TAKES_CART)
    app.post(PATH)(handler)
    return app


def beside_it(hook: Any) -> Any:
    """Return a handler that takes the body itself."""

    async def handler(event: Annotated[Event, Depends(hook)], cart: Annotated[Any, Body()]) -> None:
        await never(event)

    return handler


def below_it(hook: Any) -> Any:
    """Return a handler with a dependency that takes the body."""

    async def handler(event: Annotated[Event, Depends(hook)], carts: Annotated[int, Depends(take_cart)]) -> None:
        await never(event)

    return handler


CLOSED = "has cart from the body"


class TestClosedRoute:
    """A route that FastAPI asks for the body rejects everything, and from the second request on without reading it."""

    def _check(self, app: Any, caplog: pytest.LogCaptureFixture, path: str = PATH) -> None:
        for number in range(3):
            delivery = Delivery(path=path)
            answer = call_asgi(app, delivery)
            assert (answer.status, answer.json()) == (500, {"detail": "configuration_error"})
            text = one_rejection(caplog, "configuration_error", logging.ERROR)
            assert f"the route {PATH} {CLOSED}" in text
            assert "event.payload" in text
            assert delivery.taken == (0 if number else len(BODY))

    @pytest.mark.parametrize("make", [on_the_route, on_the_router, where_it_is_included, on_the_app])
    @pytest.mark.parametrize("form", FORMS)
    def test_a_dependency_of_the_route_that_takes_the_body(
        self, form: str, make: Callable[[Any], FastAPI], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Wherever it was added, FastAPI reads and parses the body before any dependency runs."""
        self._check(make(FORMS[form]()), caplog)

    @pytest.mark.parametrize("make", [beside_it, below_it])
    @pytest.mark.parametrize("guard", [None, MemoryReplayGuard()], ids=["plain", "guarded"])
    def test_a_parameter_for_the_body_beside_the_dependency(
        self, app: FastAPI, make: Callable[[Any], Any], guard: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The dependency does not see the handler's own parameters, which the decorator does."""
        app.post(PATH)(make(ListrakWebhook(replay=guard)))
        self._check(app, caplog)

    def test_in_a_mounted_app(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """A sub-application is like any other."""
        app.mount("/inner", on_the_app(listrak_webhook(never)))
        self._check(app, caplog, f"/inner{PATH}")

    def test_only_that_route_is_closed(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """One dependency may serve many routes."""
        hook = ListrakWebhook()

        async def good(event: Annotated[Event, Depends(hook)]) -> None: ...

        app.post("/bad")(beside_it(hook))
        app.post("/good")(good)
        for _ in range(2):
            assert [post(app, path).status for path in ("/bad", "/good")] == [500, 200]
        assert all("/bad" in record.getMessage() for record in logged(caplog))

    def test_only_where_it_is_included_so(self, caplog: pytest.LogCaptureFixture) -> None:
        """A router that is included twice, and once in such a way, is open the other way."""
        app, router = FastAPI(), APIRouter()

        @router.post(PATH)
        @listrak_webhook
        async def handler(event: Event) -> None: ...

        app.include_router(router, prefix="/bad", dependencies=TAKES_CART)
        app.include_router(router, prefix="/good")
        for _ in range(2):
            assert [post(app, f"{prefix}{PATH}").status for prefix in ("/bad", "/good")] == [500, 200]

    def test_an_exception_handler_of_the_users_formats_that_too(self, app: FastAPI) -> None:
        """It is an `HTTPException` like every other rejection, also if the route is closed."""

        @app.exception_handler(HTTPException)
        async def formatted(request: Request, error: HTTPException) -> Response:
            return Response(f"sorry: {error.detail}", error.status_code)

        app.post(PATH)(beside_it(ListrakWebhook()))
        assert [post(app).body for _ in range(2)] == [b"sorry: configuration_error"] * 2

    def test_the_other_methods_of_a_closed_route_stay_as_they_are(self, app: FastAPI) -> None:
        """What the route does not serve, it still does not serve."""
        app.post(PATH)(beside_it(ListrakWebhook()))
        for _ in range(2):
            post(app)
            assert call_asgi(app, Delivery(method="GET")).status == 405


# Mistakes that are found when the route is made.


class Mistake(NamedTuple):
    """What somebody wrote, and what the message says to write instead."""

    make: Callable[[FastAPI], Any]
    fix: str


def forgotten_decorator(app: FastAPI) -> None:
    """Forget the decorator."""

    @app.post(PATH)
    async def handler(event: Event) -> None: ...


def wrong_order(app: FastAPI) -> None:
    """Put the decorators the wrong way round."""

    @listrak_webhook
    @app.post(PATH)
    async def handler(event: Event) -> None: ...


def wrong_order_with_a_model(app: FastAPI) -> None:
    """The same with a model, which FastAPI can fill from the body by itself."""

    @listrak_webhook
    @app.post(PATH)
    async def handler(mail: CartMail) -> None: ...


def wrong_order_with_one_between(app: FastAPI) -> None:
    """The same with a decorator of the user's own between them."""
    import functools

    def audited(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return handler(*args, **kwargs)

        return wrapper

    @listrak_webhook
    @audited
    @app.post(PATH)
    def handler(mail: CartMail) -> None: ...


def wrong_order_on_a_router(app: FastAPI) -> None:
    """The same on a router."""
    router = APIRouter()

    @listrak_webhook
    @router.post(PATH)
    async def handler(mail: CartMail) -> None: ...


def decorator_as_dependency(app: FastAPI) -> None:
    """Depend on the decorator."""

    @app.post(PATH)
    async def handler(event: Annotated[Event, Depends(listrak_webhook)]) -> None: ...


def class_as_dependency(app: FastAPI) -> None:
    """Forget the parentheses."""

    @app.post(PATH)
    async def handler(event: Annotated[Event, Depends(ListrakWebhook)]) -> None: ...


def class_as_dependency_of_the_route(app: FastAPI) -> None:
    """The same in another place."""
    app.post(PATH, dependencies=[Depends(ListrakWebhook)])(lambda: None)


def event_as_response(app: FastAPI) -> None:
    """Return the event."""

    @app.post(PATH)
    @listrak_webhook
    async def handler(event: Event) -> Event:
        return event


def both_forms_at_once(app: FastAPI) -> None:
    """Decorate what has a dependency already."""

    @app.post(PATH)
    @listrak_webhook
    async def handler(event: Annotated[Event, Depends(ListrakWebhook())]) -> None: ...


def generator(app: FastAPI) -> None:
    """Yield instead of returning."""

    @app.post(PATH)
    @listrak_webhook
    def handler(event: Event) -> Any:
        yield event.id


def async_generator(app: FastAPI) -> None:
    """The same in the event loop."""

    @app.post(PATH)
    @listrak_webhook(replay=MemoryReplayGuard())
    async def handler(event: Event) -> Any:
        yield event.id


def wrapped_generator(app: FastAPI) -> None:
    """The same under a decorator that hides it."""
    import functools

    def handler(event: Event) -> Any:
        yield event.id

    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    app.post(PATH)(listrak_webhook(wrapper))


class NotAType:
    """What no library can read."""


def unreadable_model(app: FastAPI) -> None:
    """Ask for a type that no library can read."""
    import dataclasses

    @dataclasses.dataclass
    class Mail:
        campaign: str
        shop: NotAType | None = None

    async def handler(mail: Any) -> None: ...

    handler.__annotations__["mail"] = Mail
    app.post(PATH)(listrak_webhook(handler))


def unreadable_parse_as(app: FastAPI) -> None:
    """The same in the dependency."""
    ListrakWebhook(parse_as=NotAType)


MISTAKES = [
    Mistake(forgotten_decorator, "put @listrak_webhook between"),
    Mistake(wrong_order, "put @listrak_webhook between"),
    Mistake(wrong_order_with_a_model, r"put @app.post\(...\) over @listrak_webhook"),
    Mistake(wrong_order_with_one_between, r"put @app.post\(...\) over @listrak_webhook"),
    Mistake(wrong_order_on_a_router, r"put @app.post\(...\) over @listrak_webhook"),
    Mistake(decorator_as_dependency, r"write Depends\(ListrakWebhook\(\)\)"),
    Mistake(class_as_dependency, r"write Depends\(ListrakWebhook\(\)\)"),
    Mistake(class_as_dependency_of_the_route, r"write Depends\(ListrakWebhook\(\)\)"),
    Mistake(event_as_response, r"return event.to_dict\(\)"),
    Mistake(both_forms_at_once, "leave out Depends"),
    Mistake(generator, "let it return"),
    Mistake(async_generator, "let it return"),
    Mistake(wrapped_generator, "let it return"),
    Mistake(unreadable_model, "cannot read a payload as Mail"),
    Mistake(unreadable_parse_as, "cannot read a payload as NotAType"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.make.__name__)
def test_a_mistake_is_found_when_the_route_is_made(app: FastAPI, mistake: Mistake) -> None:
    """The message says what to write instead, and no delivery is lost on it."""
    with pytest.raises(ConfigurationError, match=mistake.fix):
        mistake.make(app)


def test_a_function_that_serves_another_route_unverified_is_not_decorated_as_well(app: FastAPI) -> None:
    """That it is on purpose cannot be known, and a second function for it is soon written."""

    def handler(mail: CartMail) -> str:
        return mail.campaign

    app.post("/by-hand")(handler)
    with pytest.raises(ConfigurationError, match="a function of its own"):
        listrak_webhook(handler)


def test_a_function_that_is_a_dependency_elsewhere_can_be_decorated(app: FastAPI) -> None:
    """Only what FastAPI calls for a request is an unverified route."""

    async def handler(event: Event) -> str:
        return event.encoding

    app.post(PATH)(listrak_webhook(handler))
    app.post("/again")(listrak_webhook(handler))
    assert [post(app, path).json() for path in (PATH, "/again")] == ["base64", "base64"]


class TestEventInPydantic:
    """`Event` in types of the user's own."""

    def test_a_model_that_allows_arbitrary_types_may_hold_one(self) -> None:
        """Pydantic then checks that it is an `Event`, as before."""

        class Job(BaseModel):
            model_config = ConfigDict(arbitrary_types_allowed=True)

            event: Event

        event = Webhook(SECRET).verify(BODY, signed())
        assert Job(event=event).event is event
        with pytest.raises(ValidationError):
            Job.model_validate({"event": "an event"})

    def test_another_model_is_told_what_it_is(self) -> None:
        """Not in words of Pydantic's internals."""
        with pytest.raises(ConfigurationError, match="the type Event"):

            class Job(BaseModel):
                event: Event


class TestSecurity:
    """`Security` and scopes."""

    @pytest.mark.parametrize("guard", [None, MemoryReplayGuard()], ids=["plain", "guarded"])
    def test_one_dependency_with_two_sets_of_scopes_is_one_delivery(self, app: FastAPI, guard: Any) -> None:
        """FastAPI then calls it twice in one request, and the second call must not find the first one's claim."""
        hook = ListrakWebhook(replay=guard)
        seen: list[str] = []

        @app.post(PATH, dependencies=[Security(hook, scopes=["route"])])
        async def handler(
            event: Annotated[Event, Security(hook, scopes=["handler"])],
            again: Annotated[Event, Depends(hook, use_cache=False)],
        ) -> None:
            assert event == again
            seen.append(event.id)

        headers = signed()
        assert [post(app, headers=headers).status for _ in range(2)] == [200, 200]
        assert len(seen) == (2 if guard is None else 1)
        assert post(app, headers=forged()).status == 401
