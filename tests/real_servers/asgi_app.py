"""FastAPI and Django under ASGI, chosen by the path; each sees the request as the server hands it over."""

from __future__ import annotations

from typing import Any

from django.core.asgi import get_asgi_application
from fastapi import FastAPI, Response
from listrak_webhooks import Event  # noqa: TC002
from listrak_webhooks.fastapi import listrak_webhook

import real_servers.django_site  # noqa: F401
from real_servers.shared import BODY_TIMEOUT, WEBHOOK, handle

django_app = get_asgi_application()
fastapi_app = FastAPI()


@fastapi_app.post("/fastapi/listrak")
@listrak_webhook(WEBHOOK, body_timeout=BODY_TIMEOUT)
async def view(event: Event) -> Response:
    """Handle a delivery."""
    return Response(headers=handle(event))


@fastapi_app.get("/fastapi/ping")
async def ping() -> Response:
    """Respond."""
    return Response("pong")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Run one of the two; the server's start and end are FastAPI's."""
    is_django = scope["type"] == "http" and scope["path"].startswith("/django/")
    await (django_app if is_django else fastapi_app)(scope, receive, send)
