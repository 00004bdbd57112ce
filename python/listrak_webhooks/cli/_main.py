"""The group of commands, and how a call of it ends: 0 as wished, 1 rejected or failed, 2 not called correctly."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from listrak_webhooks import __version__
from listrak_webhooks._extras import check_version

from ._text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("sign", "verify", "explain", "send", "check", "demo")
"""The commands, in the order in which the help lists them; each is `command` in the module of this name."""

OK, FAILED, USAGE = 0, 1, 2


class Commands(click.Group):
    """A group that imports the file of a command when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after the program's name; without any, show the help, which is not what was wished for."""
        if not args and not ctx.resilient_parsing:
            say(*ctx.get_help().splitlines(), err=True)
            ctx.exit(USAGE)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__package__}.{cmd_name}").command
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(version)s")
def commands() -> None:
    """Receive Listrak webhooks: sign, verify, explain, send and check deliveries.

    The secret comes from --secret-file, --secret-env or the variable LISTRAK_WEBHOOK_SECRET, never from an argument.
    Exit codes: 0 as wished, 1 rejected or failed, 2 not called correctly.
    """


def run(arguments: Sequence[str] | None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: the words after the program's name; those of this process by default.
    """
    check_version("click", needed_by="the command line")
    if _is_closed():
        say("Error: the output cannot be written: the standard output is closed", err=True)
        return FAILED
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks is shown escaped, and is not an error.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = _status_of(arguments)
        sys.stdout.flush()
    except OSError as error:
        # Click ends quietly by itself if nobody reads the output. Else it cannot be written, as on a full disk.
        if error.errno not in _OF_OUTPUT or error.filename is not None:
            what = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
            say(f"Error: {error.strerror or error}{what}", err=True)
            return FAILED
        _discard_output()
        say(f"Error: the output cannot be written: {error.strerror}", err=True)
        return FAILED
    return status


_OF_OUTPUT = {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, getattr(errno, "EDQUOT", None)}
"""What the system says if a file cannot be written to, and neither of a connection nor of a file that is read."""


def _is_closed() -> bool:
    """Whether the process was started without a standard output, as by `>&-`."""
    output: object = sys.stdout
    return output is None


def _status_of(arguments: Sequence[str] | None) -> int:
    try:
        result: Any = commands.main(arguments, prog_name="listrak-webhooks", standalone_mode=False)
    except click.UsageError as error:
        _say_usage(error)
        return USAGE
    except click.ClickException as error:
        say(f"Error: {error.format_message()}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("Interrupted.", err=True)
        return FAILED
    except ImportError as error:  # a library of a command is missing or too old
        say(str(error), err=True)
        return USAGE
    return result if isinstance(result, int) else OK


def _say_usage(error: click.UsageError) -> None:
    """Say what is wrong with the call, and where there is help."""
    if error.ctx is not None:
        say(*error.ctx.get_usage().splitlines(), err=True)
        say(f"Try '{error.ctx.command_path} --help' for help.", "", err=True)
    say(*(f"Error: {error.format_message()}").splitlines(), err=True)


def _discard_output() -> None:
    """Have Python not complain once more at its end, when it flushes."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
