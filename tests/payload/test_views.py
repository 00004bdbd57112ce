"""The views: what they find in a payload, and that nothing in one makes them fail."""

from __future__ import annotations

import decimal
import gc
import json
import random
import weakref
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from listrak_webhooks import Cart, LineItem, Order, Page, PayloadError, Product
from support.payloads import ATTRIBUTES, BODIES, SPELLINGS, event_of, spelled, views_of

VIEWS: list[Any] = [Cart, LineItem, Order, Page, Product]


class TestMadeUpBodies:
    """One of each kind, whose values are all known."""

    def test_a_cart(self) -> None:
        """An abandoned cart with one line, two coupons and both ways to reach the contact."""
        event = event_of(BODIES["cart"])
        cart = event.cart
        assert cart is not None
        assert (event.journey, event.email, event.phone) == ("cart", "jane@example.com", "17175559636")
        assert event.coupons == ("SAVE10-X1", "SHIPFREE")
        assert (cart.link, cart.total, cart.stage) == ("https://shop.example/cart?ltkcart=abc", Decimal("89.98"), None)
        assert cart.meta == ("b-123", None, None, None, None)
        [item] = event.items
        assert cart.items == event.items
        assert (item.sku, item.name, item.category) == ("9843723-red", "Women's Cabana Top", "Swimwear")
        assert (item.quantity, item.price) == (Decimal(2), Decimal("44.99"))
        assert (item.image_url, item.link_url) == ("https://img.example/a.jpg", "/tops/a")
        assert (event.order, event.product, event.page) == (None, None, None)

    def test_a_product(self) -> None:
        """A browsed product at the top level."""
        event = event_of(BODIES["product"])
        product = event.product
        assert product is not None
        assert (event.journey, event.email, event.phone) == ("product", "jane@example.com", None)
        assert (product.sku, product.name, product.category) == ("9843723-red", "Women's Cabana Top", "Swimwear")
        assert (product.price, product.sale_price) == (Decimal("24.99"), None)
        assert (event.cart, event.order, event.page, event.items) == (None, None, None, ())

    def test_a_page(self) -> None:
        """A browsed page, with JSON in a string and a phone number as an integer."""
        event = event_of(BODIES["page"])
        page = event.page
        assert page is not None
        assert (event.journey, event.email, event.phone) == ("page", None, "15558675309")
        assert (page.url, page.data) == ("/category/swimwear", {"season": "summer"})

    def test_an_order(self) -> None:
        """A purchase, whose number has a leading zero and whose date seven fractional digits."""
        event = event_of(BODIES["order"])
        order = event.order
        assert order is not None
        assert (event.journey, event.email, event.coupons) == ("order", "jane@example.com", ("SAVE10",))
        assert (order.number, order.status) == ("0531435151", "Completed")
        assert order.placed_at == datetime(2026, 4, 30, 11, 5, tzinfo=timezone.utc)
        assert (order.total, order.item_total, order.tax_total) == (Decimal(47), Decimal(50), None)
        assert (order.shipping_address, order.billing_address) == ({}, {})
        [item] = event.items
        assert (item.quantity, item.price) == (Decimal(4), Decimal(15))
        assert (item.sale_price, item.total) == (Decimal("12.5"), Decimal(50))
        assert (event.cart, event.product) == (None, None)

    def test_an_alert(self) -> None:
        """A price drop, with the product at the top level."""
        event = event_of(BODIES["alert"])
        product = event.product
        assert product is not None
        assert event.journey == "alert"
        assert (product.sku, product.price, product.stock) == ("9843723-red", Decimal("24.99"), Decimal(45))
        assert product.sale_price == Decimal("19.99")

    def test_a_body_that_is_none_of_them(self) -> None:
        """A marketer's own JSON still has its contact."""
        event = event_of(BODIES["custom"])
        assert (event.journey, event.email, event.items, event.coupons) == ("custom", "jane@example.com", (), ())
        assert [event.cart, event.order, event.product, event.page] == [None] * 4

    @pytest.mark.parametrize("kind", BODIES)
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_every_spelling_gives_the_same_views(self, kind: str, spelling: str) -> None:
        """Names match without regard to case, `_`, `-` and spaces."""
        other = event_of(spelled(BODIES[kind], SPELLINGS[spelling]))
        assert views_of(other) == views_of(event_of(BODIES[kind]))
        assert other.journey == kind


