"""The kinds of guards that promise the same, and when a lease of theirs is over."""

from __future__ import annotations

SYNC = ["memory", "sqlite", "redis", "redis-text", "django-redis", "django-memcached", "own"]
KINDS = [*SYNC, "redis-async", "own-async"]


def later_than(lease: float, kind: str) -> float:
    """Return after how many seconds a lease is over for certain; Memcached's clock ticks once a second."""
    return lease + (1.1 if kind == "django-memcached" else 0.1)
