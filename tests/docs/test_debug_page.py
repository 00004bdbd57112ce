"""The tables of the page on debugging a signature: each row is what the log says after that accident."""

from __future__ import annotations

import logging
import re
from random import Random

import flask
import pytest
from listrak_webhooks import Webhook
from listrak_webhooks.flask import listrak_webhook
from support.accidents import WAYS, Trip
from support.helpers import TESTS

PAGE = (TESTS.parent / "docs" / "how-to" / "debug-a-signature.md").read_text(encoding="utf-8")
ROWS = {
    name: (fact, advice) for name, fact, advice in re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
}
LIKELY = {"body_truncated", "body_empty", "header_missing"}
BODY = '{"campaign":"vip-mailer","name":"Café","items":[{"price":44.99}]}'.encode()


def line_after(name: str, caplog: pytest.LogCaptureFixture) -> str:
    """Return the log line of a Flask endpoint at which a delivery arrives to which that has happened."""
    trip = Trip(BODY, "kZ8vY2mP9qLs4TnW")
    WAYS[name][0](trip, Random(1))  # noqa: S311
    webhook = Webhook(trip.configured, clock=lambda: trip.now)
    app = flask.Flask(__name__)

    @app.post("/listrak")
    @listrak_webhook(webhook)
    def listrak(event: object) -> None:
        raise AssertionError(event)

    caplog.clear()
    app.test_client().post("/listrak", data=trip.received, headers=trip.pairs())
    (record,) = [record for record in caplog.records if hasattr(record, "listrak_code")]
    assert record.levelno == logging.WARNING
    return record.getMessage()


def test_every_cause_has_a_row() -> None:
    """The tables have all names of the contract, each once."""
    assert set(ROWS) == set(WAYS)
    assert len(re.findall(r"^\| `\w+` \|", PAGE, re.MULTILINE)) == len(ROWS)


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"other_secret", "body_truncated"}))
def test_a_row_is_what_the_log_says(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The line begins with the proven cause and what to do; a likely one is in it."""
    line = line_after(name, caplog)
    fact, advice = ROWS[name]
    if name in LIKELY:
        assert line.startswith("rejected a delivery with ")
        assert f"; likely {name}" in line
    else:
        assert line.startswith(f"{name}: {fact}")
        assert f"; {advice}; rejected a delivery with " in line


def test_the_row_of_other_secret_is_what_explain_says() -> None:
    """It needs the other webhooks."""
    webhook, other = Webhook("the HMAC secret"), Webhook("another HMAC secret")
    (cause,) = webhook.explain(BODY, other.signed_headers(BODY), others=[other]).causes
    assert (cause.summary, cause.advice) == ROWS["other_secret"]


@pytest.mark.parametrize("name", sorted(LIKELY))
def test_the_row_of_a_likely_cause_is_what_explain_says(name: str) -> None:
    """Its text is not in the log line, which has the name alone."""
    trip = Trip(BODY, "kZ8vY2mP9qLs4TnW")
    WAYS[name][0](trip, Random(1))  # noqa: S311
    cause = Webhook(trip.configured).explain(trip.received, trip.pairs(), now=trip.now).causes[0]
    fact, advice = ROWS[name]
    assert cause.summary.startswith(fact)
    assert (cause.name, cause.advice, cause.proven) == (name, advice, False)
