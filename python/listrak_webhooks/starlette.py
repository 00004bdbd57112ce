"""Starlette: `@listrak_webhook` on an endpoint.

from starlette.applications import Starlette
from starlette.routing import Route
from listrak_webhooks.starlette import listrak_webhook

@listrak_webhook
async def listrak(request, event):
    print(event.payload)

app = Starlette(routes=[Route("/listrak", listrak, methods=["POST"])])

with the secret in the environment variable `LISTRAK_WEBHOOK_SECRET`.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, cast, overload

from ._extras import importing

with importing("starlette", needed_by=__name__):
    from starlette.requests import Request

from starlette.responses import JSONResponse, Response

from ._http.body import DEFAULT_BODY_TIMEOUT
from ._http.callables import check_handler, checked, mark, name_of
from ._http.receiver import Arguments, Receiver
from ._http.signatures import check_event_parameter
from ._http.source import ABSENT, Given, is_decorated
from ._http.starlette import StarletteStack, in_loop
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import TypeAlias

    from ._core import Event, Webhook
    from ._http.rejection import Rejection
    from ._types import Secrets
    from .exceptions import WebhookError
    from .replay import AsyncReplayGuard, ReplayGuard

    Result: TypeAlias = "Response | Awaitable[Response | None] | None"

__all__ = ["listrak_webhook"]


@overload
def listrak_webhook(
    webhook: Callable[[Request, Event], Result], /
) -> Callable[[Request], Coroutine[Any, Any, Response]]: ...
@overload
def listrak_webhook(
    webhook: Callable[[Any, Request, Event], Result], /
) -> Callable[[Any, Request], Coroutine[Any, Any, Response]]: ...
@overload
def listrak_webhook(
    webhook: Webhook | Secrets = ...,
    *,
    resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, Request], object] | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
) -> Callable[[Callable[..., Result]], Callable[..., Coroutine[Any, Any, Response]]]: ...
def listrak_webhook(
    webhook: Given | Callable[..., Any] = ABSENT,
    *,
    resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, Request], object] | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
) -> Any:
    """Hand an endpoint the verified `Event` of each genuine delivery, and respond to every other request itself.

    The endpoint is called as `endpoint(request, event)`; it may be `async def` or `def`, which runs in a thread, and a
    method of an `HTTPEndpoint`. If it returns `None`, the response is an empty 200. A rejection has the error's status
    and `{"error": code}`, and is logged on the logger `listrak_webhooks`. `request.body()`, `request.json()` and
    `request.form()` keep working in the endpoint. What the endpoint raises passes through, except that a
    `PayloadError` becomes a 400.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is in the environment variable
            `LISTRAK_WEBHOOK_SECRET`.
        resolver: a function of the request that returns the `Webhook`, for many accounts on one route; it may be
            `async`.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. The
            response to one that has been handled is an empty 200 again, without the endpoint. An endpoint that raises,
            or responds with a status from 400 up, has not handled it.
        on_rejected: called as `on_rejected(error, request)` for each rejection, for metrics and alerts; it may be
            `async`. If it raises, that is logged and the delivery stays rejected.
        body_timeout: how many seconds a body may take to arrive, from the first look at it to its end.

    Raises:
        ConfigurationError: a secret cannot be one, or there is none; the endpoint has no parameter for the event; or
            `replay` is not a guard.
    """
    if is_decorated(webhook):
        return listrak_webhook()(cast("Callable[..., Any]", webhook))
    arguments: Arguments[Request] = Arguments(
        cast("Given", webhook), resolver=resolver, replay=replay, on_rejected=on_rejected, body_timeout=body_timeout
    )
    # What is raised below must not find the secret in this frame.
    del webhook
    arguments.check()
    arguments.check_guard(can_await=True)
    if resolver is None:
        arguments.source.get()
    receiver = Receiver(_STACK, arguments)

    def decorate(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        _check_endpoint(endpoint)
        call = in_loop(endpoint)

        @functools.wraps(endpoint)
        async def decorated(*args: Any, **kwargs: Any) -> Response:
            args, kwargs = _with_request_last(args, kwargs)
            async with receiver.receive(args[-1]) as reception:
                if reception.event is not None:
                    result = await call(*args, reception.event, **kwargs)
                    reception.response = _STACK.empty() if result is None else checked(endpoint, result, Response)
            return cast("Response", reception.response)

        mark(decorated)
        return decorated

    return decorate


def _with_request_last(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with the request as the last one by position.

    Starlette passes it so, behind the `self` of a method; a decorator over ours may pass it by name.
    """
    if args and isinstance(args[-1], Request):
        return args, kwargs
    for name, value in kwargs.items():
        if isinstance(value, Request):
            others = {other: each for other, each in kwargs.items() if other != name}
            return (*args, cast("object", value)), others
    raise TypeError("an endpoint with @listrak_webhook was called without a request; pass Starlette's Request")


class _Starlette(StarletteStack[Response]):
    def empty(self) -> Response:
        return Response()

    def rejection(self, error: Rejection, status: int) -> Response:
        return JSONResponse({"error": error.code}, status)

    def status(self, response: Response) -> int:
        return response.status_code


_STACK = _Starlette()


def _check_endpoint(endpoint: Callable[..., Any]) -> None:
    """Find an endpoint that the request and the event cannot be passed to, before a delivery is lost on it.

    Raises:
        ConfigurationError: it is one.
    """
    name = name_of(endpoint)
    if inspect.isclass(endpoint):
        raise ConfigurationError(
            f"{name} is a class; put the decorator on its method: async def post(self, request, event)"
        )
    check_handler(endpoint)
    check_event_parameter(endpoint, in_front=1, advice="a method of an HTTPEndpoint has them behind self")
