"""To which server a delivery's command goes: the one of a client, the primary that Sentinels name, a node of a cluster.

All of it is read from the user's client, which itself is never asked for anything.
"""

from __future__ import annotations

import inspect
import math
from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from listrak_webhooks._extras import check_version
from listrak_webhooks.exceptions import ConfigurationError

from ._redis_errors import RedisFailure, code_of, describe, place_of
from ._redis_wire import AsyncWire, Deadline, SyncWire, leave_behind, pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._steps import Steps

Address: TypeAlias = "tuple[str, int] | None"
Wire: TypeAlias = "SyncWire | AsyncWire"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class OneServer:
    """The server of a plain client.

    Args:
        pool: the client's pool. Its arguments are read for each connection, since some change a password there.
        wire: how commands go to it.
    """

    has_others = False
    """Whether another server may serve when one does not respond."""

    def __init__(self, pool: Any, wire: Wire) -> None:
        self._pool = pool
        self._wire = wire

    @property
    def retries(self) -> float:
        """How often a command is tried again if the connection fails: as often as the client would."""
        arguments = self._pool.connection_kwargs
        retry = arguments.get("retry")
        if retry is None:
            return 1 if arguments.get("retry_on_timeout") or arguments.get("retry_on_error") else 0
        count: int = getattr(retry, "_retries", 0)
        return count if count >= 0 else math.inf

    def locate(self, key: bytes, deadline: Deadline) -> Steps[Address]:  # noqa: ARG002
        """Return the address that a key's command goes to, `None` where there is but one."""
        return None
        yield  # A generator without a step.

    def connect(self, address: Address, deadline: Deadline) -> Steps[Any]:  # noqa: ARG002
        """Return a connection to an address, which is not open yet."""
        return self._make(self._pool, {})
        yield

    def redirected(self, error: Exception) -> tuple[Address, bool] | None:  # noqa: ARG002
        """Return where else the command is to go, and whether it must say that it was sent there."""
        return None

    def forget(self) -> None:
        """Forget what was learnt of where to go, because it led to a failure."""

    def _make(self, pool: Any, other: dict[str, Any]) -> Any:
        return self._wire.make(pool.connection_class, {**pool.connection_kwargs, **other})

    def _ask_once(self, connection: Any, seconds: float, *command: bytes) -> Steps[Any]:
        """Return an answer for ourselves, over a connection for this alone; a failure comes back as one, not raised."""
        failure, answer = None, None
        try:
            answer = yield partial(self._wire.exchange, connection, seconds, pack(*command))
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001
            failure = describe(error, place_of(connection))
        if failure is not None:
            yield leave_behind
            return failure
        yield partial(self._wire.drop, connection)
        return answer


