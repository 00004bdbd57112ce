"""`check` finds each fault that was put into an endpoint, and none in a right one."""

from __future__ import annotations

import email.utils
import signal
import socket
import socketserver
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks.cli._target import Target
from listrak_webhooks.cli._wire import Request, Wire
from support.command_line import DANGEROUS, SCRIPT, Result, call, call_on_terminal, environment
from support.faulty_endpoints import (
    ENDPOINTS,
    Endpoint,
    plain_endpoint,
    raw_endpoint,
    read_as_latin_1,
    read_as_text,
    written_again,
)
from support.helpers import OTHER_SECRET, PATIENCE, SECRET
from support.servers import serving, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

FORGERIES = ["forged", "body_changed", "time_changed", "cut_signature", "malformed_timestamp", "malformed_signature"]
NO_HEADERS = ["no_headers", "no_signature", "no_timestamp", "empty_signature"]
TIMES = ["stale", "future"]


def url(port: int) -> str:
    """Return where an endpoint is."""
    return f"http://127.0.0.1:{port}/listrak"


def findings_of(result: Result) -> dict[str, dict[str, str]]:
    """Return the findings by name."""
    found = result.json()["findings"]
    assert all({*each} == {"name", "level", "summary", "advice"} for each in found)
    by_name = {each["name"]: each for each in found}
    assert len(by_name) == len(found)
    assert all(each["advice"] for each in found if each["level"] != "green")
    return by_name


def check(
    serve: Callable[[Endpoint], Any], endpoint: Endpoint, **options: Any
) -> tuple[int, dict[str, dict[str, str]]]:
    """Check an endpoint; the exit code, and the findings by name."""
    with serve(endpoint) as port:
        result = call("check", url(port), "--json", **options)
    return result.status, findings_of(result)


def at(level: str, found: dict[str, dict[str, str]]) -> set[str]:
    """Return the names of the findings at a level."""
    return {name for name, finding in found.items() if finding["level"] == level}


every_endpoint = pytest.mark.parametrize("serve", ENDPOINTS.values(), ids=ENDPOINTS)


@every_endpoint
def test_a_right_endpoint_is_green(serve: Callable[[Endpoint], Any]) -> None:
    """The one thing to mention is that a local server has no certificate."""
    status, found = check(serve, Endpoint())
    assert (status, at("red", found), at("yellow", found)) == (0, set(), {"certificate"})
    for name in [
        *("genuine_base64", "genuine_hex", *FORGERIES, *NO_HEADERS, *TIMES, "body_unchanged", "odd_bytes", "twice"),
        *("large_body", "chunked", "expect_continue", "lower_case_headers", "time_to_answer", "clock"),
    ]:
        assert found[name]["level"] == "green"


@every_endpoint
def test_accepting_forgeries_is_red(serve: Callable[[Endpoint], Any]) -> None:
    """Each forgery is named, and that no conclusion about the body can be drawn."""
    status, found = check(serve, Endpoint(accepts_forgeries=True))
    assert (status, at("red", found)) == (1, {*FORGERIES, *NO_HEADERS, *TIMES})
    assert "Compare the MAC of the body" in found["body_changed"]["advice"]
    assert found["body_unchanged"]["level"] == "yellow"


@every_endpoint
def test_ignoring_the_time_is_red(serve: Callable[[Endpoint], Any]) -> None:
    """Old deliveries and those from the future are accepted, and nothing else is wrong."""
    status, found = check(serve, Endpoint(ignores_time=True))
    assert (status, at("red", found)) == (1, {*TIMES})
    assert "both ways" in found["stale"]["advice"]


@every_endpoint
@pytest.mark.parametrize(("known", "other"), [("hex", "base64"), ("base64", "hex")])
def test_accepting_one_encoding_is_red(serve: Callable[[Endpoint], Any], known: str, other: str) -> None:
    """The one that is missing is named, and the rest of the check uses the other."""
    status, found = check(serve, Endpoint(encodings=(known,)))
    assert (status, at("red", found)) == (1, {f"genuine_{other}"})
    assert f"signatures in {known} alone" in found[f"genuine_{other}"]["advice"]


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "written again": (written_again, "parsed as JSON and written again"),
    "trimmed": (bytes.strip, "white space or a newline at its ends is trimmed"),
    "trimmed at the end": (bytes.rstrip, "white space or a newline at its ends is trimmed"),
    "line endings": (lambda body: body.replace(b"\r\n", b"\n"), "line endings are converted"),
    "another character set": (read_as_latin_1, "another character set"),
    "text": (read_as_text, "it is turned into text and back"),
    "without its mark": (lambda body: body.removeprefix(b"\xef\xbb\xbf"), "byte order mark is taken away"),
}


