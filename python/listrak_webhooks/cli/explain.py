"""`explain`: why was this delivery rejected?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._capture import Capture, parse_capture
from ._command import Command, check_standard_input, json_option, now_option, read
from ._headers import header_options, headers_of
from ._secrets import many_secrets_options, secret_sources, webhook_of
from ._text import say, say_json, say_styled, say_table, say_wrapped

if TYPE_CHECKING:
    from listrak_webhooks._core import Cause, Explanation, Webhook

_OF_TIME = {"clock_ahead", "clock_behind", "replayed_late"}

OF_ANOTHER = "other_secret"
"""The name of the cause that a delivery was signed with the secret of another webhook."""


@click.command(
    cls=Command,
    example="listrak-webhooks explain capture.json --secret-file secret.txt",
    short_help="Say why a delivery was rejected, and what to do.",
)
@click.argument("path", metavar="CAPTURE|BODY")
@header_options
@now_option
@many_secrets_options
@json_option
def command(  # noqa: PLR0913
    *,
    path: str,
    headers: str | None,
    timestamp: str | None,
    signature: str | None,
    now: float | None,
    secret_files: tuple[str, ...],
    secret_env: str | None,
    as_json: bool,
) -> int:
    """Say why a delivery was rejected, and what to do; exits 0 if it is genuine and 1 if it is not.

    CAPTURE is one delivery: a line of JSON with `method`, `path`, `headers` (pairs), `body` (base64) and `received_at`
    (Unix seconds), or a raw HTTP request as a proxy writes it. With --headers, the file is the BODY alone, byte
    for byte. - is the standard input.
    """
    check_standard_input({"CAPTURE": path, "--headers": headers, **secret_sources(secret_files)})
    webhook = webhook_of(secret_files[0] if secret_files else None, secret_env)
    others = [webhook_of(each, None) for each in secret_files[1:]]
    pairs = headers_of(headers, timestamp, signature)
    capture = parse_capture(read(path, "CAPTURE")) if pairs is None else _of_a_body(read(path, "BODY"), pairs)
    explanation = explain(webhook, capture, now, others)
    signer = _signer_of(webhook, capture, now, dict(zip(secret_files[1:], others, strict=True)), explanation)
    if as_json:
        say_json({**explanation.to_dict(), **({} if signer is None else {"secret_file": signer})})
    else:
        show(explanation, knows_time=now is not None or capture.received_at is not None, signer=signer)
    return 0 if explanation.genuine else 1


def _of_a_body(body: bytes, pairs: list[tuple[str, str]]) -> Capture:
    """Return the delivery of a body that is in a file of its own.

    Raises:
        click.UsageError: the file is a capture.
    """
    try:
        parse_capture(body)
    except click.UsageError:
        return Capture(None, None, pairs, body, None)
    raise click.UsageError(
        "the file is a capture, which has the headers of the delivery; leave out --headers, --timestamp and --signature"
    )


def _signer_of(
    webhook: Webhook, capture: Capture, now: float | None, others: dict[str, Webhook], explanation: Explanation
) -> str | None:
    """Return the file with the secret of another webhook that signed, if one did; the core says only that one did."""
    if not any(cause.name == OF_ANOTHER and cause.proven for cause in explanation.causes):
        return None
    for path, other in others.items():
        found = explain(webhook, capture, now, [other])
        if any(cause.name == OF_ANOTHER and cause.proven for cause in found.causes):
            return path
    return None


def explain(webhook: Webhook, capture: Capture, now: float | None, others: list[Webhook]) -> Explanation:
    """Return the explanation of a capture, as of the time that was given, or else of the capture's own."""
    return webhook.explain(
        capture.body, capture.headers, now=capture.received_at if now is None else now, others=tuple(others)
    )


def show(explanation: Explanation, *, knows_time: bool, signer: str | None = None) -> None:
    """Print an explanation for people.

    Args:
        explanation: the explanation.
        knows_time: whether the time of the delivery's arrival is known.
        signer: the file with the secret of another webhook that signed, if that is known.
    """
    if explanation.genuine:
        say_styled("green", "genuine")
    else:
        say_styled("red", f"rejected: {explanation.code}")
    for cause in explanation.causes:
        say("")
        say_styled("strong", cause.name, _certainty(cause))
        say_wrapped(cause.summary, "  ")
        if cause.name == OF_ANOTHER and signer is not None:
            say_wrapped(f"signed with the secret in {signer}", "  ")
        say_wrapped(cause.advice, "     ", first="  -> ")
    if explanation.code == "signature_mismatch" and not any(cause.proven for cause in explanation.causes):
        say("")
        say_wrapped(
            "No accident is proven. It is a forgery, or it was signed with another secret: compare the secret with the "
            "one that Listrak shows.",
            "  ",
        )
    if explanation.code in {"stale_timestamp", "future_timestamp"} and not knows_time:
        say("")
        say_wrapped("It was compared with the present time; give the time of its arrival with --now.", "  ")
    say("", "facts")
    say_table((name.replace("_", " "), _in_words(value)) for name, value in explanation.facts.items())


def _certainty(cause: Cause) -> str:
    if not cause.proven:
        return ": likely"
    # A time is wrong under a signature that matches as it is.
    return ": proven" if cause.name in _OF_TIME else ": proven, with this undone the signature matches"


def _in_words(value: str | int | bool) -> str:  # noqa: FBT001
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
