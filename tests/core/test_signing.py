"""Signing: the known answers, the timestamps and the bodies that are taken, and agreement with Python's own HMAC."""

from __future__ import annotations

import array
import base64
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listrak_webhooks import ConfigurationError, SignatureMismatchError, Webhook, sign, verify
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    VECTORS,
    Vector,
    base64_of,
    sign_like_listrak,
    spelled,
)

FIRST_TEN_DIGITS = 1_000_000_000
LAST_TEN_DIGITS = 9_999_999_999


class _BytesOfItsOwn(bytes):
    """A subclass of `bytes`, as some frameworks have."""


class _TextOfItsOwn(str):
    """A subclass of `str`, such as Django's safe strings."""

    __slots__ = ()


class TestKnownAnswers:
    """The answers that were computed by other implementations."""

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.mac.hex()[:8])
    def test_the_signer_of_these_tests_makes_them(self, vector: Vector) -> None:
        """The signer that the other tests rely on is right itself."""
        assert sign_like_listrak(vector.secret.encode("utf-8"), vector.body, vector.timestamp) == vector.mac

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.mac.hex()[:8])
    def test_sign_makes_them_in_base64_and_hex(self, vector: Vector) -> None:
        """Both spellings are the known ones, base64 being the default."""
        signer = Webhook(vector.secret)
        assert signer.sign(vector.body, int(vector.timestamp)) == base64_of(vector.mac)
        assert signer.sign(vector.body, int(vector.timestamp), encoding="base64") == base64_of(vector.mac)
        assert signer.sign(vector.body, int(vector.timestamp), encoding="hex") == vector.mac.hex()

    @pytest.mark.parametrize("spelling", ["base64", "hex"])
    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.mac.hex()[:8])
    def test_verify_accepts_them(self, vector: Vector, spelling: str) -> None:
        """Both spellings verify, and the event says which one came."""
        signature = base64_of(vector.mac) if spelling == "base64" else vector.mac.hex()
        event = Webhook(vector.secret).verify_values(
            vector.body, vector.timestamp, signature, now=int(vector.timestamp)
        )
        assert event.id == vector.mac.hex()
        assert event.encoding == spelling

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.mac.hex()[:8])
    def test_one_byte_more_is_rejected(self, vector: Vector) -> None:
        """A trailing newline, which the vectors have both with and without, is part of what is signed."""
        with pytest.raises(SignatureMismatchError):
            Webhook(vector.secret).verify_values(vector.body + b"\n", vector.timestamp, vector.mac.hex(), now=NOW)


