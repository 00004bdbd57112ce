"""Bodies that nobody expects, made of one that a handler takes, so that only what is odd in them can be at fault.

They are changed as bytes: what is not odd in them stays as the user wrote it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEEP = 5_000
"""Objects in objects."""

_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)
"""A string of JSON, and the colon if it is a key."""

_WORDS = re.compile(rb"[A-Za-z][A-Za-z ,'-]*")
"""What no handler takes for a number, a time or an address."""


def with_text(body: bytes, text: bytes) -> bytes:
    """Return `body` with `text` inside a string value, as it is; words are preferred to numbers, times and addresses.

    Where no value is a string, the object gets another member; what is not an object gets `text` behind it.
    """
    spot = max(_spots(body), default=None)
    if spot is not None:
        return body[: spot[-1]] + text + body[spot[-1] :]
    return _with_member(body, b'"' + text + b'"') or body + text


def _spots(body: bytes) -> Iterator[tuple[bool, bool, int]]:
    """Yield where the string values end, each with how well it can be changed."""
    for found in _STRING.finditer(body):
        if found[2] is None:
            is_text = _WORDS.fullmatch(found[1]) is not None
            yield is_text and b" " in found[1], is_text, found.end(1)


def _with_member(body: bytes, value: bytes) -> bytes | None:
    """Return an object with one member more, or `None` if `body` does not look like an object."""
    start = body.rstrip()
    if not (start.startswith(b"{") and start.endswith(b"}")):
        return None
    inner = start[:-1].rstrip()
    comma = b"" if inner == b"{" else b","
    return inner + comma + b'"listrak_check":' + value + b"}" + body[len(start) :]


def _not_json(body: bytes) -> bytes:
    return b"payload=" + quote_from_bytes(body, safe="").encode()


def _deep(body: bytes) -> bytes:
    value = b'{"a":' * _DEEP + b"1" + b"}" * _DEEP
    return _with_member(body, value) or value


ODD_BODIES: list[tuple[str, str, Callable[[bytes], bytes]]] = [
    ("empty_body", "a genuine empty body", lambda _: b""),
    ("not_json", "a genuine body that is not JSON", _not_json),
    ("json_without_object", "a genuine JSON list", lambda body: b"[" + body + b",null]"),
    ("nul_bytes", "a genuine body with NUL", lambda body: with_text(body, b"a\0b\\u0000") + b"\0"),
    ("invalid_utf8", "a genuine body that is not UTF-8", lambda body: with_text(body, b"caf\xe9 \xff\xfe")),
    ("lone_surrogate", "genuine JSON with half a character", lambda body: with_text(body, b"\\ud83d")),
    ("byte_order_mark", "a genuine body with a byte order mark", lambda body: b"\xef\xbb\xbf" + body),
    ("deep_json", "genuine JSON, nested deeply", _deep),
]
"""By name: what it is for people, and how it is made of a body."""


def forms_of(body: bytes) -> list[tuple[str, bytes]]:
    """Return JSON in the forms in which it is written again by a framework or a proxy, each with its name.

    What is not JSON has only itself, without white space around it.
    """
    try:
        document = json.loads(body)
        forms = {
            "compact JSON": json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(),
            "compact JSON in ASCII": json.dumps(document, separators=(",", ":")).encode(),
            "JSON with spaces": json.dumps(document, ensure_ascii=False).encode(),
            "JSON with spaces in ASCII": json.dumps(document).encode(),
            "compact JSON with its keys in order": json.dumps(document, separators=(",", ":"), sort_keys=True).encode(),
            "JSON with spaces and its keys in order": json.dumps(document, sort_keys=True).encode(),
            "indented JSON": json.dumps(document, indent=2).encode(),
        }
    except (ValueError, RecursionError):
        forms = {}
    return [*forms.items(), ("without white space around it", body.strip())]
