"""`@listrak_webhook`: a handler's signature with the event from the dependency, and what happens around the handler."""

from __future__ import annotations

import functools
import gc
import inspect
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, overload

from fastapi import Depends, Response
from fastapi.dependencies.models import Dependant
from starlette.requests import HTTPConnection

from listrak_webhooks._core import Event, MemoryReplayGuard
from listrak_webhooks._http.body import DEFAULT_BODY_TIMEOUT
from listrak_webhooks._http.callables import check_handler, is_async, layers, mark, name_of
from listrak_webhooks._http.receiver import Arguments
from listrak_webhooks._http.source import ABSENT, Given, is_decorated
from listrak_webhooks.exceptions import ConfigurationError, PayloadError

from ._dependency import Hook, OnRejected, Resolver, Turn, checked, in_turn, parsed
from ._openapi import reject_as_parameter
from ._signature import HandlerSignature
from ._stack import EVENT, AroundHandler, Empty, Outcome, deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request

    from listrak_webhooks._core import Webhook
    from listrak_webhooks._types import Secrets
    from listrak_webhooks.replay import AsyncReplayGuard, ReplayGuard

Handler = TypeVar("Handler", bound="Callable[..., Any]")

TICKET = "listrak_webhook_event"
"""The parameter by which a handler with a replay guard is called, in addition to its own.

By it a call of FastAPI's is told from one of the user's, to which no guard applies. It comes with the arguments and not
in a context variable, because the call may come from any thread.
"""


@overload
def listrak_webhook(webhook: Handler, /) -> Handler: ...
@overload
def listrak_webhook(
    webhook: Webhook | Secrets = ...,
    *,
    resolver: Resolver | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: OnRejected | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
    parse_as: Any = None,
) -> Callable[[Handler], Handler]: ...
def listrak_webhook(  # noqa: PLR0913
    webhook: Given | Callable[..., Any] = ABSENT,
    *,
    resolver: Resolver | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: OnRejected | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
    parse_as: Any = None,
) -> Any:
    """Hand a path operation the verified `Event` of each genuine delivery, in its parameter annotated `Event`.

    A parameter annotated with a Pydantic model, a msgspec `Struct`, a dataclass or a `TypedDict` gets what
    `Event.parse_as` makes of the event, instead of the event or in addition to it; notes in `Annotated` are part of the
    type. What does not fit is responded to with 422.

    It takes the arguments of `ListrakWebhook`, which does the work; the operation, `def` or `async def`, keeps its
    other parameters and dependencies, and called directly it is the user's own function. If it returns `None`, the
    response is empty, with the status, the headers and the background tasks that the route has otherwise. With
    `replay`, one that raises or responds with a status from 400 on has not handled the delivery; else it is completed
    before the response is sent.

    Decorators over this one and under it work as they do without it, and see the `Event`. With `replay` the operation
    is called with one keyword argument more, which a decorator over this one has to pass on.

    Args:
        webhook: as for `ListrakWebhook`, and so are the next four.
        resolver: many accounts on one route.
        replay: each delivery handled once.
        on_rejected: notified of each rejection.
        body_timeout: the seconds that a body may take to arrive.
        parse_as: the annotation of the parameter that gets the parsed payload, if it is another type than those.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one; the operation has no parameter for the event, or
            one that FastAPI would fill from the body, before the signature is checked; it yields; it was already
            registered without this decorator; or no library that is installed can read a payload as its type.
    """
    if is_decorated(webhook):
        return listrak_webhook()(cast("Callable[..., Any]", webhook))
    arguments: Arguments[Request] = Arguments(
        cast("Given", webhook), resolver=resolver, replay=replay, on_rejected=on_rejected, body_timeout=body_timeout
    )
    # What is raised below must not find the secret in this frame.
    del webhook
    checked(arguments)

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        _check_handler(handler)
        signature = HandlerSignature.of(handler, parse_as)
        endpoint = _plain_endpoint(handler) if arguments.replay is None else _guarded_endpoint(handler, arguments)
        _set_signature(endpoint, handler, signature.with_parameters(_filled(signature, arguments, handler)))
        mark(endpoint)
        return endpoint

    reject_as_parameter(decorate, _NOT_A_DEPENDENCY, "handler")
    return decorate


