"""Deliveries and the answers to them, and what of a rejection is in the log.

Deliveries are signed with the standard library, never with the code under test.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP, base64_of, sign_like_listrak

if TYPE_CHECKING:
    import pytest

PATH = "/listrak"

LOGGER = "listrak_webhooks"

HTTP_HEADERS = "Content-Length", "Content-Type"


def signed(
    body: bytes = BODY, *, secret: str = SECRET, encoding: str = "base64", age: int = 0, timestamp: str | None = None
) -> dict[str, str]:
    """Return the two headers of a genuine delivery that was sent `age` seconds ago."""
    sent = str(int(time.time()) - age) if timestamp is None else timestamp
    mac = sign_like_listrak(secret.encode(), body, sent)
    return {TIMESTAMP: sent, SIGNATURE: base64_of(mac) if encoding == "base64" else mac.hex()}


def forged(body: bytes = BODY) -> dict[str, str]:
    """Return headers that are well formed, and signed with another secret."""
    return signed(body, secret="not the secret")


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)


@dataclass
class Delivery:
    """One request, and how much of its body has been taken off the wire."""

    body: bytes = BODY
    headers: dict[str, str] | list[tuple[str, str]] | None = None
    """Those of a genuine delivery, where none are given."""
    chunked: bool = False
    declared: int | None = None
    """What `Content-Length` says, where it is not the length of the body."""
    path: str = PATH
    method: str = "POST"
    content_type: str | None = "application/json"
    piece: int = 65_536
    """How much a server hands over at once."""
    broken: bool = False
    """The client goes away behind the last byte of `body`, before the end."""
    terminated: bool = True
    """Where it comes in chunks, the WSGI server marks the end of its input."""
    taken: int = 0

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All headers."""
        headers = signed(self.body) if self.headers is None else self.headers
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if self.chunked:
            pairs.append(("Transfer-Encoding", "chunked"))
        else:
            pairs.append(("Content-Length", str(len(self.body) if self.declared is None else self.declared)))
        if self.content_type is not None:
            pairs.append(("Content-Type", self.content_type))
        return [("Host", "127.0.0.1"), *pairs]

    def to_bytes(self) -> bytes:
        """Return the request as it goes over a socket."""
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.pairs), "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        return head + (self.to_chunks() if self.chunked else self.body)

    def to_chunks(self) -> bytes:
        """Return the body in chunked transfer coding."""
        pieces = [self.body[start : start + self.piece] for start in range(0, len(self.body), self.piece)]
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the library has logged."""
    return [record for record in caplog.records if record.name == LOGGER]


def one_rejection(caplog: pytest.LogCaptureFixture, code: str, level: int = logging.WARNING) -> str:
    """See that one rejection with this code was logged and nothing besides, and return its text."""
    records = logged(caplog)
    assert [(record.levelno, getattr(record, "listrak_code", None)) for record in records] == [(level, code)], [
        record.getMessage() for record in records
    ]
    text = records[0].getMessage()
    assert f" {code}: " in text
    assert records[0].exc_info is None
    caplog.clear()
    return text
