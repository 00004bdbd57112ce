"""The timestamp header: its grammar, the window, and what the messages show."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from listrak_webhooks import (
    ConfigurationError,
    Event,
    FutureTimestampError,
    MalformedTimestampError,
    MissingHeaderError,
    StaleTimestampError,
    Webhook,
    verify,
)
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    base64_of,
    headers_for,
    sign_like_listrak,
    spelled,
    verdict_of,
)

YEAR = 365 * 24 * 60 * 60


class TestWindow:
    """How far the sender's clock may be from ours."""

    @pytest.mark.parametrize("tolerance", [0, 1, 900, YEAR])
    def test_the_edges_are_inside_and_one_second_more_is_outside(self, tolerance: int) -> None:
        """The window is symmetric and includes both its edges; no tolerance means the same second."""
        webhook = Webhook(SECRET, tolerance=tolerance)
        headers = headers_for()
        for now in (NOW - tolerance, NOW, NOW + tolerance):
            assert webhook.verify(BODY, headers, now=now).timestamp == NOW
        with pytest.raises(StaleTimestampError) as stale:
            webhook.verify(BODY, headers, now=NOW + tolerance + 1)
        with pytest.raises(FutureTimestampError) as future:
            webhook.verify(BODY, headers, now=NOW - tolerance - 1)
        assert stale.value.skew == tolerance + 1
        assert future.value.skew == tolerance + 1

    def test_the_default_is_fifteen_minutes(self, webhook: Webhook) -> None:
        """Without an option, 900 seconds are tolerated, the example of Listrak's article."""
        webhook.verify(BODY, headers_for(), now=NOW + 900)
        with pytest.raises(StaleTimestampError):
            webhook.verify(BODY, headers_for(), now=NOW + 901)

    @pytest.mark.parametrize(
        ("tolerance", "whole"),
        [
            (0.0, 0),
            (-0.0, 0),
            (0.999, 0),
            (2.5, 2),
            (900.0, 900),
            (float(YEAR), YEAR),
            (timedelta(0), 0),
            (timedelta(seconds=2, microseconds=999_999), 2),
            (timedelta(minutes=15), 900),
            (timedelta(days=365), YEAR),
        ],
        ids=str,
    )
    def test_floats_and_timedeltas(self, tolerance: float | timedelta, whole: int) -> None:
        """A float or a timedelta is as good as an int; fractions of a second are dropped."""
        webhook = Webhook(SECRET, tolerance=tolerance)
        assert webhook.tolerance == whole
        assert type(webhook.tolerance) is int
        webhook.verify(BODY, headers_for(), now=NOW + whole)
        webhook.verify(BODY, headers_for(), now=NOW - whole)
        with pytest.raises(StaleTimestampError):
            webhook.verify(BODY, headers_for(), now=NOW + whole + 1)
        with pytest.raises(FutureTimestampError):
            webhook.verify(BODY, headers_for(), now=NOW - whole - 1)

    @pytest.mark.parametrize(
        ("now", "skew"), [(NOW + 900.0, None), (NOW + 900.999, None), (NOW + 901.0, 901), (NOW - 900.0, None)], ids=str
    )
    def test_our_own_clock_as_a_float(self, webhook: Webhook, now: float, skew: int | None) -> None:
        """What `time.time()` gives is rounded down to its second."""
        if skew is None:
            assert webhook.verify(BODY, headers_for(), now=now).timestamp == NOW
        else:
            with pytest.raises(StaleTimestampError) as caught:
                webhook.verify(BODY, headers_for(), now=now)
            assert caught.value.skew == skew

    def test_our_own_clock_just_before_a_second(self, webhook: Webhook) -> None:
        """Rounding down is the same on the other side of the window."""
        with pytest.raises(FutureTimestampError) as caught:
            webhook.verify(BODY, headers_for(), now=NOW - 900.001)
        assert caught.value.skew == 901

    @given(sent=st.integers(10**9, 10**10 - 1), now=st.integers(-(2**63), 2**63 - 1), tolerance=st.integers(0, YEAR))
    @example(sent=10**9, now=2**63 - 1, tolerance=0)
    @example(sent=10**10 - 1, now=-(2**63), tolerance=YEAR)
    def test_the_window_is_a_distance(self, sent: int, now: int, tolerance: int) -> None:
        """For any clock that fits 64 bits the verdict is the distance between the two, and the skew is positive."""
        headers = headers_for(timestamp=str(sent))
        verdict = verdict_of(lambda: verify(BODY, headers, SECRET, now=now, tolerance=tolerance))
        if abs(now - sent) <= tolerance:
            assert isinstance(verdict, Event)
            assert verdict.expires_at == sent + tolerance
        else:
            assert isinstance(verdict, StaleTimestampError if now > sent else FutureTimestampError)
            assert verdict.skew == min(abs(now - sent), 2**63 - 1)

    @pytest.mark.parametrize("now", [0, -1, 2**62, -(2**63), 2**63 - 1, 0.0, -0.5, 1e18], ids=str)
    def test_an_absurd_clock_does_not_crash(self, webhook: Webhook, now: float) -> None:
        """A clock that is wrong by ages measures a large skew."""
        with pytest.raises((StaleTimestampError, FutureTimestampError)) as caught:
            webhook.verify(BODY, headers_for(), now=now)
        assert caught.value.skew > 900

    @pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf"), 1e300, 2**63, -(2**63) - 1, 10**30])
    def test_a_clock_that_does_not_show_a_time(self, webhook: Webhook, now: float) -> None:
        """What is not a time at all is the caller's mistake, for genuine and forged deliveries alike."""
        for headers in (headers_for(), headers_for(secret="another")):
            with pytest.raises(ConfigurationError, match="now must be"):
                webhook.verify(BODY, headers, now=now)

    @pytest.mark.parametrize(
        "now", [True, SENT, b"1", timedelta(1), [NOW], object()], ids=lambda now: type(now).__name__
    )
    def test_our_own_clock_of_the_wrong_type(self, webhook: Webhook, now: Any) -> None:
        """`now` is a number of seconds; a bool is not one."""
        with pytest.raises(TypeError, match="now must be"):
            webhook.verify(BODY, headers_for(), now=now)
        with pytest.raises(TypeError, match="now must be"):
            webhook.verify_values(BODY, SENT, headers_for()[SIGNATURE], now=now)

    def test_the_system_clock_is_used_without_now(self, webhook: Webhook) -> None:
        """An old capture is stale today, and its skew is the time that has passed since."""
        with pytest.raises(StaleTimestampError) as caught:
            webhook.verify(BODY, headers_for())
        assert caught.value.skew > 900
        with pytest.raises(StaleTimestampError):
            webhook.verify(BODY, headers_for(), now=None)

    @pytest.mark.parametrize("now", [NOW + 5000, NOW - 5000], ids=["stale", "future"])
    def test_the_message_says_to_check_the_clock(self, webhook: Webhook, now: int) -> None:
        """A wrong clock is what an operator can mend: the message has the skew, the tolerance and the advice."""
        with pytest.raises((StaleTimestampError, FutureTimestampError)) as caught:
            webhook.verify(BODY, headers_for(), now=now)
        assert "check the clock" in str(caught.value)
        assert "5000 seconds" in str(caught.value)
        assert "900 are tolerated" in str(caught.value)
        assert "genuine" in str(caught.value)


