"""The builders: believable deliveries, and what their keywords change."""

from __future__ import annotations

import json
import re
import traceback
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listrak_webhooks import (
    ConfigurationError,
    Event,
    FutureTimestampError,
    MissingHeaderError,
    SignatureMismatchError,
    StaleTimestampError,
    Webhook,
    testing,
)
from listrak_webhooks.testing import Delivery, SignedDelivery, alert, cart, custom, line, order, page, product
from support.helpers import NOW, SECRET, SENT, SIGNATURE, TIMESTAMP, headers_for
from support.kit_builders import BUILDERS

if TYPE_CHECKING:
    from collections.abc import Callable

STYLES: list[Any] = ["camel", "pascal", "snake", "lower"]
every_builder = pytest.mark.parametrize("journey", BUILDERS)


def event_of(delivery: Delivery) -> Event:
    """Return the event in a delivery, verified by the core with a signature of the standard library."""
    return Webhook(SECRET).verify(delivery.body, headers_for(delivery.body), now=NOW)


def payload_of(delivery: Delivery) -> dict[str, Any]:
    """Return the JSON object in a delivery."""
    payload: dict[str, Any] = json.loads(delivery.body)
    return payload


def attributes_of(view: Any) -> dict[str, Any]:
    """Return what a view says, by attribute."""
    names = [name for name in dir(view) if not name.startswith("_") and name not in {"raw", "meta"}]
    return {name: getattr(view, name) for name in names}


@every_builder
@pytest.mark.parametrize("style", STYLES)
def test_a_delivery_is_of_the_journey_that_its_builder_is_called_by(journey: str, style: Any) -> None:
    """The views find the contact and the shape in every style of names."""
    event = event_of(BUILDERS[journey](style=style))
    assert event.journey == journey
    assert (event.email, event.phone) == ("jane@example.com", "17175550136")
    assert event.coupons == (() if journey == "custom" else ("SAVE10-5F0C2A",))


@every_builder
def test_without_a_seed_a_delivery_is_always_the_same(journey: str) -> None:
    """A seed makes another one, which is the same each time too."""
    build = BUILDERS[journey]
    assert build() == build()
    assert build(seed=1) == build(seed=1) != build()
    assert len({build(seed=seed).body for seed in range(300)}) == 300


@given(seed=st.one_of(st.integers(), st.text()))
def test_nobody_real_is_written_to(seed: int | str) -> None:
    """Each address is in a domain, and each phone number in a range, that is reserved for examples."""
    for build in BUILDERS.values():
        text = build(seed=seed).body.decode()
        assert re.findall(r"[^\"@]+@([^\"]+)", text)
        assert {*re.findall(r"@([^\"]+)", text)} <= {"example.com", "example.org", "example.net"}
        assert {*re.findall(r"https?://([^/\"]+)", text)} <= {"shop.example", "img.example"}
        assert re.search(r"\"phone\":\"1\d{3}55501\d\d\"", text)


@pytest.mark.parametrize("style", STYLES)
def test_every_attribute_of_a_view_is_in_the_sample(style: Any) -> None:
    """Apart from what few deliveries have: a reduced price, a style of its own, a parcel."""
    rare = {"sale_price", "style", "tracking_number"}
    event = event_of(cart(style=style))
    views: list[object] = [
        event.cart,
        *event.items,
        event_of(order(style=style)).order,
        event_of(product(style=style)).product,
    ]
    for view in [*views, event_of(page(style=style)).page]:
        missing = {name for name, value in attributes_of(view).items() if value is None}
        assert missing <= rare, type(view)
    product_alert = event_of(alert(style=style)).product
    assert product_alert is not None
    assert product_alert.sale_price == Decimal("35.99")


def test_the_totals_are_those_of_the_lines() -> None:
    """A reduced price counts instead of the price, and what cannot be reckoned is left out."""
    lines = [line(price="9.99", quantity=2), line(price="5", sale_price="4.50", quantity=2)]
    left = event_of(cart(items=lines)).cart
    assert left is not None
    assert left.total == Decimal("28.98")
    assert [each.total for each in left.items] == [Decimal("19.98"), Decimal("9.00")]
    placed = event_of(order(items=lines)).order
    assert placed is not None
    assert (placed.item_total, placed.total) == (Decimal("28.98"), Decimal("38.53"))
    assert "total" not in payload_of(cart(items=[line(price="a lot")]))["cart"]
    assert "total" not in payload_of(cart(items=[{"sku": "A-1"}]))["cart"]
    assert payload_of(cart(items=[]))["cart"]["total"] == "0.00"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("journey", [journey for journey in BUILDERS if journey != "custom"])