class TestAgreementWithHmac:
    """Python's `hmac` is the reference."""

    @given(
        # One visible byte: what has nothing in it is not a secret.
        secret=st.tuples(st.binary(max_size=100), st.binary(max_size=100)).map(b"k".join),
        body=st.binary(max_size=300),
        timestamp=st.integers(FIRST_TEN_DIGITS, LAST_TEN_DIGITS),
    )
    def test_any_secret_body_and_time(self, secret: bytes, body: bytes, timestamp: int) -> None:
        """Whatever is signed, the MAC is Python's, in both spellings."""
        mac = sign_like_listrak(secret, body, str(timestamp))
        signer = Webhook(secret)
        assert signer.sign(body, timestamp) == base64_of(mac)
        assert signer.sign(body, timestamp, encoding="hex") == mac.hex()

    @pytest.mark.parametrize("size", [0, 1, 45, 46, 54, 55, 56, 63, 64, 65, 127, 128, 64 * 1024 - 1, 64 * 1024])
    def test_bodies_around_the_block_size(self, size: int) -> None:
        """Sizes around the hash's block and padding, and around the core's switch to large bodies, agree."""
        body = bytes(index * 7 % 256 for index in range(size))
        mac = sign_like_listrak(SECRET.encode(), body, SENT)
        assert Webhook(SECRET).sign(body, NOW, encoding="hex") == mac.hex()
        assert Webhook(SECRET).verify_values(body, SENT, mac.hex(), now=NOW).id == mac.hex()

    def test_a_body_of_the_largest_default_size(self) -> None:
        """Four MiB are signed and verified like anything else."""
        body = b"0123456789abcdef" * (4 * 1024 * 1024 // 16)
        mac = sign_like_listrak(SECRET.encode(), body, SENT)
        assert Webhook(SECRET).sign(body, NOW, encoding="hex") == mac.hex()
        assert Webhook(SECRET).verify_values(body, SENT, mac.hex(), now=NOW).body is body

    @pytest.mark.parametrize(
        "secret",
        [b"k", b"k" * 63, b"k" * 64, b"k" * 65, b"k" * 1000, bytes(range(256)), b"k\x00", b" padded ", b"\xff\xfe"],
        ids=["1", "63", "64", "65", "1000", "every-byte", "nul-at-the-end", "spaces-around", "not-utf-8"],
    )
    def test_secrets_of_every_length_and_kind(self, secret: bytes) -> None:
        """Secrets shorter than, as long as and longer than the hash's block, and binary ones, are taken as they are."""
        mac = sign_like_listrak(secret, BODY, SENT)
        assert Webhook(secret).sign(BODY, NOW) == base64_of(mac)
        assert sign(BODY, NOW, secret) == base64_of(mac)

    @pytest.mark.parametrize(
        "secret",
        ["ключ", "p@ss wörd ☃", "c2VjcmV0LXNlY3JldA==", "deadbeefdeadbeef", "whsec_c2VjcmV0"],
        ids=["cyrillic", "inner-space", "looks-like-base64", "looks-like-hex", "other-senders-prefix"],
    )
    def test_a_text_secret_is_its_utf8_bytes(self, secret: str) -> None:
        """Nothing is decoded, trimmed or stripped of a prefix, however the secret looks."""
        assert sign(BODY, NOW, secret) == base64_of(sign_like_listrak(secret.encode("utf-8"), BODY, SENT))

    def test_the_first_of_several_secrets_signs(self) -> None:
        """During a rotation the current secret, which comes first, is the one that signs."""
        assert Webhook(["new", "old"]).sign(BODY, NOW) == Webhook("new").sign(BODY, NOW)
        assert sign(BODY, NOW, ["new", "old"]) == sign(BODY, NOW, "new")


class TestTimestamps:
    """What can be signed with."""

    @pytest.mark.parametrize("timestamp", [FIRST_TEN_DIGITS, NOW, LAST_TEN_DIGITS])
    def test_whole_seconds_of_ten_digits(self, webhook: Webhook, timestamp: int) -> None:
        """The first and the last second with ten digits are both usable."""
        headers = webhook.signed_headers(BODY, timestamp)
        assert headers[TIMESTAMP] == str(timestamp)
        assert webhook.verify(BODY, headers, now=timestamp).timestamp == timestamp

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc),
            datetime(2023, 11, 14, 17, 13, 20, tzinfo=timezone(timedelta(hours=-5))),
            datetime(2023, 11, 15, 3, 58, 20, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            datetime(2023, 11, 14, 22, 13, 20, 999_999, tzinfo=timezone.utc),
        ],
        ids=["utc", "new-york", "kathmandu", "microseconds-are-dropped"],
    )
    def test_an_aware_datetime(self, webhook: Webhook, moment: datetime) -> None:
        """An aware datetime is its Unix second, rounded down, whatever its zone."""
        assert webhook.signed_headers(BODY, moment)[TIMESTAMP] == SENT
        assert webhook.sign(BODY, moment) == webhook.sign(BODY, NOW)
        assert sign(BODY, moment, SECRET) == webhook.sign(BODY, NOW)

    def test_a_naive_datetime(self, webhook: Webhook) -> None:
        """A datetime without a zone is rejected, because guessing the zone would be wrong for somebody."""
        naive = datetime(2023, 11, 14, 22, 13, 20)  # noqa: DTZ001
        for call in (webhook.sign, webhook.signed_headers):
            with pytest.raises(ValueError, match="naive"):
                call(BODY, naive)
        with pytest.raises(ValueError, match="naive"):
            sign(BODY, naive, SECRET)

    def test_none_and_nothing_mean_now(self, webhook: Webhook) -> None:
        """Without a timestamp the system's clock is used, so that the result verifies at once."""
        before = int(time.time())
        for headers in (webhook.signed_headers(BODY), webhook.signed_headers(BODY, None)):
            assert before <= int(headers[TIMESTAMP]) <= time.time()
            assert webhook.verify(BODY, headers).timestamp == int(headers[TIMESTAMP])
        candidates = {webhook.sign(BODY, second) for second in range(before, int(time.time()) + 2)}
        assert webhook.sign(BODY) in candidates
        assert webhook.sign(BODY, None) in candidates

    def test_a_signature_in_one_call_needs_its_timestamp(self) -> None:
        """Nobody would learn which second it was, and without it the signature is worth nothing."""
        nothing: Any = None
        with pytest.raises(TypeError, match=r"not None: .* pass the one that you send, or use Webhook.signed_headers"):
            sign(BODY, nothing, SECRET)

    @pytest.mark.parametrize(
        "timestamp",
        [0, 1, -1, -NOW, FIRST_TEN_DIGITS - 1, LAST_TEN_DIGITS + 1, NOW * 1000, 2**63, -(2**63) - 1, 10**30, -(10**30)],
        ids=str,
    )
    def test_not_ten_digits(self, webhook: Webhook, timestamp: int) -> None:
        """What does not have ten digits is rejected by every way to sign, however large or small."""
        for call in (webhook.sign, webhook.signed_headers):
            with pytest.raises(ValueError, match="ten digits"):
                call(BODY, timestamp)
        with pytest.raises(ValueError, match="ten digits"):
            sign(BODY, timestamp, SECRET)

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(1969, 12, 31, tzinfo=timezone.utc),
            datetime(2001, 9, 9, 1, 46, 39, tzinfo=timezone.utc),
            datetime(2286, 11, 20, 17, 46, 40, tzinfo=timezone.utc),
            datetime.min.replace(tzinfo=timezone.utc),
            datetime.max.replace(tzinfo=timezone.utc),
        ],
        ids=str,
    )
    def test_a_datetime_without_ten_digits(self, webhook: Webhook, moment: datetime) -> None:
        """A datetime before 2001 or after 2286 is rejected too."""
        with pytest.raises(ValueError, match="ten digits"):
            webhook.sign(BODY, moment)

    @pytest.mark.parametrize(
        "timestamp",
        [True, False, SENT, SENT.encode(), float(NOW), timedelta(seconds=NOW), [NOW], object()],
        ids=["true", "false", "str", "bytes", "float", "timedelta", "list", "object"],
    )
    def test_the_wrong_type(self, webhook: Webhook, timestamp: Any) -> None:
        """Anything but an int, a datetime or None is a TypeError that says what to pass."""
        for call in (webhook.sign, webhook.signed_headers):
            with pytest.raises(TypeError, match="timestamp must be an int"):
                call(BODY, timestamp)
        with pytest.raises(TypeError, match="timestamp must be an int"):
            sign(BODY, timestamp, SECRET)

    def test_an_int_of_its_own_type(self, webhook: Webhook) -> None:
        """A subclass of int that is not a bool is an int."""

        class Seconds(int):
            pass

        assert webhook.sign(BODY, Seconds(NOW)) == webhook.sign(BODY, NOW)


