# Generated from the Rust source by `make stub`; edit that.
"""
What `import listrak_webhooks._core` finds.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, final

from listrak_webhooks._types import (
    AcceptedEncoding,
    Aliases,
    Clock,
    Headers,
    Journey,
    Secrets,
    SigningEncoding,
    SigningTime,
    T,
    Tolerance,
)

__all__ = [
    "DEFAULT_LEASE",
    "DEFAULT_TOLERANCE",
    "FAILS_IN_TEST",
    "LARGE_BODY",
    "MARGIN",
    "MAX_INT_DIGITS",
    "MAX_TOLERANCE",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Cart",
    "Cause",
    "Event",
    "Explanation",
    "LineItem",
    "MemoryClaim",
    "MemoryReplayGuard",
    "Order",
    "Page",
    "Product",
    "Webhook",
    "__version__",
    "_freeze_clock",
    "_frozen_clock",
    "_now",
    "built_in_aliases",
    "sign",
    "verify",
]

DEFAULT_LEASE: Final[float]
"""
How many seconds a claim lasts unless a replay guard is told otherwise.
"""

DEFAULT_TOLERANCE: Final[int]
"""
How many seconds a `Webhook` tolerates unless it is told otherwise.
"""

FAILS_IN_TEST: Final[str]
"""
What a guard says whose store a test has made fail.
"""

LARGE_BODY: Final[int]
"""
From how many bytes on other threads may run while a body is worked on.
"""

MARGIN: Final[int]
"""
How many seconds an entry of a replay guard lives beyond what the tolerance asks for.
"""

MAX_INT_DIGITS: Final[int]
"""
The most digits of an integer in a payload.
"""

MAX_TOLERANCE: Final[int]
"""
The most seconds that can be tolerated: a year of 365 days.
"""

SIGNATURE_HEADER: Final[str]
"""
The name of the header with the MAC.
"""

TIMESTAMP_HEADER: Final[str]
"""
The name of the header with the sender's Unix seconds.
"""

__version__: Final[str]
"""
The version of the package, which is written in `Cargo.toml` alone.
"""

@final
class Cart:
    """
    A cart that was left: the object `cart`, or its fields at the top level.

    Best effort, as `LineItem`.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def items(self, /) -> tuple[LineItem, ...]:
        """
        Its lines.
        """
    @property
    def link(self, /) -> str | None:
        """
        The address that brings the cart back, as sent.
        """
    @property
    def meta(self, /) -> tuple[str | None, ...]:
        """
        `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        """
    @property
    def raw(self, /) -> dict[str, Any]:
        """
        What this was read from: the dict in `event.payload`, with everything that the view leaves out.
        """
    @property
    def source(self, /) -> str | None:
        """
        Where the cart was filled.
        """
    @property
    def stage(self, /) -> str | None:
        """
        How far the shopper came.
        """
    @property
    def total(self, /) -> Decimal | None:
        """
        What it costs, exact.
        """

