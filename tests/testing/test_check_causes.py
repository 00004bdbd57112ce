"""The check of an endpoint in which one thing is wrong: one row that names it, however many probes fail for it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from listrak_webhooks.testing import Sender, order, probes, stop_clock
from support import kit_clients
from support.deliveries import PATH
from support.helpers import NOW, OTHER_SECRET, SECRET
from support.kit_endpoints import Response, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Respond = Callable[[str, bytes, Mapping[str, str]], Response]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    # 4 MiB take their time.
    monkeypatch.setattr(probes, "HUGE", probes.LARGE + 1)


def fit_but(change: Callable[[Response, bytes], Response]) -> Respond:
    """Return a fit endpoint whose response, or what it responds to, is changed."""
    respond = endpoint()
    return lambda method, body, headers: change(respond(method, body, headers), body)


def always(status: int) -> Respond:
    """Return an endpoint that knows one status."""
    return lambda *_: Response(status)


def failing(status: int) -> Respond:
    """Return an endpoint that verifies, and whose handler then fails."""
    return fit_but(lambda response, _: Response(status) if response.status == 200 else response)


def raising(*_: Any) -> Response:
    """Fail as a handler does."""
    raise ZeroDivisionError


def reading(read: Callable[[bytes], bytes]) -> Respond:
    """Return an endpoint that reads the body in its own way before it verifies it."""
    respond = endpoint()

    def verify(method: str, body: bytes, headers: Mapping[str, str]) -> Response:
        try:
            body = read(body)
        except ValueError:
            return Response(400)
        return respond(method, body, headers)

    return verify


def compactly(body: bytes) -> bytes:
    """Write JSON again, as many senders write it."""
    return json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()


def rows(error: AssertionError) -> dict[str, str]:
    """Return what a table says, by probe."""
    found = re.findall(r"^(?:yellow|red) +(\S+) +(.*(?:\n {10,}.*)*)", str(error), re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def failed(respond: Respond, sender: Sender | None = None, **options: Any) -> tuple[str, AssertionError]:
    """Return the one row of a check, which is for a genuine delivery."""
    app = kit_clients.flask_app(respond)
    with pytest.raises(AssertionError) as caught:
        kit_clients.check(sender or Sender(SECRET), kit_clients.flask_client, app, **options)
    found = rows(caught.value)
    assert {*found} == {"genuine_base64"}, str(caught.value)
    assert re.search(r"\. \d+ other probes fail for the same reason\.$", found["genuine_base64"])
    assert max(map(len, str(caught.value).splitlines())) <= 110
    assert len(str(caught.value).splitlines()) < 12
    return found["genuine_base64"], caught.value


CAUSES: dict[str, tuple[Respond, str]] = {
    "another path": (always(404), "404; expected 200. The path is wrong"),
    "another method": (always(405), "405; expected 200. The path does not take POST"),
    "csrf": (always(403), "403; expected 200. Something in front of the handler rejects it, such as CSRF protection"),
    "401 for all": (always(401), "The endpoint's secret is not the one that signs here"),
    "500 for all": (always(500), "500; expected 200. The endpoint fails for every genuine delivery"),
    "503 for all": (always(503), "503; expected 200. The endpoint's store, queue or database does not respond"),
    "a handler that fails": (failing(500), "if the handler takes one kind of delivery alone, give one as delivery=…"),
    "a store that is down": (failing(503), "The endpoint's store, queue or database does not respond"),
    "a handler that rejects": (failing(422), "The handler rejects the delivery"),
    "a handler that raises": (raising, "raised ZeroDivisionError; expected 200. The endpoint raises for every"),
    "another success": (failing(204), "204; expected 200. Respond with 200"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_one_cause_is_one_row_that_names_it(cause: str) -> None:
    """The other probes are counted, and have no row."""
    respond, text = CAUSES[cause]
    row, error = failed(respond)
    assert text in row
    assert int(re.findall(r"(\d+) other probes fail", row)[0]) >= 4
    assert re.search(r"is not fit for Listrak: \d+ of \d+ probes found something\n", str(error))


def test_another_secret_is_named_with_each_way_to_set_it() -> None:
    """It is no longer a dozen rows on raw bytes."""
    row, error = failed(endpoint(), Sender(OTHER_SECRET))
    for way in ("LISTRAK_WEBHOOK_SECRET", "Sender(secret)", "@pytest.mark.listrak(secret=…)"):
        assert way in row
    assert SECRET not in str(error)
    assert OTHER_SECRET not in str(error)


READERS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "compact": (compactly, "if its body is compact JSON, and not as it is"),
    "spaced": (lambda body: json.dumps(json.loads(body)).encode(), "if its body is JSON with spaces"),
    "indented": (lambda body: json.dumps(json.loads(body), indent=2).encode(), "if its body is indented JSON"),
    "trimmed": (bytes.strip, "if its body is "),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_body_that_is_changed_before_it_is_verified_is_not_taken_for_another_secret(reader: str) -> None:
    """Some form of the same JSON is accepted, which is sent once all else is rejected."""
    read, text = READERS[reader]
    row = rows(checked(reading(read), delivery=order()))["genuine_base64"]
    assert "The body is changed before it is verified" in row
    assert text in row
    assert "secret" not in row


def checked(respond: Respond, sender: Sender | None = None, **options: Any) -> AssertionError:
    """Return what a check raises."""
    with pytest.raises(AssertionError) as caught:
        kit_clients.check(sender or Sender(SECRET), kit_clients.flask_client, kit_clients.flask_app(respond), **options)
    return caught.value


def test_compact_json_that_is_written_again_is_one_row() -> None:
    """The cart of the check is compact, so it passes, and the same JSON in other bytes passes too."""
    found = rows(checked(endpoint("reserializes_compactly")))
    assert {*found} == {"body_reserialized"}
    assert "The body is parsed and written again before it is verified" in found["body_reserialized"]


def test_a_time_of_the_sender_alone_is_named() -> None:
    """The endpoint's clock goes on unless it is stopped too."""
    row = rows(checked(endpoint(), Sender(SECRET, now=NOW)))["genuine_base64"]
    assert "s behind the endpoint's clock: Sender(now=…) sets the time of the signature alone" in row
    assert "`with stop_clock(now):`" in row