class Sentinels(OneServer):
    """The primary of a service that Sentinels watch; they are asked for each new connection, because it may move."""

    def __init__(self, pool: Any, wire: Wire) -> None:
        super().__init__(pool, wire)
        manager = pool.sentinel_manager
        self._service: str = pool.service_name
        # Functions, because a pool shows its password, and an error shows the variables of the frame that it is from.
        self._sentinels = [self._maker(sentinel.connection_pool) for sentinel in manager.sentinels]
        self._least_others: int = getattr(manager, "min_other_sentinels", 0)
        self._forced_host: str | None = getattr(manager, "_force_master_ip", None)

    @property
    def retries(self) -> float:
        """As often as there is time for: another primary is chosen within seconds."""
        return math.inf

    def connect(self, address: Address, deadline: Deadline) -> Steps[Any]:
        """Return a connection to the primary, which is not open yet."""
        del address
        failure: Exception | None = None
        for sentinel in list(self._sentinels):
            connection = sentinel()
            answer = yield from self._ask_once(
                connection, deadline.half(), b"SENTINEL", b"MASTER", self._service.encode()
            )
            primary = None if isinstance(answer, Exception) else self._primary_of(answer)
            if primary is not None:
                # The one that answered is asked first the next time.
                self._sentinels = [sentinel, *(other for other in self._sentinels if other is not sentinel)]
                return self._make_primary(*primary)
            if isinstance(answer, Exception):
                failure = answer
        said = f"; the last one said: {failure}" if failure is not None else ""
        raise RedisFailure(
            f"none of the replay guard's {len(self._sentinels)} Redis Sentinels knows a primary of "
            f"{self._service!r} that is up; see SENTINEL MASTER on them{said}"
        )

    def _maker(self, pool: Any) -> Callable[[], Any]:
        return lambda: self._make(pool, {})

    def _primary_of(self, answer: Any) -> tuple[str, int] | None:
        pairs: Any = answer.items() if hasattr(answer, "items") else zip(answer[::2], answer[1::2], strict=False)
        state: dict[str, Any] = {_text(name): value for name, value in pairs}
        flags = _flags(state.get("flags", ""))
        if "master" not in flags or flags & {"s_down", "o_down"}:
            return None
        if int(state.get("num-other-sentinels", 0)) < self._least_others:
            return None
        return self._forced_host or _text(state["ip"]), int(state["port"])

    def _make_primary(self, host: str, port: int) -> Any:
        # Without the classes that would ask the Sentinels themselves, for as long as they like.
        managed = self._pool.connection_class
        plain = next(base for base in managed.__mro__ if not hasattr(base, "connect_to"))
        return self._wire.make(plain, {**self._pool.connection_kwargs, "host": host, "port": port})


def _flags(value: Any) -> set[str]:
    return set(_text(value).split(",")) if isinstance(value, bytes | str) else {_text(flag) for flag in value}


class Cluster(OneServer):
    """The nodes of a cluster, each of which has some of the slots that keys fall into.

    Args:
        client: the user's, for the slot of a key and the nodes to begin with.
        source: what has the class and the arguments of its connections.
        wire: how commands go to them.
    """

    has_others = True

    def __init__(self, client: Any, source: Any, wire: Wire) -> None:
        super().__init__(source, wire)
        self._client = client
        self._nodes = client.nodes_manager
        self._starts: list[int] = []
        """The first slots of the ranges, in order; nothing if they are to be asked for."""
        self._ranges: list[tuple[int, tuple[str, int]]] = []
        """Their last slots, and their nodes."""

    @property
    def retries(self) -> float:
        """As often as there is time for: a replica takes the place of a node within seconds."""
        return math.inf

    def locate(self, key: bytes, deadline: Deadline) -> Steps[Address]:
        """Return the node that has the slot of a key."""
        if not self._starts:
            yield from self._discover(deadline)
        slot = self._client.keyslot(key)
        # Read once: another thread may forget them.
        starts, ranges = self._starts, self._ranges
        place = bisect_right(starts, slot) - 1
        last, address = ranges[place] if 0 <= place < len(ranges) else (-1, ("", 0))
        if slot > last:
            self.forget()
            raise RedisFailure(
                "no node of the replay guard's Redis cluster has the slot of this delivery; see CLUSTER INFO"
            )
        return address

    def connect(self, address: Address, deadline: Deadline) -> Steps[Any]:  # noqa: ARG002
        """Return a connection to a node, which is not open yet."""
        return self._make_for(address)
        yield

    def redirected(self, error: Exception) -> tuple[Address, bool] | None:
        """Return the node that a redirection names."""
        code = code_of(error)
        if code not in {"MOVED", "ASK"}:
            return None
        # redis-py has classes of its own for these, or the text of the server: "MOVED 3999 127.0.0.1:6381".
        host, _, port = str(error).split()[-1].rpartition(":")
        if code == "MOVED":
            self.forget()
        return self._remapped(host, int(port)), code == "ASK"

    def forget(self) -> None:
        """Ask for the slots again before the next command."""
        self._starts = []

    def _discover(self, deadline: Deadline) -> Steps[None]:
        failure: Exception = RedisFailure("the replay guard's Redis cluster has no nodes")
        for address in self._known():
            answer: Any = yield from self._ask_once(self._make_for(address), deadline.half(), b"CLUSTER", b"SLOTS")
            if answer and not isinstance(answer, Exception):
                slots = sorted((int(part[0]), int(part[1]), self._node_of(part[2], address)) for part in answer)
                self._ranges = [(last, node) for _, last, node in slots]
                self._starts = [first for first, _, _ in slots]
                return
            if isinstance(answer, Exception):
                failure = answer
        raise failure

    def _known(self) -> list[tuple[str, int]]:
        known = [node for _, node in self._ranges]
        known += [(str(node.host), int(node.port)) for node in list(self._nodes.startup_nodes.values())]
        return list(dict.fromkeys(known))

    def _node_of(self, node: Any, asked: tuple[str, int]) -> tuple[str, int]:
        # A node that does not know its own address says nothing, and means the one where it was asked.
        host = _text(node[0] or "")
        return self._remapped(host if host not in {"", "?"} else asked[0], int(node[1]))

    def _remapped(self, host: str, port: int) -> tuple[str, int]:
        remap = getattr(self._nodes, "address_remap", None)
        return remap((host, port)) if remap is not None else (host, port)

    def _make_for(self, address: Address) -> Any:
        host, port = address or (None, None)
        return self._make(self._pool, {"host": host, "port": port})


