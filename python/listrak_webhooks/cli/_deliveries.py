"""The options that say what genuine deliveries hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from listrak_webhooks._types import JOURNEYS

from ._command import read

if TYPE_CHECKING:
    from collections.abc import Callable


def delivery_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--journey`, and `--body`, which may be given instead."""
    journey = click.option(
        "--journey", type=click.Choice(JOURNEYS), show_default=JOURNEYS[0], help="What genuine deliveries are about."
    )
    body = click.option(
        "--body",
        "body_file",
        metavar="FILE",
        help="Send this body, byte for byte, instead; - is the standard input.",
    )
    return journey(body(function))


def synthetic_body(journey: str | None, seed: str) -> bytes:
    """Return the body of a delivery of a synthetic shopper, about a cart unless a journey is given."""
    # The test kit, which the help and a mistake in the call do not need.
    from listrak_webhooks.testing.builders import BUILDERS  # noqa: PLC0415

    return BUILDERS[journey or JOURNEYS[0]](seed=seed).body


def check_deliveries(journey: str | None, body_file: str | None) -> None:
    """Reject a call that says twice what the deliveries hold.

    Raises:
        click.UsageError: both options are given.
    """
    if journey is not None and body_file is not None:
        raise click.UsageError("give --journey or --body, not both")


def body_of(body_file: str | None) -> bytes | None:
    """Return the body in the file of `--body`, if it is given.

    Raises:
        click.UsageError: it cannot be read.
    """
    return None if body_file is None else read(body_file, "--body")
