"""The limits of what a genuine body may cost and of what the views hand out, and a byte order mark before it."""

from __future__ import annotations

import gc
import json
import pickle
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pydantic
import pytest
from listrak_webhooks import PayloadError
from support.payloads import event_of

if TYPE_CHECKING:
    from collections.abc import Callable

BOM = b"\xef\xbb\xbf"
CANARY = "CANARY-jane-at-example-com"


class Mail(pydantic.BaseModel):
    """A model of the user's."""

    email: str


class MailStruct(msgspec.Struct):
    """A Struct of the user's."""

    email: str


class TestByteOrderMark:
    """A byte order mark before the JSON, which RFC 8259 (section 8.1) lets a reader pass over."""

    def test_the_payload_is_what_follows_it(self) -> None:
        """The body keeps it."""
        event = event_of(BOM + b'{"email":"jane@example.com","total":1e2}')
        assert event.payload == {"email": "jane@example.com", "total": 100.0}
        assert event.body.startswith(BOM)

    @pytest.mark.parametrize("before", [b"", b'{"a":1e400}', b'{"a":"\\ud800"}'], ids=["plain", "large", "surrogate"])
    def test_all_readers_pass_over_it(self, before: bytes) -> None:
        """The scan for the contact, the views and the types of the user's."""
        fields = before[1:-1] + b"," if before else b""
        event = event_of(BOM + b"{" + fields + b'"email":"jane@example.com","cart":{"items":[{"sku":"red"}]}}')
        assert event.email == "jane@example.com"
        assert event.items[0].sku == "red"
        assert event.parse_as(Mail).email == "jane@example.com"
        assert event.parse_as(MailStruct).email == "jane@example.com"

    def test_it_alone_is_not_json(self) -> None:
        """There is nothing to read behind it."""
        with pytest.raises(PayloadError):
            _ = event_of(BOM).payload


class TestNumbers:
    """Numbers that a handler may compute with, whatever came."""

    @pytest.mark.parametrize(
        ("sent", "is_read"),
        [
            ("1" * 64, True),
            ("1" * 65, False),
            ("1e400", True),
            ("1e401", False),
            ("1e-400", True),
            ("1e-401", False),
            ("1e99999999", False),
            ("0." + "1" * 64, True),
            ("0." + "1" * 65, False),
        ],
    )
    @pytest.mark.parametrize("quoted", [False, True], ids=["number", "text"])
    def test_beyond_64_digits_or_an_exponent_of_400_a_view_has_none(
        self, sent: str, *, is_read: bool, quoted: bool
    ) -> None:
        """`int` of a `Decimal` with a large exponent never ends; a text has no exponent at all."""
        written = f'"{sent}"' if quoted else sent
        [item] = event_of(f'{{"items":[{{"quantity":{written}}}]}}'.encode()).items
        expected = is_read and not (quoted and "e" in sent)
        assert (item.quantity is not None) is expected
        if expected:
            assert isinstance(int(item.quantity or 0), int)


class TestOpenedStrings:
    """JSON in a string, which in the body is one value and opened can be a million."""

    @pytest.mark.parametrize(
        ("value", "most"), [("1", 5_000), ('"a"', 5_000), ("9" * 18, 5_000), ("9" * 19, 500), ("9" * 64, 500)]
    )
    def test_it_is_opened_up_to_a_number_of_values(self, value: str, most: int) -> None:
        """Beyond 5,000 values, or 500 if there are integers of more than 18 digits, the string is given as it came."""
        for count, is_opened in ((most, True), (most + 1, False)):
            text = f"[{','.join([value] * count)}]"
            page = event_of({"pageUrl": "x", "data": text}).page
            assert page is not None
            assert page.data == (json.loads(text) if is_opened else text)

    def test_no_integer_in_it_has_more_digits_than_a_view_hands_out(self) -> None:
        """One of 65 digits leaves all of the string as it came, and what is not a number is opened all the same."""
        for text, opened in (
            (f"[{'9' * 64}]", [int("9" * 64)]),
            (f"[{'9' * 65}]", None),
            (f'["{"x" * 65}"]', ["x" * 65]),
        ):
            page = event_of({"pageUrl": "x", "data": text}).page
            assert page is not None
            assert page.data == (opened if opened is not None else text)


