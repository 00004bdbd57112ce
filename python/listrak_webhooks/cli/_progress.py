"""Progress of a long run, for a person who watches; on the standard error, so that a pipe holds results alone."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from listrak_webhooks._extras import importing

from ._text import escaped, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

AFTER_SECONDS = 0.7
"""A run that is over before this shows nothing."""


@contextlib.contextmanager
def progress(what: str, total: int | None) -> Generator[Callable[[str], None], None, None]:
    """Show how far a run has come in this block.

    Args:
        what: what is being done.
        total: how many steps there are, if that is known.

    Yields:
        A function to call after each step, with what is to be shown of it; any thread may.
    """
    if not is_terminal(err=True):
        yield lambda _: None
        return
    with importing("rich", needed_by="showing progress"):
        from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        *([BarColumn(), MofNCompleteColumn()] if total is not None else [TextColumn("{task.completed}")]),
        TextColumn("{task.fields[step]}", markup=False),
    ]
    bar = Progress(*columns, console=Console(stderr=True, highlight=False, markup=False, emoji=False), transient=True)
    task = bar.add_task(what, total=total, step="")
    timer = threading.Timer(AFTER_SECONDS, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda step: bar.update(task, advance=1, step=escaped(step))
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
