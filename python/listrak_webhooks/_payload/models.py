"""Reading a body as a type of the user's, by Pydantic or msgspec, neither of which this package depends on.

What does not fit is told by path and expectation. The libraries' own errors and messages hold the values, and with them
personal data, so none of them ever leaves this module: not as a cause, not as a context, not as a frame of a traceback.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin

from listrak_webhooks._extras import check_version
from listrak_webhooks.exceptions import ConfigurationError, PayloadError, PayloadProblem

from .aliases import expanded
from .json import parse as parse_json
from .schema import inlined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

_SHOWN = 5
"""How many problems the message names."""

_MOST = 100
"""How many problems are collected; of the rest there is a count."""

_FEW = 1000
"""Up to how many problems Pydantic is asked for all of them: each takes it microseconds and a kilobyte or two."""

_DEEPEST = 20
"""How many steps of a path are named."""


class _Misfits(NamedTuple):
    """The problems of a payload, and how many there are beyond these."""

    problems: list[PayloadProblem]
    more: int = 0


_PLAIN_NAME = re.compile(r"[A-Za-z_$][\w$-]{0,63}", re.ASCII)
"""What can be shown of a path: a key of the payload may be an address or a phone number."""

_OWN_CHECK = "does not pass a check of the model's own"


def parse(body: bytes, model: Any, value: Any) -> tuple[Any, BaseException | None]:
    """Return the `model` in `body`, or the error.

    Args:
        body: JSON, checked to be.
        model: the type to read it as.
        value: what is in `body`, where it is JSON that the libraries would not read; else `None`.

    The error is a `PayloadError`, or what a check of the user's own raised; an `ImportError` if the library that the
    type needs is not installed or too old, and a `TypeError` if no library that is installed can read such a type.
    """
    try:
        adapter = None if _is_for_msgspec(model) else _adapter_for(model)
        if adapter is None:
            result, found = _with_msgspec(body, _for_msgspec(model), value)
        else:
            result, found = _with_pydantic(body, adapter, value)
    except BaseException as error:  # noqa: BLE001
        # Of a check of the user's own. It passes through, but not the frames here, which hold the body.
        return None, error.with_traceback(_users_frames(error.__traceback__))
    return (result, None) if found is None else (None, _misfit(model, found))


def _users_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame on that is not of this package or of the library that reads the body."""
    ours = ("listrak_webhooks.", "pydantic.", "msgspec.")
    while traceback is not None and str(traceback.tb_frame.f_globals.get("__name__")).startswith(ours):
        traceback = traceback.tb_next
    return traceback


def check(model: Any) -> None:
    """Find, before there is a payload, a type that no library can read.

    One that names a type which is not there yet may still become readable.

    Raises:
        ConfigurationError: it is one.
    """
    try:
        if _is_for_msgspec(model) or _adapter_for(model) is None:
            _check_fields(model)
    except _UnfinishedError:
        return
    except (ImportError, TypeError) as error:
        raise ConfigurationError(str(error)) from None


def is_model(annotation: Any) -> bool:
    """Return whether it is a class that describes a payload: of Pydantic, msgspec, dataclasses or `TypedDict`.

    A generic one may have its arguments.
    """
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return False
    pydantic = sys.modules.get("pydantic")
    is_pydantic = pydantic is not None and issubclass(kind, pydantic.BaseModel)
    return is_pydantic or _is_struct(kind) or _is_typed_dict(kind) or dataclasses.is_dataclass(kind)


def holds_model(annotation: Any) -> bool:
    """Return whether it is such a class, or has one in it, as a union and a list may."""
    try:
        return _holds_model(expanded(annotation))
    except (TypeError, NameError):
        # An alias that names itself, or what is not there yet.
        return False


def _holds_model(annotation: Any) -> bool:
    return is_model(annotation) or any(map(_holds_model, get_args(annotation)))


def _is_typed_dict(model: object) -> bool:
    # That of typing_extensions is another one to `typing.is_typeddict`.
    return isinstance(model, type) and hasattr(model, "__required_keys__") and hasattr(model, "__total__")


def json_schema(model: Any) -> dict[str, Any]:
    """Return the JSON schema of a type, with nothing in it that refers to a place elsewhere; of `None`, any object's.

    Where a type holds itself, it is any object on the inner levels.
    """
    if model is None:
        return {"type": "object"}
    adapter = None if _is_for_msgspec(model) else _adapter_for(model)
    if adapter is None:
        schema = importlib.import_module("msgspec").json.schema(_for_msgspec(model))
    else:
        schema = adapter.json_schema()
    return inlined(schema)


def _is_for_msgspec(model: Any) -> bool:
    if _is_struct(model):
        return True
    if _find("pydantic") is not None:
        return False
    if _find("msgspec") is not None:
        return True
    raise ModuleNotFoundError(
        f"reading a payload as {_name(model)} needs Pydantic or msgspec, and neither is installed; install one with: "
        "pip install pydantic",
        name="pydantic",
    )


