"""The work for one delivery, which every example calls: put your own code here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from listrak_webhooks import Event


def handle(event: Event) -> None:
    """Do the work for one delivery.

    It may raise, and is then called again. It may also be called twice for one delivery, because every queue delivers
    "at least once": let a second call with the same `event.public_id` change nothing.
    """
    print(f"working on delivery {event.public_id}", flush=True)