@final
class Cause:
    """
    One thing that can have happened to a delivery.

    Example:
        >>> webhook = Webhook("the HMAC secret")
        >>> headers = webhook.signed_headers(b"{}")
        >>> webhook.explain(b"{}\\n", headers).causes
        (Cause(name='newline_added', proven=True),)
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def advice(self, /) -> str:
        """
        What to do, and where.
        """
    @property
    def name(self, /) -> str:
        """
        What it is called, such as `"body_reserialized"`; the page on debugging a signature has all names.
        """
    @property
    def proven(self, /) -> bool:
        """
        Whether the signature matches with this one change undone, so that it is not a guess.
        """
    @property
    def summary(self, /) -> str:
        """
        What happened.
        """

@final
class Event:
    """
    A delivery that is proven genuine.

    Only `verify` makes one. It is immutable, hashable and equal by `id`; its `repr` shows no personal data.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> webhook = Webhook("the HMAC secret")
        >>> body = b'{"campaign": "vip-mailer"}'
        >>> event = webhook.verify(body, webhook.signed_headers(body))
        >>> event.payload
        {'campaign': 'vip-mailer'}
    """
    def __eq__(self, other: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, /, source: Any, handler: Any) -> Any:
        """
        What Pydantic asks a class about itself: that FastAPI cannot make an event out of a request is said there.
        """
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> tuple[Any, tuple[dict[str, Any]]]: ...
    def __repr__(self, /) -> str: ...
    @property
    def body(self, /) -> bytes:
        """
        The raw body, byte for byte as it was received.
        """
    @property
    def cart(self, /) -> Cart | None:
        """
        The cart that was left, or `None`.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def coupons(self, /) -> tuple[str, ...]:
        """
        The coupon codes, in the order in which they came.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def email(self, /) -> str | None:
        """
        The contact's email address, or `None`: a best effort, like all the views.

        Listrak documents that it appends the address if it knows it, and not under which name. Reading it does not
        build the payload: one pass over the bytes finds it and `phone`.

        Raises:
            PayloadError: the body is not a JSON object; nothing else in a body can make a view fail.
        """
    @property
    def encoding(self, /) -> SigningEncoding:
        """
        How the signature header was written: `"base64"` or `"hex"`.
        """
    @property
    def expires_at(self, /) -> int:
        """
        The last second, in Unix seconds, at which this delivery can still pass the time window.
        """
    @classmethod
    def from_dict(cls, /, data: dict[str, Any]) -> Event:
        """
        Return the event that `to_dict` was called on.

        Nothing is verified again: pass only what comes from a queue of your own that nobody else can write to.

        Raises:
            ValueError: it is not what `to_dict` returns in this version.
        """
    @property
    def id(self, /) -> str:
        """
        The delivery's identity: its MAC in lower-case hex, whatever the header's spelling was.

        Listrak sends no delivery id; header text is not an identity, because one MAC has several spellings. The MAC is the
        signature too: with the body and the timestamp, the id is enough to send the delivery again while it can pass the
        time window. So keep it among your own systems, and give `public_id` to others.
        """
    @property
    def items(self, /) -> tuple[LineItem, ...]:
        """
        The lines of the cart or the order, else those at the top level.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def journey(self, /) -> Journey:
        """
        What set the journey off: `"cart"`, `"order"`, `"product"`, `"page"`, `"alert"` or `"custom"`.

        A guess from the shape of the payload and no more: nothing that Listrak documents says it. Where it matters, let
        the marketer write a field of your own into the webhook's JSON.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def order(self, /) -> Order | None:
        """
        The order that was placed, or `None`.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def page(self, /) -> Page | None:
        """
        The page that was browsed, or `None`.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    def parse_as(self, model: type[T], /) -> T:
        """
        Read the body as a type of your own: a Pydantic model or anything that its `TypeAdapter` takes, a msgspec
        `Struct`, a dataclass or a `TypedDict`.

        The library reads the verified bytes directly: msgspec for its own `Struct`s, Pydantic for all else, and msgspec
        where Pydantic is not installed.

        Args:
            model: the type.

        Raises:
            PayloadError: the body is not JSON, or does not fit. The message and `problems` tell where and what was
                expected, and none of the values.
            ImportError: the library that the type needs is not installed, or too old.
            TypeError: neither library can read such a type.

        Example:
            >>> from typing import TypedDict
            >>> from listrak_webhooks import Webhook
            >>> class Mail(TypedDict):
            ...     campaign: str
            >>> webhook = Webhook("the HMAC secret")
            >>> body = b'{"campaign": "vip-mailer"}'
            >>> webhook.verify(body, webhook.signed_headers(body)).parse_as(Mail)
            {'campaign': 'vip-mailer'}
        """
    @property
    def payload(self, /) -> dict[str, Any]:
        """
        The JSON object in the body, built on first use and then kept.

        It is what `json.loads` gives: integers exact, up to 4,300 digits; floats to the bit; the last of duplicate
        keys. A byte order mark in front is passed over. What RFC 8259 forbids, such as NaN or trailing data, is an
        error, and so is nesting deeper than 201 levels, the outermost object being the first and a number or a string
        counting as one.

        Raises:
            PayloadError: the body is not a JSON object; `body` still holds it.
        """
    @property
    def phone(self, /) -> str | None:
        """
        The contact's phone number as sent, or the digits of an integer, or `None`; found together with `email`.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def product(self, /) -> Product | None:
        """
        The product that was browsed or that an alert is about, or `None`.

        Raises:
            PayloadError: the body is not a JSON object.
        """
    @property
    def public_id(self, /) -> str:
        """
        An identity to give to others, such as an analytics service or a support ticket: 64 hexadecimal digits.

        It is the SHA-256 of the 32 bytes of the MAC: the same for the same delivery, and no way back to `id`, which is
        the signature and must stay among your own systems.
        """
    @property
    def secret_index(self, /) -> int:
        """
        Which of the webhook's secrets matched: 0 is the current one.
        """
    @property
    def sent_at(self, /) -> datetime:
        """
        The sender's time, as an aware `datetime` in UTC.
        """
    @property
    def timestamp(self, /) -> int:
        """
        The sender's time, in Unix seconds.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """
        Return everything that makes this event, in plain JSON types, to travel through a task queue.

        It holds the body (in base64) and the id, and no secret. What was changed in `payload` stays behind.

        Example:
            >>> from listrak_webhooks import Event, Webhook
            >>> webhook = Webhook("the HMAC secret")
            >>> event = webhook.verify(b"{}", webhook.signed_headers(b"{}"))
            >>> Event.from_dict(event.to_dict()) == event
            True
        """

@final
class Explanation:
    """
    What `Webhook.explain` knows of a delivery.

    Nothing in it is secret or personal: no value of the body, no secret, no MAC. It is for people and logs, and not for an
    HTTP response.

    Example:
        >>> webhook = Webhook("the HMAC secret")
        >>> explanation = webhook.explain(b'{"a": 1}', webhook.signed_headers(b'{"a":1}'))
        >>> explanation.code, explanation.causes[0].name, explanation.facts["is_json"]
        ('signature_mismatch', 'body_reserialized', True)
    """
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...
    @property
    def causes(self, /) -> tuple[Cause, ...]:
        """
        What can have happened, the likeliest first; empty for a genuine delivery and for one of which nothing is known.
        """
    @property
    def code(self, /) -> str | None:
        """
        The code that `verify` rejects the delivery with; `None` if it is genuine and timely.
        """
    @property
    def facts(self, /) -> dict[str, str | int | bool]:
        """
        Harmless facts, by name; what is not there or not known is left out.
        """
    @property
    def genuine(self, /) -> bool:
        """
        Whether `verify` accepts the delivery.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """
        Return the attributes by their names, in plain JSON types.
        """

