"""Properties: for any bytes and any headers, `verify` answers with a documented exception or an event."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from listrak_webhooks import (
    Event,
    FutureTimestampError,
    SignatureMismatchError,
    StaleTimestampError,
    VerificationError,
    Webhook,
    WebhookError,
    sign,
    verify,
)
from support.helpers import BODY, NOW, SECRET, SENT, SIGNATURE, TIMESTAMP, base64_of, sign_like_listrak, verdict_of

MAC = sign_like_listrak(SECRET.encode(), BODY, SENT)
ANOTHER_MAC = sign_like_listrak(b"another", BODY, SENT)


def _view(body: bytes) -> memoryview:
    return memoryview(body)


# Without arguments these include the surrogates.
ANY_TEXT = st.text(st.characters())
BODIES: st.SearchStrategy[Any] = st.one_of(
    st.just(BODY), st.binary(), st.text(), st.binary().map(bytearray), st.binary().map(_view)
)


def _is_secret(secret: bytes) -> bool:
    """Return whether bytes are more than one character, NULs at the end aside, and show anything at all."""
    try:
        text = secret.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return len(secret.rstrip(b"\0")) > 1
    return len(text) > 1 and any(unicodedata.category(character) in VISIBLE for character in text)


VISIBLE: Any = ["Ll", "Lu", "Nd", "Po", "Sm"]
SECRETS = st.one_of(st.binary(min_size=2).filter(_is_secret), st.text(st.characters(categories=VISIBLE), min_size=2))
TIMES = st.integers(10**9, 10**10 - 1)

NAMES = st.one_of(
    st.sampled_from(
        [
            *["LTK-Timestamp", "ltk-timestamp", "LTK-TIMESTAMP", "HTTP_LTK_TIMESTAMP", "LTK_Timestamp"],
            *["LTK-HmacSignature", "ltk-hmacsignature", "HTTP_LTK_HMACSIGNATURE", "LTK-Hmac-Signature"],
            *["LT\u212a-Timestamp", "LTK-T\u0131mestamp", "LTK-Timestamp ", "LTK-Timestamp\ud800", "", "Host"],
            *[b"ltk-timestamp", b"ltk-hmacsignature", b"HTTP_LTK_TIMESTAMP", b"\xff"],
        ]
    ),
    ANY_TEXT,
    st.binary(max_size=20),
)
TEXTS = st.one_of(
    st.sampled_from([SENT, SENT.encode(), base64_of(MAC), MAC.hex(), MAC.hex().upper().encode(), "", b"", None]),
    st.sampled_from([base64_of(ANOTHER_MAC), ANOTHER_MAC.hex(), "1700000001", " 1700000000", "0" * 64]),
    ANY_TEXT,
    st.binary(max_size=70),
)
VALUES = st.one_of(TEXTS, st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=2).map(tuple))
HEADERS = st.one_of(
    st.dictionaries(NAMES, VALUES, max_size=6),
    st.lists(st.tuples(NAMES, VALUES), max_size=6),
    st.lists(st.tuples(NAMES, VALUES).map(list), max_size=6),
    st.fixed_dictionaries({TIMESTAMP: VALUES, SIGNATURE: VALUES}),
    st.tuples(VALUES, VALUES).map(lambda both: [(b"ltk-timestamp", both[0]), (b"ltk-hmacsignature", both[1])]),
)

# What no caller should pass, but some will.
NO_TEXT = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(object()), st.dictionaries(st.text(), st.text())
)
ANYTHING = st.recursive(
    st.one_of(NO_TEXT, ANY_TEXT, st.binary(), NAMES, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(NAMES, inner)),
    max_leaves=8,
)


def _raw(body: Any) -> bytes:
    return body.encode("utf-8") if isinstance(body, str) else bytes(body)


def _check(event: Event, body: Any) -> None:
    """Fail unless the event is that of a delivery signed with the secret."""
    assert event.body == _raw(body)
    assert event.id == sign_like_listrak(SECRET.encode(), event.body, str(event.timestamp)).hex()
    assert abs(event.timestamp - NOW) <= 900


class TestTotality:
    """Whatever comes, the answer is a documented one."""

    @given(body=BODIES, headers=HEADERS)
    @example(body=BODY, headers={TIMESTAMP: SENT, SIGNATURE: base64_of(MAC)})
    def test_any_headers_of_the_right_types(self, webhook: Webhook, body: Any, headers: Any) -> None:
        """With bytes and text only, the answer is an event that is genuine or a rejection, and never a TypeError."""
        verdict = verdict_of(lambda: webhook.verify(body, headers, now=NOW))
        if isinstance(verdict, Event):
            _check(verdict, body)
        else:
            assert isinstance(verdict, VerificationError)

    @given(body=BODIES, timestamp=TEXTS, signature=TEXTS)
    @example(body=BODY, timestamp=SENT, signature=base64_of(MAC))
    def test_any_two_values(self, webhook: Webhook, body: Any, timestamp: Any, signature: Any) -> None:
        """The same for the call that takes the two values."""
        verdict = verdict_of(lambda: webhook.verify_values(body, timestamp, signature, now=NOW))
        if isinstance(verdict, Event):
            _check(verdict, body)
        else:
            assert isinstance(verdict, VerificationError)

    @given(body=st.one_of(BODIES, ANYTHING), headers=st.one_of(HEADERS, ANYTHING))
    def test_any_python_object(self, webhook: Webhook, body: Any, headers: Any) -> None:
        """With objects of any type there may be a TypeError besides, and nothing else."""
        try:
            event = webhook.verify(body, headers, now=NOW)
        except (WebhookError, TypeError):
            return
        _check(event, body)

    @given(body=st.one_of(BODIES, ANYTHING), timestamp=ANYTHING, signature=ANYTHING)
    def test_any_python_values(self, webhook: Webhook, body: Any, timestamp: Any, signature: Any) -> None:
        """The same for the call that takes the two values."""
        try:
            event = webhook.verify_values(body, timestamp, signature, now=NOW)
        except (WebhookError, TypeError):
            return
        _check(event, body)

    @given(body=ANYTHING.filter(lambda body: not isinstance(body, (str, bytes))))
    def test_any_body_of_the_wrong_type(self, webhook: Webhook, body: Any) -> None:
        """A body of another type is a TypeError, always, however good the rest is."""
        with pytest.raises(TypeError, match="raw request body"):
            webhook.verify_values(body, SENT, base64_of(MAC), now=NOW)


class TestGenuineDeliveries:
    """What was signed is accepted."""

    @given(
        body=st.one_of(st.binary(), st.text()),
        secret=SECRETS,
        timestamp=TIMES,
        tolerance=st.integers(0, 31_536_000),
        place=st.floats(-1, 1),
        encoding=st.sampled_from(["base64", "hex"]),
    )
    def test_what_is_signed_verifies(  # noqa: PLR0917
        self, body: Any, secret: Any, timestamp: int, tolerance: int, place: float, encoding: Any
    ) -> None:
        """For any body, secret and time, anywhere inside the window, in either encoding, by any of the calls."""
        webhook = Webhook(secret, tolerance=tolerance)
        now = timestamp + int(tolerance * place)
        headers = webhook.signed_headers(body, timestamp, encoding=encoding)
        event = webhook.verify(body, headers, now=now)
        assert event.body == _raw(body)
        assert (event.timestamp, event.encoding, event.secret_index) == (timestamp, encoding, 0)
        assert event == webhook.verify_values(body, headers[TIMESTAMP], headers[SIGNATURE], now=now)
        assert event == verify(body, headers, secret, now=now, tolerance=tolerance)
        assert headers[SIGNATURE] == sign(body, timestamp, secret, encoding=encoding)

    @given(body=st.binary(), secret=SECRETS, timestamp=TIMES, beyond=st.integers(1, 2**40))
    def test_outside_the_window_it_is_known_to_be_genuine(
        self, body: bytes, secret: Any, timestamp: int, beyond: int
    ) -> None:
        """Before and after the window the rejection says which side, and how far."""
        webhook = Webhook(secret)
        headers = webhook.signed_headers(body, timestamp)
        with pytest.raises(StaleTimestampError) as stale:
            webhook.verify(body, headers, now=timestamp + 900 + beyond)
        with pytest.raises(FutureTimestampError) as future:
            webhook.verify(body, headers, now=timestamp - 900 - beyond)
        assert stale.value.skew == future.value.skew == 900 + beyond

    @given(body=st.binary(), others=st.lists(SECRETS, max_size=4), secret=SECRETS, place=st.integers(0, 4))
    def test_among_any_other_secrets(self, body: bytes, others: list[Any], secret: Any, place: int) -> None:
        """The position of the secret makes no difference to the verdict."""
        place = min(place, len(others))
        webhook = Webhook([*others[:place], secret, *others[place:]])
        event = webhook.verify(body, Webhook(secret).signed_headers(body, NOW), now=NOW)
        # Equal secrets, and those that HMAC pads with NULs to the same key, are found at the first of them.
        assert event.secret_index <= place


class TestForgedDeliveries:
    """What was not signed is rejected."""

    @given(body=st.binary(), signature=st.binary(min_size=32, max_size=32))
    def test_any_mac_but_the_right_one(self, webhook: Webhook, body: bytes, signature: bytes) -> None:
        """A guessed MAC is a mismatch, in both encodings."""
        assume(signature != sign_like_listrak(SECRET.encode(), body, SENT))
        for text in (base64_of(signature), signature.hex()):
            with pytest.raises(SignatureMismatchError):
                webhook.verify_values(body, SENT, text, now=NOW)

    @given(body=st.binary(), other=st.binary())
    def test_the_signature_of_another_body(self, webhook: Webhook, body: bytes, other: bytes) -> None:
        """A signature does not carry over to another body."""
        assume(body != other)
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(other, SENT, webhook.sign(body, NOW), now=NOW)

    @given(body=st.binary(), sent=TIMES, claimed=TIMES)
    def test_the_signature_of_another_time(self, webhook: Webhook, body: bytes, sent: int, claimed: int) -> None:
        """A signature does not carry over to another second."""
        assume(sent != claimed)
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(body, str(claimed), webhook.sign(body, sent), now=claimed)

    @given(body=st.binary(), secret=SECRETS)
    def test_the_signature_of_another_secret(self, webhook: Webhook, body: bytes, secret: Any) -> None:
        """A signature under another secret is not one."""
        # HMAC pads short keys with NULs, so those at the end make no difference to it.
        assume(_raw(secret).rstrip(b"\x00") != SECRET.encode())
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(body, SENT, sign(body, NOW, secret), now=NOW)

    @given(body=st.binary(min_size=1), bit=st.integers(0))
    def test_one_bit_of_the_body_flipped(self, webhook: Webhook, body: bytes, bit: int) -> None:
        """A body that differs in a single bit is another body."""
        changed = bytearray(body)
        changed[bit // 8 % len(body)] ^= 1 << bit % 8
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(changed, SENT, webhook.sign(body, NOW), now=NOW)

    @given(body=st.binary(), moved=st.integers(1, 9))
    def test_digits_moved_between_body_and_timestamp(self, body: bytes, moved: int) -> None:
        """The bytes that were signed, divided elsewhere, are never accepted."""
        webhook = Webhook(SECRET, tolerance=31_536_000)
        signature = webhook.sign(body, NOW)
        with pytest.raises(VerificationError) as caught:
            webhook.verify_values(body + SENT[:moved].encode(), SENT[moved:], signature, now=int(SENT[moved:]))
        assert caught.value.code == "malformed_timestamp"
