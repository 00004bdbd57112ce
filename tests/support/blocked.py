"""Scripts that run where some modules are not installed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

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
