"""FastAPI, over ASGI, with the decorator and with the dependency."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

from listrak_webhooks import Event

from support.apps import call_asgi
from support.deliveries import PATH
from support.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.variants import Handle, Send


class FastAPI(Variant):
    """An operation."""

    framework = "fastapi"
    key = "detail"
    takes_any_result = True
    judges_any_length = True

    @property
    def decorates(self) -> bool:
        """The dependency sees the delivery, and nothing of the response."""
        return self.style != "dependency"

    @property
    def can_await(self) -> bool:
        """A `def` operation runs in a thread, and the adapter around it in the loop."""
        return True

    @contextlib.contextmanager
    def serve(self, handle: Handle, *args: Any, **options: Any) -> Generator[Send, None, None]:
        """Make an app with one operation."""
        import fastapi
        from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook

        app = fastapi.FastAPI()

        def operation(event: Any) -> Any:
            return handle(event)

        async def async_operation(event: Any) -> Any:
            return handle(event)

        chosen = async_operation if self.is_async else operation
        if self.style == "dependency":
            chosen.__annotations__["event"] = Annotated[Event, fastapi.Depends(ListrakWebhook(*args, **options))]
            app.post(PATH)(chosen)
        else:
            chosen.__annotations__["event"] = Event
            app.post(PATH)(listrak_webhook(*args, **options)(chosen))
        yield lambda delivery: call_asgi(app, delivery)

    def response(self, status: int) -> Any:
        """Return a response of its own."""
        from fastapi import Response

        return Response("not now", status)


VARIANTS = [FastAPI(is_async=is_async, style=style) for style in ("", "dependency") for is_async in (False, True)]
