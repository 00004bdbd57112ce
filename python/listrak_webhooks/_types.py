"""What the public functions take, spelled for type checkers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias, TypeVar, get_args

Secret: TypeAlias = str | bytes
"""One HMAC Secret."""

Secrets: TypeAlias = Secret | Sequence[Secret]
"""The HMAC Secret, or a list or tuple of several while it is being rotated, the current one first.

Other sequences are rejected when the program runs. A union of lists would say so here, and would not fit a literal with
both types in it.
"""

Tolerance: TypeAlias = float | timedelta
"""A span, in seconds where it is a number."""

AcceptedEncoding: TypeAlias = Literal["any", "base64", "hex"]
SigningEncoding: TypeAlias = Literal["base64", "hex"]
Journey: TypeAlias = Literal["cart", "order", "product", "page", "alert", "custom"]
JOURNEYS: tuple[Journey, ...] = get_args(Journey)
SigningTime: TypeAlias = int | datetime

Clock: TypeAlias = Callable[[], float]
"""Returns Unix seconds, as `time.time` does."""

Aliases: TypeAlias = Mapping[str, list[str] | tuple[str, ...]] | None
"""Paths by the name of what they lead to."""

T = TypeVar("T")
"""A type of the user's own."""


class SupportsItems(Protocol):
    """Any mapping of headers: a dict, or the object of a framework."""

    def items(self) -> Iterable[tuple[object, object]]: ...


Headers: TypeAlias = SupportsItems | Iterable[tuple[object, object]]
"""A mapping of header names in any case to values, a WSGI environ, or pairs as ASGI has them."""
