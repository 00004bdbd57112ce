"""`sign` and `verify`: bodies byte for byte, and headers in each form in which people have them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import pytest
from support.command_line import DANGEROUS, call
from support.helpers import BODY, NOW, OTHER_SECRET, SECRET, SENT, SIGNATURE, TIMESTAMP, VECTORS, headers_for

if TYPE_CHECKING:
    from pathlib import Path

BODIES = {
    "json": BODY,
    "crlf": b'{\r\n"a": 1\r\n}\r\n',
    "lf at the end": BODY + b"\n",
    "nul": b"a\x00b\x00",
    "not utf-8": b"\xff\xfe\xe9",
    "mark": b"\xef\xbb\xbf{}",
    "end of file": b"a\x1ab",
    "empty": b"",
}

every_body = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)


def lines_for(body: bytes = BODY, end: str = "\n", **options: str) -> bytes:
    """Return a file of headers."""
    return "".join(f"{name}: {value}{end}" for name, value in headers_for(body, **options).items()).encode()


def hex_of(body: bytes) -> str:
    """Return the signature at `SENT` in hex."""
    return hmac.new(SECRET.encode(), body + SENT.encode(), hashlib.sha256).hexdigest()


class TestSign:
    """The two headers of a body."""

    @every_body
    def test_a_file_is_signed_byte_for_byte(self, body: bytes, tmp_path: Path) -> None:
        """What is printed is what the standard library computes."""
        file = tmp_path / "body"
        file.write_bytes(body)
        result = call("sign", file, "--timestamp", SENT)
        assert (result.status, result.err) == (0, "")
        assert result.out == lines_for(body).decode()

    @every_body
    def test_the_standard_input_is_signed_byte_for_byte(self, body: bytes) -> None:
        """No line ending is touched on its way."""
        assert call("sign", "-", "--timestamp", SENT, stdin=body).out == lines_for(body).decode()

    def test_hex(self) -> None:
        """The other encoding of Listrak's article."""
        result = call("sign", "-", "--timestamp", SENT, "--encoding", "hex", stdin=BODY)
        assert result.out.splitlines()[1] == f"{SIGNATURE}: {hex_of(BODY)}"

    def test_json(self) -> None:
        """It is an object of the two headers."""
        assert call("sign", "-", "--timestamp", SENT, "--json", stdin=BODY).json() == headers_for()

    def test_the_present_is_the_default(self) -> None:
        """The timestamp is that of the moment."""
        headers = call("sign", "-", "--json", stdin=BODY).json()
        assert abs(int(headers[TIMESTAMP]) - time.time()) < 60
        assert headers == headers_for(timestamp=headers[TIMESTAMP])

    def test_the_known_answers(self) -> None:
        """A few of those that all parts of the project share."""
        vectors = [each for each in VECTORS if each.timestamp.isdecimal() and len(each.timestamp) == 10][:3]
        for vector in vectors:
            result = call("sign", "-", "--timestamp", vector.timestamp, stdin=vector.body, secret=vector.secret)
            assert result.status == 0

    @pytest.mark.parametrize("timestamp", ["1", "17000000000", "-1700000000", "0", "9" * 400])
    def test_a_timestamp_that_listrak_cannot_send(self, timestamp: str) -> None:
        """It is a mistake in the call."""
        result = call("sign", "-", f"--timestamp={timestamp}", stdin=BODY)
        assert (result.status, result.out) == (2, "")
        assert "--timestamp" in result.err

    @pytest.mark.parametrize(
        "arguments", [[], ["-", "--encoding", "base32"], ["-", "--timestamp", "now"], ["-", "--no"]]
    )
    def test_a_mistake_in_the_call(self, arguments: list[str]) -> None:
        """It exits 2, with the usage and where there is help."""
        result = call("sign", *arguments, stdin=BODY)
        assert (result.status, result.out) == (2, "")
        assert "Usage: listrak-webhooks sign" in result.err
        assert "sign --help" in result.err

    @pytest.mark.parametrize("path", ["missing", ".", "a\x1b[31mb", "x" * 5000])
    def test_a_body_that_cannot_be_read(self, path: str, tmp_path: Path) -> None:
        """The path is named, with its control characters escaped."""
        result = call("sign", path, folder=tmp_path)
        assert (result.status, result.out) == (2, "")
        assert "the file of BODY" in result.err
        assert "\x1b" not in result.err