def _is_struct(model: Any) -> bool:
    # A program that has made a `Struct` has imported msgspec.
    msgspec = sys.modules.get("msgspec")
    kind = get_origin(model) or model
    return msgspec is not None and isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _has_struct(model: Any) -> bool:
    return _is_struct(model) or any(map(_has_struct, get_args(model)))


def _find(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        return None


def _name(model: Any) -> str:
    model = model.__origin__ if get_origin(model) is Annotated else model
    return str(getattr(model, "__name__", model))


class _UnfinishedError(TypeError):
    """A type names another one that is not there."""


def _unfinished(model: Any) -> _UnfinishedError:
    return _UnfinishedError(
        f"a payload cannot be read as {_name(model)}, which names a type that is not there; define or import it at the "
        "top of the module"
    )


def _misfit(model: Any, found: _Misfits) -> PayloadError:
    shown = "; ".join(map(str, found.problems[:_SHOWN]))
    rest = len(found.problems) - len(found.problems[:_SHOWN]) + found.more
    more = f"; and {rest} more" if rest > 0 else ""
    return PayloadError(f"the payload does not fit {_name(model)}: {shown}{more}", tuple(found.problems), found.more)


def _path(steps: Iterable[str | int]) -> tuple[str | int, ...]:
    named = tuple(step if isinstance(step, int) or _PLAIN_NAME.fullmatch(step) else "..." for step in steps)
    return named if len(named) <= _DEEPEST else (*named[:_DEEPEST], "...")


# Pydantic


def _cached(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Keep what is made of a type, if the type can be a key."""
    cached = functools.lru_cache(maxsize=128)(make)

    @functools.wraps(make)
    def get(model: Any) -> Any:
        try:
            return cached(model)
        except TypeError:
            # Not hashable, as an `Annotated` with a list in it is not; or it cannot be read, which is said once more.
            return make(model)

    return get


@_cached
def _adapter_for(model: Any) -> Any:
    """Return Pydantic's adapter, or `None` where msgspec is the one to read such a type."""
    pydantic = importlib.import_module("pydantic")
    try:
        check_version("pydantic", needed_by=f"reading a payload as {_name(model)}")
    except ImportError:
        if _has_struct(expanded(model)):
            return None
        raise
    try:
        adapter = pydantic.TypeAdapter(model)
    except pydantic.errors.PydanticUserError as error:
        if _has_struct(expanded(model)) or (_is_typed_dict(model) and _find("msgspec") is not None):
            # Of `TypedDict`s, Pydantic reads those of typing_extensions alone before Python 3.12.
            return None
        raise TypeError(f"Pydantic cannot read a payload as {_name(model)}: {error.message}") from None
    if not getattr(adapter, "pydantic_complete", True) and not adapter.rebuild(raise_errors=False):
        raise _unfinished(model)
    return adapter


def _with_pydantic(body: bytes, adapter: Any, value: Any) -> tuple[Any, _Misfits | None]:
    error_class = importlib.import_module("pydantic").ValidationError
    if value is None:
        try:
            return adapter.validate_json(body), None
        except error_class as error:
            found = _of_pydantic(error, adapter, lambda: _read(body))
        if found is not None:
            return None, found
        # It is JSON, with something in it that Pydantic's parser does not read, such as a lone surrogate.
        value = _read(body)
    try:
        return adapter.validate_python(value), None
    except error_class as error:
        found = _of_pydantic(error, adapter, lambda: value) or _Misfits([])
    # A strict model takes less from Python objects than from JSON: once more as JSON, without what cannot be in it.
    with contextlib.suppress(error_class):
        return adapter.validate_json(json.dumps(value, ensure_ascii=False).encode(errors="replace")), None
    return None, found


def _read(body: bytes) -> Any:
    """Return what is in a body that is known to be JSON."""
    value, _ = parse_json(body.decode("utf-8"), None, sys.maxsize)
    return value


def _of_pydantic(error: Any, adapter: Any, read: Callable[[], Any]) -> _Misfits | None:
    """Return the problems in an error of Pydantic's; `None` if it could not read the JSON.

    Of very many, Pydantic would make an object each. Then it reads the payload once more with its lists cut short, in
    which hardly any problem is left, and none in another place.
    """
    count: int = error.error_count()
    if count <= _FEW:
        errors = error.errors(include_url=False, include_input=False)
    else:
        errors = []
        try:
            adapter.validate_python(_cut(read(), _MOST))
        except type(error) as fewer:  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
            if fewer.error_count() <= _FEW * _MOST:  # pyright: ignore[reportUnknownMemberType]
                errors = fewer.errors(include_url=False, include_input=False)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        errors = [each for each in errors if each["type"] != "too_short"]  # pyright: ignore[reportUnknownVariableType]
    if any(each["type"] == "json_invalid" and not each["loc"] for each in errors):
        return None
    problems = [_problem_of_pydantic(each) for each in errors[:_MOST]]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if not problems:
        problems = [PayloadProblem((), "does not fit in very many places")]
    return _Misfits(problems, max(0, count - len(problems)))


def _cut(value: Any, most: int) -> Any:
    """Return a copy of a payload with no more than some elements of each list."""
    if isinstance(value, list):
        return [_cut(each, most) for each in value[:most]]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: _cut(each, most) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


_OF_THE_TYPE = frozenset(
    {
        "class",
        "class_name",
        "decimal_places",
        "discriminator",
        "expected",
        "expected_plural",
        "expected_schemes",
        "expected_tags",
        "field_type",
        "ge",
        "gt",
        "le",
        "lt",
        "max_digits",
        "max_length",
        "min_length",
        "multiple_of",
        "pattern",
        "tz_expected",
        "whole_digits",
    }
)
"""What the message of a Pydantic error may be filled with: what comes from the type and not from the payload."""


def _problem_of_pydantic(error: Mapping[str, Any]) -> PayloadProblem:
    context = error.get("ctx", {})
    try:
        known = importlib.import_module("pydantic_core").PydanticKnownError(error["type"], context)
    except (KeyError, TypeError, ValueError):
        known = None
    # What a validator of the user's says may hold anything; so may a type of error that Pydantic does not know.
    if known is None or error["type"] in {"value_error", "assertion_error"}:
        return PayloadProblem(_path(error["loc"]), _OWN_CHECK)

    def fill(place: re.Match[str]) -> str:
        name = place.group(1)
        return str(context[name]) if name in _OF_THE_TYPE and name in context else "..."

    return PayloadProblem(_path(error["loc"]), re.sub(r"\{(\w+)\}", fill, known.message_template))


# msgspec


@_cached
def _for_msgspec(model: Any) -> Any:
    """Return a type as msgspec takes it, seen to be readable before there is a body that a traceback could show."""
    check_version("msgspec", needed_by=f"reading a payload as {_name(model)}")
    plain = expanded(model)
    try:
        importlib.import_module("msgspec.inspect").type_info(plain)
    except NameError:
        raise _unfinished(model) from None
    return plain


def _check_fields(model: Any) -> None:
    """Find a class that msgspec leaves to a hook, which there is not: no payload gives a value of it.

    Raises:
        TypeError: it is a part of the type.
    """
    inspection = importlib.import_module("msgspec.inspect")
    parts, seen = [inspection.type_info(_for_msgspec(model))], set[int]()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, inspection.CustomType):
            raise TypeError(
                f"msgspec cannot read a payload as {_name(model)}, because it does not know how to read "
                f"{_name(part.cls)}; use a type of msgspec's, or a Struct"
            )
        if isinstance(part, inspection.Type | inspection.Field):
            parts += [getattr(part, name) for name in part.__struct_fields__]
        elif isinstance(part, tuple):
            parts += part


def _with_msgspec(body: bytes, model: Any, value: Any) -> tuple[Any, _Misfits | None]:
    msgspec = importlib.import_module("msgspec")
    try:
        if value is None:
            try:
                return msgspec.json.decode(body, type=model), None
            except msgspec.ValidationError:
                raise
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                # It is JSON, with something in it that msgspec's parser does not read, such as a lone surrogate.
                value = _read(body)
        return msgspec.convert(value, model), None
    except msgspec.ValidationError as error:
        return None, _Misfits([_of_msgspec(error)])


_MSGSPEC_MESSAGE = re.compile(r"(?P<expected>.*?)(?: - at `(?P<place>key in )?(?P<path>\$.*)`)?", re.DOTALL)
_MSGSPEC_EXPECTATIONS = re.compile(
    r"Expected `[^`]*`(?:, got `[^`]*`| of length [<>=]+ \d+| [<>=]+ -?[\d.e+-]+| that's a multiple of [\d.e+-]+)?"
    r"|Object missing required field `[\w$-]+`"
)
_MSGSPEC_STEPS = re.compile(r"\[(\d+)\]|\.([^.\[]+)|\[(\.\.\.)\]")
"""The messages that say nothing of the values; others may, such as the one about an enum."""


def _of_msgspec(error: Exception) -> PayloadProblem:
    found = _MSGSPEC_MESSAGE.fullmatch(str(error))
    expected, path = (found["expected"], found["path"] or "$") if found else ("", "$")
    steps = [int(index) if index else name or "..." for index, name, _ in _MSGSPEC_STEPS.findall(path)]
    if error.__cause__ is not None:
        # Raised by code of the user's, which may say anything, and also what looks like a path.
        return PayloadProblem((), _OWN_CHECK)
    if not _MSGSPEC_EXPECTATIONS.fullmatch(expected):
        expected = "does not fit the type"
    return PayloadProblem(_path(steps), expected)
