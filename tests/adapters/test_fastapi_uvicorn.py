"""The FastAPI adapter behind Uvicorn."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `support/future_annotations_app.py` has them as text.
import json
import time
from collections.abc import Generator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from listrak_webhooks import Event, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from support.deliveries import PATH, Delivery, forged, logged, one_rejection, signed
from support.fastapi_views import ECHO, SHORT, Swallow, echo, never
from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP
from support.servers import Connection, exchange, uvicorn_server

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class TestUvicorn:
    """The real server, over a socket."""

    @pytest.fixture
    def port(self, app: FastAPI) -> Generator[int, None, None]:
        """Yield the port of a server with a route of each kind."""
        app.post(PATH)(listrak_webhook(echo))
        app.post("/small")(listrak_webhook(Webhook(SECRET, max_body=100))(echo))
        app.post("/short")(listrak_webhook(body_timeout=SHORT)(echo))
        app.post("/patient")(listrak_webhook(body_timeout=20 * SHORT)(echo))

        @app.post("/payload")
        @listrak_webhook
        def payload(event: Event) -> Any:
            return event.payload

        @app.post("/dependency")
        async def dependency(event: Annotated[Event, Depends(ListrakWebhook())]) -> Any:
            return event.payload

        @app.post("/broken")
        @listrak_webhook
        async def broken(event: Event) -> None:
            raise LookupError("a bug of the user's")

        with uvicorn_server(app) as port:
            yield port

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, port: int, size: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(port, Delivery(b"x" * size, chunked=chunked))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("path", ["/payload", "/dependency"])
    def test_a_payload_error_of_the_handler_is_a_rejection(
        self, port: int, path: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A `PayloadError` answers 400 before anything else is sent."""
        answer = exchange(port, Delivery(b"{", path=path))
        assert (answer.status, answer.json()) == (400, {"detail": "invalid_payload"})
        one_rejection(caplog, "invalid_payload")
        assert exchange(port, Delivery(path=path)).json() == json.loads(BODY)

    def test_a_bug_in_the_handler_is_a_500_and_the_next_delivery_is_served(
        self, port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The server says what it always says, and the adapter says nothing."""
        assert exchange(port, Delivery(path="/broken")).status == 500
        assert logged(caplog) == []
        assert exchange(port, Delivery()).body == ECHO

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_rejected(self, port: int, name: str) -> None:
        """ASGI delivers both, and neither is chosen."""
        headers = signed()
        answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"detail": code})

    def test_a_length_over_the_limit_is_answered_without_the_body(self, port: int) -> None:
        """The client has sent nothing but the head, and gets its answer at once."""
        answer = exchange(port, Delivery(b"", headers=signed(), declared=101, path="/small"))
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})

    def test_chunks_over_the_limit_are_answered_before_the_end(self, port: int) -> None:
        """The client is still sending, and gets its answer."""
        delivery = Delivery(b"x" * 200, headers=signed(), path="/small", chunked=True, piece=50)
        with Connection(port) as connection:
            connection.send(delivery.to_bytes()[:-60])
            answer = connection.answer()
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})

    def test_the_connection_serves_the_next_delivery(self, port: int) -> None:
        """Keep-alive holds: what one delivery was does not disturb the next."""
        with Connection(port) as connection:
            for chunked, headers in [(False, None), (True, None), (True, forged()), (False, forged()), (False, None)]:
                connection.send(Delivery(chunked=chunked, headers=headers).to_bytes())
                answer = connection.answer()
                assert answer.status == (401 if headers else 200)
                assert headers or answer.body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_sender_that_stalls_is_not_waited_for_for_ever(
        self, port: int, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Half a body, and then silence on an open connection."""
        with Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(chunked=chunked, path="/short").to_bytes()[:-20])
            answer = connection.answer()
        assert SHORT * 0.9 < time.monotonic() - start < SHORT + 5
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize(("path", "status"), [("/patient", 200), ("/short", 500)])
    def test_the_deadline_is_for_the_whole_body(self, port: int, path: str, status: int) -> None:
        """A sender that is slow but in time is served, and one that sends a little now and then gains nothing by it."""
        request = Delivery(path=path).to_bytes()
        with Connection(port) as connection:
            start = time.monotonic()
            connection.send(request[:-40])
            for begin in range(40, 0, -4):
                time.sleep(SHORT / 4)
                connection.send(request[len(request) - begin : len(request) - begin + 4])
            answer = connection.answer()
        assert answer.status == status, answer
        assert time.monotonic() - start < 20 * SHORT

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_leaves_in_the_middle_is_not_a_bad_signature(
        self, port: int, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Nobody is there to answer, and the log does not blame the secret."""
        with Connection(port) as connection:
            connection.send(Delivery(chunked=chunked).to_bytes()[:-20])
        deadline = time.monotonic() + 10
        while not logged(caplog) and time.monotonic() < deadline:
            time.sleep(0.01)
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_does_not_hang(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Uvicorn waits for the client to leave, and the client waits for its answer."""
        app.post(PATH)(listrak_webhook(body_timeout=SHORT)(never))
        with uvicorn_server(Swallow(app)) as port:
            answer = exchange(port, Delivery(chunked=chunked))
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")
