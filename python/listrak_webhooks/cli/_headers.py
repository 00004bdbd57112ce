"""The options that give a delivery's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER

from ._command import read
from ._http_text import parse_head

if TYPE_CHECKING:
    from collections.abc import Callable


def header_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--headers`, and the two values that may be given instead."""
    for option in (
        click.option("--signature", metavar="S", help=f"The value of {SIGNATURE_HEADER}; with --timestamp."),
        click.option("--timestamp", metavar="T", help=f"The value of {TIMESTAMP_HEADER}; with --signature."),
        click.option(
            "--headers", metavar="FILE", help="A file with lines `Name: value`, or the head of a request; - is stdin."
        ),
    ):
        function = option(function)
    return function


def headers_of(headers: str | None, timestamp: str | None, signature: str | None) -> list[tuple[str, str]] | None:
    """Return the headers that the options give, or `None` if they give none.

    Raises:
        click.UsageError: the options contradict one another, or the file cannot be read.
    """
    if headers is not None:
        if timestamp is not None or signature is not None:
            raise click.UsageError("give --headers, or --timestamp and --signature, not both")
        return parse_head(read(headers, "--headers"), "the file of --headers").headers
    if timestamp is None and signature is None:
        return None
    if timestamp is None or signature is None:
        raise click.UsageError("--timestamp and --signature go together")
    return [(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)]