@final
class LineItem:
    """
    One line of a cart or an order.

    Best effort: Listrak publishes no schema, so each attribute is what the payload has under one of the names that are likely
    for it, and `None` where there is nothing of its type. Equal if all attributes are, whatever `raw` holds.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def brand(self, /) -> str | None:
        """
        The brand.
        """
    @property
    def category(self, /) -> str | None:
        """
        The category.
        """
    @property
    def color(self, /) -> str | None:
        """
        The color.
        """
    @property
    def image_url(self, /) -> str | None:
        """
        Where its picture is, as sent: a whole URL or a path.
        """
    @property
    def link_url(self, /) -> str | None:
        """
        Where its page is, as sent: a whole URL or a path.
        """
    @property
    def meta(self, /) -> tuple[str | None, ...]:
        """
        `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        """
    @property
    def name(self, /) -> str | None:
        """
        The product's name or title.
        """
    @property
    def price(self, /) -> Decimal | None:
        """
        The price of one, exact.
        """
    @property
    def quantity(self, /) -> Decimal | None:
        """
        How many; exact, of a number or a numeric string such as `"1.0000"`.
        """
    @property
    def raw(self, /) -> dict[str, Any]:
        """
        What this was read from: the dict in `event.payload`, with everything that the view leaves out.
        """
    @property
    def sale_price(self, /) -> Decimal | None:
        """
        The reduced price of one, exact.
        """
    @property
    def size(self, /) -> str | None:
        """
        The size, as text also where it is a number.
        """
    @property
    def sku(self, /) -> str | None:
        """
        The stock keeping unit, as sent; the digits where it is a number.
        """
    @property
    def sub_category(self, /) -> str | None:
        """
        The category within that.
        """
    @property
    def total(self, /) -> Decimal | None:
        """
        The price of all of them, exact.
        """

@final
class MemoryClaim:
    """
    The handling of one delivery: a context, for `with` and for `async with`, that is entered once.
    """
    def __aenter__(self, /) -> Awaitable[bool]:
        """
        Do what `with` does, for `async with`.
        """
    def __aexit__(
        self, /, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: object
    ) -> Awaitable[None]:
        """
        Do what `with` does, for `async with`.
        """
    def __bool__(self, /) -> bool: ...
    def __enter__(self, /) -> bool:
        """
        Claim the delivery; return whether it is the caller's to handle.
        """
    def __exit__(self, /, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: object) -> None:
        """
        Complete the claim, or give it back if there is an exception, which passes on.
        """

@final
class MemoryReplayGuard:
    """
    Lets each delivery be handled once in this process, and forgets nothing too early.

    It is for one process: several workers, and a worker that is started again, know nothing of each other. It never
    waits, so it serves `with` and `async with` alike.

    A delivery is remembered for twice the tolerance and a minute after it came last: until no clock that is within the
    tolerance can accept it any more, fast or slow. Nothing depends on the system's time, which may be set at any time.

    Args:
        max_entries: how many deliveries can be remembered; a million by default, which takes about 100 MB when they are
            there. When it is full of deliveries that could still be sent again, new ones are rejected.
        lease: the seconds after which a claim may be taken over by another try, if its handler has neither come to an
            end nor failed; longer than a handler ever takes. If a handler outlives its lease, the delivery may be
            handled twice, which is a WARNING on the logger `listrak_webhooks`.
        fail_open: handle deliveries all the same when it is full, though they may be handled twice then.
        tolerance: the longest tolerance, in seconds or as a `timedelta`, of the webhooks whose deliveries the guard sees.
            A guard that sees a longer one goes by that from then on.
        clock: returns seconds, such as Unix seconds; for tests. By default a clock that nobody sets. If it raises an
            exception, or returns something that is not a finite `int` or `float`, what reads it raises
            `ConfigurationError`.

    Raises:
        ConfigurationError: an argument cannot be right.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> from listrak_webhooks.replay import MemoryReplayGuard
        >>> webhook, guard = Webhook("the HMAC secret"), MemoryReplayGuard()
        >>> event = webhook.verify(b"{}", webhook.signed_headers(b"{}"))
        >>> for _ in range(2):
        ...     with guard.handle(event) as first:
        ...         print(first)
        True
        False
    """
    def __len__(self, /) -> int: ...
    def __new__(
        cls,
        /,
        max_entries: int = 1000000,
        *,
        lease: float = 60,
        fail_open: bool = False,
        tolerance: Tolerance = 900,
        clock: Clock | None = None,
    ) -> MemoryReplayGuard: ...
    def __repr__(self, /) -> str: ...
    def _fail(self, /, failing: bool) -> bool:
        """
        Let each claim fail from now on, or no more; return which it was. It is for `listrak_webhooks.testing` alone.
        """
    def handle(self, /, event: Event) -> MemoryClaim:
        """
        Return the context in which `event` is handled, for `with` and for `async with`; it can be entered once.

        In it the value is true for the one that is to handle the delivery, and false if that has been done. Leaving the
        block completes the claim, and an exception gives it back, so that the delivery may come again. A claim that was
        lost to another, because its lease ran out, neither completes nor gives back the other's.

        Args:
            event: a delivery, fresh from `verify`.

        Raises:
            DuplicateDeliveryError: on entering, while another handles it.
            ReplayGuardError: on entering, when the guard is full.
            RuntimeError: on entering a second time.
        """

@final
class Order:
    """
    An order: the object `order`, or its fields at the top level.

    Best effort, as `LineItem`.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def billing_address(self, /) -> dict[str, Any]:
        """
        Who pays, as the payload holds it; `{}` where that is not there.
        """
    @property
    def currency(self, /) -> str | None:
        """
        The currency.
        """
    @property
    def customer_number(self, /) -> str | None:
        """
        The customer's number, as sent.
        """
    @property
    def handling_total(self, /) -> Decimal | None:
        """
        What handling costs, exact.
        """
    @property
    def item_total(self, /) -> Decimal | None:
        """
        What its lines cost, exact.
        """
    @property
    def items(self, /) -> tuple[LineItem, ...]:
        """
        Its lines.
        """
    @property
    def meta(self, /) -> tuple[str | None, ...]:
        """
        `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        """
    @property
    def number(self, /) -> str | None:
        """
        The order number, as sent: leading zeros stay.
        """
    @property
    def placed_at(self, /) -> datetime | None:
        """
        When it was placed: aware where the text has a zone, naive otherwise (and then of a zone that nobody states).
        """
    @property
    def raw(self, /) -> dict[str, Any]:
        """
        What this was read from: the dict in `event.payload`, with everything that the view leaves out.
        """
    @property
    def shipping_address(self, /) -> dict[str, Any]:
        """
        Where it goes, as the payload holds it; `{}` where that is not there.
        """
    @property
    def shipping_method(self, /) -> str | None:
        """
        How it is shipped, as the shop calls it.
        """
    @property
    def shipping_total(self, /) -> Decimal | None:
        """
        What shipping costs, exact.
        """
    @property
    def source(self, /) -> str | None:
        """
        Where it was placed.
        """
    @property
    def status(self, /) -> str | None:
        """
        The status, as text also where it is a number.
        """
    @property
    def tax_total(self, /) -> Decimal | None:
        """
        The tax in it, exact.
        """
    @property
    def total(self, /) -> Decimal | None:
        """
        What it costs, exact.
        """
    @property
    def tracking_number(self, /) -> str | None:
        """
        The parcel's number, as sent.
        """

@final
class Page:
    """
    A page that was browsed.

    Best effort, as `LineItem`.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def data(self, /) -> Any:
        """
        What the retailer's site sent along; JSON in a string is opened.
        """
    @property
    def raw(self, /) -> dict[str, Any]:
        """
        What this was read from: the dict in `event.payload`, with everything that the view leaves out.
        """
    @property
    def url(self, /) -> str | None:
        """
        The page, as sent: a path or a whole URL.
        """

