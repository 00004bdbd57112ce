"""The attacks find each of the bugs that are put in on purpose, and nothing in what has none."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from support.payloads import event_of

from . import claims, containers, differentials, event_bugs, forgeries, receiver_bugs
from .campaign import DEFAULT_CASES, Tally, WrongError, generator
from .claims import SIDES, Outcome, Spec

if TYPE_CHECKING:
    from .campaign import Campaign

RUNS: dict[str, Any] = {"forgeries": forgeries.run, "containers": containers.run, "differentials": differentials.run}
BUGS: dict[str, dict[str, Any]] = {
    "forgeries": receiver_bugs.FORGERIES,
    "containers": receiver_bugs.CONTAINERS,
    "differentials": event_bugs.DIFFERENTIALS,
}
WITHOUT_BUGS: dict[str, Any] = {
    "forgeries": receiver_bugs.Wrapped,
    "containers": lambda receiver: receiver_bugs.Reading(receiver, lambda pairs: pairs),
    "differentials": lambda body: event_bugs.Changed(event_of(body)),
}


@pytest.mark.parametrize(("kind", "bug"), [(kind, bug) for kind, named in BUGS.items() for bug in named])
def test_a_bug_is_found(campaign: Campaign, kind: str, bug: str) -> None:
    """A receiver with one bug is told from the reference within the default number of cases."""
    tally = Tally()
    for number in count():
        try:
            RUNS[kind](generator(campaign.seed, f"bugs {kind}", number), tally, BUGS[kind][bug])
        except WrongError as error:
            print(f"{kind}: {bug}: {str(error)[:300]}")
            break
        assert tally.total() < DEFAULT_CASES[kind], "it was not found"
    campaign.found[f"{kind}: {bug}"] = tally.total() + 1


@pytest.mark.parametrize("kind", RUNS)
def test_nothing_is_found_without_a_bug(campaign: Campaign, kind: str) -> None:
    """What the bugs are put into differs from the package in nothing else."""
    for number in range(3):
        RUNS[kind](generator(campaign.seed, f"bugs {kind}", number), Tally(), WITHOUT_BUGS[kind])


def _claims_of(guard: Any, seed: str) -> str:
    spec = Spec("memory", "", 0, seed, 500, str(int(time.time())))
    outcome: Outcome = claims.in_threads(guard, spec, SIDES, "bugs", lambda: None)
    return claims.problem_of(claims.last_round(guard, spec, outcome), spec)


@pytest.mark.parametrize("guard", event_bugs.CLAIMS)
def test_a_guard_that_loses_or_repeats_a_delivery_is_found(campaign: Campaign, guard: type) -> None:
    """Deliveries that are handled twice, or never, are counted."""
    assert "were not handled once" in _claims_of(guard(), campaign.seed)


def test_nothing_is_found_in_a_guard_that_is_right(campaign: Campaign) -> None:
    """A guard of plain Python with a lock handles each delivery once."""
    assert _claims_of(event_bugs.Guard(), campaign.seed) == ""
