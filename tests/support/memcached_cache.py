"""Django's backend for Memcached, which closes its sockets when it goes, as `sqlite3` and `redis` do by themselves."""

from __future__ import annotations

import contextlib

from django.core.cache.backends.memcached import PyMemcacheCache


class ClosingCache(PyMemcacheCache):
    """A cache of one thread; when the thread ends, so does its connection."""

    def __del__(self) -> None:
        """Close the connection."""
        with contextlib.suppress(Exception):
            self._cache.close()  # type: ignore[attr-defined]
