"""What the guards share: the life of a claim, what a failing store means, and what is logged.

A guard that keeps its claims in a store has three small hooks for it; everything else stands here, once. The steps of a
claim are written as generators, which yield each call of the store and get its result: so the same steps serve a store
that answers at once and one that has to be awaited.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from listrak_webhooks.exceptions import ConfigurationError, DuplicateDeliveryError, ReplayGuardError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from listrak_webhooks._core import Event
    from listrak_webhooks._types import Clock

logger = logging.getLogger("listrak_webhooks")

DEFAULT_LEASE = 60.0
"""How many seconds a claim lasts."""

MAX_LEASE = 365 * 24 * 60 * 60

MARGIN = 60
"""How many seconds a delivery is remembered beyond the last one at which it can pass the time window.

For what the clocks of several machines differ by, and for the time between the verdict and the claim: `verify` and the
guard each read the clock.
"""

MAX_UNSAVED = 10_000
"""How many completions that the store did not take are remembered in this process."""

FLUSHED_AT_ONCE = 20
"""How many of them one claim hands over when the store answers again."""

HELD = "another request is handling this delivery at this moment; if that one fails, it can be sent again"

T = TypeVar("T")
Steps: TypeAlias = "Generator[Callable[[], Any], Any, T]"


class ReplayGuard(Protocol):
    """Any guard for code that may wait: `with guard.handle(event) as first:`.

    Entering gives true to whoever is to handle the delivery, and false where that has been done; it raises
    `DuplicateDeliveryError` while another handles it and `ReplayGuardError` where that cannot be known. Leaving
    completes the claim, and an exception gives it back.
    """

    def handle(self, event: Event, /) -> AbstractContextManager[bool, bool | None]:
        """Return the context in which `event` is handled."""
        ...


class AsyncContext(Protocol):
    """What `async with` needs; what `contextlib.asynccontextmanager` makes is one."""

    def __aenter__(self) -> Awaitable[bool]: ...

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> Awaitable[bool | None]: ...


class AsyncReplayGuard(Protocol):
    """Any guard for code in an event loop: `async with guard.handle(event) as first:`; else as `ReplayGuard`."""

    def handle(self, event: Event, /) -> AsyncContext:
        """Return the context in which `event` is handled."""
        ...


class State(enum.Enum):
    """What a store says to a claim."""

    CLAIMED = enum.auto()
    HELD = enum.auto()
    COMPLETED = enum.auto()
    FREE = enum.auto()


def check_lease(lease: float) -> float:
    """Return `lease`, if it is a number of seconds that a claim can last.

    Raises:
        ConfigurationError: it is not.
    """
    return check_seconds("lease", lease)


def check_seconds(name: str, seconds: float) -> float:
    """Return `seconds`, if it is a positive span of at most a year.

    Raises:
        ConfigurationError: it is not, or not even a number.
    """
    given: Any = seconds
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < seconds <= MAX_LEASE:
        raise ConfigurationError(f"{name} must be a positive number of seconds, at most {MAX_LEASE} (365 days)")
    return float(seconds)


def log_unguarded(fact: str) -> None:
    """Log that a delivery is handled without a guard, because the user wants that rather than a refusal."""
    logger.error("%s; fail_open is set, so this delivery is handled all the same and may be handled twice", fact)


def log_unsaved(fact: str) -> None:
    """Log that a delivery was handled and the store does not know."""
    logger.error(
        "a delivery was handled, but that could not be saved: %s; until it is, another process may handle it again",
        fact,
    )


def log_lost_claim(delivery_id: str, state: State | None, *, took: float, lease: float) -> None:
    """Log that a claim was not there any more when it was completed or given back.

    Args:
        delivery_id: the event's id; its first eight digits are logged.
        state: the state in which the delivery was then; `None` if the store does not say.
        took: the seconds since it was claimed.
        lease: the seconds that the claim lasted.
    """
    others = {
        State.HELD: "another request is handling it too",
        State.COMPLETED: "another request has handled it too",
        State.FREE: "another request would have handled it again",
    }
    other = "another request may have handled it too" if state is None else others[state]
    if took < lease:
        fact = "the replay guard's store lost the claim to delivery %s after %.3g seconds, before its lease of %g ended"
        step = "look for what evicts or removes the store's entries"
    else:
        fact = "delivery %s was handled for %.3g seconds, longer than its lease of %g"
        step = "raise the guard's lease above what the handler takes"
    logger.warning(f"{fact}, so %s; {step}", delivery_id[:8], took, lease, other)  # noqa: G004


class Delivery:
    """One delivery, as a store sees it.

    Args:
        event: the verified event.
    """

    __slots__ = ("expires_at", "id", "lease_ends", "token")

    def __init__(self, event: Event) -> None:
        self.id = event.id
        self.expires_at = event.expires_at
        # What tells this claim from any other, in all processes.
        self.token = secrets.token_hex(16)
        # By our clock, for a store that cannot compare the token itself.
        self.lease_ends = 0.0

    @property
    def keep_until(self) -> int:
        """The Unix second from which on it may be forgotten.

        `verify` rounds the clock down, so it accepts the delivery during the whole of the second `expires_at`.
        """
        return self.expires_at + 1 + MARGIN


class Store(Protocol):
    """Where a guard keeps its claims. The three hooks may raise anything; those of an async store are to be awaited."""

    is_async: bool

    def claim(self, delivery: Delivery) -> Any:
        """Claim a delivery until the lease ends, in one atomic step, and return the `State` that it was in."""
        ...

    def complete(self, delivery: Delivery) -> Any:
        """Remember until its `keep_until` that a delivery was handled, whoever holds the claim by now."""
        ...

    def release(self, delivery: Delivery) -> Any:
        """Give back the claim, if its token still holds it."""
        ...

    def explain(self, error: Exception) -> str:
        """Return what a hook's error means, and the next step."""
        ...

    async def off_loop(self, function: Callable[[], T]) -> T:
        """Run a function that may wait where it does not keep the event loop."""
        ...