ODDITIES: list[Any] = [
    *[None, "", " ", 0, -1, 1.5, -0.0, 1e300, 10**40, True, False, [], {}, [[]], [None], {"a": None}, "x" * 300],
    *["1.0000", "1_000", "$5", "2026-04-30", "2026-13-45T99:00:00Z", "true", "{", "[1", '{"a":1}', "\ud800", "\0"],
]


def _mutate(value: Any, chance: random.Random) -> Any:
    """Return a JSON value with some of it replaced, removed or nested."""
    if chance.random() < 0.15:
        nested = [value, [value], {"items": value}, {"email": value}, {"code": value}, [value, value]]
        return chance.choice([*ODDITIES, *nested])
    if isinstance(value, dict):
        mutated = {key: _mutate(item, chance) for key, item in value.items() if chance.random() > 0.1}
        if chance.random() < 0.2:
            mutated[chance.choice([*value, "cart", "order", "product", "page", "items", "identifiers", ""])] = (
                chance.choice([value, [value], "text", 7])
            )
        return mutated
    return [_mutate(item, chance) for item in value] if isinstance(value, list) else value


def _with_duplicates(text: str, chance: random.Random) -> str:
    """Return the text of an object with one of its fields once more at the end, under the same name or another case."""
    if chance.random() < 0.7 or not text.startswith('{"'):
        return text
    key = chance.choice(["email", "EMAIL", "phone", "cart", "items", "coupons", "page", "sku"])
    return f'{text[:-1]},"{key}":{chance.choice(["null", "[]", "{}", "5", "1e400", json.dumps("x")])}}}'


class TestAnythingAtAll:
    """Nothing in a JSON object makes a view fail."""

    def test_ten_thousand_mutations(self) -> None:
        """Types swapped, nulls, nesting, duplicates: each view is of its type, and the payload is untouched."""
        chance = random.Random(20261124)  # noqa: S311 -- reproducible, not secret
        bodies = list(BODIES.values())
        for number in range(10_000):
            mutated = _mutate(chance.choice(bodies), chance)
            document = mutated if isinstance(mutated, dict) else {"value": mutated}
            body = _with_duplicates(json.dumps(document), chance).encode()
            event = event_of(body)
            try:
                views_of(event)
            except Exception as error:
                raise AssertionError(f"mutation {number}: {body!r}") from error
            assert event.payload == json.loads(body)

    @pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"1", b"null", b"{", b'{"a":NaN}', b"\xff", b"{}x"])
    def test_only_no_object_is_an_error(self, body: bytes) -> None:
        """And it is the same error in every view."""
        event = event_of(body)
        names = ["email", "phone", "coupons", "items", "cart", "order", "product", "page", "journey"]
        for name in names:
            with pytest.raises(PayloadError):
                getattr(event, name)

    def test_a_payload_that_the_user_has_bent(self) -> None:
        """Objects of any kind under any keys, the payload in itself too: what is not JSON is passed over."""
        event = event_of(BODIES["cart"])
        event.payload["cart"] = event.payload
        event.payload[5] = object()  # type: ignore[index]
        event.payload["items"] = [event.payload, 1, object(), {"sku": Decimal(5)}]
        views_of(event)

    def test_the_context_of_decimals_does_not_matter(self) -> None:
        """A user's own precision and traps change neither value nor outcome."""
        with decimal.localcontext(decimal.Context(prec=1, traps=[*decimal.Context().flags])):
            event = event_of(b'{"items":[{"price":44.99,"quantity":12345678901234567890.5,"total":"0.000001"}]}')
            [item] = event.items
        assert (item.price, item.total) == (Decimal("44.99"), Decimal("0.000001"))
        assert item.quantity == Decimal("12345678901234567890.5")


