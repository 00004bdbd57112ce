"""Claims: what arrives at a guard from many sides at once is handled exactly once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from . import claims
from .claims import SIDES, Spec

if TYPE_CHECKING:
    from support.guards import Place

    from .campaign import Campaign


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_each_delivery_is_handled_once(campaign: Campaign, place: Place, kind: str) -> None:
    """Of several processes and threads one handles a delivery, though handlers fail and all have it at once."""
    count = max(1, campaign.cases("claims") * claims.FACTORS.get(kind, 1) // (SIDES + 1))
    spec = Spec(kind, str(place.folder), place.port, campaign.seed, count, str(int(time.time())))
    with campaign.report(f"claims ({kind})") as report:
        guard = place.guard(kind, **claims.OPTIONS.get(kind, {}))
        if kind == "memory":
            outcome = claims.in_threads(guard, spec, SIDES, kind, lambda: None)
        else:
            outcome = claims.in_processes(spec)
        outcome = claims.last_round(guard, spec, outcome)
        asyncio.run(place.close())
        report.tally.update({(kind, name): number for name, number in outcome.outcomes.items()})
    problem = claims.problem_of(outcome, spec)
    assert not problem, problem
    assert report.cases == count * (SIDES + 1)
    # Each of the ways there are was gone.
    assert all(report.count(name) for name in (claims.HANDLED, claims.KNOWN, claims.FAILED))
