"""`check`: is this endpoint fit for Listrak?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._command import Command, check_standard_input, json_option
from ._deliveries import body_of, check_deliveries, delivery_options
from ._secrets import secret_options, secrets_of
from ._target import Target, target_of
from ._text import say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._checking import Check
    from ._findings import Finding


@click.command(
    cls=Command,
    example="listrak-webhooks check https://shop.example.com/listrak --secret-file secret.txt",
    short_help="Say whether an endpoint is fit for Listrak, and what to do if it is not.",
)
@click.argument("target", metavar="URL", callback=target_of)
@delivery_options
@secret_options
@json_option
def command(  # noqa: PLR0913
    *,
    target: Target,
    journey: str | None,
    body_file: str | None,
    secret_file: str | None,
    secret_env: str | None,
    as_json: bool,
) -> int:
    """Say whether an endpoint is fit for Listrak, and what to do if it is not.

    The endpoint may be written in any language. It is sent about forty requests: genuine deliveries of synthetic people
    in reserved domains, which it will handle, and forged ones. Exits 1 if a finding is red.
    """
    check_deliveries(journey, body_file)
    check_standard_input({"--body": body_file, "--secret-file": secret_file})
    secret = secrets_of(secret_file, secret_env)
    body = body_of(body_file)
    if body == b"":
        raise click.UsageError("the file of --body is empty, as no delivery is; pass one with a body")
    # They need HTTP and the test kit, which the help and a mistake in the call do not.
    from ._checking import Check  # noqa: PLC0415
    from ._content import Content  # noqa: PLC0415
    from ._show_findings import show_findings  # noqa: PLC0415

    found, interrupted = _run(lambda on_answer: Check(target, secret, Content(journey, body), on_answer))
    if as_json:
        say_json({"findings": [finding._asdict() for finding in found]})
    else:
        show_findings(target, found, interrupted=interrupted)
    if interrupted:
        say("Interrupted.", err=True)
    return 1 if interrupted or any(finding.level == "red" for finding in found) else 0


def _run(check: Callable[[Callable[[str], None]], Check]) -> tuple[list[Finding], bool]:
    """Run a check; the findings, and whether Ctrl-C ended it before there were all."""
    from ._progress import progress  # noqa: PLC0415

    found: list[Finding] = []
    try:
        with progress("Checking", None) as on_answer:
            found.extend(check(on_answer).run())
    except KeyboardInterrupt:
        return found, True
    return found, False