def test_each_keyword_is_read_by_the_attribute_of_its_name(journey: str, style: Any) -> None:
    """What a builder is given comes out of the view, whatever the style of the names."""

    def view_with(**fields: Any) -> dict[str, Any]:
        view = getattr(event_of(BUILDERS[journey](style=style, **fields)), "product" if journey == "alert" else journey)
        return {} if view is None else attributes_of(view)

    for name in {*view_with()} - {"items", "style"}:
        value: Any = {"placed_at": "2026-01-02T03:04:05", "data": {"a": 1}}.get(name, "77")
        value = True if name in {"on_sale", "in_stock", "discontinued"} else value
        value = {"city": "Lititz"} if name.endswith("address") else value
        assert str(view_with(**{name: value})[name]).replace(" ", "T") == str(value).replace(" ", "T"), name
        assert not view_with(**{name: None}).get(name), name


def test_the_keys_of_a_custom_delivery_are_its_own() -> None:
    """They are written as they are, beside the contact, whatever the style of the names."""
    payload = payload_of(custom(style="pascal", my_points=7, campaign=None, phone=None))
    assert payload == {"template": 7, "my_points": 7, "Email": "jane@example.com"}


def test_none_leaves_a_field_out() -> None:
    """The contact, the lines and an alert's kind too."""
    payload = payload_of(cart(email=None, phone=None, coupons=None, items=None, link=None))
    assert [*payload] == ["cart"]
    assert "items" not in payload["cart"]
    assert "link" not in payload["cart"]
    assert "alertType" not in payload_of(alert(alert_type=None))


def test_meta_fields_are_numbered_from_one() -> None:
    """A null stays a null, so that the next ones keep their numbers."""
    event = event_of(cart(meta=["x", None, "z"], items=[line(meta=("a",))]))
    assert event.cart is not None
    assert event.cart.meta == ("x", None, "z", None, None)
    assert event.items[0].meta[0] == "a"
    assert payload_of(cart(meta=["x", None]))["cart"]["meta2"] is None


def test_set_writes_anything_anywhere() -> None:
    """Names are found as the views find them, objects are made on the way, and lists are entered by number."""
    changes = {"cart.meta1": "x", "CART.Items.0.image_url": None, "a.b.c": [1, Decimal("2.50")], "email": 7}
    payload = payload_of(cart(set=changes, style="pascal"))
    assert payload["Cart"]["Meta1"] == "x"
    assert payload["Cart"]["Items"][0]["ImageUrl"] is None
    assert payload["a"] == {"b": {"c": [1, "2.50"]}}
    assert payload["Email"] == 7
    assert payload_of(product(set={"style": "boho"}))["style"] == "boho"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: cart(set={"email.name": 1}), "what is before 'name' is neither an object nor a list"),
        (lambda: cart(set={"cart.items.9.sku": 1}), "'9' is not the number of an entry; there are 2"),
        (lambda: cart(set={"cart.items.sku": 1}), "'sku' is not the number of an entry"),
        (lambda: BUILDERS["product"](style="boho"), "set={'style': …}"),
        (lambda: cart(meta=["x"] * 6), "meta has at most 5 values"),
        (lambda: line(meta=range(6)), "meta has at most 5 values"),
    ],
)
def test_what_a_builder_cannot_do_is_a_value_error(build: Callable[[], object], message: str) -> None:
    """The message says where it went wrong."""
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


@pytest.mark.parametrize("build", [cart, order, product, page, alert, line])
def test_an_unknown_field_is_a_type_error_with_the_known_ones(build: Any) -> None:
    """A slip of the pen does not pass for a field."""
    with pytest.raises(TypeError, match=r"has no field 'totl'; it has .*set=") as caught:
        build(totl="1")
    assert build.__name__ in str(caught.value)


def test_own_lines_are_written_as_they_are() -> None:
    """A dict is not a `line`: its names keep their style."""
    assert payload_of(cart(items=[{"my_sku": 1}], style="pascal"))["Cart"]["Items"] == [{"my_sku": 1}]


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_a_signed_delivery_is_genuine(encoding: Any) -> None:
    """The standard library computes the same signature."""
    signed = cart().signed(SECRET, NOW, encoding)
    expected = headers_for(signed.body)
    if encoding == "base64":
        assert signed.headers == expected
    assert signed.event().encoding == encoding
    assert (signed.event().timestamp, signed.timestamp, signed.headers[TIMESTAMP]) == (NOW, NOW, SENT)


def test_a_delivery_is_signed_for_now_unless_it_is_told_when() -> None:
    """A webhook takes it at once; the first of several secrets signs."""
    signed = cart().signed([SECRET, "the old one"])
    assert Webhook(SECRET).verify(signed.body, signed.headers) == signed.event()


