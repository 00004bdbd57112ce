"""The log: one line for each rejection, and one for a delivery that came again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from listrak_webhooks.exceptions import ConfigurationError, ReplayGuardError

if TYPE_CHECKING:
    from listrak_webhooks.exceptions import WebhookError

    from ._outcome import Outcome


def logger() -> logging.Logger:
    """Return the package's logger.

    It is looked up for each record and not made on import: `logging.config.dictConfig` disables every logger that
    exists already and that it does not name.
    """
    return logging.getLogger("listrak_webhooks")


class LogListener:
    """Logs a rejection as a WARNING, or as an ERROR if the fault is on our own side, and a duplicate as INFO.

    The record has the text of the error and not the error: its traceback would hold frames, and these the body.
    """

    def __call__(self, outcome: Outcome, error: WebhookError | ConfigurationError | None, request: object) -> None:  # noqa: ARG002
        """Log an outcome."""
        if error is None:
            if outcome.duplicate:
                logger().info(
                    "delivery %s came again; it was handled before and the response is %d",
                    outcome.facts["delivery"],
                    outcome.status,
                )
            return
        level = logging.ERROR if isinstance(error, ConfigurationError | ReplayGuardError) else logging.WARNING
        logger().log(
            level,
            "rejected a delivery with %d %s: %s",
            outcome.status,
            outcome.code,
            outcome.reason,
            extra={"listrak_code": outcome.code, "listrak_status": outcome.status},
        )
