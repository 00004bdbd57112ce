"""Fixtures for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers import SECRET
from hypothesis import settings
from listrak_webhooks import Webhook

# Shared machines pause at any time: no test here is about how long one example takes.
settings.register_profile("listrak_webhooks", deadline=None)
settings.load_profile("listrak_webhooks")

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def webhook() -> Webhook:
    """Return the webhook that most tests ask; it is immutable, so one serves them all."""
    return Webhook(SECRET)


@pytest.fixture(scope="module")
def gunicorn_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that Gunicorn's output goes to."""
    return tmp_path_factory.mktemp("gunicorn") / "log"
