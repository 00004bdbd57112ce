"""The guard over a cache of Django's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from listrak_webhooks._core import DEFAULT_LEASE, DEFAULT_TOLERANCE
from listrak_webhooks._event_loops import in_thread, running_library
from listrak_webhooks._extras import importing
from listrak_webhooks.exceptions import ConfigurationError

from ._guard import StoreGuard
from ._store import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._types import Clock, Tolerance

    from ._store import Delivery

COMPLETED = "completed "
"""What the value of a completed delivery begins with; the seconds for which it was to be kept follow."""

ATTEMPTS = 3
"""How often a claim is tried if the one in its way is gone as soon as it is looked at."""

SLACK = 1.0
"""How many seconds before its lease ends a claim is not given back any more: another may have it by then."""

ELSE = "use SqliteReplayGuard on one machine, RedisReplayGuard, or an alias with Django's Redis or Memcached backend"

T = TypeVar("T")


class DjangoCacheReplayGuard(StoreGuard):
    """Lets each delivery be handled once by all processes that share a cache of Django's, on Redis or Memcached.

    Its promise is the cache's: one that evicts keys early (memory limits of Memcached and Redis) forgets deliveries,
    and so does a change of the alias's `VERSION` or `KEY_PREFIX`. Give the guard an alias of its own, with one server
    if that is Redis. The other backends of Django are rejected: local-memory is for one process, the database and the
    file-based one cannot claim atomically, all three forget by count (`MAX_ENTRIES`), and dummy has no memory.

    Args:
        alias: which of `settings.CACHES`.
        prefix: what the keys begin with.
        lease: the seconds after which a claim may be taken over by another try because its process died; longer than a
            handler ever takes. Rounded up to whole ones.
        fail_open: handle deliveries all the same while the cache does not respond, though they may be handled twice
            then.
        tolerance: the longest tolerance, in seconds or as a `timedelta`, of the webhooks whose deliveries the guard
            sees. A guard that sees a longer one goes by that from then on.
        clock: returns Unix seconds; for tests. The system's clocks by default.

    Raises:
        ConfigurationError: an argument cannot be right; or, with the settings loaded, there is no such cache or it
            cannot promise anything.
        ImportError: Django is not installed (then a `ModuleNotFoundError`), or too old.

    Example:
        >>> from listrak_webhooks.replay import DjangoCacheReplayGuard
        >>> guard = DjangoCacheReplayGuard("deliveries")
    """

    def __init__(  # noqa: PLR0913
        self,
        alias: str = "default",
        *,
        prefix: str = "listrak_webhooks:",
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        tolerance: Tolerance = DEFAULT_TOLERANCE,
        clock: Clock | None = None,
    ) -> None:
        with importing("django", needed_by="DjangoCacheReplayGuard"):
            from django.conf import settings  # noqa: PLC0415
        store = _Store(alias, prefix)
        super().__init__(store, lease=lease, fail_open=fail_open, tolerance=tolerance, clock=clock)
        self._alias = alias
        if settings.configured:
            store.cache()

    def __repr__(self) -> str:
        return f"DjangoCacheReplayGuard({self._alias!r})"

    @staticmethod
    async def _in_thread(function: Callable[[], T]) -> T:
        if running_library() != "asyncio":
            return await in_thread(function)
        from asgiref.sync import sync_to_async  # noqa: PLC0415

        # Django's own thread for such code, where its connections are closed when the request ends.
        return await sync_to_async(function)()


class _LostWriteError(Exception):
    """The cache said that it had written, and had not."""


class _Store:
    is_async = False

    def __init__(self, alias: str, prefix: str) -> None:
        for name, value in (("alias", alias), ("prefix", prefix)):
            if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConfigurationError(f"{name} must be a str, not {type(value).__name__}")
        self._alias = alias
        self._prefix = prefix
        self._checked: type | None = None

    def cache(self) -> Any:
        """Return the calling thread's own connection to the cache.

        Raises:
            ConfigurationError: there is no such cache, or it cannot promise anything.
        """
        from django.core.cache import InvalidCacheBackendError, caches  # noqa: PLC0415

        try:
            cache: Any = caches[self._alias]
        except InvalidCacheBackendError:
            raise ConfigurationError(
                f"there is no cache {self._alias!r} in Django's CACHES, or its backend cannot be imported; add one for "
                "the replay guard"
            ) from None
        if type(cache) is not self._checked:
            fault = _unfit(cache)
            if fault is not None:
                raise ConfigurationError(f"the cache {self._alias!r} is a {type(cache).__name__}, which {fault}")
            self._check_keys(cache)
            self._checked = type(cache)
        return cache

    def claim(self, delivery: Delivery) -> State:
        cache, key = self.cache(), self._key(delivery.id)
        for _ in range(ATTEMPTS):
            if cache.add(key, delivery.token, timeout=_lease(cache, delivery)):
                return State.CLAIMED
            value = cache.get(key)
            state = _state(value, delivery)
            if state is State.COMPLETED and _kept_for(value) < delivery.keep_for:
                cache.set(key, _completed(delivery), timeout=delivery.keep_for)
            if state is not State.FREE:
                return state
        raise _LostWriteError

    def complete(self, delivery: Delivery) -> State:
        cache, key, completed = self.cache(), self._key(delivery.id), _completed(delivery)
        state = _state(cache.get(key), delivery)
        if state is State.FREE and not cache.add(key, completed, timeout=delivery.keep_for):
            # Somebody has claimed it just now; or the cache has failed.
            state = _state(cache.get(key), delivery)
            if state is State.FREE:
                raise _LostWriteError
        if state is State.CLAIMED:
            cache.set(key, completed, timeout=delivery.keep_for)
        # Some backends fail without a word.
        if state in {State.CLAIMED, State.FREE} and cache.get(key) != completed:
            raise _LostWriteError
        return state

    def release(self, delivery: Delivery) -> State:
        cache, key = self.cache(), self._key(delivery.id)
        state = _state(cache.get(key), delivery)
        # There is no atomic compare-and-delete: so only while nobody else can have it.
        safe_until = delivery.claimed_at + delivery.lease - SLACK
        if state is State.CLAIMED and delivery.monotonic() < safe_until:
            cache.delete(key)
        return state

    def explain(self, error: Exception) -> str:
        # A backend's text could hold anything, such as a URL with a password.
        return (
            f"the replay guard's cache {self._alias!r} did not respond ({type(error).__name__}); check its server, and "
            "LOCATION and OPTIONS in Django's CACHES"
        )

    def _key(self, delivery_id: str) -> str:
        return f"{self._prefix}{delivery_id}"

    def _check_keys(self, cache: Any) -> None:
        from django.core.cache.backends.base import InvalidCacheKey  # noqa: PLC0415

        try:
            # They differ in one digit at either end, in case that it cuts them off.
            ids = ("0" * 64, "1" + "0" * 63, "0" * 63 + "1")
            keys = {cache.make_and_validate_key(self._key(each)) for each in ids}
        except InvalidCacheKey:
            raise ConfigurationError(
                f"the cache {self._alias!r} does not take the guard's keys; shorten prefix or KEY_PREFIX, and have no "
                "white space in them"
            ) from None
        if len(keys) < len(ids):
            raise ConfigurationError(
                f"the KEY_FUNCTION of the cache {self._alias!r} gives two deliveries one key; give the guard an alias "
                "without it"
            )


def _unfit(cache: Any) -> str | None:
    """Return why a cache cannot guard anything, and what can, or `None` if it can for all that is known."""
    from django.core.cache.backends.db import DatabaseCache  # noqa: PLC0415
    from django.core.cache.backends.dummy import DummyCache  # noqa: PLC0415
    from django.core.cache.backends.filebased import FileBasedCache  # noqa: PLC0415
    from django.core.cache.backends.locmem import LocMemCache  # noqa: PLC0415

    if isinstance(cache, DummyCache):
        return f"remembers nothing; {ELSE}"
    if isinstance(cache, LocMemCache):
        return (
            "is one process's own and forgets by count (MAX_ENTRIES); for one process use MemoryReplayGuard, for "
            f"several {ELSE}"
        )
    if isinstance(cache, DatabaseCache | FileBasedCache):
        return (
            "lets several requests claim one delivery at the same time and forgets by count (MAX_ENTRIES); "
            f"{ELSE}, or StoreGuard over a table of your own"
        )
    if _is_memcached(cache):
        return _unfit_memcached(cache)
    servers = _servers(cache)
    if isinstance(servers, list | tuple | set) and len(servers) > 1:  # pyright: ignore[reportUnknownArgumentType]
        return (
            "reads from other servers than it writes to, and those lag; give the guard an alias with one server, or "
            "use RedisReplayGuard"
        )
    return None


def _unfit_memcached(cache: Any) -> str | None:
    options = getattr(cache, "_options", {})
    if options.get("default_noreply") or (options.get("behaviors") or {}).get("noreply"):  # pyright: ignore[reportUnknownMemberType]
        return "does not wait for a reply, so it cannot know who claimed a delivery; remove noreply from its OPTIONS"
    return None


def _is_memcached(cache: Any) -> bool:
    from django.core.cache.backends.memcached import BaseMemcachedCache  # noqa: PLC0415

    return isinstance(cache, BaseMemcachedCache)


def _servers(cache: Any) -> Any:
    """Return the servers of a Redis cache: Django's own, or that of django-redis, whose client may add replicas."""
    if hasattr(cache, "_servers"):
        return cache._servers  # noqa: SLF001
    if type(cache).__module__.split(".")[0] == "django_redis":
        return getattr(cache.client, "_server", None)
    return None


def _lease(cache: Any, delivery: Delivery) -> int:
    # Memcached counts the ticks of a clock of whole seconds, so its first one is shorter.
    return math.ceil(delivery.lease) + (1 if _is_memcached(cache) else 0)


def _completed(delivery: Delivery) -> str:
    return f"{COMPLETED}{delivery.keep_for}"


def _kept_for(value: str) -> int:
    return int(value.removeprefix(COMPLETED))


def _state(value: Any, delivery: Delivery) -> State:
    if value is None:
        return State.FREE
    if isinstance(value, str) and value.startswith(COMPLETED):
        return State.COMPLETED
    # A client that got no response asks twice, and its own claim is in its way.
    return State.CLAIMED if value == delivery.token else State.HELD
