"""The command line: `listrak-webhooks`, or `python -m listrak_webhooks`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ._extras import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTRA = "cli"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 as wished, 1 rejected or failed, 2 not called correctly.

    Args:
        arguments: the words after the program's name; those of this process by default.
    """
    missing = [
        library.name for module, library in LIBRARIES.items() if library.extra == EXTRA and not _is_there(module)
    ]
    if missing:
        print(
            f"the command line needs {', '.join(missing)}, which the extra {EXTRA} installs: "
            f'pip install "listrak-webhooks[{EXTRA}]"',
            file=sys.stderr,
        )
        return 2
    try:
        from .cli._main import run  # noqa: PLC0415
    except ImportError as error:  # what is there may be too old
        print(error, file=sys.stderr)
        return 2
    return run(arguments)


def _is_there(module: str) -> bool:
    """Whether a library is installed, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(main())