_NOT_A_DEPENDENCY = (
    "Depends(listrak_webhook) is the decorator and not a dependency; write Depends(ListrakWebhook()), or put "
    "@listrak_webhook between @app.post(...) and the handler"
)
reject_as_parameter(listrak_webhook, _NOT_A_DEPENDENCY)


def _check_handler(handler: Callable[..., Any]) -> None:
    """Find what cannot handle a webhook.

    Raises:
        ConfigurationError: it yields, has the decorator twice, or FastAPI already serves it without the decorator.
    """
    check_handler(handler)
    if any(map(_is_registered, layers(handler))):
        raise ConfigurationError(
            f"{name_of(handler)} is already a path operation, which FastAPI serves without any verification; put "
            "@app.post(...) over @listrak_webhook, and give a route that is not a webhook a function of its own"
        )


def _is_registered(handler: object) -> bool:
    """Return whether FastAPI has made a route of a function. It leaves no mark, so this looks for who holds it."""
    for holder in gc.get_referrers(handler):
        # An object's attributes may be in a dictionary of their own, which then is the holder.
        if isinstance(holder, Dependant) and holder.call is handler:
            return True
        if isinstance(holder, dict) and holder.get("call") is handler and "body_params" in holder:  # pyright: ignore[reportUnknownMemberType]
            return True
    return False


