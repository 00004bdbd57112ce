"""One exchange with an endpoint, of which each byte is known: case of headers, chunks, `Expect`, early responses.

A client library decides these by itself, which is what it is for; here they are what is tried.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from listrak_webhooks import _clock
from listrak_webhooks._extras import importing

from ._problems import MOST_OF_A_MESSAGE, NO_ANSWER_SECONDS, NO_RESPONSE, problem_of, protocol_problem_of

with importing("h11", needed_by="check"):
    import h11

if TYPE_CHECKING:
    from ._target import Target

CONTINUE_SECONDS = 1.0
"""How long `100 Continue` is waited for before the body is sent without it; curl waits as long."""

BODY_SECONDS = 3.0
"""How long the body of a response is read after its head: what counts is the status, and some bodies never end."""

_PIECE = 65_536
_MOST_OF_A_RESPONSE = 1 << 20


@dataclass(frozen=True)
class Request:
    """What is sent."""

    headers: dict[str, str]
    body: bytes
    chunked: bool = False
    """The body comes in chunks, without its length."""
    expect: bool = False
    """The body waits for `100 Continue`."""
    lower_case: bool = False
    """The names of all headers are in lower case, as HTTP/2 has them."""


class Answer(NamedTuple):
    """What came back."""

    status: int | None
    """`None`: nothing that is HTTP."""
    problem: str = ""
    """Why there is no status; or if there is one, what is wrong with the rest of the response."""
    seconds: float = 0.0
    """From the first byte sent to the last one received."""
    headers: dict[str, str] = {}  # noqa: RUF012
    """By their names in lower case."""
    received_at: float = 0.0
    """Unix seconds."""
    continued: bool = False
    """`100 Continue` came."""


class UntrustedCertificateError(Exception):
    """The endpoint's certificate is past, is for another host, or nobody vouches for it."""


@dataclass
class _Progress:
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    continued: bool = False
    complete: bool = False
    length: int = 0
    body_deadline: float | None = None
    """Until when the body is read, by `time.monotonic`, once the head is there."""


def connect(target: Target, context: ssl.SSLContext | None, deadline: float) -> socket.socket:
    """Return a connection.

    Args:
        target: the endpoint.
        context: what decides whether its certificate is trusted; `None` for plain http.
        deadline: until when, by `time.monotonic`.

    Raises:
        OSError: there is none.
        UntrustedCertificateError: the certificate is not trusted.
    """
    plain = socket.create_connection((target.host.strip("[]"), target.port), timeout=_left(deadline))
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=target.host.strip("[]"))
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise UntrustedCertificateError(error.verify_message or str(error)) from None
    except BaseException:
        plain.close()
        raise


