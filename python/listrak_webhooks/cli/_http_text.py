"""HTTP as text in a file: the header lines that `sign` prints, and requests as curl or a proxy writes them."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

import click

_REQUEST_LINE = re.compile(rb"([A-Za-z]+) (\S+) HTTP/\d(?:\.\d)?")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_UTF_16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE

CURL_SENT = b"> "
"""What `curl -v` begins each line of the request with; it begins its remarks with `* `, and the response with `< `."""


class Head(NamedTuple):
    """The head of a request."""

    method: str | None
    path: str | None
    headers: list[tuple[str, str]]
    is_curl: bool
    """Whether it was written by `curl -v`."""
    rest: bytes
    """What follows the empty line."""

    def get(self, name: str) -> str | None:
        """Return the first value of a header by its name in lower case."""
        return next((value for each, value in self.headers if each.lower() == name), None)


def parse_head(data: bytes, what: str) -> Head:
    """Return the head of a request, or header lines alone.

    Lines end with CRLF or LF. A value keeps its bytes as Latin-1 characters.

    Args:
        data: the file.
        what: the name of the argument, for the error.

    Raises:
        click.UsageError: a line is not a header, or there is none.
    """
    data = in_bytes(data)
    method = path = None
    headers: list[tuple[str, str]] = []
    is_curl = False
    number = at = 0
    while at < len(data):
        number += 1
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = data[at:end].removesuffix(b"\r")
        at = end + 1
        if not headers and method is None and (not line.strip() or line.startswith((b"* ", b"{ [", b"} ["))):
            continue  # curl's remarks, or empty lines, before the head
        if is_curl or (not headers and method is None and line.startswith(CURL_SENT)):
            is_curl = True
            line = line.removeprefix(CURL_SENT).removeprefix(b">")
        if not line:
            break
        request = _REQUEST_LINE.fullmatch(line) if not headers and method is None else None
        if request:
            method, path = (part.decode("latin-1") for part in request.groups())
        else:
            headers.append(_header_in(line, number, what))
    if not headers:
        raise click.UsageError(f"there is no header in {what}; each line is `Name: value`, as `sign` prints them")
    return Head(method, path, headers, is_curl, data[at:])


def in_bytes(data: bytes) -> bytes:
    """Return text as UTF-8: Windows PowerShell writes what a program prints as UTF-16."""
    if data.startswith(_UTF_16):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def _header_in(line: bytes, number: int, what: str) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise click.UsageError(f"line {number} of {what} is not a header, `Name: value`")
    return name.decode("latin-1"), value.strip(b" \t").decode("latin-1")