def _filled(signature: HandlerSignature, arguments: Arguments[Request], handler: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters that the delivery fills, with the dependencies that give them."""
    event, model, has_guard = signature.event, signature.model, arguments.replay is not None
    if event is None and model is not None and not has_guard:
        return {model.name: Annotated[Any, Depends(Hook(arguments, signature.type))]}
    hook = Hook(arguments, None)
    filled: dict[str, Any] = {}
    if event is not None:
        filled[event.name] = Annotated[Event, Depends(hook)]
    if model is not None:
        filled[model.name] = Annotated[Any, Depends(parsed(hook, signature.type))]
    if has_guard:
        filled[TICKET] = _ticket(hook, signature, needs_turn=_needs_turn(handler, arguments.replay))
    return filled


def _ticket(hook: Hook, signature: HandlerSignature, *, needs_turn: bool) -> Any:
    if needs_turn:
        return Annotated[Any, _in_turn(hook)]
    if any(parameter.annotation is HTTPConnection for parameter in signature.others):
        # FastAPI fills only one such parameter.
        return Annotated[Any, Depends(hook)]
    # The cheapest that FastAPI gives and hardly any handler asks for; the event is in its scope.
    return HTTPConnection


def _in_turn(hook: Hook) -> Any:
    turn = in_turn(hook)
    if "scope" in inspect.signature(Depends).parameters:
        # So that the claim is completed before the response is sent.
        return Depends(turn, scope="function")
    return Depends(turn)


def _needs_turn(handler: Callable[..., Any], replay: object) -> bool:
    """Return whether the guard may have to be awaited and the handler cannot: then it is entered in the event loop."""
    if is_async(handler) or isinstance(replay, MemoryReplayGuard):
        return False
    of_contextlib = inspect.isgeneratorfunction(inspect.unwrap(replay.handle))  # type: ignore[attr-defined]
    return not of_contextlib and getattr(replay, "async_only", True)


def _set_signature(endpoint: Callable[..., Any], handler: Callable[..., Any], signature: inspect.Signature) -> None:
    """Give an endpoint the name of its handler, and the signature that FastAPI is to read."""
    functools.update_wrapper(endpoint, handler)
    endpoint.__name__ = name_of(handler)
    endpoint.__signature__ = signature  # type: ignore[attr-defined]
    # Decorators over ours that inject arguments read these too.
    endpoint.__annotations__ = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if parameter.annotation is not inspect.Parameter.empty
    }
    if signature.return_annotation is not inspect.Signature.empty:
        endpoint.__annotations__["return"] = signature.return_annotation


# What FastAPI calls.


class _Call:
    """A call of the handler.

    It holds the arguments, so that no variable does: they hold the payload, and error reporters send the variables of
    every frame that an exception passes.
    """

    __slots__ = ("_args", "_handler", "_kwargs")

    def __init__(self, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._handler = handler
        self._args = args
        self._kwargs = kwargs

    def run(self) -> Outcome:
        result = self._handler(*self._args, **self._kwargs)
        if hasattr(result, "__await__"):
            getattr(result, "close", lambda: None)()
            raise TypeError(
                f"{name_of(self._handler)} returned something to await, which FastAPI does not await either; make it "
                "`async def`, or let its decorator use functools.wraps"
            )
        return self._outcome(result)

    async def arun(self) -> Outcome:
        result = self._handler(*self._args, **self._kwargs)
        if hasattr(result, "__await__"):
            result = await result
        return self._outcome(result)

    def _outcome(self, result: Any) -> Outcome:
        """Return the result with the status that the handler chose, by it or by the `Response` that it asked for."""
        status = int(HTTPStatus.OK)
        for each in (result, *self._kwargs.values()):
            if isinstance(each, Response) and each.status_code:
                status = each.status_code
                break
        return Outcome(Empty() if result is None else result, status)


async def _await_any(handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call what may also return its result at once, as a plain wrapper of an async function can."""
    result = handler(*args, **kwargs)
    del args, kwargs
    return await result if hasattr(result, "__await__") else result


def _plain_endpoint(handler: Callable[..., Any]) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(handler):
        awaitable: Callable[..., Any] = functools.partial(_await_any, handler)
    else:
        awaitable = handler

    def endpoint(*args: Any, **kwargs: Any) -> Any:
        call = _Call(handler, args, kwargs)
        del args, kwargs
        try:
            return call.run().result
        except PayloadError as error:
            raise deferred(error) from None

    # As `_Call.arun`, for which time counts.
    async def async_endpoint(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await awaitable(*args, **kwargs)
        except BaseException as error:
            args = ()
            kwargs.clear()
            if isinstance(error, PayloadError):
                raise deferred(error) from None
            raise
        return Empty() if result is None else result

    return async_endpoint if is_async(handler) else endpoint


def _guarded_endpoint(handler: Callable[..., Any], arguments: Arguments[Request]) -> Callable[..., Any]:
    receiver = AroundHandler(arguments, can_await=is_async(handler))

    def endpoint(*args: Any, **kwargs: Any) -> Any:
        ticket = kwargs.pop(TICKET, None)
        call = _Call(handler, args, kwargs)
        del args, kwargs
        if ticket is None:
            return call.run().result
        if isinstance(ticket, Turn):
            return _take_turn(ticket, call)
        with receiver.handle(_event_of(ticket), None) as reception:
            if reception.event is not None:
                reception.response = call.run()
        return _result_of(reception.response)

    async def async_endpoint(*args: Any, **kwargs: Any) -> Any:
        ticket = kwargs.pop(TICKET, None)
        call = _Call(handler, args, kwargs)
        del args, kwargs
        if ticket is None:
            return (await call.arun()).result
        async with receiver.handle(_event_of(ticket), None) as reception:
            if reception.event is not None:
                reception.response = await call.arun()
        return _result_of(reception.response)

    return async_endpoint if is_async(handler) else endpoint


def _event_of(ticket: HTTPConnection | Event) -> Event:
    return ticket if isinstance(ticket, Event) else cast("Event", ticket.scope[EVENT])


def _take_turn(turn: Turn, call: _Call) -> Any:
    if not turn.is_first:
        return Response()
    try:
        outcome = call.run()
    except PayloadError as error:
        raise deferred(error) from None
    turn.status = outcome.status
    return outcome.result


def _result_of(response: Outcome | Exception) -> Any:
    if isinstance(response, Exception):
        raise response
    return response.result
