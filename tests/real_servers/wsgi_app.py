"""Flask and Django under WSGI, chosen by the path; each sees the request as the server hands it over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
from django.core.wsgi import get_wsgi_application
from listrak_webhooks.flask import listrak_webhook

import real_servers.django_site  # noqa: F401
from real_servers.shared import BODY_TIMEOUT, WEBHOOK, handle

if TYPE_CHECKING:
    from listrak_webhooks import Event

django_app = get_wsgi_application()
flask_app = flask.Flask(__name__)


@flask_app.post("/flask/listrak")
@listrak_webhook(WEBHOOK, body_timeout=BODY_TIMEOUT)
def view(event: Event) -> flask.typing.ResponseReturnValue:
    """Handle a delivery."""
    return "", handle(event)


@flask_app.get("/flask/ping")
def ping() -> str:
    """Respond."""
    return "pong"


def app(environ: dict[str, Any], start_response: Any) -> Any:
    """Run one of the two."""
    chosen = django_app if environ["PATH_INFO"].startswith("/django/") else flask_app
    return chosen(environ, start_response)
