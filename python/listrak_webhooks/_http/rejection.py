"""What an outcome is made of, and how its listeners are told."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

from listrak_webhooks.exceptions import ConfigurationError, WebhookError
from listrak_webhooks.instrumentation import Listener, Outcome, logger

from .explaining import take_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from listrak_webhooks._core import Event

    from .receiver import Origin

Rejection = WebhookError | ConfigurationError


def rejection_outcome(error: Rejection, status: int, started: float, origin: Origin) -> Outcome:
    """Return the outcome of a rejected delivery.

    Args:
        error: why.
        status: the response's.
        started: `time.perf_counter()` when the request came.
        origin: where it came from.
    """
    known = take_known(error)
    return Outcome(
        status,
        error.code,
        str(error),
        getattr(error, "skew", None),
        time.perf_counter() - started,
        facts=known.facts,
        causes=known.causes,
        peer=_excerpt(origin.peer, LONGEST_PEER),
        path=_excerpt(origin.path, LONGEST_PATH),
    )


LONGEST_PEER = 64
LONGEST_PATH = 200
"""How many characters of a text of the sender's are logged."""


def _excerpt(text: str | None, longest: int) -> str | None:
    """Return a text without control characters, which could forge lines of a log, and cut."""
    if text is None or (len(text) <= longest and text.isascii() and text.isprintable()):
        return text
    escaped = text[:longest].encode("unicode_escape").decode("ascii")
    return escaped if len(text) <= longest else f"{escaped}..."


def duplicate_outcome(event: Event, status: int, started: float) -> Outcome:
    """Return the outcome of a delivery that was handled before; the arguments are as for `rejection_outcome`."""
    seconds = time.perf_counter() - started
    return Outcome(status, seconds=seconds, duplicate=True, facts={"delivery": event.id[:8]})


async def emit(
    listeners: Sequence[Listener], outcome: Outcome, error: Rejection | None, request: object, *, can_await: bool
) -> None:
    """Tell all listeners of an outcome; log what one of them raises, and keep to the outcome."""
    if error is not None:
        forget_frames(error)
    for listener in listeners:
        try:
            told = listener(outcome, error, request)
            if can_await and hasattr(told, "__await__"):
                await told
        except Exception as raised:  # noqa: BLE001, PERF203
            # As text, because an exception in a log record keeps every frame of its traceback, and these hold the
            # request; and without its message, which may hold a value of the payload.
            frames = "".join(traceback.format_tb(raised.__traceback__)).rstrip()
            logger().error("on_rejected raised %s; the delivery stays rejected\n%s", type(raised).__qualname__, frames)


def forget_frames(error: BaseException) -> None:
    """Take from an error what keeps frames, and with them bodies, alive."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
