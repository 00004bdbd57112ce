"""FastAPI: how a body is waited for, and what becomes of one that is too large or takes long to parse."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Annotated, Any

import anyio
import pytest
from fastapi import Depends, FastAPI
from listrak_webhooks import BodyTooLargeError, BodyUnavailableError, ConfigurationError, Event, Webhook
from listrak_webhooks._core import LARGE_BODY
from listrak_webhooks._http import asgi
from listrak_webhooks._http.body import DRAIN_BYTES, Body
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import AfterValidator, BaseModel
from support.apps import acall_asgi, call_asgi
from support.deliveries import PATH, Answer, Delivery, one_rejection
from support.helpers import BODY, SECRET
from support.servers import Connection, uvicorn_server

pytestmark = pytest.mark.usefixtures("secret_in_environment")

WEBHOOK = Webhook(SECRET, max_body=100)
SHORT = 0.3


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    """Return one message of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


class Sender:
    """What a server hands over, message by message, with waits in between."""

    def __init__(self, *messages: dict[str, Any] | float) -> None:
        self.messages = list(messages)
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        self.asked += 1
        while self.messages:
            message = self.messages.pop(0)
            if isinstance(message, dict):
                return message
            await asyncio.sleep(message)
        await asyncio.Event().wait()
        raise AssertionError


def read(
    receive: Callable[[], Awaitable[Any]], *headers: tuple[bytes, bytes], seconds: float = 20, limit: Webhook = WEBHOOK
) -> bytes:
    """Read a body in a loop of its own."""

    async def steps() -> bytes:
        body = asgi.read_body(receive, headers, limit, seconds)
        return (body if isinstance(body, Body) else await body).data

    return asyncio.run(steps())


class TestWait:
    """How long a body is waited for."""

    @pytest.mark.parametrize(
        "messages",
        [
            pytest.param([piece(b"body")], id="there"),
            pytest.param([piece(b"bo", more=True), piece(b"dy")], id="in-two-pieces"),
            pytest.param([piece(b"body", more=True), piece(b"")], id="with-an-empty-end"),
            pytest.param([0.01, piece(b"body")], id="later"),
            pytest.param([0.01, piece(b"bo", more=True), 0.01, piece(b"dy")], id="later-and-in-two-pieces"),
            pytest.param([piece(b"", more=True), 0.01, piece(b"body")], id="with-an-empty-start"),
        ],
    )
    def test_however_it_comes_it_is_whole(self, messages: list[Any]) -> None:
        """At once, in pieces, and with waits in between."""
        assert read(Sender(*messages).receive) == b"body"

    def test_a_message_without_a_body_is_an_empty_one(self) -> None:
        """Both of its fields are optional."""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request"}

        assert read(receive) == b""

    def test_what_is_there_costs_no_timer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Most bodies are; a deadline is set for those that are waited for."""
        timers: list[float] = []
        call_later = asyncio.BaseEventLoop.call_later

        def counted(loop: Any, delay: float, *args: Any, **kwargs: Any) -> Any:
            timers.append(delay)
            return call_later(loop, delay, *args, **kwargs)

        monkeypatch.setattr(asyncio.BaseEventLoop, "call_later", counted)
        read(Sender(piece(b"body")).receive, seconds=12.5)
        assert 12.5 not in timers
        read(Sender(0.01, piece(b"body")).receive, seconds=12.5)
        assert timers.count(12.5) == 1

    @pytest.mark.parametrize("first", [[], [piece(b"bo", more=True)]], ids=["nothing", "a-part"])
    def test_one_that_does_not_come_is_not_waited_for_for_ever(self, first: list[Any]) -> None:
        """The message says for how long."""
        start = time.monotonic()
        with pytest.raises(BodyUnavailableError, match=r"within 0\.3 seconds"):
            read(Sender(*first).receive, seconds=SHORT)
        assert SHORT * 0.9 < time.monotonic() - start < SHORT + 5

    def test_a_sender_that_dribbles_gains_nothing(self) -> None:
        """The time is for the whole body."""
        dribble: list[Any] = [part for _ in range(90) for part in (piece(b"x", more=True), SHORT / 10)]
        start = time.monotonic()
        with pytest.raises(BodyUnavailableError, match="within"):
            read(Sender(*dribble).receive, seconds=SHORT)
        assert time.monotonic() - start < SHORT + 5

    @pytest.mark.parametrize("messages", [[], [piece(b"bo", more=True)]], ids=["before", "between"])
    def test_a_cancelled_task_is_cancelled(self, messages: list[Any]) -> None:
        """Somebody else's cancellation is not taken for the deadline, even if that passes at the same time."""

        async def steps() -> None:
            body = asgi.read_body(Sender(*messages).receive, (), WEBHOOK, 0.05)
            assert not isinstance(body, Body)
            task = asyncio.ensure_future(body)
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.04, task.cancel)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(steps())

    def test_a_client_that_leaves(self) -> None:
        """Before the end."""
        gone = {"type": "http.disconnect"}
        for messages in ([gone], [piece(b"bo", more=True), gone], [0.01, gone]):
            with pytest.raises(BodyUnavailableError, match="ended early"):
                read(Sender(*messages).receive)

    @pytest.mark.parametrize("later", [False, True], ids=["there", "later"])
    def test_something_else_that_can_be_awaited(self, *, later: bool) -> None:
        """ASGI asks for no coroutine."""

        class Message:
            def __await__(self) -> Generator[Any, Any, dict[str, Any]]:
                if later:
                    yield from asyncio.sleep(0.01).__await__()
                return piece(b"body")

        assert read(Message) == b"body"

    def test_scopes_that_a_layer_below_has_entered_are_left_in_order(self) -> None:
        """A middleware may wait inside a task group or a timeout of anyio's, also when the deadline passes."""
        sender = Sender(0.01, piece(b"bo", more=True), 0.01, piece(b"dy"))

        async def receive() -> dict[str, Any]:
            with anyio.fail_after(20):
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep, 20)
                    message = await sender.receive()
                    group.cancel_scope.cancel()
            return message

        assert read(receive) == b"body"
        with pytest.raises(BodyUnavailableError, match="within"):
            read(receive, seconds=SHORT)


