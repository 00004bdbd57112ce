"""FastAPI: `@listrak_webhook` on a path operation, or `ListrakWebhook` as a dependency.

    from fastapi import FastAPI
    from listrak_webhooks import Event
    from listrak_webhooks.fastapi import listrak_webhook, route_docs

    app = FastAPI()

    @app.post("/listrak", **route_docs())
    @listrak_webhook
    async def listrak(event: Event):
        print(event.payload)

with the secret in the environment variable `LISTRAK_WEBHOOK_SECRET`.
"""

# No `from __future__ import annotations` here: FastAPI reads the annotations of a dependency at run time, and of an
# instance it cannot resolve them from text.
import contextlib
import functools
import inspect
import itertools
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, TypedDict, TypeVar, get_args, get_origin, overload

from . import _adapter
from ._adapter import (
    Admission,
    NotHandledError,
    Refusal,
    WebhookSource,
    body_consumed,
    body_over_framework_limit,
    check_arguments,
    check_guard,
    check_resolved,
    log_refusal,
    logger,
    lost_part,
    missing_framework,
    not_handled,
    parse_content_length,
    verdict_stands,
    verify,
)
from ._core import Event, Webhook
from ._types import Secrets
from .exceptions import (
    BodyTooLargeError,
    BodyUnavailableError,
    ConfigurationError,
    DuplicateDeliveryError,
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    PayloadError,
    ReplayGuardError,
    SignatureMismatchError,
    StaleTimestampError,
    WebhookError,
)
from .replay import AsyncReplayGuard, ReplayGuard

try:
    from fastapi import Depends, Header, HTTPException, Request, Response
except ModuleNotFoundError as error:
    raise missing_framework("fastapi", "FastAPI", error) from None
import anyio
import anyio.from_thread
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

__all__ = ["ListrakWebhook", "listrak_webhook", "route_docs"]

Resolver = Callable[[Request], Webhook | Awaitable[Webhook]]
OnRejected = Callable[[WebhookError, Request], object]
Handler = TypeVar("Handler", bound=Callable[..., Any])

REFUSALS: tuple[type[Refusal], ...] = (
    MissingHeaderError,
    MalformedTimestampError,
    MalformedSignatureError,
    SignatureMismatchError,
    StaleTimestampError,
    FutureTimestampError,
    PayloadError,
    DuplicateDeliveryError,
    BodyTooLargeError,
    BodyUnavailableError,
    ReplayGuardError,
    ConfigurationError,
)
"""What a route can answer, for its documentation."""


