"""The pytest plugin of `listrak_webhooks`: the fixtures `listrak` and `listrak_clock`, and the marker `listrak`.

pytest imports it at each start, also where no test needs it. So it is not in the package, and imports nothing of it
until a fixture is asked for: that is quick, and what measures coverage sees the package's import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from listrak_webhooks.testing import Clock, Sender

_MARKER = "listrak(secret=..., now=...): the secret and the Unix time of the fixtures listrak and listrak_clock"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def listrak_clock(request: pytest.FixtureRequest) -> Generator[Clock, None, None]:
    """A stopped clock: `.move(seconds)`, `.at(timestamp)`; verify, sign, adapters and guards go by it."""
    from listrak_webhooks.testing import plugin  # noqa: PLC0415

    with plugin.clock_for(request.node) as clock:
        yield clock


@pytest.fixture
def listrak(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, listrak_clock: Clock) -> Sender:
    """A sender that plays Listrak: `.send(client, delivery, path)`, `.check(client, path)`; the clock is stopped."""
    from listrak_webhooks.testing import plugin  # noqa: PLC0415

    del listrak_clock
    return plugin.sender_for(request.node, monkeypatch)
