"""Builders of believable deliveries, one for each kind of journey, and the deliveries that they return.

All take `seed` (another shopper for each; the same one without it), `style` (how names are written: `"camel"`,
`"pascal"`, `"snake"` or `"lower"`) and `set`, which writes any value, `None` included, at a dotted path. Every other
keyword has the name of the attribute that reads it; `None` leaves the field out.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from . import _arguments
from ._delivery import Delivery, SignedDelivery
from ._fields import CART, CONTACT, LINE, METAS, ORDER, PAGE, PRODUCT, plain, put, styled
from ._people import GOODS, Goods, Shopper, shopper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from typing_extensions import Unpack

    from ._fields import Style
    from ._keywords import CartFields, LineFields, OrderFields, PageFields, ProductFields

__all__ = ["BUILDERS", "Delivery", "SignedDelivery", "alert", "cart", "custom", "line", "order", "page", "product"]

_SHOP = "https://shop.example"
_IMAGES = "https://img.example"
_PLACED_AT = "2026-04-30T11:05:00.0000000+00:00"


class Line(dict[str, Any]):
    """A line of a cart or an order, by the names of the attributes of `LineItem`; `line` makes it."""


def line(**fields: Unpack[LineFields]) -> Line:
    """Return a line for the `items` of a cart or an order.

    Args:
        **fields: the attributes of `LineItem`; `meta` is a sequence of up to five. `None` leaves one out. The `total`
            is reckoned from the price and the quantity unless it is given.

    Example:
        >>> delivery = cart(items=[line(sku="A-1", price="9.99", quantity=2)])
        >>> [item.total for item in delivery.signed("the HMAC secret").event().items]
        [Decimal('19.98')]
    """
    return _line(GOODS[0], 1, dict(fields))


def cart(**fields: Unpack[CartFields]) -> Delivery:
    """Return a cart that was left.

    Args:
        **fields: the attributes of `Cart`, and `email`, `phone`, `coupons`; `seed`, `style` and `set`. `items` are what
            `line` returns, or dicts that are written as they are. The `total` is that of the lines unless it is given.

    Raises:
        TypeError: there is no such field, or a value is not of its kind.
        ValueError: an unknown style, a number that is not finite, or a path in `set` that leads nowhere.

    Example:
        >>> event = cart(total="89.98", email="jane@example.com").signed("the HMAC secret").event()
        >>> event.cart.total, event.email
        (Decimal('89.98'), 'jane@example.com')
        >>> cart(set={"cart.meta1": "x"}).signed("the HMAC secret").event().cart.meta[0]
        'x'
    """
    build = _Build("cart", {*CART, "items", "meta"}, dict(fields))
    lines = build.lines()
    sample = {
        "link": f"{_SHOP}/checkout?ltkcart={build.shopper.token}",
        "stage": "2",
        "source": "Web",
        "total": _sum(lines),
        "meta": [f"b-{build.shopper.token[:4]}"],
    }
    build.top[build.name("cart")] = build.written(CART, sample) | build.written_lines(lines)
    return build.delivery()


def order(**fields: Unpack[OrderFields]) -> Delivery:
    """Return an order that was placed.

    Args:
        **fields: the attributes of `Order`, and `email`, `phone`, `coupons`; `seed`, `style` and `set`. The lines are
            given as for `cart`, and the totals follow from them unless they are given.

    Raises:
        TypeError, ValueError: as `cart`.

    Example:
        >>> order(number="0531435151").signed("the HMAC secret").event().order.number
        '0531435151'
    """
    build = _Build("order", {*ORDER, "items", "meta"}, dict(fields))
    lines = build.lines()
    items, tax, shipping = _sum(lines), "3.60", "5.95"
    sample = {
        "number": build.shopper.number,
        "placed_at": _PLACED_AT,
        "status": "Completed",
        "source": "Web",
        "currency": "USD",
        "customer_number": f"C{build.shopper.number[-6:]}",
        "shipping_method": "Ground",
        "item_total": items,
        "tax_total": tax,
        "shipping_total": shipping,
        "handling_total": "0.00",
        "total": None if items is None else f"{Decimal(items) + Decimal(tax) + Decimal(shipping):.2f}",
        "shipping_address": build.address(),
        "billing_address": build.address(),
    }
    build.top |= build.written(ORDER, sample) | build.written_lines(lines)
    return build.delivery()


def product(**fields: Unpack[ProductFields]) -> Delivery:
    """Return a product that was browsed.

    Args:
        **fields: the attributes of `Product`, and `email`, `phone`, `coupons`; `seed`, `style` and `set`. `style` is
            that of the names; the product's own is written by `set={"style": "boho"}`.

    Raises:
        TypeError, ValueError: as `cart`.

    Example:
        >>> product(price="19.99", style="pascal").signed("the HMAC secret").event().product.price
        Decimal('19.99')
    """
    build = _Build("product", {*PRODUCT, "meta"}, dict(fields))
    build.top |= build.written(PRODUCT, _product(build.shopper.goods[0]))
    return build.delivery()


def alert(*, alert_type: str | None = "PriceDrop", **fields: Unpack[ProductFields]) -> Delivery:
    """Return an alert about a product.

    Args:
        alert_type: the kind of alert, as the payload names it.
        **fields: as for `product`.

    Raises:
        TypeError, ValueError: as `cart`.

    Example:
        >>> event = alert(alert_type="BackInStock", stock=45).signed("the HMAC secret").event()
        >>> event.journey, event.product.stock
        ('alert', Decimal('45'))
    """
    build = _Build("alert", {*PRODUCT, "meta"}, dict(fields))
    build.top |= {} if alert_type is None else {build.name("alertType"): plain(alert_type, "alert_type")}
    sample = _product(build.shopper.goods[0])
    build.top |= build.written(PRODUCT, sample | {"sale_price": _reduced(sample["price"]), "on_sale": True})
    return build.delivery()


def page(**fields: Unpack[PageFields]) -> Delivery:
    """Return a page that was browsed.

    Args:
        **fields: the attributes of `Page`, and `email`, `phone`, `coupons`; `seed`, `style` and `set`. `data` is
            written as it is; the default is JSON in a string.

    Raises:
        TypeError, ValueError: as `cart`.

    Example:
        >>> page(url="/sale", data={"season": "summer"}).signed("the HMAC secret").event().page.data
        {'season': 'summer'}
    """
    build = _Build("page", {*PAGE}, dict(fields))
    sample = {"url": f"/category/{build.shopper.goods[0].category.lower()}", "data": '{"season":"summer"}'}
    build.top |= build.written(PAGE, sample)
    return build.delivery()


def custom(
    *,
    set: Mapping[str, Any] | None = None,  # noqa: A002
    style: Style = "camel",
    seed: int | str | None = None,
    **keys: Any,
) -> Delivery:
    """Return what a marketer might have written in Journey Hub.

    Args:
        set: values by dotted path; also for keys that are called as the arguments here.
        style: how the names of the samples are written; your own keys are written as they are.
        seed: another shopper for each.
        **keys: its own keys; `None` leaves one out.

    Raises:
        TypeError, ValueError: as `cart`.

    Example:
        >>> custom(campaign="vip-mailer", points=120).signed("the HMAC secret").event().payload["points"]
        120
    """
    contact = {name: keys.pop(name) for name in CONTACT if name in keys}
    build = _Build("custom", {*()}, {"coupons": None, "set": set, "style": style, "seed": seed} | contact)
    sample = {"campaign": "vip-mailer", "template": 7}
    build.top |= {key: plain(value, key) for key, value in (sample | keys).items() if value is not None}
    return build.delivery()


class _Build:
    """One delivery in the making.

    Args:
        builder: the name of the builder, for messages.
        known: the names that it takes, apart from those that all take.
        fields: what the user gave.
    """

    def __init__(self, builder: str, known: AbstractSet[str], fields: dict[str, Any]) -> None:
        known = {*known, *CONTACT, "set", "style", "seed"}
        _check_names(builder, known, fields)
        self._set = _arguments.paths(fields.pop("set", None))
        self.name = styled(fields.pop("style", "camel"))
        self.shopper: Shopper = shopper(fields.pop("seed", None))
        self._fields = fields
        self.top: dict[str, Any] = {}

    def written(self, names: dict[str, str], sample: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of one object as they are written: what was given, else the sample."""
        return _written(self.name, names, sample | self._fields)

    def lines(self) -> list[Any] | None:
        """Return the lines that were given, or samples."""
        if "items" in self._fields:
            items = self._fields["items"]
            return None if items is None else _arguments.lines(items)
        return [_line(goods, quantity, {}) for goods, quantity in zip(self.shopper.goods, self.shopper.quantities)]  # noqa: B905

    def written_lines(self, lines: list[Any] | None) -> dict[str, Any]:
        """Return the field with the lines."""
        if lines is None:
            return {}
        return {
            self.name("items"): [
                _written(self.name, LINE, each) if isinstance(each, Line) else plain(each, "items") for each in lines
            ]
        }

    def address(self) -> dict[str, str]:
        """Return the shopper's address."""
        return {self.name(key): value for key, value in self.shopper.address.items()}

    def delivery(self) -> Delivery:
        """Return the delivery: with the contact appended, as Listrak does."""
        contact = {"email": self.shopper.email, "phone": self.shopper.phone, "coupons": [self.shopper.coupon]}
        given = {name: self._fields[name] for name in CONTACT if name in self._fields}
        document = self.top | _written(self.name, CONTACT, contact | given)
        for path, value in self._set.items():
            put(document, path, value)
        return Delivery(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _check_names(builder: str, known: AbstractSet[str], fields: Mapping[str, Any]) -> None:
    if unknown := [name for name in fields if name not in known]:
        raise TypeError(
            f"{builder}() has no field {unknown[0]!r}; it has {', '.join(sorted(known))}, "
            "and set={'a.path': …} of a delivery writes any other"
        )
    for name in {"meta", "coupons"} & {*fields}:
        _arguments.sequence(name, fields[name])
    if len(fields.get("meta") or ()) > METAS:
        raise ValueError(f"meta has at most {METAS} values, meta1 to meta{METAS}")


def _written(name: Callable[[str], str], names: dict[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with `values`, by attribute, under the names that they are written with."""
    found = {
        name(written): plain(values[attribute], attribute)
        for attribute, written in names.items()
        if attribute in values
    }
    metas = {
        name(f"meta{number}"): plain(value, "meta") for number, value in enumerate(values.get("meta") or (), start=1)
    }
    return {key: value for key, value in found.items() if value is not None} | metas


def _line(goods: Goods, quantity: int, fields: dict[str, Any]) -> Line:
    """Return a line of some goods; what is in `fields` goes before."""
    _check_names("line", {*LINE, "meta"}, fields)
    sample = {
        "sku": goods.sku,
        "name": goods.name,
        "quantity": quantity,
        "price": goods.price,
        **_links(goods),
        "brand": goods.brand,
        "category": goods.category,
        "sub_category": goods.sub_category,
        "size": goods.size,
        "color": goods.color,
    }
    for name, value in fields.items():
        plain(value, name)
    values = sample | fields
    return Line({"total": _total(values)} | values)


def _links(goods: Goods) -> dict[str, str]:
    # Links are relative now and then.
    return {"image_url": f"{_IMAGES}/{goods.sku}.jpg", "link_url": f"/products/{goods.sku}"}


def _product(goods: Goods) -> dict[str, Any]:
    """Return a product by the names of the attributes."""
    return {
        "sku": goods.sku,
        "master_sku": goods.sku.split("-")[0],
        "name": goods.name,
        "description": goods.description,
        "price": goods.price,
        "msrp": goods.price,
        **_links(goods),
        "brand": goods.brand,
        "category": goods.category,
        "sub_category": goods.sub_category,
        "size": goods.size,
        "color": goods.color,
        "gender": goods.gender,
        "stock": 45,
        "on_sale": False,
        "in_stock": True,
        "discontinued": False,
    }


def _reduced(price: str) -> str:
    """Return a fifth less."""
    return f"{Decimal(price) * 4 / 5:.2f}"


def _number(value: Any) -> Decimal | None:
    """Return a finite number, or text that is one, exactly."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _total(fields: Mapping[str, Any]) -> str | None:
    """Return what a line costs, if that can be reckoned."""
    price = fields.get("price") if fields.get("sale_price") is None else fields["sale_price"]
    each, quantity = _number(price), _number(fields.get("quantity"))
    return None if each is None or quantity is None else f"{each * quantity:.2f}"


def _sum(lines: list[Any] | None) -> str | None:
    """Return what lines cost, if each of them says it."""
    totals = [_number(each.get("total")) if isinstance(each, Line) else None for each in lines or ()]
    return f"{sum((total for total in totals if total is not None), Decimal()):.2f}" if None not in totals else None


BUILDERS: dict[str, Callable[..., Delivery]] = {
    "cart": cart,
    "order": order,
    "product": product,
    "page": page,
    "alert": alert,
    "custom": custom,
}
"""The builders by the journeys that they are for."""
