"""`verify`: is this delivery genuine?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from listrak_webhooks import _clock
from listrak_webhooks.exceptions import WebhookError

from ._command import Command, check_standard_input, json_option, now_option, read
from ._headers import header_options, headers_of
from ._secrets import rotated_secret_options, secret_sources, webhook_of
from ._text import say_json, say_styled

if TYPE_CHECKING:
    from listrak_webhooks._core import Event


@click.command(
    cls=Command,
    example="listrak-webhooks verify body.json --headers headers.txt --secret-file secret.txt",
    short_help="Say whether a delivery is genuine.",
)
@click.argument("body")
@header_options
@now_option
@rotated_secret_options
@json_option
def command(  # noqa: PLR0913
    *,
    body: str,
    headers: str | None,
    timestamp: str | None,
    signature: str | None,
    now: float | None,
    secret_files: tuple[str, ...],
    secret_env: str | None,
    as_json: bool,
) -> int:
    """Say whether a delivery is genuine; exits 0 if it is and 1 if it is not.

    BODY is a file, taken byte for byte; - is the standard input. The headers are --headers, or --timestamp and
    --signature. Further --secret-file are previous secrets.
    """
    check_standard_input({"BODY": body, "--headers": headers, **secret_sources(secret_files)})
    webhook = webhook_of(secret_files[0] if secret_files else None, secret_env, secret_files[1:])
    pairs = headers_of(headers, timestamp, signature)
    if pairs is None:
        raise click.UsageError("the headers are missing; give --headers, or --timestamp and --signature")
    try:
        event = webhook.verify(read(body, "BODY"), pairs, now=now)
    except WebhookError as error:
        if as_json:
            say_json({"genuine": False, "code": error.code})
        else:
            say_styled("red", "rejected: ", f"{error.code}: {error}")
        return 1
    if as_json:
        say_json({"genuine": True, "code": None})
    else:
        say_styled("green", "genuine: ", _description_of(event, now))
    return 0


def _description_of(event: Event, now: float | None) -> str:
    age = int(_clock.now() if now is None else now) - event.timestamp
    which = ("the current secret", "the previous secret", f"previous secret {event.secret_index}")[
        min(event.secret_index, 2)
    ]
    away = f"{age} s ago" if age >= 0 else f"{-age} s in the future"
    return f"sent {event.sent_at:%Y-%m-%d %H:%M:%S} UTC ({away}), signed in {event.encoding} with {which}"
