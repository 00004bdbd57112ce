"""Processes of their own: scripts that can import what the tests can, or not even what is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

from support.helpers import PATIENCE, TESTS

BLOCK = """
import sys

class Blocker:
    '''Finds nothing of what is blocked, as where it is not installed.'''

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

BLOCKED = set(sys.argv[1:])
sys.meta_path.insert(0, Blocker())
"""


def run(script: str, *blocked: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, in which some modules are not installed."""
    command = [sys.executable, "-c", BLOCK + textwrap.dedent(script), *blocked]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def environment() -> dict[str, str]:
    """Return the variables of a process that can import whatever this one can, and `support`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}


def in_a_process(script: str, *arguments: object, timeout: float = PATIENCE, **options: Any) -> str:
    """Run a script that can import the tests' helpers in a process of its own, and return what it prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(), timeout=timeout, **options
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)