class TestOptions:
    """What else the signing calls take."""

    @pytest.mark.parametrize("encoding", ["any", "BASE64", "Hex", "", "base32", None, 1, b"hex"], ids=spelled)
    def test_an_unknown_encoding(self, webhook: Webhook, encoding: Any) -> None:
        """Only the two names are encodings: "any" cannot be signed in."""
        for call in (webhook.sign, webhook.signed_headers):
            with pytest.raises(ConfigurationError, match="encoding must be"):
                call(BODY, NOW, encoding=encoding)
        with pytest.raises(ConfigurationError, match="encoding must be"):
            sign(BODY, NOW, SECRET, encoding=encoding)

    def test_the_encoding_is_named(self, webhook: Webhook) -> None:
        """The encoding cannot be passed by position."""
        positional: Any = webhook.sign
        with pytest.raises(TypeError):
            positional(BODY, NOW, "hex")

    @pytest.mark.parametrize("encoding", ["base64", "hex"])
    def test_signed_headers_are_what_verify_takes(self, webhook: Webhook, encoding: Any) -> None:
        """The two headers carry the documented names, text values, and nothing else."""
        headers = webhook.signed_headers(BODY, NOW, encoding=encoding)
        assert headers == {TIMESTAMP: SENT, SIGNATURE: webhook.sign(BODY, NOW, encoding=encoding)}
        assert list(headers) == ["LTK-Timestamp", "LTK-HmacSignature"]
        assert webhook.verify(BODY, headers, now=NOW).encoding == encoding

    def test_the_headers_are_a_new_dict_each_time(self, webhook: Webhook) -> None:
        """Changing what one call returned does not change what the next one returns."""
        webhook.signed_headers(BODY, NOW).clear()
        assert set(webhook.signed_headers(BODY, NOW)) == {TIMESTAMP, SIGNATURE}

    def test_hex_is_lower_case_and_base64_is_padded(self, webhook: Webhook) -> None:
        """The spellings are the ones of Listrak's samples."""
        assert webhook.sign(BODY, NOW, encoding="hex").islower()
        assert len(webhook.sign(BODY, NOW, encoding="hex")) == 64
        assert base64.b64decode(webhook.sign(BODY, NOW), validate=True).hex() == webhook.sign(BODY, NOW, encoding="hex")

    def test_a_body_over_max_body_can_still_be_signed(self) -> None:
        """The limit is about what is received."""
        assert Webhook(SECRET, max_body=1).sign(BODY, NOW) == Webhook(SECRET).sign(BODY, NOW)