class Unsaved:
    """The completions that the store did not take, oldest first; safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._deliveries: OrderedDict[str, Delivery] = OrderedDict()

    def __contains__(self, delivery_id: str) -> bool:
        return delivery_id in self._deliveries

    def add(self, delivery: Delivery) -> None:
        """Remember one, and forget the oldest where there are too many."""
        with self._lock:
            self._deliveries[delivery.id] = delivery
            if len(self._deliveries) > MAX_UNSAVED:
                self._deliveries.popitem(last=False)

    def remove(self, delivery: Delivery) -> None:
        """Forget one that was saved."""
        with self._lock:
            self._deliveries.pop(delivery.id, None)

    def next(self) -> Delivery | None:
        """Return the oldest that is still worth saving."""
        if not self._deliveries:
            return None
        now = self._clock()
        with self._lock:
            while self._deliveries:
                delivery = next(iter(self._deliveries.values()))
                if delivery.keep_until > now:
                    return delivery
                del self._deliveries[delivery.id]
        return None


@dataclass
class Keeping:
    """What all claims of one guard have in common."""

    store: Store
    lease: float
    fail_open: bool
    clock: Clock
    unsaved: Unsaved = field(init=False)

    def __post_init__(self) -> None:
        self.unsaved = Unsaved(self.clock)


class StoreGuard:
    """Base of the guards that keep their claims in a store."""

    def __init__(self, store: Store, *, lease: float, fail_open: bool, clock: Clock | None) -> None:
        self._keeping = Keeping(store, check_lease(lease), fail_open, clock or time.time)

    @property
    def async_only(self) -> bool:
        """Whether `async with` is the only way: the store's client is one for event loops."""
        return self._keeping.store.is_async

    def handle(self, event: Event) -> Claim:
        """Return the context in which `event` is handled, for `with` and for `async with`.

        In it the value is true for whoever is to handle the delivery, and false where that has been done. Leaving the
        block completes the claim, and an exception gives it back, so that the delivery may come again.

        Args:
            event: a delivery, fresh from `verify`.

        Raises:
            DuplicateDeliveryError: on entering, while another handles it.
            ReplayGuardError: on entering, where the store does not answer.
        """
        return Claim(self._keeping, event)


