"""Near-forgeries: accepted exactly if the reference accepts them, else rejected for its reason, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .reference import REACHED_THE_MAC

if TYPE_CHECKING:
    from .campaign import Campaign


def test_the_verdict_on_each_near_forgery_is_that_of_the_reference(campaign: Campaign) -> None:
    """The verdict on a delivery that differs in little from a genuine one is that of twenty lines of Python."""
    report = campaign.run("forgeries")
    # Otherwise most of them would prove no more than that a length is checked.
    assert report.count(*REACHED_THE_MAC) > report.cases / 2
    assert report.count("SignatureMismatchError") > report.cases / 3