BODY_TYPES: list[tuple[str, Any, bytes]] = [
    ("bytes", BODY, BODY),
    ("bytes-subclass", _BytesOfItsOwn(BODY), BODY),
    ("bytearray", bytearray(BODY), BODY),
    ("memoryview", memoryview(BODY), BODY),
    ("memoryview-of-a-bytearray", memoryview(bytearray(BODY)), BODY),
    ("memoryview-slice", memoryview(BODY)[3:20], BODY[3:20]),
    ("memoryview-every-second-byte", memoryview(BODY)[::2], BODY[::2]),
    ("memoryview-backwards", memoryview(BODY)[::-1], BODY[::-1]),
    ("memoryview-of-wide-items", memoryview(array.array("I", [1, 2, 3])), array.array("I", [1, 2, 3]).tobytes()),
    ("memoryview-of-two-dimensions", memoryview(b"abcdef").cast("B", shape=[2, 3]), b"abcdef"),
    ("memoryview-empty", memoryview(b""), b""),
    ("bytes-empty", b"", b""),
    ("bytearray-empty", bytearray(), b""),
    ("str-empty", "", b""),
    ("str", BODY.decode(), BODY),
    ("str-subclass", _TextOfItsOwn(BODY.decode()), BODY),
    ("str-latin", "h\u00e9llo", b"h\xc3\xa9llo"),
    ("str-wide", "\u2603 \U0001f600", "\u2603 \U0001f600".encode()),
    ("str-with-nul-and-bom", "\ufeffa\x00b", b"\xef\xbb\xbfa\x00b"),
    ("not-utf-8", b"\xff\xfe\x00", b"\xff\xfe\x00"),
]


class TestBodyTypes:
    """The types that hold a raw body."""

    @pytest.mark.parametrize(("body", "raw"), [case[1:] for case in BODY_TYPES], ids=[case[0] for case in BODY_TYPES])
    def test_every_holder_of_bytes_signs_and_verifies_alike(self, webhook: Webhook, body: Any, raw: bytes) -> None:
        """The holder makes no difference, and the event has the bytes as plain `bytes`."""
        mac = sign_like_listrak(SECRET.encode(), raw, SENT)
        assert webhook.sign(body, NOW) == base64_of(mac)
        assert sign(body, NOW, SECRET) == base64_of(mac)
        headers = webhook.signed_headers(body, NOW)
        for event in (
            webhook.verify(body, headers, now=NOW),
            webhook.verify_values(body, headers[TIMESTAMP], headers[SIGNATURE], now=NOW),
            verify(body, headers, SECRET, now=NOW),
        ):
            assert event.id == mac.hex()
            assert type(event.body) is bytes
            assert event.body == raw

    def test_bytes_are_not_copied(self, webhook: Webhook) -> None:
        """The event's body is the very object that was verified."""
        event = webhook.verify(BODY, webhook.signed_headers(BODY, NOW), now=NOW)
        assert event.body is BODY
        assert event.body is event.body

    def test_a_released_memoryview(self, webhook: Webhook) -> None:
        """A view whose buffer is gone is the caller's mistake, and a TypeError wherever a body is taken."""
        headers = webhook.signed_headers(BODY, NOW)
        view = memoryview(BODY)
        view.release()
        with pytest.raises(TypeError, match="released"):
            webhook.verify(view, headers, now=NOW)
        with pytest.raises(TypeError, match="released"):
            webhook.sign(view, NOW)

    @pytest.mark.parametrize(
        "body",
        [None, 1, {"a": 1}, ["a"], object(), array.array("B", b"a")],
        ids=["none", "int", "dict", "list", "object", "array"],
    )
    def test_a_parsed_body_is_a_type_error(self, webhook: Webhook, body: Any) -> None:
        """Anything else is a TypeError that says to pass the raw body."""
        for call in (webhook.sign, webhook.signed_headers):
            with pytest.raises(TypeError, match="raw request body"):
                call(body, NOW)
        with pytest.raises(TypeError, match="raw request body"):
            sign(body, NOW, SECRET)
