"""`explain` on captures: what is proven of a delivery that had an accident on its way."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Webhook
from support.command_line import DANGEROUS, Result, call
from support.helpers import BODY, NOW, OTHER_SECRET, SECRET, SIGNATURE, TIMESTAMP, headers_for

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = json.dumps(json.loads(BODY)).encode()
CHUNKS = b"5\r\n" + AGAIN[:5] + b"\r\n%x\r\n" % (len(AGAIN) - 5) + AGAIN[5:] + b"\r\n0\r\n\r\n"


def capture(body: bytes = BODY, headers: dict[str, str] | None = None, received_at: float = NOW, **more: Any) -> bytes:
    """Return a capture as `listen` saves it."""
    pairs = [*(headers_for() if headers is None else headers).items()]
    content = base64.b64encode(body).decode()
    entry = {"method": "POST", "path": "/listrak", "headers": pairs, "body": content, "received_at": received_at}
    return json.dumps(entry | more).encode()


def raw(body: bytes, *lines: str) -> bytes:
    """Return a raw request."""
    head = ["POST /listrak HTTP/1.1", *(f"{name}: {value}" for name, value in headers_for().items()), *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def causes_in(result: Result) -> list[tuple[str, bool]]:
    """Return the names of the causes, and whether each is proven."""
    return [(cause["name"], cause["proven"]) for cause in result.json()["causes"]]


def test_a_genuine_delivery_as_of_the_time_of_its_capture() -> None:
    """It is old by now, and was in time when it came."""
    result = call("explain", "-", stdin=capture())
    assert (result.status, result.out.splitlines()[0]) == (0, "genuine")
    assert call("explain", "-", "--json", stdin=capture()).json()["genuine"] is True


def test_the_time_that_is_given_counts_more_than_that_of_the_capture() -> None:
    """To see what would have happened later."""
    result = call("explain", "-", "--now", NOW + 1000, "--json", stdin=capture())
    assert (result.status, result.json()["code"]) == (1, "stale_timestamp")
    assert result.json()["facts"]["skew"] == 1000


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (capture(AGAIN), "body_reserialized"),
        (capture(BODY + b"\n"), "newline_added"),
        (capture(base64.b64encode(BODY)), "body_base64_encoded"),
        (raw(AGAIN, f"Content-Length: {len(AGAIN)}"), "body_reserialized"),
        (raw(CHUNKS, "Transfer-Encoding: chunked"), "body_reserialized"),
    ],
)
def test_an_accident_is_proven(data: bytes, cause: str) -> None:
    """By a capture as JSON, or a raw request with its length or in chunks."""
    result = call("explain", "-", "--json", "--now", NOW, stdin=data)
    assert (result.status, result.json()["code"], causes_in(result)[0]) == (1, "signature_mismatch", (cause, True))
    text = call("explain", "-", "--now", NOW, stdin=data).out
    assert text.splitlines()[0] == "rejected: signature_mismatch"
    assert f"{cause}: proven" in text
    assert "\nfacts\n" in text


def test_json_is_what_the_package_says(tmp_path: Path) -> None:
    """The object of `to_dict()`, for a body in a file of its own."""
    (tmp_path / "body").write_bytes(AGAIN)
    (tmp_path / "headers").write_text("".join(f"{name}: {value}\n" for name, value in headers_for().items()))
    result = call("explain", "body", "--headers", "headers", "--now", NOW, "--json", folder=tmp_path)
    assert result.json() == Webhook(SECRET).explain(AGAIN, headers_for(), now=NOW).to_dict()


def test_a_body_that_was_cut() -> None:
    """It is shorter than its length, which is not a mistake in the call."""
    result = call("explain", "-", "--json", "--now", NOW, stdin=raw(BODY[:-5], f"Content-Length: {len(BODY)}"))
    assert ("body_truncated", False) in causes_in(result)
    assert result.json()["facts"]["content_length"] == len(BODY)


def test_the_secret_of_another_webhook(tmp_path: Path) -> None:
    """Of several files the first is this endpoint's."""
    (tmp_path / "ours").write_text(OTHER_SECRET)
    (tmp_path / "theirs").write_text(SECRET + "\n")
    (tmp_path / "third").write_text("a third secret")
    files = [word for name in ("ours", "third", "theirs") for word in ("--secret-file", name)]
    result = call("explain", "-", "--json", *files, stdin=capture(), secret=None, folder=tmp_path)
    assert (result.status, causes_in(result)[0]) == (1, ("other_secret", True))
    one = call("explain", "-", "--json", *files[:2], stdin=capture(), secret=None, folder=tmp_path)
    assert "other_secret" not in [name for name, _ in causes_in(one)]


def test_a_forgery() -> None:
    """Nothing is known of it, and the exit code is 1."""
    data = capture(headers=headers_for(secret="a guess of a stranger"))
    result = call("explain", "-", stdin=data)
    assert result.status == 1
    assert "No accident is proven. It is a forgery" in result.page
    assert causes_in(call("explain", "-", "--json", stdin=data)) == []


def test_two_files_cannot_both_be_the_standard_input() -> None:
    """It is found before anything is read."""
    assert call("explain", "x", "--secret-file", "-", "--secret-file", "-", secret=None).status == 2


def test_headers_of_a_stranger_are_shown_escaped() -> None:
    """In the facts and in the causes."""
    headers = {
        TIMESTAMP: DANGEROUS,
        SIGNATURE: DANGEROUS,
        "Content-Type": DANGEROUS + "[red]",
        "X-LTK-Timestamp": DANGEROUS,
    }
    for arguments in ([], ["--json"]):
        result = call("explain", "-", *arguments, stdin=capture(headers=headers))
        assert result.status == 1
        assert all(each.isprintable() or each == "\n" for each in result.out)


def test_no_secret_is_shown() -> None:
    """Nor the signature that would be right."""
    right = headers_for(AGAIN)[SIGNATURE]
    for arguments in ([], ["--json"]):
        text = call("explain", "-", *arguments, stdin=capture(AGAIN)).out
        assert SECRET not in text
        assert right not in text
