"""Webhook: one for many threads, processes and interpreters."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from listrak_webhooks import Event, SignatureMismatchError, Webhook
from support.helpers import BODY, NOW, SECRET, SIGNATURE, headers_for

SMALL_BODY = BODY
LARGE_BODY = b'{"filler":"' + b"x" * 100_000 + b'"}'


def _verdicts(webhook: Webhook, turns: int) -> list[str]:
    """Return what is wrong with this many verdicts on small and large, genuine and forged deliveries."""
    wrong = []
    for turn in range(turns):
        body = LARGE_BODY if turn % 3 == 0 else SMALL_BODY
        secret = "old" if turn % 2 else "new"
        headers = headers_for(body, secret=secret)
        event = webhook.verify(body, headers, now=NOW)
        if event.body is not body or event.secret_index != turn % 2 or not event.payload:
            wrong.append(f"turn {turn}: {event!r}")
        if webhook.sign(body, NOW) != headers_for(body, secret="new")[SIGNATURE]:
            wrong.append(f"turn {turn}: another signature")
        try:
            webhook.verify(body, headers_for(body, secret="forged"), now=NOW)
        except SignatureMismatchError:
            continue
        wrong.append(f"turn {turn}: a forgery was accepted")
    return wrong


class TestSharing:
    """One webhook, used by many at once."""

    def test_by_many_threads(self) -> None:
        """No verdict of one thread is mixed up with another's, with bodies above and below the hand-over size."""
        webhook = Webhook(["new", "old"])
        barrier = threading.Barrier(8)

        def work(_: int) -> list[str]:
            barrier.wait(timeout=30)
            return _verdicts(webhook, 60)

        with ThreadPoolExecutor(8) as pool:
            assert [wrong for wrongs in pool.map(work, range(8)) for wrong in wrongs] == []

    def test_one_event_by_many_threads(self) -> None:
        """All threads see one and the same payload, no matter which asks first."""
        webhook = Webhook(SECRET)
        for _ in range(20):
            event = webhook.verify(LARGE_BODY, headers_for(LARGE_BODY), now=NOW)
            barrier = threading.Barrier(4)

            def read(barrier: threading.Barrier = barrier, event: Event = event) -> int:
                barrier.wait(timeout=30)
                return id(event.payload)

            with ThreadPoolExecutor(4) as pool:
                assert {future.result() for future in [pool.submit(read) for _ in range(4)]} == {id(event.payload)}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_after_a_fork(self) -> None:
        """A preforking server's children use what the parent made."""
        webhook = Webhook(["new", "old"])
        assert _verdicts(webhook, 3) == []
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 7 if _verdicts(webhook, 20) == [] else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert os.WIFEXITED(status)
        assert os.WEXITSTATUS(status) == 7
        assert _verdicts(webhook, 3) == []


def test_a_copy_is_the_webhook_itself() -> None:
    """It cannot change, so configurations that are copied may hold one."""
    webhook = Webhook(SECRET)
    assert copy.copy(webhook) is webhook
    assert copy.deepcopy({"webhook": [webhook]})["webhook"][0] is webhook


def test_every_interpreter_of_a_process_catches_its_own_exceptions() -> None:
    """Servers that embed Python run one interpreter a site, each with classes of its own."""
    script = """
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=False)
code = '''
from listrak_webhooks import MissingHeaderError, PayloadError, Webhook
webhook = Webhook("secret")
try:
    webhook.verify(b"", {})
except MissingHeaderError:
    print("missing", flush=True)
body = b"no json"
try:
    webhook.verify(body, webhook.signed_headers(body)).payload
except PayloadError:
    print("no payload", flush=True)
'''
for _ in range(3):
    interpreter = create()
    interpreters.run_string(interpreter, code)
    interpreters.destroy(interpreter)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "missing\nno payload\n" * 3, done.stderr
