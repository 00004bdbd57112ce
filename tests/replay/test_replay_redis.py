"""Which clients the Redis guard takes, how long it waits for them, and how often it tries again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
from listrak_webhooks import ConfigurationError, ReplayGuardError
from listrak_webhooks.replay import RedisReplayGuard
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from support.guards import handling, redis_client
from support.redis_doubles import client_at, each_way, fresh_event, handle, in_one_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.guards import RedisServer
    from support.redis_doubles import Proxy

# All that users make clients from.

SYNC: Any = redis.Redis
ASYNC: Any = redis.asyncio.Redis
BLOCKING: Any = redis.BlockingConnectionPool
HASTY = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}
STUBBORN = Retry(ConstantBackoff(0.01), 1000)
ASYNC_STUBBORN = AsyncRetry(ConstantBackoff(0.01), 1000)

CLIENTS: dict[str, Callable[[int], Any]] = {
    "plain": lambda port: SYNC(port=port),
    "url": lambda port: SYNC.from_url(f"redis://localhost:{port}/0"),
    "pool": lambda port: SYNC(connection_pool=redis.ConnectionPool(port=port)),
    "blocking pool": lambda port: SYNC(connection_pool=BLOCKING(1, None, port=port)),
    "no timeouts": lambda port: SYNC(port=port, socket_timeout=None, socket_connect_timeout=None),
    "socket_timeout alone": lambda port: SYNC(port=port, socket_timeout=60, socket_connect_timeout=None),
    "endless retries": lambda port: SYNC(port=port, retry=Retry(ConstantBackoff(0), -1), **HASTY),
    "retries": lambda port: SYNC(port=port, retry=STUBBORN, **HASTY),
    "health checks": lambda port: SYNC(port=port, health_check_interval=1),
    "text": lambda port: SYNC(port=port, decode_responses=True),
    "encoding": lambda port: SYNC(port=port, encoding="utf-16"),
    "resp3": lambda port: SYNC(port=port, protocol=3),
    "name": lambda port: SYNC(port=port, client_name="shop", db=3),
    "async plain": lambda port: ASYNC(port=port),
    "async url": lambda port: ASYNC.from_url(f"redis://localhost:{port}/0"),
    "async pool": lambda port: ASYNC(connection_pool=redis.asyncio.ConnectionPool(port=port)),
    "async blocking pool": lambda port: ASYNC(connection_pool=redis.asyncio.BlockingConnectionPool(1, None, port=port)),
    "async no timeouts": lambda port: ASYNC(port=port, socket_timeout=None, socket_connect_timeout=None),
    "async retries": lambda port: ASYNC(port=port, retry=ASYNC_STUBBORN, **HASTY),
    "async text": lambda port: ASYNC(port=port, decode_responses=True),
    "async resp3": lambda port: ASYNC(port=port, protocol=3),
}
each_client = pytest.mark.parametrize("kind", CLIENTS)


class TestClients:
    """Every client that can be bounded serves, and is bounded."""

    @each_client
    def test_it_serves(self, redis_server: RedisServer, kind: str) -> None:
        """A delivery is the first once, and another one is not in its way."""
        guard, event = RedisReplayGuard(CLIENTS[kind](redis_server.port)), fresh_event()
        assert [handle(guard, event) for _ in range(3)] == [True, False, False]
        assert handle(guard, fresh_event())

    @each_client
    def test_a_server_that_hangs_holds_a_delivery_no_longer_than_the_timeout(self, network: Proxy, kind: str) -> None:
        """The first time, when a connection is opened, and later, when there is one already."""
        guard = RedisReplayGuard(CLIENTS[kind](network.port), timeout=0.3)
        network.hangs = True
        took = self._seconds_to_reject(guard)
        network.hangs = False
        with contextlib.suppress(ReplayGuardError):
            handle(guard, fresh_event())
        network.hangs = True
        again = self._seconds_to_reject(guard)
        assert took < 1.5
        assert again < 1.5

    @staticmethod
    def _seconds_to_reject(guard: RedisReplayGuard) -> float:
        began = time.monotonic()
        with pytest.raises(ReplayGuardError, match=r"did not answer \(TimeoutError.*check that it runs"):
            handle(guard, fresh_event())
        return time.monotonic() - began

    @each_way
    def test_an_open_connection_that_hangs_is_bounded_in_all(self, network: Proxy, way: str) -> None:
        """The time of the second try is a part of the same time."""

        async def steps() -> None:
            guard = RedisReplayGuard(client_at(network.port, way, retry=None), timeout=0.8)
            async with handling(guard, fresh_event(), way) as first:
                assert first
            network.hangs = True
            began = time.monotonic()
            with pytest.raises(ReplayGuardError, match=f"127.0.0.1:{network.port}|localhost:{network.port}"):
                async with handling(guard, fresh_event(), way):
                    pytest.fail("entered")
            assert 0.7 < time.monotonic() - began < 1.6

        in_one_loop(way, steps)

    @each_way
    def test_a_response_that_dribbles_is_bounded_too(self, network: Proxy, way: str) -> None:
        """Each byte comes before a timeout of its own would be over."""
        network.pause = 0.3
        guard = RedisReplayGuard(client_at(network.port, way, retry=None, protocol=3), timeout=0.6)
        began = time.monotonic()
        with pytest.raises(ReplayGuardError, match="TimeoutError"):
            handle(guard, fresh_event())
        assert time.monotonic() - began < 1.6

    @each_way
    def test_a_tls_handshake_that_hangs_is_bounded(self, way: str) -> None:
        """The other end takes the connection and never says a word."""
        with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
            port = listener.getsockname()[1]
            guard = RedisReplayGuard(client_at(port, way, ssl=True, retry=None), timeout=0.5)
            began = time.monotonic()
            with pytest.raises(ReplayGuardError, match="TimeoutError"):
                handle(guard, fresh_event())
            assert time.monotonic() - began < 1.5

    def test_a_unix_socket_serves(self, own_redis: RedisServer, tmp_path: Path) -> None:
        """Its client has no connect timeout at all."""
        own_redis.stop()
        own_redis.start("--unixsocket", str(tmp_path / "r"))
        event = fresh_event()
        assert handle(RedisReplayGuard(redis.Redis(unix_socket_path=str(tmp_path / "r"))), event)
        assert not handle(RedisReplayGuard(redis.asyncio.Redis(unix_socket_path=str(tmp_path / "r"))), event)

    def test_a_class_of_the_users_own_serves(self, redis_server: RedisServer) -> None:
        """Its connections are made, with what it adds to them."""
        opened = []

        base: Any = redis.Connection

        class Connection(base):  # type: ignore[misc]
            def _connect(self) -> Any:
                opened.append(self)
                return super()._connect()

        pool = redis.ConnectionPool(connection_class=Connection, port=redis_server.port)
        assert handle(RedisReplayGuard(redis.Redis(connection_pool=pool)), fresh_event())
        assert len(opened) == 1

    @each_way
    def test_the_pool_of_the_client_is_not_waited_for(self, redis_server: RedisServer, way: str) -> None:
        """The application may be using all of it."""

        async def steps() -> None:
            module: Any = redis if way == "with" else redis.asyncio
            pool = module.BlockingConnectionPool(1, None, port=redis_server.port)
            guard = RedisReplayGuard(module.Redis(connection_pool=pool), timeout=2)
            taken: Any = pool.get_connection(*["PING"] * (redis.VERSION < (5, 3)))
            taken = await taken if way == "async with" else taken
            async with handling(guard, fresh_event(), way) as first:
                assert first
            closing = taken.disconnect()
            if closing is not None:
                await closing

        in_one_loop(way, steps)

    def test_a_password_that_the_pool_is_told_later_is_used(self, own_redis: RedisServer) -> None:
        """Passwords are rotated while the application runs."""
        client = redis.Redis(port=own_redis.port)
        guard = RedisReplayGuard(client)
        assert handle(guard, fresh_event())
        client.config_set("requirepass", "the new one")
        client.connection_pool.connection_kwargs["password"] = "the new one"
        with contextlib.closing(redis.Redis(port=own_redis.port, password="the new one")) as admin:
            admin.client_kill_filter(_type="normal", skipme=True)
        assert handle(guard, fresh_event())
        client.close()

    @pytest.mark.parametrize("client", ["redis://localhost", None, object(), redis.ConnectionPool()])
    def test_what_is_not_a_client_is_rejected(self, client: Any) -> None:
        """The message says what to install and to write."""
        with pytest.raises(ConfigurationError, match=r"must be a redis\.Redis.*from_url.*listrak-webhooks\[redis\]"):
            RedisReplayGuard(client)

    def test_connections_that_cannot_be_bounded_are_rejected(self) -> None:
        """A class that is not redis-py's may wait where nobody sees it."""

        class Foreign:
            pass

        for connection_class in (Foreign, lambda **_: Foreign()):
            client = SYNC(port=1)
            client.connection_pool.connection_class = connection_class
            with pytest.raises(ConfigurationError, match=r"cannot be bounded; use a subclass of redis\.Connection"):
                RedisReplayGuard(client)
            client.connection_pool.connection_class = redis.Connection

    @pytest.mark.parametrize("version", ["4.6.0", "3.5", "4.9.9rc1"])
    def test_an_old_redis_py_is_rejected(self, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the guard is made, with what to upgrade."""
        monkeypatch.setattr(redis, "__version__", version)
        with pytest.raises(ConfigurationError, match=rf"redis-py 5\.0 or newer, and {version} is.*'redis>=5\.0'"):
            RedisReplayGuard(redis.Redis())

    @pytest.mark.parametrize("prefix", [b"shop:", None, 1])
    def test_a_prefix_is_a_str(self, prefix: Any) -> None:
        """Anything else would become a part of the keys as its `repr`."""
        with pytest.raises(ConfigurationError, match="prefix must be a str, not"):
            RedisReplayGuard(redis.Redis(), prefix=prefix)

    def test_prefixes_keep_guards_apart(self, redis_server: RedisServer) -> None:
        """Two applications share a server, and each handles the delivery; what is not ASCII is one prefix too."""
        event = fresh_event()
        for prefix in ("shop:", "другой:", ""):
            assert handle(RedisReplayGuard(redis.Redis(port=redis_server.port), prefix=prefix), event)
            with contextlib.closing(redis_client(redis_server.port)) as client:
                assert client.get(f"{prefix}{event.id}".encode()) == b"completed"


class TestRetries:
    """What the client would try again is tried again, while there is time."""

    @each_way
    def test_a_server_that_is_back_soon_loses_no_delivery(self, own_redis: RedisServer, way: str) -> None:
        """It is started again while a delivery is waiting."""
        retry: Any = Retry(ConstantBackoff(0.1), 50) if way == "with" else AsyncRetry(ConstantBackoff(0.1), 50)
        guard = RedisReplayGuard(client_at(own_redis.port, way, retry=retry))
        own_redis.stop()
        timer = threading.Timer(0.4, own_redis.start)
        timer.start()
        assert handle(guard, fresh_event())
        timer.join()

    @each_way
    def test_without_retries_it_rejects_at_once(self, own_redis: RedisServer, way: str) -> None:
        """That is what `retry=None` asks for."""
        guard = RedisReplayGuard(client_at(own_redis.port, way, retry=None))
        own_redis.stop()
        began = time.monotonic()
        with pytest.raises(ReplayGuardError, match="ConnectionError: Connection refused"):
            handle(guard, fresh_event())
        assert time.monotonic() - began < 1
