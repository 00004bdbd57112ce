"""The log: one line for each rejection, and one for a delivery that came again."""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING

from listrak_webhooks.exceptions import ConfigurationError, ReplayGuardError

if TYPE_CHECKING:
    from listrak_webhooks.exceptions import WebhookError

    from ._outcome import Outcome


@functools.cache
def logger() -> logging.Logger:
    """Return the package's logger.

    It is made for the first record and not on import: `logging.config.dictConfig` disables every logger that exists
    already and that it does not name.
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
            "%srejected a delivery with %d %s: %s%s",
            _proven(outcome) if outcome.causes else "",
            outcome.status,
            outcome.code,
            outcome.reason,
            _known(outcome),
            extra={
                "listrak_code": outcome.code,
                "listrak_status": outcome.status,
                "listrak_facts": outcome.facts,
                "listrak_causes": [cause.name for cause in outcome.causes if cause.proven] if outcome.causes else [],
                "listrak_peer": outcome.peer,
                "listrak_path": outcome.path,
            },
        )


def _proven(outcome: Outcome) -> str:
    """Return the beginning of the line: what is proven to be the cause, and what to do."""
    return "".join(f"{cause.name}: {cause.summary}; {cause.advice}; " for cause in outcome.causes if cause.proven)


def _known(outcome: Outcome) -> str:
    """Return the end of the line: a likely cause, where it came from, and the facts that say something."""
    known = ""
    if outcome.causes and not outcome.causes[0].proven:
        known = "; likely " + ", ".join([cause.name for cause in outcome.causes])
    if outcome.peer is not None:
        known += f"; from {_quoted(outcome.peer)}"
    if outcome.path is not None:
        known += f" at {_quoted(outcome.path)}" if outcome.peer is not None else f"; at {_quoted(outcome.path)}"
    facts = [
        name if fact is True else f"{name}={_quoted(fact) if isinstance(fact, str) else fact}"
        for name, fact in outcome.facts.items()
        if fact is not False
    ]
    if facts:
        known += f"; {', '.join(facts)}"
    return known


_is_plain = re.compile(r"[\w./:%~@+-]*", re.ASCII).fullmatch


def _quoted(text: str) -> str:
    """Return a text of the sender's so that nobody takes it for more of the line."""
    return text if _is_plain(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
