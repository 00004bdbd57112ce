"""What the framework adapters share: whose secret, which verdict, what is logged and what is answered.

An adapter fetches the raw body and the headers as its framework has them, and answers as its framework answers.
Everything between stands here, once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from contextlib import contextmanager
from copy import copy
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from ._core import Webhook
from .exceptions import (
    BodyTooLargeError,
    BodyUnavailableError,
    ConfigurationError,
    ReplayGuardError,
    SignatureMismatchError,
    WebhookError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from ._core import Event
    from ._types import Headers, Secrets
    from .replay import AsyncReplayGuard, ReplayGuard

logger = logging.getLogger("listrak_webhooks")

SETTING = "LISTRAK_WEBHOOK_SECRET"
"""The name of the framework's setting, and of the environment variable, that hold the secret."""

BODY_WAIT_SECONDS = 20.0
"""How long an adapter waits for the next piece of a body before it gives up."""

Refusal = WebhookError | ConfigurationError

T = TypeVar("T")


def missing_framework(module: str, framework: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error to raise where `import listrak_webhooks.<module>` did not find its framework."""
    if error.name != module:
        # The framework is there and lacks something of its own: that is another problem, and not ours to explain.
        return error
    return ModuleNotFoundError(
        f"listrak_webhooks.{module} needs {framework}, which is not installed; "
        f"install it with: pip install 'listrak-webhooks[{module}]'",
        name=module,
    )


class WebhookSource:
    """Where an endpoint gets its `Webhook` from: given in code, else the framework's setting, else the environment.

    Args:
        given: what the user passed: a `Webhook`, a secret, a list of secrets, or nothing.
        read_setting: returns the framework's setting, or `None` where it has none.
    """

    def __init__(
        self, given: Webhook | Secrets | None, read_setting: Callable[[], Secrets | None] = lambda: None
    ) -> None:
        self._given = given if given is None or isinstance(given, Webhook) else Webhook(given)
        self._read_setting = read_setting
        self._from_setting: tuple[Secrets, Webhook] | None = None
        self._from_environment: Webhook | None = None

    def get(self) -> Webhook:
        """Return the `Webhook`, keyed once for as long as its secret stays the same.

        Raises:
            ConfigurationError: there is no secret, or it cannot be one.
        """
        if self._given is not None:
            return self._given
        setting = self._read_setting()
        if setting is not None:
            if self._from_setting is None or self._from_setting[0] != setting:
                try:
                    # A copy, because the user's list could be changed in place.
                    self._from_setting = (copy(setting), Webhook(setting))
                except ConfigurationError as error:
                    # Error reporters keep the variables of every frame that an exception passes.
                    del setting
                    raise error.with_traceback(None) from None
            return self._from_setting[1]
        if self._from_environment is None:
            self._from_environment = Webhook.from_env(SETTING)
        return self._from_environment


def check_arguments(webhook: object, resolver: object) -> None:
    """Refuse decorator arguments that contradict each other.

    Raises:
        ConfigurationError: both are given.
    """
    if webhook is not None and resolver is not None:
        raise ConfigurationError("pass webhook or resolver, not both: a resolver already returns the Webhook")


def check_resolved(webhook: object) -> Webhook:
    """Return what a resolver returned, if it is a `Webhook`.

    Raises:
        ConfigurationError: it is something else, such as `None` for an account that is not known.
    """
    if not isinstance(webhook, Webhook):
        raise ConfigurationError(
            f"the resolver returned {type(webhook).__name__} and not a Webhook; "
            "without a secret nothing can be verified, so let it raise for what it does not know"
        )
    return webhook


def parse_content_length(text: str | None) -> int | None:
    """Return the number in a `Content-Length` header, or `None` where there is none.

    Raises:
        BodyUnavailableError: it is no number (RFC 9110, section 8.6), so that nobody knows where the body ends.
    """
    # White space around a value is no part of it (RFC 9110, section 5.5), and not every server takes it off.
    text = (text or "").strip(" \t")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BodyUnavailableError("the Content-Length header is not a number; look for what rewrites it on the way")
    # A longer one is beyond any limit there is, and `int` refuses thousands of digits.
    longest = 18
    return int(text) if len(text) <= longest else sys.maxsize


def lost_part(body: bytes, *, declared: int | None, chunked: bool, touched: bool = False) -> str | None:
    """Return what speaks for `body` being incomplete, if anything does.

    Args:
        body: the raw body, as far as the framework delivered it.
        declared: the request's `Content-Length`, where it has one.
        chunked: whether it has a `Transfer-Encoding` instead.
        touched: whether other code is known to have had its hands on the stream before.
    """
    if declared is not None:
        return f"only {len(body)} of {declared} bytes of the body were left" if len(body) < declared else None
    if chunked and not body:
        return "the body was sent in chunks and nothing of it was left"
    if chunked and touched:
        return "the body was sent in chunks and its stream was used before"
    return None


def verify(webhook: Webhook, body: bytes, headers: Headers, lost: str | None) -> Event:
    """Return the event in a delivery, telling a body that was lost on the way from a bad signature.

    Args:
        webhook: what to verify with.
        body: the raw body, as far as the framework delivered it.
        headers: the request's headers.
        lost: what `lost_part` returned.

    Raises:
        BodyUnavailableError: the signature does not match and part of the body is missing.
        VerificationError, BodyTooLargeError: as `Webhook.verify`.
    """
    try:
        return webhook.verify(body, headers)
    except SignatureMismatchError:
        # Only now: whatever became of the body, a delivery whose signature matches is genuine.
        if lost is None:
            raise
        raise body_consumed(lost) from None


def body_consumed(fact: str) -> BodyUnavailableError:
    """Return the error for a body that is not there any more, with `fact` in front."""
    return BodyUnavailableError(
        f"{fact}: other code has read the request before this view, or the sender or the server broke off; look for a "
        "middleware or hook that reads the body, form or stream, and let it leave this route alone"
    )


def body_unreadable(error: Exception) -> BodyUnavailableError:
    """Return the error for a body that the server's reader gave up on, with an exception of its own."""
    return body_consumed(f"the body ended early or was malformed ({type(error).__name__})")


def body_over_framework_limit(setting: str) -> BodyTooLargeError:
    """Return the error for a body that is over the framework's own limit, which `setting` sets."""
    return BodyTooLargeError(
        f"the body is larger than {setting} allows; raise it if Listrak really sends that much, at least for this route"
    )


def log_refusal(error: Refusal, status: int | None = None) -> None:
    """Log one refusal: a WARNING with the code and what to do, an ERROR where the fault is on our own side.

    Args:
        error: the refusal.
        status: what is answered, where that is not the error's own status.
    """
    status = status or error.status
    level = logging.ERROR if isinstance(error, ConfigurationError | ReplayGuardError) else logging.WARNING
    logger.log(
        level,
        "refused a delivery with %d %s: %s",
        status,
        error.code,
        error,
        extra={"listrak_code": error.code, "listrak_status": status},
    )


@contextmanager
def verdict_stands(error: WebhookError) -> Generator[None, None, None]:
    """Log, and not pass on, what the user's `on_rejected` raises when it is told of `error`.

    The traceback goes first: its frames hold the body and the headers, and an error reporter would send them off.
    """
    error.with_traceback(None)
    error.__context__ = None
    try:
        yield
    except Exception:
        logger.exception("on_rejected raised; the delivery stays refused")


# Replays.


class NotHandledError(Exception):
    """What a claim is left with where the handler's answer says that it did not handle the delivery."""


def check_guard(replay: object, *, can_await: bool) -> None:
    """Refuse, at decoration, what cannot guard the view.

    Raises:
        ConfigurationError: it is no guard, or one for `async with` alone and the view cannot await.
    """
    if replay is None:
        return
    handle = getattr(replay, "handle", None)
    if not callable(handle) or isinstance(replay, type):
        raise ConfigurationError(
            f"replay must be a guard, not {_name_of(replay)}; use one of listrak_webhooks.replay, such as "
            "SqliteReplayGuard(path)"
        )
    # Of a user's own guard it can be known where `contextlib` made its context.
    async_only = getattr(replay, "async_only", False) or inspect.isasyncgenfunction(inspect.unwrap(handle))
    if async_only and not can_await:
        raise _async_guard(replay)


def _name_of(thing: object) -> str:
    return thing.__name__ if isinstance(thing, type) else type(thing).__name__


def _async_guard(replay: object) -> ConfigurationError:
    return ConfigurationError(
        f"{_name_of(replay)} needs `async with`, which this view cannot do; give it a sync client, such as redis.Redis "
        "instead of redis.asyncio.Redis"
    )


class Admission:
    """One delivery at the guard: entered, then left once, by `with` or by `async with`.

    Args:
        replay: the guard; without one, every delivery is the first.
        event: the verified delivery.
    """

    def __init__(self, replay: ReplayGuard | AsyncReplayGuard | None, event: Event) -> None:
        self._replay = replay
        self.event = event
        self.first = True
        self._context: Any = None

    def enter(self) -> bool:
        """Claim the delivery; return whether it is to be handled, and log it where that has been done.

        Raises:
            DuplicateDeliveryError, ReplayGuardError: as the guard.
            ConfigurationError: the guard supports `async with` alone.
        """
        if self._replay is not None:
            context: Any = self._replay.handle(self.event)
            if not hasattr(context, "__enter__"):
                raise _async_guard(self._replay)
            self._context, self.first = context, bool(context.__enter__())
            if not self.first:
                self._log_duplicate()
                self.leave()
        return self.first

    def leave(self, error: BaseException | None = None) -> None:
        """Complete the claim, or give it back where there is an `error`; a second time does nothing."""
        context, self._context = self._context, None
        if context is not None:
            context.__exit__(*_exception_info(error))

    def handle(self, call: Callable[[], T], status_of: Callable[[T], int]) -> T:
        """Return the answer of the handler, and leave: completed, unless it raises or answers a status from 400 up."""
        try:
            answer = call()
        except BaseException as error:
            self.leave(error)
            raise
        self.leave(not_handled(status_of(answer)))
        return answer

    async def aenter(self) -> bool:
        """Do as `enter`, without keeping the event loop."""
        if self._replay is not None:
            context: Any = self._replay.handle(self.event)
            if not hasattr(context, "__aenter__"):
                context = _InThread(context)
            self.first = bool(await context.__aenter__())
            self._context = context
            if not self.first:
                self._log_duplicate()
                await self.aleave()
        return self.first

    async def aleave(self, error: BaseException | None = None) -> None:
        """Do as `leave`, without keeping the event loop."""
        context, self._context = self._context, None
        if context is not None:
            await context.__aexit__(*_exception_info(error))

    async def ahandle(self, call: Callable[[], Awaitable[T]], status_of: Callable[[T], int]) -> T:
        """Do as `handle`, without keeping the event loop."""
        try:
            answer = await call()
        except BaseException as error:
            await self.aleave(error)
            raise
        await self.aleave(not_handled(status_of(answer)))
        return answer

    def _log_duplicate(self) -> None:
        logger.info("delivery %s came again; it was handled before and is answered with 200", self.event.id[:8])


class _InThread:
    """A context of a user's own that only knows `with`, for `async with`."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def __aenter__(self) -> Any:
        entering = asyncio.ensure_future(asyncio.to_thread(self._context.__enter__))
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError as error:
            # The thread goes on, and whoever it lets in must leave again.
            await entering
            await self.__aexit__(*_exception_info(error))
            raise

    async def __aexit__(self, *exception: object) -> None:
        await asyncio.shield(asyncio.to_thread(self._context.__exit__, *exception))


def _exception_info(error: BaseException | None) -> tuple[object, object, object]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def not_handled(status: int) -> NotHandledError | None:
    """Return what to leave a claim with after an answer with this status: from 400 up it was not handled."""
    return NotHandledError() if status >= HTTPStatus.BAD_REQUEST else None
