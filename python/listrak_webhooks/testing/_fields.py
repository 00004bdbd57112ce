"""Under which names the builders write what the views read, and how a name is styled."""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from listrak_webhooks._core import built_in_aliases

from ._arguments import is_list, is_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

Style: TypeAlias = Literal["camel", "pascal", "snake", "lower"]


# `marker` is no attribute, and the keyword `style` is the style of the names.
_OTHERS = {"marker", "style"}


def _names(view: str, without: AbstractSet[str] = frozenset(_OTHERS)) -> dict[str, str]:
    """Return the first of the built-in names of each attribute of a view."""
    prefix = f"{view}."
    names = {
        concept.removeprefix(prefix): names[0]
        for concept, names in built_in_aliases().items()
        if concept.startswith(prefix)
    }
    return {attribute: name for attribute, name in names.items() if attribute not in without}


LINE = _names("items")
# Inside a cart its own fields have short names.
CART = {"link": "link", "stage": "stage", "source": "source", "total": "total"}
ORDER = _names("order")
PRODUCT = {**_names("items", {"quantity", "total"}), **_names("product"), "name": "title"}
PAGE = _names("page")

CONTACT = {"email": "email", "phone": "phone", "coupons": "couponCodes"}

METAS = 5
"""How many `meta` fields Listrak leaves to the retailer."""


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


_STYLES: dict[str, Callable[[str], str]] = {
    "camel": str,
    "pascal": lambda name: name[:1].upper() + name[1:],
    "snake": _snake,
    "lower": str.lower,
}


def styled(style: str) -> Callable[[str], str]:
    """Return what writes a name in a style.

    Raises:
        ValueError: there is no such style.
    """
    try:
        return _STYLES[style]
    except (KeyError, TypeError):
        raise ValueError(
            f"style is the style of the names, one of {', '.join(_STYLES)}, not {style!r}; "
            "a field that is itself called style is written by set={'style': …}"
        ) from None


def plain(value: Any, name: str) -> Any:
    """Return `value` as JSON has it: a `Decimal` as its digits in a string, a time in ISO 8601.

    Args:
        value: what is to be written.
        name: the argument that it comes from, for messages.

    Raises:
        TypeError: JSON has nothing like it.
        ValueError: it is a number that is not finite, or text with half a character.
    """
    if is_mapping(value):
        fields: Mapping[Any, Any] = value
        return {_text(key, f"a key in {name}"): plain(item, name) for key, item in fields.items()}
    if is_list(value):
        return [plain(item, name) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, not {value}: JSON has no other")
        return f"{value:f}" if isinstance(value, Decimal) else value
    return value if value is None or isinstance(value, int) else _text(value, name)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        hint = "; decode it first" if isinstance(value, bytes | bytearray) else ""
        raise TypeError(f"{name} must be something that JSON can hold, not {type(value).__name__}{hint}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name} has half a character (a lone surrogate); write such a body with Delivery(body=b'…')")
    return value


def _same_name(left: str, right: str) -> bool:
    """Whether the views take two names for one."""
    return re.sub(r"[-_ ]", "", left).lower() == re.sub(r"[-_ ]", "", right).lower()


def _index(names: list[Any], name: str, path: str) -> int:
    """Return the number of an entry."""
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    raise ValueError(f"set={{{path!r}: …}}: {name!r} is not the number of an entry; there are {len(names)}")


def _key(fields: dict[str, Any], name: str) -> str:
    """Return the key that is called `name`, or `name` itself for a new one."""
    return name if name in fields else next((key for key in fields if _same_name(key, name)), name)


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Write `value` at a dotted path; names are compared as the views compare them, and objects made on the way.

    Raises:
        ValueError: the path leads into something that is neither an object nor a list, or past the end of a list.
    """
    _put(document, path.split("."), path, plain(value, f"set={{{path!r}: …}}"))


def _put(target: Any, names: list[str], path: str, value: Any) -> None:
    name, *rest = names
    if isinstance(target, dict):
        fields: dict[str, Any] = target  # pyright: ignore[reportUnknownVariableType]
        key = _key(fields, name)
        if rest:
            _put(fields.setdefault(key, {}), rest, path, value)
        else:
            fields[key] = value
    elif isinstance(target, list):
        entries: list[Any] = target  # pyright: ignore[reportUnknownVariableType]
        index = _index(entries, name, path)
        if rest:
            _put(entries[index], rest, path, value)
        else:
            entries[index] = value
    else:
        raise ValueError(  # noqa: TRY004  # its value is wrong, not its type
            f"set={{{path!r}: …}}: what is before {name!r} is neither an object nor a list"
        )
