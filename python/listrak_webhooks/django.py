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
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from ._adapter import (
    SETTING,
    Admission,
    Refusal,
    WebhookSource,
    body_consumed,
    body_over_framework_limit,
    body_unreadable,
    check_arguments,
    check_guard,
    check_resolved,
    log_refusal,
    lost_part,
    missing_framework,
    not_handled,
    parse_content_length,
    verdict_stands,
    verify,
)
from ._wsgi import bounded_wait, is_chunked, is_terminated, read_limited
from .exceptions import ConfigurationError, PayloadError, WebhookError

try:
    from django.conf import settings
except ModuleNotFoundError as error:
    raise missing_framework("django", "Django", error) from None
from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.core.exceptions import RequestDataTooBig
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.request import RawPostDataException

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.http.response import HttpResponseBase

    from ._core import Event, Webhook
    from ._types import Secrets
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
    webhook: Webhook | Secrets | None = None,
    *,
    resolver: Callable[[HttpRequest], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, HttpRequest], object] | None = None,
) -> _Decorator: ...
def listrak_webhook(
    webhook: Webhook | Secrets | Callable[..., Any] | None = None,
    *,
    resolver: Callable[[HttpRequest], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | AsyncReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, HttpRequest], object] | None = None,
) -> Any:
    """Hand a view the verified `Event` of each genuine delivery, and answer every other request itself.

    The view is called as `view(request, event, ...)`; it may be `def` or `async def`. One that returns `None` answers
    an empty 200. Only POST is let in (405 for the rest), and the view is exempt from CSRF and from
    `LoginRequiredMiddleware`: a signature takes their place. A refusal answers the error's status with
    `{"error": code}` and is logged on the logger `listrak_webhooks`. `request.body` keeps working in the view. What the
    view itself raises passes through, except that a `PayloadError` answers 400.

    On a class-based view, decorate `dispatch` by `method_decorator`, so that the exemptions reach the view; its `post`
    is then called as `post(self, request, event, ...)`.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is
            `settings.LISTRAK_WEBHOOK_SECRET` (a string or a list), else in the environment.
        resolver: a function of the request that returns the `Webhook`, for many accounts on one route; it may be
            `async`.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. One
            that has been handled answers an empty 200 again, without the view. A view that raises, or answers a status
            from 400 up, has not handled it; under `ATOMIC_REQUESTS` it has when the transaction is committed.
        on_rejected: called as `on_rejected(error, request)` for each refusal, for metrics and alerts; it may be
            `async`. If it raises, that is logged and the verdict stands. What it writes to the database for a
            `PayloadError` under `ATOMIC_REQUESTS` is rolled back with the rest.

    Raises:
        ConfigurationError: a secret cannot be one, or, with the settings loaded, there is none; or the guard is an
            async one and the view is not.
    """
    if callable(webhook):
        return listrak_webhook()(webhook)
    door = _Door(webhook, resolver, replay, on_rejected)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        is_async = _is_async(view)
        check_guard(replay, can_await=is_async)
        endpoint: Any = _async_endpoint(door, view) if is_async else _endpoint(door, view)
        # What Django's own csrf_exempt and login_not_required set.
        endpoint.csrf_exempt = True
        endpoint.login_required = False
        return cast("Callable[..., Any]", endpoint)

    return decorate


class _Door:
    """Who is let in, and who is told of the others."""

    def __init__(self, webhook: Webhook | Secrets | None, resolver: Any, replay: Any, on_rejected: Any) -> None:
        check_arguments(webhook, resolver)
        self.source = WebhookSource(webhook, lambda: cast("Secrets | None", getattr(settings, SETTING, None)))
        self.resolver = resolver
        self.replay = replay
        self.on_rejected = on_rejected
        if resolver is None and (webhook is not None or settings.configured):
            self.source.get()

    def resolve(self, request: HttpRequest) -> Webhook:
        return self.source.get() if self.resolver is None else check_resolved(_run(self.resolver, request))

    def refuse(self, error: Refusal, request: HttpRequest) -> HttpResponseBase:
        log_refusal(error)
        if self.on_rejected is not None and isinstance(error, WebhookError):
            with verdict_stands(error):
                _run(self.on_rejected, error, request)
        return JsonResponse({"error": error.code}, status=error.status)


def _endpoint(door: _Door, view: Callable[..., Any]) -> Callable[..., HttpResponseBase]:
    @functools.wraps(view)
    def endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            admission = Admission(door.replay, _receive(request, door.resolve(request)))
            if not admission.enter():
                return HttpResponse()
        except (WebhookError, ConfigurationError) as error:
            return door.refuse(error, request)
        try:
            response = _answer(view(request, admission.event, *args, **kwargs))
        except BaseException as error:
            admission.leave(error)
            if not isinstance(error, PayloadError):
                raise
            response = door.refuse(error, request)
            _roll_back()
            return response
        _leave_when_committed(admission, response)
        return response

    return endpoint


