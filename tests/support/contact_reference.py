"""The contact of a document, by plain Python over what `json.loads` gives, which shares nothing with the core."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

EMAIL = ["email", "emailaddress", "contact.email", "contact.emailaddress", "customer.email", "customer.emailaddress"]
PHONE = [
    *["phone", "phonenumber", "mobilephone", "phoneid"],
    *["contact.phone", "contact.phonenumber", "customer.phone", "customer.phonenumber"],
]
MAX_DIGITS = 64
IDENTIFIERS = ["identifiers", "contact.identifiers", "customer.identifiers"]


@lru_cache(10_000)
def _normal(name: str) -> str:
    return "".join(character for character in name if character not in "_- ").lower()


def _at(value: Any, path: str) -> list[Any]:
    first, _, rest = path.partition(".")
    if not isinstance(value, dict):
        return []
    found = [item for key, item in value.items() if _normal(key) == first]
    return found if not rest else [deeper for item in found for deeper in _at(item, rest)]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _digits(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if abs(value) < 10**MAX_DIGITS else None
    if isinstance(value, float):
        if value == 0:
            return "0"
        small = 1e-6 <= abs(value) <= 2**53
        return (f"{value:.0f}" if value.is_integer() else format_float(value)) if small else None
    return _text(value)


def format_float(value: float) -> str:
    """Return the shortest digits that mean this number, without an exponent."""
    return f"{Decimal(repr(value)):f}"


def _look_up(document: Any, paths: list[str], kinds: set[str], read: Any) -> str | None:
    for path in paths:
        for value in _at(document, path):
            if (found := read(value)) is not None:
                return str(found)
    for path in IDENTIFIERS:
        for identifiers in _at(document, path):
            for each in identifiers if isinstance(identifiers, list) else []:
                types = [
                    _normal(kind) for name in ("identifiertype", "type") for kind in map(_text, _at(each, name)) if kind
                ]
                values = [read(value) for name in ("value", "identifier") for value in _at(each, name)]
                values = [value for value in values if value is not None]
                if kinds & {*types} and values:
                    return str(values[0])
    return None


def contact_of(document: Any) -> tuple[str | None, str | None]:
    """Return the email address and the phone number in a document."""
    return (
        _look_up(document, EMAIL, {"emailaddress", "email"}, _text),
        _look_up(document, PHONE, {"phonenumber", "phone"}, _digits),
    )
