"""Webhook: its settings, rotation, the environment, the ways to call it, and sharing it."""

from __future__ import annotations

import copy
import gc
import os
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import listrak_webhooks
import pytest
from listrak_webhooks import (
    BodyTooLargeError,
    ConfigurationError,
    Event,
    FutureTimestampError,
    MalformedSignatureError,
    SignatureMismatchError,
    StaleTimestampError,
    Webhook,
    sign,
    verify,
)
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    VARIABLE,
    base64_of,
    headers_for,
    sign_like_listrak,
    spelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

YEAR = 365 * 24 * 60 * 60


class TestSecret:
    """What can be a secret."""

    @pytest.mark.parametrize(
        "secret",
        [
            "",
            " ",
            " \t\r\n",
            "\n",
            "\u00a0",
            "\u2003\u3000",
            b"",
            b" ",
            b" \t\r\n\x0c",
            b"\x0b",
            b"\x1c",
            b"\x00",
            b"\x00" * 64,
            b"\x00 \x00\n\x00",
            b"\xef\xbb\xbf",
            b"\xc2\xa0",
            None,
            [],
            (),
            "secret\n",
            "secret ",
            " secret",
            "\tsecret",
            "secret\r\n",
            "secret\u00a0",
            "\u3000secret",
            "\u2028secret",
            "\ufeffsecret",
            "sec\ufeffret",
            "secret\ufeff",
            "\ufeff",
            "sec\x00ret",
            "sec\nret",
            "sec\tret",
            "sec\x1bret",
            "sec\x7fret",
            "sec\x85ret",
            "sec\x9fret",
            "\x1csecret",
            "sec\u2028ret",
            "zero\u200bwidth",
            "sec\u200cret",
            "sec\u200dret",
            "\u2060secret",
            "sec\u00adret",
            "secret\u200e",
            "\u202esecret",
            "\u2066secret\u2069",
            "secret\ufe0f",
            "secret\U000e0020",
            "\ufffesecret",
            "\ud800",
            "secret\udcff",
            1,
            1.5,
            True,
            object(),
            {},
            {"a": "b"},
            {"secret"},
            (part for part in ["secret"]),
            bytearray(b"secret"),
            bytearray(),
            memoryview(b"secret"),
            range(3),
            ["secret", ""],
            ["secret", None],
            ["", "secret"],
            ["secret", " padded"],
            ["secret", ["older"]],
            [b"secret", b" "],
            [1],
            ("secret", bytearray(b"older")),
            ["secret", b"\x00"],
            [*"secret"],
        ],
        ids=spelled,
    )
    def test_what_can_be_no_secret(self, secret: Any) -> None:
        """A slip of the clipboard, of an editor or of the type is a ConfigurationError, wherever a secret is taken."""
        for call in (
            lambda: Webhook(secret),
            lambda: verify(BODY, headers_for(), secret, now=NOW),
            lambda: sign(BODY, NOW, secret),
        ):
            with pytest.raises(ConfigurationError, match="secret"):
                call()

    @pytest.mark.parametrize(
        "secret",
        [
            "s",
            "two words",
            "\u00e9\u2603\U0001f600",
            "a" * 10_000,
            b"s",
            b" padded\n",
            b"\x00s",
            b"trailing\x00",
            b"\xef\xbb\xbfbom",
            b"\xff",
        ],
        ids=lambda secret: ascii(secret)[:20],
    )
    def test_what_can_be_a_secret(self, secret: str | bytes) -> None:
        """Everything else is a secret, and bytes are taken as they are."""
        raw = secret.encode("utf-8") if isinstance(secret, str) else secret
        signature = base64_of(sign_like_listrak(raw, BODY, SENT))
        assert Webhook(secret).verify_values(BODY, SENT, signature, now=NOW).secret_index == 0
        if len(raw) > 1:
            holders: tuple[Any, ...] = ([secret], (secret,))
            for holder in holders:
                assert Webhook(holder).verify_values(BODY, SENT, signature, now=NOW).secret_index == 0

    def test_none_is_an_unset_variable(self) -> None:
        """The likeliest reason for a `None` is in the message."""
        unset: Any = None
        for call in (lambda: Webhook(unset), lambda: sign(BODY, NOW, unset)):
            with pytest.raises(
                ConfigurationError,
                match="the secret is None: the variable or setting .* is unset; set",  # noqa: RUF043
            ):
                call()

    def test_a_secret_is_needed(self) -> None:
        """There is no webhook without a secret."""
        without: Any = Webhook
        with pytest.raises(TypeError):
            without()

    def test_options_are_named(self) -> None:
        """Options cannot be passed by position."""
        positional: Any = Webhook
        with pytest.raises(TypeError):
            positional(SECRET, 900)

    def test_an_unknown_option(self) -> None:
        """A misspelt option is not passed over."""
        misspelt: Any = Webhook
        with pytest.raises(TypeError, match="tolerence"):
            misspelt(SECRET, tolerence=1)

    def test_which_of_several_is_wrong(self) -> None:
        """The message counts the secrets, because it must not show them."""
        with pytest.raises(ConfigurationError, match="secret number 2 is empty"):
            Webhook(["secret", ""])

    def test_a_list_that_changes_afterwards(self) -> None:
        """The secrets are read once: a list that changes later changes nothing."""
        secrets = ["new", "old"]
        webhook = Webhook(secrets)
        secrets.clear()
        assert webhook.verify(BODY, headers_for(secret="old"), now=NOW).secret_index == 1


