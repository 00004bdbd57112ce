"""`send`: plays Listrak against an endpoint."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from ._command import Command, check_standard_input, finite, json_option
from ._deliveries import body_of, check_deliveries, delivery_options, synthetic_body
from ._secrets import secret_options, webhook_of
from ._target import Target, target_of
from ._text import say, say_json, say_table

if TYPE_CHECKING:
    from ._sending import Outgoing, Plan, Summary

TAMPERINGS = ("body", "signature", "timestamp", "stale", "future", "duplicate", "encoding")


@click.command(
    cls=Command,
    example="listrak-webhooks send https://shop.example.com/listrak --count 100 --rate 10",
    short_help="Play Listrak against an endpoint, with deliveries of synthetic people.",
)
@click.argument("target", metavar="URL", callback=target_of)
@delivery_options
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="How many deliveries.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    metavar="R",
    help="Deliveries a second, at most.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="C", help="How many at a time."
)
@click.option("--tamper", type=click.Choice(TAMPERINGS), help="Make each delivery wrong in this way.")
@secret_options
@json_option
def command(  # noqa: PLR0913
    *,
    target: Target,
    journey: str | None,
    body_file: str | None,
    count: int,
    rate: float | None,
    concurrency: int,
    tamper: str | None,
    secret_file: str | None,
    secret_env: str | None,
    as_json: bool,
) -> int:
    """Play Listrak against an endpoint: deliveries of synthetic people in reserved domains, signed as Listrak signs.

    Exits 0 if all were responded to with 200; with --tamper, if all were responded to and none was accepted. A
    duplicate is sent twice and must get 200 both times. A redirect is an answer and is not followed.
    """
    check_deliveries(journey, body_file)
    check_standard_input({"--body": body_file, "--secret-file": secret_file})
    webhook = webhook_of(secret_file, secret_env)
    body = body_of(body_file)
    # These need HTTP and the test kit, which the help and a mistake in the call do not.
    from ._sending import Plan  # noqa: PLC0415
    from ._tampering import outgoing  # noqa: PLC0415

    run = secrets.token_hex(8)

    def prepare(number: int) -> list[Outgoing]:
        """Return one delivery, of a shopper who is in no other, in this run or in another."""
        content = synthetic_body(journey, f"{run} {number}") if body is None else body
        return outgoing(webhook, content, tamper)

    summary, interrupted = _run(Plan(target.url, count, rate, concurrency, prepare))
    if as_json:
        say_json(summary.to_dict())
    else:
        _show(summary)
    if interrupted:
        say(f"Interrupted after {summary.sent} of {count} deliveries.", err=True)
    return 0 if not interrupted and is_as_wished(summary, tamper) else 1


def is_as_wished(summary: Summary, tamper: str | None) -> bool:
    """Whether each delivery had the outcome that it must have.

    An endpoint that does not respond has not rejected anything.

    Args:
        summary: what came of the run.
        tamper: how the deliveries were made wrong, if they were.
    """
    if tamper in {None, "duplicate"}:
        return summary.statuses[200] == summary.sent
    return not summary.failed and not summary.accepted()


def _run(plan: Plan) -> tuple[Summary, bool]:
    """Send what is planned; the summary, and whether Ctrl-C ended it."""
    import asyncio  # noqa: PLC0415

    from ._progress import progress  # noqa: PLC0415
    from ._sending import Summary, send_until_interrupted  # noqa: PLC0415

    summary = Summary()
    try:
        with progress("Sending", plan.deliveries) as on_answer:
            return summary, asyncio.run(send_until_interrupted(plan, summary, on_answer))
    except KeyboardInterrupt:  # on Windows
        return summary, True


def _show(summary: Summary) -> None:
    say(f"{summary.sent} sent")
    rows = [(str(status), f"{summary.statuses[status]}") for status in sorted(summary.statuses)]
    rows += [("no answer", f"{count}: {problem}") for problem, count in sorted(summary.problems.items())]
    say_table(rows)
    latencies = [(name, f"{value:.1f} ms") for name, value in summary.latencies().items() if value is not None]
    if len(summary.seconds) == 1:
        say(f"time to answer  {latencies[0][1]}")
    elif latencies:
        say("time to answer")
        say_table(latencies)
