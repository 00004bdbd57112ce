"""`check`: what its genuine deliveries hold, what it says of a handler that does not take them, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks.cli import _checking, _findings, _wire
from listrak_webhooks.cli._checking import Check
from listrak_webhooks.cli._content import Content
from listrak_webhooks.cli._target import Target
from support.command_line import SCRIPT, Result, call, call_on_terminal, environment
from support.faulty_endpoints import Endpoint, plain_endpoint, raw_endpoint, trickling_endpoint
from support.helpers import PATIENCE, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def url(port: int) -> str:
    """Return where an endpoint is."""
    return f"http://127.0.0.1:{port}/listrak"


def findings_of(result: Result) -> dict[str, dict[str, str]]:
    """Return the findings by name."""
    return {each["name"]: each for each in result.json()["findings"]}


def levels(result: Result, level: str) -> set[str]:
    """Return the names of the findings at a level."""
    return {name for name, each in findings_of(result).items() if each["level"] == level}


class Handler(Endpoint):
    """A right endpoint whose handler takes one kind of delivery, and fails on JSON of any other."""

    def __init__(self, takes: Callable[[Any], bool], status: int = 500, **options: Any) -> None:
        super().__init__(**options)
        self.takes = takes
        self.refusal = status
        self.bodies: list[bytes] = []
        self.times: list[tuple[bytes, str]] = []

    def respond(self, headers: Any, body: bytes) -> int:
        """Return the status for a request."""
        status = super().respond(headers, body)
        if 200 <= status < 300:
            self.bodies.append(body)
            self.times.append((body, headers["LTK-Timestamp"]))
            try:
                content = json.loads(body)
            except ValueError:
                return 400
            return status if isinstance(content, dict) and self.takes(content) else self.refusal
        return status


KINDS: dict[str, Callable[[Any], bool]] = {
    "cart": lambda content: bool(content["cart"]["items"]) if "cart" in content else False,
    "order": lambda content: "orderNumber" in content and bool(content["items"]),
    "product": lambda content: "masterSku" in content and "alertType" not in content,
    "page": lambda content: "page" in content,
    "alert": lambda content: "alertType" in content,
    "custom": lambda content: "campaign" in content,
}


@pytest.mark.parametrize("journey", KINDS)
def test_an_endpoint_for_one_journey_is_green(journey: str) -> None:
    """Each genuine delivery is of the journey that was asked for, the large one and the odd ones too."""
    with plain_endpoint(Handler(KINDS[journey])) as port:
        result = call("check", url(port), "--journey", journey, "--json")
    assert (result.status, levels(result, "red"), levels(result, "yellow")) == (0, set(), {"certificate"})


def test_the_deliveries_are_carts_unless_it_is_said() -> None:
    """As those of `send` are."""
    with plain_endpoint(Handler(KINDS["cart"])) as port:
        assert call("check", url(port)).status == 0


@pytest.mark.parametrize("status", [500, 422, 415, 400])
def test_a_handler_that_does_not_take_the_delivery_is_told_of_the_options(status: int) -> None:
    """A failure on a genuine delivery may be one of the handler, which is for another kind."""
    with plain_endpoint(Handler(KINDS["order"], status)) as port:
        found = findings_of(call("check", url(port), "--json"))
    assert "may not take this kind of delivery" in found["genuine_base64"]["advice"]
    assert "--journey" in found["genuine_base64"]["advice"]
    assert "--body" in found["genuine_base64"]["advice"]


OWN = b'{ "shop" : 7,\r\n  "who": "Zo\\u00eb",  "email": "jane@example.com" }\n'


def test_a_body_of_ones_own_is_sent_byte_for_byte(tmp_path: Path) -> None:
    """The endpoint that takes nothing else is right, and no two deliveries of it are the same."""
    (tmp_path / "body").write_bytes(OWN)
    endpoint = Handler(lambda content: content.get("shop") == 7)
    with plain_endpoint(endpoint) as port:
        result = call("check", url(port), "--body", tmp_path / "body", "--json")
        stdin = call("check", url(port), "--body", "-", "--json", stdin=OWN)
    assert (result.status, levels(result, "red"), levels(result, "yellow")) == (0, set(), {"certificate"})
    assert stdin.status == 0
    assert endpoint.bodies[:2] == [OWN, OWN]
    assert endpoint.bodies.count(OWN) >= 10


def test_a_body_of_ones_own_is_not_a_duplicate(tmp_path: Path) -> None:
    """A guard against replays sees another timestamp each time, but for the delivery that is sent twice."""
    (tmp_path / "body").write_bytes(OWN)
    endpoint = Handler(lambda content: content.get("shop") == 7)
    with plain_endpoint(endpoint) as port:
        assert call("check", url(port), "--body", tmp_path / "body").status == 0
    repeated = [each for each in endpoint.times if endpoint.times.count(each) > 1]
    assert len(repeated) == 2


@pytest.mark.parametrize("body", [b"campaign=vip&email=jane@example.com", b"[1]", b"{}"])
def test_a_body_of_ones_own_may_be_anything(body: bytes) -> None:
    """Forms of JSON are not made of what is not an object with a field."""
    with plain_endpoint(Endpoint()) as port:
        result = call("check", url(port), "--body", "-", "--json", stdin=body)
    assert (result.status, levels(result, "red")) == (0, set())
    assert findings_of(result)["body_unchanged"]["level"] == "green"


@pytest.mark.parametrize("status", [422, 400])
def test_a_field_that_the_handler_does_not_expect_is_not_a_changed_body(status: int) -> None:
    """A strict handler rejects what it does not know with another status than a forgery."""
    known = {"cart", "email", "phone", "couponCodes"}
    with plain_endpoint(Handler(lambda content: {*content} <= known, status)) as port:
        result = call("check", url(port), "--json")
    assert levels(result, "red") == set()
    assert {"numbers", "escapes", "not_ascii"} <= levels(result, "yellow")
    assert findings_of(result)["body_unchanged"]["level"] == "green"


@pytest.mark.parametrize(("journey", "known"), [("page", {"page", "data"}), ("custom", {"campaign", "template"})])
def test_a_strict_handler_takes_the_large_body(journey: str, known: set[str]) -> None:
    """It has no field that is not in the others, and is as large as it says."""
    known = {*known, "email", "phone", "couponCodes"}
    endpoint = Handler(lambda content: {*content} <= known, 422)
    with plain_endpoint(endpoint) as port:
        result = call("check", url(port), "--journey", journey, "--json")
    assert levels(result, "red") == set()
    assert 2_500_000 < max(map(len, endpoint.bodies)) < 4_000_000


def test_a_journey_and_a_body_are_a_mistake() -> None:
    """As with `send`; and the standard input cannot be two things."""
    for arguments in (
        ["--journey", "cart", "--body", "x"],
        ["--body", "-", "--secret-file", "-"],
        ["--body", "no"],
        ["--body", "-"],
    ):
        result = call("check", "http://127.0.0.1:1/", *arguments)
        assert (result.status, result.out) == (2, "")


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [(Endpoint(status=500), "500"), (Endpoint(status=404), "404"), (Endpoint(location="https://x.example/"), "308")],
)
def test_forgeries_that_could_not_be_tried_are_said(endpoint: Endpoint, words: str) -> None:
    """The finding says why they say nothing."""
    with plain_endpoint(endpoint) as port:
        result = call("check", url(port), "--json")
    found = findings_of(result)["forgeries"]
    assert found["level"] == "yellow"
    assert "could not be tried, because" in found["summary"]
    assert words in found["summary"]


def check_of(port: int) -> Check:
    """Return a check in this process."""
    return Check(Target(url(port), False, "127.0.0.1", port, f"127.0.0.1:{port}", "/"), [SECRET], Content(), _ignore)


def _ignore(step: str) -> None:
    del step


def test_a_body_that_never_ends_does_not_keep_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is there, and the body is read for a bounded time."""
    monkeypatch.setattr(_wire, "BODY_SECONDS", 0.1)
    start = time.monotonic()
    with trickling_endpoint() as port:
        found = {each.name: each for each in check_of(port).run()}
    assert time.monotonic() - start < PATIENCE
    assert found["genuine_base64"].level == "yellow"
    assert "the body of the response does not end" in found["genuine_base64"].summary
    assert found["forged"].level == "red"


