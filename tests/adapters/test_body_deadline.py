"""The deadline of a body: a read that waits for the sender ends with it, and nothing else does."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import BodyUnavailableError, SignatureMismatchError, Webhook
from listrak_webhooks._http import deadline as deadlines
from listrak_webhooks._http import wsgi
from listrak_webhooks._http.body import Body, verify
from listrak_webhooks._http.deadline import BodyDeadline
from support.deliveries import forged, signed
from support.helpers import BODY, SECRET

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="on Windows a body has the time that the server gives it"
)

PROMPT = 2.0
"""Seconds within which something that is due at once has happened, also on a busy machine."""


class Pair:
    """A sender's end of a connection, and a server's with its stream."""

    def __init__(self, *, tcp: bool = True) -> None:
        if tcp:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self.sender = socket.create_connection(listener.getsockname())
                self.server, _ = listener.accept()
        else:
            self.sender, self.server = socket.socketpair()
        self.sender.settimeout(PROMPT)
        self.rfile = self.server.makefile("rb")

    def environ(self, length: int = len(BODY)) -> dict[str, Any]:
        return {"wsgi.input": self.rfile, "CONTENT_LENGTH": str(length)}

    def close(self) -> None:
        for end in (self.rfile, self.server, self.sender):
            end.close()


@pytest.fixture(params=[True, False], ids=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Generator[Pair, None, None]:
    """Yield a connection."""
    with contextlib.closing(Pair(tcp=request.param)) as pair:
        yield pair


@pytest.fixture
def tcp() -> Generator[Pair, None, None]:
    """Yield a TCP connection."""
    with contextlib.closing(Pair()) as pair:
        yield pair


def _watchdogs() -> int:
    return [thread.name for thread in threading.enumerate()].count("listrak_webhooks-body-deadline")


def _descriptors() -> set[str]:
    return {path.name for path in Path("/dev/fd").iterdir()}


def send_later(sender: socket.socket, seconds: float) -> threading.Thread:
    """Send a body after so many seconds."""

    def send() -> None:
        time.sleep(seconds)
        sender.send(BODY)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def limits(seconds: float) -> wsgi.Limits:
    """Return limits with so much time."""
    return wsgi.Limits(Webhook(SECRET), None, "the framework's limit", seconds)


class TestInTime:
    """What arrives in time is not touched."""

    def test_a_body_that_comes_late_but_in_time_is_read(self, pair: Pair) -> None:
        """A slow sender is an honest one."""
        thread = send_later(pair.sender, 0.1)
        assert wsgi.read_body(pair.environ(), limits(5.0)) == Body(BODY)
        thread.join()

    def test_the_connection_is_left_as_it_was(self, pair: Pair) -> None:
        """The next request on it may wait for as long as the server likes."""
        for _ in range(2):
            pair.sender.send(BODY)
            assert wsgi.read_body(pair.environ(), limits(0.1)) == Body(BODY)
            time.sleep(0.2)
        assert pair.server.getblocking()
        pair.server.send(b"HTTP/1.1 200 OK")
        assert pair.sender.recv(100) == b"HTTP/1.1 200 OK"

    def test_a_late_but_whole_body_is_genuine(self) -> None:
        """From a server that hides the connection it may come after its time, and it is all there."""

        class Slow:
            def read(self, size: int) -> bytes:
                time.sleep(0.1)
                return BODY

        body = wsgi.read_body({"wsgi.input": Slow(), "CONTENT_LENGTH": str(len(BODY))}, limits(0.05))
        assert verify(Webhook(SECRET), body, signed()).body == BODY
        assert body.missing is None


class TestLate:
    """A sender that stalls, or sends too slowly."""

    def test_a_read_that_waits_ends(self, pair: Pair) -> None:
        """What has come is kept, and said to be a part; the response can still be sent."""
        pair.sender.send(BODY[:9])
        started = time.monotonic()
        data, missing = wsgi.read_body(pair.environ(), limits(0.2))
        assert 0.2 <= time.monotonic() - started < 0.2 + PROMPT
        assert (data, missing) == (BODY[:9], "the body did not arrive within 0.2 seconds")
        pair.server.send(b"HTTP/1.1 500 Internal Server Error")
        assert pair.sender.recv(100).startswith(b"HTTP/1.1 500")

    def test_each_piece_earns_no_more_time(self, tcp: Pair) -> None:
        """The whole body has one deadline, so a sender that dribbles does not hold a thread."""
        over = threading.Event()

        def dribble() -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.05):
                    tcp.sender.send(b"x")

        thread = threading.Thread(target=dribble)
        thread.start()
        started = time.monotonic()
        _, missing = wsgi.read_body(tcp.environ(1_000_000), limits(0.3))
        assert 0.3 <= time.monotonic() - started < 0.3 + PROMPT
        over.set()
        thread.join()
        assert missing == "the body did not arrive within 0.3 seconds"

    def test_a_reader_that_takes_the_end_for_the_end_of_the_body(self, pair: Pair) -> None:
        """A body in chunks that was cut off is not a bad signature."""
        pair.sender.send(BODY[:9])
        request = {"wsgi.input": pair.rfile, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        body = wsgi.read_body(request, limits(0.1))
        with pytest.raises(BodyUnavailableError, match=r"did not arrive within 0\.1 seconds"):
            verify(Webhook(SECRET), body, signed())

    def test_a_reader_that_raises_for_the_end(self, pair: Pair) -> None:
        """The log says that the time was over, and not what the reader made of it."""

        class Raising:
            def read(self, size: int) -> bytes:
                assert pair.rfile.read(size) == b""
                raise EOFError

            def fileno(self) -> int:
                return pair.server.fileno()

        with pytest.raises(BodyUnavailableError, match=r"did not arrive within 0\.1 seconds"):
            wsgi.read_body({"wsgi.input": Raising(), "CONTENT_LENGTH": "9"}, limits(0.1))

    def test_many_at_once_end_together(self) -> None:
        """There is one thread for all of them."""
        before = _watchdogs()
        with contextlib.ExitStack() as opened:
            pairs = [opened.enter_context(contextlib.closing(Pair())) for _ in range(40)]
            found: list[str | None] = []
            threads = [
                threading.Thread(target=lambda each=each: found.append(wsgi.read_body(each.environ(), limits(0.3))[1]))
                for each in pairs
            ]
            started = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert time.monotonic() - started < 0.3 + PROMPT
            assert found == ["the body did not arrive within 0.3 seconds"] * 40
        assert _watchdogs() <= max(before, 1)

    def test_a_forgery_from_a_slow_server_is_a_forgery(self) -> None:
        """Nothing was cut off, so nothing is missing."""

        class Slow:
            def read(self, size: int) -> bytes:
                time.sleep(0.1)
                return b""

        body = wsgi.read_body({"wsgi.input": Slow(), "wsgi.input_terminated": True}, limits(0.05))
        with pytest.raises(SignatureMismatchError):
            verify(Webhook(SECRET), body, forged())

    def test_a_short_deadline_is_kept_behind_a_long_one(self, pair: Pair) -> None:
        """The watchdog, which sleeps for the long one, is woken."""
        with contextlib.closing(Pair()) as other, BodyDeadline(other.environ(), 60.0):
            time.sleep(0.05)
            started = time.monotonic()
            wsgi.read_body(pair.environ(), limits(0.1))
            assert time.monotonic() - started < 0.1 + PROMPT / 4

    def test_a_process_with_a_default_timeout(self, pair: Pair) -> None:
        """A socket object made under it would take the blocking mode from the connection."""
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(5.0)
        try:
            wsgi.read_body(pair.environ(), limits(0.1))
        finally:
            socket.setdefaulttimeout(before)
        assert os.get_blocking(pair.server.fileno())


class TestDescriptors:
    """A descriptor's number may be another connection's at once."""

    def test_another_connection_under_the_same_number_is_left_alone(self, tcp: Pair) -> None:
        """A server that closes a connection in the middle of a request gives the number free."""
        with contextlib.closing(Pair()) as other:
            with BodyDeadline(tcp.environ(), 0.1):
                os.dup2(other.server.fileno(), tcp.server.fileno())
                time.sleep(0.3)
            other.sender.send(b"still open")
            assert other.server.recv(100) == b"still open"

    def test_a_closed_one_is_nothing(self, tcp: Pair) -> None:
        """There is nothing to end."""
        with BodyDeadline(tcp.environ(), 0.1) as deadline:
            tcp.rfile.close()
            tcp.server.close()
            time.sleep(0.3)
        assert (deadline.passed, deadline.cut) == (True, False)

    def test_nothing_is_left_open(self, tcp: Pair) -> None:
        """Neither a descriptor nor a deadline outlives its block."""
        gc.collect()
        before = _descriptors()
        wsgi.read_body(tcp.environ(), limits(0.05))
        with BodyDeadline(tcp.environ(), 60.0):
            pass
        assert _descriptors() == before
        assert not deadlines._watchdog()._deadlines

    def test_a_file_is_not_a_connection(self) -> None:
        """A read of it waits for nobody."""
        with open(__file__, "rb") as file:  # noqa: PTH123
            assert not BodyDeadline({"wsgi.input": file}, 1.0).is_kept

    def test_two_first_requests_have_one_watchdog(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A deadline that was added to a second one could not be removed from the first."""
        monkeypatch.setattr(deadlines, "_watchdogs", {})
        switch = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            found: list[Any] = []
            start = threading.Barrier(8)

            def ask() -> None:
                start.wait()
                found.append(deadlines._watchdog())

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(switch)
        assert len(set(found)) == 1

    def test_bodies_that_come_when_their_time_is_over_harm_no_other(self) -> None:
        """Between the last byte and the end of the block nothing can be cut off that is somebody else's."""
        lost: list[bytes] = []

        def exchange_often() -> None:
            over = time.monotonic() + 1.0
            while time.monotonic() < over:
                with contextlib.closing(Pair()) as pair:
                    late = send_later(pair.sender, 0.02)
                    wsgi.read_body(pair.environ(), limits(0.02))
                    late.join()
                with contextlib.closing(Pair()) as pair:
                    pair.sender.send(BODY)
                    if (body := wsgi.read_body(pair.environ(), limits(5.0))) != Body(BODY):
                        lost.append(body.data)

        threads = [threading.Thread(target=exchange_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert lost == []


class TestThread:
    """The watchdog's own life."""

    def test_no_thread_can_be_started(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then a body has the time that the server gives it, and the delivery is taken."""

        def reject(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(deadlines, "_watchdogs", {})
            patched.setattr(threading.Thread, "start", reject)
            pair.sender.send(BODY)
            assert wsgi.read_body(pair.environ(), limits(0.1)) == Body(BODY)

    def test_the_next_one_tries_again(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was not possible once may be later."""
        watchdog = deadlines._Watchdog()
        monkeypatch.setattr(deadlines, "_watchdogs", {os.getpid(): watchdog})
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError()))
            with BodyDeadline(pair.environ(), 5.0):
                pass
        pair.sender.send(BODY[:9])
        assert wsgi.read_body(pair.environ(), limits(0.1)).missing == "the body did not arrive within 0.1 seconds"

    def test_it_ends_when_there_is_nothing_to_do(self, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        """It comes back with the next body."""
        monkeypatch.setattr(deadlines, "_watchdogs", {})
        monkeypatch.setattr(deadlines, "IDLE_SECONDS", 0.05)
        monkeypatch.setattr(deadlines, "LONGEST_SLEEP", 0.01)
        pair.sender.send(BODY)
        wsgi.read_body(pair.environ(), limits(5.0))
        watchdog = deadlines._watchdog()
        over = time.monotonic() + PROMPT
        while watchdog._is_running and time.monotonic() < over:
            time.sleep(0.01)
        assert not watchdog._is_running
        assert wsgi.read_body(pair.environ(), limits(0.1)).missing == "the body did not arrive within 0.1 seconds"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
    def test_a_fork_has_one_of_its_own(self) -> None:
        """The parent's thread is not there, and its lock may be held."""
        done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False, timeout=30)
        assert done.stdout == "parent cut\nchild cut\n", done.stderr

    def test_a_process_that_ends_in_between_ends(self) -> None:
        """Neither the thread nor a deadline keeps it, and it says nothing."""
        done = subprocess.run([sys.executable, "-c", EXIT], capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


PRELUDE = """
import os, socket, sys, time
from listrak_webhooks._http import deadline
from listrak_webhooks._http.deadline import BodyDeadline

def cut():
    ours, theirs = socket.socketpair()
    stream = theirs.makefile("rb")
    with BodyDeadline({"wsgi.input": stream}, 0.1) as late:
        assert stream.read(1) == b""
    return late.cut
"""

FORK = f"""{PRELUDE}
print("parent", "cut" if cut() else "not", flush=True)
with deadline._watchdog()._condition:
    child = os.fork()
if child == 0:
    print("child", "cut" if cut() else "not", flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""

EXIT = f"""{PRELUDE}
ours, theirs = socket.socketpair()
late = BodyDeadline({{"wsgi.input": theirs.makefile("rb")}}, 0.05)
late.__enter__()
"""


def test_data_is_seen_without_being_taken(pair: Pair) -> None:
    """It is the server's to read, with its own stream."""
    deadline = BodyDeadline(pair.environ(), 1.0)
    assert not deadline.sees_data(0.02)
    pair.sender.send(b"x")
    assert deadline.sees_data(PROMPT)
    assert select.select([pair.server], [], [], 0)[0]
    assert pair.rfile.read(1) == b"x"
