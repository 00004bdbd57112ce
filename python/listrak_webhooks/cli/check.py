"""`check`: is this endpoint fit for Listrak?"""

from __future__ import annotations

import click

from ._command import Command, check_standard_input, json_option
from ._secrets import secret_options, secrets_of
from ._target import Target, target_of
from ._text import say_json


@click.command(
    cls=Command,
    example="listrak-webhooks check https://shop.example.com/listrak --secret-file secret.txt",
    short_help="Say whether an endpoint is fit for Listrak, and what to do if it is not.",
)
@click.argument("target", metavar="URL", callback=target_of)
@secret_options
@json_option
def command(*, target: Target, secret_file: str | None, secret_env: str | None, as_json: bool) -> int:
    """Say whether an endpoint is fit for Listrak, and what to do if it is not.

    The endpoint may be written in any language. It is sent about forty requests: genuine deliveries for people in
    example.com, which it will handle, and forged ones. Exits 1 if a finding is red.
    """
    check_standard_input({"--secret-file": secret_file})
    secret = secrets_of(secret_file, secret_env)
    # They need HTTP, which the help and a mistake in the call do not.
    from ._checking import Check  # noqa: PLC0415
    from ._progress import progress  # noqa: PLC0415
    from ._show_findings import show_findings  # noqa: PLC0415

    with progress("Checking", None) as on_answer:
        found = [*Check(target, secret, on_answer).run()]
    if as_json:
        say_json({"findings": [finding._asdict() for finding in found]})
    else:
        show_findings(target, found)
    return 1 if any(finding.level == "red" for finding in found) else 0
