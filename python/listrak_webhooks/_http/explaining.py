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
    from listrak_webhooks.exceptions import WebhookError

EXPLAIN_SECONDS = 10.0
"""An endpoint looks for the cause of a rejection at most once in so many seconds, whatever is sent."""

EXPLAIN_BYTES = 256 * 1024
"""The largest body of which the cause of a rejection, or a fact, is looked for."""


class Known(NamedTuple):
    """What is known of a rejected delivery."""

    facts: Mapping[str, object] = {}
    causes: Sequence[Cause] = ()


SHORT_BYTES = 4096
"""Up to how many bytes an event loop waits for the cause: about a millisecond."""

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
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, error: WebhookError, webhook: Webhook, body: bytes | None, headers: Headers) -> None:
        """Note on an error what is known of its delivery, as far as an attacker cannot make that costly.

        Args:
            error: why the delivery is rejected.
            webhook: whose it was taken for.
            body: the raw body; `None` if it could not be read.
            headers: as `Webhook.verify` takes them.
        """
        # It must not change the verdict, whatever a clock or a container of headers of the user's own raises.
        try:
            error.__dict__[_NAME] = self._known(error, webhook, body, headers)
        except Exception:  # noqa: BLE001
            return

    def takes_long(self, error: WebhookError, size: int) -> bool:
        """Return whether `note` looks for a cause so long that no event loop should wait for it."""
        return SHORT_BYTES < size <= EXPLAIN_BYTES and monotonic() >= self._next.get(error.code, 0.0)

    def _known(self, error: WebhookError, webhook: Webhook, body: bytes | None, headers: Headers) -> Known:
        if body is None or len(body) > EXPLAIN_BYTES:
            facts = webhook._facts(b"", headers)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            known: dict[str, object] = {name: facts[name] for name in _WITHOUT_BODY if name in facts}
            if body is not None:
                known["body_length"] = len(body)
            return Known(known)
        if isinstance(error, VerificationError) and self._is_time(error.code):
            explanation = webhook.explain(body, headers)
            return Known(explanation.facts, explanation.causes)
        return Known(webhook._facts(body, headers))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def _is_time(self, code: str) -> bool:
        """Return whether the cause of a rejection with this code may be looked for.

        Each code has a time of its own, so that requests without a signature do not use up that of a mismatch.
        """
        now = monotonic()
        if now < self._next.get(code, 0.0):
            return False
        with self._lock:
            if now < self._next.get(code, 0.0):
                return False
            self._next[code] = now + EXPLAIN_SECONDS
            return True
