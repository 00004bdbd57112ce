"""A capture: one delivery in a file, as `listen` saves it or as curl or a proxy writes it."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import NamedTuple, cast

import click

from ._http_text import Head, parse_head

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")
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
    if data.lstrip().startswith(b"{") and not data.lstrip().startswith(b"{ ["):
        return _from_json(data)
    head = parse_head(data, "the capture")
    if head.method is None:
        raise click.UsageError(
            "the capture is neither a line of JSON nor a raw HTTP request, which begins with `POST /path HTTP/1.1`; "
            "for a body in a file of its own add --headers"
        )
    return Capture(head.method, head.path, head.headers, _body_of(head), None)


def _from_json(data: bytes) -> Capture:
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        # A formatted object is taken too; several lines that are objects each are several captures.
        entry = json.loads(data)
    except (ValueError, RecursionError):
        if len(lines) > 1 and _is_object(lines[0]):
            raise _bad(f"it holds {len(lines)} lines; pass one of them") from None
        raise _bad("it is not JSON") from None
    if not isinstance(entry, dict):
        raise _bad("it is not an object")
    entry = cast("dict[str, object]", entry)
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
        if math.isfinite(number):
            return number
    raise _bad("its `received_at` is not a number of Unix seconds")


def _body_of(head: Head) -> bytes:
    """Return the body of a raw request, in as many bytes as there are: one that was cut is for `explain` to say."""
    rest = head.rest
    if "chunked" in (head.get("transfer-encoding") or "").lower():
        return _joined(rest)
    if head.is_curl and rest.startswith(_AFTER_A_BODY):
        return b""  # curl does not show what it sends
    length = head.get("content-length") or ""
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
    while found := _CHUNK_SIZE.match(data):
        size = int(found[1], 16)
        if size == 0:
            return b"".join(parts)
        start = found.end()
        part, after = data[start : start + size], data[start + size :]
        ending = re.match(rb"\r?\n", after)
        if len(part) < size or ending is None:
            break
        parts.append(part)
        data = after[ending.end() :]
    raise _bad("its body in chunks ends in the middle")
