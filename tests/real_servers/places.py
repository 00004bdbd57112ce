"""Each server with each framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from .table import ASGI, SERVERS, Bound, Server

if TYPE_CHECKING:
    from collections.abc import Callable


class Place(NamedTuple):
    """A server, and the framework to which a test sends."""

    server: Server
    framework: str

    @property
    def path(self) -> str:
        """The path of the framework's endpoint."""
        return f"/{self.framework}/listrak"

    @property
    def bound(self) -> Bound:
        """What happens to a body that comes too slowly."""
        # Django's ASGI handler reads the whole body before it calls any view.
        return "gathered" if self.server in ASGI and self.framework == "django" else self.server.bound


PLACES = [Place(server, framework) for server in SERVERS for framework in server.frameworks]


def places(fits: Callable[[Place], bool] = lambda _: True) -> pytest.MarkDecorator:
    """Return the mark for a test that is about each place that fits."""
    chosen = [place for place in PLACES if fits(place)]
    return pytest.mark.parametrize("place", chosen, ids=[f"{each.server.name}-{each.framework}" for each in chosen])
