"""Each client that the test kit knows, in front of an endpoint."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anyio

from support.apps import django_app
from support.deliveries import PATH
from support.servers import werkzeug_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from listrak_webhooks.testing import Sender

BASE = "http://shop.example"

# Apps of a raw endpoint: what `kit_endpoints.endpoint` returns.


def flask_app(respond: Any) -> Any:
    """Return a Flask app, which lets exceptions pass as it does in tests."""
    import flask

    app = flask.Flask(__name__)
    app.testing = True

    @app.route(PATH, methods=["GET", "POST"])
    def view() -> Any:
        request = flask.request
        answer = respond(request.method, request.get_data(), dict(request.headers))
        return "", answer.status, {} if answer.location is None else {"Location": answer.location}

    return app


def starlette_app(respond: Any) -> Any:
    """Return a Starlette app."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def view(request: Any) -> Response:
        body = await request.body()
        answer = await anyio.to_thread.run_sync(respond, request.method, body, dict(request.headers))
        return Response(
            status_code=answer.status, headers={} if answer.location is None else {"Location": answer.location}
        )

    return Starlette(routes=[Route(PATH, view, methods=["GET", "POST"])])


def django_view(respond: Any) -> Any:
    """Return a Django view."""
    from django.http import HttpRequest, HttpResponse

    def view(request: HttpRequest) -> HttpResponse:
        answer = respond(request.method, request.body, dict(request.headers))
        return HttpResponse(
            status=answer.status, headers={} if answer.location is None else {"Location": answer.location}
        )

    return view


def aiohttp_app(respond: Any) -> Any:
    """Return an app of aiohttp."""
    from aiohttp import web

    async def view(request: web.Request) -> web.Response:
        body = await request.read()
        answer = await anyio.to_thread.run_sync(respond, request.method, body, dict(request.headers))
        return web.Response(
            status=answer.status, headers={} if answer.location is None else {"Location": answer.location}
        )

    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_route("*", PATH, view)
    return app


# Clients: each is a context that takes an app and yields the client and the path to give it.

Client = "tuple[Any, str]"


@contextlib.contextmanager
def flask_client(app: Any) -> Generator[tuple[Any, str], None, None]:
    """Flask's own."""
    yield app.test_client(), PATH


@contextlib.contextmanager
def werkzeug_client(app: Any) -> Generator[tuple[Any, str], None, None]:
    """Werkzeug's, for any WSGI app."""
    from werkzeug.test import Client

    yield Client(app), PATH


@contextlib.contextmanager
def httpx_wsgi(app: Any) -> Generator[tuple[Any, str], None, None]:
    """The synchronous one of httpx, without a server."""
    import httpx

    with httpx.Client(transport=httpx.WSGITransport(app), base_url=BASE) as client:
        yield client, PATH


@contextlib.contextmanager
def httpx2_wsgi(app: Any) -> Generator[tuple[Any, str], None, None]:
    """The synchronous one of httpx2, without a server."""
    import httpx2

    with httpx2.Client(transport=httpx2.WSGITransport(app), base_url=BASE) as client:
        yield client, PATH


@contextlib.contextmanager
def requests_session(app: Any) -> Generator[tuple[Any, str], None, None]:
    """A session of requests, and a real server."""
    import requests

    with werkzeug_server(app) as port, requests.Session() as session:
        yield session, f"http://127.0.0.1:{port}{PATH}"


@contextlib.contextmanager
def starlette_client(app: Any) -> Generator[tuple[Any, str], None, None]:
    """That of Starlette and FastAPI."""
    from starlette.testclient import TestClient

    with TestClient(app) as client:
        yield client, PATH


@contextlib.asynccontextmanager
async def httpx_asgi(app: Any) -> AsyncGenerator[tuple[Any, str], None]:
    """The asynchronous one of httpx, without a server."""
    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client, PATH


@contextlib.asynccontextmanager
async def httpx2_asgi(app: Any) -> AsyncGenerator[tuple[Any, str], None]:
    """The asynchronous one of httpx2, without a server."""
    import httpx2

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as client:
        yield client, PATH


@contextlib.contextmanager
def django_client(view: Any) -> Generator[tuple[Any, str], None, None]:
    """Django's synchronous one."""
    with django_app((PATH, view)):
        from django.test import Client

        yield Client(), PATH


@contextlib.contextmanager
def rest_client(view: Any) -> Generator[tuple[Any, str], None, None]:
    """That of Django REST framework."""
    with django_app((PATH, view)):
        from rest_framework.test import APIClient  # type: ignore[import-untyped]

        yield APIClient(), PATH


@contextlib.asynccontextmanager
async def django_async_client(view: Any) -> AsyncGenerator[tuple[Any, str], None]:
    """Django's asynchronous one."""
    with django_app((PATH, view)):
        from django.test import AsyncClient

        yield AsyncClient(), PATH


@contextlib.asynccontextmanager
async def aiohttp_client(app: Any) -> AsyncGenerator[tuple[Any, str], None]:
    """The test client of aiohttp, with its own server."""
    from aiohttp.test_utils import TestClient, TestServer

    async with TestClient(TestServer(app)) as client:
        yield client, PATH


@contextlib.asynccontextmanager
async def aiohttp_session(app: Any) -> AsyncGenerator[tuple[Any, str], None]:
    """A session of aiohttp, as a client of any server."""
    import aiohttp
    from aiohttp.test_utils import TestServer

    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield session, str(server.make_url(PATH))


WSGI = {"werkzeug": werkzeug_client, "httpx-wsgi": httpx_wsgi, "httpx2-wsgi": httpx2_wsgi, "requests": requests_session}
ASGI: dict[str, Any] = {"starlette": starlette_client, "httpx-asgi": httpx_asgi, "httpx2-asgi": httpx2_asgi}
DJANGO: dict[str, Any] = {"django": django_client, "rest": rest_client, "django-async": django_async_client}

CLIENTS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "flask": (flask_app, flask_client),
    **{name: (flask_app, client) for name, client in WSGI.items()},
    **{name: (starlette_app, client) for name, client in ASGI.items()},
    **{name: (django_view, client) for name, client in DJANGO.items()},
    "aiohttp": (aiohttp_app, aiohttp_client),
    "aiohttp-session": (aiohttp_app, aiohttp_session),
}
"""By name: what makes an app of an endpoint, and the client in front of it."""


def is_async(name: str) -> bool:
    """Whether a client has to be awaited."""
    return name in {"httpx-asgi", "httpx2-asgi", "django-async", "aiohttp", "aiohttp-session"}


def check(sender: Sender, open_client: Any, app: Any, **options: Any) -> None:
    """Check an app through a client."""
    context = open_client(app)
    if hasattr(context, "__enter__"):
        with context as (client, path):
            sender.check(client, path, **options)
        return

    async def acheck() -> None:
        async with context as (client, path):
            await sender.acheck(client, path, **options)

    anyio.run(acheck)


def send(sender: Sender, open_client: Any, app: Any, delivery: Any) -> Any:
    """Send a delivery to an app through a client, and return the client's own answer."""
    context = open_client(app)
    if hasattr(context, "__enter__"):
        with context as (client, path):
            return sender.send(client, delivery, path)

    async def asend() -> Any:
        async with context as (client, path):
            return await sender.asend(client, delivery, path)

    return anyio.run(asend)