class TestTexts:
    """Ids, phones and all else that is a string."""

    @pytest.mark.parametrize(
        ("sent", "read"),
        [
            ('"0531435151"', "0531435151"),
            ('" 7 "', " 7 "),
            ("5", "5"),
            ("0", "0"),
            ("-0", "0"),
            ("15558675309", "15558675309"),
            ("15558675309.0", "15558675309"),
            ("8.5", "8.5"),
            ("1e2", "100"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("9" * 64, "9" * 64),
            ("9" * 65, None),
            ("9" * 4300, None),
            ("1e300", None),
            ("1e400", None),
            ("true", None),
            ("null", None),
            ('""', None),
            ("[]", None),
            ('{"a":1}', None),
            (r'"\ud800"', "\ud800"),
        ],
    )
    def test_a_text_is_as_sent(self, sent: str, read: str | None) -> None:
        """Strings stay, numbers become their digits, and nothing else is a text."""
        [item] = event_of(f'{{"items":[{{"sku":{sent}}}]}}'.encode()).items
        assert item.sku == read
        assert event_of(f'{{"phone":{sent}}}'.encode()).phone == read


class TestNumbers:
    """Money and quantities."""

    @pytest.mark.parametrize(
        ("sent", "read"),
        [
            ("44.99", "44.99"),
            ("2", "2"),
            ("-3", "-3"),
            ("0.1", "0.1"),
            ('"1.0000"', "1.0000"),
            ('"+5"', "5"),
            ('"-5.50"', "-5.50"),
            ("0.1234567890123456789", "0.1234567890123456789"),
            ("12345678901234567.89", "12345678901234567.89"),
            ("1e400", "1E+400"),
            ("15e-1", "1.5"),
            (str(2**70), str(2**70)),
            ('"1_000"', None),
            ('"$5"', None),
            ('"1,000"', None),
            ('" 5"', None),
            ('"5."', None),
            ('".5"', None),
            ('"1e5"', None),
            ('"NaN"', None),
            ('"Infinity"', None),
            ('"\u0661"', None),
            ('"--5"', None),
            ('""', None),
            ("true", None),
            ("[5]", None),
        ],
    )
    def test_a_number_is_exact(self, sent: str, read: str | None) -> None:
        """Every digit that was sent, of a number or of numeric text, and nothing else."""
        [item] = event_of(f'{{"items":[{{"price":{sent}}}]}}'.encode()).items
        assert str(item.price) == str(None if read is None else Decimal(read))

    def test_the_payload_keeps_its_floats(self) -> None:
        """Exact numbers in a view change nothing of what `json.loads` gives, and `raw` is the payload's own."""
        event = event_of(b'{"cart":{"total":0.1234567890123456789,"items":[{"price":1e400}]}}')
        cart = event.cart
        assert cart is not None
        assert cart.total == Decimal("0.1234567890123456789")
        assert cart.raw is event.payload["cart"]
        assert cart.items[0].raw is event.payload["cart"]["items"][0]
        assert type(event.payload["cart"]["total"]) is float

    @pytest.mark.parametrize(
        ("sent", "read"),
        [
            ("true", True),
            ("false", False),
            ('"True"', True),
            ('"FALSE"', False),
            ("1", None),
            ('"yes"', None),
            ("null", None),
        ],
    )
    def test_a_flag(self, sent: str, read: bool | None) -> None:  # noqa: FBT001
        """A JSON boolean or one of its two words."""
        product = event_of(f'{{"sku":"a","onSale":{sent}}}'.encode()).product
        assert product is not None
        assert product.on_sale is read


EAST = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2026-04-30T11:05:00.0000000+00:00", datetime(2026, 4, 30, 11, 5, tzinfo=timezone.utc)),
        ("2026-04-30T11:05:00.1234567Z", datetime(2026, 4, 30, 11, 5, 0, 123456, tzinfo=timezone.utc)),
        ("2026-04-30T11:05:00.5-05:00", datetime(2026, 4, 30, 11, 5, 0, 500000, tzinfo=EAST)),
        ("2026-04-30T11:05:00", datetime(2026, 4, 30, 11, 5)),  # noqa: DTZ001
        ("2026-04-30 11:05:00", datetime(2026, 4, 30, 11, 5)),  # noqa: DTZ001
        ("2026-04-30", datetime(2026, 4, 30)),  # noqa: DTZ001
        ("0000-01-01", None),
        ("2026-02-30", None),
        ("2026-04-30T25:00:00", None),
        ("4/30/2026", None),
        ("1700000000", None),
        ("yesterday", None),
    ],
)
def test_a_date(sent: str, read: datetime | None) -> None:
    """Aware where the text has a zone, naive otherwise, midnight where there is no time."""
    order = event_of({"orderNumber": "1", "dateEntered": sent}).order
    assert order is not None
    assert order.placed_at == read
    assert read is None or (order.placed_at is not None and order.placed_at.tzinfo == read.tzinfo)


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        ({"coupon": "A"}, ["A"]),
        ({"coupons": ["A", None, "", "B"]}, ["A", "B"]),
        ({"couponCodes": [{"code": "A"}, {"couponCode": "B"}, {"other": "C"}]}, ["A", "B"]),
        ({"coupon10": "C", "coupon2": "B", "Coupon_1": "A"}, ["A", "B", "C"]),
        ({"couponCode": 123}, ["123"]),
        ({"coupons": [], "couponCode": "A"}, ["A"]),
        ({"coupons": [None], "coupon1": "A"}, ["A"]),
        ({"order": {"couponCode": "A"}}, ["A"]),
        ({"coupons": {"code": "A"}}, ["A"]),
        ({"coupons": True, "couponCount": 5, "coupon+1": "A"}, []),
    ],
)
def test_coupons(document: dict[str, Any], codes: list[str]) -> None:
    """In every shape that they may come in."""
    assert event_of(document).coupons == tuple(codes)