def test_a_sender_with_a_time_is_fit_once_the_clock_is_stopped() -> None:
    """That is what the row says."""
    from flask import Flask
    from listrak_webhooks.flask import listrak_webhook

    app = Flask(__name__)
    app.post(PATH)(listrak_webhook(SECRET)(lambda event: event.journey))
    with stop_clock(NOW):
        Sender(SECRET, now=NOW).check(app.test_client(), PATH)


def test_one_encoding_that_is_not_taken_is_one_row() -> None:
    """Base64 is that of most probes."""
    found = rows(checked(endpoint("hex_only")))
    assert {*found} == {"genuine_base64"}
    assert "accept base64 and hex" in found["genuine_base64"]


@pytest.mark.parametrize(("status", "names"), [(200, {"forged"}), (204, {"forged", "genuine_base64"})])
def test_an_endpoint_that_verifies_nothing_is_one_row(status: int, names: set[str]) -> None:
    """A success other than 200 is a cause of its own."""
    found = rows(checked(lambda method, *_: Response(status if method == "POST" else 405)))
    assert {*found} == names
    assert re.search(r"The endpoint accepts whatever it is sent: .* 9 other probes fail for the", found["forged"])


def test_what_has_another_cause_keeps_its_row() -> None:
    """A limit that is too low is not the reason for which a genuine delivery is rejected, nor the other way round."""

    def respond(method: str, body: bytes, headers: Mapping[str, str]) -> Response:
        return Response(413) if len(body) > 100_000 else endpoint()(method, body, headers)

    assert {*rows(checked(respond, Sender(OTHER_SECRET)))} == {"genuine_base64", "large_body"}
    assert {*rows(checked(always(200)))} == {"forged", "get"}


@pytest.mark.parametrize("client", ["httpx", "httpx2", "requests"])
def test_nothing_that_listens_is_one_row(client: str, free_port: int) -> None:
    """What the client raised is the cause."""
    import importlib

    module = importlib.import_module(client)
    opened = module.Session() if client == "requests" else module.Client()
    with opened, pytest.raises(AssertionError) as caught:
        Sender(SECRET).check(opened, f"http://127.0.0.1:{free_port}{PATH}")
    found = rows(caught.value)
    assert {*found} == {"genuine_base64"}
    assert "Nothing listens where the client connects to" in found["genuine_base64"]
    assert "Connect" in type(caught.value.__cause__).__name__


def test_nothing_that_listens_is_one_row_for_aiohttp(free_port: int) -> None:
    """The asynchronous check finds the same causes."""
    import aiohttp

    async def check() -> None:
        async with aiohttp.ClientSession() as session:
            await Sender(SECRET).acheck(session, f"http://127.0.0.1:{free_port}{PATH}")

    with pytest.raises(AssertionError, match="Nothing listens"):
        anyio.run(check)


def test_what_a_handler_raises_when_it_cannot_connect_is_its_own() -> None:
    """The endpoint is there, and what it calls is not."""
    import requests

    def respond(*_: Any) -> Response:
        raise requests.ConnectionError

    row, _ = failed(respond)
    assert "raised ConnectionError; expected 200. The endpoint raises for every genuine delivery" in row


@pytest.fixture
def free_port() -> int:
    """Return a port on which nothing listens."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
