"""The guard over a cache of Django's."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

from listrak_webhooks._adapter import missing_framework
from listrak_webhooks.exceptions import ConfigurationError

from ._guard import DEFAULT_LEASE, Delivery, State, StoreGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._types import Clock

COMPLETED = "completed"

ATTEMPTS = 3
"""How often a claim is tried where the one in its way is gone as soon as it is looked at."""

SLACK = 1.0
"""How many seconds before its lease ends a claim is not given back any more: another may have it when that arrives."""

T = TypeVar("T")


class DjangoCacheReplayGuard(StoreGuard):
    """Lets each delivery be handled once by all processes that share a cache of Django's.

    Its promise is the cache's: one that evicts keys early (`MAX_ENTRIES` of the local-memory and the database cache,
    memory limits of Memcached and Redis) forgets deliveries, and a local-memory cache is for one process. Give the
    guard an alias of its own. Caches without an atomic `add` (file-based) or without a memory (dummy) are refused. A
    database cache must not be in a database with `ATOMIC_REQUESTS`, where no other process sees a claim until the view
    has ended.

    Args:
        alias: which of `settings.CACHES`.
        prefix: what the keys begin with.
        lease: the seconds after which a claim may be taken over by another try, where its process died; longer than a
            handler ever takes. Rounded up to whole ones.
        fail_open: handle deliveries all the same while the cache does not answer, though they may be handled twice
            then.
        clock: returns Unix seconds; for tests. The system's by default.

    Raises:
        ConfigurationError: an argument cannot be right; or, with the settings loaded, there is no such cache or it
            cannot promise anything.
        ModuleNotFoundError: Django is not installed.

    Example:
        >>> from listrak_webhooks.replay import DjangoCacheReplayGuard
        >>> guard = DjangoCacheReplayGuard("deliveries")
    """

    def __init__(
        self,
        alias: str = "default",
        *,
        prefix: str = "listrak_webhooks:",
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        clock: Clock | None = None,
    ) -> None:
        try:
            from django.conf import settings  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise missing_framework("django", "Django", error) from None
        store = _Store(alias, prefix, lease, clock or time.time)
        super().__init__(store, lease=lease, fail_open=fail_open, clock=clock)
        self._alias = alias
        if settings.configured:
            store.cache()

    def __repr__(self) -> str:
        return f"DjangoCacheReplayGuard({self._alias!r})"


class _LostWriteError(Exception):
    """The cache said that it had written, and had not."""


class _Store:
    is_async = False

    def __init__(self, alias: str, prefix: str, lease: float, clock: Clock) -> None:
        self._alias = alias
        self._prefix = prefix
        self._lease = lease
        self._clock = clock

    def cache(self) -> Any:
        """Return the calling thread's own connection to the cache.

        Raises:
            ConfigurationError: there is no such cache, or it cannot promise anything.
        """
        from django.core.cache import InvalidCacheBackendError, caches  # noqa: PLC0415
        from django.core.cache.backends.dummy import DummyCache  # noqa: PLC0415
        from django.core.cache.backends.filebased import FileBasedCache  # noqa: PLC0415

        try:
            cache = caches[self._alias]
        except InvalidCacheBackendError:
            raise ConfigurationError(
                f"there is no cache {self._alias!r} in Django's CACHES, or its backend cannot be imported; add one for "
                "the replay guard"
            ) from None
        if isinstance(cache, DummyCache | FileBasedCache):
            raise ConfigurationError(
                f"the cache {self._alias!r} is a {type(cache).__name__}, which cannot claim a delivery atomically; use "
                "the Redis, Memcached or database backend, or SqliteReplayGuard"
            )
        return cache

    def claim(self, delivery: Delivery) -> State:
        cache, key = self.cache(), self._key(delivery)
        for _ in range(ATTEMPTS):
            now = self._clock()
            if cache.add(key, delivery.token, timeout=math.ceil(self._lease)):
                delivery.lease_ends = now + self._lease
                return State.CLAIMED
            value = cache.get(key)
            if value is not None:
                return State.COMPLETED if value == COMPLETED else State.HELD
        raise _LostWriteError

    def complete(self, delivery: Delivery) -> None:
        cache, key = self.cache(), self._key(delivery)
        cache.set(key, COMPLETED, timeout=max(math.ceil(delivery.keep_until - self._clock()), 1))
        # Some backends fail without a word.
        if cache.get(key) != COMPLETED:
            raise _LostWriteError

    def release(self, delivery: Delivery) -> None:
        cache, key = self.cache(), self._key(delivery)
        # There is no atomic compare-and-delete: so only while nobody else can have it.
        if self._clock() < delivery.lease_ends - SLACK and cache.get(key) == delivery.token:
            cache.delete(key)

    def explain(self, error: Exception) -> str:
        # A backend's text could hold anything, such as a URL with a password.
        return (
            f"the replay guard's cache {self._alias!r} did not answer ({type(error).__name__}); check its server or "
            "table, and LOCATION and OPTIONS in Django's CACHES"
        )

    async def off_loop(self, function: Callable[[], T]) -> T:
        from asgiref.sync import sync_to_async  # noqa: PLC0415

        # Django's own thread for such code, where its connections are closed when the request ends.
        return await sync_to_async(function)()

    def _key(self, delivery: Delivery) -> str:
        return f"{self._prefix}{delivery.id}"
