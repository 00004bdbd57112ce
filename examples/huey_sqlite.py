"""Hand deliveries to Huey on SQLite: one machine, no broker, nothing to install but Huey.

    $ pip install 'listrak-webhooks[flask]' huey
    $ export LISTRAK_WEBHOOK_SECRET='the HMAC secret'
    $ flask --app huey_sqlite run                        # receives
    $ huey_consumer huey_sqlite.huey --max-delay 1       # works; one consumer, with as many threads as you like

Huey deletes a task as it takes it, so a consumer that is killed loses what it was working on. Therefore a delivery
stays in an inbox until its work is done, and a consumer that starts queues again what the last one left there.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import shop
from flask import Flask
from huey import SqliteHuey
from listrak_webhooks import Event
from listrak_webhooks.flask import listrak_webhook
from listrak_webhooks.replay import SqliteReplayGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(os.environ.get("LISTRAK_FOLDER", "."))  # on a local disk
RETRY_AFTER = int(os.environ.get("RETRY_AFTER", "30"))  # seconds, doubled with every try

app = Flask(__name__)
guard = SqliteReplayGuard(FOLDER / "deliveries.db")
huey = SqliteHuey("listrak", filename=FOLDER / "queue.db", fsync=True, results=False)

starting = threading.Lock()
started = threading.Event()


@contextlib.contextmanager
def inbox() -> Iterator[sqlite3.Connection]:
    """Open the inbox, and commit what was done to it."""
    with contextlib.closing(sqlite3.connect(FOLDER / "inbox.db")) as rows, rows:
        rows.execute("CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY, event TEXT NOT NULL)")
        yield rows


@app.post("/listrak")
@listrak_webhook(replay=guard)
def listrak(event: Event) -> None:
    """Keep the delivery, queue its id, and answer."""
    with inbox() as rows:
        rows.execute("INSERT OR IGNORE INTO inbox VALUES (?, ?)", (event.id, json.dumps(event.to_dict())))
    work(event.id)  # if this raises, the answer is a 500, and the guard lets the delivery come again


@huey.task(retries=8, retry_delay=RETRY_AFTER, retry_backoff=2)
def work(event_id: str) -> None:
    """Do the work for one delivery, and take it out of the inbox."""
    with inbox() as rows:
        row = rows.execute("SELECT event FROM inbox WHERE id = ?", (event_id,)).fetchone()
    if row is None:
        return  # it was queued twice, and is done
    shop.handle(Event.from_dict(json.loads(row[0])))
    with inbox() as rows:
        rows.execute("DELETE FROM inbox WHERE id = ?", (event_id,))


@huey.on_startup()
def queue_what_was_left() -> None:
    """Queue again what is in the inbox and nowhere else; the first of the consumer's threads does it for all."""
    with starting:
        if not started.is_set():
            queued = {task.args[0] for task in (*huey.pending(), *huey.scheduled())}
            with inbox() as rows:
                kept = [event_id for (event_id,) in rows.execute("SELECT id FROM inbox ORDER BY rowid")]
            for event_id in kept:
                if event_id not in queued:
                    work(event_id)
            started.set()
