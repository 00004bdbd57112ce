"""Hostile header containers: what comes of them is what their parts mean, and always a documented outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .reference import REACHED_THE_MAC

if TYPE_CHECKING:
    from .campaign import Campaign


def test_what_comes_of_each_container_is_what_the_reference_says(campaign: Campaign) -> None:
    """Odd, lying and exploding containers are read as Python objects that mean something, or rejected as documented."""
    report = campaign.run("containers")
    assert report.count(*REACHED_THE_MAC) > report.cases / 4
