"""What the tests of the Django adapter share: views, and how to send to one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.apps import call_django, configure_django, django_app
from support.deliveries import PATH, Delivery
from support.helpers import BODY

configure_django()

from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.views import View  # noqa: E402
from listrak_webhooks.django import listrak_webhook  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks import Event

    from support.deliveries import Answer


REJECTED = {"error": "signature_mismatch"}

both_protocols = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])


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
