"""The servers: how each is started, and what it does about bodies. `docs/how-to/servers.md` shows the same."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Bound = Literal["body_timeout", "gathered", "hidden"]
"""What happens to a body that comes too slowly.

`body_timeout`: the adapter ends it. `gathered`: the server or the bridge has all of it before it calls the application,
so that no thread waits. `hidden`: a thread waits for it, and the adapter cannot reach the connection.
"""

PYTHON = sys.executable


@dataclass(frozen=True)
class Server:
    """One server, or one way of running it."""

    name: str
    command: Sequence[str]
    """How it is started; `{port}` is filled in, and `{second_port}`."""
    frameworks: Sequence[str] = ("flask", "django")
    bound: Bound = "body_timeout"
    takes_chunks: bool = True
    """Whether the end of a body in chunks is known."""


def _program(*lines: str) -> list[str]:
    return [PYTHON, "-c", "\n".join(lines)]


def _module(command: str) -> list[str]:
    return [PYTHON, "-m", *command.split()]


def _gunicorn(worker: str, app: str = "wsgi_app") -> list[str]:
    options = "--workers 1 --no-control-socket --graceful-timeout 1"
    return _module(f"gunicorn --bind 127.0.0.1:{{port}} {options} --worker-class {worker} real_servers.{app}:app")


def _uwsgi(socket: str) -> list[str]:
    # The program is next to the interpreter, and looks for the packages in its environment.
    program = PYTHON.rpartition("/")[0] + "/uwsgi"
    options = f"--master --die-on-term --processes 1 --threads 2 --need-app --virtualenv {sys.prefix}"
    return [program, *f"{socket} 127.0.0.1:{{port}} {options} --module real_servers.wsgi_app:app".split()]


_UVICORN = "uvicorn --host 127.0.0.1 --port {port} --timeout-graceful-shutdown 1"
_IMPORT = "from real_servers.wsgi_app import app"
_BRIDGED = "uvicorn.run({bridge}(app), host='127.0.0.1', port={{port}}, timeout_graceful_shutdown=1)"

WSGI = [
    Server("Gunicorn, sync", _gunicorn("sync")),
    Server("Gunicorn, gthread", [*_gunicorn("gthread"), "--threads", "2"]),
    Server("Gunicorn, gevent", _gunicorn("gevent")),
    Server("Gunicorn, tornado", _gunicorn("tornado"), bound="gathered"),
    Server(
        "Werkzeug",
        _program(
            "from werkzeug.serving import run_simple",
            _IMPORT,
            "run_simple('127.0.0.1', {port}, app, threaded=True)",
        ),
    ),
    Server(
        "wsgiref",
        _program(
            "from wsgiref.simple_server import make_server",
            _IMPORT,
            "make_server('127.0.0.1', {port}, app).serve_forever()",
        ),
        takes_chunks=False,
    ),
    Server(
        "Django's runserver",
        _program(
            "import real_servers.wsgi_app",
            "from django.core.management import execute_from_command_line",
            "execute_from_command_line(['manage.py', 'runserver', '--noreload', '127.0.0.1:{port}'])",
        ),
        frameworks=("django",),
        takes_chunks=False,
    ),
    Server(
        "Waitress",
        _module("waitress --listen 127.0.0.1:{port} --threads 1 real_servers.wsgi_app:app"),
        bound="gathered",
    ),
    Server(
        "gevent.pywsgi",
        _program(
            "from gevent import monkey",
            "monkey.patch_all()",
            "from gevent.pywsgi import WSGIServer",
            _IMPORT,
            "WSGIServer(('127.0.0.1', {port}), app).serve_forever()",
        ),
    ),
    Server(
        "eventlet.wsgi",
        _program(
            "import eventlet",
            "eventlet.monkey_patch()",
            "from eventlet import wsgi as server",
            _IMPORT,
            "server.server(eventlet.listen(('127.0.0.1', {port})), app)",
        ),
    ),
    Server(
        "cheroot",
        _program(
            "from cheroot.wsgi import Server",
            _IMPORT,
            "Server(('127.0.0.1', {port}), app, numthreads=2).safe_start()",
        ),
    ),
    Server(
        "Granian, WSGI",
        _module("granian --interface wsgi --port {port} --blocking-threads 1 real_servers.wsgi_app:app"),
        bound="hidden",
    ),
    Server("uWSGI, http-socket", _uwsgi("--http-socket")),
    Server("uWSGI, http11-socket", _uwsgi("--http11-socket")),
    Server("uWSGI, http", _uwsgi("--http"), takes_chunks=False),
    Server("uWSGI, http with http-chunked-input", _uwsgi("--http-chunked-input --http")),
    Server(
        "Hypercorn, WSGI", _module("hypercorn --bind 127.0.0.1:{port} wsgi:real_servers.wsgi_app:app"), bound="gathered"
    ),
    Server(
        "a2wsgi",
        _program(
            "import uvicorn",
            "from functools import partial",
            "from a2wsgi import WSGIMiddleware",
            _IMPORT,
            _BRIDGED.format(bridge="partial(WSGIMiddleware, workers=1)"),
        ),
        bound="hidden",
    ),
    Server(
        "asgiref's WsgiToAsgi",
        _program(
            "import uvicorn", "from asgiref.wsgi import WsgiToAsgi", _IMPORT, _BRIDGED.format(bridge="WsgiToAsgi")
        ),
        bound="gathered",
    ),
]

_ASGI = ("fastapi", "django")

ASGI = [
    Server("Uvicorn, h11", _module(f"{_UVICORN} --http h11 real_servers.asgi_app:app"), _ASGI),
    Server("Uvicorn, httptools", _module(f"{_UVICORN} --http httptools real_servers.asgi_app:app"), _ASGI),
    Server("Gunicorn, asgi", _gunicorn("asgi", "asgi_app"), _ASGI),
    Server("Hypercorn", _module("hypercorn --bind 127.0.0.1:{port} real_servers.asgi_app:app"), _ASGI),
    Server("Daphne", _module("daphne -b 127.0.0.1 -p {port} real_servers.asgi_app:app"), _ASGI, bound="gathered"),
    Server("Granian, ASGI", _module("granian --interface asgi --port {port} real_servers.asgi_app:app"), _ASGI),
]

SERVERS = [*WSGI, *ASGI]

UWSGI_BEHIND_NGINX = Server("uWSGI, socket", [*_uwsgi("--http-socket"), "--socket", "127.0.0.1:{second_port}"])


def named(name: str) -> Server:
    """Return the server with this name."""
    return next(server for server in [*SERVERS, UWSGI_BEHIND_NGINX] if server.name == name)
