"""The sender: what it signs, and what each client makes of it."""

from __future__ import annotations

import gc
import types
from typing import Any

import anyio
import pytest
from listrak_webhooks import ConfigurationError, Webhook
from listrak_webhooks.testing import Delivery, Sender, cart
from support import kit_clients
from support.deliveries import PATH
from support.helpers import NOW, SECRET, SENT, SIGNATURE, TIMESTAMP
from support.kit_clients import CLIENTS
from support.kit_endpoints import Response, endpoint
from support.scripts import run

every_client = pytest.mark.parametrize("name", CLIENTS)

ANSWERS = {
    "flask": "werkzeug.test",
    "werkzeug": "werkzeug.test",
    "httpx-wsgi": "httpx",
    "httpx2-wsgi": "httpx2",
    "requests": "requests.models",
    "starlette": "httpx",
    "httpx-asgi": "httpx",
    "httpx2-asgi": "httpx2",
    "django": "django.http.response",
    "rest": "django.http.response",
    "django-async": "django.http.response",
    "aiohttp": "aiohttp.client_reqrep",
    "aiohttp-session": "aiohttp.client_reqrep",
}
"""The module of each client's own answer."""


def send(name: str, respond: Any, delivery: Any) -> Any:
    """Send a delivery to an endpoint through a client."""
    make_app, client = CLIENTS[name]
    return kit_clients.send(Sender(SECRET), client, make_app(respond), delivery)


def recording(requests: list[tuple[str, bytes, dict[str, str]]]) -> Any:
    """Return a fit endpoint that keeps what it gets."""

    def respond(method: str, body: bytes, headers: Any) -> Response:
        requests.append((method, body, {name.lower(): value for name, value in headers.items()}))
        return endpoint()(method, body, headers)

    return respond


@every_client
def test_a_delivery_arrives_byte_for_byte_and_is_accepted(name: str) -> None:
    """The answer is the client's own, and the content type is that of JSON."""
    requests: list[Any] = []
    answer = send(name, recording(requests), cart())
    assert getattr(answer, "status_code", None) or answer.status == 200
    assert type(answer).__module__.startswith(ANSWERS[name])
    ((method, body, headers),) = requests
    assert (method, body, headers["content-type"]) == ("POST", cart().body, "application/json")


@every_client
@pytest.mark.parametrize("body", [b"", b"\0\xff\r\n", b" " * 300_000])
def test_any_bytes_arrive_as_they_are(name: str, body: bytes) -> None:
    """Also none at all."""
    requests: list[Any] = []
    send(name, recording(requests), Delivery(body))
    assert requests[0][1] == body


@every_client
def test_what_is_signed_already_is_sent_as_it_is(name: str) -> None:
    """With its own headers, a content type among them, and under whatever signature it has."""
    requests: list[Any] = []
    signed = cart().signed("another secret", NOW).with_headers({"content-type": "text/plain", "X-Other": "1"})
    answer = send(name, recording(requests), signed)
    assert (getattr(answer, "status_code", None) or answer.status) == 401
    headers = requests[0][2]
    assert (headers["ltk-timestamp"], headers["ltk-hmacsignature"]) == (SENT, signed.headers[SIGNATURE])
    assert (headers["content-type"], headers["x-other"]) == ("text/plain", "1")


@pytest.mark.parametrize("name", [name for name in CLIENTS if not kit_clients.is_async(name)])
def test_asend_takes_a_synchronous_client_too(name: str) -> None:
    """So that one helper of a project serves both."""
    make_app, client = CLIENTS[name]
    with client(make_app(endpoint())) as (opened, path):
        answer = anyio.run(Sender(SECRET).asend, opened, cart(), path)
        anyio.run(Sender(SECRET).acheck, opened, path)
    assert answer.status_code == 200


@pytest.mark.parametrize("name", [name for name in CLIENTS if kit_clients.is_async(name)])
def test_send_and_check_with_an_asynchronous_client_name_the_others(name: str) -> None:
    """Nothing is sent, and nothing is left that was never awaited."""
    make_app, client = CLIENTS[name]
    requests: list[Any] = []

    async def use() -> None:
        async with client(make_app(recording(requests))) as (opened, path):
            with pytest.raises(TypeError, match=r"await asend\(…\)"):
                Sender(SECRET).send(opened, cart(), path)
            with pytest.raises(TypeError, match=r"await acheck\(…\)"):
                Sender(SECRET).check(opened, path)

    anyio.run(use)
    gc.collect()
    assert requests == []


@pytest.mark.parametrize("client", [object(), types, None])
def test_an_unknown_client_is_a_type_error_with_the_known_ones(client: Any) -> None:
    """For `check` too, which takes it for no finding."""
    for use in (lambda: Sender(SECRET).send(client, cart(), PATH), lambda: Sender(SECRET).check(client, PATH)):
        with pytest.raises(TypeError, match=r"is not a client that the kit knows how to use; it knows .* aiohttp's"):
            use()


def test_what_the_handler_raises_passes_through() -> None:
    """As the client lets it."""

    def respond(*_: Any) -> Response:
        raise ZeroDivisionError

    for name in ("flask", "starlette", "django"):
        with pytest.raises(ZeroDivisionError):
            send(name, respond, cart())


def test_a_sender_signs_for_its_own_time() -> None:
    """In whole seconds, rounded down; and for the present where it has none."""
    assert Sender(SECRET, now=NOW + 0.9).signed(cart()).headers[TIMESTAMP] == SENT
    signed = Sender([SECRET, "the old one"]).signed(cart(), "hex")
    assert Webhook(SECRET).verify(signed.body, signed.headers).encoding == "hex"
    assert Sender([SECRET, "the old one"]).webhook.verify(signed.body, signed.headers).secret_index == 0


def test_a_sender_keeps_its_secret_to_itself() -> None:
    """And has one."""
    assert repr(Sender(SECRET, now=NOW)) == f"Sender(now={NOW})"
    with pytest.raises(ConfigurationError):
        Sender("")


def test_the_kit_imports_nothing_beside_the_package() -> None:
    """Neither pytest nor Hypothesis nor a client, which need not be installed."""
    clients = ["flask", "werkzeug", "django", "starlette", "httpx", "httpx2", "requests", "aiohttp"]
    done = run(
        "import listrak_webhooks.testing, listrak_webhooks.testing.probes; print('imported')",
        "pytest",
        "hypothesis",
        *clients,
    )
    assert done.stdout == "imported\n", done.stderr
    done = run("import listrak_webhooks; print('listrak_webhooks.testing' in sys.modules)")
    assert done.stdout == "False\n", done.stderr
