"""`send` plays Listrak: what it sends is believable, and right or wrong as it was told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import os
import signal
import subprocess
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from listrak_webhooks import Webhook, WebhookError
from listrak_webhooks.cli import _sending
from listrak_webhooks.cli._sending import Summary
from support.command_line import SCRIPT, call, call_on_terminal, environment
from support.faulty_endpoints import Endpoint, Seen, flask_endpoint, plain_endpoint, raw_endpoint
from support.helpers import OTHER_SECRET, PATIENCE, SECRET
from support.servers import wait_for

if TYPE_CHECKING:
    from pathlib import Path

JOURNEYS = ["cart", "order", "product", "page", "alert", "custom"]
WRONG = {
    "body": "signature_mismatch",
    "signature": "signature_mismatch",
    "timestamp": "signature_mismatch",
    "stale": "stale_timestamp",
    "future": "future_timestamp",
    "encoding": "malformed_signature",
}


def url(port: int) -> str:
    """Return where an endpoint is."""
    return f"http://127.0.0.1:{port}/listrak?shop=1"


class Recorder(Endpoint):
    """An endpoint that keeps what it is sent, and responds as `Webhook` says."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.codes: list[str | None] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.pause = 0.0
        self.times: list[float] = []

    def respond(self, headers: Any, body: bytes) -> int:
        """Return the status that the package's own adapters would respond with."""
        with self.lock:
            self.received.append((dict(headers.items()), body))
            self.times.append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.pause)
        code, status = None, 200
        try:
            Webhook(SECRET).verify(body, headers)
        except WebhookError as error:
            code, status = error.code, error.status
        with self.lock:
            self.codes.append(code)
            self.at_once -= 1
        return status


@pytest.mark.parametrize("journey", JOURNEYS)
def test_each_journey_is_genuine_and_believable(journey: str) -> None:
    """Each delivery is of another person, whose address is reserved, and reads as its journey."""
    endpoint = Recorder()
    with plain_endpoint(endpoint) as port:
        result = call("send", url(port), "--journey", journey, "--count", 5, "--json")
    assert result.status == 0
    assert endpoint.codes == [None] * 5
    events = [Webhook(SECRET).verify(body, headers) for headers, body in endpoint.received]
    assert {event.journey for event in events} == {journey}
    assert len({event.email for event in events}) == 5
    for event in events:
        assert event.email is not None
        assert event.email.rpartition("@")[2] in {"example.com", "example.net", "example.org"}
        assert event.phone is not None
        assert event.phone[-7:-2] == "55501"


def test_the_journey_is_a_cart_and_one_by_default() -> None:
    """One is enough to see whether the endpoint responds."""
    endpoint = Recorder()
    with flask_endpoint(endpoint) as port:
        result = call("send", url(port))
    assert result.status == 0
    ((headers, body),) = endpoint.received
    assert Webhook(SECRET).verify(body, headers).journey == "cart"
    assert result.out.splitlines()[:2] == ["1 sent", "  200  1"]
    (time_to_answer,) = result.out.splitlines()[2:]
    assert time_to_answer.startswith("time to answer  ")


@pytest.mark.parametrize("body", [b'{\r\n"a": 1\r\n}\r\n\x00\xff', b""])
def test_a_body_of_ones_own_is_sent_byte_for_byte(body: bytes, tmp_path: Path) -> None:
    """From a file or the standard input."""
    endpoint = Recorder()
    (tmp_path / "body").write_bytes(body)
    with plain_endpoint(endpoint) as port:
        assert call("send", url(port), "--body", tmp_path / "body").status == 0
        assert call("send", url(port), "--body", "-", stdin=body).status == 0
    assert [received for _, received in endpoint.received] == [body] * 2
    headers = endpoint.received[0][0]
    mac = hmac.new(SECRET.encode(), body + headers["LTK-Timestamp"].encode(), sha256).digest()
    assert headers["LTK-HmacSignature"] == base64.b64encode(mac).decode()


@pytest.mark.parametrize("tamper", WRONG)
def test_a_tampered_delivery_is_wrong_in_that_way(tamper: str) -> None:
    """The endpoint rejects each for the reason that was wished for, and that is the success."""
    endpoint = Recorder()
    with plain_endpoint(endpoint) as port:
        result = call("send", url(port), "--tamper", tamper, "--count", 20, "--concurrency", 4, "--json")
    assert endpoint.codes == [WRONG[tamper]] * 20
    assert (result.status, result.json()["statuses"]) == (0, {"401": 20})