class Claim:
    """The handling of one delivery: a context, for `with` and for `async with`."""

    def __init__(self, keeping: Keeping, event: Event) -> None:
        self._keeping = keeping
        self._delivery = Delivery(event)
        self._admitted = False

    def __enter__(self) -> bool:
        if self._keeping.store.is_async:
            raise ConfigurationError(
                "this guard has an async client, so it needs `async with`; for `with`, and for views that are not "
                "async, give it a client that is not"
            )
        return _run(self._enter())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _run(self._leave(failed=kind is not None))

    async def __aenter__(self) -> bool:
        entering = _start(self._drive(self._enter()))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            # Nobody will leave the block that was never entered, and the store may give the claim all the same.
            await asyncio.shield(_start(self._give_back(entering)))
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A task that is cancelled still tells the store: in the background, if it is not even let wait for that.
        await asyncio.shield(_start(self._drive(self._leave(failed=kind is not None))))

    async def _give_back(self, entering: asyncio.Task[bool]) -> None:
        await asyncio.wait([entering])
        await self._drive(self._leave(failed=True))

    async def _drive(self, steps: Steps[T]) -> T:
        store = self._keeping.store
        if store.is_async:
            return await _run_async(steps)
        return await store.off_loop(partial(_run, steps))

    def _enter(self) -> Steps[bool]:
        keeping, delivery = self._keeping, self._delivery
        if delivery.id in keeping.unsaved:
            return False
        try:
            state = yield partial(keeping.store.claim, delivery)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001
            fact = keeping.store.explain(error)
            if not keeping.fail_open:
                raise ReplayGuardError(fact) from None
            log_unguarded(fact)
            self._admitted = True
            return True
        yield from self._flush()
        if state is State.HELD:
            raise DuplicateDeliveryError(HELD)
        # Asked again: it may have been completed, and not saved, while the store was asked.
        self._admitted = state is State.CLAIMED and delivery.id not in keeping.unsaved
        return self._admitted

    def _leave(self, *, failed: bool) -> Steps[None]:
        if not self._admitted:
            return
        self._admitted = False
        keeping, delivery = self._keeping, self._delivery
        if failed:
            try:
                yield partial(keeping.store.release, delivery)
            except Exception as error:  # noqa: BLE001
                logger.warning(
                    "a claim could not be given back: %s; its lease of %g seconds ends it",
                    keeping.store.explain(error),
                    keeping.lease,
                )
            return
        try:
            yield partial(keeping.store.complete, delivery)
        except BaseException as error:
            # The work was done, so this is not the sender's problem.
            keeping.unsaved.add(delivery)
            if not isinstance(error, Exception):
                raise
            log_unsaved(keeping.store.explain(error))

    def _flush(self) -> Steps[None]:
        """Hand over what the store did not take before, now that it answers."""
        keeping = self._keeping
        for _ in range(FLUSHED_AT_ONCE):
            delivery = keeping.unsaved.next()
            if delivery is None:
                return
            try:
                yield partial(keeping.store.complete, delivery)
            except Exception:  # noqa: BLE001
                # It was logged when it was not saved; the next claim tries again.
                return
            keeping.unsaved.remove(delivery)


def _run(steps: Steps[T]) -> T:
    try:
        call = next(steps)
        while True:
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001, PERF203
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as end:
        return cast("T", end.value)


async def _run_async(steps: Steps[T]) -> T:
    try:
        call = next(steps)
        while True:
            try:
                result = await call()
            except BaseException as error:  # noqa: BLE001, PERF203
                call = steps.throw(error)
            else:
                call = steps.send(result)
    except StopIteration as end:
        return cast("T", end.value)


_running: set[asyncio.Task[Any]] = set()
"""A loop keeps only weak references to its tasks."""


def _start(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.ensure_future(work)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    # Looked at, so that asyncio does not report it where the one that waited has gone.
    if not task.cancelled():
        task.exception()
