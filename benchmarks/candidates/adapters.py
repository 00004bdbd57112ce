"""What is measured: a route behind each adapter, next to a bare one, Listrak's sample, and `verify` called by hand.

The applications are called as a server calls them, in this process and without a socket. All of them respond with an
empty 200 to the same genuine delivery.
"""

# Without `from __future__ import annotations`: FastAPI could not resolve the annotations of functions in functions.
import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, cast

import django
from django.conf import settings
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from flask import Flask, abort
from flask import Response as FlaskResponse
from flask import request as flask_request
from listrak_webhooks import Event, Webhook
from listrak_webhooks.replay import MemoryReplayGuard

from benchmarks.candidates.verifiers import listrak_headers, listrak_sample
from benchmarks.deliveries import SECRET, Delivery
from benchmarks.harness.candidate import Call, Candidate

WEBHOOK = Webhook(SECRET)


def _wsgi_environ(delivery: Delivery, path: str) -> dict[str, Any]:
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in listrak_headers(delivery).items()}
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "shop.example.com",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(delivery.received)),
        "CONTENT_TYPE": "application/json",
        **headers,
    }


def _wsgi_call(app: Callable[..., Any], path: str) -> Callable[[Delivery], Call]:
    def prepare(delivery: Delivery) -> Call:
        environ = _wsgi_environ(delivery, path)
        statuses: list[str] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> None:
            del headers, exc_info
            statuses[:] = [status]

        def call() -> str:
            result = app({**environ, "wsgi.input": io.BytesIO(delivery.received)}, start_response)
            for _ in result:
                pass
            if hasattr(result, "close"):
                result.close()
            return statuses[0]

        return Call(call, (), lambda status: str(status).startswith("200"))

    return prepare


def _scope_of(delivery: Delivery, path: str) -> dict[str, Any]:
    pairs = {
        "Host": "shop.example",
        "User-Agent": "benchmarks",
        "Accept": "*/*",
        "Content-Length": str(len(delivery.received)),
        "Content-Type": "application/json",
        **listrak_headers(delivery),
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def _asgi_call(app: Callable[..., Any], path: str, loop: asyncio.AbstractEventLoop) -> Callable[[Delivery], Call]:
    async def exchange(body: bytes, scope: dict[str, Any]) -> int:
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await app({**scope, "headers": [*scope["headers"]], "state": {}}, receive, send)
        return status

    def call(body: bytes, scope: dict[str, Any]) -> int:
        return loop.run_until_complete(exchange(body, scope))

    def prepare(delivery: Delivery) -> Call:
        numbers = iter(range(sys.maxsize))

        def ready(count: int) -> list[tuple[object, ...]]:
            # One of its own for each call: a guard remembers, and all rows get the like.
            bodies = [delivery.received[:-1] + b',"number":%d}' % next(numbers) for _ in range(count)]
            return [(body, _scope_of(Delivery(body, body, delivery.timestamp), path)) for body in bodies]

        return Call(call, (delivery.received, _scope_of(delivery, path)), lambda status: status == 200, ready)

    return prepare


def _flask_app() -> Flask:
    from listrak_webhooks.flask import listrak_webhook

    app = Flask("benchmarks")

    @app.post("/bare")
    def bare() -> FlaskResponse:
        flask_request.get_data()
        return FlaskResponse()

    @app.post("/sample")
    def sample() -> FlaskResponse:
        if not listrak_sample(flask_request.get_data(), cast("Any", flask_request.headers), SECRET):
            abort(401)
        return FlaskResponse()

    @app.post("/ours")
    @listrak_webhook(SECRET)
    def ours(event: Event) -> FlaskResponse:
        del event
        return FlaskResponse()

    return app


def _django_app() -> Callable[..., Any]:
    if not settings.configured:
        settings.configure()
        django.setup()
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS, settings.MIDDLEWARE = __name__, ["*"], []
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt
    from listrak_webhooks.django import listrak_webhook

    def bare(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.body[:0])

    def sample(request: HttpRequest) -> HttpResponse:
        accepted = listrak_sample(request.body, request.headers, SECRET)
        return HttpResponse(status=200 if accepted else 401)

    @listrak_webhook(SECRET)
    def ours(request: HttpRequest, event: Event) -> HttpResponse:
        del request, event
        return HttpResponse()

    views = {"bare": csrf_exempt(bare), "sample": csrf_exempt(sample), "ours": ours}
    globals()["urlpatterns"] = [path(name, view) for name, view in views.items()]
    return WSGIHandler()


def _fastapi_apps() -> dict[str, FastAPI]:
    """Return an app for each handler: FastAPI tries its routes one after the other, so the last would pay for all."""
    from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook

    async def bare(request: Request) -> Response:
        await request.body()
        return Response()

    async def sample(request: Request) -> Response:
        if not listrak_sample(await request.body(), request.headers, SECRET):
            raise HTTPException(401)
        return Response()

    async def verified(request: Request) -> Event:
        return WEBHOOK.verify(await request.body(), request.headers.raw)

    async def plain(event: Annotated[Event, Depends(verified)]) -> Response:
        del event
        return Response()

    @listrak_webhook(SECRET)
    async def ours(event: Event) -> Response:
        del event
        return Response()

    async def dependency(event: Annotated[Event, Depends(ListrakWebhook(SECRET))]) -> Response:
        del event
        return Response()

    @listrak_webhook(SECRET, replay=MemoryReplayGuard())
    async def guarded(event: Event) -> Response:
        del event
        return Response()

    handlers: dict[str, Callable[..., Any]] = {
        "a bare route": bare,
        "Listrak's sample": sample,
        "a dependency that calls verify": plain,
        "our decorator": ours,
        "our dependency": dependency,
        "our decorator with a memory guard": guarded,
    }
    apps = {name: FastAPI() for name in handlers}
    for name, app in apps.items():
        app.post("/")(handlers[name])
    return apps


def ours() -> Iterator[tuple[str, Callable[[Delivery], Call]]]:
    """Yield each framework with what makes a call of our decorator's route."""
    yield "Flask", _wsgi_call(_flask_app().wsgi_app, "/ours")
    yield "Django", _wsgi_call(_django_app(), "/ours")
    app = _fastapi_apps()["our decorator"]
    yield "FastAPI", _asgi_call(app, "/", asyncio.new_event_loop())


def adapters() -> Iterator[tuple[str, list[Candidate]]]:
    """Yield each framework with its candidates, of which the first is the bare route."""
    flask_app, django_app, fastapi_apps = _flask_app(), _django_app(), _fastapi_apps()
    for name, app in (("Flask", flask_app.wsgi_app), ("Django", django_app)):
        rows = {"bare": "a bare route", "sample": "Listrak's sample", "ours": "our decorator"}
        yield name, [Candidate(text, _wsgi_call(app, f"/{path}")) for path, text in rows.items()]
    # One for all: a loop's own costs differ more than the handlers do.
    loop = asyncio.new_event_loop()
    candidates = [Candidate(name, _asgi_call(app, "/", loop)) for name, app in fastapi_apps.items()]
    yield "FastAPI", candidates
