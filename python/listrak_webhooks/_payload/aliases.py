"""Types without the aliases in them: `type Mail = Vip | Sale`, or a `TypeAliasType` before Python 3.12."""

from __future__ import annotations

import operator
import types
from typing import Annotated, Any, Union, get_args, get_origin


def expanded(model: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a type in which each alias is replaced by its type; msgspec does not read all of them itself.

    Raises:
        TypeError: an alias names itself, so that there is no end.
    """
    alias = model if _is_alias(model) else get_origin(model)
    if _is_alias(alias):
        if alias in within:
            raise TypeError(f"a payload cannot be read as the type alias {alias.__name__}, which names itself")
        return expanded(_value_of(model, alias), (*within, alias))
    arguments = get_args(model)
    plain = tuple(expanded(argument, within) for argument in arguments)
    if all(map(operator.is_, plain, arguments)) and (get_origin(model) is not Annotated or _is_hashable(model)):
        return model
    return _with_arguments(model, plain)


def without_alias(model: Any) -> Any:
    """Return the type of an alias; a type that is not one, and the aliases within it, stay as they are.

    Raises:
        TypeError: it names itself.
    """
    seen: list[Any] = []
    while _is_alias(alias := model if _is_alias(model) else get_origin(model)):
        if alias in seen:
            raise TypeError(f"a payload cannot be read as the type alias {alias.__name__}, which names itself")
        seen.append(alias)
        model = _value_of(model, alias)
    return model


def _is_alias(model: Any) -> bool:
    # Python's own class and that of typing_extensions, which is another one.
    return type(model).__name__ == "TypeAliasType"


def _value_of(model: Any, alias: Any) -> Any:
    arguments = get_args(model)
    return alias.__value__[arguments] if arguments else alias.__value__


def _with_arguments(model: Any, arguments: tuple[Any, ...]) -> Any:
    origin = get_origin(model)
    if origin is Annotated:
        # What is not hashable is a note of another library's, and msgspec fails on it before 0.19.
        parts = (arguments[0], *filter(_is_hashable, model.__metadata__))
        if len(parts) == 1:
            return arguments[0]
        return Annotated[parts]  # pyright: ignore[reportInvalidTypeForm, reportInvalidTypeArguments]
    if origin in (Union, types.UnionType):
        return Union[arguments]  # noqa: UP007
    return origin[arguments]


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
