"""What is said of a wrong argument: its name and what to pass, before anything is sent or written."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import flask
import pytest
from listrak_webhooks import testing
from listrak_webhooks.testing import Delivery, Sender, stop_clock
from support.deliveries import PATH
from support.helpers import NOW, SECRET, SENT, TIMESTAMP
from support.kit_builders import BUILDERS

if TYPE_CHECKING:
    from collections.abc import Callable

# They are given what type checkers would find.
cart: Any = testing.cart
order: Any = testing.order
product: Any = testing.product
page: Any = testing.page
alert: Any = testing.alert
custom: Any = testing.custom
line: Any = testing.line
client: Any = flask.Flask(__name__).test_client()
sender: Any = Sender(SECRET)
signed: Any = cart().signed(SECRET)
DELIVERY = "delivery must be a Delivery, such as cart() or Delivery(body=b'…'), not"
ORDER = "the call is send(client, delivery, path)"

CALLS: list[tuple[Callable[[], object], str]] = [
    (lambda: sender.send(client, {"a": 1}, "/l"), f"{DELIVERY} dict; {ORDER}"),
    (lambda: sender.send(client, b"{}", "/l"), f"{DELIVERY} bytes; {ORDER}"),
    (lambda: sender.send(client, None, "/l"), f"{DELIVERY} NoneType; {ORDER}"),
    (lambda: sender.send(client, cart, "/l"), f"{DELIVERY} function; {ORDER}"),
    (lambda: sender.send(client, "/l", cart()), f"{DELIVERY} str; {ORDER}"),
    (lambda: sender.send(cart(), client, "/l"), f"{DELIVERY} FlaskClient; {ORDER}"),
    (lambda: sender.send("/l", cart(), client), f"path must be a str, such as '/listrak', not FlaskClient; {ORDER}"),
    (lambda: sender.send(client, cart(), None), f"path must be a str, such as '/listrak', not NoneType; {ORDER}"),
    (lambda: sender.send(client, cart(), b"/l"), f"path must be a str, such as '/listrak', not bytes; {ORDER}"),
    (lambda: anyio.run(sender.asend, client, {"a": 1}, "/l"), f"{DELIVERY} dict; {ORDER}"),
    (lambda: anyio.run(sender.asend, client, "/l", cart()), f"{DELIVERY} str; {ORDER}"),
    (lambda: sender.signed({"a": 1}), f"{DELIVERY} dict"),
    (lambda: sender.check("/l", client), "path must be a str, such as '/listrak', not FlaskClient; the call is check("),
    (lambda: sender.check(client, order()), "path must be a str, such as '/listrak', not Delivery; the call is check("),
    (lambda: sender.check(client, PATH, delivery={"a": 1}), f"{DELIVERY} dict"),
    (lambda: sender.check(client, PATH, delivery=signed), f"{DELIVERY} SignedDelivery; it is signed here"),
    (lambda: anyio.run(sender.acheck, PATH, client), "the call is acheck(client, path)"),
    (lambda: signed.with_headers(["a"]), "headers must be a mapping, such as {'Content-Type': 'text/plain'}, not list"),
    (lambda: signed.with_headers([("a", "b")]), "headers must be a mapping"),
    (lambda: signed.with_headers({"a": 5}), "headers must have names and values that are str, not int"),
    (lambda: signed.with_headers({b"a": "5"}), "headers must have names and values that are str, not bytes"),
    (lambda: signed.without(5), "header must be the name of a header, not int"),
    (lambda: signed.stale("x"), "seconds must be an int of seconds, not str"),
    (lambda: signed.future(5.5), "seconds must be an int of seconds, not float"),
    (lambda: signed.event(SECRET), "webhook must be a Webhook, not str"),
    (lambda: Sender("s", now="x"), "now must be a time: Unix seconds or an aware datetime, not str"),  # type: ignore[arg-type]
    (lambda: Sender("s", now=float("nan")), "now must be a finite number of seconds"),
    (lambda: Sender("s", now=10**400), "now must be a finite number of seconds"),
    (lambda: Sender("s", now=dt.datetime(2026, 1, 1)), "now is a naive datetime"),  # noqa: DTZ001
]


def moved(name: str, value: Any) -> None:
    """Do something with a stopped clock."""
    with stop_clock(NOW) as clock:
        getattr(clock, name)(value)


def stopped(value: Any) -> None:
    """Stop the clock at a time."""
    with stop_clock(value):
        pass


CALLS += [
    (lambda: moved("move", "x"), "seconds must be a number of seconds, not str"),
    (lambda: moved("move", None), "seconds must be a number of seconds, not NoneType"),
    (lambda: moved("move", dt.timedelta(hours=1)), "seconds must be a number of seconds, not timedelta"),
    (lambda: moved("move", float("inf")), "seconds must be a finite number of seconds"),
    (lambda: moved("at", "x"), "timestamp must be a time: Unix seconds or an aware datetime, not str"),
    (lambda: stopped("x"), "timestamp must be a time: Unix seconds or an aware datetime, not str"),
]

NOT_OF_ALL: dict[str, tuple[Any, str]] = {
    "email": (b"x", "email must be something that JSON can hold, not bytes; decode it first"),
    "phone": ({1}, "phone must be something that JSON can hold, not set"),
    "coupons": ("ABC", "coupons must be a list, such as coupons=['x'], not str"),
    "set": ([("a", 1)], "set must be a mapping, such as set={'cart.meta1': 'x'}, not list"),
}

NOT_PATHS: list[tuple[Any, str]] = [
    ("x", "set must be a mapping"),
    ([], "set must be a mapping"),
    ({5: 1}, "set={5: …}: a path must be a str, not int"),
    ({"": 1}, "set={'': …}: the path has an empty name"),
    ({"cart..x": 1}, "set={'cart..x': …}: the path has an empty name"),
    ({".x": 1}, "set={'.x': …}: the path has an empty name"),
    ({"a": b"x"}, "set={'a': …} must be something that JSON can hold, not bytes"),
    ({"a": {"b": [object()]}}, "set={'a': …} must be something that JSON can hold, not object"),
    ({"a": {1: 2}}, "a key in set={'a': …} must be something that JSON can hold, not int"),
    ({"a": [float("inf")]}, "set={'a': …} must be a finite number, not inf"),
    ({"a": "\ud800"}, "set={'a': …} has half a character"),
]

FIELDS: list[tuple[Callable[[], object], str]] = [
    (lambda: cart(items=line()), "items must be a list, such as items=[line(…)], not Line"),
    (lambda: cart(items="abc"), "items must be a list, such as items=[line(…)], not str"),
    (lambda: order(items={"a": 1}), "items must be a list"),
    (lambda: order(items=5), "items must be a list, such as items=[line(…)], not int"),
    (lambda: cart(items=[line(), "abc"]), "items[1] must be a mapping, such as line(…), not str"),
    (lambda: cart(items=[{"price": float("nan")}]), "items must be a finite number, not nan"),
    (lambda: cart(total=float("nan")), "total must be a finite number, not nan"),
    (lambda: order(tax_total=Decimal("inf")), "tax_total must be a finite number, not Infinity"),
    (lambda: line(price=float("nan")), "price must be a finite number, not nan"),
    (lambda: line(name=b"x"), "name must be something that JSON can hold, not bytes"),
    (lambda: cart(meta="ab"), "meta must be a list, such as meta=['x'], not str"),
    (lambda: product(meta=5), "meta must be a list, such as meta=['x'], not int"),
    (lambda: page(data={1}), "data must be something that JSON can hold, not set"),
    (lambda: custom(points=b"x"), "points must be something that JSON can hold, not bytes"),
    (lambda: custom(points=float("nan")), "points must be a finite number, not nan"),
    (lambda: alert(alert_type=b"x"), "alert_type must be something that JSON can hold, not bytes"),
    *(
        ((lambda build=build, name=name, value=value: build(**{name: value})), message)
        for build in BUILDERS.values()
        for name, (value, message) in NOT_OF_ALL.items()
    ),
    *(
        ((lambda build=build, value=value: build(set=value)), message)
        for build in BUILDERS.values()
        for value, message in NOT_PATHS
    ),
]


@pytest.mark.parametrize(
    ("call", "message"), [*CALLS, *FIELDS], ids=lambda value: ascii(value)[:60] if isinstance(value, str) else ""
)
def test_a_wrong_argument_is_named(call: Callable[[], object], message: str) -> None:
    """A `TypeError` or a `ValueError` says what to pass, and has no other error as its context."""
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as caught:
        call()
    assert type(caught.value) in {TypeError, ValueError}
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_check_with_a_wrong_argument_sends_nothing() -> None:
    """It is no finding."""
    received: list[bytes] = []
    app = flask.Flask(__name__)

    @app.post(PATH)
    def view() -> str:
        received.append(flask.request.get_data())
        return ""

    with pytest.raises(TypeError):
        sender.check(app.test_client(), PATH, delivery={"a": 1})
    assert received == []


def test_a_sender_takes_an_aware_datetime() -> None:
    """As the marker and the clock do."""
    now = dt.datetime.fromtimestamp(NOW, dt.timezone.utc)
    assert Sender(SECRET, now=now).signed(cart()).headers[TIMESTAMP] == SENT
    assert Sender(SECRET, now=Decimal(NOW)).signed(cart()).headers[TIMESTAMP] == SENT  # type: ignore[arg-type]


def test_what_a_lazy_object_or_a_url_is_for_the_client_is_a_path() -> None:
    """Clients take more than a `str`: Django a `reverse_lazy`, httpx a URL."""
    import httpx

    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as opened:
        assert sender.send(opened, Delivery(b"{}"), httpx.URL(f"http://shop.example{PATH}")).status_code == 200
