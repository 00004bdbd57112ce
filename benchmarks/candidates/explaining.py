"""What a rejection costs: explain against one verification, and a forged request with what the log says of it."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

from listrak_webhooks import Webhook
from listrak_webhooks._http.explaining import Explainer

from benchmarks import deliveries
from benchmarks.candidates import adapters
from benchmarks.harness.candidate import Call, Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.deliveries import Delivery

WEBHOOK = Webhook(deliveries.SECRET)
OTHER = Webhook("another secret of the same length...")
LARGE = 13_000
"""How many items there are in a cart of almost 4 MiB."""


def _verify(delivery: Delivery) -> Call:
    headers = WEBHOOK.signed_headers(delivery.received)
    return Call(lambda: WEBHOOK.verify(delivery.received, headers), (), bool)


def _explain(delivery: Delivery) -> Call:
    headers = OTHER.signed_headers(delivery.received)
    return Call(lambda: WEBHOOK.explain(delivery.received, headers), (), lambda found: not getattr(found, "causes", 1))


def _mac(delivery: Delivery) -> Call:
    key = deliveries.SECRET.encode()
    return Call(lambda: hmac.digest(key, delivery.received, hashlib.sha256), (), bool)


VERIFY = Candidate("verify, a genuine delivery", _verify)
EXPLAIN = Candidate("explain, a forgery of which nothing is known", _explain)
MAC = Candidate("hmac.digest over the body", _mac)


def _forged(app: Callable[[Delivery], Call], *, explaining: bool) -> Callable[[Delivery], Call]:
    def prepare(delivery: Delivery) -> Call:
        inner = app(delivery)
        note: Any = Explainer.note if explaining else lambda *_: None

        def call(*arguments: object) -> object:
            kept, Explainer.note = Explainer.note, note  # type: ignore[method-assign]
            try:
                return inner.function(*arguments)
            finally:
                Explainer.note = kept  # type: ignore[method-assign]

        return Call(call, inner.arguments, lambda status: str(status).startswith("401"))

    return prepare


def floods() -> Iterator[tuple[str, Candidate, Candidate]]:
    """Yield each framework with a forged request of which nothing is found out, and one as it is."""
    for framework, app in adapters.ours():
        plain = Candidate("nothing is found out", _forged(app, explaining=False))
        yield framework, plain, Candidate("as it is", _forged(app, explaining=True))


def tampered() -> Delivery:
    """Return a forgery of 1.2 kB."""
    return deliveries.tampered(deliveries.body(deliveries.ITEMS["1.2 kB"]), int(time.time()))