ARABIC = "\u0661\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660"
FULLWIDTH = "\uff11\uff17\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff10"

MALFORMED: dict[str, str | bytes] = {
    "leading-space": " 1700000000",
    "trailing-space": "1700000000 ",
    "trailing-newline": "1700000000\n",
    "leading-tab": "\t1700000000",
    "space-at-the-right-length": " 170000000",
    "plus": "+1700000000",
    "plus-at-the-right-length": "+170000000",
    "minus": "-1700000000",
    "minus-at-the-right-length": "-170000000",
    "leading-zero": "01700000000",
    "leading-zero-at-the-right-length": "0700000000",
    "all-zeros": "0000000000",
    "underscores": "1_700_000_000",
    "underscore-at-the-right-length": "17000_0000",
    "commas": "1,700,000,000",
    "decimal-point": "1700000000.0",
    "decimal-point-at-the-right-length": "17000000.0",
    "exponent": "1e9",
    "exponent-at-the-right-length": "1700000e03",
    "hex-number": "0x6553f100",
    "nan": "nan",
    "infinity": "inf",
    "nine-digits": "170000000",
    "eleven-digits": "17000000000",
    "milliseconds": "1700000000000",
    "microseconds": "1700000000000000",
    "one-digit": "1",
    "zero": "0",
    "least-64-bit-number": str(-(2**63)),
    "greatest-64-bit-number": str(2**63 - 1),
    "over-64-bits": str(2**64 + NOW),
    "5000-digits": "1" * 5000,
    "5000-zeros-in-front": "0" * 5000 + SENT,
    "one-megabyte": "9" * 1_000_000,
    "arabic-digits": ARABIC,
    "fullwidth-digits": FULLWIDTH,
    "one-arabic-digit": "170000000\u0660",
    "non-ascii-of-ten-bytes": "17000000\u0660",
    "superscript": "170000000\u00b2",
    "nul-at-the-end": "1700000000\x00",
    "nul-at-the-right-length": "170000000\x00",
    "date": "2023-11-14T22:13:20Z",
    "http-date": "Tue, 14 Nov 2023 22:13:20 GMT",
    "joined-by-a-comma": "1700000000,1700000000",
    "joined-by-comma-and-space": "1700000000, 1700000000",
    "quoted": '"1700000000"',
    "lone-surrogate": "170000000\ud800",
    "only-a-space": " ",
    "letters": "seventeen!",
    "bytes-with-a-space": b" 1700000000",
    "bytes-not-utf-8": b"170000000\xff",
    "bytes-arabic-digits": ARABIC.encode(),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_timestamp_is_rejected(text: str | bytes) -> None:
    """Exactly ten ASCII digits, the first not zero, is the whole grammar, however wide the window."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    webhook = Webhook(SECRET, tolerance=YEAR)
    # Signed over the odd text itself: the grammar, not the MAC, must reject it.
    signature = sign_like_listrak(SECRET.encode(), BODY + raw, "").hex()
    with pytest.raises(MalformedTimestampError, match="LTK-Timestamp"):
        webhook.verify_values(BODY, text, signature, now=NOW)
    with pytest.raises(MalformedTimestampError, match="LTK-Timestamp"):
        webhook.verify(BODY, {TIMESTAMP: text, SIGNATURE: signature}, now=NOW)


@pytest.mark.parametrize("text", ["1000000000", "9999999999", b"1700000000"], ids=str)
def test_ten_digits(text: str | bytes) -> None:
    """The first and the last second of the grammar, and bytes, are taken as they are."""
    digits = text.decode() if isinstance(text, bytes) else text
    mac = sign_like_listrak(SECRET.encode(), BODY, digits)
    assert Webhook(SECRET).verify_values(BODY, text, mac.hex(), now=int(digits)).timestamp == int(digits)


@given(text=st.one_of(st.text(alphabet="0123456789+- _.e", max_size=12), st.text(max_size=12), st.binary(max_size=12)))
def test_the_grammar_for_any_text(webhook: Webhook, text: str | bytes) -> None:
    """The verdict on any text is that of the pattern, ASCII digits alone."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    signature = sign_like_listrak(SECRET.encode(), BODY + raw, "").hex()
    verdict = verdict_of(lambda: webhook.verify_values(BODY, text, signature, now=NOW))
    if raw == b"":
        assert isinstance(verdict, MissingHeaderError)
    elif re.fullmatch(rb"[1-9][0-9]{9}", raw) is None:
        assert isinstance(verdict, MalformedTimestampError)
    elif isinstance(verdict, Event):
        assert verdict.timestamp == int(raw)
    else:
        assert isinstance(verdict, (StaleTimestampError, FutureTimestampError))
        assert verdict.skew == abs(int(raw) - NOW)


@pytest.mark.parametrize("value", [None, "", b"", [], [None], [""]], ids=spelled)
def test_no_timestamp(webhook: Webhook, value: Any) -> None:
    """An absent or empty timestamp is missing, and the message names the header."""
    with pytest.raises(MissingHeaderError, match="LTK-Timestamp"):
        webhook.verify_values(BODY, value, headers_for()[SIGNATURE], now=NOW)


@pytest.mark.parametrize("value", [NOW, float(NOW), True, {}, object(), bytearray(b"1700000000")], ids=spelled)
def test_a_timestamp_that_is_not_text(webhook: Webhook, value: Any) -> None:
    """A number is a TypeError: it is not what was received, and its text may not be either."""
    with pytest.raises(TypeError, match="LTK-Timestamp header must be str or bytes"):
        webhook.verify_values(BODY, value, headers_for()[SIGNATURE], now=NOW)


class TestMovedDigits:
    """There is no separator in what is signed, so digits could move between body and timestamp."""

    @pytest.mark.parametrize("tolerance", [900, YEAR])
    @pytest.mark.parametrize("moved", range(1, 10))
    def test_from_the_timestamp_to_the_body(self, moved: int, tolerance: int) -> None:
        """The same signed bytes with a shorter timestamp are rejected whatever the tolerance."""
        webhook = Webhook(SECRET, tolerance=tolerance)
        signature = headers_for()[SIGNATURE]
        webhook.verify_values(BODY, SENT, signature, now=NOW)
        with pytest.raises(MalformedTimestampError):
            webhook.verify_values(BODY + SENT[:moved].encode(), SENT[moved:], signature, now=int(SENT[moved:]))

    @pytest.mark.parametrize("tolerance", [900, YEAR])
    def test_from_the_body_to_the_timestamp(self, tolerance: int) -> None:
        """The same signed bytes with a longer timestamp are rejected whatever the tolerance."""
        webhook = Webhook(SECRET, tolerance=tolerance)
        signature = headers_for(b"[1,1")[SIGNATURE]
        webhook.verify_values(b"[1,1", SENT, signature, now=NOW)
        with pytest.raises(MalformedTimestampError):
            webhook.verify_values(b"[1,", "1" + SENT, signature, now=11_700_000_000)

    def test_the_whole_timestamp_into_the_body(self, webhook: Webhook) -> None:
        """Without its timestamp, what was signed is still no delivery."""
        signature = headers_for()[SIGNATURE]
        with pytest.raises(MissingHeaderError):
            webhook.verify_values(BODY + SENT.encode(), "", signature, now=NOW)

    def test_the_canonical_example(self) -> None:
        """A body `B` at 1700000000 and a body `B1` at 700000000 have one MAC, and only the first is a delivery."""
        mac = sign_like_listrak(SECRET.encode(), b"B", "1700000000")
        assert mac == sign_like_listrak(SECRET.encode(), b"B1", "700000000")
        webhook = Webhook(SECRET, tolerance=YEAR)
        assert webhook.verify_values(b"B", "1700000000", base64_of(mac), now=NOW).body == b"B"
        with pytest.raises(MalformedTimestampError):
            webhook.verify_values(b"B1", "700000000", base64_of(mac), now=700_000_000)


def _message(text: str | bytes) -> str:
    with pytest.raises(MalformedTimestampError) as caught:
        Webhook(SECRET).verify_values(BODY, text, headers_for()[SIGNATURE], now=NOW)
    return str(caught.value)


def _shown(text: str | bytes) -> str:
    """Return what the message quotes of the header."""
    quoted = re.search(r'the LTK-Timestamp header is "(.*)"(?:,| and )', _message(text))
    assert quoted is not None
    return quoted[1]


class TestMessages:
    """A header's text is a stranger's: what of it reaches a log is short and inert."""

    def test_milliseconds_are_recognised(self) -> None:
        """Thirteen digits are the most likely slip, and the message names it."""
        assert "milliseconds" in _message("1700000000000")
        assert "milliseconds" not in _message("170000000000a")
        assert "milliseconds" not in _message("17000000000")

    def test_a_short_text_is_shown(self) -> None:
        """What came instead of digits helps to find who rewrites it."""
        assert _shown("1e9") == "1e9"
        assert _shown(" 1700000000") == " 1700000000"

    @pytest.mark.parametrize(
        "text",
        [
            "1\n2",
            "1\r\nSet-Cookie: a=b",
            "\x1b[31mred\x1b[0m",
            "\x1b]0;title\x07",
            "a\x00b",
            "a\x08\x08b",
            "\x7f\x9b31m",
            "\u202e0000000071",
            "\u2028line",
            "\ud800",
            b"\xff\xfe\x1b[2J",
            "tab\there",
        ],
        ids=spelled,
    )
    def test_control_characters_are_escaped(self, text: str | bytes) -> None:
        """Nothing that a terminal or a log reader could act on is passed through."""
        message = _message(text)
        assert message.isascii()
        assert message.isprintable()

    @pytest.mark.parametrize("text", [*MALFORMED.values(), "\x00" * 500, "\u2603" * 500, '"' * 500, "\\" * 500])
    def test_long_texts_are_cut(self, text: str | bytes) -> None:
        """At most some thirty characters are shown, and the whole message stays one short line."""
        assert len(_shown(text)) <= 30
        assert len(_message(text)) < 300
        assert _message(text).isprintable()
        assert _message(text).isascii()

    def test_a_cut_is_marked(self) -> None:
        """A text that was cut ends in dots, one that was not does not."""
        assert _shown("x" * 100).endswith("x...")
        assert not _shown("x" * 12).endswith("...")

    def test_a_signature_in_the_wrong_place_is_never_shown_whole(self) -> None:
        """Swapped arguments are a likely slip, and a signature is not for the log."""
        mac = sign_like_listrak(SECRET.encode(), BODY, SENT)
        for text in (base64_of(mac), mac.hex(), mac.hex().upper()):
            message = _message(text)
            assert text not in message
            assert text[:32] not in message
            assert text[-20:] not in message

    def test_a_whole_body_in_the_wrong_place_is_never_shown_whole(self) -> None:
        """A body passed as the timestamp does not reach the log either."""
        assert "jane@example.com" not in _message(BODY)
