"""Payload differentials: what an event says of its body is what `json` and a plain lookup say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .campaign import Campaign


def test_what_is_read_from_each_body_is_what_the_reference_reads(campaign: Campaign) -> None:
    """Payloads are those of `json` bit for bit, contacts those of a plain lookup, and nothing fails in another way."""
    report = campaign.run("differentials")
    assert report.count("a payload") > report.cases / 3
    assert report.count("PayloadError (not JSON)") > report.cases / 10
