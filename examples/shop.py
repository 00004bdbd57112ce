"""What all the examples call: your own code, which does the work for one delivery."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from listrak_webhooks import Event

log = logging.getLogger("shop")


def handle(event: Event) -> None:
    """Do the work for one delivery.

    It may raise, and is called again then. It may be called twice for one delivery: every queue says "at least once",
    so let a second call with the same `event.id` change nothing.
    """
    log.info("working on delivery %s", event.id[:8])
