"""Mistakes that would cost each delivery are found when the handler is decorated, in every stack."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import TYPE_CHECKING, Any

import listrak_webhooks.django
import listrak_webhooks.fastapi
import listrak_webhooks.flask
import listrak_webhooks.starlette
import pytest
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 -- annotations are resolved
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from support.apps import call_asgi
from support.conformance import every_awaiting_variant
from support.deliveries import Delivery, forged
from support.helpers import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.variants import Variant

PATH = "/listrak"

DECORATORS: dict[str, Any] = {
    "flask": listrak_webhooks.flask.listrak_webhook,
    "fastapi": listrak_webhooks.fastapi.listrak_webhook,
    "django": listrak_webhooks.django.listrak_webhook,
    "starlette": listrak_webhooks.starlette.listrak_webhook,
}

each_decorator = pytest.mark.parametrize("stack", DECORATORS)
each_with_a_request = pytest.mark.parametrize("stack", ["django", "starlette"])


class Mail(BaseModel):
    """A model."""

    campaign: str


def handler_of(stack: str) -> Callable[..., Any]:
    """Return a handler of the shape that a stack calls."""

    def of_event(event: Event) -> None: ...

    def of_request_and_event(request: Any, event: Event) -> None: ...

    of_event.__annotations__["event"] = Event
    return of_request_and_event if stack in {"django", "starlette"} else of_event


@each_decorator
def test_a_handler_that_yields(stack: str) -> None:
    """What it yields would be made behind the completed claim."""

    def of_event(event: Event) -> Iterator[str]:
        yield "x"

    def of_request_and_event(request: Any, event: Event) -> Iterator[str]:
        yield "x"

    of_event.__annotations__["event"] = Event
    handler = of_request_and_event if stack in {"django", "starlette"} else of_event
    with pytest.raises(ConfigurationError, match=r"yields, .*let it return"):
        DECORATORS[stack](SECRET)(handler)


@each_decorator
def test_a_handler_that_is_decorated_twice(stack: str) -> None:
    """Also with another decorator in between; the second would pass the event to the first."""
    decorate = DECORATORS[stack](SECRET)
    decorated = decorate(handler_of(stack))

    @functools.wraps(decorated)
    def between(*args: Any, **kwargs: Any) -> Any:
        return decorated(*args, **kwargs)

    for handler in (decorated, between):
        with pytest.raises(ConfigurationError, match="has @listrak_webhook twice"):
            decorate(handler)


@each_decorator
@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_descriptor(stack: str, kind: Any) -> None:
    """The order of the two decorators is wrong."""
    with pytest.raises(ConfigurationError, match=f"put @{kind.__name__} over @listrak_webhook"):
        DECORATORS[stack](SECRET)(kind(handler_of(stack)))


@each_with_a_request
def test_a_handler_without_an_event(stack: str) -> None:
    """It has the request alone."""

    def handler(request: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="handler takes no event; it needs two parameters"):
        DECORATORS[stack](SECRET)(handler)


@each_with_a_request
@pytest.mark.parametrize("annotation", [Mail, dict, Mail | None, list[str]], ids=str)
def test_an_event_that_is_annotated_as_something_else(stack: str, annotation: Any) -> None:
    """It gets an `Event` whatever it says."""

    def handler(request: Any, event: Any) -> None: ...

    handler.__annotations__["event"] = annotation
    with pytest.raises(ConfigurationError, match="gets an Event; annotate it with Event"):
        DECORATORS[stack](SECRET)(handler)


@each_with_a_request
def test_the_two_the_other_way_round(stack: str) -> None:
    """As far as the annotations tell."""

    def handler(event: Event, request: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="takes the event first, and gets the request first"):
        DECORATORS[stack](SECRET)(handler)


@each_decorator
@pytest.mark.parametrize(
    ("resolver", "message"),
    [
        (Webhook(SECRET), "resolver must be a function of the request that returns the Webhook, not .*type Webhook"),
        ("north", "resolver must be .*not .*type str"),
        (lambda: Webhook(SECRET), "resolver must be .*; <lambda> cannot be called with 1 by position"),
        (lambda request, other: Webhook(SECRET), "<lambda> cannot be called with 1 by position"),
    ],
    ids=["a Webhook", "text", "no parameter", "two parameters"],
)
def test_a_resolver_that_cannot_be_one(stack: str, resolver: Any, message: str) -> None:
    """Each delivery would be a 500."""
    with pytest.raises(ConfigurationError, match=message):
        DECORATORS[stack](resolver=resolver)


@each_decorator
@pytest.mark.parametrize("on_rejected", [5, "notify", lambda error: None], ids=["number", "text", "unary"])
def test_an_on_rejected_that_cannot_be_called(stack: str, on_rejected: Any) -> None:
    """Nobody would be notified."""
    with pytest.raises(ConfigurationError, match="on_rejected must be a function of the error and the request"):
        DECORATORS[stack](SECRET, on_rejected=on_rejected)


@every_awaiting_variant
def test_a_plain_resolver_that_returns_what_an_async_one_gives(variant: Variant) -> None:
    """Where something can be awaited it is."""

    async def look_up(request: object) -> Webhook:
        await asyncio.sleep(0)
        return Webhook(SECRET)

    seen: list[Event] = []
    with variant.endpoint(lambda event: seen.append(event), resolver=lambda request: look_up(request)) as endpoint:
        assert endpoint.send(Delivery()).status == 200
    assert len(seen) == 1


@every_awaiting_variant
def test_a_plain_on_rejected_that_returns_what_an_async_one_gives(variant: Variant) -> None:
    """It is awaited, as a resolver's is."""
    told: list[object] = []

    async def tell(error: object) -> None:
        await asyncio.sleep(0)
        told.append(error)

    with variant.endpoint(lambda event: None, on_rejected=lambda error, request: tell(error)) as endpoint:
        assert endpoint.send(Delivery(headers=forged())).status == 401
    assert len(told) == 1