def test_an_unusual_spelling_is_of_the_right_mac() -> None:
    """A lenient decoder would take it."""
    endpoint = Recorder()
    with plain_endpoint(endpoint) as port:
        call("send", url(port), "--tamper", "encoding")
    ((headers, body),) = endpoint.received
    mac = hmac.new(SECRET.encode(), body + headers["LTK-Timestamp"].encode(), sha256).digest()
    assert base64.b64decode(headers["LTK-HmacSignature"] + "=") == mac


@pytest.mark.parametrize("tamper", WRONG)
def test_accepting_a_tampered_delivery_fails(tamper: str) -> None:
    """Any success will do."""
    with plain_endpoint(Endpoint(accepts_forgeries=True, status=202)) as port:
        result = call("send", url(port), "--tamper", tamper, "--json")
    assert (result.status, result.json()["statuses"]) == (1, {"202": 1})


@pytest.mark.parametrize(("second", "status"), [(200, 0), (409, 1)])
def test_a_duplicate_is_sent_twice(second: int, status: int) -> None:
    """One after the other, byte for byte the same, and each must get 200."""
    seen = Seen()
    with plain_endpoint(Endpoint(second=second, change=seen)) as port:
        result = call("send", url(port), "--tamper", "duplicate", "--count", 2, "--json")
    assert seen.bodies[0] == seen.bodies[1] != seen.bodies[2] == seen.bodies[3]
    assert (result.status, result.json()["sent"]) == (status, 4)


@pytest.mark.parametrize("status", [201, 204, 302, 401, 500])
def test_another_status_than_200_fails(status: int) -> None:
    """A redirect is one, and is not followed."""
    with plain_endpoint(Endpoint()) as elsewhere:
        endpoint = Endpoint(accepts_forgeries=True, status=status, headers={"Location": url(elsewhere)})
        with plain_endpoint(endpoint) as port:
            result = call("send", url(port), "--json")
    assert (result.status, result.json()["statuses"]) == (1, {str(status): 1})


def test_the_summary_for_machines() -> None:
    """Its keys are fixed."""
    with plain_endpoint(Endpoint()) as port:
        found = call("send", url(port), "--count", 3, "--json").json()
    assert {*found} == {"sent", "statuses", "failed", "latency_ms"}
    assert {*found["latency_ms"]} == {"p50", "p95", "p99", "max"}
    assert (found["sent"], found["statuses"], found["failed"]) == (3, {"200": 3}, 0)
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["max"] < 30_000


@pytest.mark.parametrize("tamper", [[], ["--tamper", "body"]])
def test_no_answer_fails(tamper: list[str]) -> None:
    """An endpoint that does not respond has not rejected anything either."""
    result = call("send", "http://127.0.0.1:1/", "--count", 2, "--json", *tamper)
    assert result.status == 1
    assert result.json() == {
        "sent": 2, "statuses": {}, "failed": 2, "failures": {"the connection was refused": 2},
        "latency_ms": {"p50": None, "p95": None, "p99": None, "max": None}
    }  # fmt: skip
    assert "no answer  1: the connection was refused" in call("send", "http://127.0.0.1:1/").out


