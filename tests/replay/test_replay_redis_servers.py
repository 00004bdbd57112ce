"""Where the Redis guard's commands go, the primary of Sentinels or a node of a cluster, and what they leave there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.sentinel
import redis.cluster
import redis.sentinel
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, ReplayGuardError, Webhook
from listrak_webhooks.replay import RedisReplayGuard
from support.deliveries import logged, signed
from support.guards import RedisServer, redis_client
from support.redis_doubles import ahandle, bodies, bulk, close, each_way, fresh_event, handle, proxy, told

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from listrak_webhooks import Event


class Watching:
    """Sentinels that say what they are told."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self.ports: list[int] = []
        self.asked: list[int] = []

    def add(self, primary: Callable[[], int], *, flags: str = "master", others: int = 2) -> None:
        """Add one that names a primary."""

        def answer(words: list[bytes]) -> bytes:
            if words[0] != b"SENTINEL":
                return b"+OK\r\n"
            assert words[1:] == [b"MASTER", b"shop"]
            self.asked.append(number)
            port = primary()
            if not port:
                return b"-ERR No such master with that name\r\n"
            state = ["name", "shop", "ip", "127.0.0.1", "port", port, "flags", flags, "num-other-sentinels", others]
            return bulk(*state)

        number = len(self.ports)
        self.ports.append(self._stack.enter_context(told(answer)))

    def add_hanging(self) -> None:
        """Add one that takes a connection and says nothing."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=50))
        self.ports.append(listener.getsockname()[1])

    def client(self, way: str, **options: Any) -> Any:
        """Return a client of the primary, as these Sentinels know it."""
        module: Any = redis.sentinel if way == "with" else redis.asyncio.sentinel
        options = {"protocol": 2, "sentinel_kwargs": {"protocol": 2}, **options}
        sentinel = module.Sentinel([("127.0.0.1", port) for port in self.ports], **options)
        return sentinel.master_for("shop")


@pytest.fixture
def watching() -> Generator[Watching, None, None]:
    """Return Sentinels, none at first."""
    with contextlib.ExitStack() as stack:
        yield Watching(stack)


class TestSentinel:
    """A primary that others name."""

    @each_way
    def test_the_primary_that_they_name_serves(self, redis_server: RedisServer, watching: Watching, way: str) -> None:
        """A client of `sentinel.master_for`, with no timeout at all."""
        watching.add(lambda: redis_server.port)
        guard, event = RedisReplayGuard(watching.client(way, socket_timeout=None)), fresh_event()
        assert [handle(guard, event) for _ in range(2)] == [True, False]

    @each_way
    def test_one_that_hangs_is_passed_over(self, redis_server: RedisServer, watching: Watching, way: str) -> None:
        """Each is given a part of the time, and the one that answered is asked first the next time."""
        watching.add_hanging()
        watching.add(lambda: redis_server.port)
        guard = RedisReplayGuard(watching.client(way), timeout=2)
        began = time.monotonic()
        assert handle(guard, fresh_event())
        assert 0.9 < time.monotonic() - began < 1.8
        began = time.monotonic()
        assert handle(guard, fresh_event())
        assert time.monotonic() - began < 0.9

    @each_way
    def test_all_that_hang_are_bounded_together(self, watching: Watching, way: str) -> None:
        """Three of them take no longer than one."""
        for _ in range(3):
            watching.add_hanging()
        guard = RedisReplayGuard(watching.client(way), timeout=0.6)
        began = time.monotonic()
        with pytest.raises(
            ReplayGuardError, match=r"none of .* 3 Redis Sentinels knows a primary of 'shop'.*TimeoutErr"
        ):
            handle(guard, fresh_event())
        assert time.monotonic() - began < 1.5

    @each_way
    @pytest.mark.parametrize("state", [{"flags": "master,s_down"}, {"flags": "slave"}, {"others": 0}])
    def test_one_that_is_not_sure_is_passed_over(
        self, redis_server: RedisServer, watching: Watching, way: str, state: dict[str, Any]
    ) -> None:
        """It names a primary that is down, or sees too few other Sentinels."""
        watching.add(lambda: 1, **state)
        watching.add(lambda: redis_server.port)
        assert handle(RedisReplayGuard(watching.client(way, min_other_sentinels=1)), fresh_event())
        assert watching.asked == [0, 1]

    @each_way
    def test_a_service_that_none_knows_is_named(self, watching: Watching, way: str) -> None:
        """With where to look."""
        watching.add(lambda: 0)
        with pytest.raises(ReplayGuardError, match=r"knows a primary of 'shop' that is up; see SENTINEL MASTER"):
            handle(RedisReplayGuard(watching.client(way), timeout=0.3), fresh_event())

    @each_way
    def test_a_failover_is_waited_for(self, redis_server: RedisServer, watching: Watching, way: str) -> None:
        """For a while they name a primary that is gone, and then none, and then another one."""
        named = [1, 1, 0, redis_server.port, redis_server.port]
        watching.add(lambda: named.pop(0))
        assert handle(RedisReplayGuard(watching.client(way)), fresh_event())

    @each_way
    def test_another_primary_is_found_when_the_old_one_is_gone_or_has_become_a_replica(
        self, redis_server: RedisServer, own_redis: RedisServer, watching: Watching, way: str
    ) -> None:
        """In the middle of the deliveries of one loop, whose connections all go to the old one."""
        primary = [own_redis.port]
        watching.add(lambda: primary[0])
        guard = RedisReplayGuard(watching.client(way))

        async def steps() -> None:
            for change in (None, "replica", "gone"):
                primary[0] = own_redis.port
                assert await ahandle(guard, fresh_event())
                primary[0] = redis_server.port
                with contextlib.closing(redis_client(own_redis.port)) as admin:
                    if change == "replica":
                        admin.replicaof("127.0.0.1", redis_server.port)
                    elif change == "gone":
                        own_redis.stop()
                assert await ahandle(guard, fresh_event())
                if change == "replica":
                    with contextlib.closing(redis_client(own_redis.port)) as admin:
                        admin.replicaof("NO", "ONE")
                        admin.client_kill_filter(_type="normal", skipme=True)

        asyncio.run(steps())

    @each_way
    def test_a_client_of_a_replica_is_rejected(self, way: str) -> None:
        """It would reject every delivery."""
        module: Any = redis.sentinel if way == "with" else redis.asyncio.sentinel
        sentinel = module.Sentinel([("127.0.0.1", 1)])
        with pytest.raises(ConfigurationError, match=r"one of a replica.*use sentinel\.master_for"):
            RedisReplayGuard(sentinel.slave_for("shop"))


@pytest.fixture(scope="module")
def nodes(redis_program: None, tmp_path_factory: pytest.TempPathFactory) -> Generator[list[RedisServer], None, None]:
    """Run a cluster of two nodes, each with half of the slots."""
    servers: list[RedisServer] = []
    try:
        for _ in range(2):
            server = RedisServer(tmp_path_factory.mktemp("node"))
            server.start("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            servers.append(server)
        first, second = (redis_client(server.port) for server in servers)
        first.execute_command("CLUSTER", "ADDSLOTS", *range(8192))
        second.execute_command("CLUSTER", "ADDSLOTS", *range(8192, 16384))
        first.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[1].port)
        deadline = time.monotonic() + 20
        while not all(
            b"cluster_state:ok" in _info(client) and b"known_nodes:2" in _info(client) for client in (first, second)
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for client in (first, second):
            client.close()
        yield servers
    finally:
        for server in servers:
            server.stop()


def _info(client: Any) -> bytes:
    info = client.execute_command("CLUSTER INFO")
    return b"\n".join(f"{name}:{value}".replace("cluster_known", "known").encode() for name, value in info.items())


def cluster_client(port: int, way: str, **options: Any) -> Any:
    """Return a client of a cluster."""
    module: Any = redis.cluster if way == "with" else redis.asyncio.cluster
    return module.RedisCluster(host="127.0.0.1", port=port, **options)


class TestCluster:
    """Nodes that share the slots."""

    @each_way
    def test_each_delivery_goes_to_the_node_of_its_slot(self, nodes: list[RedisServer], way: str) -> None:
        """Both nodes get some, and each delivery is the first once."""
        client = cluster_client(nodes[0].port, way)
        guard, events = RedisReplayGuard(client, prefix=f"{way}:"), [fresh_event() for _ in range(40)]
        assert all(handle(guard, event) for event in events)
        assert not any(handle(guard, event) for event in events)
        for node in nodes:
            with contextlib.closing(redis_client(node.port)) as admin:
                assert admin.keys(f"{way}:*")
        close(client)

    @each_way
    def test_a_slot_that_moved_is_followed(self, nodes: list[RedisServer], way: str) -> None:
        """The node that had it says where it is now; while it moves, that one is asked for what is new in it."""
        client = cluster_client(nodes[0].port, way)
        guard = RedisReplayGuard(client)
        admins = [redis_client(node.port) for node in nodes]
        ids = [admin.execute_command("CLUSTER", "MYID").decode() for admin in admins]

        async def steps() -> None:
            assert await ahandle(guard, fresh_event())
            for stage in ("moving", "moved"):
                event = fresh_event()
                slot = client.keyslot(f"listrak_webhooks:{event.id}".encode())
                old = slot // 8192
                admins[1 - old].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[old])
                admins[old].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1 - old])
                if stage == "moved":
                    for admin in (admins[1 - old], admins[old]):
                        admin.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1 - old])
                assert [await ahandle(guard, event) for _ in range(2)] == [True, False]
                assert admins[1 - old].execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) == 1
                for admin in admins:
                    admin.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")

        asyncio.run(steps())
        for admin in admins:
            admin.close()
        close(client)

    @each_way
    def test_a_node_that_hangs_is_bounded(self, nodes: list[RedisServer], way: str) -> None:
        """Whatever the client would try again, of which it does a lot."""
        client = cluster_client(nodes[0].port, way)
        with proxy(nodes[0].port) as first, proxy(nodes[1].port) as second:
            ports = {nodes[0].port: first.port, nodes[1].port: second.port}
            client.nodes_manager.address_remap = lambda address: (address[0], ports.get(address[1], address[1]))
            guard = RedisReplayGuard(client, timeout=0.8)
            assert handle(guard, fresh_event())
            first.hangs = second.hangs = True
            began = time.monotonic()
            with pytest.raises(ReplayGuardError, match="TimeoutError"):
                handle(guard, fresh_event())
            assert time.monotonic() - began < 2
            first.hangs = second.hangs = False
        close(client)

    @each_way
    def test_stale_connections_to_nodes_are_replaced(self, nodes: list[RedisServer], way: str) -> None:
        """The server closes them."""
        client = cluster_client(nodes[0].port, way)
        guard = RedisReplayGuard(client)

        async def steps() -> None:
            for _ in range(3):
                for _ in range(6):
                    assert await ahandle(guard, fresh_event())
                for node in nodes:
                    with contextlib.closing(redis_client(node.port)) as admin:
                        admin.client_kill_filter(_type="normal", skipme=True)

        asyncio.run(steps())
        close(client)

    def test_a_slot_that_no_node_has_is_told(self, own_redis: RedisServer) -> None:
        """The cluster is not complete."""
        own_redis.stop()
        own_redis.start("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
        with contextlib.closing(redis_client(own_redis.port)) as admin:
            admin.execute_command("CLUSTER", "ADDSLOTS", 1)
            deadline = time.monotonic() + 10
            while b"cluster_state:ok" not in _info(admin):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        client = cluster_client(own_redis.port, "with", require_full_coverage=False)
        with pytest.raises(ReplayGuardError, match=r"no node .* has the slot of this delivery; see CLUSTER INFO"):
            handle(RedisReplayGuard(client, timeout=0.3), fresh_event())
        client.close()

    def test_a_plain_client_of_a_node_is_told_to_be_a_cluster_s(self, nodes: list[RedisServer]) -> None:
        """It can serve only some of the deliveries."""
        guard = RedisReplayGuard(redis.Redis(port=nodes[0].port))
        with pytest.raises(ReplayGuardError, match=r"MOVED\); give the guard a redis\.RedisCluster"):
            [handle(guard, fresh_event()) for _ in range(60)]


# What is in the server, and for how long.


@pytest.fixture
def admin(redis_server: RedisServer) -> Generator[Any, None, None]:
    """Return a client that looks into the server."""
    with contextlib.closing(redis_client(redis_server.port, decode_responses=True)) as client:
        yield client


def key_of(event: Event) -> str:
    """Return the key of a delivery."""
    return f"listrak_webhooks:{event.id}"


class TestLife:
    """How long an entry lives, and whose it is."""

    @pytest.mark.parametrize("off", [-800, 0, 800])
    def test_a_clock_that_is_wrong_does_not_shorten_it(self, redis_server: RedisServer, admin: Any, off: int) -> None:
        """On a machine with another clock the same bytes pass for up to twice the tolerance after they were sent."""
        body = b"%d" % next(bodies)
        now = time.time() + off
        event = Webhook("a secret").verify(body, signed(body, secret="a secret"), now=now)
        assert handle(RedisReplayGuard(redis.Redis(port=redis_server.port), clock=lambda: time.time() + off), event)
        assert admin.pttl(key_of(event)) > 2 * 900 * 1000

    def test_the_longer_of_two_tolerances_wins(self, redis_server: RedisServer, admin: Any) -> None:
        """Two routes share the server; whichever comes first, the delivery is known for as long as either takes it."""
        for order in ((70, 4000), (4000, 70)):
            body = b"%d" % next(bodies)
            for tolerance in order:
                event = Webhook("a secret", tolerance=tolerance).verify(body, signed(body, secret="a secret"))
                handle(RedisReplayGuard(redis.Redis(port=redis_server.port), tolerance=tolerance), event)
            assert admin.pttl(key_of(event)) > 2 * 4000 * 1000

    @each_way
    def test_a_claim_lives_for_its_lease(self, redis_server: RedisServer, admin: Any, way: str) -> None:
        """By the clock of the server."""
        client: Any = redis.Redis if way == "with" else redis.asyncio.Redis
        guard, event = RedisReplayGuard(client(port=redis_server.port), lease=7), fresh_event()

        async def steps() -> None:
            async with guard.handle(event):
                assert 6000 < admin.pttl(key_of(event)) <= 7000
            assert admin.get(key_of(event)) == "completed"

        asyncio.run(steps())

    @pytest.mark.parametrize("ending", ["completes", "fails"])
    def test_a_claim_that_was_lost_to_another_leaves_the_other_s_alone(
        self, redis_server: RedisServer, admin: Any, ending: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The other one is at work; it completes the delivery, or gives it back. Who was too slow is warned of."""
        guard = RedisReplayGuard(redis.Redis(port=redis_server.port), lease=0.2)
        another = RedisReplayGuard(redis.Redis(port=redis_server.port))
        event = fresh_event()
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(LookupError), guard.handle(event) as first:
                assert first
                time.sleep(0.3)
                assert stack.enter_context(another.handle(event))
                held = admin.get(key_of(event))
                if ending == "fails":
                    raise LookupError
            assert admin.get(key_of(event)) == held != "completed"
            with pytest.raises(DuplicateDeliveryError):
                guard.handle(event).__enter__()
        assert admin.get(key_of(event)) == "completed"
        (record,) = logged(caplog)
        assert "longer than its lease" in record.getMessage()

    def test_a_lease_that_ran_out_with_nobody_after_it_is_completed(
        self, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The delivery was handled, and so another one is not."""
        guard, event = RedisReplayGuard(redis.Redis(port=redis_server.port), lease=0.1), fresh_event()
        with guard.handle(event):
            time.sleep(0.2)
        assert not handle(guard, event)
        assert "longer than its lease" in logged(caplog)[0].getMessage()

    def test_no_command_is_newer_than_redis_6(self, redis_server: RedisServer, admin: Any) -> None:
        """The server counts what the scripts call, too; what a client says when it connects is its own matter."""
        guard, event = RedisReplayGuard(redis.Redis(port=redis_server.port)), fresh_event()
        handle(guard, fresh_event())
        admin.config_resetstat()
        for _ in range(2):
            handle(guard, event)
        with contextlib.suppress(LookupError), guard.handle(fresh_event()):
            raise LookupError
        used = {name.removeprefix("cmdstat_").partition("|")[0] for name in admin.info("commandstats")}
        always = {"eval", "get", "set", "del", "pttl"}
        assert always <= used - {"config", "info"} <= always | {"pexpire"}
