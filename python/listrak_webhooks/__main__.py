"""The command line: `listrak-webhooks`, or `python -m listrak_webhooks`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from . import __version__, _demo

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: the words after the program's name; those of this process by default.
    """
    parser = argparse.ArgumentParser(prog="listrak-webhooks", description="Receive Listrak webhooks.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="start a receiver, play Listrak against it, and show every answer",
        description="Start a real server on a free loopback port, send it genuine and forged deliveries over HTTP, "
        "signed by Python's own hmac, and print what it answered and why. Exits 0 if every answer is the right one.",
    )
    demo.add_argument("--framework", choices=sorted(_demo.RECEIVERS), default="flask", help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        return _demo.run(options.framework)
    except ImportError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
