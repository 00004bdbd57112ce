"""Guards over a store of a user's own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, ReplayGuardError
from listrak_webhooks.replay import State, StoreGuard
from support.deliveries import logged
from support.guards import AsyncDictionary, Dictionary, Place, event_of, is_first
from support.helpers import BODY

if TYPE_CHECKING:
    from listrak_webhooks.replay import Delivery


class Broken(Dictionary):
    """A store of a user's own with a mistake in it."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self._result = result
        self.released = 0

    def claim(self, delivery: Delivery) -> State:
        if isinstance(self._result, Exception):
            raise self._result
        return self._result  # type: ignore[no-any-return]

    def release(self, delivery: Delivery) -> State:
        self.released += 1
        return super().release(delivery)


class TestOwnStore:
    """A store of a user's own."""

    def test_what_lacks_a_hook_is_named(self) -> None:
        """When the guard is made."""

        class Half:
            is_async = False

            def claim(self, delivery: Delivery) -> State:
                return State.CLAIMED

        half: Any = Half()
        with pytest.raises(ConfigurationError, match="Half lacks complete and release and explain; see ReplayStore"):
            StoreGuard(half)

    def test_a_class_in_place_of_an_instance_is_named(self) -> None:
        """Its hooks are there, and have nobody to belong to."""
        store: Any = Dictionary
        with pytest.raises(ConfigurationError, match="Dictionary is a class"):
            StoreGuard(store)

    @pytest.mark.parametrize("is_async", [None, "False"])
    def test_it_says_whether_it_is_async(self, is_async: Any) -> None:
        """A store that does not is not guessed at."""
        store: Any = Dictionary()
        store.is_async = is_async
        with pytest.raises(ConfigurationError, match="Dictionary lacks is_async"):
            StoreGuard(store)

    def test_async_hooks_that_say_that_they_are_not_are_named(self) -> None:
        """A coroutine that nobody awaits would let everything pass."""
        store: Any = AsyncDictionary(Dictionary())
        store.is_async = False
        with pytest.raises(ConfigurationError, match="the store's hooks are async, and its is_async is False"):
            StoreGuard(store)

    def test_an_async_one_needs_async_with(self, place: Place) -> None:
        """As an async client does."""
        guard = place.guard("own-async")
        assert guard.async_only
        with pytest.raises(ConfigurationError, match="needs `async with`"):
            guard.handle(event_of(BODY)).__enter__()

    @pytest.mark.parametrize("result", [None, True, State.FREE, "CLAIMED", []])
    def test_a_claim_that_says_no_state_is_an_error(self, result: Any) -> None:
        """Nothing is handled; and what may have been claimed is given back."""
        store = Broken(result)
        with pytest.raises(ConfigurationError, match=r"the store's claim returned \w.*let it return State\.CLAIMED"):
            StoreGuard(store).handle(event_of(BODY)).__enter__()
        assert store.released == 1

    def test_its_own_configuration_errors_pass(self) -> None:
        """They are for the programmer, and `fail_open` does not hide them."""
        store = Broken(ConfigurationError("the table is missing"))
        with pytest.raises(ConfigurationError, match="the table is missing"):
            StoreGuard(store, fail_open=True).handle(event_of(BODY)).__enter__()

    def test_its_error_is_explained_by_itself(self) -> None:
        """With no trace of the error, which could hold anything."""
        with pytest.raises(ReplayGuardError, match=r"the dictionary failed \(OSError\); look at it") as caught:
            StoreGuard(Broken(OSError("a password"))).handle(event_of(BODY)).__enter__()
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_an_explanation_that_fails_is_replaced(self, caplog: pytest.LogCaptureFixture) -> None:
        """A mistake in the message does not decide about a delivery."""
        store = Broken(OSError("a password"))
        store.explain = lambda error: error.nothing  # type: ignore[method-assign,attr-defined]
        with pytest.raises(ReplayGuardError, match=r"did not respond \(OSError\), and its explain raised Attribute"):
            StoreGuard(store).handle(event_of(BODY)).__enter__()
        assert is_first(StoreGuard(store, fail_open=True), event_of(b"another"))
        assert {record.levelno for record in logged(caplog)} == {logging.ERROR}
