"""Webhook: its clock."""

from __future__ import annotations

import gc
import weakref
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, FutureTimestampError, StaleTimestampError, Webhook, verify
from support.helpers import BODY, NOW, SECRET, SENT, SIGNATURE, VARIABLE, headers_for, spelled

if TYPE_CHECKING:
    from collections.abc import Callable


class _Clock:
    """A clock that the test turns, and that counts how often it is asked."""

    def __init__(self, now: Any) -> None:
        self.now = now
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if isinstance(self.now, BaseException):
            raise self.now
        return self.now


class TestClock:
    """A clock of the user's own, for tests."""

    @pytest.mark.parametrize("kind", [int, float, type("Seconds", (int,), {}), type("Real", (float,), {})])
    def test_it_decides_what_is_timely(self, kind: Any) -> None:
        """`verify` and `verify_values` go by the webhook's clock, rounded down as the system's is."""
        clock = _Clock(kind(NOW))
        webhook = Webhook(SECRET, tolerance=5, clock=clock)
        headers = headers_for()
        for now in (NOW - 5, NOW, NOW + 5, NOW + 5.999):
            clock.now = kind(now)
            assert webhook.verify(BODY, headers).timestamp == NOW
            assert webhook.verify_values(BODY, SENT, headers[SIGNATURE]).timestamp == NOW
        clock.now = kind(NOW + 6)
        with pytest.raises(StaleTimestampError) as caught:
            webhook.verify(BODY, headers)
        assert caught.value.skew == 6
        clock.now = kind(NOW - 6)
        with pytest.raises(FutureTimestampError):
            webhook.verify_values(BODY, SENT, headers[SIGNATURE])

    def test_it_is_what_is_signed_with(self) -> None:
        """Without a timestamp, `sign` and `signed_headers` go by the webhook's clock."""
        webhook = Webhook(SECRET, clock=_Clock(NOW + 0.9))
        assert webhook.signed_headers(BODY) == headers_for()
        assert webhook.signed_headers(BODY, None) == headers_for()
        assert webhook.sign(BODY) == webhook.sign(BODY, None) == headers_for()[SIGNATURE]
        with pytest.raises(ValueError, match="ten digits"):
            Webhook(SECRET, clock=lambda: 5).sign(BODY)

    def test_every_way_to_make_a_webhook_takes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The constructor, `from_env` and the module's `verify` have the option."""
        clock = _Clock(NOW)
        monkeypatch.setenv(VARIABLE, SECRET)
        assert Webhook.from_env(clock=clock).verify(BODY, headers_for()).timestamp == NOW
        assert verify(BODY, headers_for(), SECRET, clock=clock).timestamp == NOW
        assert clock.asked == 2

    def test_a_time_that_is_given_comes_first(self) -> None:
        """The clock is not asked if the call has the time."""
        clock = _Clock(RuntimeError())
        webhook = Webhook(SECRET, clock=clock)
        assert webhook.verify(BODY, headers_for(), now=NOW).timestamp == NOW
        assert webhook.verify_values(BODY, SENT, headers_for()[SIGNATURE], now=NOW).timestamp == NOW
        assert webhook.signed_headers(BODY, NOW) == headers_for()
        assert clock.asked == 0

    @pytest.mark.parametrize(
        ("said", "fact"),
        [
            (float("nan"), "a number that is not a time"),
            (float("inf"), "a number that is not a time"),
            (float("-inf"), "a number that is not a time"),
            (1e300, "a number that is not a time"),
            (10**30, "a number that is not a time"),
            (-(10**30), "a number that is not a time"),
            (None, "NoneType"),
            (True, "bool"),
            (SENT, "str"),
            (datetime.fromtimestamp(NOW, timezone.utc), "datetime"),
            (Decimal(NOW), "Decimal"),
        ],
        ids=spelled,
    )
    def test_one_that_does_not_say_the_time(self, said: Any, fact: str) -> None:
        """Whatever else it returns is a ConfigurationError, wherever it is asked, and never a verdict."""
        for call in self._calls(_Clock(said)):
            with pytest.raises(ConfigurationError, match=f"clock must return Unix seconds, .* returned {fact};"):
                call()

    def test_one_that_raises(self) -> None:
        """An exception is the cause of a ConfigurationError, and what ends the program passes."""
        error = LookupError("mine")
        for call in self._calls(_Clock(error)):
            with pytest.raises(ConfigurationError, match="clock raised LookupError and did not return") as caught:
                call()
            assert caught.value.__cause__ is error
        for call in self._calls(_Clock(KeyboardInterrupt())):
            with pytest.raises(KeyboardInterrupt):
                call()

    @staticmethod
    def _calls(clock: _Clock) -> list[Callable[[], object]]:
        webhook = Webhook(SECRET, clock=clock)
        return [
            lambda: webhook.verify(BODY, headers_for()),
            lambda: webhook.verify(BODY, headers_for(secret="forged")),
            lambda: webhook.verify_values(BODY, SENT, headers_for()[SIGNATURE]),
            lambda: webhook.sign(BODY),
            lambda: webhook.signed_headers(BODY),
            lambda: verify(BODY, headers_for(), SECRET, clock=clock),
        ]

    @pytest.mark.parametrize("clock", [5, "now", NOW, object()], ids=spelled)
    def test_it_is_a_function(self, clock: Any) -> None:
        """Anything that cannot be called is a ConfigurationError at once."""
        for call in (
            lambda: Webhook(SECRET, clock=clock),
            lambda: Webhook.from_env("UNSET_AND_NOT_LOOKED_AT", clock=clock),
            lambda: verify(BODY, headers_for(), SECRET, clock=clock),
        ):
            with pytest.raises(ConfigurationError, match="clock must be a function that returns Unix seconds"):
                call()

    def test_it_is_an_attribute(self) -> None:
        """The webhook returns the very function, or `None` for the system's clock."""
        clock = _Clock(NOW)
        assert Webhook(SECRET, clock=clock).clock is clock
        assert Webhook(SECRET).clock is None
        assert Webhook(SECRET, clock=None).clock is None

    def test_a_clock_that_holds_its_webhook_is_collected(self) -> None:
        """The garbage collector sees a webhook's clock."""
        clock = _Clock(NOW)
        clock.now = Webhook(SECRET, clock=clock)
        gone = weakref.ref(clock)
        del clock
        gc.collect()
        assert gone() is None
