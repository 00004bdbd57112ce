"""What kind of callable a handler is, and what it is called, under whatever decorators it has."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def name_of(handler: Callable[..., Any]) -> str:
    """Return what a handler is called."""
    named = next((each for each in layers(handler) if hasattr(each, "__name__")), type(handler))
    return str(named.__name__)


def layers(function: Any) -> Iterator[Any]:
    """Yield a callable and what is under it: under wrappers, partials, and the `__call__` of an object."""
    seen: set[int] = set()
    while id(function) not in seen:  # pyright: ignore[reportUnknownArgumentType]
        seen.add(id(function))  # pyright: ignore[reportUnknownArgumentType]
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):  # pyright: ignore[reportUnknownArgumentType]
            function = function.__wrapped__  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess, reportUnknownMemberType, reportUnknownVariableType]
        elif not inspect.isroutine(function) and not inspect.isclass(function):  # pyright: ignore[reportUnknownArgumentType]
            function = type(function).__call__  # pyright: ignore[reportUnknownArgumentType]


def is_async(function: Any) -> bool:
    """Return whether calling it gives something to await; as in FastAPI, a plain wrapper of an async function does."""
    return any(map(_is_coroutine_function, layers(function)))


def is_generator(function: Any) -> bool:
    """Return whether it, or what it wraps, yields."""
    return any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in layers(function))


if sys.version_info >= (3, 13):
    _is_coroutine_function = inspect.iscoroutinefunction
else:
    # Before 3.12, this one alone knows the mark that asgiref and mocks set.
    _is_coroutine_function = asyncio.iscoroutinefunction
