"""What all attacks share, and the report at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .campaign import Campaign

if TYPE_CHECKING:
    from collections.abc import Generator

CAMPAIGN = pytest.StashKey[Campaign]()


def pytest_configure(config: pytest.Config) -> None:
    """Read once how much is wanted."""
    config.stash[CAMPAIGN] = Campaign(os.environ)


@pytest.fixture(scope="session")
def campaign(pytestconfig: pytest.Config) -> Generator[Campaign, None, None]:
    """Return the attacks of this run."""
    campaign = pytestconfig.stash[CAMPAIGN]
    yield campaign
    campaign.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many cases there were, from which seed, and what came of them: with -v, of each attack."""
    campaign = config.stash[CAMPAIGN]
    if not campaign.reports and not campaign.found:
        return
    terminalreporter.section(f"attacks: seed {campaign.seed}, {campaign.processes} processes")
    for report in campaign.reports:
        for line in report.lines(by_attack=config.option.verbose > 0):
            terminalreporter.write_line(line)
    if campaign.found:
        last = max(campaign.found, key=lambda bug: campaign.found[bug])
        after = f"the last after {campaign.found[last]:,} cases ({last})"
        terminalreporter.write_line(f"bugs put in on purpose: {len(campaign.found)} found, {after}")
        for bug, cases in campaign.found.items() if config.option.verbose > 0 else ():
            terminalreporter.write_line(f"      {bug}: {cases:,}")
