"""What is left of a key in a process's memory: nothing, once the webhook has gone.

A process of its own makes and uses webhooks, and this one looks through all the memory that the other can write to.
What Python itself keeps of a secret, the `str` or `bytes` that was passed, is out of reach, and no test looks for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's memory as a file")

# For each line, which says what to do, where and with which secret, it does that and prints a line; at the next line
# it drops all that it made and prints another. A signal, which it sends to itself after each call, has the kernel write
# the processor's registers into memory.
PROGRAM = """
import faulthandler, functools, gc, json, os, signal, sys, threading
import listrak_webhooks
from listrak_webhooks import SignatureMismatchError, Webhook

SMALL, LARGE = b"x" * 500, b"x" * 500_000
NOW = 1_700_000_000
OTHER = "another-secret-altogether"

gc.disable()
faulthandler.register(signal.SIGUSR1, open(os.devnull, "w"), all_threads=False)

def show_registers():
    signal.raise_signal(signal.SIGUSR1)

def use(webhook):
    show_registers()
    for body in (SMALL, LARGE, b""):
        headers = webhook.signed_headers(body, NOW)
        show_registers()
        webhook.sign(body, NOW, encoding="hex")
        show_registers()
        for _ in range(5):
            webhook.verify(body, headers, now=NOW)
            show_registers()
            webhook.verify_values(body, *headers.values(), now=NOW)
            show_registers()
            try:
                webhook.verify(body + b"forged", headers, now=NOW)
            except SignatureMismatchError:
                show_registers()
        webhook.explain(body + b"forged", headers, now=NOW)
        show_registers()
        webhook.explain(body + b"forged", headers, now=NOW, others=[webhook])
        show_registers()
    return webhook

def once(secret):
    for body in (SMALL, LARGE):
        for secrets in (secret, [OTHER, secret], (secret, OTHER)):
            headers = {"LTK-Timestamp": str(NOW)}
            headers["LTK-HmacSignature"] = listrak_webhooks.sign(body, NOW, secret)
            show_registers()
            listrak_webhooks.verify(body, headers, secrets, now=NOW)
            show_registers()

def from_env(secret):
    os.environ["SHOP"], os.environ["SHOP_PREVIOUS"] = OTHER, secret.decode()
    return use(Webhook.from_env("SHOP"))

def rejected(secret):
    headers = {"LTK-Timestamp": str(NOW), "LTK-HmacSignature": "x"}
    for call in (
        lambda: Webhook([secret, " padded"]),
        lambda: Webhook([secret, b"x"]),
        lambda: Webhook([secret, None]),
        lambda: Webhook(secret, tolerance=-1),
        lambda: Webhook(secret, aliases={"email": ["a."]}),
        lambda: Webhook(secret, clock=1),
        lambda: listrak_webhooks.verify(b"{}", headers, secret, max_body=0),
        lambda: listrak_webhooks.verify(b"{}", {}, [secret, OTHER]),
        lambda: listrak_webhooks.verify(b"{}", headers, secret),
        lambda: listrak_webhooks.sign(b"{}", 1, secret),
        lambda: listrak_webhooks.sign({}, NOW, secret),
    ):
        try:
            call()
        except (TypeError, ValueError, listrak_webhooks.WebhookError):
            show_registers()
            continue
        raise SystemExit("accepted")

def cycle(secret):
    class Holder:
        def now(self):
            return NOW
    holder, cell = Holder(), []
    holder.of_method = Webhook(secret, clock=holder.now)
    holder.of_partial = Webhook(secret, clock=functools.partial(Holder.now, holder))
    cell.append(Webhook(secret, clock=lambda: cell and NOW))
    def times():
        webhook = yield
        while webhook:
            yield NOW
    generator = times()
    next(generator)
    generator.send(Webhook(secret, clock=generator.__next__))

SCENES = {
    "bytes": Webhook,
    "str": lambda secret: Webhook(secret.decode()),
    "one of several": lambda secret: use(Webhook([OTHER, secret, *(OTHER + str(number) for number in range(9))])),
    "from the environment": from_env,
    "used": lambda secret: use(Webhook(secret)),
    "in four cycles": cycle,
    "in one call": once,
    "rejected": rejected,
}

