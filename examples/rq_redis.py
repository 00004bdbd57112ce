"""Hand deliveries to RQ on Redis.

In this folder, with Redis running:

    $ pip install 'listrak-webhooks[flask,redis]' rq
    $ export LISTRAK_WEBHOOK_SECRET='the HMAC secret' REDIS_URL=redis://127.0.0.1:6379/0
    $ flask --app rq_redis run                                                        # receives
    $ rq worker listrak --url $REDIS_URL --path . --serializer json --with-scheduler --maintenance-interval 60

A job stays in Redis until it is done. A job whose worker was killed has no heartbeat any more: 90 seconds later the
maintenance of another worker, which runs at its start and then in every interval, puts it back. That counts as a try.

Receiver and worker both choose JSON, because RQ's default is pickle, and a forged pickle runs code in the worker.
"""

from __future__ import annotations

import os
from typing import Any

import shop
from flask import Flask
from listrak_webhooks import Event
from listrak_webhooks.flask import listrak_webhook
from listrak_webhooks.replay import RedisReplayGuard
from redis import Redis
from rq import Queue, Retry
from rq.serializers import JSONSerializer

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
LONGEST_TASK = int(os.environ.get("LONGEST_TASK", "600"))  # seconds, after which a job is stopped and tried again
RETRY_AFTER = int(os.environ.get("RETRY_AFTER", "30"))  # seconds, doubled with every try
KEEP_FAILED = 7 * 24 * 3600  # seconds, for jobs that failed at every try

app = Flask(__name__)
redis = Redis.from_url(REDIS_URL, socket_timeout=5, socket_connect_timeout=5)
guard = RedisReplayGuard(redis)
queue = Queue("listrak", connection=redis, serializer=JSONSerializer)


@app.post("/listrak")
@listrak_webhook(replay=guard)
def listrak(event: Event) -> None:
    """Queue the delivery, and return."""
    queue.enqueue(  # if this raises, the response is a 500, and the guard lets the delivery come again
        work,
        event.to_dict(),
        description=f"delivery {event.public_id}",  # else RQ logs the arguments
        retry=Retry(max=8, interval=[RETRY_AFTER * 2**tries for tries in range(8)]),
        job_timeout=LONGEST_TASK,
        result_ttl=0,
        failure_ttl=KEEP_FAILED,
    )


def work(delivery: dict[str, Any]) -> None:
    """Do the work for one delivery."""
    shop.handle(Event.from_dict(delivery))
