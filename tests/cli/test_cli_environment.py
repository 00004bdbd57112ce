"""What surrounds a call: variables and files that cannot be right, streams that are closed, and several secrets."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks.cli._command import MOST_OF_A_BODY, read
from support.command_line import SCRIPT, Result, call, environment
from support.faulty_endpoints import Endpoint, plain_endpoint
from support.helpers import BODY, NOW, OTHER_SECRET, SECRET, SENT, SIGNATURE, VARIABLE, headers_for

if TYPE_CHECKING:
    from pathlib import Path

GENUINE = ["--timestamp", SENT, "--signature", headers_for()[SIGNATURE]]
ENDLESS = "/dev/zero"
has_endless_file = pytest.mark.skipif(not os.path.exists(ENDLESS), reason="there is no such file")  # noqa: PTH110


def is_usage_error(result: Result) -> bool:
    """Whether the call was not correct, and nothing was done."""
    return (result.status, result.out) == (2, "") and "Error: " in result.err


@pytest.mark.parametrize("command", ["send", "check"])
@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"not PEM", "no certificates in PEM"), (b"", "no certificates")]
)
def test_authorities_that_cannot_be_read(command: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    """The file and the variable that names it are said, and that it is not the output."""
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_bytes(content)
    result = call(command, "https://127.0.0.1:1/", variables={"SSL_CERT_FILE": str(path)})
    assert is_usage_error(result)
    assert "SSL_CERT_FILE" in result.problem
    assert "authorities.pem" in result.problem
    assert words in result.problem
    assert "the output" not in result.problem


PROXIES = [
    ("HTTP_PROXY", "foo://x:1"),
    ("HTTPS_PROXY", "foo://x:1"),
    ("ALL_PROXY", "socks4://z"),
    ("http_proxy", "//x"),
]


@pytest.mark.parametrize(("name", "value"), [*PROXIES, ("ALL_PROXY", "socks5://z"), ("HTTP_PROXY", "http://h:port")])
def test_a_proxy_that_cannot_be_used(name: str, value: str) -> None:
    """The variable and the library are named, and the URL is not shown, which may hold a password."""
    result = call("send", "http://127.0.0.1:1/", variables={name: value})
    if value == "//x":  # a host without a scheme is one for http
        assert result.status == 1
        return
    assert is_usage_error(result)
    assert name in result.problem
    assert "httpx2" in result.problem
    assert value not in result.problem


def test_the_password_of_a_proxy_is_not_shown() -> None:
    """Neither in a mistake nor in a problem."""
    for value in ("foo://user:pass-word@x:1", "http://user:pass-word@127.0.0.1:1"):
        result = call("send", "http://shop.example.com/", variables={"HTTP_PROXY": value})
        assert result.status in {1, 2}
        assert "pass-word" not in result.out + result.err


def test_a_dead_proxy_is_named() -> None:
    """It is what does not respond, and not the endpoint."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        variables = {"HTTP_PROXY": f"http://127.0.0.1:{port}"}
        result = call("send", "http://shop.example.com/", variables=variables)
        assert result.status == 1
        assert f"by way of the proxy http://127.0.0.1:{port}, which the environment variable HTTP_PROXY" in result.page
        without = call("send", "http://127.0.0.1:1/", variables={**variables, "NO_PROXY": "127.0.0.1"})
        assert "proxy" not in without.out


@pytest.mark.parametrize("now", ["99999999999999999999999", "1e300", "-1e300", "1700000000000", "nan", "inf"])
@pytest.mark.parametrize("command", ["verify", "explain"])
def test_a_time_that_no_clock_shows(command: str, now: str) -> None:
    """Milliseconds, say, are not Unix seconds."""
    result = call(command, "-", *GENUINE, f"--now={now}", stdin=BODY)
    assert is_usage_error(result)
    assert "--now" in result.problem


def test_a_capture_of_a_time_that_no_clock_shows() -> None:
    """It is a mistake in the file."""
    content = {"headers": [*headers_for().items()], "body": base64.b64encode(BODY).decode(), "received_at": 1e30}
    result = call("explain", "-", stdin=json.dumps(content).encode())
    assert is_usage_error(result)
    assert "received_at" in result.problem


@pytest.mark.parametrize(
    "command", [["sign", os.devnull], ["sign", os.devnull, "--json"], ["send", "http://127.0.0.1:1/"], ["--help"]]
)
def test_a_closed_output_is_a_failure(command: list[str]) -> None:
    """As `>&-` leaves it."""
    words = " ".join(["exec", str(SCRIPT), *command, ">&-"])
    done = subprocess.run(
        ["bash", "-c", words], stderr=subprocess.PIPE, text=True, check=False, env=environment(SECRET), timeout=60
    )
    assert (done.returncode, done.stderr) == (
        1,
        "Error: the output cannot be written: the standard output is closed\n",
    )


@pytest.mark.parametrize("closed", ["2>&-", "<&-"])
def test_other_closed_streams(closed: str, tmp_path: Path) -> None:
    """Without errors to show a result is shown; without an input it cannot be read."""
    (tmp_path / "body").write_bytes(BODY)
    arguments = ["verify", "body" if closed == "2>&-" else "-", *GENUINE, "--now", SENT]
    words = " ".join(["exec", str(SCRIPT), *arguments, closed])
    done = subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, check=False, env=environment(SECRET), cwd=tmp_path,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == (0 if closed == "2>&-" else 2)
    assert "Traceback" not in done.stderr