def test_the_event_of_any_body_can_be_had() -> None:
    """A body over the default limit, an empty one, and one that is not JSON are signed as any other."""
    for body in (b"", b"\0\xff", b" " * (5 * 1024 * 1024)):
        assert Delivery(body=body).signed(SECRET, NOW).event().body == body
    webhook = Webhook(SECRET, aliases={"email": ["shopper_mail"]})
    assert custom(email=None, shopper_mail="a@example.com").signed(SECRET).event(webhook).email == "a@example.com"


def rejection_of(signed: SignedDelivery) -> type[Exception]:
    """Return the class of what a webhook raises for a delivery."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the caller compares it
        Webhook(SECRET).verify(signed.body, signed.headers, now=NOW)
    return caught.type


def test_each_fault_is_rejected_for_its_own_reason() -> None:
    """And the delivery that it was made of stays as it was."""
    signed = cart().signed(SECRET, NOW)
    before = (signed.body, dict(signed.headers))
    faults: list[tuple[Callable[[], SignedDelivery], type[Exception]]] = [
        (signed.forged, SignatureMismatchError),
        (signed.stale, StaleTimestampError),
        (signed.future, FutureTimestampError),
        (signed.bit_flipped, SignatureMismatchError),
        (signed.reserialized, SignatureMismatchError),
        (lambda: signed.without("ltk-timestamp"), MissingHeaderError),
        (lambda: signed.without(SIGNATURE), MissingHeaderError),
        (lambda: signed.forged().stale(), SignatureMismatchError),
        (lambda: signed.without(SIGNATURE).stale(), MissingHeaderError),
    ]
    for fault, error in faults:
        assert rejection_of(fault()) is error
    signed.bit_flipped().headers.clear()
    assert (signed.body, signed.headers) == before
    assert signed.stale(900).headers[TIMESTAMP] == str(NOW - 900)
    assert signed.future(seconds=900).headers[TIMESTAMP] == str(NOW + 900)


def test_a_forgery_is_one_under_every_secret() -> None:
    """Also under the secret that forges."""
    signed = cart().signed(SECRET, NOW)
    forger = signed.forged()._signer
    again = cart().signed(forger, NOW)
    assert again.forged().headers != again.headers
    assert signed.forged().forged().headers != signed.headers


@pytest.mark.parametrize("body", [b"{}", b"1", b'{"a": 1}', b'{"a":1}', '{"a":"é"}'.encode(), b"[]"])
def test_a_document_that_is_serialized_again_has_other_bytes_and_the_same_meaning(body: bytes) -> None:
    """However it was written before."""
    again = Delivery(body).signed(SECRET).reserialized()
    assert again.body != body
    assert json.loads(again.body) == json.loads(body)


def test_headers_are_replaced_in_any_case() -> None:
    """`without` takes a name in any case too, and one that is not there is a mistake."""
    signed = cart().signed(SECRET, NOW).with_headers({"ltk-timestamp": "1", "X-Other": "2"})
    assert [*signed.headers] == [SIGNATURE, "ltk-timestamp", "X-Other"]
    assert [*signed.without("x-other").headers] == [SIGNATURE, "ltk-timestamp"]
    with pytest.raises(ValueError, match="the delivery has no header 'X-Othr'"):
        signed.without("X-Othr")


def test_what_cannot_be_spoiled_says_so_without_its_body() -> None:
    """Neither the message nor a cause shows the body."""
    private = Delivery(b"jane@example.com").signed(SECRET)
    with pytest.raises(ValueError, match="the body is not JSON") as caught:
        private.reserialized()
    assert "jane" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ValueError, match="an empty body has no bit to flip"):
        Delivery(b"").signed(SECRET).bit_flipped()


def test_a_repr_shows_neither_body_nor_signature_nor_secret() -> None:
    """It may be printed in the log of a test run."""
    signed = custom(email="jane@example.com").signed(SECRET, NOW)
    text = f"{signed!r} {signed.forged()!r} {custom()!r}"
    for private in ("jane", SECRET, signed.headers[SIGNATURE], signed.headers[SIGNATURE][:12]):
        assert private not in text
    assert repr(Delivery(b"{}").signed(SECRET, NOW)) == (
        f"SignedDelivery(timestamp={NOW}, body=<2 bytes>, headers=<{TIMESTAMP}, {SIGNATURE}>)"
    )


def test_what_cannot_be_a_delivery_is_rejected_when_it_is_made() -> None:
    """A `str` has no bytes of its own, and a blank secret signs nothing."""
    with pytest.raises(TypeError, match="a delivery's body is bytes, not str"):
        Delivery("{}")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        cart().signed(" ")


def test_every_public_name_is_there() -> None:
    """The face has what the contract names."""
    assert {"Delivery", "SignedDelivery", "alert", "cart", "custom", "line", "order", "page", "product"} <= {
        *testing.__all__
    }
    assert all(hasattr(testing, name) for name in testing.__all__)
