"""The server of each test, which is kept for the tests that follow on it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from .places import PLACES, Place
from .running import Running, run

if TYPE_CHECKING:
    from collections.abc import Generator

    from .table import Server


class Pool:
    """The one server that runs at a time."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._opened = contextlib.ExitStack()
        self._running: Running | None = None

    def get(self, server: Server) -> Running:
        """Return a server that runs, and end the one before it."""
        if self._running is None or self._running.server is not server:
            self.close()
            self._running = self._opened.enter_context(run(server, self._factory.mktemp("server")))
        return self._running

    def close(self) -> None:
        """End the server that runs."""
        self._running = None
        self._opened.close()


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pool, None, None]:
    """Yield the servers."""
    with contextlib.closing(Pool(tmp_path_factory)) as pool:
        yield pool


@pytest.fixture
def running(request: pytest.FixtureRequest, pool: Pool) -> Running:
    """Return the server of the place that the test is about."""
    place: Place = request.getfixturevalue("place")
    return pool.get(place.server)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have all tests of a place run before those of the next, so that each server is started once."""

    def place_of(item: pytest.Item) -> int:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        place = parameters.get("place")
        return PLACES.index(place) if isinstance(place, Place) else len(PLACES)

    items.sort(key=place_of)