class TestDecoratorsAroundStarlette:
    """Decorators over ours and under it do what they do on a bare endpoint."""

    @staticmethod
    def _send(endpoint: Any) -> Any:
        return call_asgi(Starlette(routes=[Route(PATH, endpoint, methods=["POST"])]), Delivery())

    @pytest.mark.parametrize("replay", [None, MemoryReplayGuard()], ids=["", "guard"])
    def test_a_plain_one_under_ours_around_an_async_endpoint(self, replay: Any) -> None:
        """It runs in a thread, where it may block or run a loop of its own, and what it returns is awaited."""

        async def endpoint(request: Request, event: Event) -> JSONResponse:
            return JSONResponse(event.payload)

        @functools.wraps(endpoint)
        def blocking(*args: Any) -> Any:
            return asyncio.run(endpoint(*args))

        @functools.wraps(endpoint)
        def handing_on(*args: Any) -> Any:
            return endpoint(*args)

        @functools.wraps(endpoint)
        def answering(*args: Any) -> Any:
            return PlainTextResponse("busy", 503)

        found = []
        for wrapper in (blocking, handing_on, answering):
            decorate: Any = listrak_webhooks.starlette.listrak_webhook(SECRET, replay=replay and MemoryReplayGuard())
            found.append(self._send(decorate(wrapper)).status)
        assert found == [200, 200, 503]

    def test_one_over_ours_that_passes_more_or_by_name(self) -> None:
        """As an injector does."""

        @listrak_webhooks.starlette.listrak_webhook(SECRET)
        async def endpoint(request: Request, event: Event, database: str = "") -> JSONResponse:
            return JSONResponse([event.payload, database])

        async def injecting(request: Request) -> Any:
            return await endpoint(request, database="db")

        async def by_name(request: Request) -> Any:
            return await endpoint(request=request)

        assert json.loads(self._send(injecting).body)[1] == "db"
        assert json.loads(self._send(by_name).body)[1] == ""

    def test_a_call_without_a_request(self) -> None:
        """Says what is missing."""
        endpoint: Any = listrak_webhooks.starlette.listrak_webhook(SECRET)(handler_of("starlette"))
        with pytest.raises(TypeError, match="called without a request"):
            asyncio.run(endpoint())
