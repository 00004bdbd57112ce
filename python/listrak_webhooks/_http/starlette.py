"""A Starlette request for the kit, which is FastAPI's too."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from listrak_webhooks._event_loops import settled
from listrak_webhooks.exceptions import WebhookError

from . import asgi
from .body import Body, body_consumed, body_over_framework_limit, body_unreadable
from .callables import runs_in_loop
from .receiver import Stack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from listrak_webhooks._core import Webhook
    from listrak_webhooks._types import Headers

Response = TypeVar("Response")


class StarletteStack(Stack[Request, Response]):
    """The body and the headers of a request, and how a function of the user's is called."""

    can_await = True
    limit = "Starlette's max_body_size"
    """What the framework's own limit is called."""

    def headers(self, request: Request) -> Headers:
        return cast("Headers", request.scope["headers"])

    async def body(self, request: Request, webhook: Webhook, seconds: float) -> Body:
        headers = request.scope["headers"]
        # Starlette has no public way to ask whether a body was read, or to keep one that was.
        if hasattr(request, "_body"):
            return asgi.as_received(await request.body(), headers)
        if request._stream_consumed:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            raise body_consumed("the body was already read as a stream")
        try:
            body = await asgi.read_body(request.receive, headers, webhook, seconds)
        except (WebhookError, MemoryError):
            raise
        except HTTPException as error:
            if error.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise
            raise body_over_framework_limit(self.limit) from None
        except Exception as error:  # noqa: BLE001
            # Layers below have exceptions of their own for what they cannot read.
            raise body_unreadable(error) from None
        # Where request.body() keeps it, for what reads the body after this.
        request._body = body.data  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return body

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        return in_loop(function)(*args)


def in_loop(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return what an event loop calls `function` by: itself, or a thread in which it may block."""
    if runs_in_loop(function):
        return function
    return lambda *args, **kwargs: settled(run_in_threadpool(function, *args, **kwargs))