class TestTolerance:
    """What can be a tolerance; how it is applied is tested with the timestamps."""

    @pytest.mark.parametrize(
        "tolerance",
        [
            -1,
            -0.001,
            -(10**30),
            YEAR + 1,
            float(YEAR) + 0.5,
            10**30,
            2**63,
            float("nan"),
            float("inf"),
            float("-inf"),
            1e300,
            True,
            False,
            None,
            "900",
            b"900",
            [900],
            object(),
            timedelta(seconds=-1),
            timedelta(microseconds=-1),
            timedelta(days=365, microseconds=1),
            timedelta(days=366),
            timedelta.max,
            timedelta.min,
        ],
        ids=spelled,
    )
    def test_what_can_be_no_tolerance(self, tolerance: Any) -> None:
        """Negative, endless, over a year or no number at all: there is no off switch."""
        for call in (
            lambda: Webhook(SECRET, tolerance=tolerance),
            lambda: verify(BODY, headers_for(), SECRET, now=NOW, tolerance=tolerance),
            lambda: Webhook.from_env("UNSET_AND_NOT_LOOKED_AT", tolerance=tolerance),
        ):
            with pytest.raises(ConfigurationError, match="tolerance must be from 0 to 31536000 seconds"):
                call()

    @pytest.mark.parametrize(("tolerance", "whole"), [(0, 0), (YEAR, YEAR), (float(YEAR), YEAR)], ids=str)
    def test_the_ends_of_the_range(self, tolerance: float, whole: int) -> None:
        """Nothing and a whole year are both inside."""
        assert Webhook(SECRET, tolerance=tolerance).tolerance == whole


class TestEncoding:
    """What can be an encoding; how it is applied is tested with the signatures."""

    @pytest.mark.parametrize(
        "encoding",
        ["", "ANY", "Base64", "HEX", "base32", " hex", "\ud800", None, 1, True, b"hex", ["hex"]],
        ids=spelled,
    )
    def test_what_can_be_no_encoding(self, encoding: Any) -> None:
        """Only the three names, exactly."""
        for call in (
            lambda: Webhook(SECRET, encoding=encoding),
            lambda: verify(BODY, headers_for(), SECRET, now=NOW, encoding=encoding),
        ):
            with pytest.raises(ConfigurationError, match="encoding must be"):
                call()

    @pytest.mark.parametrize("encoding", ["any", "base64", "hex"])
    def test_the_three_names(self, encoding: Any) -> None:
        """Each of the names is what the attribute gives back."""
        assert Webhook(SECRET, encoding=encoding).encoding == encoding


