"""Decorators of a user's own, in the shapes of well-known ones, and guards of a user's own."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from listrak_webhooks import Event
from listrak_webhooks.replay import MemoryReplayGuard, SqliteReplayGuard
from pydantic import BaseModel

from support.apps import call_asgi
from support.deliveries import Answer, Delivery
from support.helpers import BODY

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
NO_JSON = b"{"


class CartMail(BaseModel):
    """What the marketer writes."""

    campaign: str


def post(app: Any, body: bytes = BODY, headers: dict[str, str] | None = None) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(body, headers=headers))


# Decorators, each of which notes what it is called with.


class Seen(list[str]):
    """The types of what decorators were called with under the handler's own names."""

    def note(self, arguments: dict[str, Any]) -> None:
        """Note one call."""
        self.extend(type(arguments[name]).__name__ for name in ("event", "mail") if name in arguments)


def in_an_executor(seen: Seen) -> Decorator:
    """Return what calls a plain handler in an executor of its own, which copies no context."""
    executor = ThreadPoolExecutor(1)

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            call = functools.partial(handler, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(executor, call)

        return wrapper

    return decorate


class OwnSync:
    """A guard of a user's own for `with`, of which nothing can be known before it is used."""

    def __init__(self) -> None:
        self._guard = MemoryReplayGuard()

    def handle(self, event: Event) -> Any:
        """Return the context."""
        claim: Any = self._guard.handle(event)

        class Context:
            def __enter__(self) -> Any:
                return claim.__enter__()

            def __exit__(self, *exception: object) -> Any:
                return claim.__exit__(*exception)

        return Context()


class OwnAsync:
    """The same for `async with`."""

    def __init__(self) -> None:
        self._guard = MemoryReplayGuard()

    def handle(self, event: Event) -> Any:
        """Return the context."""
        claim: Any = self._guard.handle(event)

        class Context:
            async def __aenter__(self) -> Any:
                await asyncio.sleep(0)
                return claim.__enter__()

            async def __aexit__(self, *exception: object) -> Any:
                await asyncio.sleep(0)
                return claim.__exit__(*exception)

        return Context()


GUARDS: dict[str, Callable[[Path], Any]] = {
    "no-guard": lambda folder: None,
    "memory": lambda folder: MemoryReplayGuard(),
    "sqlite": lambda folder: SqliteReplayGuard(folder / "deliveries.db"),
    "own-sync": lambda folder: OwnSync(),
    "own-async": lambda folder: OwnAsync(),
}
