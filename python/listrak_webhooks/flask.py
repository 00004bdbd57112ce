"""Flask: `@listrak_webhook` on a view.

from flask import Flask
from listrak_webhooks.flask import listrak_webhook

app = Flask(__name__)
app.config["LISTRAK_WEBHOOK_SECRET"] = "the HMAC secret"

@app.post("/listrak")
@listrak_webhook
def listrak(event):
    print(event.payload)
"""

from __future__ import annotations

import functools
import inspect
import io
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload

from ._adapter import (
    SETTING,
    Admission,
    Refusal,
    WebhookSource,
    body_over_framework_limit,
    body_unreadable,
    check_arguments,
    check_guard,
    check_resolved,
    log_refusal,
    lost_part,
    missing_framework,
    parse_content_length,
    verdict_stands,
    verify,
)
from ._wsgi import bounded_wait, is_chunked, is_terminated, read_limited, read_pieces
from .exceptions import ConfigurationError, PayloadError, WebhookError

try:
    from flask import Request, Response, current_app, jsonify, make_response, request
except ModuleNotFoundError as error:
    raise missing_framework("flask", "Flask", error) from None
from flask.views import MethodView
from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flask.typing import ResponseReturnValue

    from ._core import Event, Webhook
    from ._types import Secrets
    from .replay import ReplayGuard

__all__ = ["listrak_webhook"]

MAX_CONTENT_LENGTH = "Flask's MAX_CONTENT_LENGTH"

P = ParamSpec("P")
ViewResult: TypeAlias = "ResponseReturnValue | Awaitable[ResponseReturnValue | None] | None"
Owner = TypeVar("Owner", bound=MethodView)


class _ViewOfAnyArguments(Protocol):
    """A view that takes its URL arguments together."""

    def __call__(self, event: Event, **url_args: Any) -> ViewResult: ...


class _Decorator(Protocol):
    """What `listrak_webhook(...)` returns: it takes a function, or a method of a `MethodView`."""

    @overload
    def __call__(self, view: Callable[Concatenate[Event, P], ViewResult], /) -> Callable[P, ResponseReturnValue]: ...
    @overload
    def __call__(
        self, view: Callable[Concatenate[Owner, Event, P], ViewResult], /
    ) -> Callable[Concatenate[Owner, P], ResponseReturnValue]: ...
    # For mypy, to which `**url_args` is no `P`; pyright says that it has seen the shape above.
    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload]
        self, view: _ViewOfAnyArguments, /
    ) -> Callable[..., ResponseReturnValue]: ...


