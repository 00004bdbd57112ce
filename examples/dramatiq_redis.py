"""Hand deliveries to Dramatiq on Redis.

In this folder, with Redis running:

    $ pip install 'listrak-webhooks[flask]' 'dramatiq[redis]'
    $ export LISTRAK_WEBHOOK_SECRET='the HMAC secret' REDIS_URL=redis://127.0.0.1:6379/0
    $ flask --app dramatiq_redis run            # receives
    $ dramatiq dramatiq_redis                   # works: as many as you like, on any machine

A message stays in Redis until it is done. A message that a killed worker held is put back HEARTBEAT_TIMEOUT seconds
after the last heartbeat of that worker, by the next process that sends Redis a command for this queue.
"""

from __future__ import annotations

import os
from pathlib import Path

import dramatiq
import shop
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage
from flask import Flask
from listrak_webhooks import Event
from listrak_webhooks.flask import listrak_webhook
from listrak_webhooks.replay import SqliteReplayGuard
from redis import Redis

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
HEARTBEAT_TIMEOUT = int(os.environ.get("HEARTBEAT_TIMEOUT", "60"))  # seconds
RETRY_AFTER = int(os.environ.get("RETRY_AFTER", "30"))  # seconds, doubled with every try
FOLDER = Path(os.environ.get("LISTRAK_FOLDER", "."))  # on a local disk

app = Flask(__name__)
guard = SqliteReplayGuard(FOLDER / "deliveries.db")  # for one machine that receives; RedisReplayGuard for several
broker = RedisBroker(
    client=Redis.from_url(REDIS_URL, socket_timeout=5, socket_connect_timeout=5),
    heartbeat_timeout=HEARTBEAT_TIMEOUT * 1000,
    maintenance_chance=1_000_000,  # look for dead workers with every command: the default may take many minutes
)
broker.add_middleware(CurrentMessage())
dramatiq.set_broker(broker)


@app.post("/listrak")
@listrak_webhook(replay=guard)
def listrak(event: Event) -> None:
    """Queue the delivery, and return."""
    # An option and not an argument, because Dramatiq logs the arguments of a task that fails. If this raises, the
    # response is a 500, and the guard lets the delivery come again.
    work.send_with_options(delivery=event.to_dict())


@dramatiq.actor(max_retries=8, min_backoff=RETRY_AFTER * 1000)
def work() -> None:
    """Do the work for one delivery."""
    message = CurrentMessage.get_current_message()
    assert message is not None
    shop.handle(Event.from_dict(message.options["delivery"]))