@every_endpoint
@pytest.mark.parametrize("change", CHANGES)
def test_a_body_that_is_changed_on_its_way_is_red(serve: Callable[[Endpoint], Any], change: str) -> None:
    """How it is changed is told from the forms that are rejected."""
    function, meaning = CHANGES[change]
    status, found = check(serve, Endpoint(change=function))
    assert status == 1
    assert found["body_unchanged"]["level"] == "red"
    assert meaning in found["body_unchanged"]["summary"].replace("its ends are", "its ends is")
    assert "raw bytes" in found["body_unchanged"]["advice"]
    # Compact JSON is what the first deliveries are, and may be among what is rejected.
    assert at("red", found) - {"body_unchanged"} in (set(), {"genuine_base64", "genuine_hex"})


@every_endpoint
def test_a_limit_of_100_kb_is_red(serve: Callable[[Endpoint], Any]) -> None:
    """The finding says between which sizes it is."""
    status, found = check(serve, Endpoint(limit=100 * 1024))
    assert (status, at("red", found)) == (1, {"large_body"})
    assert "up to 90 kB are accepted, 120 kB are not" in found["large_body"]["summary"]
    assert "413" in found["large_body"]["summary"]


@every_endpoint
def test_another_success_is_yellow(serve: Callable[[Endpoint], Any]) -> None:
    """201 may count as success with Listrak, or not."""
    status, found = check(serve, Endpoint(status=201))
    assert (status, at("red", found)) == (0, set())
    assert {"genuine_base64", "genuine_hex"} <= at("yellow", found)
    assert "Respond with 200" in found["genuine_base64"]["advice"]


@pytest.mark.slow
@every_endpoint
def test_a_slow_endpoint_is_yellow(serve: Callable[[Endpoint], Any]) -> None:
    """Over two seconds is too long for a sender whose patience is not known."""
    status, found = check(serve, Endpoint(seconds=2.1))
    assert (status, at("red", found)) == (0, set())
    assert found["time_to_answer"]["level"] == "yellow"
    assert "2.1 s" in found["time_to_answer"]["summary"]


@every_endpoint
def test_a_redirect_is_red_and_not_followed(serve: Callable[[Endpoint], Any]) -> None:
    """It is an answer; where it leads is said, and the rest of the check would say nothing."""
    with serve(Endpoint()) as right:
        status, found = check(serve, Endpoint(location=url(right)))
    assert (status, at("red", found)) == (1, {"genuine_base64", "genuine_hex"})
    assert f"redirects to {url(right)}" in found["genuine_base64"]["advice"]
    assert "308" in found["genuine_base64"]["summary"]
    assert "large_body" not in found


@every_endpoint
@pytest.mark.parametrize(("second", "level"), [(200, "green"), (409, "green"), (401, "red"), (500, "red")])
def test_the_second_of_two(serve: Callable[[Endpoint], Any], second: int, level: str) -> None:
    """200 and 409 are right for a delivery that comes twice; anything else would look to Listrak like a failure."""
    status, found = check(serve, Endpoint(second=second))
    assert found["twice"]["level"] == level
    assert str(second) in found["twice"]["summary"]
    assert status == (1 if level == "red" else 0)


def test_the_wrong_secret_is_red_and_draws_no_conclusions() -> None:
    """Nothing is known of forgeries if genuine deliveries are rejected too."""
    status, found = check(plain_endpoint, Endpoint(), secret=OTHER_SECRET)
    assert (status, at("red", found)) == (1, {"genuine_base64", "genuine_hex"})
    assert "Compare the secret" in found["genuine_base64"]["advice"]
    assert {"forgeries", "body_unchanged"} <= at("yellow", found)
    assert not {*FORGERIES} & found.keys()


