"""The raw body in the adapter kit, with streams as each WSGI server hands them out: its end, and its parts."""

from __future__ import annotations

import contextlib
import gzip
import io
import socket
import sys
import tempfile
import time
import zlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import BodyTooLargeError, BodyUnavailableError, SignatureMismatchError, Webhook
from listrak_webhooks._http import wsgi
from listrak_webhooks._http.body import DRAIN_BYTES, Body, missing_body, verify
from support.deliveries import forged, signed
from support.helpers import BODY, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


CHUNKED: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked"}
GZIP: dict[str, Any] = {"HTTP_CONTENT_ENCODING": "gzip"}
COMPRESSED = gzip.compress(BODY)

LIMITS = wsgi.Limits(Webhook(SECRET, max_body=1000), None, "the framework's limit", 5.0)


class Stream:
    """A server's stream, which keeps count and hands out at most `piece` bytes at once."""

    def __init__(self, data: bytes = BODY, piece: int = 1 << 20) -> None:
        self._data = io.BytesIO(data)
        self._piece = piece
        self.taken = 0

    def read(self, size: int) -> bytes:
        data = self._data.read(min(size, self._piece))
        self.taken += len(data)
        return data


class Endless(Stream):
    """A bare connection, on which a read behind the body would wait for ever."""

    def __init__(self, body: bytes = BODY) -> None:
        super().__init__(body)
        self._left = len(body)

    def read(self, size: int) -> bytes:
        assert size <= self._left, "read behind the end of the body"
        self._left -= size
        return super().read(size)


class Connected(Stream):
    """A stream with a connection, on which `waiting` can be seen; what is behind it has come already."""

    def __init__(self, data: bytes, connection: socket.socket) -> None:
        super().__init__(data, piece=16_384)
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()


def made_by(module: str, stream: Stream, **attributes: Any) -> Any:
    """Return a stream whose type says that it comes from another package."""
    kind = type("Input", (), {"__module__": module, "read": staticmethod(stream.read), **attributes})
    return kind()


def in_file(body: bytes) -> Any:
    """Return a file with a body."""
    file = tempfile.TemporaryFile("w+b", buffering=8192)  # noqa: SIM115
    file.write(body)
    file.seek(0)
    return file


def spooled(body: bytes) -> Any:
    """Return what asgiref gathers a body in."""
    file = tempfile.SpooledTemporaryFile(max_size=65536)  # noqa: SIM115
    file.write(body)
    file.seek(0)
    return file


def environ(stream: Any, length: Any = None, **others: Any) -> dict[str, Any]:
    """Return as much of a WSGI environ as says something about the body."""
    length_header = {} if length is None else {"CONTENT_LENGTH": str(length)}
    return {"wsgi.input": stream, **length_header, **others}


ENDS_BY_ITSELF: dict[str, Callable[[bytes], Any]] = {
    "memory": io.BytesIO,
    "file": in_file,
    "asgiref": spooled,
    "a2wsgi": lambda body: made_by("a2wsgi.wsgi", Stream(body, piece=5)),
    "eventlet": lambda body: made_by("eventlet.wsgi", Stream(body), chunked_input=True),
    "twisted": lambda body: made_by("twisted.web.wsgi", Stream(body)),
}


@pytest.fixture(params=ENDS_BY_ITSELF.values(), ids=list(ENDS_BY_ITSELF))
def make(request: pytest.FixtureRequest) -> Generator[Callable[[bytes], Any], None, None]:
    """Yield what makes a stream that ends with the body it is made with."""
    with contextlib.ExitStack() as made:

        def make(body: bytes) -> Any:
            stream = request.param(body)
            made.callback(getattr(stream, "close", lambda: None))
            return stream

        yield make


