"""How each client of HTTP is asked to send bytes. None of them is imported: a client is known by what it has."""

from __future__ import annotations

import inspect
import io
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_JSON = "application/json"

_LARGE = 1024 * 1024
"""Bytes."""


class UnusableClientError(TypeError):
    """The client is not one that the kit knows, or it is asynchronous where a synchronous one is needed."""


class Request(NamedTuple):
    """What a client is to send."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]

    def __repr__(self) -> str:
        # Tracebacks show it.
        return f"Request({self.method}, body=<{len(self.body)} bytes>)"


class Kind(NamedTuple):
    """One family of clients."""

    names: str
    """What they are called, for messages."""

    marks: tuple[str, ...]
    """The attributes that they all have, and no other family has together."""

    send: Callable[[Any, Request], Any]
    """Sends; what it returns is to be awaited if the client is asynchronous."""


def _by_open(client: Any, request: Request) -> Any:
    return client.open(
        request.path, method=request.method, data=request.body, headers=request.headers, follow_redirects=False
    )


def _by_generic(client: Any, request: Request) -> Any:
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    content_type = next((value for name, value in request.headers.items() if name.lower() == "content-type"), "")
    return client.generic(request.method, request.path, request.body, content_type, headers=headers)


def _by_aiohttp(client: Any, request: Request) -> Any:
    # aiohttp warns of large bodies that are bytes.
    data = request.body if len(request.body) < _LARGE else io.BytesIO(request.body)
    return client.request(request.method, request.path, data=data, headers=request.headers, allow_redirects=False)


def _by_requests(client: Any, request: Request) -> Any:
    return client.request(
        request.method, request.path, data=request.body, headers=request.headers, allow_redirects=False
    )


def _by_httpx(client: Any, request: Request) -> Any:
    return client.request(
        request.method, request.path, content=request.body, headers=request.headers, follow_redirects=False
    )


KINDS = [
    Kind("Flask's and Werkzeug's test client", ("open", "run_wsgi_app"), _by_open),
    Kind("Django's Client and AsyncClient, Django REST framework's APIClient", ("generic", "handler"), _by_generic),
    Kind("Starlette's and FastAPI's TestClient, httpx, httpx2", ("request", "build_request"), _by_httpx),
    Kind("a session of requests", ("request", "adapters"), _by_requests),
    Kind("aiohttp's test client and session", ("request", "ws_connect"), _by_aiohttp),
]
"""The clients that can be used, in the order in which they are tried."""


def send(client: Any, request: Request) -> Any:
    """Send with any client.

    Returns:
        What the client returns: its answer, or something to await.

    Raises:
        UnusableClientError: it is not a client that is known.
    """
    for kind in KINDS:
        if all(hasattr(client, mark) for mark in kind.marks):
            return kind.send(client, request._replace(headers=_with_content_type(request)))
    known = "; ".join(kind.names for kind in KINDS)
    raise UnusableClientError(
        f"{type(client).__qualname__} is not a client that the kit knows how to use; it knows {known}"
    )


def is_known(client: Any) -> bool:
    """Whether it is a client that is known."""
    return any(all(hasattr(client, mark) for mark in kind.marks) for kind in KINDS)


def _with_content_type(request: Request) -> dict[str, str]:
    if not request.body or "content-type" in {name.lower() for name in request.headers}:
        return request.headers
    return {"Content-Type": _JSON, **request.headers}


def only_answer(result: Any) -> Any:
    """Return what a synchronous client returned.

    Raises:
        UnusableClientError: it is to be awaited; nothing was sent.
    """
    if not inspect.isawaitable(result):
        return result
    # Or the interpreter would warn that it was never awaited.
    if callable(close := getattr(result, "close", None)):
        close()
    raise UnusableClientError("this client is asynchronous; use `await asend(…)` or `await acheck(…)`")


async def awaited(result: Any) -> Any:
    """Return what any client returned."""
    return await result if inspect.isawaitable(result) else result


def status_of(answer: Any) -> int:
    """Return the status of any client's answer: `status_code`, or aiohttp's `status`."""
    return int(getattr(answer, "status_code", None) or answer.status)


def header_of(answer: Any, name: str) -> str | None:
    """Return a header of any client's answer; all of them look one up in any case."""
    headers: Mapping[str, str] = answer.headers
    return headers.get(name)


def finish(answer: Any) -> None:
    """Let go of an answer, as a server does when it was sent: WSGI middleware waits for it."""
    if not hasattr(answer, "aclose") and callable(close := getattr(answer, "close", None)):
        close()


_NOT_CONNECTED = {"ConnectError", "ConnectTimeout", "ConnectionError", "ClientConnectorError"}
"""What the clients that connect call it, each in its own module."""


def is_unreachable(client: Any, error: BaseException) -> bool:
    """Whether a client raised this because nothing listens, and not because the endpoint raised it."""
    kinds: tuple[type[Any], ...] = type(error).__mro__
    own = _package_of(client.__class__)
    return any(kind.__name__ in _NOT_CONNECTED and _package_of(kind) == own for kind in kinds)


def _package_of(kind: type[Any]) -> str:
    return kind.__module__.partition(".")[0]
