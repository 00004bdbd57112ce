"""FastAPI for the kit: the body and the headers of a request, rejections, and what comes of the handler."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.datastructures import DefaultPlaceholder

from listrak_webhooks._http.explaining import note_event
from listrak_webhooks._http.receiver import Receiver
from listrak_webhooks._http.rejection import forget_frames
from listrak_webhooks._http.starlette import StarletteStack
from listrak_webhooks.exceptions import PayloadError

from ._openapi import detail_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from listrak_webhooks._http.receiver import Arguments
    from listrak_webhooks._http.rejection import Rejection

EVENT = "listrak_webhooks.event"
"""Where in a request's scope its verified event is."""

RECEIVER = "listrak_webhooks.receiver"
"""Where in a request's scope the receiver of its delivery is, for `reject_later`."""

CLAIMED_BY = "listrak_webhooks.claimed_by"
"""Where in a request's scope the dependency is that has claimed its delivery."""

RESPONSE = "listrak_webhooks.response"
"""Where in a request's scope FastAPI's own response is, on which dependencies set headers and a status; for `Empty`."""


class Outcome(NamedTuple):
    """What a handler returned, and the status that it chose."""

    result: Any
    status: int = HTTPStatus.OK


def route_of(scope: Scope) -> Any:
    """Return the route of a request as FastAPI resolved it: an included router may have added to it."""
    return scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")


class _FastAPI(StarletteStack[Any]):
    """FastAPI, for the kit. A response is an `Outcome`, or an exception that is to be raised."""

    limit = "FastAPI's max_body_size"

    def empty(self) -> Outcome:
        return Outcome(Response())

    def rejection(self, error: Rejection, status: int) -> HTTPException:
        return HTTPException(status, detail_of(error))

    def status(self, response: Outcome) -> int:
        return response.status

    def status_of(self, error: Rejection) -> int:
        misfit = isinstance(error, PayloadError) and error.problems
        return HTTPStatus.UNPROCESSABLE_ENTITY if misfit else error.status


class _FastAPIInThread(_FastAPI):
    can_await = False


STACK = _FastAPI()


class AroundHandler(Receiver[Any, Any]):
    """What admits a delivery to its handler, in whatever thread or loop that runs."""

    def __init__(self, arguments: Arguments[Request], *, can_await: bool = True) -> None:
        super().__init__(STACK if can_await else _FastAPIInThread(), arguments)

    async def reject(self, error: Rejection, request: object, started: float | None = None) -> Any:  # noqa: ARG002
        """Return what to raise, instead of logging the rejection here."""
        return deferred(error)


# Rejections from around the handler. It may run in any thread or loop, so they are logged where the request is: FastAPI
# has a handler for exceptions there.


class DeferredError(Exception):
    """A rejection by the replay guard, to be logged by `reject_later`.

    Not an `HTTPException`: a handler of the user's for the status would come first.
    """

    def __init__(self, error: Rejection) -> None:
        super().__init__(error.code)
        self.error = error


class DeferredPayloadError(PayloadError):
    """A `PayloadError` of the handler, to be logged by `reject_later`; for all others, it is the error itself."""

    def __init__(self, error: PayloadError) -> None:
        super().__init__(*error.args)
        self.error = error

    def __reduce__(self) -> Any:
        return PayloadError, self.args


def deferred(error: Rejection) -> DeferredError | DeferredPayloadError:
    """Return what to raise for an error around the handler."""
    forget_frames(error)
    if isinstance(error, DeferredPayloadError):
        return error
    return DeferredPayloadError(error) if isinstance(error, PayloadError) else DeferredError(error)


async def reject_later(request: Request, error: Exception) -> NoReturn:
    """Log the rejection, notify `on_rejected`, and raise what FastAPI responds to; FastAPI calls this."""
    receiver: Receiver[Request, Any] | None = request.scope.get(RECEIVER)
    if receiver is None:
        raise error
    forget_frames(error)
    rejection: Any = getattr(error, "error", error)
    event = request.scope.get(EVENT)
    if event is not None:
        note_event(rejection, event)
    raise await receiver.reject(rejection, request) from None


class AlreadyHandled(HTTPException):
    """Ends a request whose delivery was handled before; without a handler the response is a 200 with a detail."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.OK)


async def _respond_to_duplicate(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return Response()


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    DeferredError: reject_later,
    DeferredPayloadError: reject_later,
    PayloadError: reject_later,
    AlreadyHandled: _respond_to_duplicate,
}


def expect(scope: Scope, *kinds: type[Exception]) -> None:
    """Let FastAPI call our handlers for these exceptions, of which the first is one of ours.

    They are put where Starlette looks handlers up. That no user has to register them is worth the look behind the
    curtain.
    """
    try:
        handlers = scope["starlette.exception_handlers"][0]
        if kinds[0] not in handlers:
            handlers.update({kind: _HANDLERS[kind] for kind in kinds if kind not in handlers})
    except (LookupError, TypeError, AttributeError):
        return


class Empty(Response):
    """The response to a handler that returned `None`: empty, and else what FastAPI would have made of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; only now it is known on which route, and with which headers and status."""
        route, shared = route_of(scope), scope.get(RESPONSE)
        status = self.status_code
        if status == HTTPStatus.OK:
            status = getattr(shared, "status_code", None) or getattr(route, "status_code", None) or status
        response_class = getattr(route, "response_class", None)
        if status != self.status_code or not isinstance(response_class, DefaultPlaceholder):
            response = _rendered(response_class, status)
            response.raw_headers += [each for each in self.raw_headers if each[0] != b"content-length"]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            self.status_code, self.body, self.raw_headers = status, response.body, response.raw_headers
        if shared is not None:
            self.raw_headers += shared.raw_headers
        await super().__call__(scope, receive, send)


def _rendered(response_class: Any, status: int) -> Response:
    """Return what a class of the user's own makes of `None`, unless that is JSON's null or nothing at all."""
    if response_class is not None and not isinstance(response_class, DefaultPlaceholder):
        try:
            rendered: Response = response_class(None, status_code=status)
            if rendered.body not in (b"", b"null"):
                return rendered
        except (AttributeError, TypeError):
            # One for something else, such as a file.
            pass
    return Response(status_code=status)