class TestWhereABodyEnds:
    """PEP 3333 leaves it to the server, so each server's way is known."""

    @pytest.mark.parametrize("piece", [1, 7, 1 << 20])
    def test_a_declared_length_ends_it(self, piece: int) -> None:
        """What comes behind it on the connection is the next request's."""
        stream = Stream(BODY + b"POST / HTTP/1.1", piece)
        assert wsgi.read_body(environ(stream, len(BODY)), LIMITS) == Body(BODY)
        assert stream.taken == len(BODY)

    def test_a_bare_connection_is_not_read_behind_it(self) -> None:
        """Such a read would wait for the sender."""
        assert wsgi.read_body(environ(Endless(), len(BODY)), LIMITS) == Body(BODY)

    @pytest.mark.parametrize("piece", [1, 7, 1 << 20])
    def test_the_server_says_that_its_stream_ends(self, piece: int) -> None:
        """That is what `wsgi.input_terminated` is for, and a body in chunks then is read to its end."""
        marked = environ(Stream(piece=piece), **{"wsgi.input_terminated": True}, **CHUNKED)
        assert wsgi.read_body(marked, LIMITS) == Body(BODY)

    @pytest.mark.parametrize("headers", [CHUNKED, {}], ids=["chunks", "http2"])
    def test_the_stream_is_known_to_end(self, make: Callable[[bytes], Any], headers: dict[str, Any]) -> None:
        """Some servers and bridges do not say so; HTTP/2 has neither chunks nor, always, a length."""
        assert wsgi.read_body(environ(make(BODY), **headers), LIMITS) == Body(BODY)

    def test_a_body_in_memory_is_not_written_to_a_file(self) -> None:
        """Asking a spooled file for its descriptor would write it out."""
        with spooled(BODY) as stream:
            assert wsgi.read_body(environ(stream, **CHUNKED), LIMITS) == Body(BODY)
            assert stream._rolled is False

    def test_uwsgi_has_a_function_for_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its `wsgi.input` is empty then."""
        chunks = [BODY[:5], BODY[5:], b"", b""]
        module = ModuleType("uwsgi")
        module.chunked_read = lambda: chunks.pop(0)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "uwsgi", module)
        assert wsgi.read_body(environ(made_by("uwsgi", Stream(b"")), **CHUNKED), LIMITS) == Body(BODY)

    def test_a_server_in_front_has_counted_the_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Behind nginx's `uwsgi_pass` the whole body is there with its length, and with the sender's header."""
        module = ModuleType("uwsgi")
        module.chunked_read = lambda: pytest.fail("there are no chunks")  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "uwsgi", module)
        for stream in (Endless(), made_by("uwsgi", Endless())):
            assert wsgi.read_body(environ(stream, len(BODY), **CHUNKED), LIMITS) == Body(BODY)

    def test_chunks_rule_over_a_length(self) -> None:
        """A sender that gives both means the chunks (RFC 9112, section 6.3)."""
        both = environ(Stream(), 5, **{"wsgi.input_terminated": True}, **CHUNKED)
        assert wsgi.read_body(both, LIMITS) == Body(BODY)

    @pytest.mark.parametrize(
        "stream",
        [Endless(b""), made_by("eventlet.wsgi", Endless(b""), chunked_input=False), made_by("uwsgi", Endless(b""))],
        ids=["bare", "eventlet-without-chunks", "uwsgi-without-its-module"],
    )
    def test_a_stream_that_may_never_end_is_not_read(self, stream: Any) -> None:
        """Nobody knows where such a body ends, so it is said to be missing."""
        data, missing = wsgi.read_body(environ(stream, **CHUNKED), LIMITS)
        assert (data, missing) == (b"", "the body was sent in chunks and nothing of it was left")

    @pytest.mark.parametrize("gathered", [False, True], ids=["streamed", "gathered"])
    def test_how_much_is_asked_for_at_once(self, *, gathered: bool) -> None:
        """Cheroot's reads cost the square of their chunks; a body in memory is handed out whole, without a copy."""
        asked: list[int] = []

        class Counting(io.BytesIO if gathered else Stream):  # type: ignore[misc]
            def read(self, size: int) -> bytes:
                asked.append(size)
                return super().read(size)  # type: ignore[no-any-return]

        large = wsgi.Limits(Webhook(SECRET), None, "the framework's limit", 5.0)
        body = b"x" * 200_000
        marks = {"wsgi.input_terminated": True, **CHUNKED}
        assert wsgi.read_body(environ(Counting(body), **marks), large) == Body(body)
        assert (max(asked) > len(body)) == gathered

    def test_a_request_without_any_framing_has_no_body(self) -> None:
        """That is so in HTTP/1.1 (RFC 9112, section 6.3), and nothing is missing."""
        assert wsgi.read_body(environ(Endless(b"")), LIMITS) == Body(b"")

    @pytest.mark.parametrize("size", [1000, 1001])
    def test_the_limit_counts_without_a_length(self, make: Callable[[bytes], Any], size: int) -> None:
        """The first byte over it ends the reading."""
        request = environ(make(b"x" * size), **CHUNKED)
        if size <= LIMITS.most:
            assert len(wsgi.read_body(request, LIMITS).data) == size
        else:
            with pytest.raises(BodyTooLargeError):
                wsgi.read_body(request, LIMITS)


