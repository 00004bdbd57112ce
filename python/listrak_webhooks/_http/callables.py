"""What kind of callable a handler is, and what it is called, under whatever decorators it has."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from listrak_webhooks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


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


def runs_in_loop(function: Any) -> bool:
    """Return whether calling it gives a coroutine at once, as Starlette tells; a plain wrapper runs in a thread."""
    while isinstance(function, functools.partial):
        function = function.func
    return _is_coroutine_function(function) or _is_coroutine_function(getattr(function, "__call__", None))  # noqa: B004


def check_callable(function: object, argument: str, meaning: str, count: int) -> None:
    """Find what cannot be called with `count` arguments by position, before a delivery is lost on it.

    Args:
        function: what was passed.
        argument: as what.
        meaning: what it has to be.
        count: how many arguments it gets.

    Raises:
        ConfigurationError: it cannot.
    """
    if not callable(function):
        raise ConfigurationError(f"{argument} must be {meaning}, not an object of the type {type(function).__name__}")
    try:
        inspect.signature(function).bind(*[None] * count)
    except ValueError:
        # Something built in, which does not tell.
        return
    except TypeError:
        raise ConfigurationError(
            f"{argument} must be {meaning}; {name_of(function)} cannot be called with {count} by position"
        ) from None


DECORATED = "_is_listrak_webhook"
"""The attribute of what our decorators return; decorators over them copy it."""


def mark(endpoint: Any) -> None:
    """Note that a function has our decorator."""
    setattr(endpoint, DECORATED, True)


def check_handler(handler: Any) -> None:
    """Find what no decorator of ours can serve.

    Raises:
        ConfigurationError: it yields, has our decorator already, or is a `staticmethod` or `classmethod` object.
    """
    name = name_of(handler)
    if isinstance(handler, staticmethod | classmethod):
        kind = type(handler).__name__  # pyright: ignore[reportUnknownArgumentType]
        raise ConfigurationError(f"{name} is a {kind}; put @{kind} over @listrak_webhook")
    if getattr(handler, DECORATED, False):
        raise ConfigurationError(f"{name} has @listrak_webhook twice; leave one of them")
    if is_generator(handler):
        raise ConfigurationError(
            f"{name} yields, and what it yields would be made after the delivery counts as handled; let it return a "
            "response"
        )


def checked(handler: Any, result: object, kind: type[T]) -> T:
    """Return what a handler returned, if it is a response.

    Args:
        handler: the user's.
        result: what it returned.
        kind: the class of the framework's responses.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(result, kind):
        return result
    raise TypeError(
        f"{name_of(handler)} returned an object of the type {type(result).__name__}, which is not a response of the "
        "framework's; return one, or None for an empty 200"
    )