class Wire:
    """The way to an endpoint; any thread may use it.

    Args:
        target: the endpoint.
        context: as for `connect`.
    """

    def __init__(self, target: Target, context: ssl.SSLContext | None) -> None:
        self._target = target
        self._context = context
        self._open: set[socket.socket] = set()
        self._is_aborted = False

    def exchange(self, request: Request) -> Answer:
        """Send a request over a connection of its own, and return the response; a redirect is one.

        Args:
            request: the request.

        Raises:
            UntrustedCertificateError: the certificate is not trusted.
        """
        if self._is_aborted:
            return Answer(None, "the check was ended")
        deadline = time.monotonic() + NO_ANSWER_SECONDS
        try:
            connection = connect(self._target, self._context, deadline)
        except OSError as error:
            return Answer(None, problem_of(error))
        self._open.add(connection)
        try:
            return _Exchange(connection, deadline).run(self._target, request)
        finally:
            self._open.discard(connection)
            connection.close()

    def abort(self) -> None:
        """End what is under way, so that nothing is waited for."""
        self._is_aborted = True
        for connection in [*self._open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Exchange:
    """One request and its response on a connection.

    Args:
        connection: the connection.
        deadline: until when it must be over, by `time.monotonic`.
    """

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._socket = connection
        self._deadline = deadline
        self._http = h11.Connection(h11.CLIENT)
        self._progress = _Progress()

    def run(self, target: Target, request: Request) -> Answer:
        start = time.monotonic()
        problem = ""
        try:
            # A server that has seen enough may close; its response is there to be read.
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                self._send(_head_of(target, request), request)
            self._read(until_complete=True)
        except h11.RemoteProtocolError as error:
            problem = protocol_problem_of(error)
        except TimeoutError as error:
            endless = f"the body of the response does not end within {BODY_SECONDS:.0f} seconds"
            problem = problem_of(error) if self._progress.status is None else endless
        except OSError as error:
            problem = problem_of(error)
        seconds, found = time.monotonic() - start, self._progress
        if found.status is None:
            # What h11 still holds is not even the whole of a head.
            begin = self._http.trailing_data[0][:MOST_OF_A_MESSAGE].strip().decode("latin-1")
            if begin and "not HTTP" not in problem:
                problem = f"the response is not HTTP: it begins with {begin}"
            return Answer(None, problem or NO_RESPONSE, seconds)
        return Answer(found.status, problem, seconds, found.headers, _clock.now(), found.continued)

    def _send(self, head: h11.Request, request: Request) -> None:
        self._write(head)
        if request.expect:
            with contextlib.suppress(TimeoutError):
                self._read(until_complete=False, deadline=min(self._deadline, time.monotonic() + CONTINUE_SECONDS))
        for start in range(0, len(request.body), _PIECE):
            self._read_what_is_there()
            if self._progress.status is not None:
                return
            self._write(h11.Data(data=request.body[start : start + _PIECE]))
        if self._progress.status is None:
            self._write(h11.EndOfMessage())

    def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        data = self._http.send(event)
        self._socket.settimeout(_left(self._deadline))
        if data:
            self._socket.sendall(data)

    def _read_what_is_there(self) -> None:
        """Take a response that came before the request was complete, without waiting for one."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            self._receive()
            self._take_events(until_complete=False)

    def _read(self, *, until_complete: bool, deadline: float | None = None) -> None:
        """Read until the response is complete; or, if that is not asked, until a head of any kind has come."""
        while not self._take_events(until_complete=until_complete):
            until = self._deadline if deadline is None else deadline
            self._socket.settimeout(_left(min(until, self._progress.body_deadline or until)))
            self._receive()

    def _receive(self) -> None:
        data = self._socket.recv(_PIECE)
        self._http.receive_data(data)

    def _take_events(self, *, until_complete: bool) -> bool:
        """Take what has been read; whether that is all that was waited for."""
        found = self._progress
        while not found.complete:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return False
            if isinstance(event, h11.InformationalResponse):
                found.continued |= event.status_code == 100  # noqa: PLR2004
                if found.continued and not until_complete:
                    return True
            elif isinstance(event, h11.Response):
                found.status = event.status_code
                found.body_deadline = time.monotonic() + BODY_SECONDS
                found.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                if not until_complete:
                    return True
            elif isinstance(event, h11.Data):
                found.length += len(event.data)
                found.complete = found.length > _MOST_OF_A_RESPONSE
            else:
                found.complete = True
        return True


def _head_of(target: Target, request: Request) -> h11.Request:
    headers = {
        "Host": target.host_header,
        "Content-Type": "application/json",
        "User-Agent": "listrak-webhooks",
        **request.headers,
        "Connection": "close",
    }
    if request.chunked:
        headers["Transfer-Encoding"] = "chunked"
    else:
        headers["Content-Length"] = str(len(request.body))
    if request.expect:
        headers["Expect"] = "100-continue"
    names = {name: name.lower() if request.lower_case else name for name in headers}
    return h11.Request(
        method="POST", target=target.path, headers=[(names[name], value) for name, value in headers.items()]
    )
