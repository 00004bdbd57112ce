"""What the apps of all frameworks have in common."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from listrak_webhooks import Webhook
from support.helpers import SECRET

if TYPE_CHECKING:
    from listrak_webhooks import Event

BODY_TIMEOUT = 1.0
MAX_BODY = 100_000
HANDLED = "handled"
"""How a line of the log begins for each delivery that a view was called with."""
PROCESS = "X-Process"
"""The response header with the number of the process that has responded."""

WEBHOOK = Webhook(SECRET, max_body=MAX_BODY)

logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(levelname)s %(message)s")


def handle(event: Event) -> dict[str, str]:
    """Do what each view does with a delivery, and return the headers of its response."""
    # In one piece, because some servers do not buffer the stream.
    sys.stderr.write(f"{HANDLED} {event.id}\n")
    sys.stderr.flush()
    return {PROCESS: str(os.getpid())}
