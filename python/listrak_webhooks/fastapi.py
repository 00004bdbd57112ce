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
from copy import copy
from http import HTTPStatus
from typing import Annotated, Any, Generic, NamedTuple, TypedDict, TypeVar, cast, get_args, get_origin, overload

from . import _adapter, _models
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
from ._types import Secrets, T
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
from fastapi.params import Body, Param
from fastapi.params import Depends as DependsMarker
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


class ListrakWebhook(Generic[T]):
    """A dependency that gives the verified `Event` of a genuine delivery, and refuses every other request.

    A refusal answers the error's status with `{"detail": code}` and is logged on the logger `listrak_webhooks`.
    `request.body()` and `request.json()` keep working behind it. What the path operation itself raises passes through,
    except that a `PayloadError` answers 400, or 422 with the paths where the payload does not fit a type.

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
        parse_as: a type of your own, to give instead of the `Event` what `Event.parse_as` makes of it.

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

    @overload
    def __init__(
        self: "ListrakWebhook[Event]",
        webhook: Webhook | Secrets | None = None,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        webhook: Webhook | Secrets | None = None,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
        parse_as: type[T],
    ) -> None: ...
    def __init__(
        self,
        webhook: Webhook | Secrets | None = None,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
        parse_as: type[T] | None = None,
    ) -> None:
        check_arguments(webhook, resolver)
        check_guard(replay, can_await=True)
        self._source = WebhookSource(webhook)
        self._resolver = resolver
        self._replay = replay
        self._on_rejected = on_rejected
        self._parse_as = parse_as
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
    ) -> AsyncIterator[T]:
        """Yield the event, or what it is parsed as; FastAPI calls this, once for each request."""
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
        return admission.event if self._parse_as is None else admission.event.parse_as(self._parse_as)

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
        misfits = error.problems if isinstance(error, PayloadError) else ()
        status = HTTPStatus.UNPROCESSABLE_ENTITY if misfits else error.status
        log_refusal(error, status)
        if self._on_rejected is not None and isinstance(error, WebhookError):
            with verdict_stands(error):
                await _run(self._on_rejected, error, request)
        # As FastAPI itself answers what does not fit, but for the messages and the values.
        paths = [{"type": error.code, "loc": ["body", *misfit.path]} for misfit in misfits]
        return HTTPException(status, paths or error.code)

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


class _Admitted(NamedTuple):
    """What a decorated operation gets from its dependency."""

    admission: Admission
    model: Any
    """What the event is parsed as; `None` where it is not, or the delivery is not the first."""


class _ForDecorator(ListrakWebhook[Any]):
    """The dependency of a decorated operation, which leaves the guard itself, before its answer is sent."""

    def parsing_as(self, model: Any) -> "_ForDecorator":
        dependency = copy(self)
        dependency._parse_as = model  # noqa: SLF001
        return dependency

    def _give(self, admission: Admission, request: Request) -> _Admitted:
        return _Admitted(admission, super()._give(admission, request) if admission.first else None)

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
    parse_as: Any = None,
) -> Callable[[Handler], Handler]: ...
def listrak_webhook(
    webhook: Webhook | Secrets | Callable[..., Any] | None = None,
    *,
    resolver: Resolver | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: OnRejected | None = None,
    parse_as: Any = None,
) -> Any:
    """Hand a path operation the verified `Event` of each genuine delivery, in its parameter annotated `Event`.

    A parameter annotated with a Pydantic model, a msgspec `Struct`, a dataclass or a `TypedDict` gets what
    `Event.parse_as` makes of the event, instead of the event or beside it. What does not fit answers 422.

    It takes the arguments of `ListrakWebhook`, which does the work; the operation, `def` or `async def`, keeps its
    other parameters and dependencies. One that returns `None` answers an empty 200. With `replay`, one that raises or
    answers a status from 400 up has not handled the delivery; else it is completed before the answer is sent.

    Args:
        webhook: as for `ListrakWebhook`, and so are the next three.
        resolver: many accounts on one route.
        replay: each delivery handled once.
        on_rejected: told of each refusal.
        parse_as: the annotation of the parameter that gets the parsed payload, where it is another type than those.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one; or the operation has no parameter for the event, or
            one that FastAPI would fill from the body, before the signature is checked.
    """
    if callable(webhook):
        return listrak_webhook()(webhook)
    for_any_handler = _ForDecorator(webhook, resolver=resolver, replay=replay, on_rejected=on_rejected)

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        place = _Place.of(handler, parse_as)
        dependency = for_any_handler.parsing_as(place.type)

        @functools.wraps(handler)
        def operation(*args: Any, **kwargs: Any) -> Any:
            admission = place.fill(kwargs)
            if admission is None:
                return _answer(handler(*args, **kwargs), kwargs)
            if not admission.first:
                return Response()
            return _handle_in_thread(admission, lambda: _answer(handler(*args, **kwargs), kwargs), kwargs)

        @functools.wraps(handler)
        async def async_operation(*args: Any, **kwargs: Any) -> Any:
            admission = place.fill(kwargs)

            async def call() -> Any:
                return _answer(await handler(*args, **kwargs), kwargs)

            if admission is None:
                return await call()
            if not admission.first:
                return Response()
            return await admission.ahandle(call, lambda answer: _status_of(answer, kwargs))

        chosen = async_operation if _is_async(handler) else operation
        _set_signature(chosen, place, dependency)
        return chosen

    return decorate


class RouteDocs(TypedDict):
    """Arguments of `app.post` and its kin."""

    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]


def route_docs(model: Any = None) -> RouteDocs:
    """Return the arguments that document a webhook's JSON body and refusals in the OpenAPI schema.

    The two headers are in it without this.

    Args:
        model: the type that the payload is parsed as, to be documented as the body; any object, if there is none.

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
    responses = {status: _document(refusals) for status, refusals in by_status.items()}
    if model is not None:
        responses[int(HTTPStatus.UNPROCESSABLE_ENTITY)] = _MISFIT
    return {
        "responses": dict(sorted(responses.items())),
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "description": "What the marketer wrote in Journey Hub, or what Listrak captured for the journey.",
                "content": {"application/json": {"schema": _models.json_schema(model)}},
            }
        },
    }


