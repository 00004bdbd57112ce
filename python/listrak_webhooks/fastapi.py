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
import functools
import inspect
import itertools
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, TypedDict, TypeVar, get_args, get_origin, overload

from . import _adapter
from ._adapter import (
    Refusal,
    WebhookSource,
    body_consumed,
    body_over_framework_limit,
    check_arguments,
    check_resolved,
    log_refusal,
    logger,
    lost_part,
    missing_framework,
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
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    PayloadError,
    SignatureMismatchError,
    StaleTimestampError,
    WebhookError,
)

try:
    from fastapi import Depends, Header, HTTPException, Request, Response
except ModuleNotFoundError as error:
    raise missing_framework("fastapi", "FastAPI", error) from None
import anyio
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
    BodyTooLargeError,
    BodyUnavailableError,
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
        on_rejected: called as `on_rejected(error, request)` for each refusal, for metrics and alerts; `def` or
            `async def`. If it raises, that is logged and the verdict stands.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one.

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
        on_rejected: OnRejected | None = None,
    ) -> None:
        check_arguments(webhook, resolver)
        self._source = WebhookSource(webhook)
        self._resolver = resolver
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
            event = await self._receive(request)
        except (WebhookError, ConfigurationError) as error:
            raise await self._refuse(error, request) from None
        try:
            yield event
        except PayloadError as error:
            if _is_answered(error):
                raise
            raise await self._refuse(error, request) from None

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


@overload
def listrak_webhook(webhook: Handler, /) -> Handler: ...
@overload
def listrak_webhook(
    webhook: Webhook | Secrets | None = None,
    *,
    resolver: Resolver | None = None,
    on_rejected: OnRejected | None = None,
) -> Callable[[Handler], Handler]: ...
def listrak_webhook(
    webhook: Webhook | Secrets | Callable[..., Any] | None = None,
    *,
    resolver: Resolver | None = None,
    on_rejected: OnRejected | None = None,
) -> Any:
    """Hand a path operation the verified `Event` of each genuine delivery, in its parameter annotated `Event`.

    It takes the arguments of `ListrakWebhook`, which does the work; the operation, `def` or `async def`, keeps its
    other parameters and dependencies. One that returns `None` answers an empty 200.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one; or the operation has no parameter annotated
            `Event`, or one that FastAPI would fill from the body, before the signature is checked.
    """
    if callable(webhook):
        return listrak_webhook()(webhook)
    dependency = ListrakWebhook(webhook, resolver=resolver, on_rejected=on_rejected)

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def operation(*args: Any, **kwargs: Any) -> Any:
            return _answer(handler(*args, **kwargs), kwargs)

        @functools.wraps(handler)
        async def async_operation(*args: Any, **kwargs: Any) -> Any:
            return _answer(await handler(*args, **kwargs), kwargs)

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