class TestMaxBody:
    """The size limit."""

    @pytest.mark.parametrize(
        "max_body", [0, -1, -(10**30), 2**64, 10**30, 1.5, 4096.0, True, False, None, "4096", [1]], ids=spelled
    )
    def test_what_can_be_no_limit(self, max_body: Any) -> None:
        """A limit is a positive number of bytes."""
        for call in (
            lambda: Webhook(SECRET, max_body=max_body),
            lambda: verify(BODY, headers_for(), SECRET, now=NOW, max_body=max_body),
        ):
            with pytest.raises(ConfigurationError, match="max_body must be a positive int"):
                call()

    @pytest.mark.parametrize(
        ("body", "size"),
        [
            (b"12345", 5),
            (bytearray(b"12345"), 5),
            (memoryview(b"12345"), 5),
            (memoryview(b"1234567890")[::2], 5),
            (memoryview(b"12345678").cast("I"), 8),
            ("12345", 5),
            ("\u2603\u00e9", 5),
        ],
        ids=["bytes", "bytearray", "memoryview", "strided", "wide-items", "str", "str-beyond-ascii"],
    )
    def test_exactly_the_limit_and_one_byte_more(self, body: Any, size: int) -> None:
        """The limit counts bytes, whatever holds them, and includes its edge."""
        headers = Webhook(SECRET).signed_headers(body, NOW)
        assert len(Webhook(SECRET, max_body=size).verify(body, headers, now=NOW).body) == size
        refusing = Webhook(SECRET, max_body=size - 1)
        calls: list[Callable[[], Event]] = [
            lambda: refusing.verify(body, headers, now=NOW),
            lambda: refusing.verify_values(body, headers[TIMESTAMP], headers[SIGNATURE], now=NOW),
            lambda: verify(body, headers, SECRET, now=NOW, max_body=size - 1),
        ]
        for call in calls:
            with pytest.raises(BodyTooLargeError, match=f"larger than max_body, {size - 1} bytes"):
                call()

    def test_the_default_is_four_mebibytes(self, webhook: Webhook) -> None:
        """One byte over the default is refused, and even a genuine delivery is."""
        body = bytes(4 * 1024 * 1024 + 1)
        with pytest.raises(BodyTooLargeError):
            webhook.verify(body, webhook.signed_headers(body, NOW), now=NOW)
        assert webhook.verify(body[:-1], webhook.signed_headers(body[:-1], NOW), now=NOW).body == body[:-1]

    def test_check_size(self) -> None:
        """The size can be refused before the body is read, by the same edge."""
        webhook = Webhook(SECRET, max_body=5)
        for size in (0, 1, 5):
            assert webhook.check_size(size) is None  # type: ignore[func-returns-value]
        for size in (6, 2**31, 2**63 - 1):
            with pytest.raises(BodyTooLargeError):
                webhook.check_size(size)

    @pytest.mark.parametrize("size", [2**64 - 1, 2**64, 10**30], ids=str)
    def test_check_size_of_a_number_beyond_every_machine(self, webhook: Webhook, size: int) -> None:
        """A stranger writes the Content-Length: a huge one is too large, like any other."""
        with pytest.raises(BodyTooLargeError):
            webhook.check_size(size)

    @pytest.mark.parametrize("size", [None, "5", 1.5, b"5"], ids=spelled)
    def test_check_size_of_no_number(self, webhook: Webhook, size: Any) -> None:
        """A size that is no int is a TypeError."""
        with pytest.raises(TypeError):
            webhook.check_size(size)


class TestRotation:
    """Several secrets at once."""

    @pytest.mark.parametrize("container", [list, tuple])
    def test_each_of_several_secrets_is_accepted(self, container: Callable[[Any], Any]) -> None:
        """The event says which one matched."""
        secrets = ["first", b"second", "third"]
        webhook = Webhook(container(secrets))
        for index, secret in enumerate(["first", "second", "third"]):
            assert webhook.verify(BODY, headers_for(secret=secret), now=NOW).secret_index == index

    def test_a_secret_that_is_not_among_them(self) -> None:
        """The message has their number and none of them."""
        with pytest.raises(SignatureMismatchError, match="any of the 2 secrets"):
            Webhook(["first", "second"]).verify(BODY, headers_for(secret="third"), now=NOW)
        with pytest.raises(SignatureMismatchError, match="under the secret;"):
            Webhook("first").verify(BODY, headers_for(secret="third"), now=NOW)

    def test_the_same_secret_twice(self) -> None:
        """Of equal secrets the first one counts."""
        assert Webhook([SECRET, SECRET]).verify(BODY, headers_for(), now=NOW).secret_index == 0

    def test_the_secrets_are_no_joined_secret(self) -> None:
        """Neither the joined text nor a part of a secret is a key."""
        for secret in ("firstsecond", "f", "first,second"):
            with pytest.raises(SignatureMismatchError):
                Webhook(["first", "second"]).verify(BODY, headers_for(secret=secret), now=NOW)

    def test_an_old_secret_keeps_the_window(self) -> None:
        """A delivery under the previous secret is as stale as any other."""
        with pytest.raises(StaleTimestampError):
            Webhook(["new", "old"]).verify(BODY, headers_for(secret="old"), now=NOW + 901)


