"""The Django adapter behind real servers."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Event, Webhook
from support.apps import configure_django, django_app, swallow
from support.deliveries import PATH, Delivery, forged, logged, one_rejection, signed
from support.django_views import ECHO, REJECTED, AsyncReceiver, Receiver, async_echo, echo, on_dispatch, reader
from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP
from support.servers import (
    Connection,
    exchange,
    gunicorn_server,
    not_on_windows,
    uvicorn_server,
    wait_for,
    with_kernel_timeout,
    wsgiref_server,
)

configure_django()

from django.http import HttpRequest, JsonResponse  # noqa: E402
from listrak_webhooks.django import listrak_webhook  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("secret_in_settings")


SHORT_WAIT = "/short-wait"


@pytest.fixture
def short_wait() -> float:
    """Return the seconds that a body may take to arrive at `SHORT_WAIT`."""
    return 0.3


class TestWsgirefServer:
    """The standard library's server, on which `runserver` is built: it hands out the connection itself."""

    @pytest.fixture(params=[echo, async_echo], ids=["def", "async"])
    def app(self, request: pytest.FixtureRequest) -> Generator[Any, None, None]:
        """Yield an app with a view of either kind, one with a low limit, and one that does not wait for long."""
        small = listrak_webhook(Webhook(SECRET, max_body=100))(request.param)
        impatient = listrak_webhook(body_timeout=0.3)(request.param)
        with django_app((PATH, listrak_webhook(request.param)), ("/small", small), (SHORT_WAIT, impatient)) as app:
            yield app

    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, app: Any, size: int) -> None:
        """Of any size."""
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(b"x" * size))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    def test_a_forgery_is_rejected(self, app: Any) -> None:
        """Over a socket as without one."""
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(headers=forged()))
        assert (answer.status, answer.json()) == (401, REJECTED)

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_rejected(self, app: Any, name: str) -> None:
        """However the server puts the two together."""
        headers = signed()
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])]))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})

    def test_a_length_over_the_limit_is_answered_without_the_body(self, app: Any) -> None:
        """The client has sent nothing but the head, and gets its answer at once."""
        with wsgiref_server(app) as port:
            answer = exchange(port, Delivery(b"", headers=signed(), declared=101, path="/small"))
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})

    def test_chunks_cannot_be_delivered(self, app: Any, caplog: pytest.LogCaptureFixture) -> None:
        """This server does not decode them, and nobody waits for anything."""
        with wsgiref_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(chunked=True).to_bytes())
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert time.monotonic() - start < 5
        one_rejection(caplog, "body_unavailable")

    @with_kernel_timeout
    def test_a_swallowed_body_does_not_hang(
        self, app: Any, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing more will come, so the wait ends by itself."""
        with wsgiref_server(swallow(app)) as port:
            start = time.monotonic()
            answer = exchange(port, Delivery(path=SHORT_WAIT))
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert short_wait * 0.9 < elapsed < short_wait + 5
        one_rejection(caplog, "body_unavailable")

    @with_kernel_timeout
    @pytest.mark.parametrize("sent", [0, 20], ids=["nothing", "a-part"])
    @pytest.mark.parametrize("size", [len(BODY), 200_000], ids=["small", "large"])
    def test_a_sender_that_stalls_is_not_waited_for_for_ever(
        self, app: Any, sent: int, size: int, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A part of the body, and then silence on an open connection."""
        with wsgiref_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.send(Delivery(b"x" * sent, headers=signed(), declared=size, path=SHORT_WAIT).to_bytes())
            answer = connection.answer()
            elapsed = time.monotonic() - start
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert short_wait * 0.9 < elapsed < short_wait + 5
        one_rejection(caplog, "body_unavailable")

    def test_a_client_that_leaves_in_the_middle_is_not_a_bad_signature(
        self, app: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody is there to answer, and the log does not blame the secret."""
        with wsgiref_server(app) as port:
            with Connection(port) as connection:
                connection.send(Delivery().to_bytes()[:-20])
            wait_for(lambda: bool(logged(caplog)))
        one_rejection(caplog, "body_unavailable")

    def test_a_slow_sender_is_served(self, app: Any) -> None:
        """A body that comes in pieces, within the time for the whole of it, is accepted."""
        request = Delivery().to_bytes()
        with wsgiref_server(app) as port, Connection(port) as connection:
            connection.send(request[:-40])
            for start in range(40, 0, -10):
                time.sleep(0.1)
                connection.send(request[len(request) - start : len(request) - start + 10])
            assert connection.answer().body == ECHO

    @with_kernel_timeout
    def test_a_sender_that_dribbles_has_one_deadline_for_the_whole_body(
        self, app: Any, short_wait: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Each piece comes in time, and the body as a whole does not."""
        delivery = Delivery(b"x", headers=signed(), declared=1000, path=SHORT_WAIT)
        with wsgiref_server(app) as port, Connection(port) as connection:
            start = time.monotonic()
            connection.dribble(delivery.to_bytes(), pause=short_wait / 5)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})
        assert time.monotonic() - start < short_wait + 5
        assert "within 0.3 seconds" in one_rejection(caplog, "body_unavailable")


