"""Apps, called as a server calls them: WSGI, ASGI, and Django, which has one set of settings a process."""

from __future__ import annotations

import contextlib
import io
import socket
import sys
from typing import TYPE_CHECKING, Any

import anyio

from support.deliveries import HTTP_HEADERS, Answer, Delivery
from support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class _Input(io.RawIOBase):
    """The `wsgi.input` of a delivery, which keeps count.

    As with real servers, a read of a body with a length waits for all of it, and one of a body in chunks comes back
    with what there is (Werkzeug's). It has a connection, on which something of the body can be seen.
    """

    def __init__(self, delivery: Delivery, connection: socket.socket) -> None:
        self._delivery = delivery
        self._body = io.BytesIO(delivery.body)
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._body.read(min(len(buffer), self._delivery.piece))
        self._delivery.taken += len(piece)
        if not piece and self._delivery.broken:
            raise ConnectionResetError
        buffer[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return self.readall()
        data = super().read(size) or b""
        while not self._delivery.chunked and 0 < len(data) < size and (more := super().read(size - len(data))):
            data += more
        return data


def call_wsgi(app: Any, delivery: Delivery) -> Answer:
    """Send a delivery to a WSGI app."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(delivery.body[:1])
        return _call_wsgi(app, delivery, theirs)


def _call_wsgi(app: Any, delivery: Delivery, connection: socket.socket) -> Answer:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": delivery.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": delivery.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": _Input(delivery, connection),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in delivery.pairs:
        key = name.upper().replace("-", "_")
        key = key if name in HTTP_HEADERS else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if delivery.chunked and delivery.terminated:
        environ["wsgi.input_terminated"] = True
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., None]:
        started.append((status, headers))
        return lambda _: None

    parts = app(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[-1]
    return Answer(int(status[:3]), body, {name.lower(): value for name, value in headers})


def asgi_scope(delivery: Delivery) -> dict[str, Any]:
    """Return the scope of a request."""
    path, _, query = delivery.path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": delivery.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in delivery.pairs],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def acall_asgi(app: Any, delivery: Delivery) -> Answer:
    """Send a delivery to an ASGI app, as Uvicorn would: who asks for more than there is waits until it is over."""
    starts = list(range(0, len(delivery.body), delivery.piece)) or [0]
    pieces = [delivery.body[start : start + delivery.piece] for start in starts]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if delivery.broken:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    over = anyio.Event()
    status = 0
    headers: dict[str, str] = {}
    body = b""

    async def receive() -> dict[str, Any]:
        if messages:
            message = messages.pop(0)
            piece = message.get("body", b"")
            assert isinstance(piece, bytes)
            delivery.taken += len(piece)
            return message
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            body += message.get("body", b"")
            if not message.get("more_body"):
                over.set()

    with anyio.fail_after(PATIENCE):
        await app(asgi_scope(delivery), receive, send)
    return Answer(status, body, headers)


def call_asgi(app: Any, delivery: Delivery, backend: str = "asyncio") -> Answer:
    """Send a delivery to an ASGI app from code without a loop."""
    return anyio.run(acall_asgi, app, delivery, backend=backend)


def configure_django() -> None:
    """Configure Django for this process; a test changes what it needs with `override_settings`."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            SECRET_KEY="only for tests",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=(),
            MIDDLEWARE=[],
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
            LOGGING_CONFIG=None,
            USE_TZ=True,
        )
        django.setup()


@contextlib.contextmanager
def django_app(*views: tuple[str, Any], asgi: bool = False, **settings: Any) -> Generator[Any, None, None]:
    """Yield a Django app with these views by path, and these settings."""
    configure_django()
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings
    from django.urls import path

    # A tuple, because Django keeps one resolver for each URLconf in a dictionary.
    urls = tuple(path(route.removeprefix("/"), view) for route, view in views)
    with override_settings(ROOT_URLCONF=urls, **settings):
        yield get_asgi_application() if asgi else get_wsgi_application()


def call_django(app: Any, delivery: Delivery, *, asgi: bool = False) -> Answer:
    """Send a delivery to a Django app, and raise what its view raised."""
    from django.core.signals import got_request_exception

    raised: list[BaseException | None] = []

    def keep(**_: Any) -> None:
        raised.append(sys.exc_info()[1])

    got_request_exception.connect(keep)
    try:
        answer = (call_asgi if asgi else call_wsgi)(app, delivery)
    finally:
        got_request_exception.disconnect(keep)
    for error in raised:
        assert error is not None
        raise error
    return answer


def swallow(app: Any) -> Callable[..., Any]:
    """Return WSGI middleware that reads the body and gives nothing back, as some that log do."""

    def middleware(environ: dict[str, Any], start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        assert len(environ["wsgi.input"].read(length)) == length
        return app(environ, start_response)

    return middleware