class TestTooLarge:
    """A body over the limit is read to its end, and thrown away, so that the sender sees the response."""

    @pytest.mark.parametrize("declared", [True, False])
    def test_the_rest_is_read(self, *, declared: bool) -> None:
        """Up to the end; a server that closes a connection with unread data in it resets it."""
        sender = Sender(*[piece(b"x" * 50, more=True)] * 9, piece(b"x" * 50))
        headers = [(b"content-length", b"500")] if declared else []
        with pytest.raises(BodyTooLargeError):
            read(sender.receive, *headers)
        assert sender.messages == []
        assert sender.asked == 10

    def test_nothing_is_asked_for_behind_the_end(self) -> None:
        """There, a server waits until the client has gone."""
        sender = Sender(piece(b"x" * 101))
        with pytest.raises(BodyTooLargeError):
            read(sender.receive, (b"content-length", b"101"))
        assert sender.asked == 1

    def test_more_than_is_worth_it_is_not(self) -> None:
        """Neither if it says so, nor if it comes without a length."""
        sender = Sender()
        with pytest.raises(BodyTooLargeError):
            read(sender.receive, (b"content-length", b"%d" % (DRAIN_BYTES + 1)))
        assert sender.asked == 0
        megabyte = piece(bytes(1024 * 1024), more=True)
        sender = Sender(*[megabyte] * 40)
        with pytest.raises(BodyTooLargeError):
            read(sender.receive)
        assert sender.asked == DRAIN_BYTES // (1024 * 1024)

    def test_a_client_that_waits_to_be_asked_is_not(self) -> None:
        """To ask for the body is how a server says 100 Continue."""
        sender = Sender(piece(b"x" * 500))
        with pytest.raises(BodyTooLargeError):
            read(sender.receive, (b"content-length", b"500"), (b"expect", b"100-continue"))
        assert sender.asked == 0

    @pytest.mark.parametrize("messages", [[], [piece(b"x" * 101, more=True)]], ids=["nothing", "a-part"])
    def test_a_client_that_sends_nothing_more_gets_its_response_soon(self, messages: list[Any]) -> None:
        """It is waiting for it."""
        start = time.monotonic()
        with pytest.raises(BodyTooLargeError):
            read(Sender(*messages).receive, (b"content-length", b"500"))
        assert time.monotonic() - start < asgi.DRAIN_PAUSE + 2

    @pytest.mark.parametrize("end", [{"type": "http.disconnect"}, LookupError("of the server's own")], ids=str)
    def test_an_end_of_another_kind_is_an_end(self, end: Any) -> None:
        """The response is the same."""
        sender = Sender(piece(b"x" * 101, more=True), piece(b"x", more=True))

        async def receive() -> dict[str, Any]:
            if sender.messages:
                return await sender.receive()
            if isinstance(end, Exception):
                raise end
            return dict(end)

        with pytest.raises(BodyTooLargeError):
            read(receive)

    def test_over_a_socket(self, app: FastAPI) -> None:
        """A proxy that speaks HTTP/1.0, as nginx does by default, sees the 413 and no reset."""
        app.post(PATH)(listrak_webhook(WEBHOOK)(_never))
        with uvicorn_server(app) as port:
            for chunked in (False, True):
                delivery = Delivery(bytes(4 * 1024 * 1024), chunked=chunked)
                request = delivery.to_bytes().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                with Connection(port) as connection:
                    # Not connection.send, which takes a reset for granted.
                    connection.socket.sendall(request)
                    assert connection.answer().status == 413