class ListrakWebhook:
    """A dependency that gives the verified `Event` of a genuine delivery, and refuses every other request.

    A refusal answers the error's status with `{"detail": code}` and is logged on the logger `listrak_webhooks`.
    `request.body()` and `request.json()` keep working behind it. What the path operation itself raises passes through,
    except that a `PayloadError` answers 400.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is the environment variable
            `LISTRAK_WEBHOOK_SECRET`.
        resolver: a function of the request, `def` or `async def`, that returns the `Webhook`, for many accounts on one
            route.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. One
            that has been handled answers an empty 200 again, without the path operation. An exception gives the
            delivery free again. FastAPI may end a dependency after the answer was sent, and so the claim with it; with
            `Depends(..., scope="function")` (from FastAPI 0.121 on), or with the decorator, that comes first.
        on_rejected: called as `on_rejected(error, request)` for each refusal, for metrics and alerts; `def` or
            `async def`. If it raises, that is logged and the verdict stands.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one; or `replay` is no guard.

    Example:
        >>> from typing import Annotated
        >>> from fastapi import Depends, FastAPI
        >>> from listrak_webhooks import Event
        >>> from listrak_webhooks.fastapi import ListrakWebhook
        >>> app = FastAPI()
        >>> @app.post("/listrak")
        ... async def listrak(event: Annotated[Event, Depends(ListrakWebhook("the HMAC secret"))]) -> None:
        ...     print(event.payload)
    """

    def __init__(
        self,
        webhook: Webhook | Secrets | None = None,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
    ) -> None:
        check_arguments(webhook, resolver)
        check_guard(replay, can_await=True)
        self._source = WebhookSource(webhook)
        self._resolver = resolver
        self._replay = replay
        self._on_rejected = on_rejected
        self._warned: set[str] = set()
        if resolver is None:
            self._source.get()

    async def __call__(
        self,
        request: Request,
        # Declared for the OpenAPI schema alone: what is verified is the raw header list, in which nothing is lost.
        timestamp: Annotated[
            str | None, Header(alias="LTK-Timestamp", description="Unix seconds at which Listrak sent this.")
        ] = None,
        signature: Annotated[
            str | None,
            Header(
                alias="LTK-HmacSignature",
                description="HMAC-SHA256 of the raw body directly followed by `LTK-Timestamp`, in base64 or hex.",
            ),
        ] = None,
    ) -> AsyncIterator[Event]:
        """Yield the event; FastAPI calls this, once for each request."""
        del timestamp, signature
        self._warn_if_parsed_before(request)
        try:
            admission = Admission(self._replay, await self._receive(request))
            await admission.aenter()
        except (WebhookError, ConfigurationError) as error:
            raise await self._refuse(error, request) from None
        try:
            yield self._give(admission, request)
        except BaseException as error:
            await admission.aleave(error)
            if not isinstance(error, PayloadError) or _is_answered(error):
                raise
            raise await self._refuse(error, request) from None
        await self._finish(admission)

    def _give(self, admission: Admission, request: Request) -> Any:
        """Return what the path operation gets."""
        if not admission.first:
            raise _already_handled(request)
        return admission.event

    async def _finish(self, admission: Admission) -> None:
        """Leave the guard behind a path operation that did not raise."""
        await admission.aleave()

    async def _receive(self, request: Request) -> Event:
        resolver = self._resolver
        webhook = self._source.get() if resolver is None else check_resolved(await _run(resolver, request))
        declared = parse_content_length(request.headers.get("content-length"))
        body = await _read_body(request, webhook, declared)
        lost = lost_part(body, declared=declared, chunked="transfer-encoding" in request.headers)
        return verify(webhook, body, request.headers.raw, lost)

    async def _refuse(self, error: Refusal, request: Request) -> HTTPException:
        log_refusal(error)
        if self._on_rejected is not None and isinstance(error, WebhookError):
            with verdict_stands(error):
                await _run(self._on_rejected, error, request)
        return HTTPException(error.status, error.code)

    def _warn_if_parsed_before(self, request: Request) -> None:
        route = request.scope.get("route")
        path = str(getattr(route, "path", ""))
        if getattr(route, "body_field", None) is not None and path not in self._warned:
            self._warned.add(path)
            logger.warning(
                "the route %s has a parameter of its own for the body, which FastAPI parses before the signature is "
                "checked; take the body from the event instead",
                path,
            )


class _ForDecorator(ListrakWebhook):
    """The dependency of a decorated operation, which leaves the guard itself, before its answer is sent."""

    def _give(self, admission: Admission, request: Request) -> Admission:  # noqa: ARG002
        return admission

    async def _finish(self, admission: Admission) -> None:
        # An operation that has not left by now was never reached, and FastAPI told nobody why.
        await admission.aleave(NotHandledError())