_MISFIT = {
    "description": f"- `{PayloadError.code}`: The delivery is genuine, but its payload does not fit; `loc` says where.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "detail": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "type": {"type": "string", "enum": [PayloadError.code]},
                                "loc": {
                                    "type": "array",
                                    "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                                },
                            },
                            "required": ["type", "loc"],
                        },
                    }
                },
                "required": ["detail"],
            }
        }
    },
}
"""What a payload that does not fit is answered with."""


def _document(refusals: list[type[Refusal]]) -> dict[str, Any]:
    codes = [refusal.code for refusal in refusals]
    reasons = [f"- `{refusal.code}`: {(refusal.__doc__ or '').splitlines()[0]}" for refusal in refusals]
    detail = {"type": "string", "enum": codes}
    schema = {"type": "object", "properties": {"detail": detail}, "required": ["detail"]}
    return {"description": "\n".join(reasons), "content": {"application/json": {"schema": schema}}}


class _Place(NamedTuple):
    """Where in a handler the event goes, and what it is parsed as."""

    name: str
    signature: inspect.Signature
    event: inspect.Parameter | None
    model: inspect.Parameter | None
    type: Any
    """What the model's parameter is annotated with; `None` where there is none."""

    @classmethod
    def of(cls, handler: Callable[..., Any], parse_as: Any) -> "_Place":
        """Return the places in `handler`, `parse_as` being what the user says that the model is.

        Raises:
            ConfigurationError: there is none, or more than one.
        """
        name = getattr(handler, "__name__", type(handler).__name__)
        try:
            signature = inspect.signature(handler, eval_str=True)
        except NameError:
            # A name that is not there yet; FastAPI resolves the texts itself, later or not at all.
            signature = inspect.signature(handler)
        parameters = signature.parameters.values()
        for parameter in parameters:
            if isinstance(parameter.annotation, str) and not _is_event(parameter.annotation):
                raise ConfigurationError(
                    f"{name} has a parameter {parameter.name} whose annotation names what is not there; "
                    "it must be at the top of the module, imported at run time and not for type checkers alone"
                )
        events = [parameter for parameter in parameters if _is_event(parameter.annotation)]
        models = [parameter for parameter in parameters if _is_model(parameter, parse_as)]
        if len(models) > 1 or (parse_as is not None and not models):
            raise ConfigurationError(
                f"{name} has {len(models)} parameters for the parsed payload and needs one; annotate one with the type"
            )
        if len(events) > 1 or not events + models:
            raise ConfigurationError(
                f"{name} has {len(events)} parameters for the event and needs one; annotate one with Event, from "
                "listrak_webhooks, which must be imported at run time and not for type checkers alone"
            )
        event, model = next(iter(events), None), next(iter(models), None)
        return cls(name, signature, event, model, None if model is None else _bare_type(model.annotation))

    @property
    def parameter(self) -> inspect.Parameter:
        """The one that FastAPI fills from the dependency; where there are two, the decorator fills the other."""
        return cast("inspect.Parameter", self.event or self.model)

    def fill(self, arguments: dict[str, Any]) -> Admission | None:
        """Put the event and the model where they go and return the admission; `None` in a call by the user."""
        admitted = arguments.get(self.parameter.name)
        if not isinstance(admitted, _Admitted):
            return None
        if self.event is not None:
            arguments[self.event.name] = admitted.admission.event
        if self.model is not None:
            arguments[self.model.name] = admitted.model
        return admitted.admission


