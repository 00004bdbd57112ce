"""What the tests of the FastAPI adapter share: operations, and how to send to one."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `support/future_annotations_app.py` has them as text.
from typing import Any

import pytest
from fastapi import Response
from listrak_webhooks import Event

from support.apps import call_asgi
from support.deliveries import PATH, Answer, Delivery
from support.helpers import BODY

REJECTED = {"detail": "signature_mismatch"}


SHORT = 0.3
"""Seconds that a test waits for a body that does not come."""


def post(app: Any, body: bytes = BODY, path: str = PATH, **options: Any) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(body, path=path, **options))


async def echo(event: Event) -> Response:
    """Stand for a handler that answers with its event's body."""
    return Response(b"%d %s" % (len(event.body), event.body))


ECHO = b"%d %s" % (len(BODY), BODY)


async def never(event: Event) -> None:
    """Stand for a handler that must not be reached."""
    pytest.fail(f"the handler was called with {event}")


class Swallow:
    """Pure ASGI middleware that takes every message of the body and gives none back."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        while (await receive()).get("more_body"):
            pass
        await self.app(scope, receive, send)
