"""A Starlette request for the kit, which is FastAPI's too."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

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
        headers: Headers = request.scope["headers"]
        return headers

    def body(self, request: Request, webhook: Webhook, seconds: float) -> Body | Awaitable[Body]:
        headers = request.scope["headers"]
        # Starlette has no public way to ask whether a body was read, or to keep one that was.
        if hasattr(request, "_body"):
            return _kept(request)
        if request._stream_consumed:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            raise body_consumed("the body was already read as a stream")
        try:
            body = asgi.read_body(request.receive, headers, webhook, seconds)
        except Exception as error:  # noqa: BLE001
            raise self._unreadable(error) from None
        if not isinstance(body, Body):
            return self._read(request, body)
        return _keep(request, body)

    async def _read(self, request: Request, rest: Awaitable[Body]) -> Body:
        try:
            body = await rest
        except Exception as error:  # noqa: BLE001
            raise self._unreadable(error) from None
        return _keep(request, body)

    def _unreadable(self, error: Exception) -> Exception:
        """Return what to raise for an error while the body was read."""
        if isinstance(error, WebhookError | MemoryError):
            return error
        if isinstance(error, HTTPException):
            too_large = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            return body_over_framework_limit(self.limit) if too_large else error
        # Layers below have exceptions of their own for what they cannot read.
        return body_unreadable(error)

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        return in_loop(function)(*args)


async def _kept(request: Request) -> Body:
    return asgi.as_received(await request.body(), request.scope["headers"])


def _keep(request: Request, body: Body) -> Body:
    """Put a body where `request.body()` keeps it, for what reads the body after this, and return it."""
    request._body = body.data  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return body


def in_loop(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Return what an event loop calls `function` by: itself, or a thread in which it may block."""
    if runs_in_loop(function):
        return function
    return lambda *args, **kwargs: settled(run_in_threadpool(function, *args, **kwargs))
