"""What each server makes of deliveries, genuine, slow, too large and cut off."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest
from support.deliveries import Delivery, signed
from support.helpers import BODY, PATIENCE, SECRET, TIMESTAMP, sign_like_listrak
from support.servers import Connection

from .places import Place, places
from .running import answer_of
from .shared import BODY_TIMEOUT, HANDLED, MAX_BODY, PROCESS

if TYPE_CHECKING:
    from collections.abc import Generator

    from .running import Running

PROMPT = 3.0
"""Seconds within which something that is due at once has happened, also on a busy machine."""

TOO_LARGE = b"x" * 8_000_000
"""More than what fits into the buffers of a connection, so that a sender notices if nobody reads."""


def cut(delivery: Delivery, size: int) -> bytes:
    """Return a request without its last bytes."""
    return delivery.to_bytes()[:-size]


def head_of(delivery: Delivery) -> bytes:
    """Return a request without its body."""
    head, end, _ = delivery.to_bytes().partition(b"\r\n\r\n")
    return head + end


def takes_chunks(place: Place) -> bool:
    """Return whether the end of a body in chunks is known there."""
    return place.server.takes_chunks


class TestGenuine:
    """A genuine delivery."""

    @places()
    def test_with_a_length(self, running: Running, place: Place) -> None:
        """A body with a length is accepted."""
        assert running.send(Delivery(path=place.path)).status == 200

    @places(takes_chunks)
    @pytest.mark.parametrize("piece", [7, len(BODY)])
    def test_in_chunks(self, running: Running, place: Place, piece: int) -> None:
        """A body in chunks is accepted."""
        assert running.send(Delivery(path=place.path, chunked=True, piece=piece)).status == 200

    @places(lambda place: not takes_chunks(place))
    def test_in_chunks_whose_end_nobody_knows(self, running: Running, place: Place) -> None:
        """The response says what is wrong."""
        answer = running.send(Delivery(path=place.path, chunked=True))
        assert answer.status == 500
        assert b"body_unavailable" in answer.body

    @places()
    @pytest.mark.parametrize("space", [" {}", "{} ", "\t{}\t", "  {} \t "], ids=repr)
    def test_with_white_space_around_its_headers(self, running: Running, place: Place, space: str) -> None:
        """White space around a header's value is not part of it."""
        headers = {name: space.format(value) for name, value in signed().items()}
        assert running.send(Delivery(path=place.path, headers=headers)).status == 200


def _assert_ended(running: Running, request: bytes, piece: bytes) -> None:
    with Connection(running.port) as connection:
        started = time.monotonic()
        connection.dribble(request, piece=piece, pause=0.1)
        answer = connection.answer()
    assert answer.status == 500
    assert b"body_unavailable" in answer.body
    assert BODY_TIMEOUT <= time.monotonic() - started < BODY_TIMEOUT + PROMPT


class TestSlow:
    """A body of which a byte comes now and then."""

    @places(lambda place: place.bound == "body_timeout")
    def test_with_a_length(self, running: Running, place: Place) -> None:
        """What comes in time does not extend the deadline, and the sender sees the response."""
        _assert_ended(running, cut(Delivery(path=place.path, declared=1000), 1), b"x")

    @places(lambda place: place.bound == "body_timeout" and takes_chunks(place))
    @pytest.mark.parametrize("within", [False, True], ids=["chunk-by-chunk", "within-a-chunk"])
    def test_in_chunks(self, running: Running, place: Place, *, within: bool) -> None:
        """Neither a chunk nor a part of one extends the deadline."""
        head = head_of(Delivery(path=place.path, chunked=True))
        _assert_ended(running, *((head + b"3e8\r\n", b"x") if within else (head, b"1\r\nx\r\n")))

    @places(lambda place: place.bound == "gathered")
    def test_that_is_gathered_first(self, running: Running, place: Place) -> None:
        """It is waited for without a thread of the application, and a delivery on another connection is accepted."""
        with (
            self._slow(running, Delivery(path=place.path)),
            self._slow(running, Delivery(path=place.path, chunked=True)),
        ):
            assert running.send(Delivery(path=place.path)).status == 200

    @places(lambda place: place.bound == "hidden")
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_from_a_hidden_connection(self, running: Running, place: Place, *, chunked: bool) -> None:
        """It holds a thread, of which there is one, until the sender ends; then both deliveries are accepted."""
        with Connection(running.port) as other:
            with self._slow(running, Delivery(path=place.path, chunked=chunked)):
                other.send(Delivery(path=place.path).to_bytes())
                assert not select.select([other.socket], [], [], BODY_TIMEOUT)[0]
            assert other.answer().status == 200

    @staticmethod
    @contextlib.contextmanager
    def _slow(running: Running, delivery: Delivery) -> Generator[None, None, None]:
        """Keep a genuine delivery waiting, longer than `body_timeout`, and see that it is accepted after all."""
        with Connection(running.port) as slow:
            slow.send(cut(delivery, 10))
            ends = time.monotonic() + BODY_TIMEOUT + 0.3
            time.sleep(0.2)
            yield
            assert not select.select([slow.socket], [], [], max(0.0, ends - time.monotonic()))[0]
            slow.send(delivery.to_bytes()[-10:])
            assert slow.answer().status == 200