# What a client is.


def servers_of(client: Any) -> tuple[OneServer, Wire]:
    """Return where the commands of a client go, and how they get there.

    Raises:
        ConfigurationError: it is not a client, or not one whose waits can be bounded, or its server takes no writes.
    """
    nodes = getattr(client, "nodes_manager", None)
    source: Any = getattr(client, "connection_pool", None) if nodes is None else _recipe_of(nodes)
    connection_class = getattr(source, "connection_class", None)
    if not isinstance(getattr(source, "connection_kwargs", None), dict) or connection_class is None:
        raise ConfigurationError(
            f"the client must be a redis.Redis or a redis.asyncio.Redis, not {type(client).__name__}; make one with "
            "redis.Redis.from_url(url), after pip install 'listrak-webhooks[redis]'"
        )
    _check_version(connection_class)
    wire: Wire = AsyncWire() if inspect.iscoroutinefunction(getattr(connection_class, "connect", None)) else SyncWire()
    if not isinstance(connection_class, type) or not (wire.is_async or hasattr(connection_class, "_connect")):
        raise ConfigurationError(
            f"the client's connections are of {getattr(connection_class, '__name__', connection_class)!r}, whose waits "
            "cannot be bounded; use a subclass of redis.Connection, or none of your own"
        )
    if nodes is not None:
        return Cluster(client, source, wire), wire
    if not hasattr(source, "sentinel_manager"):
        return OneServer(source, wire), wire
    if not source.is_master:
        raise ConfigurationError("the client is one of a replica, which takes no writes; use sentinel.master_for")
    return Sentinels(source, wire), wire


def _recipe_of(nodes: Any) -> Any:
    """Return what has the class and the arguments of a cluster's connections: a node, or the pool of its client."""
    for node in [*nodes.startup_nodes.values(), *getattr(nodes, "nodes_cache", {}).values()]:
        if hasattr(node, "connection_kwargs"):
            return node
        if getattr(node, "redis_connection", None) is not None:
            return node.redis_connection.connection_pool
    return None


def _check_version(connection_class: Any) -> None:
    modules = [base.__module__ for base in getattr(connection_class, "__mro__", ())]
    if not any(module.startswith("redis.") for module in modules):
        return
    try:
        check_version("redis", needed_by="RedisReplayGuard")
    except ImportError as error:
        raise ConfigurationError(str(error)) from None
