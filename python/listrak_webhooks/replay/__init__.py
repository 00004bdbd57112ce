"""Replay guards: each delivery is handled once, however often it arrives.

>>> from listrak_webhooks import Webhook
>>> from listrak_webhooks.replay import MemoryReplayGuard
>>> webhook, guard = Webhook("the HMAC secret"), MemoryReplayGuard()
>>> event = webhook.verify(b"{}", webhook.signed_headers(b"{}"))
>>> with guard.handle(event) as first:
...     first
True
"""

from listrak_webhooks._core import MemoryReplayGuard

from ._django_cache import DjangoCacheReplayGuard
from ._guard import StoreGuard
from ._protocols import AsyncReplayGuard, ReplayGuard
from ._redis import RedisReplayGuard
from ._sqlite import SqliteReplayGuard
from ._store import Delivery, ReplayStore, State

__all__ = [
    "AsyncReplayGuard",
    "Delivery",
    "DjangoCacheReplayGuard",
    "MemoryReplayGuard",
    "RedisReplayGuard",
    "ReplayGuard",
    "ReplayStore",
    "SqliteReplayGuard",
    "State",
    "StoreGuard",
]
