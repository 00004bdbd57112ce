"""The page about servers says of each what `make test-servers` shows."""

from __future__ import annotations

from real_servers.places import Place
from real_servers.table import ASGI, WSGI, Server
from support.helpers import TESTS

PAGE = TESTS.parent / "docs" / "how-to" / "servers.md"


def _rows(first: str) -> list[list[str]]:
    """Return the rows of the page's table whose heading begins with this."""
    _, heading, rest = PAGE.read_text(encoding="utf-8").partition(f"| {first} |")
    assert heading
    table, _, _ = rest.partition("\n\n")
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def _row(server: Server, *frameworks: str) -> list[str]:
    bounds = [Place(server, framework).bound.replace("body_timeout", "`body_timeout`") for framework in frameworks]
    return [server.name, *bounds, "accepted" if server.takes_chunks else "`body_unavailable`"]


def test_the_table_of_wsgi_servers() -> None:
    """It is the one that the tests go by; what bounds a body is the same in Flask and Django."""
    assert _rows("WSGI server") == [_row(server, "django") for server in WSGI]
    assert all(_row(server, each) == _row(server, "django") for server in WSGI for each in server.frameworks)


def test_the_table_of_asgi_servers() -> None:
    """It is the one that the tests go by."""
    assert _rows("ASGI server") == [_row(server, "fastapi", "django") for server in ASGI]
