"""What the genuine deliveries of `check` hold: synthetic shoppers as `send` has them, or a body of the user's own."""

from __future__ import annotations

import copy
import json
import secrets
import threading
from typing import Any, cast

from listrak_webhooks import _clock

from ._deliveries import synthetic_body


class Content:
    """The content of genuine deliveries, no two of which are the same; any thread may ask for one.

    Args:
        journey: what the deliveries are about, unless they are `raw`; a cart by default.
        raw: a body of the user's own, which is sent byte for byte.
    """

    def __init__(self, journey: str | None = None, raw: bytes | None = None) -> None:
        self.raw = raw
        self._journey = journey
        self._own = None if raw is None else _object_in(raw)
        self._run = secrets.token_hex(8)
        self._made = 0
        self._used: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object, which can be written in many ways."""
        return self.raw is None or self._own is not None

    def fields(self) -> dict[str, Any]:
        """Return the fields of a delivery: of another shopper each time, or those of the user's own body."""
        if self._own is not None:
            return copy.deepcopy(self._own)
        while True:
            with self._lock:
                self._made += 1
                seed = f"{self._run} {self._made}"
            body = synthetic_body(self._journey, seed)
            # Letters that are not ASCII would be written as escapes, which not everything writes that parses JSON.
            if body.isascii():
                return cast("dict[str, Any]", json.loads(body))

    def compact(self) -> bytes:
        """Return JSON without spaces, in ASCII, its keys in order; or a body that is not an object, as it is."""
        if self.raw is not None and self._own is None:
            return self.raw
        return json.dumps(self.fields(), separators=(",", ":")).encode()

    def large(self, size: int) -> dict[str, Any]:
        """Return the fields of a delivery of about `size` bytes, as far as it has a list of items that can be long."""
        fields = self.fields()
        cart = fields.get("cart")
        holder = cast("dict[str, Any]", cart) if isinstance(cart, dict) and "items" in cart else fields
        items = holder.get("items")
        if isinstance(items, list) and items:
            some = cast("list[object]", items)
            holder["items"] = some * max(1, size // len(json.dumps(some, separators=(",", ":"))))
        return fields

    def second_for(self, body: bytes) -> int:
        """Return the second to sign a body for: not one that the same body was signed for before.

        The same body in the same second is the same delivery, which the endpoint need not handle again.

        Args:
            body: the body.
        """
        second = int(_clock.now())
        mark = hash(body)
        with self._lock:
            while (mark, second) in self._used:
                second -= 1
            self._used.add((mark, second))
        return second


def _object_in(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body is, if it is one that has a field."""
    try:
        found = json.loads(body, parse_constant=_reject)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) and found else None


def _reject(constant: str) -> None:
    raise ValueError(constant)  # NaN is not JSON
