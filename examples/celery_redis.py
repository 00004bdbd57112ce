"""Hand deliveries to Celery on Redis.

In this folder, with Redis running:

    $ pip install 'listrak-webhooks[flask,redis]' 'celery[redis]'
    $ export LISTRAK_WEBHOOK_SECRET='the HMAC secret' REDIS_URL=redis://127.0.0.1:6379/0
    $ flask --app celery_redis run                              # receives
    $ celery --app celery_redis:celery worker --loglevel INFO  # works: as many as you like, on any machine

A task stays in Redis until it is done. A task that a killed worker held comes back VISIBILITY_TIMEOUT seconds after it
was taken. So neither a task nor the pause before its next try may take longer than that.
"""

from __future__ import annotations

import os
from typing import Any

import shop
from celery import Celery
from flask import Flask
from listrak_webhooks import Event
from listrak_webhooks.flask import listrak_webhook
from listrak_webhooks.replay import RedisReplayGuard
from redis import Redis

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
VISIBILITY_TIMEOUT = int(os.environ.get("VISIBILITY_TIMEOUT", "1800"))  # seconds
RETRY_AFTER = int(os.environ.get("RETRY_AFTER", "30"))  # seconds, doubled with every try

app = Flask(__name__)
guard = RedisReplayGuard(Redis.from_url(REDIS_URL, socket_timeout=5, socket_connect_timeout=5))
celery = Celery("listrak", broker=REDIS_URL)
celery.conf.update(
    accept_content=["json"],  # the default: a pickle in the queue would run code in the worker
    task_acks_late=True,  # a task is acknowledged when it is done, not when it is taken
    task_reject_on_worker_lost=True,  # a child that is killed, for its memory say, gives its task back
    worker_prefetch_multiplier=1,  # no worker holds tasks that another could do
    task_ignore_result=True,
    task_repr_maxlevels=1,  # events, and so Flower, show "({...},)" of a delivery
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "unacked_restore_throttle": 1,  # look every 10 seconds, and not every 100, for tasks that came back
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
    },
)


@app.post("/listrak")
@listrak_webhook(replay=guard)
def listrak(event: Event) -> None:
    """Queue the delivery, and return."""
    work.delay(event.to_dict())  # if this raises, the response is a 500, and the guard lets the delivery come again


@celery.task(
    autoretry_for=(Exception,),
    max_retries=8,
    retry_backoff=RETRY_AFTER,
    retry_backoff_max=VISIBILITY_TIMEOUT // 2,
    retry_jitter=False,
)
def work(delivery: dict[str, Any]) -> None:
    """Do the work for one delivery."""
    shop.handle(Event.from_dict(delivery))