def in_threads(scene, secret):
    made = []
    threads = [threading.Thread(target=lambda: made.append(SCENES[scene](secret))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made

for line in sys.stdin:
    scene, place, secret = json.loads(line)
    secret = secret.encode()
    made = in_threads(scene, secret) if place == "threads" else [SCENES[scene](secret)]
    print("done", flush=True)
    sys.stdin.readline()
    del made, secret, line
    gc.collect()
    print("gone", flush=True)
"""

SCENES = {
    "bytes": 1,
    "str": 1,
    "one of several": 1,
    "from the environment": 1,
    "used": 1,
    "in four cycles": 4,
    "in one call": 0,
    "rejected": 0,
}
"""How many webhooks each leaves behind."""

BLOCK = 64
WORD = 0xFFFFFFFF


def _root(number: int, degree: int) -> int:
    """Return the first 32 bits of the fraction of a root, from which SHA-256 has its constants (FIPS 180-4)."""
    scaled, low, high = number << (32 * degree), 0, 1 << 40
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= scaled else (low, middle)
    return low & WORD


_PRIMES = [number for number in range(2, 312) if all(number % divisor for divisor in range(2, number))]
_START = [_root(prime, 2) for prime in _PRIMES[:8]]
_ROUNDS = [_root(prime, 3) for prime in _PRIMES]


def _turned(word: int, by: int) -> int:
    return (word >> by | word << (32 - by)) & WORD


def state_after(block: bytes, state: list[int]) -> list[int]:
    """Return the state of SHA-256 after one more block, which `hashlib` does not show."""
    words = list(struct.unpack(">16I", block))
    for index in range(16, 64):
        before, last = words[index - 15], words[index - 2]
        small = _turned(before, 7) ^ _turned(before, 18) ^ before >> 3
        large = _turned(last, 17) ^ _turned(last, 19) ^ last >> 10
        words.append((words[index - 16] + small + words[index - 7] + large) & WORD)
    a, b, c, d, e, f, g, h = state
    for constant, word in zip(_ROUNDS, words, strict=True):
        mixed = h + (_turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)) + (e & f ^ ~e & g) + constant + word
        majority = (_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (mixed + majority) & WORD, a, b, c, (d + mixed) & WORD, e, f, g
    return [(old + new) & WORD for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def key_blocks(secret: bytes) -> list[bytes]:
    """Return the two blocks that HMAC hashes before the inner and the outer message (RFC 2104)."""
    key = (hashlib.sha256(secret).digest() if len(secret) > BLOCK else secret).ljust(BLOCK, b"\0")
    return [bytes(byte ^ pad for byte in key) for pad in (0x36, 0x5C)]


def parts_of(secret: bytes) -> list[bytes]:
    """Return what would show that a key was left behind: either half of its two states, and its key blocks.

    The halves come in the order in which they are kept, and as the registers of a processor with SHA instructions have
    them.
    """
    parts = []
    for block in key_blocks(secret):
        state = state_after(block, _START)
        for order in ((0, 1, 2, 3), (4, 5, 6, 7), (5, 4, 1, 0), (7, 6, 3, 2), (0, 1, 4, 5), (2, 3, 6, 7)):
            parts.append(struct.pack("=4I", *(state[index] for index in order)))  # noqa: PERF401
        parts.append(block[:24])
    return parts


@pytest.mark.parametrize("length", [28, 200])
def test_the_parts_are_the_right_ones(length: int) -> None:
    """The two states that the test looks for lead to the MAC that the standard library computes."""
    secret, message = b"k" * length, b"the body and the timestamp"

    def finish(text: bytes, state: list[int]) -> bytes:
        padded = (text + b"\x80").ljust(BLOCK - 8, b"\0") + struct.pack(">Q", 8 * (BLOCK + len(text)))
        return struct.pack(">8I", *state_after(padded, state))

    inner, outer = (state_after(block, _START) for block in key_blocks(secret))
    assert finish(finish(message, inner), outer) == hmac.digest(secret, message, "sha256")


@pytest.fixture
def process() -> Generator[subprocess.Popen[str], None, None]:
    """Run the program."""
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def tell(process: subprocess.Popen[str], line: str) -> str:
    """Let the program go on, and return what it says next."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def count(process: subprocess.Popen[str], parts: list[bytes]) -> int:
    """Return how many of the parts are in the memory that the process can write to."""
    folder, found = Path("/proc") / str(process.pid), 0
    with (folder / "mem").open("rb", 0) as memory:
        for line in (folder / "maps").read_text(encoding="utf-8").splitlines():
            place, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(address, 16) for address in place.split("-"))
                memory.seek(start)
                data = memory.read(end - start)
                found += sum(data.count(part) for part in parts)
    return found


@pytest.mark.parametrize("place", ["main", "threads"])
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_of_a_key_is_left(process: subprocess.Popen[str], scene: str, place: str) -> None:
    """While a webhook lives, its key is in one place; when it has gone, no stack, heap or register has any of it."""
    for length in (28, 200):
        secret = hashlib.sha256(f"{scene}{place}{length}".encode()).hexdigest().ljust(length, "x")[:length]
        parts = parts_of(secret.encode())
        assert tell(process, json.dumps([scene, place, secret])) == "done"
        webhooks = SCENES[scene] * (4 if place == "threads" else 1)
        # Two states, and two halves of each.
        assert count(process, parts) == 4 * webhooks
        assert tell(process, "") == "gone"
        assert count(process, parts) == 0
