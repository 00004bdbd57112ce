"""The guard for several machines: Redis or Valkey."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from listrak_webhooks._core import DEFAULT_LEASE, DEFAULT_TOLERANCE
from listrak_webhooks.exceptions import ConfigurationError

from ._configuration import check_seconds
from ._guard import StoreGuard
from ._redis_channel import Channel
from ._redis_errors import RedisFailure
from ._redis_wire import pack
from ._store import State

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeAlias

    import redis
    import redis.asyncio
    import redis.asyncio.cluster
    import redis.cluster

    from listrak_webhooks._steps import Steps
    from listrak_webhooks._types import Clock, Tolerance

    from ._store import Delivery

    Client: TypeAlias = (
        redis.Redis | redis.asyncio.Redis | redis.cluster.RedisCluster | redis.asyncio.cluster.RedisCluster
    )

COMPLETED = b"completed"

# A script may be carried out twice, because a response can be lost. So each compares the token of the claim, and says
# what it found: nothing, this claim, a completed delivery, or another claim. A life is never shortened. That is why
# there are PTTL and PEXPIRE: `PEXPIRE … GT` needs Redis 7.
FOUND = {0: State.FREE, 1: State.CLAIMED, 2: State.COMPLETED, 3: State.HELD}

FIND = (
    b"local k,t,c,p=KEYS[1],ARGV[1],ARGV[2],ARGV[3] local v=redis.call('GET',k) "
    b"if v==c then if redis.call('PTTL',k)<tonumber(p) then redis.call('PEXPIRE',k,p) end return 2 end "
    b"local f=not v and 0 or v==t and 1 or 3 "
)
"""With the key, the token, the word for a completed delivery, and the milliseconds for which one is kept at least."""

CLAIM = FIND + b"if f<3 then redis.call('SET',k,t,'PX',ARGV[4]) end return f"
"""A claim is its token, which the server forgets when the lease, the fourth argument, is over."""

COMPLETE = FIND + b"if f<3 then redis.call('SET',k,c,'PX',p) end return f"

RELEASE = (
    b"local k=KEYS[1] local v=redis.call('GET',k) "
    b"if v==ARGV[1] then redis.call('DEL',k) return 1 end return not v and 0 or v==ARGV[2] and 2 or 3"
)


class RedisReplayGuard(StoreGuard):
    """Lets each delivery be handled once by all machines that share a Redis or Valkey: one server, Sentinel or cluster.

    It needs redis-py 5.0 or newer, and Redis 6 or newer or Valkey. A delivery that is handled costs two round trips and
    one key. The server must not evict keys before their time (`maxmemory-policy noeviction`, or a `volatile-` one with
    room to spare), and what it has not written to its disk or sent to a replica is lost with it. Its user must be
    allowed EVAL, GET, SET, DEL, PTTL and PEXPIRE.

    The guard reads the client's arguments (address, login, TLS, database) and opens connections of its own with them,
    in each process and each event loop; it never uses the client itself. So the client may have been made in any way,
    and with any timeouts and retries: `timeout` bounds them all. The client's own timeouts hold too if they are
    shorter. While there is time, a command is tried again as often as the client would, and as long as Sentinel or a
    cluster may be choosing another primary. A pool's `max_connections` does not count: there is one connection for each
    delivery that is claimed or completed at the moment. What is not bounded is a sync client's look-up of a host's
    name.

    Args:
        client: a `redis.Redis`, for `with` and `async with`; or a `redis.asyncio.Redis`, for `async with` under asyncio
            alone; or a `RedisCluster` of either kind; or a client of `sentinel.master_for`.
        prefix: what the keys begin with.
        lease: the seconds after which a claim may be taken over by another try because its process died; longer than a
            handler ever takes.
        fail_open: handle deliveries all the same while the server does not respond, though they may be handled twice
            then.
        timeout: the seconds that a claim, or a completion, may take in all: connecting, waiting, and trying again when
            a connection turns out to be dead.
        tolerance: the longest tolerance, in seconds or as a `timedelta`, of the webhooks whose deliveries the guard
            sees. A guard that sees a longer one goes by that from then on.
        clock: returns Unix seconds; for tests. The system's clocks by default.

    Raises:
        ConfigurationError: an argument cannot be right; or it is not a client, or one whose waits cannot be bounded, or
            one of a replica, or redis-py is too old.

    Example:
        >>> from redis import Redis
        >>> from listrak_webhooks.replay import RedisReplayGuard
        >>> guard = RedisReplayGuard(Redis.from_url("redis://localhost:6379/0"))
    """

    def __init__(  # noqa: PLR0913
        self,
        client: Client,
        *,
        prefix: str = "listrak_webhooks:",
        lease: float = DEFAULT_LEASE,
        fail_open: bool = False,
        timeout: float = 5.0,
        tolerance: Tolerance = DEFAULT_TOLERANCE,
        clock: Clock | None = None,
    ) -> None:
        given: Any = prefix
        if not isinstance(given, str):
            raise ConfigurationError(f"prefix must be a str, not {type(given).__name__}")
        store = _Store(Channel(client, check_seconds("timeout", timeout)), prefix)
        super().__init__(store, lease=lease, fail_open=fail_open, tolerance=tolerance, clock=clock)
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"RedisReplayGuard(prefix={self._prefix!r})"


class _Store:
    def __init__(self, channel: Channel, prefix: str) -> None:
        self._channel = channel
        self._prefix = prefix
        self.is_async = channel.is_async

    def claim(self, delivery: Delivery) -> State | Awaitable[State]:
        return self._channel.run(self._claim(delivery))

    def complete(self, delivery: Delivery) -> State | Awaitable[State]:
        return self._channel.run(self._find(delivery, COMPLETE, COMPLETED, milliseconds(delivery.keep_for)))

    def release(self, delivery: Delivery) -> State | Awaitable[State]:
        return self._channel.run(self._find(delivery, RELEASE, COMPLETED))

    def explain(self, error: Exception) -> str:
        if isinstance(error, RedisFailure):
            return str(error)
        return f"the replay guard failed ({type(error).__name__}), and that is a mistake of its own; report it"

    def _claim(self, delivery: Delivery) -> Steps[State]:
        keep, lease = milliseconds(delivery.keep_for), milliseconds(delivery.lease)
        state = yield from self._find(delivery, CLAIM, COMPLETED, keep, lease)
        return State.CLAIMED if state is State.FREE else state

    def _find(self, delivery: Delivery, script: bytes, *arguments: bytes | int) -> Steps[State]:
        # Bytes, so that the client's own encoding has no say.
        key = f"{self._prefix}{delivery.id}".encode()
        command = pack(b"EVAL", script, 1, key, delivery.token.encode(), *arguments)
        found = yield from self._channel.ask(key, command)
        return FOUND[found]


def milliseconds(seconds: float) -> int:
    """Return a span in milliseconds, at least one: Redis does not take 0."""
    return max(math.ceil(seconds * 1000), 1)
