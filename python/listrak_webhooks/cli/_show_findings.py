"""The findings of `check`, for people: a table on a terminal, lines elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from listrak_webhooks._extras import importing

from ._text import escaped, is_terminal, say, say_styled, say_wrapped, takes_color, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._findings import Finding
    from ._target import Target

NARROW = 60
"""Columns under which neither a table nor lines in columns can be read."""

ORDER = ("red", "yellow", "green")


def show_findings(target: Target, found: Sequence[Finding], *, interrupted: bool = False) -> None:
    """Print the findings, the worst first, and what they come to.

    Args:
        target: the endpoint.
        found: the findings.
        interrupted: whether the check was ended before it had all of them.
    """
    ordered = sorted(found, key=lambda finding: ORDER.index(finding.level))
    say(target.url)
    if is_terminal() and width() >= NARROW:
        _show_table(ordered)
    else:
        _say_lines(ordered)
    counts = Counter(finding.level for finding in found)
    said = ", ".join(f"{counts[level]} {level}" for level in ORDER if counts[level])
    if interrupted:
        say_styled("yellow", "The check was not finished", f": {said or 'nothing is known yet'}.")
    elif counts["red"]:
        say_styled("red", "This endpoint is not fit for Listrak", f": {said}.")
    else:
        say_styled("green", "This endpoint is fit for Listrak", f": {said}.")


def _say_lines(found: Sequence[Finding]) -> None:
    if width() < NARROW:
        for finding in found:
            say(f"{finding.level} {finding.name}")
            say_wrapped(finding.summary, "  ")
            if finding.advice:
                say_wrapped(finding.advice, "     ", first="  -> ")
        return
    for finding in found:
        say_wrapped(finding.summary, " " * 28, first=f"{finding.level:7} {finding.name:19} ")
        if finding.advice:
            say_wrapped(finding.advice, " " * 31, first=" " * 28 + "-> ")


def _show_table(found: Sequence[Finding]) -> None:
    with importing("rich", needed_by="a table"):
        from rich.console import Console  # noqa: PLC0415
    from rich import box  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    styles = {"red": "bold white on red", "yellow": "black on yellow", "green": "bold green"}
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.add_column("level", no_wrap=True)
    table.add_column("finding", no_wrap=True)
    table.add_column("what it is, and what to do")
    for finding in found:
        text = Text(escaped(finding.summary))
        if finding.advice:
            text.append("\n-> " + escaped(finding.advice), "italic")
        table.add_row(Text(f" {finding.level} ", styles[finding.level]), Text(escaped(finding.name)), text)
    console = Console(
        width=width(), color_system="auto" if takes_color() else None, highlight=False, markup=False, emoji=False
    )
    console.print(Padding(table, (1, 0)))