def test_names_of_headers_that_must_be_in_the_right_case_are_red() -> None:
    """HTTP/2 and many proxies write them in lower case."""
    status, found = check(plain_endpoint, Endpoint(case_sensitive=True))
    assert (status, at("red", found)) == (1, {"lower_case_headers"})


def test_failing_on_odd_bytes_is_yellow() -> None:
    """Each body that the endpoint fails on is named."""
    status, found = check(plain_endpoint, Endpoint(parses=True))
    assert (status, at("red", found)) == (0, set())
    assert {"not_utf8", "nul", "not_json"} <= at("yellow", found)
    assert found["body_unchanged"]["level"] == "green"


@pytest.mark.parametrize(("seconds", "words"), [(400, "400 s ahead of"), (-400, "400 s behind")])
def test_a_clock_that_is_off_is_yellow(seconds: int, words: str) -> None:
    """It is told from the header `Date`."""
    date = email.utils.formatdate(time.time() + seconds, usegmt=True)
    _, found = check(plain_endpoint, Endpoint(headers={"Date": date}))
    assert found["clock"]["level"] == "yellow"
    assert words in found["clock"]["summary"].replace("399", "400").replace("401", "400")


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_no_date_is_not_a_finding(date: str) -> None:
    """The clocks were not compared, which is said."""
    _, found = check(plain_endpoint, Endpoint(headers={"Date": date}))
    assert found["clock"]["level"] == "green"
    assert "not compared" in found["clock"]["summary"]


def test_nothing_there_is_red() -> None:
    """The port to which nothing listens is named, and the check is over."""
    result = call("check", "http://127.0.0.1:1/listrak", "--json")
    assert (result.status, at("red", findings_of(result))) == (1, {"reachable"})
    assert "the connection was refused" in result.out


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "not HTTP"),
        (b"\x1b]0;title\x07\r\n\r\n", "not HTTP"),
    ],
)
def test_what_is_not_http_is_red(response: bytes, words: str) -> None:
    """There is no answer, whatever the server sends."""
    with raw_endpoint(response) as port:
        result = call("check", url(port), "--json")
    found = findings_of(result)
    assert (result.status, at("red", found)) == (1, {"genuine_base64", "genuine_hex"})
    assert words in found["genuine_base64"]["summary"]


def test_the_table_is_for_people() -> None:
    """The worst comes first, with what to do, and the last line is the verdict."""
    with plain_endpoint(Endpoint(ignores_time=True)) as port:
        result = call("check", url(port))
    lines = result.out.splitlines()
    assert lines[0] == url(port)
    assert [line.split()[1] for line in lines if line.startswith("red")] == TIMES
    assert lines[1].startswith("red")
    assert lines[-1] == "This endpoint is not fit for Listrak: 2 red, 1 yellow, 21 green."
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["color", "no color"])
def test_the_table_on_a_terminal(columns: int, variables: dict[str, str]) -> None:
    """It fits the terminal, and has colors only where they are wished for."""
    with plain_endpoint(Endpoint()) as port:
        screen = call_on_terminal("check", url(port), columns=columns, variables=variables)
    assert screen.status == 0
    assert ("\x1b[" in screen.text.rpartition("level")[2]) == (not variables)
    import re

    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.text).replace("\r", "")
    assert max(map(len, plain.splitlines())) <= columns
    assert "This endpoint is fit for Listrak" in plain


def test_nothing_of_a_response_reaches_the_terminal_as_it_is() -> None:
    """A header may hold what moves the cursor, and what Rich takes for markup."""
    evil = "/[red]x[/red]\x9b31m\x1b[2J" + DANGEROUS.replace("\x00", "").encode("utf-8").decode("latin-1")
    with plain_endpoint(Endpoint(location=evil)) as port:
        plain = call("check", url(port))
        screen = call_on_terminal("check", url(port))
    for text in (plain.out, plain.err):
        assert all(each.isprintable() or each == "\n" for each in text)
    assert r"[red]x[/red]\x9b31m" in plain.page
    assert "[red]x[/red]" in screen.text
    assert "\x1b[2J" not in screen.text
    assert "\x9b" not in screen.text
    with raw_endpoint(b"HTTP/1.1 200 OK\r\n[red]bad\x1b[2J[/red]\r\n\r\n") as port:
        screen = call_on_terminal("check", url(port))
    assert "[red]bad" in screen.text
    assert "\x1b[2J" not in screen.text


