"""The life of a claim, what a failing store means, and what is logged.

The steps of a claim are written as generators, which yield each call of the store and get its result: so the same steps
serve a store that returns at once and one that has to be awaited.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from listrak_webhooks._steps import arun, run
from listrak_webhooks.exceptions import ConfigurationError, DuplicateDeliveryError, ReplayGuardError

from ._store import Delivery, State

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

    from listrak_webhooks._core import Event
    from listrak_webhooks._steps import Steps

    from ._configuration import GuardConfiguration

logger = logging.getLogger("listrak_webhooks")

FLUSHED_AT_ONCE = 20
"""How many of them one claim hands over when the store answers again."""

HELD = "another request is handling this delivery at this moment; if that one fails, it can be sent again"

T = TypeVar("T")


def log_unguarded(fact: str) -> None:
    """Log that a delivery is handled without a guard, because the user wants that rather than a refusal."""
    logger.error("%s; fail_open is set, so this delivery is handled all the same and may be handled twice", fact)


def log_unsaved(fact: str) -> None:
    """Log that a delivery was handled and the store does not know."""
    logger.error(
        "a delivery was handled, but that could not be saved: %s; until it is, another process may handle it again",
        fact,
    )


class Claim:
    """The handling of one delivery: a context, for `with` and for `async with`."""

    def __init__(self, configuration: GuardConfiguration, event: Event) -> None:
        self._configuration = configuration
        self._delivery = Delivery(event)
        self._admitted = False

    def __enter__(self) -> bool:
        if self._configuration.store.is_async:
            raise ConfigurationError(
                "this guard has an async client, so it needs `async with`; for `with`, and for views that are not "
                "async, give it a client that is not"
            )
        return run(self._enter())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run(self._leave(failed=kind is not None))

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
        store = self._configuration.store
        if store.is_async:
            return await arun(steps)
        return await store.off_loop(partial(run, steps))

    def _enter(self) -> Steps[bool]:
        configuration, delivery = self._configuration, self._delivery
        if delivery.id in configuration.unsaved:
            return False
        try:
            state = yield partial(configuration.store.claim, delivery)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001
            fact = configuration.store.explain(error)
            if not configuration.fail_open:
                raise ReplayGuardError(fact) from None
            log_unguarded(fact)
            self._admitted = True
            return True
        yield from self._flush()
        if state is State.HELD:
            raise DuplicateDeliveryError(HELD)
        # Asked again: it may have been completed, and not saved, while the store was asked.
        self._admitted = state is State.CLAIMED and delivery.id not in configuration.unsaved
        return self._admitted

    def _leave(self, *, failed: bool) -> Steps[None]:
        if not self._admitted:
            return
        self._admitted = False
        configuration, delivery = self._configuration, self._delivery
        if failed:
            try:
                yield partial(configuration.store.release, delivery)
            except Exception as error:  # noqa: BLE001
                logger.warning(
                    "a claim could not be given back: %s; its lease of %g seconds ends it",
                    configuration.store.explain(error),
                    configuration.lease,
                )
            return
        try:
            yield partial(configuration.store.complete, delivery)
        except BaseException as error:
            # The work was done, so this is not the sender's problem.
            configuration.unsaved.add(delivery)
            if not isinstance(error, Exception):
                raise
            log_unsaved(configuration.store.explain(error))

    def _flush(self) -> Steps[None]:
        """Hand over what the store did not take before, now that it answers."""
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
