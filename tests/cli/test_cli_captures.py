"""Captures: one delivery in a file, as `listen`, curl or a proxy writes it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import click
import pytest
from listrak_webhooks.cli._capture import Capture, parse_capture
from support.command_line import DANGEROUS, call
from support.helpers import BODY, NOW, PATIENCE, headers_for

PAIRS = [("Host", "shop.example.com"), *headers_for().items()]
HEAD = b"POST /listrak?a=1 HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in PAIRS).encode()
LENGTH = f"Content-Length: {len(BODY)}\r\n".encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def entry(**changes: Any) -> bytes:
    """Return a capture as `listen` saves it."""
    found = {
        "method": "POST",
        "path": "/listrak",
        "headers": PAIRS,
        "body": base64.b64encode(BODY).decode(),
        "received_at": NOW,
    }
    return json.dumps(found | changes).encode()


def curled(data: bytes) -> bytes:
    """Return a head as `curl -v` shows it."""
    return b"".join(b"> " + line + b"\n" for line in data.replace(b"\r\n", b"\n").splitlines()) + b"> \n"


class TestJson:
    """A line of JSON."""

    @pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
    def test_each_part_is_read(self, end: bytes) -> None:
        """The body is in base64, and the headers are pairs."""
        assert parse_capture(entry() + end) == Capture("POST", "/listrak", PAIRS, BODY, NOW)

    def test_a_formatted_object_is_read(self) -> None:
        """Somebody may have looked at it with an editor."""
        assert parse_capture(json.dumps(json.loads(entry()), indent=2).encode()).body == BODY

    def test_what_is_not_needed_may_be_missing(self) -> None:
        """The body and the headers suffice."""
        found = json.loads(entry())
        for name in ("method", "path", "received_at"):
            del found[name]
        assert parse_capture(json.dumps(found).encode()) == Capture(None, None, PAIRS, BODY, None)

    def test_no_headers_are_a_delivery_too(self) -> None:
        """That they are missing is for the explanation to say."""
        assert parse_capture(entry(headers=[])).headers == []

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"{", "not JSON"),
            (b'{"a": \xff}', "not JSON"),
            (b"{" * 100_000, "not JSON"),
            (entry() + b"\n" + entry(), "it holds 2 lines"),
            (entry(headers=None), "headers"),
            (entry(headers={"a": "b"}), "headers"),
            (entry(headers=[["a"]]), "headers"),
            (entry(headers=[["a", 1]]), "headers"),
            (entry(headers=["ab"]), "headers"),
            (entry(body=None), "base64"),
            (entry(body="{}"), "base64"),
            (entry(body="é"), "base64"),
            (entry(body=[1]), "base64"),
            (entry(received_at="now"), "received_at"),
            (entry(received_at=True), "received_at"),
            (entry(received_at=10**400), "received_at"),
            (entry(received_at=float("nan")), "received_at"),
            (entry(received_at=1e30), "received_at"),
            (entry(received_at=-1e30), "received_at"),
            (entry(received_at=NOW * 1000), "received_at"),
            (b'{"campaign": "x"}', "add --headers FILE"),
            (b"{1}", "add --headers FILE"),
            (entry(method=1), "method"),
            (entry(path=[]), "path"),
        ],
    )
    def test_a_bad_one_is_a_mistake_in_the_call(self, data: bytes, words: str) -> None:
        """The part that is wrong is named, and its value is not shown."""
        with pytest.raises(click.UsageError, match=words):
            parse_capture(data)


class TestRaw:
    """A raw HTTP request."""

    @pytest.mark.parametrize("end", [b"\x0b", b"\x0c", b"\x85", b"\xa0", b"\x00", b"\r"])
    def test_only_spaces_and_tabs_around_a_value_are_no_part_of_it(self, end: bytes) -> None:
        """Whatever else is there came from the sender, and may be what is wrong."""
        capture = parse_capture(b"POST / HTTP/1.1\r\nA: \t b" + end + b" \r\n\r\n")
        assert capture.headers == [("A", "b" + end.decode("latin-1"))]

    @pytest.mark.parametrize(
        "data",
        [
            HEAD + LENGTH + b"\r\n" + BODY,
            HEAD + LENGTH + b"\r\n" + BODY + b"\n",
            HEAD + LENGTH + b"\r\n" + BODY + b"\r\n\r\n",
            HEAD + b"\r\n" + BODY,
            (HEAD + b"\r\n").replace(b"\r\n", b"\n") + BODY,
            b"\r\n" + HEAD + b"\r\n" + BODY,
            HEAD + CHUNKED + b"\r\n" + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n",
            HEAD
            + CHUNKED
            + b"\r\n"
            + b"5;a=b\r\n"
            + BODY[:5]
            + b"\r\n%X\r\n" % (len(BODY) - 5)
            + BODY[5:]
            + b"\r\n0\r\nA: b\r\n\r\n",
            (HEAD + CHUNKED).replace(b"\r\n", b"\n") + b"\n" + b"%x\n" % len(BODY) + BODY + b"\n0\n\n",
            HEAD + CHUNKED + b"\r\n" + BODY,
            curled(HEAD + LENGTH) + BODY + b"\n* upload completely sent off\n< HTTP/1.1 200 OK\n",
            b"*   Trying 127.0.0.1:80...\n* Connected\n" + curled(HEAD) + BODY,
            HEAD.replace(b"HTTP/1.1", b"HTTP/2") + b"\r\n" + BODY,
        ],
    )
    def test_the_body_is_read(self, data: bytes) -> None:
        """Whatever wrote it, and an editor's line break after the `Content-Length` is not part of it."""
        capture = parse_capture(data)
        assert (capture.body, capture.method, capture.path, capture.received_at) == (BODY, "POST", "/listrak?a=1", None)
        assert capture.headers[: len(PAIRS)] == PAIRS

    @pytest.mark.parametrize("body", [b"\r\n\x00\xff\n", b"{}\n", b"", b"a" * 100])
    def test_a_body_is_kept_byte_for_byte(self, body: bytes) -> None:
        """Line endings and NUL included, within the length and without one."""
        length = b"Content-Length: %d\r\n" % len(body)
        assert parse_capture(HEAD + length + b"\r\n" + body).body == body
        assert parse_capture(HEAD + b"\r\n" + body).body == body

    def test_a_body_that_was_cut_is_kept_as_it_is(self) -> None:
        """That it is shorter than its length is for the explanation to say."""
        assert parse_capture(HEAD + LENGTH + b"\r\n" + BODY[:-5]).body == BODY[:-5]

    def test_a_body_that_is_longer_is_kept_as_it_is(self) -> None:
        """It may have been formatted on its way."""
        assert parse_capture(HEAD + LENGTH + b"\r\n" + BODY + b"more").body == BODY + b"more"

    @pytest.mark.parametrize(
        "rest",
        [
            b"",
            b"* done\n< HTTP/1.1 200 OK\n",
            b"} [52 bytes data]\n* upload completely sent off: 52 bytes\n< HTTP/1.1 200 OK\n",
        ],
    )
    def test_curl_without_a_body(self, rest: bytes) -> None:
        """`curl -v` does not show what it sent, which says nothing of the delivery."""
        with pytest.raises(click.UsageError, match="this capture has no body; use explain BODY --headers FILE"):
            parse_capture(b"} [5 bytes data]\n" + curled(HEAD + LENGTH) + rest)

    def test_curl_that_sent_an_empty_body(self) -> None:
        """Its length says so."""
        assert parse_capture(curled(HEAD + b"Content-Length: 0\r\n") + b"< HTTP/1.1 200 OK\n").body == b""

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_text_in_another_encoding(self, encoding: str) -> None:
        """Windows writes a mark at the beginning, or UTF-16, as of a file of --headers."""
        mark = "" if encoding in {"utf-8-sig", "utf-16"} else "\ufeff"
        for data in (entry(), HEAD + LENGTH + b"\r\n" + BODY):
            capture = parse_capture((mark + data.decode()).encode(encoding))
            assert (capture.method, capture.path, capture.body) == ("POST", "/listrak" + capture.path[8:], BODY)  # type: ignore[index]

    def test_a_long_file_is_read_in_one_pass(self) -> None:
        """Millions of lines or chunks are not copied once for each."""
        start = time.monotonic()
        parse_capture(b"\n" * 200_000 + HEAD + b"\r\n")
        parse_capture(HEAD + CHUNKED + b"\r\n" + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n")
        assert time.monotonic() - start < PATIENCE / 4

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "there is no header"),
            (b"campaign=x", "add --headers FILE"),
            (b"\n", "there is no header"),
            (b"[]", "line 1 of the capture is not a header"),
            (b"hello", "line 1 of the capture is not a header"),
            (b"LTK-Timestamp: 1\n\n{}", "neither a line of JSON nor a raw HTTP request"),
            (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "line 1 of the capture is not a header"),
            (HEAD + b"folded\r\n more\r\n\r\n", "is not a header"),
            (HEAD + CHUNKED + b"\r\n5\r\nab", "ends in the middle"),
            (HEAD + CHUNKED + b"\r\n2\r\nab\r\n", "ends in the middle"),
            (HEAD + CHUNKED + b"\r\n2\r\nabc\r\n0\r\n\r\n", "ends in the middle"),
            (b"\x00" * 100, "is not a header"),
        ],
    )
    def test_a_bad_one_is_a_mistake_in_the_call(self, data: bytes, words: str) -> None:
        """The line that is wrong is named."""
        with pytest.raises(click.UsageError, match=words):
            parse_capture(data)


@pytest.mark.parametrize("data", [b"{", DANGEROUS.encode(), entry(method=DANGEROUS + "x", body="!")])
def test_a_bad_capture_exits_2(data: bytes) -> None:
    """With a sentence and no trace of its content."""
    result = call("explain", "-", stdin=data)
    assert (result.status, result.out) == (2, "")
    assert "Error: " in result.err
    assert all(each.isprintable() or each == "\n" for each in result.err)
