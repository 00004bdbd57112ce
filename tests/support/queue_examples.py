"""The examples of the hand-off to a task queue as programs: the commands in their docstrings, and their processes."""

from __future__ import annotations

import ast
import contextlib
import itertools
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from support.helpers import PATIENCE, TESTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXAMPLES = TESTS.parent / "examples"


class Commands(NamedTuple):
    """What the docstring of an example says to type, in its order."""

    install: str
    export: str
    receive: str
    work: str

    @classmethod
    def of(cls, module: str) -> Commands:
        """Read the commands of an example: the lines that begin with a dollar sign."""
        tree = ast.parse((EXAMPLES / f"{module}.py").read_text(encoding="utf-8"))
        lines = (ast.get_docstring(tree) or "").splitlines()
        commands = cls(*(line.strip().removeprefix("$ ") for line in lines if line.startswith("    $ ")))
        for command, program in zip(commands, ("pip install ", "export ", "flask "), strict=False):
            assert command.startswith(program), command
        return commands

    @property
    def requirements(self) -> list[str]:
        """What the example installs."""
        return shlex.split(self.install, comments=True)[2:]

    @property
    def worker(self) -> list[str]:
        """The command that starts a worker, for a program of this environment."""
        return shlex.split(os.path.expandvars(self.work), comments=True)


class Programs:
    """Programs that run in a folder, each in a session of its own, and what they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str], name: str, environment: Mapping[str, str], *, folder: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program whose output goes to a log of its own."""
        with (self.folder / f"{name}-{next(self._numbers)}.log").open("wb") as log:
            program = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder or self.folder, env=environment, start_new_session=True
            )
        self._running.append(program)
        return program

    def kill(self, program: subprocess.Popen[bytes]) -> None:
        """Kill a program with all its processes, as the end of its machine would."""
        deadline = time.monotonic() + PATIENCE
        while alive := _members(program.pid):
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            program.poll()
            assert time.monotonic() < deadline, "the program cannot be killed"
        program.wait(PATIENCE)

    def kill_all(self) -> None:
        """Leave nothing behind."""
        for program in self._running:
            self.kill(program)

    def logs(self) -> str:
        """Return everything that was printed in this folder."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')}" for log in logs)


def _members(session: int) -> list[int]:
    """Return the processes of a session: a worker, its children, and those that have left its process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended in the meantime
            if os.getsid(int(entry.name)) == session and b") Z " not in (entry / "stat").read_bytes():
                found.append(int(entry.name))
    return found
