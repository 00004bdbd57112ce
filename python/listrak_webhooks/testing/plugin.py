"""What the fixtures of the pytest plugin are made of. The plugin itself is `pytest_listrak_webhooks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from listrak_webhooks.exceptions import ConfigurationError

from . import _arguments
from .clock import stop_clock
from .sender import Sender

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    import pytest

    from listrak_webhooks._types import Secrets

    from .clock import Clock

VARIABLE = "LISTRAK_WEBHOOK_SECRET"

SECRET = "the secret of the fixture listrak"  # noqa: S105  # it protects nothing
"""Whose secret it is unless the marker says another."""


class _Marked(NamedTuple):
    """What the marker says."""

    secret: Secrets = SECRET
    now: float | datetime | None = None


def clock_for(item: pytest.Item) -> AbstractContextManager[Clock]:
    """Return the clock of a test: at the marker's `now`, else at the present time."""
    return stop_clock(_marked(item).now)


def sender_for(item: pytest.Item, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """Return the sender of a test, whose secret is in the environment until the test is over."""
    secret = _marked(item).secret
    sender = Sender(secret)
    current, *previous = [secret] if isinstance(secret, str | bytes) else secret
    monkeypatch.setenv(VARIABLE, _text(current))
    monkeypatch.delenv(f"{VARIABLE}_PREVIOUS", raising=False)
    if len(previous) > 1:
        raise ConfigurationError("@pytest.mark.listrak(secret=…): the environment has room for two secrets")
    for each in previous:
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", _text(each))
    return sender


def _marked(item: pytest.Item) -> _Marked:
    """Return what the test's marker says, and the markers of its class and module where it says nothing."""
    options: dict[str, Any] = {}
    for marker in item.iter_markers("listrak"):
        unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in _Marked._fields)]
        if unknown:
            raise ConfigurationError(f"@pytest.mark.listrak takes secret=… and now=…, and not {unknown[0]}")
        options = {**marker.kwargs, **options}
    if options.get("now") is not None:
        _arguments.time("@pytest.mark.listrak(now=…)", options["now"])
    return _Marked(**options)


def _text(secret: str | bytes) -> str:
    try:
        return secret.decode() if isinstance(secret, bytes) else secret
    except UnicodeDecodeError:
        raise ConfigurationError("@pytest.mark.listrak(secret=…): a secret in the environment is UTF-8") from None
