"""Starlette, over ASGI, with endpoints that are functions and with methods of an `HTTPEndpoint`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from support.apps import call_asgi
from support.deliveries import PATH
from support.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Generator

    from listrak_webhooks import Event

    from support.variants import Handle, Send


class Starlette(Variant):
    """An endpoint."""

    framework = "starlette"
    judges_any_length = True

    @property
    def can_await(self) -> bool:
        """A `def` endpoint runs in a thread, and the adapter around it in the loop."""
        return True

    @contextlib.contextmanager
    def serve(self, handle: Handle, *args: Any, **options: Any) -> Generator[Send, None, None]:
        """Make an app with one route."""
        from listrak_webhooks.starlette import listrak_webhook
        from starlette.applications import Starlette as App
        from starlette.endpoints import HTTPEndpoint
        from starlette.routing import Route

        def endpoint(request: Any, event: Event) -> Any:
            return handle(event)

        async def async_endpoint(request: Any, event: Event) -> Any:
            return handle(event)

        def method(self: Any, request: Any, event: Event) -> Any:
            return handle(event)

        async def async_method(self: Any, request: Any, event: Event) -> Any:
            return handle(event)

        decorate: Any = listrak_webhook(*args, **options)
        if self.style == "class":
            post = decorate(async_method if self.is_async else method)
            route = Route(PATH, type("Endpoint", (HTTPEndpoint,), {"post": post}))
        else:
            route = Route(PATH, decorate(async_endpoint if self.is_async else endpoint), methods=["POST"])
        app = App(routes=[route])
        yield lambda delivery: call_asgi(app, delivery)

    def response(self, status: int) -> Any:
        """Return a response of its own."""
        from starlette.responses import Response

        return Response("not now", status)


VARIANTS = [Starlette(is_async=is_async, style=style) for style in ("", "class") for is_async in (False, True)]
