"""Python's own `json`, for the bodies that the core's parser does not read.

The core calls `loads` where its own parser gave up: a lone surrogate, which RFC 8259 allows, or something that is no
JSON and whose error should say where.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .exceptions import PayloadError

# CPython's own default limit (`sys.int_info.default_max_str_digits`), kept here whatever the process has set.
_MAX_INT_DIGITS = 4300


def loads(body: bytes) -> Any:
    """Return what `json.loads` makes of `body`, NaN and the infinities refused.

    Raises:
        PayloadError: it is no RFC 8259 JSON in UTF-8. The message names the place and none of the content, and no
            cause is kept: the exceptions of `json` and of the decoder carry the whole body.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_int=_parse_int)
    except UnicodeDecodeError as error:
        problem = f"it is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at line {error.lineno} column {error.colno}"
    except (_RefusedError, RecursionError) as error:
        problem = str(error)
    raise PayloadError(f"the body is not valid JSON: {problem}; use event.body to read it as it is")


class _RefusedError(Exception):
    """What `json` would accept and this package does not."""


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not JSON")


def _parse_int(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_INT_DIGITS:
        raise _RefusedError(f"an integer has more than {_MAX_INT_DIGITS} digits")
    return int(digits)
