"""Django: `@listrak_webhook` on a view, sync or async, under WSGI or ASGI.

    from listrak_webhooks.django import listrak_webhook

    @listrak_webhook
    def listrak(request, event):
        print(event.payload)

with the secret in `settings.LISTRAK_WEBHOOK_SECRET`. On a class-based view, decorate `dispatch`:
`@method_decorator(listrak_webhook, name="dispatch")`.
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from ._event_loops import settled
from ._extras import importing
from ._http import wsgi
from ._http.body import (
    DEFAULT_BODY_TIMEOUT,
    Body,
    body_consumed,
    body_over_framework_limit,
    missing_body,
    parse_content_length,
)
from ._http.callables import check_handler, checked, mark
from ._http.receiver import Arguments, Origin, Receiver, Stack
from ._http.signatures import check_event_parameter
from ._http.source import ABSENT, SETTING, Given, is_decorated

with importing("django", needed_by=__name__):
    import django  # noqa: F401  # pyright: ignore[reportUnusedImport]
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from django.db.backends.base.base import BaseDatabaseWrapper

    from ._core import Event, Webhook
    from ._http.rejection import Rejection
    from ._types import Headers, Secrets
    from .exceptions import WebhookError
    from .replay import AsyncReplayGuard, ReplayGuard

__all__ = ["listrak_webhook"]

DATA_UPLOAD_MAX_MEMORY_SIZE = "Django's DATA_UPLOAD_MAX_MEMORY_SIZE"

P = ParamSpec("P")
Request = TypeVar("Request", bound=HttpRequest)


class _Decorator(Protocol):
    """What `listrak_webhook(...)` returns."""

    @overload
    def __call__(
        self, view: Callable[Concatenate[Request, Event, P], Awaitable[HttpResponseBase | None]], /
    ) -> Callable[Concatenate[Request, P], Coroutine[Any, Any, HttpResponseBase]]: ...
    @overload
    def __call__(
        self, view: Callable[Concatenate[Request, Event, P], HttpResponseBase | None], /
    ) -> Callable[Concatenate[Request, P], HttpResponseBase]: ...


@overload
def listrak_webhook(
    webhook: Callable[Concatenate[Request, Event, P], Awaitable[HttpResponseBase | None]], /
) -> Callable[Concatenate[Request, P], Coroutine[Any, Any, HttpResponseBase]]: ...
@overload
def listrak_webhook(
    webhook: Callable[Concatenate[Request, Event, P], HttpResponseBase | None], /
) -> Callable[Concatenate[Request, P], HttpResponseBase]: ...
@overload
def listrak_webhook(
    webhook: Webhook | Secrets = ...,
    *,
    resolver: Callable[[HttpRequest], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, HttpRequest], object] | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
) -> _Decorator: ...
def listrak_webhook(
    webhook: Given | Callable[..., Any] = ABSENT,
    *,
    resolver: Callable[[HttpRequest], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, HttpRequest], object] | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
) -> Any:
    """Hand a view the verified `Event` of each genuine delivery, and answer every other request itself.

    The view is called as `view(request, event, ...)`; it may be `def` or `async def`. One that returns `None` answers
    an empty 200. Only POST is let in (405 for the rest), and the view is exempt from CSRF and from
    `LoginRequiredMiddleware`: a signature takes their place. A rejection has the error's status and
    `{"error": code}` and is logged on the logger `listrak_webhooks`. `request.body` keeps working in the view. What the
    view itself raises passes through, except that a `PayloadError` becomes a 400.

    On a class-based view, decorate `dispatch` by `method_decorator`, so that the exemptions reach the view; its `post`
    is then called as `post(self, request, event, ...)`.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is
            `settings.LISTRAK_WEBHOOK_SECRET` (a string or a list), else in the environment.
        resolver: a function of the request that returns the `Webhook`, for many accounts on one route; it may be
            `async`.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. The
            response to one that has been handled is an empty 200 again, without the view. A view that raises, or
            responds with a status from 400 up, has not handled it; under `ATOMIC_REQUESTS` it has when the
            transaction is committed.
        on_rejected: called as `on_rejected(error, request)` for each rejection, for metrics and alerts; it may be
            `async`. If it raises, that is logged and the delivery stays rejected. What it writes to the database for
            a `PayloadError` under `ATOMIC_REQUESTS` is rolled back with the rest.
        body_timeout: how many seconds a body may take to arrive under WSGI, from the first look at it to its end.
            Under ASGI Django has read the whole body before any view.

    Raises:
        ConfigurationError: a secret cannot be one, or, with the settings loaded, there is none; or the guard is an
            async one and the view is not.
    """
    if is_decorated(webhook):
        return listrak_webhook()(cast("Callable[..., Any]", webhook))
    arguments = Arguments(
        cast("Given", webhook),
        setting=_SYNC.setting,
        resolver=resolver,
        replay=replay,
        on_rejected=on_rejected,
        body_timeout=body_timeout,
    )
    # What is raised below must not find the secret in this frame.
    del webhook
    arguments.check()
    if resolver is None and settings.configured:
        arguments.source.get()

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        is_async = _is_async(view)
        arguments.check_guard(can_await=is_async)
        _check_view(view)
        endpoint: Any = _async_endpoint(arguments, view) if is_async else _endpoint(arguments, view)
        # What Django's own csrf_exempt and login_not_required set.
        endpoint.csrf_exempt = True
        endpoint.login_required = False
        mark(endpoint)
        return cast("Callable[..., Any]", endpoint)

    return decorate


def _endpoint(arguments: Arguments[HttpRequest], view: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
    receiver = Receiver(_SYNC, arguments)

    @functools.wraps(view)
    def endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        with receiver.receive(request) as reception:
            if reception.event is not None:
                result = view(request, reception.event, *args, **kwargs)
                reception.response = _SYNC.empty() if result is None else checked(view, result, HttpResponseBase)
        return cast("HttpResponseBase", reception.response)

    return endpoint


def _async_endpoint(
    arguments: Arguments[HttpRequest], view: Callable[..., Any]
) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    receiver = Receiver(_ASYNC, arguments)

    @functools.wraps(view)
    async def endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        async with receiver.receive(request) as reception:
            if reception.event is not None:
                result = await view(request, reception.event, *args, **kwargs)
                reception.response = _ASYNC.empty() if result is None else checked(view, result, HttpResponseBase)
        return cast("HttpResponseBase", reception.response)

    return endpoint


def _is_async(view: Callable[..., Any]) -> bool:
    """Return whether calling `view` gives something to await.

    `View.dispatch` is plain `def` even if the class's handlers are async and it returns their coroutines;
    `method_decorator` hands it over as a partial of the bound method.
    """
    owner = getattr(getattr(view, "func", view), "__self__", None)
    return iscoroutinefunction(view) or bool(getattr(owner, "view_is_async", False))


def _check_view(view: Callable[..., Any]) -> None:
    """Find, before a delivery is lost on it, a view that the event cannot be passed to.

    Raises:
        ConfigurationError: it does not take a request and an event by position, or its parameter for the event is
            annotated with another type; or no decorator of ours can serve it.
    """
    if isinstance(view, functools.partial):
        # From `method_decorator`, once for each request.
        return
    check_handler(view)
    on_dispatch = (
        'on a class-based view the decorator belongs on dispatch: method_decorator(listrak_webhook, name="dispatch")'
    )
    check_event_parameter(view, in_front=1, advice=on_dispatch, takes_self=False)


class _Django(Stack[HttpRequest, "HttpResponseBase"]):
    """What the sync and the async views have in common."""

    def setting(self) -> Secrets | None:
        return cast("Secrets | None", getattr(settings, SETTING, None))

    def headers(self, request: HttpRequest) -> Headers:
        return request.META

    def body(self, request: HttpRequest, webhook: Webhook, seconds: float) -> Body:
        limits = wsgi.Limits(webhook, settings.DATA_UPLOAD_MAX_MEMORY_SIZE, DATA_UPLOAD_MAX_MEMORY_SIZE, seconds)
        environ: dict[str, Any] | None = getattr(request, "environ", None)
        if environ is None:
            return _read_asgi(request, limits)
        # Under WSGI Django takes a body without a length for an empty one, so whatever was read there was not the body.
        if environ.get("CONTENT_LENGTH") and _is_touched(request):
            return wsgi.read_body(environ, limits, functools.partial(_body, request))
        body = wsgi.read_body(environ, limits)
        wsgi.put_back(environ, body.data)
        _put_back(request, body.data)
        return body

    def origin(self, request: HttpRequest) -> Origin:
        return Origin(request.META.get("REMOTE_ADDR"), request.path)

    def discard(self, request: HttpRequest) -> None:
        environ: dict[str, Any] | None = getattr(request, "environ", None)
        if environ is not None and not _is_touched(request):
            wsgi.drain(environ)

    def empty(self) -> HttpResponseBase:
        return HttpResponse()

    def rejection(self, error: Rejection, status: int) -> HttpResponseBase:
        return JsonResponse({"error": error.code}, status=status)

    def status(self, response: HttpResponseBase) -> int:
        return response.status_code


class _Sync(_Django):
    def call(self, function: Callable[..., Any], *args: object) -> Any:
        return async_to_sync(function)(*args) if iscoroutinefunction(function) else function(*args)

    def undo(self) -> None:
        """Undo what the view has done under `ATOMIC_REQUESTS`, as Django does for an exception that reaches it."""
        for connection in _atomic_requests():
            connection.set_rollback(True)

    def when_done(self, complete: Callable[[], None]) -> bool:
        """Complete the claim once what the view did is committed.

        If the transaction is rolled back after all, nobody is told; then the lease ends the claim.
        """
        pending = _atomic_requests()
        if pending:
            transaction.on_commit(complete, using=pending[-1].alias)
        return bool(pending)


class _Async(_Django):
    can_await = True

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        # What may block runs in Django's thread for such code.
        return function(*args) if iscoroutinefunction(function) else settled(sync_to_async(function)(*args))


_SYNC = _Sync()
_ASYNC = _Async()


def _atomic_requests() -> list[BaseDatabaseWrapper]:
    """Return the databases with a transaction around this request, in the order of their commits."""
    return [
        connection
        for connection in connections.all(initialized_only=True)
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block
    ]


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig:
        raise body_over_framework_limit(DATA_UPLOAD_MAX_MEMORY_SIZE) from None
    except RawPostDataException:
        raise body_consumed("the body was already read as a stream") from None


def _read_asgi(request: HttpRequest, limits: wsgi.Limits) -> Body:
    """Return a body that Django's ASGI handler has already gathered, in memory or in a file."""
    declared = parse_content_length(request.META.get("CONTENT_LENGTH"))
    if declared is not None:
        limits.check(declared)
    if _is_touched(request):
        data = _body(request)
    else:
        # Not request.body: of a body without a length, it would hold all before it looks at the size.
        data = wsgi.read_pieces(request.read, limits.most + 1)
        limits.check(len(data))
        _put_back(request, data)
    chunked = bool(request.META.get("HTTP_TRANSFER_ENCODING"))
    encoding = request.META.get("HTTP_CONTENT_ENCODING")
    return Body(data, missing_body(data, declared=declared, chunked=chunked, encoding=encoding))


def _is_touched(request: HttpRequest) -> bool:
    """Return whether other code has read the body, or something of it."""
    return hasattr(request, "_body") or getattr(request, "_read_started", False)


def _put_back(request: HttpRequest, data: bytes) -> None:
    # Forms with files are read only as far as this says.
    request.META["CONTENT_LENGTH"] = str(len(data))
    # Where request.body and request.read() have it. Django offers no other way to hand on a body that was read past its
    # own stream.
    request._body = data  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    request._stream = io.BytesIO(data)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
