"""What becomes of a rejected delivery: one line in the log, and a call of the user's `on_rejected`."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from listrak_webhooks.exceptions import ConfigurationError, ReplayGuardError, WebhookError

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._steps import Steps

Rejection = WebhookError | ConfigurationError


def logger() -> logging.Logger:
    """Return the package's logger.

    It is looked up for each record and not made on import: `logging.config.dictConfig` disables every logger that
    exists already and that it does not name.
    """
    return logging.getLogger("listrak_webhooks")


def log_rejection(error: Rejection, status: int) -> None:
    """Log one rejection: a WARNING with the code and what to do, an ERROR if the fault is on our own side.

    The record has the text of the error and not the error: its traceback holds frames, and these hold the body.

    Args:
        error: why the delivery was rejected.
        status: the response's.
    """
    level = logging.ERROR if isinstance(error, ConfigurationError | ReplayGuardError) else logging.WARNING
    logger().log(
        level,
        "rejected a delivery with %d %s: %s",
        status,
        error.code,
        str(error),
        extra={"listrak_code": error.code, "listrak_status": status},
    )


def notify(
    on_rejected: Callable[..., object], error: WebhookError, request: object, call: Callable[..., Any]
) -> Steps[None]:
    """Call the user's `on_rejected`; log what it raises, and let the rejection stand.

    Args:
        on_rejected: the user's.
        error: what it is called with. Its traceback goes first: the frames hold the body and the headers.
        request: the second argument.
        call: how the stack calls a function of the user's.
    """
    forget_frames(error)
    try:
        yield lambda: call(on_rejected, error, request)
    except Exception as raised:  # noqa: BLE001
        # As text: an exception in a log record keeps every frame of its traceback, and these hold the request.
        text = "".join(traceback.format_exception(raised))
        logger().error("on_rejected raised; the delivery stays rejected\n%s", text)


def forget_frames(error: BaseException) -> None:
    """Take from an error what keeps frames, and with them bodies, alive."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
