"""Python's own `json`, for the bodies that the core's parser does not read.

The core calls `parse` if its own parser gave up: a lone surrogate, which RFC 8259 allows, or something that is not
JSON and whose error should say where.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from listrak_webhooks._core import MAX_INT_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

# What `int` reads whatever the process has set (`sys.int_info.str_digits_check_threshold`).
_UNLIMITED_DIGITS = 640


def parse(text: str, parse_float: Callable[[str], float] | None, longest: int) -> tuple[Any, str | None]:
    """Return what `json.loads` makes of `text`, NaN and the infinities rejected, or what the problem is.

    The problem names the place and none of the content. It is returned and not raised, because the exceptions of `json`
    and the frames of any traceback from here carry the whole text.

    Args:
        text: the text, behind a byte order mark.
        parse_float: what to read floats with; `None` for Python's own way, which is faster.
        longest: how many digits the longest integer has, if that is more than the process could forbid; else anything.
    """
    try:
        value = json.loads(
            text, parse_constant=_reject_constant, parse_float=parse_float, parse_int=_parse_int_for(longest)
        )
    except json.JSONDecodeError as error:
        return None, f"{error.msg.removesuffix(' at')} at line {error.lineno} column {error.colno}"
    except _RejectedError as error:
        return None, str(error)
    except ValueError:
        # Of `int`, which counts the digits.
        return None, _TOO_LONG
    return value, None


class _RejectedError(Exception):
    """What `json` would accept and this package does not."""


_TOO_LONG = f"an integer has more than {MAX_INT_DIGITS} digits"


def _reject_constant(name: str) -> NoReturn:
    raise _RejectedError(f"{name} is not JSON")


def _parse_int_for(longest: int) -> Callable[[str], int] | None:
    """Return what reads integers of up to 4,300 digits and no more; `None` if `int` does here, which is faster."""
    # Python has had the limit since 3.10.7 and 3.11.
    limit = getattr(sys, "get_int_max_str_digits", lambda: 0)()
    fits = longest <= _UNLIMITED_DIGITS or (longest <= MAX_INT_DIGITS and (limit == 0 or longest <= limit))
    return None if fits or limit == MAX_INT_DIGITS else _parse_int


def _parse_int(text: str) -> int:
    digits = text.removeprefix("-")
    if len(digits) > MAX_INT_DIGITS:
        raise _RejectedError(_TOO_LONG)
    value = 0
    for start in range(0, len(digits), _UNLIMITED_DIGITS):
        piece = digits[start : start + _UNLIMITED_DIGITS]
        value = value * 10 ** len(piece) + int(piece)
    return -value if text.startswith("-") else value