class TestDecompressed:
    """A layer before us may have decompressed the body and left the length as it was."""

    @pytest.mark.parametrize("body", [BODY * 5, BODY], ids=["longer", "shorter"])
    @pytest.mark.parametrize("mark", [True, False], ids=["marked", "in-memory"])
    def test_it_is_read_to_its_end(self, body: bytes, *, mark: bool) -> None:
        """So do Apache's filters, whose stream ends by itself, and a middleware that replaces the stream."""
        stream = Stream(body) if mark else io.BytesIO(body)
        request = environ(stream, len(COMPRESSED), **{"wsgi.input_terminated": mark}, **GZIP)
        assert wsgi.read_body(request, LIMITS) == Body(body)

    def test_a_bare_connection_is_not_read_behind_the_length(self) -> None:
        """The header alone does not say that anybody has decompressed."""
        request = environ(Endless(COMPRESSED), len(COMPRESSED), **GZIP)
        assert wsgi.read_body(request, LIMITS) == Body(COMPRESSED)

    def test_the_limit_is_that_of_what_comes_out(self) -> None:
        """A few bytes can become very many."""
        request = environ(io.BytesIO(b"x" * 1001), 20, **GZIP)
        with pytest.raises(BodyTooLargeError):
            wsgi.read_body(request, LIMITS)

    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", " x-gzip", "deflate", "zstd", "br", "gzip, br", "aes128gcm"])
    def test_a_forgery_is_a_forgery(self, encoding: str) -> None:
        """What is shorter than its declared length was decompressed, and nothing of it is lost."""
        missing = missing_body(BODY, declared=len(BODY) + 50, chunked=False, encoding=encoding)
        with pytest.raises(SignatureMismatchError):
            verify(Webhook(SECRET), Body(BODY, missing), forged())

    @pytest.mark.parametrize(
        ("encoding", "data"),
        [
            pytest.param("gzip", COMPRESSED[:-9], id="gzip"),
            pytest.param("x-gzip", COMPRESSED[:-9], id="x-gzip"),
            pytest.param("deflate", zlib.compress(BODY)[:-9], id="deflate"),
            pytest.param("zstd", b"\x28\xb5\x2f\xfd\x04", id="zstd"),
            pytest.param("gzip", b"", id="nothing-left"),
            pytest.param("identity", BODY, id="identity"),
            pytest.param("", BODY, id="empty-header"),
            pytest.param(None, BODY, id="no-header"),
        ],
    )
    def test_a_part_that_nobody_decompressed_is_a_part(self, encoding: str | None, data: bytes) -> None:
        """The rest is lost, and that is not the sender's signature being wrong."""
        missing = missing_body(data, declared=len(BODY) + 50, chunked=False, encoding=encoding)
        assert missing == f"only {len(data)} of {len(BODY) + 50} bytes of the body were left"
        with pytest.raises(BodyUnavailableError, match="bytes of the body were left"):
            verify(Webhook(SECRET), Body(data, missing), signed(BODY * 2))

    def test_a_genuine_delivery_is_genuine_whatever_is_said_to_be_missing(self) -> None:
        """The signature is over the bytes that are there."""
        assert verify(Webhook(SECRET), Body(BODY, "something"), signed()).body == BODY