class TestLines:
    """Lines that are the same as others."""

    @pytest.mark.parametrize("count", [1, 999, 1000, 5000])
    def test_each_has_the_object_that_it_was_read_from(self, count: int) -> None:
        """Also of many empty objects each is the one in the payload, so that what a handler notes in it stays apart."""
        event = event_of({"items": [{}] * count})
        sent = event.payload["items"]
        assert all(item.raw is raw for item, raw in zip(event.items, sent, strict=True))
        event.items[-1].raw["handled"] = True
        assert sum(bool(item.raw) for item in event.items) == 1

    def test_a_number_is_the_same_at_each_access(self) -> None:
        """It is made when it is asked for, of what cannot change: the payload may be changed meanwhile."""
        event = event_of(
            b'{"items":[{"price":0.1234567890123456789,"quantity":"1.0000","total":12345678901234567890}]}'
        )
        [item] = event.items
        event.payload["items"][0].update(price=1, quantity="2", total=3)
        for _ in range(2):
            assert str(item.price) == "0.1234567890123456789"
            assert str(item.quantity) == "1.0000"
            assert item.total == 12345678901234567890


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "empty-items": lambda size: b'{"items":[' + b",".join([b"{}"] * (size // 3)) + b"]}",
    "items-with-one-exponent": lambda size: (
        b'{"cart":{"total":1e2,"items":[' + b",".join([b'{"sku":"a","price":1.5,"quantity":1}'] * (size // 37)) + b"]}}"
    ),
    "floats-of-many-digits": lambda size: (
        b'{"items":[' + b",".join([b'{"price":0.30000000000000004}'] * (size // 29)) + b"]}"
    ),
    "many-keys": lambda size: (
        b"{" + b",".join(b'"k%d":1.0000000000000001' % number for number in range(size // 28)) + b"}"
    ),
    "empty-items-of-a-cart": lambda size: b'{"cart":{"items":[' + b",".join([b"{}"] * (size // 3)) + b"]}}",
    "items-of-few-characters": lambda size: b'{"items":[' + b",".join([b'{"sku":1}'] * (size // 10)) + b"]}",
    "items-with-wide-integers": lambda size: (
        b'{"items":[' + b",".join([b'{"price":123456789012345678901234567890}'] * (size // 41)) + b"]}"
    ),
    "an-item-of-many-fields": lambda size: (
        b'{"items":[{' + b",".join(b'"k%d":0.12345678901234567' % number for number in range(size // 28)) + b"}]}"
    ),
    "wide-integers-in-a-string": lambda size: json.dumps(
        {"pageUrl": "x", "data": f"[{','.join(['9' * 4300] * (size // 4301))}]"}
    ).encode(),
    "a-large-integer-at-the-end": lambda size: (
        b'{"items":[' + b",".join([b"{}"] * (size // 3)) + b"," + b"9" * 400 + b"]}"
    ),
    "page-in-a-string": lambda size: json.dumps(
        {"pageUrl": "x", "data": json.dumps({"a": [1.0000000000000002] * (size // 21)})}
    ).encode(),
}
READERS = ["email", "phone", "coupons", "items", "cart", "order", "product", "page", "journey"]


def _best(work: Callable[[], object], tries: int = 3) -> float:
    times = []
    for _ in range(tries):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("shape", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_no_view_takes_more_than_five_times_json_loads(shape: str, reader: str) -> None:
    """On any input; each on an event of its own, so that nothing was read before. Half a millisecond is not counted."""
    body = HOSTILE[shape](200_000)
    ratios = []
    for _ in range(4):
        floor = _best(lambda: json.loads(body))
        event = event_of(body)
        ratios.append((_best(lambda event=event: getattr(event, reader), tries=1) - 0.0005) / floor)  # type: ignore[misc]
        if ratios[-1] <= 5:
            return
    pytest.fail(f"{reader} took {min(ratios):.1f} times json.loads")


class TestManyProblems:
    """A payload that does not fit its type in very many places."""

    def test_a_hundred_are_named_and_the_rest_is_counted(self) -> None:
        """The message, the attribute and the pickle agree."""

        class Line(pydantic.BaseModel):
            sku: str

        class Cart(pydantic.BaseModel):
            items: list[Line]

        event = event_of(b'{"items":[' + b",".join([b"{}"] * 50_000) + b"]}")
        with pytest.raises(PayloadError) as caught:
            event.parse_as(Cart)
        error = caught.value
        assert len(error.problems) == 100
        assert error.more == 49_900
        assert error.problems[99].path == ("items", 99, "sku")
        assert "and 49995 more" in str(error)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (again.problems, again.more) == (error.problems, error.more)

    def test_far_behind_the_first_elements_they_are_only_counted(self) -> None:
        """What is named has a place of its own, and there are too many to look for."""

        class Numbers(pydantic.BaseModel):
            a: list[int]

        body = b'{"a":[' + b"1," * 200 + b'"x",' * 5000 + b"1]}"
        with pytest.raises(PayloadError) as caught:
            event_of(body).parse_as(Numbers)
        assert len(caught.value.problems) == 1
        assert caught.value.more == 4999

    def test_few_are_all_named(self) -> None:
        """As before."""
        with pytest.raises(PayloadError) as caught:
            event_of(b'{"email":5}').parse_as(Mail)
        assert [problem.path for problem in caught.value.problems] == [("email",)]
        assert caught.value.more == 0


def _explode(value: Any) -> Any:
    raise RuntimeError("a bug of the validator's")


@dataclass
class Exploding:
    """A dataclass whose own check has a bug."""

    email: str

    def __post_init__(self) -> None:
        """Fail."""
        raise RuntimeError("a bug of the check's")


class ExplodingStruct(msgspec.Struct):
    """A Struct whose own check has a bug."""

    email: str

    def __post_init__(self) -> None:
        """Fail."""
        raise RuntimeError("a bug of the check's")


@pytest.mark.parametrize(
    "model",
    [Annotated[Mail, pydantic.AfterValidator(_explode)], Exploding, ExplodingStruct],
    ids=["note", "data", "struct"],
)
@pytest.mark.parametrize("odd", [False, True], ids=["plain", "odd"])
def test_a_bug_in_a_check_passes_through_without_our_frames(model: Any, *, odd: bool) -> None:
    """Error reporters send the variables of each frame, and ours held the body and what was read of it."""
    extra = ',"a":1e400' if odd else ""
    event = event_of(f'{{"email":"{CANARY}"{extra}}}'.encode())
    with pytest.raises(RuntimeError, match="a bug of the") as caught:
        event.parse_as(model)
    error: BaseException | None = caught.value
    while error is not None:
        stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
        own = [frame.locals for frame in stack if "/listrak_webhooks/" in frame.filename]
        assert CANARY not in repr(own)
        error = error.__cause__ or error.__context__


def test_a_body_that_is_not_json_is_parsed_once() -> None:
    """That it is not is kept as a payload is; each access raises an error of its own, and says the same."""
    event = event_of(b'{"items":[' + b"{}," * 500_000)
    errors, times = [], []
    for name in ("payload", "items", "cart", "email", "payload", "email"):
        start = time.process_time()
        with pytest.raises(PayloadError) as caught:
            getattr(event, name)
        times.append(time.process_time() - start)
        errors.append(caught.value)
    assert len({str(error) for error in errors}) == 1
    assert len({id(error) for error in errors}) == len(errors)
    assert max(times[1], times[2], times[4], times[5]) < times[0] / 5
