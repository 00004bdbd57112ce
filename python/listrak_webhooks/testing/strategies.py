"""Deliveries for Hypothesis, which must be installed. Nothing else imports this."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hypothesis import strategies as st

from .builders import Delivery, alert, cart, custom, order, page, product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["deliveries"]

Journey: TypeAlias = Literal["cart", "order", "product", "page", "alert", "custom"]

_BUILDERS: dict[str, Callable[..., Delivery]] = {
    "cart": cart,
    "order": order,
    "product": product,
    "page": page,
    "alert": alert,
    "custom": custom,
}


def deliveries(
    journeys: Sequence[Journey] = ("cart", "order", "product", "page", "alert", "custom"), *, odd: bool = False
) -> st.SearchStrategy[Delivery]:
    """Return a strategy for believable deliveries, with any shopper, any style of names, and fields missing.

    Args:
        journeys: what they are about.
        odd: also make bodies that no handler expects: any JSON, and any bytes.

    Example:
        >>> from hypothesis import given
        >>> from listrak_webhooks.testing.strategies import deliveries
        >>> @given(deliveries())
        ... def test_no_delivery_fails(delivery):
        ...     assert delivery.signed("the HMAC secret").event().journey != ""
        >>> test_no_delivery_fails()
    """
    believable = st.builds(_build, st.sampled_from([*journeys]), _common(), st.dictionaries(_KEYS, _json(), max_size=3))
    return st.one_of(believable, _odd()) if odd else believable


_KEYS = st.from_regex(r"my_[a-z]{1,8}", fullmatch=True)
"""Names of the user's own that no view reads."""


def _build(journey: str, common: dict[str, Any], extra: dict[str, Any]) -> Delivery:
    return _BUILDERS[journey](set=extra, **common)


def _common() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"seed": st.integers(min_value=0), "style": st.sampled_from(["camel", "pascal", "snake", "lower"])},
        optional={"email": st.none(), "phone": st.none(), "coupons": st.none()},
    )


def _json() -> st.SearchStrategy[Any]:
    """Return any JSON value."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), text)
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=5)


def _odd() -> st.SearchStrategy[Delivery]:
    documents = _json().map(lambda value: json.dumps(value, ensure_ascii=False).encode())
    return st.one_of(st.binary(), documents).map(Delivery)
