"""Steps that serve code that may block and code in an event loop alike.

A generator yields each call that may have to be awaited and gets its result. So the steps are written once, and who
runs them decides how: `run` calls, `arun` also awaits.

A result may be a body, and error reporters send the variables of each frame that an exception passes; so no variable
here holds a result while the steps go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

T = TypeVar("T")
Steps: TypeAlias = "Generator[Callable[[], Any], Any, T]"


def run(steps: Steps[T]) -> T:
    """Run the steps to their end, each of which returns its result, and return theirs."""
    try:
        call = next(steps)
        while True:
            try:
                results = [call()]
            except BaseException as error:  # noqa: BLE001, PERF203
                call = steps.throw(error)
            else:
                call = steps.send(results.pop())
    except StopIteration as end:
        return cast("T", end.value)


async def arun(steps: Steps[T]) -> T:
    """Run the steps to their end, awaiting what can be awaited, and return their result."""
    try:
        call = next(steps)
        while True:
            try:
                results = [call()]
                if hasattr(results[0], "__await__"):
                    results = [await results.pop()]
            except BaseException as error:  # noqa: BLE001, PERF203
                call = steps.throw(error)
            else:
                call = steps.send(results.pop())
    except StopIteration as end:
        return cast("T", end.value)


def run_through(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that has nothing to wait for to its end, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise RuntimeError("the coroutine waits, and there is no event loop here")