def _bare_type(annotation: Any) -> Any:
    """Return an annotation without notes that mean nothing to FastAPI; `None` where one means that FastAPI fills it."""
    if get_origin(annotation) is not Annotated:
        return annotation
    bare, *notes = get_args(annotation)
    return None if any(isinstance(note, Param | Body | DependsMarker) for note in notes) else bare


def _is_model(parameter: inspect.Parameter, parse_as: Any) -> bool:
    if isinstance(parameter.default, Param | Body | DependsMarker):
        # The older way to say that FastAPI fills it.
        return False
    bare = _bare_type(parameter.annotation)
    if parse_as is not None:
        return bool(parse_as in (parameter.annotation, bare))
    return _models.is_model(bare)


def _set_signature(operation: Callable[..., Any], place: _Place, dependency: Callable[..., AsyncIterator[Any]]) -> None:
    """Give `operation` the parameters of its handler, with what the delivery gives coming from `dependency`."""
    parameters = list(place.signature.parameters.values())
    if any(parameter.kind is inspect.Parameter.POSITIONAL_ONLY for parameter in parameters):
        raise ConfigurationError(
            f"{place.name} takes a parameter by position only, and FastAPI passes everything by name"
        )
    # What is bare in front, such as the `self` of a method, stays there. Of the rest the event comes first, and with it
    # the verification: FastAPI runs dependencies in the order of the parameters. By name only, because that is how
    # FastAPI passes them, and because then any order is allowed. `*args` and `**kwargs` it would take for fields.
    bare = list(itertools.takewhile(_is_bare, parameters))
    first = place.parameter.replace(default=inspect.Parameter.empty, annotation=Annotated[Any, Depends(dependency)])
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    rest = [
        parameter
        for parameter in parameters[len(bare) :]
        if parameter not in (place.event, place.model) and parameter.kind not in variable
    ]
    by_name = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in [first, *rest]]
    operation.__signature__ = place.signature.replace(parameters=[*bare, *by_name])  # type: ignore[attr-defined]

    from_body = _body_parameters(get_dependant(path="/", call=operation))
    if from_body:
        raise ConfigurationError(
            f"{place.name} takes {', '.join(from_body)} from the body, which FastAPI would parse before the "
            "signature is checked; take it from the event, as event.payload, or pass parse_as= with its type"
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