class TestFromEnv:
    """Secrets out of the environment."""

    def test_the_default_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The documented variable is read."""
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.delenv(f"{VARIABLE}_PREVIOUS", raising=False)
        webhook = Webhook.from_env()
        assert webhook.verify(BODY, headers_for(), now=NOW).secret_index == 0
        assert "<1 secret>" in repr(webhook)

    def test_a_variable_of_the_users_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another name serves another account, with its own previous secret."""
        monkeypatch.setenv("SHOP_SECRET", "new")
        monkeypatch.setenv("SHOP_SECRET_PREVIOUS", "old")
        webhook = Webhook.from_env("SHOP_SECRET")
        assert webhook.verify(BODY, headers_for(secret="new"), now=NOW).secret_index == 0
        assert webhook.verify(BODY, headers_for(secret="old"), now=NOW).secret_index == 1
        assert Webhook.from_env(name="SHOP_SECRET").sign(BODY, NOW) == webhook.sign(BODY, NOW)

    def test_an_empty_previous_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty `_PREVIOUS` is no secret, as a deployment leaves it after a rotation."""
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", "")
        assert "<1 secret>" in repr(Webhook.from_env())

    def test_options_are_passed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The options are those of the constructor."""
        monkeypatch.setenv(VARIABLE, SECRET)
        webhook = Webhook.from_env(tolerance=timedelta(minutes=1), encoding="hex", max_body=100)
        assert (webhook.tolerance, webhook.encoding, webhook.max_body) == (60, "hex", 100)
        defaults = Webhook.from_env()
        assert (defaults.tolerance, defaults.encoding, defaults.max_body) == (900, "any", 4 * 1024 * 1024)

    @pytest.mark.parametrize("value", [None, "", " ", "secret\n", " secret", "\ufeffsecret", "a\tb"], ids=spelled)
    def test_nothing_usable_in_it(self, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
        """The message names the variable and never its value."""
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", "the-old-one")
        if value is not None:
            monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(ConfigurationError, match=f"the environment variable {VARIABLE} ") as caught:
            Webhook.from_env()
        assert "secret\n" not in str(caught.value)
        assert "the-old-one" not in str(caught.value)

    @pytest.mark.parametrize("value", [" ", "old\n", "\ufeffold"], ids=spelled)
    def test_a_spoilt_previous_secret(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """A previous secret that cannot be right is not silently left out."""
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", value)
        with pytest.raises(ConfigurationError, match=f"the environment variable {VARIABLE}_PREVIOUS "):
            Webhook.from_env()

    @pytest.mark.skipif(os.name != "posix", reason="only POSIX environments hold bytes that are no text")
    def test_bytes_that_are_no_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A value that is not UTF-8 is a configuration error, not a crash."""
        monkeypatch.setenv(VARIABLE, "secret\udcff")
        with pytest.raises(ConfigurationError, match=VARIABLE):
            Webhook.from_env()

    def test_the_environment_is_read_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable that changes later changes nothing."""
        monkeypatch.setenv(VARIABLE, SECRET)
        webhook = Webhook.from_env()
        monkeypatch.setenv(VARIABLE, "another")
        assert webhook.sign(BODY, NOW) == headers_for()[SIGNATURE]


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


class TestWaysToCall:
    """`verify`, `verify_values` and the functions that do it in one call."""

    def test_verify_and_verify_values_agree(self, webhook: Webhook) -> None:
        """Both give an equal event."""
        headers = headers_for()
        event = webhook.verify(BODY, headers, now=NOW)
        assert event == webhook.verify_values(BODY, headers[TIMESTAMP], headers[SIGNATURE], now=NOW)

    def test_arguments_by_name(self, webhook: Webhook) -> None:
        """The documented names are the arguments'."""
        headers = headers_for()
        event = webhook.verify(body=BODY, headers=headers, now=NOW)
        assert event == webhook.verify_values(
            body=BODY, timestamp=headers[TIMESTAMP], signature=headers[SIGNATURE], now=NOW
        )
        assert event == verify(body=BODY, headers=headers, secret=SECRET, now=NOW)
        assert webhook.sign(body=BODY, timestamp=NOW) == sign(body=BODY, timestamp=NOW, secret=SECRET)

    def test_now_is_named(self, webhook: Webhook) -> None:
        """Our own clock cannot be passed by position, where it could be taken for something else."""
        calls: Any = webhook
        with pytest.raises(TypeError):
            calls.verify(BODY, headers_for(), NOW)
        with pytest.raises(TypeError):
            calls.verify_values(BODY, SENT, headers_for()[SIGNATURE], NOW)

    def test_verify_in_one_call_takes_the_options(self) -> None:
        """The module's `verify` has the constructor's options, with the same effect."""
        headers = headers_for()
        assert verify(BODY, headers, ["new", SECRET], now=NOW + 5, tolerance=5, encoding="base64").secret_index == 1
        with pytest.raises(StaleTimestampError):
            verify(BODY, headers, SECRET, now=NOW + 6, tolerance=5)
        with pytest.raises(MalformedSignatureError):
            verify(BODY, headers, SECRET, now=NOW, encoding="hex")
        with pytest.raises(BodyTooLargeError):
            verify(BODY, headers, SECRET, now=NOW, max_body=len(BODY) - 1)
        with pytest.raises(StaleTimestampError):
            verify(BODY, headers, SECRET)
        with pytest.raises(SignatureMismatchError):
            verify(BODY, headers, "another", now=NOW)

    def test_the_body_matters(self, webhook: Webhook) -> None:
        """Another body, down to its white space, is another delivery."""
        for body in (BODY + b" ", BODY[:-1], BODY.replace(b":", b": "), BODY.swapcase(), b""):
            with pytest.raises(SignatureMismatchError):
                webhook.verify(body, headers_for(), now=NOW)

    def test_the_timestamp_matters(self, webhook: Webhook) -> None:
        """The signed timestamp cannot be freshened."""
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(BODY, str(NOW + 1), headers_for()[SIGNATURE], now=NOW)

    @pytest.mark.parametrize(
        ("body", "named"),
        [(None, "NoneType"), ({"a": 1}, "dict"), ([1], "list"), (1, "int"), ((b"a",), "tuple"), (object(), "object")],
        ids=lambda value: ascii(value)[:12],
    )
    def test_a_body_of_the_wrong_type(self, webhook: Webhook, body: Any, named: str) -> None:
        """Parsed JSON, above all, is a TypeError that says to pass the raw body and how to get it."""
        headers = headers_for()
        calls: list[Callable[[], Event]] = [
            lambda: webhook.verify(body, headers, now=NOW),
            lambda: webhook.verify_values(body, headers[TIMESTAMP], headers[SIGNATURE], now=NOW),
            lambda: verify(body, headers, SECRET, now=NOW),
        ]
        for call in calls:
            with pytest.raises(TypeError, match=f"not {named}; pass the raw request body, never parsed JSON") as caught:
                call()
            assert "request.get_data()" in str(caught.value)

    @pytest.mark.parametrize("body", ["\ud800", '{"a":"\udcff"}'], ids=spelled)
    def test_a_text_that_has_no_utf8_form(self, webhook: Webhook, body: str) -> None:
        """A lone surrogate cannot have been received: it is a TypeError that says to pass the raw body."""
        for call in (lambda: webhook.verify(body, headers_for(), now=NOW), lambda: webhook.sign(body, NOW)):
            with pytest.raises(TypeError, match=r"lone surrogate.*pass the raw request body"):
                call()

    def test_a_bytearray_that_changes_afterwards(self, webhook: Webhook) -> None:
        """The event has a snapshot: what was verified is what is used."""
        for hold in (lambda array: array, memoryview):
            body = bytearray(BODY)
            event = webhook.verify(hold(body), headers_for(), now=NOW)
            body[:10] = b"XXXXXXXXXX"
            assert event.body == BODY
            assert event.payload["campaign"] == "vip-mailer"


class TestObject:
    """What the object is like."""

    def test_its_repr(self) -> None:
        """The settings are shown, the secrets only counted."""
        assert repr(Webhook(SECRET)) == "Webhook(<1 secret>, tolerance=900, encoding='any', max_body=4194304)"
        webhook = Webhook(["new", "old"], tolerance=1, encoding="hex", max_body=2)
        assert repr(webhook) == str(webhook) == "Webhook(<2 secrets>, tolerance=1, encoding='hex', max_body=2)"

    @pytest.mark.parametrize("name", ["tolerance", "encoding", "max_body", "clock", "secret", "verify", "anything"])
    def test_it_is_immutable(self, webhook: Webhook, name: str) -> None:
        """No attribute can be set, replaced or deleted."""
        before = repr(webhook)
        with pytest.raises(AttributeError):
            setattr(webhook, name, 1)
        with pytest.raises(AttributeError):
            delattr(webhook, name)
        assert repr(webhook) == before

    def test_it_has_no_secret_attribute(self, webhook: Webhook) -> None:
        """Nothing on it gives the secret back."""
        for name in dir(webhook):
            assert SECRET not in repr(getattr(webhook, name))

    def test_the_package_lists_what_it_exports(self) -> None:
        """Every name in `__all__` is there."""
        for name in set(listrak_webhooks.__all__) - {"__version__"}:
            assert getattr(listrak_webhooks, name).__name__ == name


SMALL_BODY = BODY
LARGE_BODY = b'{"filler":"' + b"x" * 100_000 + b'"}'


def _verdicts(webhook: Webhook, turns: int) -> list[str]:
    """Return what is wrong with this many verdicts on small and large, genuine and forged deliveries."""
    wrong = []
    for turn in range(turns):
        body = LARGE_BODY if turn % 3 == 0 else SMALL_BODY
        secret = "old" if turn % 2 else "new"
        headers = headers_for(body, secret=secret)
        event = webhook.verify(body, headers, now=NOW)
        if event.body is not body or event.secret_index != turn % 2 or not event.payload:
            wrong.append(f"turn {turn}: {event!r}")
        if webhook.sign(body, NOW) != headers_for(body, secret="new")[SIGNATURE]:
            wrong.append(f"turn {turn}: another signature")
        try:
            webhook.verify(body, headers_for(body, secret="forged"), now=NOW)
        except SignatureMismatchError:
            continue
        wrong.append(f"turn {turn}: a forgery was accepted")
    return wrong


class TestSharing:
    """One webhook, used by many at once."""

    def test_by_many_threads(self) -> None:
        """No verdict of one thread is mixed up with another's, with bodies above and below the hand-over size."""
        webhook = Webhook(["new", "old"])
        barrier = threading.Barrier(8)

        def work(_: int) -> list[str]:
            barrier.wait(timeout=30)
            return _verdicts(webhook, 60)

        with ThreadPoolExecutor(8) as pool:
            assert [wrong for wrongs in pool.map(work, range(8)) for wrong in wrongs] == []

    def test_one_event_by_many_threads(self) -> None:
        """All threads see one and the same payload, whoever was first to ask for it."""
        webhook = Webhook(SECRET)
        for _ in range(20):
            event = webhook.verify(LARGE_BODY, headers_for(LARGE_BODY), now=NOW)
            barrier = threading.Barrier(4)

            def read(barrier: threading.Barrier = barrier, event: Event = event) -> int:
                barrier.wait(timeout=30)
                return id(event.payload)

            with ThreadPoolExecutor(4) as pool:
                assert {future.result() for future in [pool.submit(read) for _ in range(4)]} == {id(event.payload)}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_after_a_fork(self) -> None:
        """A preforking server's children use what the parent made."""
        webhook = Webhook(["new", "old"])
        assert _verdicts(webhook, 3) == []
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 7 if _verdicts(webhook, 20) == [] else 2
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        assert os.WIFEXITED(status)
        assert os.WEXITSTATUS(status) == 7
        assert _verdicts(webhook, 3) == []


def test_a_copy_is_the_webhook_itself() -> None:
    """It cannot change, so configurations that are copied may hold one."""
    webhook = Webhook(SECRET)
    assert copy.copy(webhook) is webhook
    assert copy.deepcopy({"webhook": [webhook]})["webhook"][0] is webhook


@pytest.mark.parametrize("secret", [bytearray(b"secret"), memoryview(b"secret")], ids=["bytearray", "memoryview"])
def test_a_secret_in_a_buffer_is_refused_by_its_name(secret: Any) -> None:
    """A buffer could change; the message speaks of it, and not of the numbers in it."""
    with pytest.raises(ConfigurationError, match=f"not {type(secret).__name__}"):
        Webhook(secret)


def test_every_interpreter_of_a_process_catches_its_own_exceptions() -> None:
    """Servers that embed Python run one interpreter a site, each with classes of its own."""
    script = """
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create(isolated=False)
code = '''
from listrak_webhooks import MissingHeaderError, PayloadError, Webhook
webhook = Webhook("secret")
try:
    webhook.verify(b"", {})
except MissingHeaderError:
    print("missing", flush=True)
body = b"no json"
try:
    webhook.verify(body, webhook.signed_headers(body)).payload
except PayloadError:
    print("no payload", flush=True)
'''
for _ in range(3):
    interpreter = create()
    interpreters.run_string(interpreter, code)
    interpreters.destroy(interpreter)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "missing\nno payload\n" * 3, done.stderr
