"""What the commands have in common: the class of each, files and the standard input, and numbers."""

from __future__ import annotations

import errno
import math
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

STDIN = "-"


class Command(click.Command):
    """A command whose help ends with an example, and which does not repeat arguments that it does not expect.

    An argument too many may be a secret that somebody gave in the wrong place: it must not show up in a log.

    Args:
        example: one line, without the name of the program.
    """

    def __init__(self, *args: Any, example: str = "", **options: Any) -> None:
        # \b keeps Click from filling the lines.
        options["epilog"] = f"\b\nExample:\n  {example}"
        super().__init__(*args, **options)
        self.allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after the command's name."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise click.UsageError(
                f"{len(rest)} more {'arguments' if len(rest) > 1 else 'argument'} than expected; a secret is never an "
                "argument: use --secret-file or --secret-env",
                ctx,
            )
        return rest


def check_standard_input(sources: Mapping[str, str | None]) -> None:
    """Reject a call in which the standard input would have to be two things.

    Args:
        sources: the paths by the names of their arguments.

    Raises:
        click.UsageError: more than one of them is `-`.
    """
    names = [name for name, path in sources.items() if path == STDIN]
    if len(names) > 1:
        raise click.UsageError(f"the standard input cannot be both {names[0]} and {names[1]}")


MOST_OF_A_BODY = 64 * 1024 * 1024
"""Bytes of a file that are read, with a body or a capture."""


def read(path: str, what: str, *, show_path: bool = True, at_most: int = MOST_OF_A_BODY) -> bytes:
    """Return the bytes of a file, or of the standard input.

    Args:
        path: the file; `-` is the standard input.
        what: the name of the argument.
        show_path: whether an error may show the path: not if it could be a secret in the wrong place.
        at_most: how many bytes it may have; there are files without an end.

    Raises:
        click.UsageError: it cannot be read, or is too large.
    """
    shown = f" {path}" if show_path else ""
    try:
        if path == STDIN:
            stdin: TextIO | None = sys.stdin  # None if it was closed before the start
            if stdin is None:
                raise OSError(errno.EBADF, "")  # noqa: TRY301
            data = stdin.buffer.read(at_most + 1)
        else:
            with open(path, "rb") as file:  # noqa: PTH123
                data = file.read(at_most + 1)
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a path"
        raise click.UsageError(f"the file of {what}{shown} cannot be read: {reason}") from None
    if len(data) > at_most:
        size = f"{at_most >> 20} MiB" if at_most >> 20 else f"{at_most >> 10} kB"
        raise click.UsageError(f"the file of {what}{shown} is larger than {size}; pass one that is not")
    return data


def finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Return the value of an option that is a number, unless it is not finite."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("not a finite number", ctx, param)
    return value


LAST_SECOND = 253_402_300_799
"""The end of the year 9999 in Unix seconds."""


def _unix_seconds(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Return the value of an option that is a time, unless no clock shows it."""
    if value is not None and not abs(value) <= LAST_SECOND:  # NaN is not
        raise click.BadParameter("not a time in Unix seconds", ctx, param)
    return value


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
now_option = click.option(
    "--now", type=float, callback=_unix_seconds, metavar="T", help="Unix seconds to take as the present time."
)
