"""What the tests of the Flask adapter share: apps, views, and how to send to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
import pytest

from support.deliveries import PATH, signed
from support.helpers import BODY, SECRET, VARIABLE

if TYPE_CHECKING:
    from listrak_webhooks import Event
    from werkzeug.test import TestResponse


def make_app(**config: Any) -> flask.Flask:
    """Return an app that raises what its views raise, with the secret in its config."""
    app = flask.Flask("tests")
    app.config.update({VARIABLE: SECRET, "PROPAGATE_EXCEPTIONS": True, **config})
    return app


def post(app: flask.Flask, body: bytes = BODY, path: str = PATH, **options: Any) -> TestResponse:
    """Send a delivery with Flask's own client, genuine where no headers are given."""
    options.setdefault("headers", signed(body))
    return app.test_client().post(path, data=body, **options)


def echo(event: Event) -> str:
    """Stand for a view that answers with its event's body."""
    return f"{len(event.body)} {event.body.decode()}"


ECHO = f"{len(BODY)} {BODY.decode()}".encode()


def never(event: Event) -> None:
    """Stand for a view that must not be reached."""
    pytest.fail(f"the view was called with {event}")