class TestWhere:
    """Which part of a payload is what."""

    def test_lines_of_a_cart_come_before_those_of_an_order_and_of_the_top(self) -> None:
        """And each stays its own."""
        document = {"items": [{"sku": "t"}], "order": {"items": [{"sku": "o"}]}, "cart": {"items": [{"sku": "c"}]}}
        assert event_of(document).items[0].sku == "c"
        del document["cart"]
        assert event_of(document).items[0].sku == "o"
        del document["order"]
        assert event_of(document).items[0].sku == "t"

    def test_lines_at_the_top_alone_are_a_cart(self) -> None:
        """An order has more to tell."""
        event = event_of({"items": [{"sku": "a"}, None, 5, {"sku": "b"}], "total": "5"})
        assert event.journey == "cart"
        assert event.cart is not None
        assert (event.cart.total, [item.sku for item in event.cart.items]) == (Decimal(5), ["a", "b"])
        assert event.cart.raw is event.payload

    def test_a_cart_may_have_an_orders_number(self) -> None:
        """Its link says what it is."""
        event = event_of({"cartLink": "/c", "orderNumber": "1"})
        assert (event.journey, event.order) == ("cart", None)

    def test_objects_of_their_own(self) -> None:
        """Each under its name, all in one payload."""
        document = {
            "cart": {"link": "l"},
            "order": {"number": 7, "shippingAddress": {"City": "x"}},
            "product": {"id": 5},
            "page": {"url": "/u", "data": "[1,2]"},
        }
        event = event_of(document)
        assert event.cart is not None
        assert event.order is not None
        assert event.product is not None
        assert event.page is not None
        assert (event.cart.link, event.order.number, event.product.sku) == ("l", "7", "5")
        assert (event.page.url, event.page.data) == ("/u", [1, 2])
        assert event.order.shipping_address is event.payload["order"]["shippingAddress"]
        assert event.page.raw is event.payload["page"]

    @pytest.mark.parametrize(
        ("sent", "read"), [("{", "{"), ("text", "text"), ('{"a":1}', {"a": 1}), ("", None), (None, None), ([1], [1])]
    )
    def test_data_of_a_page(self, sent: Any, read: Any) -> None:
        """Opened where it is JSON, and as it was sent where it is not."""
        page = event_of({"url": "/", "data": sent}).page
        assert page is not None
        assert page.data == read


