"""What is left of a key in a process's memory: nothing, once the webhook has gone.

A process of its own makes and uses webhooks, and this one looks through all that it can write to. What Python itself
keeps of a secret, the `str` or `bytes` that was passed, is out of reach and not looked for.
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
    from collections.abc import Generator, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's memory as a file")

# Reads what to do, where, and with which secret, line by line. It prints a line when that is done, and one when all
# that it made has gone; each time it waits for a line before it goes on.
PROGRAM = """
import gc, json, os, sys, threading
import listrak_webhooks
from listrak_webhooks import SignatureMismatchError, Webhook

SMALL, LARGE = b"x" * 500, b"x" * 500_000
NOW = 1_700_000_000
OTHER = "another-secret-altogether"

def use(webhook):
    for body in (SMALL, LARGE, b""):
        headers = webhook.signed_headers(body, NOW)
        webhook.sign(body, NOW, encoding="hex")
        for _ in range(5):
            webhook.verify(body, headers, now=NOW)
            webhook.verify_values(body, *headers.values(), now=NOW)
            try:
                webhook.verify(body + b"forged", headers, now=NOW)
            except SignatureMismatchError:
                pass
    return webhook

def once(secret):
    for body in (SMALL, LARGE):
        for secrets in (secret, [OTHER, secret], (secret, OTHER)):
            headers = {"LTK-Timestamp": str(NOW)}
            headers["LTK-HmacSignature"] = listrak_webhooks.sign(body, NOW, secret)
            listrak_webhooks.verify(body, headers, secrets, now=NOW)

def from_env(secret):
    os.environ["SHOP"], os.environ["SHOP_PREVIOUS"] = OTHER, secret.decode()
    return Webhook.from_env("SHOP")

def rejected(secret):
    for arguments in (
        {"secret": [secret, " padded"]},
        {"secret": [secret, b"x"]},
        {"secret": secret, "tolerance": -1},
        {"secret": secret, "aliases": {"email": ["a."]}},
    ):
        try:
            Webhook(**arguments)
        except ValueError:
            continue
        raise SystemExit("made")

def cycle(secret):
    holder = []
    holder.append(Webhook(secret, clock=lambda: holder and NOW))

SCENES = {
    "bytes": Webhook,
    "str": lambda secret: Webhook(secret.decode()),
    "one of several": lambda secret: Webhook([OTHER, secret, *(OTHER + str(number) for number in range(9))]),
    "from the environment": from_env,
    "used": lambda secret: use(Webhook(secret)),
    "used as one of several": lambda secret: use(Webhook([OTHER, secret])),
    "in one call": once,
    "rejected": rejected,
    "in a cycle": cycle,
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

KEEPING = ["bytes", "str", "one of several", "from the environment", "used", "used as one of several", "in a cycle"]
PASSING = ["in one call", "rejected"]
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


def state_after(block: bytes, start: list[int] = _START) -> list[int]:
    """Return the state of SHA-256 after one more block, which `hashlib` does not show."""
    words = list(struct.unpack(">16I", block))
    for index in range(16, 64):
        before, last = words[index - 15], words[index - 2]
        small = _turned(before, 7) ^ _turned(before, 18) ^ before >> 3
        large = _turned(last, 17) ^ _turned(last, 19) ^ last >> 10
        words.append((words[index - 16] + small + words[index - 7] + large) & WORD)
    a, b, c, d, e, f, g, h = start
    for constant, word in zip(_ROUNDS, words, strict=True):
        mixed = h + (_turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)) + (e & f ^ ~e & g) + constant + word
        majority = (_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (mixed + majority) & WORD, a, b, c, (d + mixed) & WORD, e, f, g
    return [(old + new) & WORD for old, new in zip(start, (a, b, c, d, e, f, g, h), strict=True)]


def key_states(secret: bytes) -> Iterator[tuple[bytes, list[int]]]:
    """Give the two key blocks of HMAC (RFC 2104), each with the state of SHA-256 after it: a key is kept as these."""
    key = (hashlib.sha256(secret).digest() if len(secret) > BLOCK else secret).ljust(BLOCK, b"\0")
    for pad in (0x36, 0x5C):
        block = bytes(byte ^ pad for byte in key)
        yield block, state_after(block)


def parts_of(secret: bytes) -> list[bytes]:
    """Return what would show that a key was left behind: either half of its states, and its key blocks.

    Either half in the order in which it is kept, and as the registers of a processor with SHA instructions have it.
    """
    parts = []
    for block, state in key_states(secret):
        for order in ((0, 1, 2, 3), (4, 5, 6, 7), (5, 4, 1, 0), (7, 6, 3, 2), (0, 1, 4, 5), (2, 3, 6, 7)):
            parts.append(struct.pack("=4I", *(state[index] for index in order)))  # noqa: PERF401
        parts.append(block[:24])
    return parts


def test_the_states_are_those_of_a_key() -> None:
    """From the two states that are looked for, one gets to the MAC that Listrak would send."""
    secret, message = b"the secret that is looked for", b"x" * BLOCK
    (_, inner), (_, outer) = key_states(secret)

    def end(size: int) -> bytes:
        return b"\x80".ljust(BLOCK - size % BLOCK - 8, b"\0") + struct.pack(">Q", 8 * (BLOCK + size))

    digest = struct.pack(">8I", *state_after(end(BLOCK), state_after(message, inner)))
    mac = struct.pack(">8I", *state_after(digest + end(len(digest)), outer))
    assert mac == hmac.digest(secret, message, "sha256")


@pytest.fixture(scope="module")
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


@pytest.mark.parametrize("length", [28, 200])
@pytest.mark.parametrize("place", ["main", "threads"])
@pytest.mark.parametrize("scene", [*KEEPING, *PASSING])
def test_nothing_of_a_key_is_left(process: subprocess.Popen[str], scene: str, place: str, length: int) -> None:
    """While a webhook lives its key is in one place, and when it has gone nowhere, not even on a thread's stack."""
    secret = hashlib.sha256(f"{scene}{place}{length}".encode()).hexdigest().ljust(length, "x")[:length]
    parts = parts_of(secret.encode())
    assert tell(process, json.dumps([scene, place, secret])) == "done"
    webhooks = 4 if place == "threads" else 1
    # Two states, and two halves of each.
    assert count(process, parts) == (4 * webhooks if scene in KEEPING else 0)
    assert tell(process, "") == "gone"
    assert count(process, parts) == 0
