"""The user's `on_rejected`, for metrics and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listrak_webhooks.exceptions import WebhookError

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks.exceptions import ConfigurationError

    from ._outcome import Outcome


class OnRejectedListener:
    """Calls `on_rejected(error, request)` for each rejection but a mistake in the configuration.

    Args:
        function: the user's.
        call: how the stack calls a function of the user's, which may be async or block.
    """

    def __init__(self, function: Callable[..., object], call: Callable[..., Any]) -> None:
        self._function = function
        self._call = call

    def __call__(self, outcome: Outcome, error: WebhookError | ConfigurationError | None, request: object) -> Any:  # noqa: ARG002
        """Notify the user's function."""
        return self._call(self._function, error, request) if isinstance(error, WebhookError) else None