@final
class Product:
    """
    A product that was browsed, or that an alert is about: the object `product`, or its fields at the top level.

    Best effort, as `LineItem`.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def brand(self, /) -> str | None:
        """
        The brand.
        """
    @property
    def category(self, /) -> str | None:
        """
        The category.
        """
    @property
    def color(self, /) -> str | None:
        """
        The color.
        """
    @property
    def description(self, /) -> str | None:
        """
        What it is like.
        """
    @property
    def discontinued(self, /) -> bool | None:
        """
        Whether it is made no more.
        """
    @property
    def gender(self, /) -> str | None:
        """
        For whom it is made.
        """
    @property
    def image_url(self, /) -> str | None:
        """
        Where its picture is, as sent: a whole URL or a path.
        """
    @property
    def in_stock(self, /) -> bool | None:
        """
        Whether it can be had.
        """
    @property
    def link_url(self, /) -> str | None:
        """
        Where its page is, as sent: a whole URL or a path.
        """
    @property
    def master_sku(self, /) -> str | None:
        """
        The stock keeping unit of the product that this is a variant of.
        """
    @property
    def meta(self, /) -> tuple[str | None, ...]:
        """
        `meta1` to `meta5`, always five: the fields that Listrak leaves to the retailer.
        """
    @property
    def msrp(self, /) -> Decimal | None:
        """
        The manufacturer's suggested price, exact.
        """
    @property
    def name(self, /) -> str | None:
        """
        The product's name or title.
        """
    @property
    def on_sale(self, /) -> bool | None:
        """
        Whether it is on sale; of a `bool` or the words `true` and `false`.
        """
    @property
    def price(self, /) -> Decimal | None:
        """
        The price, exact.
        """
    @property
    def raw(self, /) -> dict[str, Any]:
        """
        What this was read from: the dict in `event.payload`, with everything that the view leaves out.
        """
    @property
    def sale_price(self, /) -> Decimal | None:
        """
        The reduced price, exact.
        """
    @property
    def size(self, /) -> str | None:
        """
        The size, as text also where it is a number.
        """
    @property
    def sku(self, /) -> str | None:
        """
        The stock keeping unit, as sent; the digits where it is a number.
        """
    @property
    def stock(self, /) -> Decimal | None:
        """
        How many are on hand, exact.
        """
    @property
    def style(self, /) -> str | None:
        """
        The style.
        """
    @property
    def sub_category(self, /) -> str | None:
        """
        The category within that.
        """

@final
class Webhook:
    """
    One webhook integration: its secrets, and how its deliveries are taken.

    Validated once, keyed once, immutable, and safe to share between threads and across `fork`. A secret that looks like
    a slip, such as one in quotation marks, is a WARNING on the logger `listrak_webhooks`.

    Args:
        secret: the HMAC Secret exactly as Listrak shows it, as `str` (its UTF-8 bytes are the key) or `bytes`; or a list
            or tuple of them while the secret is being rotated, the current one first. What `isinstance` calls a `str`,
            such as the lazy object of a settings library, is one.
        tolerance: how many seconds the sender's clock may be behind or ahead of ours, as a number or a `timedelta`;
            900 by default, the example in Listrak's article. 0 means the same second. Fractions of a second are
            dropped. At most 365 days; it cannot be switched off.
        encoding: `"any"` (the default) takes signatures in base64 and in hex, `"base64"` and `"hex"` only the one.
            Listrak's article shows both.
        max_body: the largest body that is looked at, in bytes; 4 MiB by default.
        aliases: your own names for what the views look for, tried before the built-in ones, such as
            `{"email": ["shopper_mail"], "items": ["basket.lines"]}`; dots lead into objects. Case, `_`, `-` and spaces
            make no difference.
        clock: returns our own time, in Unix seconds; the system's clock by default. It is for tests: freezegun and
            time-machine move `lambda: time.time()`, and not the clock of the system. If it raises an exception, or
            returns something that is not a finite `int` or `float`, what reads it raises `ConfigurationError`.

    Raises:
        ConfigurationError: an argument cannot be right, such as an empty secret or one with white space around it.

    Example:
        >>> from listrak_webhooks import Webhook
        >>> Webhook(["the new secret", "the old secret"], tolerance=300)
        Webhook(<2 secrets>, tolerance=300, encoding='any', max_body=4194304)
    """
    def __copy__(self, /) -> Webhook: ...
    def __deepcopy__(self, /, _memo: Any) -> Webhook: ...
    def __new__(
        cls,
        /,
        secret: Secrets,
        *,
        tolerance: Tolerance = 900,
        encoding: AcceptedEncoding = "any",
        max_body: int = 4194304,
        aliases: Aliases = None,
        clock: Clock | None = None,
    ) -> Webhook: ...
    def __repr__(self, /) -> str: ...
    def _facts(self, /, body: bytes, headers: Any) -> dict[str, str | int | bool]:
        """
        Return the facts of a delivery, without looking for a cause.
        """
    @property
    def aliases(self, /) -> dict[str, list[str]]:
        """
        Your own names for what the views look for.
        """
    def check_size(self, /, size: int) -> None:
        """
        Reject a body of `size` bytes, such as what a stranger wrote as the `Content-Length`, that is over `max_body`.

        Raises:
            BodyTooLargeError: it is.

        Example:
            >>> Webhook("the HMAC secret").check_size(int("49"))
        """
    @property
    def clock(self, /) -> Clock | None:
        """
        The function that returns our own time, if it is not the system's clock.
        """
    @property
    def encoding(self, /) -> AcceptedEncoding:
        """
        Which signature encodings are taken: `"any"`, `"base64"` or `"hex"`.
        """
    def explain(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        headers: Headers,
        *,
        now: float | None = None,
        others: Sequence[Webhook] = (),
    ) -> Explanation:
        """
        Say why a delivery is rejected: which accident, undone, makes its signature match.

        It never raises for what a sender sent. The work is bounded: at most 512 passes over a body, and none over one that
        is larger than `max_body`. The result is for people and logs, never for an HTTP response.

        Args:
            body, headers, now: as for `verify`.
            others: other webhooks, of which one may be the delivery's own.

        Raises:
            TypeError, ConfigurationError: as `verify`.

        Example:
            >>> webhook = Webhook("the HMAC secret")
            >>> webhook.explain(b'{"a": 1}', webhook.signed_headers(b'{"a":1}')).causes
            (Cause(name='body_reserialized', proven=True),)
        """
    @staticmethod
    def from_env(
        name: str = "LISTRAK_WEBHOOK_SECRET",
        *,
        tolerance: Tolerance = 900,
        encoding: AcceptedEncoding = "any",
        max_body: int = 4194304,
        aliases: Aliases = None,
        clock: Clock | None = None,
    ) -> Webhook:
        """
        Return a Webhook with the secret in an environment variable.

        Args:
            name: the variable of the current secret. Where `<name>_PREVIOUS` is set too and not empty, it is the old
                one, still accepted during a rotation.
            tolerance, encoding, max_body, aliases, clock: as for `Webhook`.

        Raises:
            ConfigurationError: the variable is unset or empty, or what it holds cannot be a secret.

        Example:
            >>> import os
            >>> os.environ["LISTRAK_WEBHOOK_SECRET"] = "the HMAC secret"
            >>> Webhook.from_env(tolerance=300)
            Webhook(<1 secret>, tolerance=300, encoding='any', max_body=4194304)
        """
    @property
    def max_body(self, /) -> int:
        """
        The largest body that is looked at, in bytes.
        """
    def sign(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        timestamp: SigningTime | None = None,
        *,
        encoding: SigningEncoding = "base64",
    ) -> str:
        """
        Return the signature of `body` at `timestamp` under the current secret, as Listrak would send it.

        The receiver needs the timestamp too. Without one this signs for the present second and does not say which one
        that was: `signed_headers` returns both.

        Args:
            body: the raw body.
            timestamp: Unix seconds, an aware `datetime`, or `None` for now, by the webhook's clock.
            encoding: `"base64"` (the default) or `"hex"`.

        Raises:
            ValueError: the timestamp is naive or does not have ten digits.
            ConfigurationError: the webhook's own clock does not return the time.

        Example:
            >>> Webhook("listrak-test-secret").sign(b"", 1700000000)
            'ZNPNaIR3QhCCVQS1ScxUbgxBs6aqmgLEvAur6HNq+Ys='
        """
    def signed_headers(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        timestamp: SigningTime | None = None,
        *,
        encoding: SigningEncoding = "base64",
    ) -> dict[str, str]:
        """
        Return the two headers of a delivery of `body`: the timestamp, and the signature that `sign` returns for it.

        Args:
            body, timestamp, encoding: as for `sign`.

        Raises:
            ValueError, ConfigurationError: as `sign`.

        Example:
            >>> Webhook("listrak-test-secret").signed_headers(b"", 1700000000)["LTK-Timestamp"]
            '1700000000'
        """
    @property
    def tolerance(self, /) -> int:
        """
        How many seconds the sender's clock may be behind or ahead of ours.
        """
    def verify(
        self, /, body: bytes | bytearray | memoryview | str, headers: Headers, *, now: float | None = None
    ) -> Event:
        """
        Return the `Event` in a delivery that is genuine and timely; raise for every other.

        Nothing in the body is looked at before the signature has matched. The order of the checks is: size, headers present
        and single, timestamp, signature, MAC, time window; so a stale or future error is only about a genuine delivery.

        Args:
            body: the raw request body, byte for byte; `bytes` are not copied.
            headers: the request's headers as the framework gives them: any mapping, in any case, whose values are
                `str`, `bytes` or one-element lists; pairs, as ASGI has them; a WSGI environ or Django's `META`.
            now: our own time in Unix seconds, for checking an old capture; by default the webhook's clock, which is the
                system's unless another was given.

        Raises:
            VerificationError: it is not genuine, or not timely; each reason has its own subclass.
            BodyTooLargeError: it is larger than `max_body`.
            TypeError: an argument is of the wrong type, such as parsed JSON for the body.
            ConfigurationError: the webhook's own clock does not return the time.

        Example:
            >>> webhook = Webhook("example-hmac-secret")
            >>> webhook.verify(
            ...     b'{"email":"jane@example.com","phone":"17175559636"}',
            ...     {
            ...         "LTK-Timestamp": "1700000000",
            ...         "LTK-HmacSignature": "P00nxEZtRTZz6hDi5/38JlNSPh0UAlr9dBfEULU5ChM=",
            ...     },
            ...     now=1700000060,
            ... )
            Event(id=3f4d27c4..., timestamp=1700000000, body=<49 bytes>)
        """
    def verify_values(
        self,
        /,
        body: bytes | bytearray | memoryview | str,
        timestamp: str | bytes | None,
        signature: str | bytes | None,
        *,
        now: float | None = None,
    ) -> Event:
        """
        Do what `verify` does, for callers that hold the two header values.

        Args:
            body, now: as for `verify`.
            timestamp: the value of `LTK-Timestamp` as it was received; `None` if it was not.
            signature: the value of `LTK-HmacSignature` as it was received; `None` if it was not.

        Raises:
            VerificationError, BodyTooLargeError, TypeError, ConfigurationError: as `verify`.
        """

def _freeze_clock(seconds: int | None) -> None:
    """
    Stop the package's clock, move a stopped one, or let it run again. It is for `listrak_webhooks.testing` alone.

    Args:
        seconds: the Unix second at which it is stopped; `None` lets it run.
    """

def _frozen_clock() -> tuple[int, int] | None:
    """
    Return the second at which the clock is stopped and by how many seconds it was moved since it was stopped.

    Returns:
        `None` while it runs.
    """

def _now() -> int:
    """
    Return the Unix second that the package goes by: the system's, or the one at which its clock was stopped.
    """

def built_in_aliases() -> dict[str, list[str]]:
    """
    Return the alias table: under which names the views look for what.

    It is what docs/reference/payload.md lists.
    """

def sign(
    body: bytes | bytearray | memoryview | str,
    timestamp: SigningTime,
    secret: Secrets,
    *,
    encoding: SigningEncoding = "base64",
) -> str:
    """
    Sign one body in one call, as Listrak would.

    Args:
        body, encoding: as for `Webhook.sign`.
        timestamp: Unix seconds or an aware `datetime`: the one that is sent, which the receiver needs too.
        secret: as for `Webhook`; the first of several signs.

    Raises:
        ValueError: as `Webhook.sign`.
        TypeError: an argument is of the wrong type, such as `None` for the timestamp.
        ConfigurationError: as `Webhook`.
    """

def verify(
    body: bytes | bytearray | memoryview | str,
    headers: Headers,
    secret: Secrets,
    *,
    now: float | None = None,
    tolerance: Tolerance = 900,
    encoding: AcceptedEncoding = "any",
    max_body: int = 4194304,
    aliases: Aliases = None,
    clock: Clock | None = None,
) -> Event:
    """
    Verify one delivery in one call. If there are many, make a `Webhook` once and use its `verify`.

    It logs nothing; a `Webhook` warns of a secret that looks like a slip.

    Args:
        body, headers, now: as for `Webhook.verify`.
        secret, tolerance, encoding, max_body, aliases, clock: as for `Webhook`.

    Raises:
        VerificationError, BodyTooLargeError, TypeError: as `Webhook.verify`.
        ConfigurationError: as `Webhook`.
    """
