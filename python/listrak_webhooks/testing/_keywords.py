"""The keywords of the builders, spelled for type checkers; nothing here is imported when a program runs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ._fields import Style

Text: TypeAlias = str | int | None
"""What a view reads as text, and a payload may also write as a number."""

Amount: TypeAlias = str | int | float | Decimal | None
"""What a view reads as a `Decimal`; a string is written as a string, a number as a number."""


class Common(TypedDict, total=False):
    """What all builders take."""

    email: str | None
    phone: Text
    coupons: Sequence[Any] | None
    set: Mapping[str, Any] | None
    style: Style
    seed: int | str | None


class Described(TypedDict, total=False):
    """What lines and products have in common."""

    sku: Text
    name: str | None
    image_url: str | None
    link_url: str | None
    brand: str | None
    category: str | None
    sub_category: str | None
    size: Text
    color: str | None
    price: Amount
    sale_price: Amount
    meta: Sequence[Any] | None


class LineFields(Described, total=False):
    """The keywords of `line`."""

    quantity: Amount
    total: Amount


class CartFields(Common, total=False):
    """The keywords of `cart`."""

    link: str | None
    stage: Text
    source: str | None
    total: Amount
    items: Iterable[Mapping[str, Any]] | None
    meta: Sequence[Any] | None


class OrderFields(Common, total=False):
    """The keywords of `order`."""

    number: Text
    status: Text
    source: str | None
    currency: str | None
    customer_number: Text
    tracking_number: Text
    shipping_method: str | None
    placed_at: str | datetime | None
    total: Amount
    item_total: Amount
    tax_total: Amount
    shipping_total: Amount
    handling_total: Amount
    items: Iterable[Mapping[str, Any]] | None
    shipping_address: Mapping[str, Any] | None
    billing_address: Mapping[str, Any] | None
    meta: Sequence[Any] | None


class ProductFields(Common, Described, total=False):
    """The keywords of `product`, and all but one of `alert`."""

    description: str | None
    master_sku: Text
    gender: str | None
    msrp: Amount
    stock: Amount
    on_sale: bool | str | None
    in_stock: bool | str | None
    discontinued: bool | str | None


class PageFields(Common, total=False):
    """The keywords of `page`."""

    url: str | None
    data: Any
