"""`event.parse_as`: types of the user's own, and errors that tell where and what, and nothing of what came."""

from __future__ import annotations

import dataclasses
import enum
import pickle
import sys
import traceback
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest
import typing_extensions
from listrak_webhooks import PayloadError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel
from pydantic_core import PydanticCustomError
from support.payloads import event_of
from support.scripts import run

CANARY = "jane@example.com"
T = TypeVar("T")


class Line(BaseModel):
    sku: str
    quantity: int = 1


class Mail(BaseModel):
    campaign: str
    lines: list[Line] = []


class Struct(msgspec.Struct):
    campaign: str
    lines: list[dict[str, str]] = []


@dataclasses.dataclass
class Data:
    campaign: str


class Typed(TypedDict):
    campaign: str


class TypedToo(typing_extensions.TypedDict):
    campaign: str


class Box(BaseModel, Generic[T]):
    campaign: T


class Root(RootModel[dict[str, str]]):
    pass


def rejection(body: Any, model: Any) -> PayloadError:
    """Return the error, having seen that nothing of the canary is in it, nor in anything that hangs on it."""
    with pytest.raises(PayloadError) as caught:
        event_of(body).parse_as(model)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = [
        str(error),
        repr(error),
        repr(error.args),
        repr(error.problems),
        "".join(traceback.format_exception(error)),
    ]
    assert not [text for text in shown if CANARY in text or "jane" in text]
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert (str(copy), copy.problems) == (str(error), error.problems)
    return error


@pytest.mark.parametrize("model", [Mail, Struct, Data, Box[str]], ids=lambda model: model.__name__)
def test_a_class_gives_an_instance(model: Any) -> None:
    """Of Pydantic, of msgspec, of dataclasses, generic or not."""
    parsed = event_of({"campaign": "vip", "ignored": 1}).parse_as(model)
    assert isinstance(parsed, model)
    assert parsed.campaign == "vip"


@pytest.mark.parametrize("model", [Typed, TypedToo, Root, dict[str, str], dict, Any], ids=str)
def test_other_types_give_what_they_say(model: Any) -> None:
    """`TypedDict` of either module, root models and plain types."""
    parsed = event_of({"campaign": "vip"}).parse_as(model)
    assert getattr(parsed, "root", parsed) == {"campaign": "vip"}


def test_a_payload_that_is_not_an_object_has_types_too() -> None:
    """The bytes are read directly, and not the payload."""
    assert event_of(b"[1,2]").parse_as(list[int]) == [1, 2]
    assert event_of(b"5").parse_as(Annotated[int, Field(gt=1), ["not hashable"]]) == 5  # type: ignore[arg-type]


def test_an_annotated_type_is_named_by_what_it_annotates() -> None:
    """`Annotated` says nothing to somebody who reads the log."""
    with pytest.raises(PayloadError, match="does not fit int: "):
        event_of(b"0").parse_as(Annotated[int, Field(gt=1)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        rb'{"campaign":"vip","a":"\ud800"}',
        b'{"campaign":"vip","a":' + b"9" * 4000 + b"}",
        b'{"campaign":"vip","a":' + b"[" * 180 + b"]" * 180 + b"}",
        b'{"campaign":"vip","a":1e400}',
        b'{"campaign":"old","campaign":"vip"}',
        b' \n{"campaign":"vip"}\t',
    ],
    ids=["lone-surrogate", "huge-integer", "deep", "1e400", "duplicate", "white-space"],
)
@pytest.mark.parametrize("model", [Mail, Struct, Data])
def test_what_the_payload_takes_the_libraries_take(body: bytes, model: Any) -> None:
    """Nothing genuine fails because of what one parser does not read."""
    assert event_of(body).parse_as(model).campaign == "vip"


@pytest.mark.parametrize("model", [Mail, Struct, dict])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"campaign":NaN}', b'{"campaign":"a"} x', b'{"campaign":"\xff"}', b'{"campaign":"a","b":Infinity}'],
)
def test_a_body_that_is_not_json_is_rejected(body: bytes, model: Any) -> None:
    """As for the payload, whatever the library would say; there is no path to tell."""
    error = rejection(body, model)
    assert "not valid JSON" in str(error)
    assert error.problems == ()


