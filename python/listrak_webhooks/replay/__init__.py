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
from ._protocols import AsyncReplayGuard, ReplayGuard
from ._redis import RedisReplayGuard
from ._sqlite import SqliteReplayGuard

__all__ = [
    "AsyncReplayGuard",
    "DjangoCacheReplayGuard",
    "MemoryReplayGuard",
    "RedisReplayGuard",
    "ReplayGuard",
    "SqliteReplayGuard",
]
