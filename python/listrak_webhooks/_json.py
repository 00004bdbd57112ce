"""Python's own `json`, for the bodies that the core's parser does not read.

The core calls `parse` where its own parser gave up: a lone surrogate, which RFC 8259 allows, or something that is no
JSON and whose error should say where.
"""

from __future__ import annotations

import json
from decimal import Decimal, DecimalException
from typing import Any, NoReturn

# CPython's own default limit (`sys.int_info.default_max_str_digits`), kept here whatever the process has set.
_MAX_INT_DIGITS = 4300

# What `int` reads whatever the process has set (`sys.int_info.str_digits_check_threshold`).
_UNLIMITED_DIGITS = 640


def parse(body: bytes, exact: bool = False) -> tuple[Any, str | None]:  # noqa: FBT001, FBT002 -- by position, from Rust
    """Return what `json.loads` makes of `body`, NaN and the infinities refused, or what the problem is.

    Where it is to be `exact`, a number with a point or an exponent is a `Decimal`.

    The problem names the place and none of the content. It is returned and not raised, because the exceptions of `json`
    and of the decoder, and the frames of any traceback from here, carry the whole body.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_exactly if exact else None,
        )
    except UnicodeDecodeError as error:
        return None, f"it is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return None, f"{error.msg.removesuffix(' at')} at line {error.lineno} column {error.colno}"
    except _RefusedError as error:
        return None, str(error)
    return value, None


class _RefusedError(Exception):
    """What `json` would accept and this package does not."""


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not JSON")


def _parse_int(text: str) -> int:
    digits = text.removeprefix("-")
    if len(digits) > _MAX_INT_DIGITS:
        raise _RefusedError(f"an integer has more than {_MAX_INT_DIGITS} digits")
    value = 0
    for start in range(0, len(digits), _UNLIMITED_DIGITS):
        piece = digits[start : start + _UNLIMITED_DIGITS]
        value = value * 10 ** len(piece) + int(piece)
    return -value if text.startswith("-") else value


def _parse_exactly(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except DecimalException:
        # An exponent that even `Decimal` has no room for.
        return float(text)
