"""Deliveries for Hypothesis, which must be installed. Nothing else in the kit imports this."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from listrak_webhooks._types import JOURNEYS

from .builders import BUILDERS, Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

    from listrak_webhooks._types import Journey

__all__ = ["deliveries"]


def deliveries(journeys: Sequence[Journey] = JOURNEYS, *, odd: bool = False) -> SearchStrategy[Delivery]:
    """Return a strategy for believable deliveries, with any shopper, any style of names, and fields missing.

    Args:
        journeys: what they are about.
        odd: also make bodies that no handler expects: any JSON, and any bytes.

    Raises:
        ModuleNotFoundError: Hypothesis is not installed.

    Example:
        >>> from hypothesis import given
        >>> from listrak_webhooks.testing.strategies import deliveries
        >>> @given(deliveries())
        ... def test_no_delivery_fails(delivery):
        ...     assert delivery.signed("the HMAC secret").event().journey != ""
        >>> test_no_delivery_fails()
    """
    try:
        from hypothesis import strategies as st  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "deliveries needs Hypothesis, which is not installed; install it with: pip install hypothesis",
            name=error.name,
        ) from None
    keys = st.from_regex(r"my_[a-z]{1,8}", fullmatch=True)  # of the user's own, that no view reads
    values = _json(st)
    extra = st.dictionaries(keys, values, max_size=3)
    believable = st.builds(_build, st.sampled_from([*journeys]), _common(st), extra)
    if not odd:
        return believable
    return st.one_of(believable, st.builds(Delivery, st.one_of(st.binary(), values.map(_encoded))))


def _build(journey: str, common: dict[str, Any], extra: dict[str, Any]) -> Delivery:
    return BUILDERS[journey](set=extra, **common)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _common(st: Any) -> Any:
    """Return a strategy for what all builders take."""
    return st.fixed_dictionaries(
        {"seed": st.integers(min_value=0), "style": st.sampled_from(["camel", "pascal", "snake", "lower"])},
        optional={"email": st.none(), "phone": st.none(), "coupons": st.none()},
    )


def _json(st: Any) -> Any:
    """Return a strategy for any JSON value."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), text)

    def nested(inner: Any) -> Any:
        return st.lists(inner) | st.dictionaries(text, inner)

    return st.recursive(leaves, nested, max_leaves=5)
