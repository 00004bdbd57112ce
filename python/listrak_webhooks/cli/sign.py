"""`sign`: the two headers of a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._command import Command, check_standard_input, json_option, read
from ._secrets import secret_options, webhook_of
from ._text import say, say_json

if TYPE_CHECKING:
    from listrak_webhooks._types import SigningEncoding


@click.command(
    cls=Command,
    example="listrak-webhooks sign body.json --secret-file secret.txt > headers.txt",
    short_help="Print the two headers of a body, signed as Listrak signs.",
)
@click.argument("body")
@click.option("--timestamp", type=int, metavar="T", help="Unix seconds to sign for; now by default.")
@click.option("--encoding", type=click.Choice(["base64", "hex"]), default="base64", show_default=True)
@secret_options
@json_option
def command(  # noqa: PLR0913
    *,
    body: str,
    timestamp: int | None,
    encoding: SigningEncoding,
    secret_file: str | None,
    secret_env: str | None,
    as_json: bool,
) -> int:
    """Print the two headers of a body, signed as Listrak signs.

    BODY is a file, taken byte for byte; - is the standard input. The lines are what `verify --headers` reads.
    """
    check_standard_input({"BODY": body, "--secret-file": secret_file})
    webhook = webhook_of(secret_file, secret_env)
    try:
        headers = webhook.signed_headers(read(body, "BODY"), timestamp, encoding=encoding)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint="--timestamp") from None
    if as_json:
        say_json(headers)
    else:
        say(*(f"{name}: {value}" for name, value in headers.items()))
    return 0
