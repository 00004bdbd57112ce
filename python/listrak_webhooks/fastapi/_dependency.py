"""The dependency: from a request to its verified event, or to the rejection."""

# No `from __future__ import annotations` here: FastAPI reads the annotations of a dependency at run time, and of an
# instance it cannot resolve them from text.
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Generic, NoReturn, TypeAlias, cast, overload

import anyio.to_thread
from fastapi import Depends, Request, Response
from fastapi.security.base import SecurityBase
from starlette.types import Receive, Scope, Send

from listrak_webhooks._core import LARGE_BODY, Event, Webhook
from listrak_webhooks._http.body import DEFAULT_BODY_TIMEOUT
from listrak_webhooks._http.receiver import Arguments, Receiver
from listrak_webhooks._http.rejection import Rejection
from listrak_webhooks._http.source import ABSENT, Given
from listrak_webhooks._payload import models
from listrak_webhooks._types import Secrets, T
from listrak_webhooks.exceptions import ConfigurationError, PayloadError, WebhookError
from listrak_webhooks.replay import AsyncReplayGuard, ReplayGuard

from ._openapi import SCHEME, SCHEME_NAME, reject_as_parameter
from ._signature import body_parameters
from ._stack import (
    CLAIMED_BY,
    EVENT,
    RECEIVER,
    RESPONSE,
    STACK,
    AlreadyHandled,
    AroundHandler,
    DeferredError,
    DeferredPayloadError,
    Outcome,
    expect,
    route_of,
)

Resolver: TypeAlias = Callable[[Request], Webhook | Awaitable[Webhook]]
OnRejected: TypeAlias = Callable[[WebhookError, Request], object]


def checked(arguments: Arguments[Request]) -> Arguments[Request]:
    """Return the arguments, if nothing is wrong with them that can be known before a request.

    Raises:
        ConfigurationError: something is.
    """
    arguments.check()
    arguments.check_guard(can_await=True)
    if arguments.resolver is None:
        arguments.source.get()
    return arguments


class Verification(SecurityBase):
    """From a request to its verified event, or to what that is parsed as.

    FastAPI takes it for a security scheme, and documents it as one.
    """

    def __init__(self, arguments: Arguments[Request], parse_as: Any) -> None:
        if parse_as is not None:
            models.check(parse_as)
        self.model = SCHEME
        self.scheme_name = SCHEME_NAME
        self.arguments = arguments
        self._receiver: Receiver[Request, Any] = Receiver(STACK, arguments)
        self._parse_as = parse_as

    def _verify(self, request: Request) -> Awaitable[Event]:
        scope = request.scope
        if getattr(route_of(scope), "body_field", None) is not None:
            close_route(request, self._receiver)
        scope[RECEIVER] = self._receiver
        return self._receiver.verify(request)

    async def give(self, event: Event) -> Any:
        """Return the event, or what it is parsed as.

        Raises:
            PayloadError: it does not fit.
        """
        if self._parse_as is None:
            return event
        if len(event.body) < LARGE_BODY:
            return event.parse_as(self._parse_as)
        return await anyio.to_thread.run_sync(event.parse_as, self._parse_as)

    async def reject(self, error: Rejection, request: Request) -> Exception:
        """Log the rejection, notify `on_rejected`, and return what to raise."""
        return cast("Exception", await self._receiver.reject(error, request))


def close_route(request: Request, receiver: Receiver[Request, Any]) -> NoReturn:
    """Close a route whose body FastAPI has read and parsed before the signature could be checked.

    No object of ours is asked when FastAPI makes a route, so that it cannot be known earlier.

    Raises:
        ConfigurationError: always. From now on the route rejects every request before its body is read.
    """
    open_route, bad = request.scope["route"], route_of(request.scope)
    names = ", ".join(dict.fromkeys(body_parameters(bad.dependant)))
    text = (
        f"the route {bad.path} has {names} from the body, in a parameter of its own or in a dependency of the route, "
        "its router or the app; FastAPI reads and parses that before the signature is checked, so the route rejects "
        "every delivery; take it from the event, as event.payload, or pass parse_as= with its type"
    )

    handle = open_route.handle

    async def closed(scope: Scope, receive: Receive, send: Send) -> None:
        # A router may be included twice, and the route be a good one elsewhere.
        if route_of(scope) is bad and scope["method"] in bad.methods:
            raise await receiver.reject(ConfigurationError(text), Request(scope, receive))
        await handle(scope, receive, send)

    # Not its app, which some versions of FastAPI make anew for each request.
    open_route.handle = closed
    raise ConfigurationError(text)


