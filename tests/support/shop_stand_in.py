"""Takes the place of `examples/shop.py`: writes each call down, and fails or hangs at the first if the body says so."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from listrak_webhooks import Event

FOLDER = Path(os.environ["HAND_OFF_FOLDER"])


def write(name: str, entry: Any) -> None:
    """Add a line to a file that several processes write to."""
    with (FOLDER / name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def read(name: str) -> list[Any]:
    """Return the lines of such a file."""
    path = FOLDER / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def handle(event: Event) -> None:
    """Do what the body says."""
    first = not any(event_id == event.id for event_id, _ in read("begun"))
    write("begun", [event.id, os.getpid()])
    what = event.payload["do"]
    if first and what == "fail once":
        raise RuntimeError("the shop is closed")
    if first and what == "hang once":
        time.sleep(600)
    write("done", [event.id, event.body.decode(), event.timestamp])
