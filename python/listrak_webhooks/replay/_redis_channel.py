"""One command to Redis: where it goes, how often it is tried, and when to give up."""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from listrak_webhooks.exceptions import ConfigurationError

from ._redis_errors import RedisFailure, describe, is_transient, place_of
from ._redis_servers import servers_of
from ._redis_wire import Deadline, leave_behind, pack

if TYPE_CHECKING:
    from listrak_webhooks._steps import Steps

    from ._redis_servers import Address

MOST_REDIRECTIONS = 5
ASTRAY = "the nodes of the replay guard's Redis cluster send a delivery from one to another; see CLUSTER NODES on them"

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""The seconds before another try; each pause is twice the one before."""


class Unknown(enum.Enum):
    """The mark of an address that has not been looked up."""

    UNKNOWN = enum.auto()


UNKNOWN = Unknown.UNKNOWN


class _Failed(NamedTuple):
    """A try that failed."""

    error: Exception
    place: str
    was_idle: bool
    """The connection had been unused for a while, and may only have been closed in the meantime."""


class Channel:
    """The way to the server of a client.

    Args:
        client: the user's client, which is read and never used.
        timeout: the seconds that a command may take in all: connecting and other tries are a part of it.

    Raises:
        ConfigurationError: the client cannot serve.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self._servers, wire = servers_of(client)
        self._wire: Any = wire
        self._timeout = timeout
        self.is_async = self._wire.is_async
        self.run = self._wire.run

    def ask(self, key: bytes, command: bytes) -> Steps[Any]:
        """Return the answer to a command about a key. It may be carried out twice, if its first answer is lost.

        A connection that was unused is tried with half of the time, and then a new one: the first may have been closed
        by the server, or dropped by a firewall that does not say so. Other failures of the connection are tried as
        often again as the client would, as long as there is time.

        Raises:
            RedisFailure: it could not be had in time, or the server rejected it.
        """
        deadline = Deadline(self._timeout)
        address: Address | Unknown = UNKNOWN
        commands: tuple[bytes, ...] = (command,)
        failures = redirections = 0
        was_idle = False
        while True:
            answer = yield from self._try(key, address, deadline, commands, anew=was_idle or failures > 0)
            if not isinstance(answer, _Failed):
                return answer
            redirected = self._servers.redirected(answer.error)
            if redirected is not None and redirections < MOST_REDIRECTIONS:
                redirections += 1
                address, asks = redirected
                commands = (pack(b"ASKING"), command) if asks else (command,)
                continue
            failures += not answer.was_idle
            pause = min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE) if failures else 0
            again = redirected is not None or is_transient(answer.error)
            if not again or failures > self._servers.retries or pause >= deadline.left():
                failure = RedisFailure(ASTRAY) if redirected is not None else describe(answer.error, answer.place)
                del answer
                yield leave_behind
                raise failure
            was_idle = answer.was_idle
            if failures:
                yield partial(self._wire.sleep, pause)
                self._servers.forget()
                address, commands = UNKNOWN, (command,)

    def _try(
        self, key: bytes, address: Address | Unknown, deadline: Deadline, commands: tuple[bytes, ...], *, anew: bool
    ) -> Steps[Any]:
        idle: Any = self._wire.idle()
        if idle is None:
            idle = yield self._wire.enter
        answer = failure = connection = unused = None
        try:
            if address is UNKNOWN:
                address = yield from self._servers.locate(key, deadline)
            unused, to_close = (None, idle.empty(address)) if anew else idle.take(address)
            for old in to_close:
                yield partial(self._wire.drop, old)
            connection = unused
            if connection is None:
                connection = yield from self._servers.connect(address, deadline)
            hurry = unused is not None or self._servers.has_others
            seconds = deadline.half() if hurry else deadline.left()
            answer = yield partial(self._wire.exchange, connection, seconds, *commands)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001
            failure = _Failed(error, place_of(connection), unused is not None)
        if failure is not None:
            return failure
        for old in idle.give(address, connection):
            yield partial(self._wire.drop, old)
        return answer