@overload
def listrak_webhook(webhook: Callable[Concatenate[Event, P], ViewResult], /) -> Callable[P, ResponseReturnValue]: ...
@overload
def listrak_webhook(
    webhook: Callable[Concatenate[Owner, Event, P], ViewResult], /
) -> Callable[Concatenate[Owner, P], ResponseReturnValue]: ...
@overload
def listrak_webhook(  # pyright: ignore[reportOverlappingOverload]
    webhook: _ViewOfAnyArguments, /
) -> Callable[..., ResponseReturnValue]: ...
@overload
def listrak_webhook(
    webhook: Webhook | Secrets | None = None,
    *,
    resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, Request], object] | None = None,
) -> _Decorator: ...
def listrak_webhook(
    webhook: Webhook | Secrets | Callable[..., Any] | None = None,
    *,
    resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, Request], object] | None = None,
) -> Any:
    """Hand a view the verified `Event` of each genuine delivery, and answer every other request itself.

    The view is called as `view(event, **url_args)`; it may be `def` or `async def` (with Flask's `async` extra), and a
    method of a `MethodView`. One that returns `None` answers an empty 200. A refusal answers the error's status with
    `{"error": code}` and is logged on the logger `listrak_webhooks`. `request.get_data()` and `request.json` keep
    working in the view. What the view itself raises passes through, except that a `PayloadError` answers 400.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is `LISTRAK_WEBHOOK_SECRET` in
            `app.config` (a string or a list), else in the environment.
        resolver: a function of the request that returns the `Webhook`, for many accounts on one route.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. One
            that has been handled answers an empty 200 again, without the view. A view that raises, or answers a status
            from 400 up, has not handled it.
        on_rejected: called as `on_rejected(error, request)` for each refusal, for metrics and alerts. If it raises,
            that is logged and the verdict stands.

    Raises:
        ConfigurationError: a given secret cannot be one; or `replay` is no guard, or one for `async with` alone. A
            secret that is missing when a request comes answers 500 and is logged as an ERROR: nothing is accepted
            without one.
    """
    if callable(webhook):
        return listrak_webhook()(webhook)
    check_arguments(webhook, resolver)
    check_guard(replay, can_await=False)
    source = WebhookSource(webhook, _read_setting)

    def refuse(error: Refusal) -> Response:
        log_refusal(error)
        if on_rejected is not None and isinstance(error, WebhookError):
            with verdict_stands(error):
                current_app.ensure_sync(on_rejected)(error, _request())
        response = jsonify(error=error.code)
        response.status_code = error.status
        return response

    def decorate(view: Callable[..., Any]) -> Callable[..., ResponseReturnValue]:
        _check_takes_event(view)

        @functools.wraps(view)
        def endpoint(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            try:
                if resolver is None:
                    current = source.get()
                else:
                    current = check_resolved(current_app.ensure_sync(resolver)(_request()))
                admission = Admission(replay, _receive(current))
                if not admission.enter():
                    return _empty()
            except (WebhookError, ConfigurationError) as error:
                return refuse(error)
            # Flask passes URL arguments by name; what is positional is the `self` of a method.
            call = functools.partial(_call, view, *args, admission.event, **kwargs)
            try:
                # Only a guard has to know what the answer is.
                return call() if replay is None else admission.handle(lambda: make_response(call()), _status_of)
            except PayloadError as error:
                return refuse(error)

        return endpoint

    return decorate


def _call(view: Callable[..., Any], /, *args: Any, **kwargs: Any) -> ResponseReturnValue:
    result = current_app.ensure_sync(view)(*args, **kwargs)
    return _empty() if result is None else cast("ResponseReturnValue", result)


def _status_of(response: Response) -> int:
    return response.status_code


def _empty() -> Response:
    return current_app.response_class(status=200)


def _check_takes_event(view: Callable[..., Any]) -> None:
    """Refuse a view that the event cannot be passed to, before a delivery is lost on it.

    Raises:
        ConfigurationError: it takes nothing by position.
    """
    by_position = {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }
    if not any(parameter.kind in by_position for parameter in inspect.signature(view).parameters.values()):
        raise ConfigurationError(
            f"{getattr(view, '__name__', 'the view')} takes no event; it needs a first parameter for it, and in a "
            "MethodView the decorator stands on the method, not in `decorators`"
        )


def _read_setting() -> Secrets | None:
    config = cast("dict[str, Any]", current_app.config)
    return config.get(SETTING)


def _request() -> Request:
    """Return the request itself, not the proxy, which could outlive it in a user's hands."""
    return cast("Request", request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001


def _receive(webhook: Webhook) -> Event:
    chunked = is_chunked(request.environ)
    # Werkzeug goes by the chunks where there are both.
    declared = None if chunked else parse_content_length(request.environ.get("CONTENT_LENGTH"))
    # Werkzeug keeps the stream that was asked for, and the data that was read from it by `get_data`.
    touched = "stream" in vars(_request()) and getattr(request, "_cached_data", None) is None
    body = _read_body(webhook, declared)
    lost = lost_part(body, declared=declared, chunked=chunked, touched=touched)
    return verify(webhook, body, request.environ, lost)


def _read_body(webhook: Webhook, declared: int | None) -> bytes:
    if declared is not None:
        webhook.check_size(declared)
    try:
        with bounded_wait(request.environ) as bare:
            if declared is None and is_terminated(request.environ):
                # Where nothing is left, Werkzeug may have kept what was read before.
                if body := _read_undeclared(webhook):
                    _put_back(body)
            elif declared is not None and bare is not None and "stream" not in vars(_request()):
                # Flask checks its own limit where the stream is first asked for.
                _ = request.stream
                _put_back(read_pieces(bare.read1, declared))
            return request.get_data()
    except RequestEntityTooLarge:
        raise body_over_framework_limit(MAX_CONTENT_LENGTH) from None
    except (WebhookError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001
        # A server's reader has exceptions of its own for what it cannot read.
        raise body_unreadable(error) from None


def _read_undeclared(webhook: Webhook) -> bytes:
    """Read a body without a length, up to the limit.

    Werkzeug's own limit would cut such a body off without a word, and then its signature would look bad.
    """
    return read_limited(request.environ["wsgi.input"], webhook, request.max_content_length, MAX_CONTENT_LENGTH)


def _put_back(body: bytes) -> None:
    """Put `body` where Werkzeug looks for it."""
    stream = io.BytesIO(body)
    request.stream = stream  # type: ignore[assignment, unused-ignore]  # pyright: ignore[reportAttributeAccessIssue]
