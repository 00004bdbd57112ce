"""The guard for several machines: Redis or Valkey."""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

from listrak_webhooks.exceptions import ConfigurationError

from ._guard import DEFAULT_LEASE, Delivery, State, StoreGuard, check_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import redis
    import redis.asyncio

    from listrak_webhooks._types import Clock

COMPLETED = "completed"

# A claim is the holder's token, which the server forgets when the lease ends. One's own is no obstacle, because a
# client that got no answer may have asked twice.
CLAIM = """
local value = redis.call('GET', KEYS[1])
if not value or value == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
end
return value == ARGV[3] and 2 or 0
"""

STATES = {0: State.HELD, 1: State.CLAIMED, 2: State.COMPLETED}

RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""

SHORTEST = 1000
"""The shortest time to keep a completed delivery, in milliseconds: 0 is no time to Redis."""

T = TypeVar("T")


class RedisReplayGuard(StoreGuard):
    """Lets each delivery be handled once by all machines that share a Redis or Valkey, from version 6 on.

    Two round trips for a delivery, and one key. The server must not evict keys before their time
    (`maxmemory-policy noeviction`, or a `volatile-` one with room to spare), and what it has not written to its disk or
    sent to a replica is lost with it.

    Args:
        client: a `redis.Redis`, for `with` and `async with`, or a `redis.asyncio.Redis`, for `async with` alone; with
            any `decode_responses`. The first must have a `socket_timeout`.
        prefix: what the keys begin with.
        lease: the seconds after which a claim may be taken over by another try, where its process died; longer than a
            handler ever takes.
        fail_open: handle deliveries all the same while the server does not answer, though they may be handled twice
            then.
        timeout: the seconds to wait for an answer through an async client. Another has its own `socket_timeout` for
            that.
        clock: returns Unix seconds; for tests. The system's by default.

    Raises:
        ConfigurationError: an argument cannot be right, or the client would wait for ever.

    Example:
        >>> from redis import Redis
        >>> from listrak_webhooks.replay import RedisReplayGuard
        >>> guard = RedisReplayGuard(Redis(socket_timeout=5, socket_connect_timeout=5))
    """

    def __init__(  # noqa: PLR0913
        self,
        client: redis.Redis | redis.asyncio.Redis,
        *,
        prefix: str = "listrak_webhooks:",
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        timeout: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        is_async = _check_client(client)
        timeout = check_seconds("timeout", timeout)
        store = _Store(client, prefix, lease, clock or time.time)
        super().__init__(
            _AsyncStore(store, timeout) if is_async else store, lease=lease, fail_open=fail_open, clock=clock
        )
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"RedisReplayGuard(prefix={self._prefix!r})"


def _check_client(client: Any) -> bool:
    """Return whether the client is an async one.

    Raises:
        ConfigurationError: it is no client, or one that would wait for ever.
    """
    execute = getattr(client, "execute_command", None)
    if not callable(execute) or not callable(getattr(client, "eval", None)):
        raise ConfigurationError(
            f"the client must be a redis.Redis or a redis.asyncio.Redis, not {type(client).__name__}; make one with "
            "redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5), "
            "after pip install 'listrak-webhooks[redis]'"
        )
    if inspect.iscoroutinefunction(execute):
        return True
    pool = getattr(client, "connection_pool", None)
    settings: dict[str, Any] | None = getattr(pool, "connection_kwargs", None)
    # What cannot be seen, such as the pools of a cluster, is the user's to know.
    if settings is not None and "path" not in settings:
        missing = [name for name in ("socket_timeout", "socket_connect_timeout") if settings.get(name) is None]
    else:
        missing = [] if settings is None or settings.get("socket_timeout") else ["socket_timeout"]
    if missing:
        raise ConfigurationError(
            f"the client has no {' and no '.join(missing)}, so a server that hangs would keep every delivery waiting "
            "for ever; make it with redis.Redis(socket_timeout=5, socket_connect_timeout=5)"
        )
    return False


class _Store:
    is_async = False

    def __init__(self, client: Any, prefix: str, lease: float, clock: Clock) -> None:
        self._client = client
        self._prefix = prefix
        self._lease = lease
        self._clock = clock

    def claim(self, delivery: Delivery) -> Any:
        answer = self.ask_claim(delivery)
        return STATES[answer]

    def complete(self, delivery: Delivery) -> Any:
        keep = math.ceil((delivery.keep_until - self._clock()) * 1000)
        return self._client.set(self._key(delivery), COMPLETED, px=max(keep, SHORTEST))

    def release(self, delivery: Delivery) -> Any:
        return self._client.eval(RELEASE, 1, self._key(delivery), delivery.token)

    def ask_claim(self, delivery: Delivery) -> Any:
        lease = math.ceil(self._lease * 1000)
        return self._client.eval(CLAIM, 1, self._key(delivery), delivery.token, lease, COMPLETED)

    def explain(self, error: Exception) -> str:
        # The client's own texts name the host and what went wrong, never a password.
        text = " ".join(str(error).split())[:200]
        name = type(error).__name__
        return (
            f"the replay guard's Redis did not answer ({f'{name}: {text}' if text else name}); check that it runs, "
            "that this machine reaches it, and that its user may EVAL, GET, SET and DEL"
        )

    async def off_loop(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    def _key(self, delivery: Delivery) -> str:
        return f"{self._prefix}{delivery.id}"


class _AsyncStore:
    """The same, where each answer has to be awaited, and a hanging server must not be."""

    is_async = True

    def __init__(self, store: _Store, timeout: float) -> None:
        self._store = store
        self._timeout = timeout

    async def claim(self, delivery: Delivery) -> State:
        return STATES[await self._wait(self._store.ask_claim(delivery))]

    async def complete(self, delivery: Delivery) -> None:
        await self._wait(self._store.complete(delivery))

    async def release(self, delivery: Delivery) -> None:
        await self._wait(self._store.release(delivery))

    def explain(self, error: Exception) -> str:
        return self._store.explain(error)

    async def off_loop(self, function: Callable[[], T]) -> T:
        return await self._store.off_loop(function)

    async def _wait(self, answer: Awaitable[Any]) -> Any:
        return await asyncio.wait_for(answer, self._timeout)
