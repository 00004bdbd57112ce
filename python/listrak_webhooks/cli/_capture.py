"""A capture: one delivery in a file, as `listen` saves it or as curl or a proxy writes it."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import NamedTuple, cast

import click

from ._command import LAST_SECOND
from ._http_text import Head, in_bytes, parse_head

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_AFTER_A_BODY = b"* ", b"< ", b"{ [", b"} ["
"""How the lines begin that curl writes after the request."""


class Capture(NamedTuple):
    """One delivery."""

    method: str | None
    path: str | None
    headers: list[tuple[str, str]]
    body: bytes
    received_at: float | None
    """Unix seconds, if the capture says them."""


def parse_capture(data: bytes) -> Capture:
    """Return the delivery in a capture.

    Args:
        data: the file.

    Raises:
        click.UsageError: it is not one.
    """
    data = in_bytes(data)
    if data.lstrip().startswith(b"{") and not data.lstrip().startswith(b"{ ["):
        return _from_json(data)
    try:
        head = parse_head(data, "the capture")
    except click.UsageError as error:
        raise click.UsageError(f"{error.format_message()}; {_A_BODY}") from None
    if head.method is None:
        raise click.UsageError(
            "the capture is neither a line of JSON nor a raw HTTP request, which begins with `POST /path HTTP/1.1`; "
            f"{_A_BODY}"
        )
    return Capture(head.method, head.path, head.headers, _body_of(head), None)


_A_BODY = "if the file is the body alone, add --headers FILE"


def _from_json(data: bytes) -> Capture:
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        # A formatted object is taken too; several lines that are objects each are several captures.
        entry = json.loads(data)
    except (ValueError, RecursionError):
        if len(lines) > 1 and _is_object(lines[0]):
            raise _bad(f"it holds {len(lines)} lines; pass one of them") from None
        raise _bad(f"it is not JSON; {_A_BODY}") from None
    if not isinstance(entry, dict):
        raise _bad(f"it is not an object; {_A_BODY}")
    entry = cast("dict[str, object]", entry)
    if "headers" not in entry:
        raise _bad(f"its `headers` are missing; {_A_BODY}")
    return Capture(
        _text_or_none(entry, "method"),
        _text_or_none(entry, "path"),
        _pairs_in(entry),
        _body_in(entry),
        _time_in(entry),
    )


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _bad(reason: str) -> click.UsageError:
    return click.UsageError(f"the capture cannot be read: {reason}")


def _text_or_none(entry: dict[str, object], name: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise _bad(f"its `{name}` is not a string")
    return value


def _pairs_in(entry: dict[str, object]) -> list[tuple[str, str]]:
    headers = entry.get("headers")
    if not isinstance(headers, list):
        raise _bad("its `headers` are not a list of pairs")
    pairs: list[tuple[str, str]] = []
    for pair in cast("list[object]", headers):
        match _list_or_nothing(pair):
            case [str(name), str(value)]:
                pairs.append((name, value))
            case _:
                raise _bad("its `headers` are not pairs of strings")
    return pairs


def _list_or_nothing(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _body_in(entry: dict[str, object]) -> bytes:
    text = entry.get("body")
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise _bad("its `body` is not a string in base64")


def _time_in(entry: dict[str, object]) -> float | None:
    value = entry.get("received_at")
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if abs(number) <= LAST_SECOND:  # NaN is not
            return number
    raise _bad("its `received_at` is not a number of Unix seconds")


def _body_of(head: Head) -> bytes:
    """Return the body of a raw request, in as many bytes as there are: one that was cut is for `explain` to say."""
    rest = head.rest
    if head.is_curl and rest.startswith(_AFTER_A_BODY):
        rest = b""
    length = head.get("content-length") or ""
    if head.is_curl and not rest and length != "0":
        raise click.UsageError(
            "this capture has no body; use explain BODY --headers FILE, with this file as FILE: `curl -v` does not "
            "write the body that it sends"
        )
    if "chunked" in (head.get("transfer-encoding") or "").lower():
        return _joined(rest)
    if re.fullmatch("[0-9]{1,15}", length):
        body, surplus = rest[: int(length)], rest[int(length) :]
        # An editor's line break at the end is not part of the body, nor is what curl writes after it.
        if not surplus.strip(b"\r\n") or (head.is_curl and surplus.lstrip(b"\r\n").startswith(_AFTER_A_BODY)):
            return body
    return rest


def _joined(data: bytes) -> bytes:
    """Return the body in chunks; what does not begin with a chunk was put together by what wrote the capture."""
    if not _CHUNK_SIZE.match(data):
        return data
    parts: list[bytes] = []
    at = 0
    while found := _CHUNK_SIZE.match(data, at):
        size = int(found[1], 16)
        if size == 0:
            return b"".join(parts)
        end = found.end() + size
        ending = _LINE_END.match(data, end)
        if end > len(data) or ending is None:
            break
        parts.append(data[found.end() : end])
        at = ending.end()
    raise _bad("its body in chunks ends in the middle")
