"""Django, over WSGI and over ASGI."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from support.apps import call_django, configure_django, django_app
from support.deliveries import PATH
from support.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Generator

    from listrak_webhooks import Event

    from support.variants import Handle, Send


class Django(Variant):
    """A view that is a function."""

    framework = "django"

    @property
    def streams(self) -> bool:
        """Under ASGI, Django itself puts the whole body into a file before any view is called."""
        return self.style != "asgi"

    @contextlib.contextmanager
    def serve(self, handle: Handle, *args: Any, **options: Any) -> Generator[Send, None, None]:
        """Make an app with one view, under the settings of this process."""
        configure_django()
        from listrak_webhooks.django import listrak_webhook

        def view(request: Any, event: Event) -> Any:
            return handle(event)

        async def async_view(request: Any, event: Event) -> Any:
            return handle(event)

        decorate: Any = listrak_webhook(*args, **options)
        decorated = decorate(async_view if self.is_async else view)
        asgi = self.style == "asgi"
        with django_app((PATH, decorated), asgi=asgi) as app:
            yield lambda delivery: call_django(app, delivery, asgi=asgi)

    def response(self, status: int) -> Any:
        """Return a response of its own."""
        from django.http import HttpResponse

        return HttpResponse("not now", status=status)


VARIANTS = [Django(is_async=is_async, style=style) for style in ("wsgi", "asgi") for is_async in (False, True)]
