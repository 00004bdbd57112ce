"""What each server makes of deliveries, genuine, slow, too large and cut off."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest
from helpers import BODY, TIMESTAMP, SECRET, sign_like_listrak
from servers import PATIENCE, Connection, Delivery, signed

from .running import answer_of
from .shared import BODY_TIMEOUT, HANDLED, MAX_BODY, PROCESS
from .table import bound

if TYPE_CHECKING:
    from .conftest import Place

PROMPT = 3.0
"""Seconds within which something that is due at once has happened, also on a busy machine."""

TOO_LARGE = b"x" * 8_000_000
"""More than what fits into the buffers of a connection, so that a sender notices if nobody reads."""


def cut(delivery: Delivery, size: int) -> bytes:
    """Return a request without the last bytes."""
    return delivery.to_bytes()[:-size]


def head_of(delivery: Delivery) -> bytes:
    """Return a request without its body."""
    head, end, _ = delivery.to_bytes().partition(b"\r\n\r\n")
    return head + end


ways_to_come = pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])


class TestGenuine:
    """A genuine delivery."""

    def test_with_a_length(self, place: Place) -> None:
        """A body with a length is accepted."""
        assert place.running.send(Delivery(path=place.path)).status == 200

    def test_in_chunks(self, place: Place) -> None:
        """A body in chunks is accepted if its end is known, and otherwise the response says what is wrong."""
        answer = place.running.send(Delivery(path=place.path, chunked=True, piece=7))
        if place.running.server.takes_chunks:
            assert answer.status == 200
        else:
            assert answer.status == 500
            assert b"body_unavailable" in answer.body

    @pytest.mark.parametrize("space", [" {}", "{} ", "\t{}\t", "  {} \t "], ids=repr)
    def test_with_white_space_around_its_headers(self, place: Place, space: str) -> None:
        """White space around a header's value is not part of it."""
        headers = {name: space.format(value) for name, value in signed().items()}
        assert place.running.send(Delivery(path=place.path, headers=headers)).status == 200


class TestSlow:
    """A body of which a byte comes now and then."""

    @pytest.mark.parametrize("way", ["declared", "chunks", "within-a-chunk"])
    def test_it_has_one_deadline(self, place: Place, way: str) -> None:
        """What comes in time does not extend the deadline, and the sender sees the response."""
        if bound(place.running.server, place.framework) != "body_timeout":
            _assert_not_ended(place, chunked=way != "declared")
            return
        if way != "declared" and not place.running.server.takes_chunks:
            assert place.running.send(Delivery(path=place.path, chunked=True)).status == 500
            return
        request, piece = {
            "declared": (cut(Delivery(path=place.path, declared=1000), 1), b"x"),
            "chunks": (head_of(Delivery(path=place.path, chunked=True)), b"1\r\nx\r\n"),
            "within-a-chunk": (head_of(Delivery(path=place.path, chunked=True)) + b"3e8\r\n", b"x"),
        }[way]
        with Connection(place.running.port) as connection:
            started = time.monotonic()
            connection.dribble(request, piece=piece, pause=0.1)
            answer = connection.answer()
        assert answer.status == 500
        assert b"body_unavailable" in answer.body
        assert BODY_TIMEOUT <= time.monotonic() - started < BODY_TIMEOUT + PROMPT


def _assert_not_ended(place: Place, *, chunked: bool) -> None:
    """See that a slow body is waited for, and whether a delivery beside it is handled meanwhile.

    The servers have one thread for the application.
    """
    delivery = Delivery(path=place.path, chunked=chunked)
    with Connection(place.running.port) as slow, Connection(place.running.port) as other:
        slow.send(cut(delivery, 10))
        time.sleep(0.2)
        other.send(Delivery(path=place.path).to_bytes())
        if bound(place.running.server, place.framework) == "gathered":
            assert other.answer().status == 200
        ends = time.monotonic() + BODY_TIMEOUT + 0.3
        while (left := ends - time.monotonic()) > 0:
            assert not select.select([slow.socket, *_waiting(place, other)], [], [], left)[0]
        slow.send(delivery.to_bytes()[-10:])
        assert slow.answer().status == 200
        for _ in _waiting(place, other):
            assert other.answer().status == 200


def _waiting(place: Place, other: Connection) -> list[socket.socket]:
    return [other.socket] if bound(place.running.server, place.framework) == "hidden" else []


class TestTooLarge:
    """A body that is over the limit."""

    @ways_to_come
    @pytest.mark.parametrize("size", [MAX_BODY + 1, len(TOO_LARGE)])
    def test_its_sender_sees_the_response(self, place: Place, size: int, *, chunked: bool) -> None:
        """It sends all of it before it reads anything, and the connection is not reset."""
        if chunked and not place.running.server.takes_chunks:
            assert b"body_unavailable" in place.running.send(Delivery(path=place.path, chunked=True)).body
            return
        answer = place.running.send(Delivery(TOO_LARGE[:size], path=place.path, chunked=chunked))
        assert answer.status == 413
        assert b"body_too_large" in answer.body

    def test_the_next_delivery_is_accepted(self, place: Place) -> None:
        """Nothing of the body is left for it."""
        place.running.send(Delivery(TOO_LARGE, path=place.path))
        assert place.running.send(Delivery(path=place.path)).status == 200


class TestCutOff:
    """A sender that says one length, sends another, and hangs up."""

    @pytest.mark.parametrize("hang_up", ["end", "reset"])
    @pytest.mark.parametrize("way", ["too-little", "too-much", "chunks", "within-a-chunk"])
    def test_it_is_not_accepted_and_the_process_lives_on(self, place: Place, way: str, hang_up: str) -> None:
        """No view is called, no traceback shows our code, and the same process handles the next delivery."""
        first = place.running.send(Delivery(path=place.path))
        request = {
            "too-little": cut(Delivery(path=place.path), 10),
            "too-much": Delivery(path=place.path, declared=len(BODY) - 10).to_bytes(),
            "chunks": cut(Delivery(path=place.path, chunked=True, piece=7), 5 + 9),
            "within-a-chunk": cut(Delivery(path=place.path, chunked=True), 5 + 9),
        }[way]
        with place.running.logged() as lines:
            with Connection(place.running.port) as connection:
                connection.send(request)
                if hang_up == "end":
                    connection.socket.shutdown(socket.SHUT_WR)
                    with contextlib.suppress(OSError):
                        connection.socket.settimeout(PROMPT)
                        assert not connection.socket.recv(100).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
                else:
                    time.sleep(0.05)
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            headers = signed(b"the next one")
            next_one = place.running.send(Delivery(b"the next one", headers=headers, path=place.path))
        assert next_one.status == 200
        assert next_one.headers[PROCESS.lower()] == first.headers[PROCESS.lower()]
        mac = sign_like_listrak(SECRET.encode(), b"the next one", headers[TIMESTAMP])
        assert [line for line in lines if line.startswith(HANDLED)] == [f"{HANDLED} {mac.hex()}"]
        assert not [line for line in lines if 'File "' in line and "/listrak_webhooks/" in line]
