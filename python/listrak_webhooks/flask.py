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
import importlib.util
import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload
from weakref import WeakSet

from ._extras import importing
from ._http import wsgi
from ._http.body import DEFAULT_BODY_TIMEOUT, body_over_framework_limit
from ._http.callables import check_handler, mark, name_of
from ._http.receiver import Arguments, Origin, Receiver, Stack
from ._http.signatures import check_event_parameter
from ._http.source import ABSENT, SETTING, Given, Source, is_decorated
from .exceptions import ConfigurationError
from .instrumentation import logger

with importing("flask", needed_by=__name__):
    import flask  # noqa: F401  # pyright: ignore[reportUnusedImport]
from flask import Flask, Request, Response, current_app, jsonify, make_response, request, request_started
from flask.views import MethodView
from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flask.typing import ResponseReturnValue

    from ._core import Event, Webhook
    from ._http.body import Body
    from ._http.rejection import Rejection
    from ._types import Headers, Secrets
    from .exceptions import WebhookError
    from .replay import ReplayGuard

__all__ = ["listrak_webhook"]

MAX_CONTENT_LENGTH = "Flask's MAX_CONTENT_LENGTH"

KEPT = "stream", "_cached_data"
"""Where Werkzeug's request keeps the stream that somebody asked for, and the data that was read from it."""

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
    # For mypy, to which `**url_args` is not a `P`; pyright says that it has seen the shape above.
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
    webhook: Webhook | Secrets = ...,
    *,
    resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, Request], object] | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
) -> _Decorator: ...
def listrak_webhook(
    webhook: Given | Callable[..., Any] = ABSENT,
    *,
    resolver: Callable[[Request], Webhook | Awaitable[Webhook]] | None = None,
    replay: ReplayGuard | None = None,
    on_rejected: Callable[[WebhookError, Request], object] | None = None,
    body_timeout: float = DEFAULT_BODY_TIMEOUT,
) -> Any:
    """Hand a view the verified `Event` of each genuine delivery, and respond to every other request itself.

    The view is called as `view(event, **url_args)`; it may be `def` or `async def` (with Flask's `async` extra), and a
    method of a `MethodView`. If it returns `None`, the response is an empty 200. A rejection has the error's status and
    `{"error": code}`, and is logged on the logger `listrak_webhooks`. `request.get_data()` and `request.json` keep
    working in the view. What the view itself raises passes through, except that a `PayloadError` becomes a 400.

    Args:
        webhook: a `Webhook`, a secret or a list of secrets. Without it, the secret is `LISTRAK_WEBHOOK_SECRET` in
            `app.config` (a string or a list), else in the environment.
        resolver: a function of the request that returns the `Webhook`, for many accounts on one route.
        replay: a guard of `listrak_webhooks.replay`, or one of your own, that lets each delivery be handled once. The
            response to one that has been handled is an empty 200 again, without the view. A view that raises, or
            responds with a status from 400 up, has not handled it.
        on_rejected: called as `on_rejected(error, request)` for each rejection, for metrics and alerts. If it raises,
            that is logged and the delivery stays rejected.
        body_timeout: how many seconds a body may take to arrive, from the first look at it to its end.

    Raises:
        ConfigurationError: a given secret cannot be one; or `replay` is not a guard, or one for `async with` alone; or
            the view yields, or cannot be called with the event. If the secret is missing when a request comes, the
            response is a 500, and an ERROR is logged: nothing is accepted without one.
    """
    if is_decorated(webhook):
        return listrak_webhook()(cast("Callable[..., Any]", webhook))
    arguments = Arguments(
        cast("Given", webhook),
        setting=_STACK.setting,
        resolver=resolver,
        replay=replay,
        on_rejected=on_rejected,
        body_timeout=body_timeout,
    )
    # What is raised below must not find the secret in this frame.
    del webhook
    arguments.check()
    arguments.check_guard(can_await=False)
    receiver = Receiver(_STACK, arguments)

    def decorate(view: Callable[..., Any]) -> Callable[..., ResponseReturnValue]:
        _check_view(view)

        @functools.wraps(view)
        def endpoint(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            current = _request()
            with receiver.receive(current) as reception:
                if reception.event is not None:
                    # Flask passes URL arguments by name. What is positional is the `self` of a method; or the request,
                    # from a server of functions.
                    by_position = [each for each in args if not isinstance(each, Request)]
                    result = current_app.ensure_sync(view)(*by_position, reception.event, **kwargs)
                    reception.response = _STACK.empty() if result is None else make_response(result)
            return cast("ResponseReturnValue", reception.response)

        mark(endpoint)
        if resolver is None and not arguments.source.is_given:
            _check_secret_at_start_up(endpoint, arguments.source)
        return endpoint

    return decorate


class _FlaskStack(Stack[Request, Response]):
    def setting(self) -> Secrets | None:
        config = cast("dict[str, Any]", current_app.config)
        return config.get(SETTING)

    def headers(self, request: Request) -> Headers:
        return request.environ

    def origin(self, request: Request) -> Origin:
        path: str = request.environ.get("PATH_INFO", "")
        # WSGI has the bytes of a path as if they were Latin-1 (PEP 3333).
        return Origin(request.environ.get("REMOTE_ADDR"), path if path.isascii() else request.path)

    def body(self, request: Request, webhook: Webhook, seconds: float) -> Body:
        limits = wsgi.Limits(webhook, request.max_content_length, MAX_CONTENT_LENGTH, seconds)
        if _is_touched(request):
            return wsgi.read_body(request.environ, limits, functools.partial(_get_data, request))
        body = wsgi.read_body(request.environ, limits)
        wsgi.put_back(request.environ, body.data)
        for kept in KEPT:
            vars(request).pop(kept, None)
        return body

    def discard(self, request: Request) -> None:
        if not _is_touched(request):
            wsgi.drain(request.environ)

    def empty(self) -> Response:
        # Not without a body: of that nothing is written, and then Hypercorn sends no response at all.
        return current_app.response_class(b"", status=200)

    def rejection(self, error: Rejection, status: int) -> Response:
        response = jsonify(error=error.code)
        response.status_code = status
        return response

    def status(self, response: Response) -> int:
        return response.status_code

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        return current_app.ensure_sync(function)(*args)


_STACK = _FlaskStack()


def _is_touched(request: Request) -> bool:
    """Return whether other code has used the body's stream.

    Werkzeug takes a body for an empty one if its server says neither how long it is nor that it ends, so whatever was
    read there was not the body.
    """
    environ = request.environ
    if not (environ.get("CONTENT_LENGTH") or environ.get("wsgi.input_terminated")):
        return False
    return any(vars(request).get(kept) is not None for kept in KEPT)


def _get_data(request: Request) -> bytes:
    try:
        return request.get_data()
    except RequestEntityTooLarge:
        raise body_over_framework_limit(MAX_CONTENT_LENGTH) from None


def _request() -> Request:
    """Return the request itself, not the proxy, which could outlive it in a user's hands."""
    return cast("Request", request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001


_checked: WeakSet[Flask] = WeakSet()
_SOURCE = "_listrak_webhook_source"


def _check_secret_at_start_up(endpoint: Callable[..., Any], source: Source) -> None:
    """Have the secret of an endpoint looked for with the first request to any other, such as a health check.

    At decoration nobody knows the app, and its `config` may be filled later; Flask has no hook between that and the
    first request.
    """
    # On the function, because decorators above copy its attributes.
    setattr(endpoint, _SOURCE, source)
    request_started.connect(_check_secrets)


def _check_secrets(app: Flask, **_: Any) -> None:
    if app in _checked:
        return
    _checked.add(app)
    # The one that is asked for says so itself.
    others = {name: view for name, view in app.view_functions.items() if name != request.endpoint}
    for name, view in others.items():
        methods = vars(getattr(view, "view_class", object)).values()
        for source in filter(None, (getattr(each, _SOURCE, None) for each in (view, *methods))):
            try:
                source.get()
            except ConfigurationError as error:  # noqa: PERF203
                logger().error("the endpoint %s will reject every delivery with %d: %s", name, error.status, str(error))


def _check_view(view: Callable[..., Any]) -> None:
    """Find, before a delivery is lost on it, what a view lacks.

    Raises:
        ConfigurationError: no decorator of ours can serve it, or the event cannot be passed to it; or it is async, and
            Flask's extra for that is not installed.
    """
    check_handler(view)
    check_event_parameter(
        view, in_front=0, advice="in a MethodView the decorator belongs on the method, not in `decorators`"
    )
    if inspect.iscoroutinefunction(view) and importlib.util.find_spec("asgiref") is None:
        raise ConfigurationError(
            f"{name_of(view)} is async, which Flask runs only with its extra; "
            "install it with: pip install 'flask[async]'"
        )
