"""Hand deliveries to Huey on SQLite: one machine, and no server to run besides your own.

In this folder:

    $ pip install 'listrak-webhooks[flask]' huey
    $ export LISTRAK_WEBHOOK_SECRET='the HMAC secret'
    $ flask --app huey_sqlite run                        # receives
    $ huey_consumer huey_sqlite.huey --max-delay 1       # works: one consumer, with as many threads as you like

Huey deletes a task when it takes it, so a consumer that is killed loses the task that it was working on. Therefore a
delivery stays in an inbox until its work is done, and a consumer that starts queues again what the last one left there.

The files hold personal data, and a process that can write to them can make deliveries of its own. So they are open to
one user only: run both commands as that user.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import shop
from flask import Flask
from huey import SqliteHuey
from huey.registry import Message
from listrak_webhooks import Event
from listrak_webhooks.flask import listrak_webhook
from listrak_webhooks.replay import SqliteReplayGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(os.environ.get("LISTRAK_FOLDER", "deliveries"))  # for these files alone, on a local disk
RETRY_AFTER = int(os.environ.get("RETRY_AFTER", "30"))  # seconds, doubled with every try


def private(name: str) -> Path:
    """Return a file that only this user can open; SQLite gives its -wal and -shm files the same mode."""
    file = FOLDER / name
    file.touch(mode=0o600)
    file.chmod(0o600)  # one that exists keeps its mode otherwise
    return file


class JsonSerializer:
    """Writes tasks as JSON. Huey's own serializer pickles them, and a forged pickle runs code in the consumer."""

    def serialize(self, message: Message) -> bytes:
        """Write a task whose arguments are plain JSON; `eta` is when it is to be tried again."""
        return json.dumps(message._asdict(), default=datetime.isoformat).encode()

    def deserialize(self, data: bytes) -> Message:
        """Read such a task. What this raises is in the consumer's log."""
        fields = json.loads(data)
        eta = fields["eta"]
        return Message(**fields | {"eta": None if eta is None else datetime.fromisoformat(eta)})


FOLDER.mkdir(mode=0o700, exist_ok=True)
INBOX = private("inbox.db")

app = Flask(__name__)
guard = SqliteReplayGuard(FOLDER / "deliveries.db")
huey = SqliteHuey("listrak", filename=private("queue.db"), fsync=True, results=False, serializer=JsonSerializer())

starting = threading.Lock()
started = threading.Event()


@contextlib.contextmanager
def inbox() -> Iterator[sqlite3.Connection]:
    """Open the inbox, and commit what was done to it."""
    with contextlib.closing(sqlite3.connect(INBOX)) as rows, rows:
        rows.execute("CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY, event TEXT NOT NULL)")
        yield rows


@app.post("/listrak")
@listrak_webhook(replay=guard)
def listrak(event: Event) -> None:
    """Keep the delivery, queue its id, and return."""
    with inbox() as rows:
        rows.execute("INSERT OR IGNORE INTO inbox VALUES (?, ?)", (event.public_id, json.dumps(event.to_dict())))
    work(event.public_id)  # if this raises, the response is a 500, and the guard lets the delivery come again


@huey.task(retries=8, retry_delay=RETRY_AFTER, retry_backoff=2)
def work(public_id: str) -> None:
    """Do the work for one delivery, and take it out of the inbox."""
    with inbox() as rows:
        row = rows.execute("SELECT event FROM inbox WHERE id = ?", (public_id,)).fetchone()
    if row is None:
        return  # it was queued twice, and is done
    shop.handle(Event.from_dict(json.loads(row[0])))
    with inbox() as rows:
        rows.execute("DELETE FROM inbox WHERE id = ?", (public_id,))


@huey.on_startup()
def queue_what_was_left() -> None:
    """Queue again what is in the inbox and nowhere else; the first of the consumer's threads does it for all."""
    with starting:
        if not started.is_set():
            queued = {task.args[0] for task in (*huey.pending(), *huey.scheduled())}
            with inbox() as rows:
                kept = [public_id for (public_id,) in rows.execute("SELECT id FROM inbox ORDER BY rowid")]
            for public_id in kept:
                if public_id not in queued:
                    work(public_id)
            started.set()
