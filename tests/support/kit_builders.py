"""The builders of the test kit by the journeys that they are for, as the contract has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listrak_webhooks.testing import alert, cart, custom, order, page, product

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks.testing import Delivery

BUILDERS: dict[str, Callable[..., Delivery]] = {
    "cart": cart,
    "order": order,
    "product": product,
    "page": page,
    "alert": alert,
    "custom": custom,
}
