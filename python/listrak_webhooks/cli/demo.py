"""The demo: a real server, a sender that plays Listrak, and a table of what came of it.

The sender shares nothing with the core: it signs with Python's own `hmac`, so that a table of right answers proves that
the two agree.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import logging
import shutil
import socket
import socketserver
import textwrap
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click

from listrak_webhooks import _clock
from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER, Event, Webhook
from listrak_webhooks.instrumentation import logger

from ._command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from _typeshed.wsgi import WSGIApplication

# They protect nothing but the demo.
SECRET = "the new demo secret"  # noqa: S105
OLD_SECRET = "the old demo secret"  # noqa: S105
PATH = "/listrak"
BODY = json.dumps({"campaign": "abandoned cart", "email": "jane@example.com", "couponCodes": ["SAVE10-X1"]}).encode()


@dataclass(frozen=True)
class Delivery:
    """One row: what is sent, and what must come of it."""

    what: str
    headers: dict[str, str]
    status: int
    reason: str
    """What the reason must begin with: a code, or how it was verified."""
    body: bytes | None = BODY
    """`None` announces a body of `announced` bytes and never sends it."""
    announced: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came back."""

    status: int
    reason: str


def deliveries(now: int, max_body: int) -> Iterator[Delivery]:
    """Yield everything that the demo sends.

    Args:
        now: the time, in Unix seconds.
        max_body: the receiver's limit, in bytes.
    """

    def signed(
        secret: str = SECRET, age: int = 0, spell: Callable[[bytes], str] = lambda mac: base64.b64encode(mac).decode()
    ) -> dict[str, str]:
        timestamp = str(now - age)
        mac = hmac.new(secret.encode(), BODY + timestamp.encode(), hashlib.sha256).digest()
        return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: spell(mac)}

    genuine = signed()
    yield Delivery("genuine, signature in base64", genuine, 200, "verified: base64, current secret")
    yield Delivery("genuine, signature in hex", signed(spell=bytes.hex), 200, "verified: hex, current secret")
    yield Delivery("genuine, by the old secret", signed(OLD_SECRET), 200, "verified: base64, old secret")
    yield Delivery("tampered body", genuine, 401, "signature_mismatch", body=BODY.replace(b"SAVE10", b"SAVE90"))
    yield Delivery("wrong secret", signed("a guess"), 401, "signature_mismatch")
    yield Delivery("an hour old", signed(age=3600), 401, "stale_timestamp")
    yield Delivery("an hour in the future", signed(age=-3600), 401, "future_timestamp")
    milliseconds = genuine | {TIMESTAMP_HEADER: f"{now}000"}
    yield Delivery("milliseconds for seconds", milliseconds, 401, "malformed_timestamp")
    unsigned = {TIMESTAMP_HEADER: genuine[TIMESTAMP_HEADER]}
    yield Delivery("no signature header", unsigned, 401, "missing_header")
    yield Delivery("too large, not a byte sent", genuine, 413, "body_too_large", body=None, announced=max_body + 1)


def run(framework: str) -> int:
    """Run the demo and print it.

    Args:
        framework: a key of `RECEIVERS`.

    Returns:
        The exit status: 0 if every delivery had the outcome that it should have.

    Raises:
        ModuleNotFoundError: the framework is not installed; the message says how to.
    """
    webhook = Webhook([SECRET, OLD_SECRET])
    wrong = 0
    with RECEIVERS[framework](webhook) as port, _records() as records:
        print(f"A {framework} receiver on http://127.0.0.1:{port}{PATH}, a sender with Python's own hmac.\n")
        table = Table(shutil.get_terminal_size((110, 24)).columns)
        table.print("what was sent", "answer", "reason")
        for delivery in deliveries(int(_clock.now()), webhook.max_body):
            outcome = _send(port, delivery, records)
            right = outcome.status == delivery.status and outcome.reason.startswith(delivery.reason)
            verdict = "" if right else f"  <-- WRONG, should be {delivery.status} {delivery.reason}"
            wrong += not right
            table.print(delivery.what, str(outcome.status), outcome.reason + verdict)
    print("\nEvery answer is the right one." if not wrong else f"\n{wrong} answers are wrong.")
    return 1 if wrong else 0


class Table:
    """Three columns, of which the last wraps.

    Args:
        width: the width of the terminal, in characters.
    """

    WHAT = 30
    ANSWER = 8

    def __init__(self, width: int) -> None:
        self._rest = max(30, width - self.WHAT - self.ANSWER - 1)

    def print(self, what: str, answer: str, reason: str) -> None:
        """Print one row."""
        for line in textwrap.wrap(reason, self._rest):
            print(f"{what:{self.WHAT}}{answer:{self.ANSWER}}{line}")
            what = answer = ""


