"""The strategy for Hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings
from listrak_webhooks import PayloadError
from listrak_webhooks.testing.strategies import deliveries
from support.helpers import SECRET
from support.scripts import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks.testing import Delivery

JOURNEYS: list[Any] = ["cart", "order", "product", "page", "alert", "custom"]


def found(strategy: Any, condition: Callable[[Delivery], bool]) -> Any:
    """Return a delivery of a kind, not the smallest, which would take long."""
    return find(strategy, condition, settings=settings(phases=[Phase.generate]))


@given(delivery=deliveries())
def test_every_delivery_is_a_json_object_that_the_views_can_read(delivery: Delivery) -> None:
    """Whatever is missing in it."""
    event = delivery.signed(SECRET).event()
    assert event.journey in JOURNEYS
    assert event.email is None or event.email.rpartition("@")[2] in {"example.com", "example.org", "example.net"}


@pytest.mark.parametrize("journey", JOURNEYS)
def test_the_journeys_can_be_chosen(journey: Any) -> None:
    """And each is found."""

    @settings(max_examples=20)
    @given(delivery=deliveries([journey]))
    def is_of_it(delivery: Delivery) -> None:
        assert delivery.signed(SECRET).event().journey == journey

    is_of_it()
    assert found(deliveries(), lambda delivery: delivery.signed(SECRET).event().journey == journey)


def test_a_missing_address_and_odd_bodies_are_found() -> None:
    """Odd ones only if they are asked for."""
    assert found(deliveries(), lambda delivery: delivery.signed(SECRET).event().email is None)

    def is_no_object(delivery: Delivery) -> bool:
        try:
            return delivery.signed(SECRET).event().payload is None
        except PayloadError:
            return True

    assert found(deliveries(odd=True), is_no_object)


def test_nothing_else_needs_hypothesis() -> None:
    """It is imported on its own."""
    done = run("import listrak_webhooks.testing, listrak_webhooks.testing.plugin; print('imported')", "hypothesis")
    assert done.stdout == "imported\n", done.stderr


def test_where_hypothesis_is_missing_the_strategy_says_how_to_install_it() -> None:
    """In the last line of a short traceback."""
    done = run("from listrak_webhooks.testing.strategies import deliveries; deliveries()", "hypothesis")
    assert done.stderr.strip().splitlines()[-1].endswith("install it with: pip install hypothesis")
