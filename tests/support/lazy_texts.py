"""Texts that are made when they are asked for, as the libraries make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import wrapt
from django.utils.functional import SimpleLazyObject
from listrak_webhooks import Webhook
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


make: Any = Webhook
"""Called with what its types forbid, too."""


class Written:
    """A lazy object that was written by hand: it says whose class it has, and how it is converted."""

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._fetch())

    def __str__(self) -> Any:
        return self._fetch()

    def __bytes__(self) -> Any:
        return self._fetch()

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("walked")

    def __len__(self) -> int:
        raise AssertionError("walked")

    def __getitem__(self, place: object) -> Any:
        raise AssertionError("walked")


class HandingOn(Written):
    """Another, which hands on every attribute."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fetch(), name)


# Each makes an object that Python's own `isinstance` takes for what `fetch` returns.
LAZY: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "django": SimpleLazyObject,
    "werkzeug": LocalProxy,
    "wrapt": lambda fetch: wrapt.ObjectProxy(fetch()),
    "wrapt-function": lambda fetch: wrapt.LazyObjectProxy(fetch),
    "hands-on": HandingOn,
    "of-another": lambda fetch: SimpleLazyObject(lambda: LocalProxy(fetch)),
}
TEXT = {**LAZY, "written": Written}

each_text = pytest.mark.parametrize("lazily", TEXT.values(), ids=TEXT.keys())
each_lazy = pytest.mark.parametrize("lazily", LAZY.values(), ids=LAZY.keys())