@has_endless_file
@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", ENDLESS],
        ["sign", ENDLESS],
        ["verify", ENDLESS, *GENUINE],
        ["verify", "-", "--headers", ENDLESS],
        ["send", "http://127.0.0.1:1/", "--body", ENDLESS],
        ["check", "http://127.0.0.1:1/", "--body", ENDLESS],
    ],
)
def test_a_file_without_an_end(arguments: list[str]) -> None:
    """Its reading ends, and the bound is said."""
    result = call(*arguments)
    assert is_usage_error(result)
    assert "larger than 64 MiB" in result.problem


@has_endless_file
@pytest.mark.parametrize("command", ["sign", "verify", "explain"])
def test_a_secret_without_an_end(command: str) -> None:
    """The bound of a secret is smaller."""
    result = call(command, "-", "--secret-file", ENDLESS, stdin=BODY, secret=None)
    assert is_usage_error(result)
    assert "larger than 64 kB" in result.problem


def test_a_file_of_just_the_bound_is_read(tmp_path: Path) -> None:
    """One byte more is too many."""
    (tmp_path / "file").write_bytes(bytes(1000))
    assert len(read(str(tmp_path / "file"), "BODY", at_most=1000)) == 1000
    with pytest.raises(Exception, match="larger"):
        read(str(tmp_path / "file"), "BODY", at_most=999)
    assert MOST_OF_A_BODY == 64 * 1024 * 1024


class TestSeveralSecrets:
    """More than one `--secret-file`."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        """Return a folder with files of secrets."""
        for name, secret in (("new", OTHER_SECRET), ("old", SECRET), ("third", "a third secret")):
            (tmp_path / name).write_text(secret + "\n")
        (tmp_path / "body").write_bytes(BODY)
        return tmp_path

    @pytest.mark.parametrize("command", [["sign", "body"], ["send", "http://x.example"], ["check", "http://x.example"]])
    def test_one_that_signs_is_the_only_one(self, command: list[str], files: Path) -> None:
        """Which of two is meant is not known."""
        result = call(*command, "--secret-file", "new", "--secret-file", "old", secret=None, folder=files)
        assert is_usage_error(result)
        assert "--secret-file once" in result.problem

    @pytest.mark.parametrize(
        ("names", "words"),
        [
            (["old", "new"], "with the current secret"),
            (["new", "old"], "with the previous secret"),
            (["new", "third", "old"], "with previous secret 2"),
        ],
    )
    def test_verify_takes_previous_ones(self, names: list[str], words: str, files: Path) -> None:
        """The first is the current one."""
        options = [word for name in names for word in ("--secret-file", name)]
        result = call("verify", "body", *GENUINE, "--now", NOW, *options, secret=None, folder=files)
        assert (result.status, result.out.rstrip().endswith(words)) == (0, True)
        missing = call("verify", "body", *GENUINE, *options, "--secret-file", "none", secret=None, folder=files)
        assert is_usage_error(missing)

    def test_two_of_them_cannot_both_be_the_standard_input(self) -> None:
        """It is found before anything is read."""
        options = ["--secret-file", "-", "--secret-file", "-"]
        assert is_usage_error(call("verify", "x", *GENUINE, *options, secret=None))

    def test_explain_says_whose_secret_signed(self, files: Path) -> None:
        """Of several files the one that did is named, in the text and in the JSON."""
        (files / "fourth").write_text("a fourth secret")
        options = [word for name in ("new", "third", "old", "fourth") for word in ("--secret-file", name)]
        arguments = ["explain", "body", *GENUINE, "--now", NOW, *options]
        assert "signed with the secret in old" in call(*arguments, secret=None, folder=files).page
        assert call(*arguments, "--json", secret=None, folder=files).json()["secret_file"] == "old"
        none = call(*arguments[:-4], "--json", secret=None, folder=files)
        assert "secret_file" not in none.json()


class TestBodyOrCapture:
    """`explain` is given the one in place of the other."""

    @pytest.mark.parametrize("body", [BODY, b"[]", b"a=b", b"", b"{", b"\xff"])
    def test_a_body_without_headers(self, body: bytes) -> None:
        """The option that is missing is named."""
        result = call("explain", "-", stdin=body)
        assert is_usage_error(result)
        assert "--headers" in result.problem

    @pytest.mark.parametrize("options", [["--headers", "headers"], GENUINE])
    def test_a_capture_with_headers(self, options: list[str], tmp_path: Path) -> None:
        """It has its own, and nothing would be explained."""
        lines = "".join(f"{name}: {value}\n" for name, value in headers_for().items())
        (tmp_path / "headers").write_text(lines)
        content = {"headers": [*headers_for().items()], "body": base64.b64encode(BODY).decode()}
        for data in (json.dumps(content).encode(), f"POST / HTTP/1.1\n{lines}\n".encode() + BODY):
            result = call("explain", "-", *options, stdin=data, folder=tmp_path)
            assert is_usage_error(result)
            assert "the file is a capture" in result.problem


@pytest.mark.parametrize("command", ["sign", "verify", "explain", "send", "check"])
def test_the_help_names_the_variable_of_the_secret(command: str) -> None:
    """It is read if no option says otherwise."""
    assert VARIABLE in call(command, "--help", secret=None).out


def test_why_deliveries_failed_is_in_the_json() -> None:
    """By reason; and there is no such key if none failed."""
    failures: dict[str, Any] = call("send", "http://127.0.0.1:1/", "--count", 2, "--json").json()["failures"]
    assert failures == {"the connection was refused": 2}
    with plain_endpoint(Endpoint()) as port:
        assert "failures" not in call("send", f"http://127.0.0.1:{port}/", "--json").json()
