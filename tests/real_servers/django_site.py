"""The Django site, for WSGI and ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from listrak_webhooks.django import listrak_webhook

from real_servers.shared import BODY_TIMEOUT, WEBHOOK, handle

if TYPE_CHECKING:
    from django.http import HttpRequest
    from listrak_webhooks import Event

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    # It gives each response a length, as `startproject` has it.
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    LOGGING_CONFIG=None,
    WSGI_APPLICATION="real_servers.wsgi_app.django_app",
)


@listrak_webhook(WEBHOOK, body_timeout=BODY_TIMEOUT)
def view(_request: HttpRequest, event: Event) -> HttpResponse:
    """Handle a delivery."""
    return HttpResponse(headers=handle(event))


def ping(_request: HttpRequest) -> HttpResponse:
    """Respond."""
    return HttpResponse("pong")


urlpatterns = [path("django/listrak", view), path("django/ping", ping)]