def test_a_check_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not tried is said, and the endpoint is not called fit."""
    monkeypatch.setattr(_checking, "LONGEST_SECONDS", 0.5)
    with plain_endpoint(Endpoint(seconds=0.2)) as port:
        found = {each.name: each for each in check_of(port).run()}
    assert found["genuine_hex"].level == "green"
    assert found["unfinished"].level == "red"
    assert "twice" not in found


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_shows_what_was_found(as_json: bool) -> None:  # noqa: FBT001
    """Also of an endpoint that never ends a response."""
    with trickling_endpoint() as port:
        command = [str(SCRIPT), "check", url(port), *(["--json"] if as_json else [])]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(SECRET)) as running:
            time.sleep(2)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, err.splitlines()[-1]) == (1, b"Interrupted.")
    if as_json:
        assert [each["name"] for each in json.loads(out)["findings"]] == ["certificate"]
    else:
        assert b"certificate" in out
        assert out.splitlines()[-1] == b"The check was not finished: 1 yellow."


def test_progress_is_shown_before_the_first_answer() -> None:
    """A person sees that something is being waited for."""
    waited = threading.Event()

    def hold(body: bytes) -> bytes:
        if not waited.is_set():
            time.sleep(2)
            waited.set()
        return body

    with plain_endpoint(Endpoint(change=hold)) as port:
        screen = call_on_terminal("check", url(port))
    assert re.search(r"Checking.*\b0\b", screen.text)


@pytest.mark.parametrize("columns", [30, 40, 59])
def test_a_narrow_terminal_loses_no_text(columns: int) -> None:
    """Each finding has its name, what it is and what to do."""
    with plain_endpoint(Endpoint(ignores_time=True)) as port:
        screen = call_on_terminal("check", url(port), columns=columns)
        whole = findings_of(call("check", url(port), "--json"))
    shown = "".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text).split())
    for name, finding in whole.items():
        assert name in shown
        assert "…" not in shown
        if name != "time_to_answer":
            assert "".join(finding["summary"].split()) in shown
            assert "".join(finding["advice"].split()) in shown


class WithoutChunks(Endpoint):
    """An endpoint on a server that does not read chunks."""

    def respond(self, headers: Any, body: bytes) -> int:
        """Return the status for a request."""
        return super().respond(headers, b"" if headers.get("Transfer-Encoding") else body)


def test_a_server_that_does_not_read_chunks() -> None:
    """The advice says that it may not support them, and what to do."""
    with plain_endpoint(WithoutChunks()) as port:
        result = call("check", url(port), "--json")
    assert levels(result, "red") == {"chunked"}
    assert "may not support a body in chunks" in findings_of(result)["chunked"]["advice"]


@pytest.mark.parametrize("command", ["send", "check"])
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not HTTP: illegal status line: SSH-2.0-OpenSSH_9.6"),
        (b"HTTP/1.1 200 OK\r\nit's bad\r\n\r\n", "not HTTP: illegal header line: it's bad"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "the response was cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "the response was cut"),
        (b"", "the connection was closed"),
    ],
)
def test_a_bad_response_is_said_in_words(command: str, response: bytes, words: str) -> None:
    """And not as Python writes bytes."""
    with raw_endpoint(response) as port:
        result = call(command, url(port))
    assert words in result.page
    assert "bytearray" not in result.out


def test_a_server_of_another_protocol_is_quoted() -> None:
    """It need not send the empty line that ends a head."""
    with raw_endpoint(b"SSH-2.0-OpenSSH_9.6\r\n") as port:
        result = call("check", url(port))
    assert "the response is not HTTP: it begins with SSH-2.0-OpenSSH_9.6" in result.page


def test_what_a_server_sends_is_cut_where_it_is_shown() -> None:
    """A line of an endpoint may be long."""
    with raw_endpoint(b"x" * 5000 + b"\r\n\r\n") as port:
        (finding,) = [each for each in check_of(port).run() if each.name == "genuine_base64"]
    assert len(finding.summary) < 400
    assert isinstance(finding, _findings.Finding)