class Color(enum.Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class StructCat(msgspec.Struct, tag="cat"):
    pass


class StructDog(msgspec.Struct, tag="dog"):
    pass


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StrictStruct(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Checked(BaseModel):
    a: str

    @pydantic.field_validator("a")
    @classmethod
    def check(cls, value: str) -> str:
        """Say too much."""
        raise ValueError(f"{value} is on no list")


class CheckedStruct(msgspec.Struct):
    a: str

    def __post_init__(self) -> None:
        raise ValueError(f"Expected `str`, got `{self.a}`")


def custom(value: str) -> str:
    """Raise an error of a type of its own, with the value in its type, message and context."""
    raise PydanticCustomError("jane", "not {value}", {"value": value})


def asserting(value: str) -> str:
    """Assert with the value in the message."""
    assert not value, value
    return value


LEAKY: dict[str, tuple[Any, Any]] = {
    "type": (int, {"a": CANARY}),
    "enum": (Color, {"a": CANARY}),
    "literal": (Literal["x"], {"a": CANARY}),
    "uuid": (UUID, {"a": CANARY}),
    "decimal": (Decimal, {"a": CANARY}),
    "date": (date, {"a": CANARY}),
    "datetime": (datetime, {"a": CANARY}),
    "url": (pydantic.HttpUrl, {"a": CANARY}),
    "pattern": (Annotated[str, Field(pattern="^x$")], {"a": CANARY}),
    "length": (Annotated[str, Field(max_length=3)], {"a": CANARY}),
    "custom": (Annotated[str, AfterValidator(custom)], {"a": CANARY}),
    "assertion": (Annotated[str, AfterValidator(asserting)], {"a": CANARY}),
    "union": (int | list[int], {"a": CANARY}),
    "tagged": (Annotated[Cat | Dog, Field(discriminator="kind")], {"a": {"kind": CANARY}}),
    "keys": (dict[str, int], {"a": {CANARY: CANARY}}),
    "phone-key": (dict[str, int], {"a": {"17175559636": "jane"}}),
    "missing": (Line, {"a": {CANARY: 1}}),
    "json": (pydantic.Json[int], {"a": CANARY}),
    "base64": (pydantic.Base64Str, {"a": CANARY}),
    "ip": (pydantic.IPvAnyAddress, {"a": CANARY}),
    "bytes": (Annotated[list[int], Field(max_length=1)], {"a": [1, 2, CANARY]}),
}


@pytest.mark.parametrize("case", LEAKY)
def test_a_misfit_of_pydantic_shows_the_path_and_not_the_value(case: str) -> None:
    """For each way in which its own message would show what came."""
    kind, body = LEAKY[case]
    model = pydantic.create_model("Model", a=(kind, ...))
    error = rejection(body, model)
    assert error.problems[0].path[0] == "a"
    assert error.problems[0].expected
    assert "17175559636" not in str(error)


@pytest.mark.parametrize(
    ("model", "body", "path"),
    [
        (Checked, {"a": CANARY}, ("a",)),
        (Strict, {CANARY: 1}, ("...",)),
        (StrictStruct, {CANARY: 1}, ()),
        (CheckedStruct, {"a": CANARY}, ()),
        (msgspec.defstruct("S", [("a", Color)]), {"a": CANARY}, ("a",)),
        (msgspec.defstruct("S", [("a", list[dict[str, int]])]), {"a": [{CANARY: CANARY}]}, ("a", 0, "...")),
        (msgspec.defstruct("S", [("a", StructCat | StructDog)]), {"a": {"type": CANARY}}, ("a", "type")),
        (msgspec.defstruct("S", [("a", UUID)]), {"a": CANARY}, ("a",)),
        (msgspec.defstruct("S", [("a", Decimal)]), {"a": CANARY}, ("a",)),
        (msgspec.defstruct("S", [("a", Annotated[str, msgspec.Meta(pattern="^x$")])]), {"a": CANARY}, ("a",)),
        (msgspec.defstruct("S", [("a", Annotated[str, msgspec.Meta(max_length=1)])]), {"a": CANARY}, ("a",)),
    ],
    ids=str,
)
def test_neither_does_any_other(model: Any, body: Any, path: tuple[Any, ...]) -> None:
    """Validators of the user's own, keys that are addresses, and msgspec's messages."""
    assert rejection(body, model).problems[0].path == path


def test_all_problems_are_told_and_a_few_are_shown() -> None:
    """The message stays short enough for a log."""
    body = {"campaign": "vip", "lines": [{"sku": 5, "quantity": "x"} for _ in range(4)]}
    error = rejection(body, Mail)
    assert len(error.problems) == 8
    assert error.problems[3] == (("lines", 1, "quantity"), error.problems[3].expected)
    assert str(error).startswith(
        "the payload does not fit Mail: lines[0].sku: Input should be a valid string; lines[0].q"
    )
    assert str(error).endswith("; and 3 more")
    assert str(rejection({"campaign": 5}, Struct)).endswith("does not fit Struct: campaign: Expected `str`, got `int`")


def test_an_exception_of_the_users_own_passes_through() -> None:
    """A mistake in a validator is not a misfit."""

    def broken(value: str) -> str:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        event_of(b'"a"').parse_as(Annotated[str, AfterValidator(broken)])  # type: ignore[arg-type]


def test_a_type_that_no_library_reads_is_a_type_error() -> None:
    """The programmer's mistake, whatever comes."""

    class Alien:
        pass

    with pytest.raises(TypeError, match="Alien"):
        event_of(b"{}").parse_as(Alien)


NOWHERE: Any = "Nowhere"


@pytest.mark.parametrize(
    "model", [pydantic.create_model("M", a=(NOWHERE, ...)), msgspec.defstruct("S", [("a", NOWHERE)])]
)
def test_a_type_that_names_one_that_is_not_there_is_a_type_error(model: Any) -> None:
    """Told with the next step, and before any body is near the traceback."""
    for _ in range(2):
        with pytest.raises(TypeError, match="not there; define or import it") as caught:
            event_of({"a": CANARY}).parse_as(model)
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_strict_model_takes_a_body_with_half_an_emoji_in_it() -> None:
    """What is strict about Python objects is not about JSON."""
    model = pydantic.create_model("M", __config__=ConfigDict(strict=True), a=(tuple[str, ...], ...), d=(date, ...))
    parsed: Any = event_of(rb'{"a":["x"],"d":"2026-01-01","note":"\ud83d"}').parse_as(model)
    assert (parsed.a, parsed.d) == (("x",), date(2026, 1, 1))


def test_unions_of_structs_are_for_msgspec() -> None:
    """Also where Pydantic is installed; and lists of them."""
    union: Any = StructCat | StructDog
    assert isinstance(event_of({"type": "dog"}).parse_as(union), StructDog)
    assert event_of(b'[{"campaign":"a"}]').parse_as(list[Struct])[0].campaign == "a"


LACKING = """
import dataclasses
from typing import TypedDict
from listrak_webhooks import Webhook
webhook = Webhook("s")
event = webhook.verify(b'{"campaign":"vip"}', webhook.signed_headers(b'{"campaign":"vip"}'))
@dataclasses.dataclass
class Data:
    campaign: str
class Typed(TypedDict):
    campaign: str
for model in (Data, Typed):
    try:
        print(event.parse_as(model))
    except (ModuleNotFoundError, TypeError) as error:
        print(type(error).__name__, error)
"""


def test_without_pydantic_msgspec_reads_dataclasses() -> None:
    """One of the two is enough."""
    assert run(LACKING, "pydantic").stdout.splitlines() == ["Data(campaign='vip')", "{'campaign': 'vip'}"]


def test_without_msgspec_pydantic_does() -> None:
    """And says what it needs for a `TypedDict` of an older Python."""
    data, typed = run(LACKING, "msgspec").stdout.splitlines()
    assert data == "Data(campaign='vip')"
    assert typed == "{'campaign': 'vip'}" if sys.version_info >= (3, 12) else "typing_extensions.TypedDict" in typed


def test_without_either_the_error_names_both() -> None:
    """And what to type."""
    for line in run(LACKING, "msgspec", "pydantic").stdout.splitlines():
        assert line.startswith("ModuleNotFoundError")
        assert "Pydantic or msgspec" in line
        assert "pip install pydantic" in line


def test_nothing_imports_a_library_that_nobody_asked_for() -> None:
    """A `Struct` does not need Pydantic."""
    script = """
        import sys, msgspec
        from listrak_webhooks import Webhook
        class Mail(msgspec.Struct):
            campaign: str
        webhook = Webhook("s")
        body = b'{"campaign":"vip"}'
        print(webhook.verify(body, webhook.signed_headers(body)).parse_as(Mail), "pydantic" in sys.modules)
    """
    done = run(script)
    assert done.stdout == "Mail(campaign='vip') False\n", done.stderr