@pytest.mark.parametrize("response", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
def test_what_is_not_a_whole_response_is_none(response: bytes) -> None:
    """It is counted as failed, with its reason."""
    with raw_endpoint(response) as port:
        result = call("send", url(port))
    assert result.status == 1
    assert "no answer" in result.out


def test_a_rate_and_a_concurrency() -> None:
    """No more are sent a second, and no more are under way at the same time."""
    endpoint = Recorder()
    endpoint.pause = 0.1
    with plain_endpoint(endpoint) as port:
        result = call("send", url(port), "--count", 31, "--rate", 20, "--concurrency", 3, "--json")
    assert result.status == 0
    assert 2 <= endpoint.most_at_once <= 3
    # A second and a half, and the first may have been late.
    assert endpoint.times[-1] - endpoint.times[0] >= 0.8


def test_the_percentiles_are_shown_for_more_than_one() -> None:
    """For one delivery they would all be the same."""
    with plain_endpoint(Endpoint()) as port:
        result = call("send", url(port), "--count", 2)
    assert [line.split()[0] for line in result.out.splitlines()[3:]] == ["p50", "p95", "p99", "max"]


def test_the_time_to_answer_is_that_of_the_endpoint() -> None:
    """Libraries that the first request needs, and the connection, are not part of it."""
    with plain_endpoint(Endpoint()) as port:
        times = [call("send", url(port), "--json").json()["latency_ms"]["max"] for _ in range(5)]
    summary = Summary()
    late: list[float] = []

    async def prepare() -> None:
        class SlowToConnect(httpx2.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                await asyncio.sleep(0.5)  # a pool that is made, a name that is looked up
                await request.extensions["trace"]("http11.send_request_headers.started", {})
                return httpx2.Response(200, stream=httpx2.ByteStream(b""))

        async with httpx2.AsyncClient(transport=SlowToConnect()) as client:
            await _sending._send_one(client, "http://shop.example.com/", _sending.Outgoing(b"", {}), summary)
        late.extend(summary.seconds)

    asyncio.run(prepare())
    assert late[0] < 0.4
    assert min(times) < 20


def test_the_percentiles() -> None:
    """The nearest rank: of a hundred times, the 95th."""
    summary = Summary(seconds=[number / 1000 for number in range(1, 101)])
    assert summary.latencies() == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    assert Summary(seconds=[0.007]).latencies() == {"p50": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0}


@contextlib.contextmanager
def running(*arguments: str, **options: Any) -> Any:
    """Run the script while the block runs."""
    command = [str(SCRIPT), *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(SECRET), **options
    ) as it:
        try:
            yield it
        finally:
            it.kill()


def test_ctrl_c_ends_with_a_summary() -> None:
    """It says what was sent until then, and fails."""
    endpoint = Recorder()
    with (
        plain_endpoint(endpoint) as port,
        running("send", url(port), "--count", "9999", "--rate", "50", "--json") as sender,
    ):
        wait_for(lambda: len(endpoint.codes) >= 5)
        sender.send_signal(signal.SIGINT)
        out, err = sender.communicate(timeout=PATIENCE)
    assert sender.returncode == 1
    found = json.loads(out)
    assert 5 <= found["statuses"]["200"] <= len(endpoint.received)
    assert b"Interrupted after" in err
    assert b"Traceback" not in err


def test_an_interruption_that_comes_with_an_answer_is_not_lost() -> None:
    """Nothing more is sent, even where the cancellation of the request was lost."""
    summary = Summary()

    def on_answer(_: str) -> None:
        summary.interrupted = True

    with plain_endpoint(Endpoint()) as port:
        prepare = [_sending.Outgoing(b"", {})]
        plan = _sending.Plan(url(port), 50, None, 1, lambda _: prepare)
        assert asyncio.run(_sending.send_until_interrupted(plan, summary, on_answer))
    assert summary.sent == 1


@pytest.mark.parametrize("command", ["send", "demo", "check"])
def test_a_pipe_that_nobody_reads_ends_quietly(command: str) -> None:
    """As `| head` leaves one."""
    with plain_endpoint(Endpoint()) as port:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [SCRIPT, *([command] if command == "demo" else [command, url(port)])],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(SECRET),
            timeout=60,
        )
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_progress_is_for_a_terminal_and_long_runs() -> None:
    """It is shown while it runs, and nothing of it stays."""
    with plain_endpoint(Endpoint()) as port:
        long = call_on_terminal("send", url(port), "--count", 30, "--rate", 20)
        short = call_on_terminal("send", url(port))
        piped = call("send", url(port), "--count", 30, "--rate", 20)
    assert "Sending" in long.text
    assert "/30" in long.text
    assert "Sending" not in short.text
    assert piped.err == ""
    assert "Sending" not in piped.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--count", "0"],
        ["--count", "many"],
        ["--rate", "0"],
        ["--rate", "-1"],
        ["--rate", "nan"],
        ["--concurrency", "0"],
        ["--journey", "wish"],
        ["--tamper", "all"],
        ["--journey", "cart", "--body", "-"],
        ["--body", "missing"],
        ["--body", "-", "--secret-file", "-"],
    ],
)
def test_a_mistake_in_the_call(arguments: list[str]) -> None:
    """It exits 2, and nothing is sent."""
    endpoint = Recorder()
    with plain_endpoint(endpoint) as port:
        result = call("send", url(port), *arguments)
    assert (result.status, result.out, endpoint.received) == (2, "", [])


@pytest.mark.parametrize("command", ["send", "check"])
@pytest.mark.parametrize(
    "address",
    ["", "shop.example.com", "ftp://shop.example.com", "http://", "https://user:word@shop.example.com/", "http://a b/", "http://a\x1b/",
     "http://[::1", "http://x:99999/"],
)  # fmt: skip
def test_what_is_not_an_address(command: str, address: str) -> None:
    """It is found before anything is sent, and shown without its control characters."""
    result = call(command, address)
    assert (result.status, result.out) == (2, "")
    assert "URL" in result.err
    assert "\x1b" not in result.err
    assert "word" not in result.err


def test_another_secret_is_rejected() -> None:
    """The endpoint's own is the one that counts."""
    with plain_endpoint(Endpoint()) as port:
        assert call("send", url(port), secret=OTHER_SECRET).status == 1
