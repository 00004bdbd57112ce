"""What the tests of claims share: the kinds of guards, and the loops to run in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.guards import Place


SYNC = ["memory", "sqlite", "redis", "django-redis", "django-memcached", "own"]
LOOPS = ["asyncio", "trio"]

each_loop = pytest.mark.parametrize("loop", LOOPS)


def run_in(loop: str, place: Place, steps: Callable[[], Awaitable[None]]) -> None:
    """Run a test's steps under asyncio or trio, and close the clients behind it."""
    try:
        anyio.run(steps, backend=loop)
    finally:
        asyncio.run(place.close())