class TestVerify:
    """The verdict on a delivery."""

    @every_body
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_what_sign_printed_is_genuine(self, body: bytes, end: str, tmp_path: Path) -> None:
        """The file with its lines is what `--headers` reads."""
        (tmp_path / "headers").write_bytes(lines_for(body, end))
        (tmp_path / "body").write_bytes(body)
        result = call("verify", "body", "--headers", "headers", "--now", NOW + 12, folder=tmp_path)
        assert (result.status, result.err) == (0, "")
        assert result.out == (
            "genuine: sent 2023-11-14 22:13:20 UTC (12 s ago), signed in base64 with the current secret\n"
        )

    def test_sign_into_verify(self, tmp_path: Path) -> None:
        """As in the help of each."""
        (tmp_path / "body").write_bytes(BODIES["crlf"])
        (tmp_path / "headers").write_text(call("sign", "body", "--encoding", "hex", folder=tmp_path).out)
        result = call("verify", "body", "--headers", "headers", folder=tmp_path)
        assert result.status == 0
        assert "signed in hex" in result.out

    @pytest.mark.parametrize(
        "text",
        [
            lines_for(),
            lines_for().rstrip(b"\n"),
            lines_for().replace(b": ", b":").replace(b"LTK-", b"ltk-"),
            b"POST /listrak?a=b HTTP/1.1\r\nHost: example.com\r\n" + lines_for(end="\r\n") + b"\r\n" + BODY,
            b"\n\n" + lines_for() + b"\nwhat follows is no header",
            b"\xef\xbb\xbf" + lines_for(),
            lines_for().decode().encode("utf-16"),
            b"* Connected\n> POST / HTTP/1.1\n"
            + b"".join(b"> " + line + b"\n" for line in lines_for().splitlines())
            + b">\n",
        ],
        ids=["lines", "no end", "lower", "head", "blank", "mark", "powershell", "curl"],
    )
    def test_files_of_headers(self, text: bytes, tmp_path: Path) -> None:
        """Lines, or the head of a request, as `sign`, a proxy, curl or PowerShell leave them."""
        (tmp_path / "headers").write_bytes(text)
        result = call("verify", "-", "--headers", "headers", "--now", NOW, "--json", stdin=BODY, folder=tmp_path)
        assert (result.status, result.json()) == (0, {"genuine": True, "code": None})

    @pytest.mark.parametrize(
        "text", [b"", b"\n\n", b"no colon\n", b": no name\n", b"a b: c\n", b"POST / HTTP/1.1\r\n\r\n"]
    )
    def test_a_file_that_holds_no_headers(self, text: bytes, tmp_path: Path) -> None:
        """It is a mistake in the call, and nothing of the file is shown."""
        (tmp_path / "headers").write_bytes(text)
        result = call("verify", "-", "--headers", "headers", stdin=BODY, folder=tmp_path)
        assert (result.status, result.out) == (2, "")
        assert "--headers" in result.err

    def test_the_two_values(self) -> None:
        """They may be given by themselves."""
        values = ["--timestamp", SENT, "--signature", headers_for()[SIGNATURE]]
        assert call("verify", "-", *values, "--now", NOW, "--json", stdin=BODY).json() == {
            "genuine": True,
            "code": None,
        }

    @pytest.mark.parametrize(
        ("headers", "now", "code"),
        [
            (headers_for(secret=OTHER_SECRET), NOW, "signature_mismatch"),
            (headers_for(BODY + b" "), NOW, "signature_mismatch"),
            (headers_for(), NOW + 901, "stale_timestamp"),
            (headers_for(), NOW - 901, "future_timestamp"),
            ({**headers_for(), SIGNATURE: "x"}, NOW, "malformed_signature"),
            ({**headers_for(), TIMESTAMP: "1e9"}, NOW, "malformed_timestamp"),
            ({TIMESTAMP: SENT}, NOW, "missing_header"),
        ],
    )
    def test_the_code_of_a_rejection(self, headers: dict[str, str], now: int, code: str, tmp_path: Path) -> None:
        """It is the one of the exception, and the exit code is 1."""
        (tmp_path / "headers").write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
        arguments = ["verify", "-", "--headers", "headers", "--now", now]
        result = call(*arguments, stdin=BODY, folder=tmp_path)
        assert result.status == 1
        assert result.out.startswith(f"rejected: {code}: ")
        result = call(*arguments, "--json", stdin=BODY, folder=tmp_path)
        assert (result.status, result.json()) == (1, {"genuine": False, "code": code})

    def test_a_header_twice_is_rejected(self, tmp_path: Path) -> None:
        """The file is not turned into a dict on its way."""
        (tmp_path / "headers").write_bytes(lines_for() + lines_for())
        result = call("verify", "-", "--headers", "headers", "--json", stdin=BODY, folder=tmp_path)
        assert result.json()["code"] == "malformed_timestamp"

    def test_control_characters_in_a_header_are_not_printed(self, tmp_path: Path) -> None:
        """Whatever the message says of the value."""
        text = f"{TIMESTAMP}: {SENT}{DANGEROUS}\n{SIGNATURE}: {DANGEROUS}\n"
        (tmp_path / "headers").write_bytes(text.encode())
        result = call("verify", "-", "--headers", "headers", stdin=BODY, folder=tmp_path)
        assert result.status == 1
        assert all(each.isprintable() or each == "\n" for each in result.out + result.err)

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--timestamp", SENT],
            ["--signature", "x"],
            ["--headers", "h", "--timestamp", SENT],
            ["--headers", "-"],
            ["--headers", "missing"],
            ["--timestamp", SENT, "--signature", "x", "--now", "nan"],
            ["--timestamp", SENT, "--signature", "x", "--now", "inf"],
            ["--timestamp", SENT, "--signature", "x", "--now", "today"],
        ],
    )
    def test_a_mistake_in_the_call(self, arguments: list[str]) -> None:
        """It exits 2, with a line that says what is wrong."""
        result = call("verify", "-", *arguments, stdin=BODY)
        assert (result.status, result.out) == (2, "")
        assert "Error: " in result.err

    def test_the_previous_secret(self) -> None:
        """It is taken from the environment as well, and named."""
        values = ["--timestamp", SENT, "--signature", headers_for()[SIGNATURE], "--now", NOW]
        variables = {"LISTRAK_WEBHOOK_SECRET_PREVIOUS": SECRET}
        result = call("verify", "-", *values, stdin=BODY, secret=OTHER_SECRET, variables=variables)
        assert result.out.endswith("with the previous secret\n")


def test_json_is_ascii_without_control_characters(tmp_path: Path) -> None:
    """So it can be printed anywhere."""
    result = call("sign", "-", "--json", stdin=BODY)
    assert result.out.isascii()
    assert json.loads(result.out)