class _AlreadyHandled(HTTPException):
    """Ends a request whose delivery was handled before; without a handler it answers 200 with a detail."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.OK)


async def _answer_already_handled(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return Response()


def _already_handled(request: Request) -> _AlreadyHandled:
    # Where Starlette looks handlers up. That nobody has to register ours is worth the look behind the curtain.
    handlers: Any = request.scope.get("starlette.exception_handlers")
    with contextlib.suppress(TypeError, LookupError, AttributeError):
        handlers[0].setdefault(_AlreadyHandled, _answer_already_handled)
    return _AlreadyHandled()


@overload
def listrak_webhook(webhook: Handler, /) -> Handler: ...
@overload
def listrak_webhook(
    webhook: Webhook | Secrets | None = None,
    *,
    resolver: Resolver | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: OnRejected | None = None,
) -> Callable[[Handler], Handler]: ...
def listrak_webhook(
    webhook: Webhook | Secrets | Callable[..., Any] | None = None,
    *,
    resolver: Resolver | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: OnRejected | None = None,
) -> Any:
    """Hand a path operation the verified `Event` of each genuine delivery, in its parameter annotated `Event`.

    It takes the arguments of `ListrakWebhook`, which does the work; the operation, `def` or `async def`, keeps its
    other parameters and dependencies. One that returns `None` answers an empty 200. With `replay`, one that raises or
    answers a status from 400 up has not handled the delivery; else it is completed before the answer is sent.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one; or the operation has no parameter annotated
            `Event`, or one that FastAPI would fill from the body, before the signature is checked.
    """
    if callable(webhook):
        return listrak_webhook()(webhook)
    dependency = _ForDecorator(webhook, resolver=resolver, replay=replay, on_rejected=on_rejected)

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def operation(*args: Any, **kwargs: Any) -> Any:
            admission = _take_admission(kwargs)
            if admission is None:
                return _answer(handler(*args, **kwargs), kwargs)
            if not admission.first:
                return Response()
            return _handle_in_thread(admission, lambda: _answer(handler(*args, **kwargs), kwargs), kwargs)

        @functools.wraps(handler)
        async def async_operation(*args: Any, **kwargs: Any) -> Any:
            admission = _take_admission(kwargs)

            async def call() -> Any:
                return _answer(await handler(*args, **kwargs), kwargs)

            if admission is None:
                return await call()
            if not admission.first:
                return Response()
            return await admission.ahandle(call, lambda answer: _status_of(answer, kwargs))

        chosen = async_operation if _is_async(handler) else operation
        _set_signature(chosen, handler, dependency)
        return chosen

    return decorate


class RouteDocs(TypedDict):
    """Arguments of `app.post` and its kin."""

    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]


def route_docs() -> RouteDocs:
    """Return the arguments that document a webhook's JSON body and refusals in the OpenAPI schema.

    The two headers are in it without this.

    Example:
        >>> from fastapi import FastAPI
        >>> from listrak_webhooks import Event
        >>> from listrak_webhooks.fastapi import listrak_webhook, route_docs
        >>> app = FastAPI()
        >>> @app.post("/listrak", **route_docs())
        ... @listrak_webhook("the HMAC secret")
        ... async def listrak(event: Event) -> None:
        ...     print(event.payload)
    """
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in REFUSALS:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        "responses": {status: _document(refusals) for status, refusals in sorted(by_status.items())},
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "description": "What the marketer wrote in Journey Hub, or what Listrak captured for the journey.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    }


def _document(refusals: list[type[Refusal]]) -> dict[str, Any]:
    codes = [refusal.code for refusal in refusals]
    reasons = [f"- `{refusal.code}`: {(refusal.__doc__ or '').splitlines()[0]}" for refusal in refusals]
    detail = {"type": "string", "enum": codes}
    schema = {"type": "object", "properties": {"detail": detail}, "required": ["detail"]}
    return {"description": "\n".join(reasons), "content": {"application/json": {"schema": schema}}}


def _set_signature(
    operation: Callable[..., Any], handler: Callable[..., Any], dependency: Callable[..., AsyncIterator[Event]]
) -> None:
    """Give `operation` the parameters of `handler`, with the event coming from `dependency`."""
    try:
        signature = inspect.signature(handler, eval_str=True)
    except NameError:
        # A name that is not there yet; FastAPI resolves the texts itself, later or not at all.
        signature = inspect.signature(handler)
    name = getattr(handler, "__name__", type(handler).__name__)
    parameters = list(signature.parameters.values())
    events = [parameter for parameter in parameters if _is_event(parameter.annotation)]
    if len(events) != 1:
        raise ConfigurationError(
            f"{name} has {len(events)} parameters for the event and needs one; annotate one with Event, from "
            "listrak_webhooks, which must be imported at run time and not for type checkers alone"
        )
    if any(parameter.kind is inspect.Parameter.POSITIONAL_ONLY for parameter in parameters):
        raise ConfigurationError(f"{name} takes a parameter by position only, and FastAPI passes everything by name")
    # What is bare in front, such as the `self` of a method, stays there. Of the rest the event comes first, and with it
    # the verification: FastAPI runs dependencies in the order of the parameters. By name only, because that is how
    # FastAPI passes them, and because then any order is allowed. `*args` and `**kwargs` it would take for fields.
    bare = list(itertools.takewhile(_is_bare, parameters))
    event = events[0].replace(default=inspect.Parameter.empty, annotation=Annotated[Event, Depends(dependency)])
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    rest = [
        parameter
        for parameter in parameters[len(bare) :]
        if parameter is not events[0] and parameter.kind not in variable
    ]
    by_name = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in [event, *rest]]
    parameters = [*bare, *by_name]
    operation.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]

    from_body = _body_parameters(get_dependant(path="/", call=operation))
    if from_body:
        raise ConfigurationError(
            f"{name} takes {', '.join(from_body)} from the body, which FastAPI would parse before the "
            "signature is checked; take it from the event, as event.payload"
        )


def _is_bare(parameter: inspect.Parameter) -> bool:
    nothing = inspect.Parameter.empty
    by_position = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    return by_position and parameter.annotation is nothing and parameter.default is nothing


def _body_parameters(dependant: Dependant) -> list[str]:
    own = [field.name for field in dependant.body_params]
    return own + [name for below in dependant.dependencies for name in _body_parameters(below)]


def _is_answered(error: Exception) -> bool:
    """Return whether `error` comes from a background task or a stream, and so after the status was sent."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = {frame.f_globals.get("__name__") for frame in frames}
    return not modules.isdisjoint({"starlette.background", "starlette.responses"})


