"""The life of a claim, what a failing store means, and what is logged.

The steps of a claim are written as generators, which yield each call of the store and get its result: so the same steps
serve a store that returns at once and one that has to be awaited.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from listrak_webhooks._event_loops import finished
from listrak_webhooks._steps import arun, run
from listrak_webhooks.exceptions import ConfigurationError, DuplicateDeliveryError, ReplayGuardError
from listrak_webhooks.instrumentation import logger

from ._store import State, answer_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from listrak_webhooks._core import Event
    from listrak_webhooks._steps import Steps

    from ._configuration import GuardConfiguration
    from ._store import ReplayStore

FLUSHED_AT_ONCE = 20
"""How many of them one claim hands over when the store responds again."""

HELD = "another request is handling this delivery at this moment; if that one fails, it can be sent again"

T = TypeVar("T")


def log_unguarded(fact: str) -> None:
    """Log that a delivery is handled without a guard, because the user prefers that to a rejection."""
    logger().error("%s; fail_open is set, so this delivery is handled all the same and may be handled twice", fact)


def log_unsaved(fact: str) -> None:
    """Log that a delivery was handled and the store does not know."""
    logger().error(
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
    logger().warning(f"{fact}, so %s; {step}", delivery_id[:8], took, lease, other)


def explanation(store: ReplayStore, error: Exception) -> str:
    """Return what an exception of a store means, also if a user's own store cannot say it."""
    try:
        return store.explain(error)
    except Exception as second:  # noqa: BLE001
        return (
            f"the replay guard's store did not respond ({type(error).__name__}), and its explain raised "
            f"{type(second).__name__}; look at the store"
        )