def gunicorn_app() -> Any:
    """Return the app that Gunicorn serves, in a process of its own."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    settings.LISTRAK_WEBHOOK_SECRET = SECRET
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 400_000
    small = listrak_webhook(Webhook(SECRET, max_body=100))(echo)
    asynchronous: Any = listrak_webhook(async_echo)
    # A tuple, because Django keeps one resolver for each URLconf in a dictionary.
    settings.ROOT_URLCONF = (
        path("listrak", listrak_webhook(echo)),
        path("async", asynchronous),
        path("class", on_dispatch(AsyncReceiver).as_view()),
        path("small", small),
        path("swallowed", reader(lambda request: request.environ["wsgi.input"].read(1000))(listrak_webhook(echo))),
    )
    logging.basicConfig(format="%(message)s")
    return get_wsgi_application()


@pytest.fixture(scope="module")
def gunicorn_port(gunicorn_log: Path) -> Generator[int, None, None]:
    """Yield the port of one Gunicorn for all."""
    with gunicorn_server(f"{__name__}:gunicorn_app()", gunicorn_log) as port:
        yield port


@not_on_windows
class TestGunicorn:
    """Gunicorn, which marks where a body in chunks ends."""

    @pytest.mark.parametrize("path", [PATH, "/async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, gunicorn_port: int, path: str, size: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(b"x" * size, chunked=chunked, path=path))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_class_based_view(self, gunicorn_port: int, *, chunked: bool) -> None:
        """An async one under WSGI."""
        answer = exchange(gunicorn_port, Delivery(chunked=chunked, path="/class"))
        assert (answer.status, answer.body) == (200, b"hello - base64 True")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_forgery_is_rejected(self, gunicorn_port: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(gunicorn_port, Delivery(headers=forged(), chunked=chunked))
        assert (answer.status, answer.json()) == (401, REJECTED)

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize(
        ("path", "size", "setting"),
        [
            pytest.param("/small", 101, "max_body", id="ours"),
            pytest.param(PATH, 400_001, "DATA_UPLOAD_MAX_MEMORY_SIZE", id="djangos"),
        ],
    )
    def test_a_body_over_a_limit_is_rejected(
        self, gunicorn_port: int, gunicorn_log: Path, path: str, size: int, setting: str, *, chunked: bool
    ) -> None:
        """Either limit answers 413, and the log names it."""
        headers = signed(b"x" * size)
        # The end of the body stays here, so that the answer is not lost to a connection that is reset.
        request = Delivery(b"x" * size, headers=headers, chunked=chunked, path=path).to_bytes()
        with Connection(gunicorn_port) as connection:
            connection.send(request)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (413, {"error": "body_too_large"})
        wait_for(lambda: setting in gunicorn_log.read_text().split("rejected a delivery")[-1])

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_is_said_to_be_gone(self, gunicorn_port: int, *, chunked: bool) -> None:
        """Gunicorn knows the end of the body, so there is nothing to wait for."""
        answer = exchange(gunicorn_port, Delivery(chunked=chunked, path="/swallowed"))
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_ends_in_the_middle_is_not_a_bad_signature(
        self, gunicorn_port: int, *, chunked: bool
    ) -> None:
        """It closes its half of the connection in the middle of the body, and still hears what became of it."""
        request = Delivery(chunked=chunked).to_bytes()
        with Connection(gunicorn_port) as connection:
            connection.send(request[:-20])
            connection.socket.shutdown(1)
            answer = connection.answer()
        assert (answer.status, answer.json()) == (500, {"error": "body_unavailable"})

    def test_the_connection_serves_the_next_delivery(self, gunicorn_port: int) -> None:
        """Keep-alive holds: what one delivery was does not disturb the next."""
        with Connection(gunicorn_port) as connection:
            for chunked, headers in [(False, None), (True, None), (True, forged()), (False, forged()), (False, None)]:
                connection.send(Delivery(chunked=chunked, headers=headers).to_bytes())
                answer = connection.answer()
                assert answer.status == (401 if headers else 200)
                assert headers or answer.body == ECHO


class TestUvicorn:
    """Django under ASGI, over a socket."""

    @pytest.fixture
    def port(self) -> Generator[int, None, None]:
        """Yield the port of a server with views of each kind."""

        def payload(request: HttpRequest, event: Event) -> JsonResponse:
            return JsonResponse(event.payload)

        async def async_payload(request: HttpRequest, event: Event) -> JsonResponse:
            return JsonResponse(event.payload)

        views = [
            ("/def", listrak_webhook(echo)),
            ("/async", listrak_webhook(async_echo)),
            ("/payload", listrak_webhook(payload)),
            ("/async-payload", listrak_webhook(async_payload)),
            ("/class", on_dispatch(Receiver).as_view()),
            ("/async-class", on_dispatch(AsyncReceiver).as_view()),
        ]
        with django_app(*views, asgi=True) as app, uvicorn_server(app) as port:
            yield port

    @pytest.mark.parametrize("path", ["/def", "/async"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("size", [0, 52, 300_000])
    def test_a_genuine_delivery_is_accepted(self, port: int, path: str, size: int, *, chunked: bool) -> None:
        """With and without a length."""
        answer = exchange(port, Delivery(b"x" * size, chunked=chunked, path=path))
        assert (answer.status, len(answer.body)) == (200, len(f"{size} ") + size)

    @pytest.mark.parametrize("path", ["/def", "/async", "/class", "/async-class"])
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_forgery_is_rejected(self, port: int, path: str, *, chunked: bool) -> None:
        """By every kind of view."""
        assert exchange(port, Delivery(chunked=chunked, path=path)).status == 200
        answer = exchange(port, Delivery(headers=forged(), chunked=chunked, path=path))
        assert (answer.status, answer.json()) == (401, REJECTED)

    @pytest.mark.parametrize("path", ["/payload", "/async-payload"])
    def test_a_payload_that_is_none_answers_400(self, port: int, path: str) -> None:
        """By either kind of view."""
        answer = exchange(port, Delivery(b"[]", path=path))
        assert (answer.status, answer.json()) == (400, {"error": "invalid_payload"})
        assert exchange(port, Delivery(path=path)).json() == json.loads(BODY)

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    def test_a_header_that_comes_twice_is_rejected(self, port: int, name: str) -> None:
        """Django puts the two together with a comma."""
        headers = signed()
        answer = exchange(port, Delivery(headers=[*headers.items(), (name, headers[name])], path="/def"))
        code = "malformed_timestamp" if name == TIMESTAMP else "malformed_signature"
        assert (answer.status, answer.json()) == (401, {"error": code})
