"""The record of one delivery's outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from listrak_webhooks._core import Cause
    from listrak_webhooks.exceptions import ConfigurationError, WebhookError


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery: nothing in it is secret or personal, and it keeps no body alive.

    Attributes:
        status: the status of the response.
        code: the code of the rejection, or `None` if there is none.
        reason: why it was rejected, and what to do.
        skew: the seconds between the two clocks, if they are the reason.
        seconds: how long it took, from the request to the response.
        duplicate: whether it was handled before.
        facts: what else is known, by name; harmless, as those of `Explanation`.
        causes: why the signature did not match, if that was looked for; the likeliest first.
        peer: the address that the request came from, as the server has it.
        path: the path of the request, escaped and cut.
    """

    status: int
    code: str | None = None
    reason: str | None = None
    skew: int | None = None
    seconds: float = 0.0
    duplicate: bool = False
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    causes: Sequence[Cause] = ()
    peer: str | None = None
    path: str | None = None


class Listener(Protocol):
    """Who is told of each outcome that is not plain success."""

    def __call__(self, outcome: Outcome, error: WebhookError | ConfigurationError | None, request: object) -> Any:
        """Take note of an outcome; what is returned is awaited if it can be and the stack can.

        Args:
            outcome: the record.
            error: why the delivery was rejected, without frames; `None` if it was not.
            request: the framework's own.
        """
        ...
