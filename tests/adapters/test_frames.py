"""What error reporters find in the frames of this package: never a body, whatever raises and whenever they look."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Event
from pydantic import BaseModel, field_validator
from support.conformance import every_variant, never
from support.deliveries import Delivery, forged, signed
from support.payloads import event_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

    from support.variants import Variant

CANARY = "jane-canary"
BODY = f'{{"email":"{CANARY}@example.com"}}'.encode()

pytestmark = pytest.mark.usefixtures("no_secret_around")


def frames_of(traceback: TracebackType | None) -> Iterator[FrameType]:
    """Yield the frames of a traceback."""
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def frames_now() -> Iterator[FrameType]:
    """Yield the frames of the calls that have led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def leaks(frames: Iterator[FrameType]) -> list[str]:
    """Return the variables of ours in which the body shows."""
    ours = [frame for frame in frames if str(frame.f_globals.get("__name__")).startswith("listrak_webhooks.")]
    return [
        f"{frame.f_globals['__name__']}.{frame.f_code.co_name}: {name}"
        for frame in ours
        for name, value in frame.f_locals.items()
        if not isinstance(value, Event) and CANARY in repr(value)
    ]


class Failing:
    """A guard of a user's own that fails."""

    def __init__(self, *, on_entering: bool) -> None:
        self._on_entering = on_entering

    def handle(self, event: Event) -> Any:
        """Fail at once, or give a context that fails."""
        if self._on_entering:
            return self
        raise LookupError("the guard is broken")

    def __enter__(self) -> bool:
        raise LookupError("the guard is broken")

    def __exit__(self, *_: object) -> None:
        raise AssertionError


@every_variant
@pytest.mark.parametrize("on_entering", [False, True], ids=["handle", "enter"])
def test_a_guard_that_raises_what_is_not_ours(variant: Variant, *, on_entering: bool) -> None:
    """The exception passes through, and none of our frames that it passed holds the body."""
    found: list[str] = []
    with variant.endpoint(never, replay=Failing(on_entering=on_entering)) as endpoint:
        try:
            endpoint.send(Delivery(BODY, headers=signed(BODY)))
        except LookupError as error:
            found = leaks(frames_of(error.__traceback__))
    assert found == []


@every_variant
def test_a_reporter_that_looks_at_the_stack_in_on_rejected(variant: Variant) -> None:
    """Some send the variables of each frame with a mere message."""
    looks: list[list[str]] = []

    def on_rejected(error: object, request: object) -> None:
        looks.append(leaks(frames_now()))

    with variant.endpoint(never, on_rejected=on_rejected) as endpoint:
        endpoint.send(Delivery(BODY, headers=forged(BODY)))
    assert looks == [[]]


def test_a_check_of_the_users_own_that_raises_in_a_model() -> None:
    """Neither our frames nor those of the library that reads the body are in its traceback."""

    class Mail(BaseModel):
        email: str

        @field_validator("email")
        @classmethod
        def known(cls, value: str) -> str:
            raise KeyError("no such customer")

    with pytest.raises(KeyError) as caught:
        event_of(BODY).parse_as(Mail)
    modules = [str(frame.f_globals.get("__name__")) for frame in frames_of(caught.value.__traceback__)]
    assert not [name for name in modules if name.startswith(("listrak_webhooks.", "pydantic."))]
    assert modules[-1] == __name__