async def _never(event: Event) -> None:
    pytest.fail(f"the handler was called with {event}")


class TestLarge:
    """A body that takes long to parse."""

    @pytest.mark.parametrize("form", ["decorator", "with-the-event", "dependency", "guarded-dependency"])
    @pytest.mark.parametrize(("size", "is_in_the_loop"), [(LARGE_BODY - 1, True), (LARGE_BODY, False)])
    def test_it_is_parsed_in_a_thread(self, app: FastAPI, form: str, size: int, *, is_in_the_loop: bool) -> None:
        """So that other requests are served meanwhile; a small one is not worth it."""
        threads: list[int] = []

        def note(mail: Any) -> Any:
            threads.append(threading.get_ident())
            return mail

        class Mail(BaseModel):
            campaign: str

        checked: Any = Annotated[Mail, AfterValidator(note)]
        guard = MemoryReplayGuard() if form == "guarded-dependency" else None
        dependency = Depends(ListrakWebhook(parse_as=checked, replay=guard))

        async def decorated(mail: checked) -> None: ...

        async def with_the_event(event: Event, mail: checked) -> None: ...

        async def dependent(mail: Annotated[Any, dependency]) -> None: ...

        handlers: dict[str, Any] = {
            "decorator": listrak_webhook(decorated),
            "with-the-event": listrak_webhook(with_the_event),
        }
        app.post(PATH)(handlers.get(form, dependent))
        head, tail = b'{"campaign":"', b'"}'
        body = head + b"x" * (size - len(head) - len(tail)) + tail
        assert call_asgi(app, Delivery(body)).status == 200
        assert [thread == threading.get_ident() for thread in threads] == [is_in_the_loop]

    def test_one_that_does_not_fit_keeps_nobody_waiting(self, app: FastAPI) -> None:
        """Thousands of problems in one delivery are collected outside the loop, and few of them are sent."""

        class Line(BaseModel):
            sku: str

        class Mail(BaseModel):
            items: list[Line]

        @app.post(PATH)
        @listrak_webhook
        async def handler(mail: Mail) -> None: ...

        @app.post("/ping")
        async def ping() -> None: ...

        body = b'{"items":[' + b",".join([b"{}"] * 30_000) + b"]}"

        async def steps() -> tuple[Answer, float]:
            answer = asyncio.ensure_future(acall_asgi(app, Delivery(body)))
            longest = 0.0
            while not answer.done():
                start = time.monotonic()
                # A request that waits for nothing gives way to nobody.
                await asyncio.sleep(0)
                await acall_asgi(app, Delivery(path="/ping"))
                await asyncio.sleep(0)
                longest = max(longest, time.monotonic() - start)
            return await answer, longest

        answer, longest = asyncio.run(steps())
        assert answer.status == 422
        assert len(answer.body) < 20_000
        assert longest < 5


def test_a_body_timeout_that_cannot_be_one() -> None:
    """It is found when the route is made."""
    for seconds in (0, -1, float("nan"), float("inf"), True, "30", None):
        options: Any = {"body_timeout": seconds}
        for call in (ListrakWebhook, listrak_webhook):
            with pytest.raises(ConfigurationError, match="body_timeout must be"):
                call(**options)


def test_a_layer_that_cannot_read_is_not_a_bad_signature(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    """Servers and middleware have exceptions of their own for that."""
    app.post(PATH)(listrak_webhook(_never))

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        async def fail() -> Any:
            raise anyio.ClosedResourceError

        await app(scope, fail, send)

    answer = call_asgi(broken, Delivery(BODY))
    assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
    assert "ClosedResourceError" in one_rejection(caplog, "body_unavailable", logging.WARNING)