class ListrakWebhook(Verification, Generic[T]):
    """A dependency that gives the verified `Event` of a genuine delivery, and rejects every other request.

    A rejection responds with the error's status and `{"detail": code}`, and is logged on the logger
    `listrak_webhooks`. `request.body()` and `request.json()` keep working behind it. What the path operation itself
    raises passes through, except that a `PayloadError` is responded to with 400, or with 422 and the paths if the
    payload does not fit a type.

    A route with a parameter for the body, also in a dependency of the route, the router or the app, is one that FastAPI
    reads and parses before any dependency runs. The first request that gets through that parsing finds it: from then on
    the route rejects every request with 500 `configuration_error` before its body is read, and each is logged as an
    ERROR. The decorator finds it at decoration if it is in the handler's own signature.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is the environment variable
            `LISTRAK_WEBHOOK_SECRET`.
        resolver: a function of the request, `def` or `async def`, that returns the `Webhook`, for many accounts on one
            route.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. One
            that has been handled gets an empty 200 again, without the path operation. An exception gives the
            delivery free again. FastAPI may end a dependency after the response was sent, and so the claim with it;
            with `Depends(..., scope="function")` (from FastAPI 0.121 on), or with the decorator, that comes first.
        on_rejected: called as `on_rejected(error, request)` for each rejection, for metrics and alerts; `def` or
            `async def`. If it raises, that is logged and the delivery stays rejected.
        body_timeout: how many seconds a body may take to arrive, from the first look at it to its end.
        parse_as: a type of your own, to give instead of the `Event` what `Event.parse_as` makes of it.

    Raises:
        ConfigurationError: there is no secret, or it cannot be one; `replay` is not a guard; or no library that is
            installed can read a payload as `parse_as`.

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
        webhook: Webhook | Secrets = ...,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
        body_timeout: float = DEFAULT_BODY_TIMEOUT,
    ) -> None: ...
    @overload
    def __init__(
        self,
        webhook: Webhook | Secrets = ...,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
        body_timeout: float = DEFAULT_BODY_TIMEOUT,
        parse_as: type[T],
    ) -> None: ...
    def __init__(  # noqa: PLR0913
        self,
        webhook: Given = ABSENT,
        *,
        resolver: Resolver | None = None,
        replay: ReplayGuard | AsyncReplayGuard | None = None,
        on_rejected: OnRejected | None = None,
        body_timeout: float = DEFAULT_BODY_TIMEOUT,
        parse_as: type[T] | None = None,
    ) -> None:
        arguments: Arguments[Request] = Arguments(
            webhook, resolver=resolver, replay=replay, on_rejected=on_rejected, body_timeout=body_timeout
        )
        # What is raised below must not find the secret in this frame.
        del webhook
        super().__init__(checked(arguments), parse_as)
        if replay is not None:
            self._around = AroundHandler(arguments)
            # FastAPI looks at the class to see whether a dependency yields, and only one with a guard has to.
            self.__class__ = _guarded(type(self))

    async def __call__(self, request: Request) -> T:
        """Return the event, or what it is parsed as; FastAPI calls this, once for each request."""
        expect(request.scope, PayloadError)
        try:
            event = request.scope[EVENT] = await self._verify(request)
            return cast("T", event if self._parse_as is None else await self.give(event))
        except (WebhookError, ConfigurationError) as error:
            raise await self.reject(error, request) from None


reject_as_parameter(
    ListrakWebhook.__init__,  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    "Depends(ListrakWebhook) is the class and not a dependency; write Depends(ListrakWebhook()), with parentheses",
)


class _Guarded(ListrakWebhook[T]):
    """The dependency with a replay guard, which is entered before the path operation and left after it."""

    async def __call__(self, request: Request) -> AsyncIterator[T]:  # type: ignore[override]
        """Yield the event, or what it is parsed as."""
        expect(request.scope, AlreadyHandled, DeferredError, DeferredPayloadError, PayloadError)
        try:
            event = request.scope[EVENT] = await self._verify(request)
        except (WebhookError, ConfigurationError) as error:
            raise await self.reject(error, request) from None
        if request.scope.get(CLAIMED_BY) is self:
            # A route may use it twice, with other security scopes; the first use completes the claim.
            yield await self.give(event)
            return
        around = self._around.handle(event, request)
        async with around:
            if around.event is not None:
                request.scope[CLAIMED_BY] = self
                yield await self.give(event)
                around.response = Outcome(None)
        if isinstance(around.response, Exception):
            raise around.response
        if around.event is None:
            raise AlreadyHandled


def _guarded(kind: type[Any]) -> type[Any]:
    if issubclass(kind, _Guarded):
        return kind  # pyright: ignore[reportUnknownVariableType]
    return _Guarded if kind is ListrakWebhook else type(kind.__name__, (kind, _Guarded), {})


# What the decorator puts into the signature of its handler.


class Hook(Verification):
    """The dependency of a decorated handler. What comes after it is dealt with around the handler."""

    async def __call__(self, request: Request, response: Response) -> Any:
        """Return the event, or what it is parsed as."""
        request.scope[RESPONSE] = response
        expect(request.scope, DeferredPayloadError, DeferredError)
        try:
            event = request.scope[EVENT] = await self._verify(request)
            return event if self._parse_as is None else await self.give(event)
        except (WebhookError, ConfigurationError) as error:
            raise await self.reject(error, request) from None


def parsed(hook: Hook, model: Any) -> Callable[..., Awaitable[Any]]:
    """Return the dependency that parses the event of another one."""
    parsing = Verification(hook.arguments, model)

    async def parse(request: Request, event: Annotated[Any, Depends(hook)]) -> Any:
        try:
            return await parsing.give(event)
        except WebhookError as error:
            raise await parsing.reject(error, request) from None

    return parse


class Turn:
    """The turn of a handler that cannot enter its replay guard where it runs."""

    def __init__(self, *, is_first: bool) -> None:
        self.is_first = is_first
        self.status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
        """The status that the handler chose; this one if it was never reached."""


def in_turn(hook: Hook) -> Callable[..., AsyncIterator[Turn]]:
    """Return the dependency that is in the replay guard while the handler runs, wherever that is."""
    receiver = AroundHandler(hook.arguments)

    async def turn(event: Annotated[Any, Depends(hook)], request: Request) -> AsyncIterator[Turn]:
        around = receiver.handle(event, request)
        async with around:
            if around.event is not None:
                mine = Turn(is_first=True)
                yield mine
                around.response = Outcome(None, mine.status)
            elif not isinstance(around.response, Exception):
                yield Turn(is_first=False)
        if isinstance(around.response, Exception):
            raise around.response

    return turn
