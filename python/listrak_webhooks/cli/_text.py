"""What reaches the terminal: plain text in which nothing is left that a terminal, or Rich, would obey.

Bodies, headers, responses and names of files are written by strangers. A control character in them can move the cursor,
recolor the screen or turn a line around, so all text goes through `escaped` on its way out.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 100
"""Columns of a page that is not a terminal."""

MOST_OF_A_LINE = 100_000
"""Characters of one line that are shown."""

STYLES = {"green": "\x1b[1;32m", "red": "\x1b[1;31m", "yellow": "\x1b[30;43m", "strong": "\x1b[1m"}
"""They can be read on a light and on a dark background: yellow letters cannot be on a white one."""


def escaped(text: str) -> str:
    """Return text of one line, in which each character that is not printable is shown as its escape in Python.

    That includes C0 and C1 control characters, the marks that turn the direction of writing, characters without a
    width, line breaks of every kind, and lone surrogates.

    Args:
        text: any text.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def say(*lines: str, err: bool = False) -> None:
    """Print lines, escaped.

    Args:
        lines: the lines, each without its line break.
        err: to the standard error instead of the standard output.
    """
    for line in lines:
        click.echo(escaped(line[:MOST_OF_A_LINE]), err=err)


def say_styled(style: str, first: str, rest: str = "") -> None:
    """Print a line that begins with a styled word, if the standard output takes colors; it is wrapped on a terminal."""
    first, rest = escaped(first), escaped(rest)
    if not is_terminal():
        say(first + rest)
        return
    line, *more = textwrap.wrap(first + rest, width(), subsequent_indent="  ", drop_whitespace=True)
    if takes_color() and line.startswith(first.rstrip()):
        first = first.rstrip()
        click.echo(f"{STYLES[style]}{first}\x1b[0m{line[len(first) :]}", color=True)
    else:
        say(line)
    say(*more)


def say_wrapped(text: str, indent: str = "", *, first: str | None = None) -> None:
    """Print a paragraph in lines that fit.

    Args:
        text: the paragraph.
        indent: what each line begins with.
        first: what the first line begins with instead.
    """
    start = indent if first is None else first
    say(*textwrap.wrap(escaped(text), width(), initial_indent=start, subsequent_indent=indent) or [start.rstrip()])


def say_table(rows: Iterable[tuple[str, str]], indent: str = "  ") -> None:
    """Print names and values in two columns."""
    rows = [(escaped(name), escaped(value)) for name, value in rows]
    column = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        say_wrapped(value, " " * (len(indent) + column + 2), first=f"{indent}{name:{column}}  ")


def say_json(value: Any) -> None:
    """Print one value as JSON in a line of ASCII, which holds no control character whatever the value holds."""
    click.echo(json.dumps(value, ensure_ascii=True, allow_nan=False))


def is_terminal(*, err: bool = False) -> bool:
    """Whether a person is watching the standard output, or the standard error."""
    stream: TextIO | None = sys.stderr if err else sys.stdout  # None if it was closed before the start
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def takes_color() -> bool:
    """Whether the standard output takes colors; https://no-color.org is respected."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def width() -> int:
    """Return how many columns there are."""
    if not is_terminal():
        return WIDTH
    try:
        return max(40, min(os.get_terminal_size(sys.stdout.fileno()).columns, 140))
    except OSError:
        return 80
