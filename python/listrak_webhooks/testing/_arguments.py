"""What is said of an argument that is not what it must be: its name, what it must be, and what it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

_FURTHEST = 1e12
"""Seconds; further away than a `datetime` goes."""

_BYTES_OR_TEXT = (str, bytes, bytearray, memoryview)


def kind_of(value: object) -> str:
    """Return the name of a value's type, for messages."""
    return type(value).__name__


def seconds(name: str, value: object) -> float:
    """Return a time, or a span, in seconds.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not finite, or out of all range.
    """
    if isinstance(value, bool | str | bytes):
        raise TypeError(f"{name} must be a number of seconds, not {kind_of(value)}")
    number = cast("float", value)
    try:
        is_possible = math.isfinite(number) and abs(number) <= _FURTHEST
    except TypeError:
        raise TypeError(f"{name} must be a number of seconds, not {kind_of(value)}") from None
    except OverflowError:
        is_possible = False
    if not is_possible:
        raise ValueError(f"{name} must be a finite number of seconds that a time can have, not {value}")
    return number


def time(name: str, value: object) -> float:
    """Return a time in Unix seconds.

    Raises:
        TypeError: it is neither a number nor a `datetime`.
        ValueError: it is naive, not finite, or out of all range.
    """
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(f"{name} is a naive datetime; give it a time zone, such as datetime.now(timezone.utc)")
        return value.timestamp()
    try:
        return seconds(name, value)
    except TypeError:
        raise TypeError(f"{name} must be a time: Unix seconds or an aware datetime, not {kind_of(value)}") from None


def whole(name: str, value: object) -> int:
    """Return a number of whole seconds.

    Raises:
        TypeError: it is not an `int`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int of seconds, not {kind_of(value)}")
    return value


def sequence(name: str, value: object) -> None:
    """See that it is a list, or left out; text is none, although it is a sequence.

    Raises:
        TypeError: it is not a list.
    """
    if value is not None and not is_list(value):
        raise TypeError(f"{name} must be a list, such as {name}=['x'], not {kind_of(value)}")


def is_list(value: object) -> bool:
    """Whether JSON has a list for it."""
    return isinstance(value, Sequence) and not isinstance(value, _BYTES_OR_TEXT)


def is_mapping(value: object) -> bool:
    """Whether JSON has an object for it."""
    return isinstance(value, Mapping)


def _is_listed(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (*_BYTES_OR_TEXT, Mapping))


def lines(value: Any) -> list[Any]:
    """Return the lines of a cart or an order; text and mappings are none, although they can be iterated over.

    Raises:
        TypeError: they are not mappings, in something to iterate over.
    """
    if not _is_listed(value):
        raise TypeError(f"items must be a list, such as items=[line(…)], not {kind_of(value)}")
    entries: list[Any] = [*value]
    for number, entry in enumerate(entries):
        if not is_mapping(entry):
            raise TypeError(f"items[{number}] must be a mapping, such as line(…), not {kind_of(entry)}")
    return entries


def paths(value: object) -> Mapping[str, Any]:
    """Return the values of `set`, by path.

    Raises:
        TypeError: it is not a mapping of text.
        ValueError: a path has an empty name.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"set must be a mapping, such as set={{'cart.meta1': 'x'}}, not {kind_of(value)}")
    for path in cast("Mapping[object, Any]", value):
        if not isinstance(path, str):
            raise TypeError(f"set={{{path!r}: …}}: a path must be a str, not {kind_of(path)}")
        if not all(path.split(".")):
            raise ValueError(f"set={{{path!r}: …}}: the path has an empty name; names are separated by one dot")
    return cast("Mapping[str, Any]", value)


def headers(value: object) -> Mapping[str, str]:
    """Return headers by name.

    Raises:
        TypeError: it is not a mapping of text to text.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"headers must be a mapping, such as {{'Content-Type': 'text/plain'}}, not {kind_of(value)}")
    for each in cast("Mapping[object, object]", value).items():
        for part in each:
            if not isinstance(part, str):
                raise TypeError(f"headers must have names and values that are str, not {kind_of(part)}")
    return cast("Mapping[str, str]", value)
