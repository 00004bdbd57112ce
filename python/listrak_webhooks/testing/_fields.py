"""Under which names the builders write what the views read, and how a name is styled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable

Style: TypeAlias = Literal["camel", "pascal", "snake", "lower"]

_LINE_AND_PRODUCT = {
    "sku": "sku",
    "name": "name",
    "image_url": "imageUrl",
    "link_url": "linkUrl",
    "brand": "brand",
    "category": "category",
    "sub_category": "subCategory",
    "size": "size",
    "color": "color",
    "price": "price",
    "sale_price": "salePrice",
}

LINE = {**_LINE_AND_PRODUCT, "quantity": "quantity", "total": "itemTotal"}

CART = {"link": "link", "stage": "stage", "source": "source", "total": "total"}

ORDER = {
    "number": "orderNumber",
    "placed_at": "dateEntered",
    "status": "status",
    "source": "source",
    "currency": "currency",
    "customer_number": "customerNumber",
    "tracking_number": "trackingNumber",
    "total": "orderTotal",
    "item_total": "itemTotal",
    "tax_total": "taxTotal",
    "shipping_total": "shippingTotal",
    "handling_total": "handlingTotal",
    "shipping_address": "shippingAddress",
    "billing_address": "billingAddress",
}

PRODUCT = {
    **_LINE_AND_PRODUCT,
    "name": "title",
    "description": "description",
    "master_sku": "masterSku",
    "gender": "gender",
    "msrp": "msrp",
    "stock": "qoh",
    "on_sale": "onSale",
    "in_stock": "inStock",
    "discontinued": "discontinued",
}

PAGE = {"url": "page", "data": "data"}

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


def plain(value: Any) -> Any:
    """Return `value` as JSON has it: a `Decimal` as its digits in a string, a time in ISO 8601."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[Any]", value)]
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
    _put(document, path.split("."), path, plain(value))


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