class TestTooLarge:
    """A body that is over the limit."""

    @places()
    @pytest.mark.parametrize("size", [MAX_BODY + 1, len(TOO_LARGE)])
    def test_its_sender_sees_the_response(self, running: Running, place: Place, size: int) -> None:
        """It sends all of it before it reads anything, and the connection is not reset."""
        self._assert_seen(running, Delivery(TOO_LARGE[:size], path=place.path))

    @places(takes_chunks)
    @pytest.mark.parametrize("size", [MAX_BODY + 1, len(TOO_LARGE)])
    def test_in_chunks(self, running: Running, place: Place, size: int) -> None:
        """Its size is found out by reading, and the rest is read too."""
        self._assert_seen(running, Delivery(TOO_LARGE[:size], path=place.path, chunked=True))

    @staticmethod
    def _assert_seen(running: Running, delivery: Delivery) -> None:
        answer = running.send(delivery)
        assert answer.status == 413
        assert b"body_too_large" in answer.body
        assert running.send(Delivery(path=delivery.path)).status == 200

    @places()
    def test_a_sender_that_expects_to_be_asked_for_it(self, running: Running, place: Place) -> None:
        """If the server asks for it at once, it is sent; in any case the sender sees the response."""
        delivery = Delivery(TOO_LARGE, path=place.path, headers={**signed(TOO_LARGE), "Expect": "100-continue"})
        with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as connection:
            connection.sendall(head_of(delivery))
            if b" 100 " in connection.recv(16, socket.MSG_PEEK):
                # Hypercorn asks for it and closes the connection, once the application has responded without it.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(TOO_LARGE)
            answer = answer_of(connection)
        assert answer.status == 413
        assert b"body_too_large" in answer.body


class TestCutOff:
    """A sender that says one length, sends another, and hangs up."""

    @places()
    @pytest.mark.parametrize("hang_up", ["end", "reset"])
    @pytest.mark.parametrize("way", ["too-little", "too-much", "chunks", "within-a-chunk"])
    def test_it_is_not_accepted_and_the_process_lives_on(
        self, running: Running, place: Place, way: str, hang_up: str
    ) -> None:
        """No view is called, no traceback shows our code, and the same process handles the next delivery."""
        first = running.send(Delivery(path=place.path))
        request = {
            "too-little": cut(Delivery(path=place.path), 10),
            "too-much": Delivery(path=place.path, declared=len(BODY) - 10).to_bytes(),
            "chunks": cut(Delivery(path=place.path, chunked=True, piece=7), len(b"0\r\n\r\n") + 9),
            "within-a-chunk": cut(Delivery(path=place.path, chunked=True), len(b"0\r\n\r\n") + 9),
        }[way]
        headers = signed(b"the next one")
        with running.logged() as lines:
            with Connection(running.port, PROMPT) as connection:
                connection.send(request)
                (_end if hang_up == "end" else _reset)(connection.socket)
            next_one = running.send(Delivery(b"the next one", headers=headers, path=place.path))
        assert next_one.status == 200
        assert next_one.headers[PROCESS.lower()] == first.headers[PROCESS.lower()]
        mac = sign_like_listrak(SECRET.encode(), b"the next one", headers[TIMESTAMP])
        assert [line for line in lines if line.startswith(HANDLED)] == [f"{HANDLED} {mac.hex()}"]
        assert not [line for line in lines if 'File "' in line and "/listrak_webhooks/" in line]


def _end(connection: socket.socket) -> None:
    """End the sending side, and see that the response, if there is one, is not that of an accepted delivery."""
    connection.shutdown(socket.SHUT_WR)
    found = b""
    with contextlib.suppress(OSError):
        found = connection.recv(100)
    assert b" 200 " not in found[:16]


def _reset(connection: socket.socket) -> None:
    """Have the connection reset when it is closed, after the server has begun to read."""
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