def _is_event(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation is Event or annotation in ("Event", "listrak_webhooks.Event")


def _is_async(function: Callable[..., Any]) -> bool:
    # An instance may have an async `__call__`, as `ListrakWebhook` has.
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _answer(result: Any, arguments: dict[str, Any]) -> Any:
    """Return `result`, or for `None` an empty 200 with what the handler did to the `Response` that it asked for."""
    if result is not None:
        return result
    empty = Response()
    for argument in arguments.values():
        # The one that FastAPI injects has no length yet; a response that a dependency made has.
        if isinstance(argument, Response) and "content-length" not in argument.headers:
            empty.status_code = argument.status_code or empty.status_code
            empty.headers.raw.extend(argument.headers.raw)
    return empty


def _take_admission(arguments: dict[str, Any]) -> Admission | None:
    """Put the event where the dependency has put its admission, and return that; `None` in a call by the user."""
    for name, argument in arguments.items():
        if isinstance(argument, Admission):
            arguments[name] = argument.event
            return argument
    return None


def _handle_in_thread(admission: Admission, call: Callable[[], Any], arguments: dict[str, Any]) -> Any:
    """Do as `Admission.handle`, in a thread of FastAPI's: the guard was entered in the loop and is left there."""
    try:
        answer = call()
    except BaseException as error:
        anyio.from_thread.run(admission.aleave, error)
        raise
    anyio.from_thread.run(admission.aleave, not_handled(_status_of(answer, arguments)))
    return answer


def _status_of(answer: Any, arguments: dict[str, Any]) -> int:
    """Return the status that the handler chose, by its answer or by the `Response` that it asked for."""
    responses = [each for each in [answer, *arguments.values()] if isinstance(each, Response)]
    return next((response.status_code for response in responses if response.status_code), HTTPStatus.OK)


async def _run(function: Callable[..., Any], *args: object) -> Any:
    """Call a function of the user's, which may be async, without blocking the loop."""
    if _is_async(function):
        return await function(*args)
    return await run_in_threadpool(function, *args)


async def _read_body(request: Request, webhook: Webhook, declared: int | None) -> bytes:
    if declared is not None:
        webhook.check_size(declared)
    pieces: list[bytes] = []
    size = 0
    stream = request.stream()
    try:
        while True:
            with anyio.fail_after(_adapter.BODY_WAIT_SECONDS):
                piece = await anext(stream, None)
            if piece is None:
                break
            size += len(piece)
            webhook.check_size(size)
            pieces.append(piece)
    except TimeoutError:
        raise body_consumed(f"nothing more of the body came for {_adapter.BODY_WAIT_SECONDS:g} seconds") from None
    except ClientDisconnect:
        raise body_consumed("the body ended early") from None
    except StarletteHTTPException as error:
        if error.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
        raise body_over_framework_limit("FastAPI's max_body_size") from None
    except RuntimeError:
        # What Starlette raises where its stream was consumed; it has no class of its own.
        raise body_consumed("the body was already read as a stream") from None
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    # Where request.body() keeps it, for dependencies and handlers behind this one.
    request._body = body  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return body