class TestThrownAway:
    """A body that nobody reads, so that its sender sees the response and not a reset."""

    @pytest.fixture
    def pair(self) -> Generator[tuple[socket.socket, socket.socket], None, None]:
        """Yield a sender's and a server's end of a connection."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield ours, theirs

    @pytest.mark.parametrize("headers", [CHUNKED, {}], ids=["chunks", "length"])
    def test_what_arrives_is_thrown_away(
        self, pair: tuple[socket.socket, socket.socket], headers: dict[str, str]
    ) -> None:
        """All of it, as long as it is not very much."""
        pair[0].send(b"x")
        stream = Connected(b"x" * 500_000, pair[1])
        length = {} if headers else {"CONTENT_LENGTH": "500000"}
        wsgi.drain({"wsgi.input": stream, "wsgi.input_terminated": bool(headers), **headers, **length})
        assert stream.taken == 500_000

    @pytest.mark.parametrize(
        ("length", "marks"),
        [
            pytest.param(DRAIN_BYTES + 1, {}, id="too-much"),
            pytest.param(0, {}, id="empty"),
            pytest.param(None, {"wsgi.input_terminated": True}, id="no-body"),
            pytest.param(None, CHUNKED, id="unknown-end"),
            pytest.param("+5", {}, id="unknown-length"),
        ],
    )
    def test_nothing_is_read_or_waited_for(
        self, pair: tuple[socket.socket, socket.socket], length: Any, marks: dict[str, Any]
    ) -> None:
        """There is nothing to throw away, it costs more than a reset does, or nobody knows where it ends."""
        stream = Connected(b"x" * 10, pair[1])
        started = time.monotonic()
        wsgi.drain(environ(stream, length, **marks))
        assert stream.taken == 0
        assert time.monotonic() - started < 0.1

    def test_a_sender_that_has_sent_nothing_gets_the_response_soon(
        self, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        """It may wait for the response before it sends anything."""
        stream = Connected(b"", pair[1])
        started = time.monotonic()
        wsgi.drain(environ(stream, 1000))
        assert time.monotonic() - started < 1.0

    @pytest.mark.parametrize("headers", [CHUNKED, {}], ids=["chunks", "length"])
    def test_what_comes_from_a_hidden_connection_is_thrown_away(self, headers: dict[str, str]) -> None:
        """Granian's WSGI resets it otherwise, and a slow sender has there what it has with any body."""
        stream = Stream(b"x" * 500_000)
        length = {} if headers else {"CONTENT_LENGTH": "500000"}
        wsgi.drain({"wsgi.input": stream, "wsgi.input_terminated": bool(headers), **headers, **length})
        assert stream.taken == 500_000

    def test_a_hidden_connection_is_read_until_the_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between two reads the time counts there too."""
        monkeypatch.setattr(wsgi, "DRAIN_SECONDS", 0.1)

        class Slow(Stream):
            def read(self, size: int) -> bytes:
                time.sleep(0.04)
                return super().read(1)

        stream = Slow(b"x" * 1000)
        wsgi.drain(environ(stream, 1000))
        assert 1 <= stream.taken <= 3

    def test_a_sender_on_a_hidden_connection_that_expects_to_be_asked_is_not_asked(self) -> None:
        """A read would ask for the body, and then it would be sent for nothing."""
        stream = Stream(b"x" * 10)
        wsgi.drain(environ(stream, 10, HTTP_EXPECT="100-continue"))
        assert stream.taken == 0

    def test_a_sender_that_was_asked_is_read(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """Gunicorn asks for each body before it calls the application; what the sender then sends has to be read."""
        pair[0].send(b"x")
        stream = Connected(b"x" * 10, pair[1])
        wsgi.drain(environ(stream, 10, HTTP_EXPECT="100-continue"))
        assert stream.taken == 10

    def test_a_body_over_the_limit_is_thrown_away(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """Whether its length was declared, or was found out by reading."""
        pair[0].send(b"x")
        for marks in ({"CONTENT_LENGTH": "200000"}, {"wsgi.input_terminated": True, **CHUNKED}):
            stream = Connected(b"x" * 200_000, pair[1])
            with pytest.raises(BodyTooLargeError):
                wsgi.read_body({"wsgi.input": stream, **marks}, LIMITS)
            assert stream.taken == 200_000

    def test_a_reader_that_raises_changes_nothing(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """The response is the same."""

        class Broken(Connected):
            def read(self, size: int) -> bytes:
                raise ConnectionResetError

        pair[0].send(b"x")
        wsgi.drain(environ(Broken(b"", pair[1]), 10))
