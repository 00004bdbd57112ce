"""`Webhook.explain` on what is sent to make it work hard: bounded in time and in memory, whatever it is."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time

import pytest
from listrak_webhooks import Webhook

ONES = b",".join([b"1"] * 2_000_000)
DEEP = b"[" * 120 + b"%b" + b"]" * 120
BODIES = {
    "deep-and-long": DEEP % ONES,
    "deep-and-long-gzipped": gzip.compress(DEEP % ONES, mtime=0),
    "deep-and-256-kB": DEEP % ONES[: 255 * 1024],
    "a-million-strings": b"[" + b",".join([b'"a"'] * 1_000_000) + b"]",
    "brackets": b"[" * 4_000_000,
    "base64": b"A" * 4_000_000,
    "spaces-gzipped": gzip.compress(b" " * 64 * 1024 * 1024, mtime=0),
    "escapes": b'{"a":"' + b"\\u0041" * 600_000 + b'"}',
    "a-form": b"a=" + b"%41" * 1_300_000,
    "line-breaks": b"\r\n" * 2_000_000,
}


@pytest.mark.parametrize("name", BODIES)
def test_no_body_takes_longer_than_512_macs_of_the_longest(name: str) -> None:
    """A body of 4 MiB is hashed in a few milliseconds, and 512 times that is the bound."""
    webhook, other = Webhook("kZ8vY2mP9qLs4TnW"), Webhook("another secret")
    body = BODIES[name]
    headers = other.signed_headers(body)
    started = time.perf_counter()
    assert not any(cause.proven for cause in webhook.explain(body, headers).causes)
    # Sixteen times what it takes on a machine that is not busy.
    assert time.perf_counter() - started < (30 if len(body) > 1_000_000 else 4)


def test_memory_is_bounded() -> None:
    """A process that may not have much more than the body goes on living."""
    program = (
        "import resource, sys; from listrak_webhooks import Webhook\n"
        "body = sys.stdin.buffer.read(); webhook = Webhook('kZ8vY2mP9qLs4TnW')\n"
        "headers = Webhook('another secret').signed_headers(body)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 * 1024 * 1024,) * 2)\n"
        "print(webhook.explain(body, headers).code)\n"
    )
    for name in ("deep-and-long", "deep-and-long-gzipped", "a-million-strings", "spaces-gzipped"):
        done = subprocess.run([sys.executable, "-c", program], input=BODIES[name], capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, b"signature_mismatch\n"), (name, done.stderr[-300:])


@pytest.mark.parametrize("count", [1, 10_000], ids=["one", "many"])
@pytest.mark.parametrize("value", [b"1700000000", b"," * 100_000, b"A" * 1_000_000], ids=["short", "commas", "long"])
def test_no_headers_take_long(count: int, value: bytes) -> None:
    """Neither their number, nor their length, nor what they are joined by."""
    webhook = Webhook("kZ8vY2mP9qLs4TnW")
    pairs = [(b"LTK-Timestamp", value), (b"X-LTK-HmacSignature", value)] * count
    started = time.perf_counter()
    assert not any(cause.proven for cause in webhook.explain(b"{}", pairs).causes)
    assert time.perf_counter() - started < 10


def test_many_other_webhooks_do_not_hide_what_is_wrong_with_this_one() -> None:
    """Its own secret comes first, and of the others a bounded number is tried."""
    webhook = Webhook("kZ8vY2mP9qLs4TnW")
    others = [Webhook(f"the secret number {number}") for number in range(2_000)]
    headers = webhook.signed_headers(b'{"a":1}')
    started = time.perf_counter()
    (cause,) = webhook.explain(b'{"a": 1}', headers, others=others).causes
    assert cause.name == "body_reserialized"
    assert time.perf_counter() - started < 2
    headers = others[50].signed_headers(b'{"a":1}')
    assert webhook.explain(b'{"a":1}', headers, others=others).causes[0].name == "other_secret"
