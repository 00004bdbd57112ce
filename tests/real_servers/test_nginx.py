"""nginx in front: what its own clients see, and what it keeps away from the application."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.deliveries import Delivery, signed
from support.servers import Connection

from .running import Running, free_port, process, run, wait_until_it_responds
from .table import UWSGI_BEHIND_NGINX, named

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

CONF = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    {limit}
    server {{
        listen 127.0.0.1:{port};
        location / {{ {location} }}
    }}
}}
"""

PROXY = "proxy_http_version 1.1; proxy_pass http://127.0.0.1:{upstream};"
UWSGI = "include /etc/nginx/uwsgi_params; uwsgi_pass 127.0.0.1:{second};"


class Route(NamedTuple):
    """A way from nginx to a server."""

    server: str
    location: str
    buffers: bool
    framework: str


ROUTES = [
    Route(server, f"{location} {'' if buffers else off}", buffers, framework)
    for server, location, off in [
        ("Gunicorn, sync", PROXY, "proxy_request_buffering off;"),
        ("Granian, WSGI", PROXY, "proxy_request_buffering off;"),
        ("Uvicorn, httptools", PROXY, "proxy_request_buffering off;"),
        ("wsgiref", PROXY, "proxy_request_buffering off;"),
        (UWSGI_BEHIND_NGINX.name, UWSGI, "uwsgi_request_buffering off;"),
    ]
    # Without nginx's buffers, wsgiref gets chunks, which it rejects.
    for buffers in ((True, False) if named(server).takes_chunks else (True,))
    for framework in named(server).frameworks
]
ROUTES_BY_SERVER = sorted(ROUTES, key=lambda route: (route.server, route.buffers))


class Opened:
    """The server and the nginx that run."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._opened = contextlib.ExitStack()
        self._key: Any = None
        self._running: Any = None

    def get(self, route: Route) -> Running:
        """Return nginx in front of a server, and end what ran before."""
        key = route.server, route.location
        if self._key != key:
            self.close()
            folder = self._factory.mktemp("nginx")
            upstream = self._opened.enter_context(run(named(route.server), folder))
            self._running = self._opened.enter_context(_nginx(route, upstream, folder))
            self._key = key
        running: Running = self._running
        return running

    def close(self) -> None:
        """End what runs."""
        self._key = None
        self._opened.close()


@contextlib.contextmanager
def _nginx(
    route: Route, upstream: Running, folder: Path, limit: str = "client_max_body_size 9m;"
) -> Generator[Running, None, None]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert program is not None, "nginx is not installed"
    port = free_port()
    location = route.location.format(upstream=upstream.port, second=upstream.second_port)
    # The processes of a root's nginx are nobody's, and cannot write to the folder.
    user = "user root root;" if os.geteuid() == 0 else ""
    conf = CONF.format(user=user, folder=folder, port=port, location=location, limit=limit)
    (folder / "nginx.conf").write_text(conf)
    log = folder / "error.log"
    with process([program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(log)], log) as running:
        wait_until_it_responds(port, f"/{route.framework}/ping", running, log)
        yield Running(upstream.server, port, log)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Generator[Opened, None, None]:
    """Yield what runs."""
    with contextlib.closing(Opened(tmp_path_factory)) as opened:
        yield opened


@pytest.mark.parametrize(
    "route",
    ROUTES_BY_SERVER,
    ids=[f"{each.server}-{'buffered' if each.buffers else 'unbuffered'}-{each.framework}" for each in ROUTES_BY_SERVER],
)
def test_what_comes_through_nginx(opened: Opened, route: Route) -> None:
    """A genuine delivery is accepted, in chunks too, and what is too large gets the application's response.

    nginx turns a connection that the application resets into a 502.
    """
    nginx = opened.get(route)
    path = f"/{route.framework}/listrak"
    spaced = {name: f"\t{value} " for name, value in signed().items()}
    assert nginx.send(Delivery(path=path)).status == 200
    assert nginx.send(Delivery(path=path, headers=spaced)).status == 200
    assert nginx.send(Delivery(path=path, chunked=True, piece=7)).status == 200
    for chunked in (False, True):
        answer = nginx.send(Delivery(b"x" * 8_000_000, path=path, chunked=chunked))
        assert answer.status == 413
        assert b"body_too_large" in answer.body
        assert nginx.send(Delivery(path=path)).status == 200
    if route.buffers:
        _assert_slow_senders_hold_nothing(nginx, path)


def _assert_slow_senders_hold_nothing(nginx: Running, path: str) -> None:
    """See that a delivery is accepted next to several slow ones; the servers have one thread or process."""
    with contextlib.ExitStack() as opened:
        for chunked in (False, True, False):
            slow = opened.enter_context(Connection(nginx.port))
            slow.send(Delivery(path=path, chunked=chunked).to_bytes()[:-10])
        assert nginx.send(Delivery(path=path)).status == 200


@pytest.mark.parametrize(("size", "is_passed_on"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
def test_the_limit_that_nginx_has_by_itself(tmp_path: Path, size: int, *, is_passed_on: bool) -> None:
    """It is 1 MiB, and the response is then nginx's own."""
    route = Route("Uvicorn, httptools", PROXY, buffers=True, framework="fastapi")
    with run(named(route.server), tmp_path) as upstream, _nginx(route, upstream, tmp_path, limit="") as nginx:
        # The application's own limit is lower, and its response is different.
        answer = nginx.send(Delivery(b"x" * size, path="/fastapi/listrak"))
    assert answer.status == 413
    assert (b"body_too_large" in answer.body) is is_passed_on
