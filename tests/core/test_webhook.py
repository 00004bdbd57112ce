"""Webhook: its settings, rotation, and the ways to call it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import listrak_webhooks
import pytest
from listrak_webhooks import (
    BodyTooLargeError,
    ConfigurationError,
    Event,
    MalformedSignatureError,
    SignatureMismatchError,
    StaleTimestampError,
    Webhook,
    sign,
    verify,
)
from support.helpers import BODY, NOW, SECRET, SENT, SIGNATURE, TIMESTAMP, headers_for, spelled

if TYPE_CHECKING:
    from collections.abc import Callable


YEAR = 365 * 24 * 60 * 60


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
        rejecting = Webhook(SECRET, max_body=size - 1)
        calls: list[Callable[[], Event]] = [
            lambda: rejecting.verify(body, headers, now=NOW),
            lambda: rejecting.verify_values(body, headers[TIMESTAMP], headers[SIGNATURE], now=NOW),
            lambda: verify(body, headers, SECRET, now=NOW, max_body=size - 1),
        ]
        for call in calls:
            with pytest.raises(BodyTooLargeError, match=f"larger than max_body, {size - 1} bytes"):
                call()

    def test_the_default_is_four_mebibytes(self, webhook: Webhook) -> None:
        """One byte over the default is rejected, and even a genuine delivery is."""
        body = bytes(4 * 1024 * 1024 + 1)
        with pytest.raises(BodyTooLargeError):
            webhook.verify(body, webhook.signed_headers(body, NOW), now=NOW)
        assert webhook.verify(body[:-1], webhook.signed_headers(body[:-1], NOW), now=NOW).body == body[:-1]

    def test_check_size(self) -> None:
        """The size can be rejected before the body is read, by the same edge."""
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
        """A size that is not an int is a TypeError."""
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

    def test_the_secrets_are_not_one_joined_secret(self) -> None:
        """Neither the joined text nor a part of a secret is a key."""
        for secret in ("firstsecond", "f", "first,second"):
            with pytest.raises(SignatureMismatchError):
                Webhook(["first", "second"]).verify(BODY, headers_for(secret=secret), now=NOW)

    def test_an_old_secret_keeps_the_window(self) -> None:
        """A delivery under the previous secret is as stale as any other."""
        with pytest.raises(StaleTimestampError):
            Webhook(["new", "old"]).verify(BODY, headers_for(secret="old"), now=NOW + 901)


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
