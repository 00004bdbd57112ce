"""Flask, over WSGI."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from support.apps import call_wsgi
from support.deliveries import PATH
from support.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Generator

    from listrak_webhooks import Event

    from support.variants import Handle, Send


class Flask(Variant):
    """A view that is a function."""

    framework = "flask"
    finds_secret_late = True

    @property
    def can_await(self) -> bool:
        """Not even around an `async` view, which Flask runs in a loop of its own."""
        return False

    @contextlib.contextmanager
    def serve(self, handle: Handle, *args: Any, **options: Any) -> Generator[Send, None, None]:
        """Make an app that raises what its view raises."""
        import flask
        from listrak_webhooks.flask import listrak_webhook

        app = flask.Flask("tests")
        app.config["PROPAGATE_EXCEPTIONS"] = True

        def view(event: Event) -> Any:
            return handle(event)

        async def async_view(event: Event) -> Any:
            return handle(event)

        decorate: Any = listrak_webhook(*args, **options)
        app.post(PATH)(decorate(async_view if self.is_async else view))
        yield lambda delivery: call_wsgi(app, delivery)

    def response(self, status: int) -> Any:
        """Return a body and a status."""
        return "not now", status


VARIANTS = [Flask(is_async=False), Flask(is_async=True)]
