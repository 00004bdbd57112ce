"""Guards whose store does not respond, for a user's tests of the 503."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ReplayGuardError
from listrak_webhooks.replay import MemoryReplayGuard
from listrak_webhooks.testing import Sender, cart, fail_store
from support.deliveries import PATH, logged
from support.guard_kinds import KINDS, SYNC
from support.guards import event_of, handling, run
from support.helpers import BODY, SECRET

if TYPE_CHECKING:
    from listrak_webhooks import Event
    from support.guards import Place

WAYS = [(kind, way) for kind in KINDS for way in ("with", "async with") if way == "async with" or kind in SYNC]
every_guard = pytest.mark.parametrize(("kind", "way"), WAYS)


@every_guard
def test_a_claim_fails_in_the_block_and_works_after_it(place: Place, kind: str, way: str) -> None:
    """Whatever the store, in `with` and in `async with`; nothing of the failed try is left behind."""
    guard = place.guard(kind)

    async def use() -> None:
        with fail_store(guard):
            with pytest.raises(ReplayGuardError, match="because a test has said so") as caught:
                async with handling(guard, event_of(BODY), way):
                    pass
            assert caught.value.status == 503
        async with handling(guard, event_of(BODY), way) as first:
            assert first
        async with handling(guard, event_of(BODY), way) as first:
            assert not first

    run(place, use)


@every_guard
def test_the_store_responds_again_whatever_the_block_raises(place: Place, kind: str, way: str) -> None:
    """And a block in a block ends alone."""
    guard = place.guard(kind)

    async def use() -> None:
        with contextlib.suppress(ZeroDivisionError), fail_store(guard):
            with fail_store(guard):
                pass
            with pytest.raises(ReplayGuardError):
                async with handling(guard, event_of(BODY), way):
                    pass
            raise ZeroDivisionError
        async with handling(guard, event_of(BODY), way) as first:
            assert first

    run(place, use)


@every_guard
def test_fail_open_handles_the_delivery_all_the_same(
    place: Place, kind: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is logged as ever."""
    guard = place.guard(kind, fail_open=True)

    async def use() -> None:
        with fail_store(guard):
            async with handling(guard, event_of(BODY), way) as first:
                assert first

    run(place, use)
    assert logged(caplog)[0].levelno == logging.ERROR


@pytest.mark.parametrize("kind", [kind for kind in SYNC if kind != "memory"])
def test_a_claim_from_before_cannot_be_completed(place: Place, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and saved with the next claim."""
    guard = place.guard(kind)
    with contextlib.ExitStack() as stack:
        stack.enter_context(fail_store_later(stack, guard, event_of(BODY)))
    assert "a delivery was handled, but that could not be saved" in logged(caplog)[0].getMessage()
    with guard.handle(event_of(BODY)) as first:
        assert not first


@contextlib.contextmanager
def fail_store_later(stack: contextlib.ExitStack, guard: Any, event: Event) -> Any:
    """Enter a claim, and let the store fail until it was left."""
    failing = fail_store(guard)
    with contextlib.ExitStack() as outer:
        claim = guard.handle(event)
        claim.__enter__()
        outer.enter_context(failing)
        outer.callback(claim.__exit__, None, None, None)
        yield


def test_an_endpoint_responds_with_503_while_its_store_fails() -> None:
    """And the same delivery is accepted when it comes again: nothing was lost."""
    from flask import Flask
    from listrak_webhooks.flask import listrak_webhook

    guard, handled, app = MemoryReplayGuard(), [], Flask(__name__)
    app.post(PATH)(listrak_webhook(SECRET, replay=guard)(lambda event: handled.append(event.id)))
    listrak, client = Sender(SECRET), app.test_client()
    signed = listrak.signed(cart())
    with fail_store(guard):
        assert listrak.send(client, signed, PATH).status_code == 503
    assert listrak.send(client, signed, PATH).status_code == 200
    assert len(handled) == 1


def test_a_guard_of_another_kind_is_a_type_error() -> None:
    """Its store is not known."""

    class Own:
        def handle(self, event: Any) -> Any:
            return contextlib.nullcontext(True)

    with pytest.raises(TypeError, match=r"does not know the store of .*Own; it knows"), fail_store(Own()):
        pass