def _send(port: int, delivery: Delivery, records: list[logging.LogRecord]) -> Outcome:
    """Send one delivery over HTTP; the reason is what the receiver responded with or, for a rejection, logged."""
    records.clear()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        length = delivery.announced if delivery.body is None else len(delivery.body)
        connection.putrequest("POST", PATH)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(length),
            **delivery.headers,
        }.items():
            connection.putheader(name, value)
        connection.endheaders(delivery.body)
        response = connection.getresponse()
        answer = response.read()
    text = answer.decode(errors="replace")
    if not records:
        return Outcome(response.status, text)
    # The code is the one that was answered. The log says why, and then what to do, for which a table has no room.
    code = next(iter(json.loads(text).values()))
    _, _, message = records[0].getMessage().partition(f"{code}: ")
    return Outcome(response.status, f"{code}: {message.split(';')[0]}")


@contextlib.contextmanager
def _records() -> Generator[list[logging.LogRecord], None, None]:
    """Collect what the receiver logs, and keep it off the screen."""
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    collector = Collector()
    log = logger()
    log.addHandler(collector)
    propagate, log.propagate = log.propagate, False
    try:
        yield records
    finally:
        log.removeHandler(collector)
        log.propagate = propagate


def _describe(event: Event) -> str:
    return f"verified: {event.encoding}, {('current', 'old')[event.secret_index]} secret"


@contextlib.contextmanager
def _flask(webhook: Webhook) -> Generator[int, None, None]:
    # Ours first: it says what to install where the framework is missing.
    from listrak_webhooks.flask import listrak_webhook  # noqa: I001, PLC0415
    from flask import Flask  # noqa: PLC0415

    app = Flask(__name__)
    app.post(PATH)(listrak_webhook(webhook)(_describe))
    with _wsgi_server(app) as port:
        yield port


@contextlib.contextmanager
def _django(webhook: Webhook) -> Generator[int, None, None]:
    from listrak_webhooks.django import listrak_webhook  # noqa: I001, PLC0415
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415
    from django.http import HttpRequest, HttpResponse  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    @listrak_webhook(webhook)
    def view(request: HttpRequest, event: Event) -> HttpResponse:
        del request
        return HttpResponse(_describe(event))

    urls = type("urls", (), {"urlpatterns": [path(PATH.lstrip("/"), view)]})
    # Django would log each rejection to the screen once more.
    quiet = {"version": 1, "disable_existing_loggers": False, "loggers": {"django": {"level": "CRITICAL"}}}
    settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=urls, LOGGING=quiet)
    django.setup()
    with _wsgi_server(WSGIHandler()) as port:
        yield port


@contextlib.contextmanager
def _fastapi(webhook: Webhook) -> Generator[int, None, None]:
    from listrak_webhooks.fastapi import listrak_webhook  # noqa: I001, PLC0415
    from fastapi import FastAPI  # noqa: PLC0415
    from fastapi.responses import PlainTextResponse  # noqa: PLC0415

    try:
        import uvicorn  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the FastAPI demo needs a server, uvicorn; install it with: pip install uvicorn", name=error.name
        ) from None

    app = FastAPI()

    @app.post(PATH)
    @listrak_webhook(webhook)
    async def operation(event: Event) -> PlainTextResponse:
        return PlainTextResponse(_describe(event))

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        # The listener holds early connections until the server takes them.
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextlib.contextmanager
def _wsgi_server(app: WSGIApplication) -> Generator[int, None, None]:
    class ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
        pass

    class QuietHandler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with make_server("127.0.0.1", 0, app, ThreadingServer, QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


RECEIVERS: dict[str, Callable[[Webhook], contextlib.AbstractContextManager[int]]] = {
    "django": _django,
    "fastapi": _fastapi,
    "flask": _flask,
}
"""How to run a receiver with each framework; entering gives the port."""


@click.command(
    cls=Command,
    example="listrak-webhooks demo --framework fastapi",
    short_help="Start a receiver, play Listrak against it, and show every answer.",
)
@click.option("--framework", type=click.Choice(sorted(RECEIVERS)), default="flask", show_default=True)
def command(framework: str) -> int:
    """Start a receiver, play Listrak against it, and show every answer.

    A real server on a free loopback port is sent genuine and forged deliveries over HTTP, signed by Python's own hmac.
    What it responded with and why is printed. Exits 0 if every answer is the right one.
    """
    return run(framework)
