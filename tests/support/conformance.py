"""What the tests of all adapters share: the variants of all stacks, and handlers.

A new stack is a client file in `stacks/` and a line in its list. All tests that are marked with one of these run in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Event

from support.stacks import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from listrak_webhooks import WebhookError

    from support.variants import Variant


def in_each(variants: Iterable[Variant]) -> pytest.MarkDecorator:
    """Run a test in each of these, which have names."""
    return pytest.mark.parametrize("variant", variants, ids=lambda variant: variant.name)


every_variant = in_each(VARIANTS)
every_decorator = in_each([variant for variant in VARIANTS if variant.decorates])
every_streaming_variant = in_each([variant for variant in VARIANTS if variant.streams])
every_awaiting_variant = in_each([variant for variant in VARIANTS if variant.can_await])
every_sync_variant = in_each([variant for variant in VARIANTS if not variant.can_await])
every_variant_that_checks_results = in_each([variant for variant in VARIANTS if not variant.takes_any_result])


def never(event: Event) -> None:
    """Stand for a handler that must not be reached."""
    pytest.fail(f"the handler was called with {event}")


def parse(event: Event) -> None:
    """Stand for a handler that asks for the payload, and answers nothing."""
    assert event.payload is not None


class Seen(list[Event]):
    """A handler that keeps the events."""

    def __call__(self, event: Event) -> None:
        self.append(event)


class Rejections:
    """An `on_rejected` of any kind, and what it was told."""

    def __init__(self, *, is_async: bool = False, error: Exception | None = None) -> None:
        self.calls: list[tuple[WebhookError, Any]] = []
        self._error = error
        self.function: Callable[..., Any] = self._later if is_async else self._now

    def _now(self, error: WebhookError, request: Any) -> None:
        self.calls.append((error, request))
        if self._error is not None:
            raise self._error

    async def _later(self, error: WebhookError, request: Any) -> None:
        self._now(error, request)