class Claim:
    """The handling of one delivery: a context, for `with` and for `async with`, that is entered once."""

    __slots__ = (
        "_admitted",
        "_configuration",
        "_delivery",
        "_entered",
        "_given_up",
        "_guarded",
        "_may_hold",
        "_stepping",
    )

    def __init__(self, configuration: GuardConfiguration, event: Event) -> None:
        self._configuration = configuration
        self._delivery = configuration.delivery(event)
        self._entered = threading.Lock()
        # A thread that enters goes on when its task is cancelled, and what gives the claim back comes behind it. The
        # same thread never waits for itself: a signal may keep it from unlocking.
        self._stepping = threading.RLock()
        # Whether the store may have given the claim, for all that is known, and whether that is settled.
        self._may_hold = False
        self._given_up = False
        self._admitted = False
        self._guarded = True

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a claim is neither true nor false; write `with guard.handle(event) as first:` (or `async with`), and then "
            "`if first:`"
        )

    def __enter__(self) -> bool:
        if self._configuration.store.is_async:
            raise ConfigurationError(
                "this guard's client is async, so it needs `async with`; for `with`, and for views that are not async, "
                "give it a client that is not"
            )
        self._enter_once()
        try:
            return self._run(self._enter)
        except BaseException:
            # Nobody leaves a block that was not entered.
            if not self._given_up:
                self._run(self._give_up)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(self._complete if kind is None else self._release)

    async def __aenter__(self) -> bool:
        self._enter_once()
        return await finished(partial(self._drive, self._enter), undo=self._take_back)

    async def _take_back(self) -> None:
        if not self._given_up:
            await self._drive(self._give_up)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._admitted:
            return
        if kind is not None and issubclass(kind, GeneratorExit) and not self._configuration.store.is_async:
            # A coroutine that is being closed must not await anything any more.
            self._leave(self._release)
            return
        leave = partial(self._drive, self._complete if kind is None else self._release)

        async def leave_after_all() -> None:
            if self._admitted:
                await leave()

        # A task that is cancelled still tells the store: in the background, if it is not even let wait for that.
        await finished(leave, undo=leave_after_all)

    def _leave(self, steps: Callable[[], Steps[None]]) -> None:
        try:
            if self._admitted:
                self._run(steps)
        except BaseException:
            # A signal came before the store had been told.
            if self._admitted:
                self._run(steps)
            raise

    def _enter_once(self) -> None:
        if not self._entered.acquire(blocking=False):
            raise RuntimeError("this claim was entered before; call guard.handle(event) for each try")

    async def _drive(self, steps: Callable[[], Steps[T]]) -> T:
        if self._configuration.store.is_async:
            return await arun(steps())
        result: T = await self._configuration.in_thread(partial(self._run, steps))
        return result

    def _run(self, steps: Callable[[], Steps[T]]) -> T:
        with self._stepping:
            return run(steps())

    def _enter(self) -> Steps[bool]:
        configuration, delivery = self._configuration, self._delivery
        if self._given_up or delivery.id in configuration.unsaved:
            return False
        delivery.claimed_at = delivery.monotonic()
        self._may_hold = True
        failure: str | None = None
        state: Any = None
        try:
            state = yield partial(configuration.store.claim, delivery)
        except ConfigurationError:
            self._given_up = True
            raise
        except Exception as error:  # noqa: BLE001
            failure = explanation(configuration.store, error)
        if failure is not None:
            return self._go_unguarded(failure)
        if answer_of(state) in {None, State.FREE}:
            raise ConfigurationError(
                f"the store's claim returned {State.FREE if state is State.FREE else type(state).__name__}; let it "
                "return State.CLAIMED, State.HELD or State.COMPLETED"
            )
        self._may_hold = state is State.CLAIMED
        yield from self._flush()
        if state is State.HELD:
            self._given_up = True
            raise DuplicateDeliveryError(HELD)
        # Asked again: it may have been completed, and not saved, while the store was asked.
        self._admitted = self._may_hold and delivery.id not in configuration.unsaved
        return self._admitted

    def _go_unguarded(self, failure: str) -> bool:
        if not self._configuration.fail_open:
            self._given_up = True
            # The store's own error could hold a URL with a password.
            raise ReplayGuardError(failure) from None
        log_unguarded(failure)
        self._guarded = False
        self._admitted = True
        return True

    def _give_up(self) -> Steps[None]:
        self._given_up = True
        if self._may_hold or self._admitted:
            yield from self._release()

    # In the next two, what is not an `Exception` is a signal, say, or a loop that ends: then the claim is not left yet.

    def _release(self) -> Steps[None]:
        configuration, delivery = self._configuration, self._delivery
        try:
            state = yield partial(configuration.store.release, delivery)
        except Exception as error:  # noqa: BLE001
            self._admitted = self._may_hold = False
            logger().warning(
                "a claim could not be given back: %s; its lease of %g seconds ends it",
                explanation(configuration.store, error),
                configuration.lease,
            )
            return
        self._admitted = self._may_hold = False
        self._check(answer_of(state), completed=False)

    def _complete(self) -> Steps[None]:
        configuration, delivery = self._configuration, self._delivery
        try:
            state = yield partial(configuration.store.complete, delivery)
        except BaseException as error:
            # The work was done, so this is not the sender's problem.
            configuration.unsaved.add(delivery)
            if not isinstance(error, Exception):
                raise
            self._admitted = self._may_hold = False
            log_unsaved(explanation(configuration.store, error))
            return
        self._admitted = self._may_hold = False
        configuration.unsaved.remove(delivery)
        self._check(answer_of(state), completed=True)

    def _check(self, state: State | None, *, completed: bool) -> None:
        """Log it if the claim was not this one's any more."""
        if state is State.CLAIMED or not self._guarded:
            return
        delivery = self._delivery
        took = delivery.monotonic() - delivery.claimed_at
        # A client that got no response asks twice, so its own first request may be what it finds.
        own = state is (State.COMPLETED if completed else State.FREE)
        if took >= delivery.lease or (state is not None and not own):
            log_lost_claim(delivery.id, state, took=took, lease=delivery.lease)

    def _flush(self) -> Steps[None]:
        """Hand over what the store did not take before, now that it responds."""
        configuration = self._configuration
        for _ in range(FLUSHED_AT_ONCE):
            delivery = configuration.unsaved.next()
            if delivery is None:
                return
            try:
                yield partial(configuration.store.complete, delivery)
            except Exception:  # noqa: BLE001
                # It was logged when it was not saved; the next claim tries again.
                return
            configuration.unsaved.remove(delivery)