def _async_endpoint(door: _Door, view: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, HttpResponseBase]]:
    # The same, but for the user's own functions: they may block, so they run in Django's thread for such code.
    resolve, refuse = sync_to_async(door.resolve), sync_to_async(door.refuse)

    @functools.wraps(view)
    async def endpoint(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            webhook = await resolve(request) if door.resolver else door.resolve(request)
            admission = Admission(door.replay, _receive(request, webhook))
            if not await admission.aenter():
                return HttpResponse()
        except (WebhookError, ConfigurationError) as error:
            return await refuse(error, request) if door.on_rejected else door.refuse(error, request)

        async def call() -> HttpResponseBase:
            return _answer(await view(request, admission.event, *args, **kwargs))

        try:
            return await admission.ahandle(call, _status_of)
        except PayloadError as error:
            return await refuse(error, request) if door.on_rejected else door.refuse(error, request)

    return endpoint


def _is_async(view: Callable[..., Any]) -> bool:
    """Return whether calling `view` gives something to await.

    `View.dispatch` is plain `def` even where the class's handlers are async and it returns their coroutines;
    `method_decorator` hands it over as a partial of the bound method.
    """
    owner = getattr(getattr(view, "func", view), "__self__", None)
    return iscoroutinefunction(view) or bool(getattr(owner, "view_is_async", False))


def _run(function: Callable[..., Any], *args: object) -> Any:
    """Call a function of the user's, which may be async, from a thread without a loop."""
    return async_to_sync(function)(*args) if iscoroutinefunction(function) else function(*args)


def _answer(result: HttpResponseBase | None) -> HttpResponseBase:
    return HttpResponse() if result is None else result


def _status_of(response: HttpResponseBase) -> int:
    return response.status_code


def _atomic_requests() -> list[BaseDatabaseWrapper]:
    """Return the databases with a transaction around this request, in the order of their commits."""
    return [
        connection
        for connection in connections.all(initialized_only=True)
        if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block
    ]


def _roll_back() -> None:
    """Undo what the view has done under `ATOMIC_REQUESTS`, as Django does for an exception that reaches it."""
    for connection in _atomic_requests():
        connection.set_rollback(True)


def _leave_when_committed(admission: Admission, response: HttpResponseBase) -> None:
    """Complete the claim once what the view did is safe.

    Where the transaction is rolled back after all, nobody is told; then the lease ends the claim.
    """
    error = not_handled(response.status_code)
    pending = _atomic_requests()
    if error is None and pending:
        transaction.on_commit(admission.leave, using=pending[-1].alias)
    else:
        admission.leave(error)


def _receive(request: HttpRequest, webhook: Webhook) -> Event:
    declared = parse_content_length(request.META.get("CONTENT_LENGTH"))
    body = _read_body(request, webhook, declared)
    lost = lost_part(body, declared=declared, chunked=is_chunked(request.META))
    return verify(webhook, body, request.META, lost)


def _read_body(request: HttpRequest, webhook: Webhook, declared: int | None) -> bytes:
    if declared is not None:
        webhook.check_size(declared)
    try:
        return _read(request, webhook, declared)
    except RequestDataTooBig:
        raise body_over_framework_limit(DATA_UPLOAD_MAX_MEMORY_SIZE) from None
    except RawPostDataException:
        raise body_consumed("the body was already read as a stream") from None
    except (WebhookError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001
        # A server's reader has exceptions of its own for what it cannot read.
        raise body_unreadable(error) from None


def _read(request: HttpRequest, webhook: Webhook, declared: int | None) -> bytes:
    if hasattr(request, "_body"):
        # Read before us, and kept by Django.
        return request.body
    with bounded_wait(getattr(request, "environ", {})) as connection:
        if declared is None:
            return _read_undeclared(request, webhook)
        # Django's own stream cannot take a read that comes back with nothing at all.
        if connection is not None and declared and not connection.peek(1):
            raise body_consumed("nothing of the body was left")
        return request.body


def _read_undeclared(request: HttpRequest, webhook: Webhook) -> bytes:
    """Read a body that came without a `Content-Length`, and leave it where `request.body` finds it.

    Under ASGI Django holds all of it in a file already. Under WSGI Django takes such a request for an empty one, so it
    is read past Django, where the server makes that safe.
    """
    environ = getattr(request, "environ", None)
    if environ is not None and not is_terminated(environ):
        return request.body
    if environ is None and getattr(request, "_read_started", False):
        raise RawPostDataException
    stream = request if environ is None else environ["wsgi.input"]
    body = read_limited(stream, webhook, settings.DATA_UPLOAD_MAX_MEMORY_SIZE, DATA_UPLOAD_MAX_MEMORY_SIZE)
    # Where request.body keeps it.
    request._body = body  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    return body