class TestObjects:
    """What the views are as Python objects."""

    def test_every_attribute_is_documented_and_no_other_is_there(self) -> None:
        """The table of these tests is that of the classes."""
        for view in VIEWS:
            public = {name for name in dir(view) if not name.startswith("_")}
            assert public == {*ATTRIBUTES[view], "raw"}
            assert all(getattr(view, name).__doc__ for name in public)
            assert view.__doc__

    def test_frozen_unhashable_and_made_by_nobody(self) -> None:
        """They are what was read, and nothing else."""
        [item] = event_of(BODIES["cart"]).items
        with pytest.raises(AttributeError):
            item.sku = "x"  # type: ignore[misc]
        with pytest.raises(TypeError):
            hash(item)
        for view in VIEWS:
            with pytest.raises(TypeError):
                view()

    def test_a_repr_has_no_values(self) -> None:
        """Names of attributes alone."""
        event = event_of(BODIES["cart"])
        assert repr(event.cart) == "Cart(link=..., total=..., items=..., meta=...)"
        texts = repr([event.items, event.cart]) + repr(event_of(BODIES["order"]).order)
        for value in ["9843723", "Cabana", "shop.example", "89.98", "0531435151"]:
            assert value not in texts

    def test_equal_by_attributes(self) -> None:
        """Whatever the names were, and never to another kind."""
        one, other = event_of(BODIES["cart"]), event_of(spelled(BODIES["cart"], SPELLINGS["PascalCase"]))
        assert one.cart == other.cart
        assert one.cart is not None
        assert other.cart is not None
        assert one.cart.raw != other.cart.raw
        assert one.cart != event_of({"cart": {"link": "x"}}).cart
        assert one.cart != one.items[0]

    def test_many_empty_lines(self) -> None:
        """Many empty objects in a cart are as many lines, each with nothing in it, and those between are their own."""
        event = event_of({"items": [{}] * 1500 + [{"sku": "A1"}] + [{}] * 1500})
        assert len(event.items) == 3001
        assert event.items[1500].sku == "A1"
        assert {(line.sku, line.price, str(line.raw)) for line in event.items[:1500] + event.items[1501:]} == {
            (None, None, "{}")
        }

    def test_kept(self) -> None:
        """The same object at every access, made from the payload as it was at the first."""
        event = event_of(BODIES["cart"])
        cart = event.cart
        event.payload["cart"]["total"] = 5
        assert event.cart is cart
        assert cart is not None
        assert cart.total == Decimal("89.98")
        assert event.items is event.items

    def test_a_cycle_through_a_view_is_collected(self) -> None:
        """The payload is the user's to change, and the views are in on it."""

        class Witness:
            pass

        witness = Witness()
        gone = weakref.ref(witness)
        event = event_of(BODIES["cart"] | {"page": {"url": "/", "data": '{"a":1}'}})
        assert event.page is not None
        event.page.data["witness"] = [witness, event.page, event.items, event.cart, event]
        event.payload["page"]["it"] = event
        del event, witness
        gc.collect()
        assert gone() is None