def test_forgeries_are_looked_for_in_a_form_that_is_accepted() -> None:
    """Where compact JSON is rejected, an old delivery of it would be too, and that would say nothing of the time."""
    status, found = check(plain_endpoint, Endpoint(change=written_again, ignores_time=True, limit=100_000))
    assert (status, at("red", found)) == (1, {"genuine_base64", "genuine_hex", "body_unchanged", *TIMES, "large_body"})
    assert "see body_unchanged" in found["genuine_base64"]["advice"]
    assert found["genuine_hex"]["advice"] == "As for genuine_base64."


def test_ctrl_c_ends_a_check_at_once() -> None:
    """What is under way is not waited for."""
    hanging = Hanging(after=3)
    with plain_endpoint(Endpoint(change=hanging)) as port:
        command, pipe = [str(SCRIPT), "check", url(port)], subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment(SECRET)) as running:
            wait_for(lambda: hanging.hangs >= 4)
            start = time.monotonic()
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=PATIENCE)
            took = time.monotonic() - start
        hanging.go_on.set()
    assert (running.returncode, err.splitlines()[-1]) == (1, b"Interrupted.")
    assert out.splitlines()[-1] == b"The check was not finished: 1 yellow, 2 green."
    assert took < 5


class Hanging:
    """Hangs on what comes later."""

    def __init__(self, after: int) -> None:
        self._after = after
        self.hangs = 0
        self.go_on = threading.Event()

    def __call__(self, body: bytes) -> bytes:
        self._after -= 1
        if self._after < 0:
            self.hangs += 1
            self.go_on.wait(PATIENCE)
        return body


def test_a_response_before_the_body_was_read_is_seen() -> None:
    """Many servers respond with 413 to a large body, and close with the rest of it unread."""
    response = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
    with raw_endpoint(response, linger=0.3) as port:
        wire = Wire(Target(url(port), False, "127.0.0.1", port, f"127.0.0.1:{port}", "/"), None)
        answer = wire.exchange(Request({}, bytes(30 * 1024 * 1024)))
    assert answer.status == 413


@pytest.mark.parametrize("continues", [b"HTTP/1.1 100 Continue\r\n\r\n", b""])
def test_100_continue_is_waited_for(continues: bytes) -> None:
    """For a second; then the body is sent without it."""
    body, received = b"x" * 10, bytearray()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received.extend(self.request.recv(65_536))
            assert not received.endswith(body)
            self.request.sendall(continues)
            received.extend(self.request.recv(65_536))
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        wire = Wire(Target(url(port), False, "127.0.0.1", port, f"127.0.0.1:{port}", "/"), None)
        answer = wire.exchange(Request({}, body, expect=True))
    assert (answer.status, answer.continued) == (200, bool(continues))
    assert received.endswith(b"\r\n\r\n" + body)
    assert (answer.seconds >= 1) == (not continues)


def test_the_case_of_the_headers_is_what_is_meant() -> None:
    """As Listrak writes them, or all in lower case; h11 keeps the case."""
    seen: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(self.request.recv(65_536))
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serving(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        wire = Wire(Target(url(port), False, "127.0.0.1", port, f"127.0.0.1:{port}", "/a?b"), None)
        for lower_case in (False, True):
            wire.exchange(Request({"LTK-Timestamp": "1"}, b"", lower_case=lower_case))
    assert [each.split(b"\r\n")[0] for each in seen] == [b"POST /a?b HTTP/1.1"] * 2
    assert b"\r\nLTK-Timestamp: 1\r\n" in seen[0]
    assert b"\r\nltk-timestamp: 1\r\n" in seen[1]
    assert seen[1].split(b"\r\n\r\n")[0].split(b"\r\n", 1)[1].lower() in seen[1]


def test_an_endpoint_over_ipv6() -> None:
    """Its address is in brackets."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with serving(Server(("::1", 0), Handler)) as port:
        found = findings_of(call("check", f"http://[::1]:{port}/", "--json"))
        assert call("send", f"http://[::1]:{port}/").status == 0
    assert found["genuine_base64"]["level"] == "green"
