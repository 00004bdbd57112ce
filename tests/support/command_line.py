"""The command line as a person runs it: the installed script, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from support.helpers import PATIENCE, SECRET, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = Path(sys.executable).with_name("listrak-webhooks")

DANGEROUS = "\x1b\x9b\x07\x00\x08\x7f\u202e\u2066\u200b\u2028\x85"
"""Characters that a terminal or a reader would obey: escapes, C1 controls, marks of direction, other line breaks."""

LONG = 60


class Result(NamedTuple):
    """What came of a call."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one JSON value that was printed."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def page(self) -> str:
        """The output with each run of white space as one space, so that it does not matter where lines were broken."""
        return " ".join(self.out.split())

    @property
    def problem(self) -> str:
        """What was complained about, likewise."""
        return " ".join(self.err.split())


def environment(secret: str | None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables of a call: the secret, if there is one, and no other's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((VARIABLE, "FORCE_COLOR"))}
    return {**kept, **({} if secret is None else {VARIABLE: secret}), **(more or {})}


def call(
    *arguments: object,
    stdin: bytes = b"",
    secret: str | None = SECRET,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Result:
    """Run the script to its end.

    Args:
        arguments: the words after its name.
        stdin: what it reads.
        secret: what is in `LISTRAK_WEBHOOK_SECRET`.
        variables: other variables.
        folder: where it runs.
    """
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=LONG,
        env=environment(secret, variables),
        cwd=folder,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class Screen(NamedTuple):
    """What a terminal was sent."""

    status: int
    text: str


def call_on_terminal(
    *arguments: object, columns: int = 80, secret: str = SECRET, variables: Mapping[str, str] | None = None
) -> Screen:
    """Run the script on a terminal, and return all that the terminal was sent.

    Args:
        arguments: the words after its name.
        columns: how wide the terminal is.
        secret: what is in `LISTRAK_WEBHOOK_SECRET`.
        variables: other variables.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(variables or {})}
    running = subprocess.Popen(
        [SCRIPT, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment(secret, shown),
    )
    os.close(theirs)
    received = bytearray()
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):  # Linux says EIO once the other end is closed
        while time.monotonic() < deadline and select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(ours, 65_536)
            if not part:
                break
            received += part
    os.close(ours)
    status = running.wait(PATIENCE)
    text = received.decode()
    assert "Traceback" not in text, text
    return Screen(status, text)
