"""The server of each test, which is kept for the tests that follow on it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .running import Running, run
from .table import SERVERS

if TYPE_CHECKING:
    from collections.abc import Generator

    from .table import Server


class Place(NamedTuple):
    """A server that runs, and the framework to which a test sends."""

    running: Running
    framework: str

    @property
    def path(self) -> str:
        """The path of the framework's endpoint."""
        return f"/{self.framework}/listrak"


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


PLACES = [(server, framework) for server in SERVERS for framework in server.frameworks]


# The scope has pytest run all tests of a place before those of the next.
@pytest.fixture(scope="session", params=PLACES, ids=[f"{server.name}-{framework}" for server, framework in PLACES])
def place(request: pytest.FixtureRequest, pool: Pool) -> Place:
    """Return each server with each framework."""
    server, framework = request.param
    return Place(pool.get(server), framework)
