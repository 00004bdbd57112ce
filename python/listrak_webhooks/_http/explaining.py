"""What is known of a rejected delivery: harmless facts, and now and then why it does not verify."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from listrak_webhooks.exceptions import VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from listrak_webhooks._core import Cause, Event, Webhook
    from listrak_webhooks._types import Headers

EXPLAIN_SECONDS = 10.0
"""An endpoint looks for the cause of a rejection at most once in so many seconds, whatever is sent."""

EXPLAIN_BYTES = 256 * 1024
"""The largest body of which the cause of a rejection, or a fact, is looked for."""


class Known(NamedTuple):
    """What is known of a rejected delivery."""

    facts: Mapping[str, object] = {}
    causes: Sequence[Cause] = ()


_NAME = "_listrak_known"

_WITHOUT_BODY = "content_length", "content_type", "content_encoding", "secrets", "skew"


def take_known(error: Exception) -> Known:
    """Take from an error what is known of its delivery."""
    known: Known = vars(error).pop(_NAME, Known())
    return known


def note_event(error: Exception, event: Event) -> None:
    """Note on an error which delivery it is about, of one that is genuine."""
    vars(error).setdefault(_NAME, Known({"delivery": event.id[:8], "body_length": len(event.body)}))


class Explainer:
    """Finds out what is known of the deliveries that one endpoint rejects."""

    def __init__(self) -> None:
        self._next = 0.0
        self._lock = threading.Lock()

    def note(self, error: Exception, webhook: Webhook, body: bytes | None, headers: Headers) -> None:
        """Note on an error what is known of its delivery, as far as an attacker cannot make that costly.

        Args:
            error: why the delivery is rejected.
            webhook: whose it was taken for.
            body: the raw body; `None` if it could not be read.
            headers: as `Webhook.verify` takes them.
        """
        if body is None or len(body) > EXPLAIN_BYTES:
            facts = webhook._facts(b"", headers)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            known: dict[str, object] = {name: facts[name] for name in _WITHOUT_BODY if name in facts}
            if body is not None:
                known["body_length"] = len(body)
            vars(error)[_NAME] = Known(known)
        elif isinstance(error, VerificationError) and self._is_time():
            explanation = webhook.explain(body, headers)
            vars(error)[_NAME] = Known(explanation.facts, explanation.causes)
        else:
            vars(error)[_NAME] = Known(webhook._facts(body, headers))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def _is_time(self) -> bool:
        now = monotonic()
        if now < self._next:
            return False
        with self._lock:
            if now < self._next:
                return False
            self._next = now + EXPLAIN_SECONDS
            return True
