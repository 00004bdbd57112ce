"""`check` finds nothing wrong with endpoints that are made with the package, with a replay guard and without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.command_line import call
from support.helpers import SECRET
from support.servers import uvicorn_server, werkzeug_server

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def flask_app(replay: Any) -> AbstractContextManager[int]:
    """Run an endpoint in Flask."""
    import flask
    from listrak_webhooks.flask import listrak_webhook

    app = flask.Flask("tests")

    @app.post("/listrak")
    @listrak_webhook(SECRET, replay=replay)
    def view(event: Any) -> None:
        del event

    return werkzeug_server(app)


def starlette_app(replay: Any) -> AbstractContextManager[int]:
    """Run an endpoint in Starlette."""
    from listrak_webhooks.starlette import listrak_webhook
    from starlette.applications import Starlette
    from starlette.routing import Route

    @listrak_webhook(SECRET, replay=replay)
    async def endpoint(request: Any, event: Any) -> None:
        del request, event

    return uvicorn_server(Starlette(routes=[Route("/listrak", endpoint, methods=["POST"])]))


@pytest.mark.parametrize("serve", [flask_app, starlette_app])
@pytest.mark.parametrize("guarded", [False, True])
def test_an_endpoint_of_the_package_is_fit(serve: Any, guarded: bool) -> None:  # noqa: FBT001
    """Everything is green, but that a local server has no certificate."""
    from listrak_webhooks.replay import MemoryReplayGuard

    with serve(MemoryReplayGuard() if guarded else None) as port:
        result = call("check", f"http://127.0.0.1:{port}/listrak", "--json")
        sent = call("send", f"http://127.0.0.1:{port}/listrak", "--count", 50, "--concurrency", 8, "--json")
    found = {each["name"]: each["level"] for each in result.json()["findings"]}
    assert {name: level for name, level in found.items() if level != "green"} == {"certificate": "yellow"}
    assert (result.status, sent.status, sent.json()["statuses"]) == (0, 0, {"200": 50})
