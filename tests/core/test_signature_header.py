"""The signature header: which spellings of a MAC are taken, and how every other value is rejected."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from listrak_webhooks import Event, MalformedSignatureError, MissingHeaderError, SignatureMismatchError, Webhook
from support.helpers import BODY, NOW, SECRET, SENT, base64_of, sign_like_listrak, spelled, verdict_of

MAC = sign_like_listrak(SECRET.encode(), BODY, SENT)
BASE64 = base64_of(MAC)
HEX = MAC.hex()


def _body_whose_base64_has_both_special_characters() -> tuple[bytes, str]:
    for number in range(10_000):
        body = str(number).encode()
        text = base64_of(sign_like_listrak(SECRET.encode(), body, SENT))
        if "+" in text and "/" in text:
            return body, text
    raise AssertionError


SPECIAL_BODY, SPECIAL_BASE64 = _body_whose_base64_has_both_special_characters()


def _flipped(bit: int) -> bytes:
    changed = bytearray(MAC)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_both_spellings_are_accepted(webhook: Webhook) -> None:
    """The values that every other test here changes are genuine to begin with."""
    assert webhook.verify_values(BODY, SENT, BASE64, now=NOW).encoding == "base64"
    assert webhook.verify_values(BODY, SENT, HEX, now=NOW).encoding == "hex"


@pytest.mark.parametrize("spell", [base64_of, bytes.hex], ids=["base64", "hex"])
def test_any_one_of_the_256_bits_flipped(webhook: Webhook, spell: Any) -> None:
    """Each bit of the MAC counts."""
    for bit in range(256):
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(BODY, SENT, spell(_flipped(bit)), now=NOW)


@pytest.mark.parametrize("text", [BASE64, HEX], ids=["base64", "hex"])
def test_each_proper_prefix(webhook: Webhook, text: str) -> None:
    """No beginning of a genuine signature is one; the empty beginning is not a header at all."""
    with pytest.raises(MissingHeaderError):
        webhook.verify_values(BODY, SENT, "", now=NOW)
    for length in range(1, len(text)):
        with pytest.raises(MalformedSignatureError):
            webhook.verify_values(BODY, SENT, text[:length], now=NOW)


@pytest.mark.parametrize("text", [BASE64, HEX], ids=["base64", "hex"])
def test_each_single_character_replaced(webhook: Webhook, text: str) -> None:
    """A changed character makes another MAC or none, never an accepted delivery."""
    for place in range(len(text)):
        for replacement in ("A", "a", "0", "=", " ", "\x00", "\u00e9"):
            changed = text[:place] + replacement + text[place + 1 :]
            if changed.lower() == HEX or changed == BASE64:
                continue
            with pytest.raises((SignatureMismatchError, MalformedSignatureError)):
                webhook.verify_values(BODY, SENT, changed, now=NOW)


def _non_canonical(text: str) -> str:
    """Return `text` with other unused bits in the last character before the padding: 32 bytes leave two of them."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    changed = text[:-2] + alphabet[alphabet.index(text[-2]) + 1] + "="
    if base64.b64decode(changed) != base64.b64decode(text):
        raise AssertionError
    return changed


MALFORMED: dict[str, Any] = {
    "31-bytes-in-44-characters": base64_of(MAC[:31]),
    "33-bytes-in-44-characters": base64_of(MAC + b"\x00"),
    "31-bytes-in-hex": MAC[:31].hex(),
    "33-bytes-in-hex": MAC.hex() + "00",
    "no-padding": BASE64.rstrip("="),
    "two-paddings": BASE64 + "=",
    "padding-twice-over": BASE64[:-2] + "==",
    "padding-in-front": "=" + BASE64[:-1],
    "padding-as-a-dot": BASE64[:-1] + ".",
    "non-canonical-last-character": _non_canonical(BASE64),
    "leading-space": " " + BASE64,
    "trailing-space": BASE64 + " ",
    "trailing-newline": BASE64 + "\n",
    "trailing-crlf": BASE64 + "\r\n",
    "leading-tab": "\t" + BASE64,
    "inner-newline": BASE64[:20] + "\n" + BASE64[20:],
    "inner-space-at-the-right-length": BASE64[:20] + " " + BASE64[21:],
    "newline-for-the-padding": BASE64[:-1] + "\n",
    "hex-leading-space": " " + HEX,
    "hex-trailing-newline": HEX + "\n",
    "hex-space-at-the-right-length": HEX[:-1] + " ",
    "hex-prefix": "0x" + HEX,
    "hex-prefix-at-the-right-length": "0x" + HEX[2:],
    "hex-with-colons": ":".join(HEX[index : index + 2] for index in range(0, 64, 2)),
    "hex-underscore": HEX[:-1] + "_",
    "hex-sign": "+" + HEX[1:],
    "nul-at-the-end": BASE64 + "\x00",
    "nul-at-the-right-length": BASE64[:-1] + "\x00",
    "nul-in-hex": HEX[:-1] + "\x00",
    "version-prefix": "v1," + BASE64,
    "version-and-equals": "v1=" + HEX,
    "algorithm-prefix": "sha256=" + HEX,
    "stripe-like": f"t={SENT},v1={HEX}",
    "two-joined-by-a-comma": f"{BASE64},{BASE64}",
    "two-joined-by-comma-and-space": f"{BASE64}, {BASE64}",
    "two-hex-joined": f"{HEX},{HEX}",
    "quoted": f'"{BASE64}"',
    "bearer": f"Bearer {BASE64}",
    "base64-of-the-hex": base64.b64encode(HEX.encode()).decode(),
    "base64-url-without-padding": base64.urlsafe_b64encode(MAC).decode().rstrip("="),
    "latin-character": BASE64[:-1] + "\u00e9",
    "non-ascii-of-44-bytes": BASE64[:-2] + "\u00e9",
    "non-ascii-of-64-bytes": HEX[:-2] + "\u00e9",
    "fullwidth-hex-digits": "\uff11" * 64,
    "arabic-digits": "\u0661" * 64,
    "cyrillic-lookalike": HEX[:-2] + "\u0430",
    "lone-surrogate": BASE64[:-1] + "\ud800",
    "only-a-lone-surrogate": "\udc80",
    "surrogate-of-44-replaced-bytes": BASE64[:-3] + "\ud800",
    "one-megabyte": "A" * 1_000_000,
    "one-megabyte-of-commas": "," * 1_000_000,
    "one-character": "A",
    "only-padding": "=" * 44,
    "only-spaces": " " * 44,
    "the-mac-itself": MAC,
    "32-bytes": b"\x00" * 32,
    "44-bytes-of-junk": b"\xff" * 44,
    "64-bytes-of-junk": b"\xff" * 64,
    "bytes-trailing-newline": BASE64.encode() + b"\n",
    "bytes-not-utf-8": BASE64[:-1].encode() + b"\x80",
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_signature_is_rejected(webhook: Webhook, value: str | bytes) -> None:
    """Nothing is trimmed, unquoted or guessed: each of these is malformed, and its message is short."""
    with pytest.raises(MalformedSignatureError) as caught:
        webhook.verify_values(BODY, SENT, value, now=NOW)
    assert "LTK-HmacSignature" in str(caught.value)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isascii()


@pytest.mark.parametrize("name", ["version-prefix", "stripe-like", "two-joined-by-a-comma", "one-megabyte-of-commas"])
def test_a_comma_is_explained(webhook: Webhook, name: str) -> None:
    """Two values joined by a proxy, or another sender's scheme, are told apart from plain damage."""
    with pytest.raises(MalformedSignatureError, match="comma"):
        webhook.verify_values(BODY, SENT, MALFORMED[name], now=NOW)


def test_the_url_safe_alphabet(webhook: Webhook) -> None:
    """Only the standard alphabet is base64 here."""
    assert webhook.verify_values(SPECIAL_BODY, SENT, SPECIAL_BASE64, now=NOW).encoding == "base64"
    for text in (
        SPECIAL_BASE64.replace("+", "-").replace("/", "_"),
        SPECIAL_BASE64.replace("+", "-"),
        SPECIAL_BASE64.replace("/", "_"),
        SPECIAL_BASE64.replace("+", " "),
    ):
        assert text != SPECIAL_BASE64
        with pytest.raises(MalformedSignatureError):
            webhook.verify_values(SPECIAL_BODY, SENT, text, now=NOW)


def test_base64_in_another_case(webhook: Webhook) -> None:
    """Base64 has its case: another one is another MAC or none."""
    for text in (BASE64.lower(), BASE64.upper(), BASE64.swapcase()):
        with pytest.raises((SignatureMismatchError, MalformedSignatureError)):
            webhook.verify_values(BODY, SENT, text, now=NOW)


MIXED_HEX = "".join(digit.upper() if place % 3 else digit for place, digit in enumerate(HEX))


@pytest.mark.parametrize("text", [HEX, HEX.upper(), MIXED_HEX], ids=["lower", "upper", "mixed"])
def test_hex_in_either_case(webhook: Webhook, text: str) -> None:
    """Hex is hex in any case, and the event's id is the same in all of them."""
    event = webhook.verify_values(BODY, SENT, text, now=NOW)
    assert event.id == HEX
    assert event.encoding == "hex"


def test_the_mixed_case_is_mixed() -> None:
    """The example above has letters of both cases."""
    assert MIXED_HEX not in {HEX, HEX.upper()}


class _Text(str):
    __slots__ = ()


class _Bytes(bytes):
    pass


@pytest.mark.parametrize(
    "value",
    [BASE64, BASE64.encode(), HEX.encode(), _Text(BASE64), _Bytes(BASE64.encode())],
    ids=["str", "bytes", "bytes-hex", "str-subclass", "bytes-subclass"],
)
def test_text_and_bytes_are_alike(webhook: Webhook, value: str | bytes) -> None:
    """ASGI's bytes are as good as everybody else's text."""
    assert webhook.verify_values(BODY, SENT, value, now=NOW).id == HEX
    assert webhook.verify_values(BODY, SENT.encode(), value, now=NOW).id == HEX


@pytest.mark.parametrize("value", [None, "", b"", [], [None], [""], ()], ids=spelled)
def test_no_signature(webhook: Webhook, value: Any) -> None:
    """An absent or empty signature is missing, and the message names the header."""
    with pytest.raises(MissingHeaderError, match="LTK-HmacSignature"):
        webhook.verify_values(BODY, SENT, value, now=NOW)


@pytest.mark.parametrize("value", [1, 1.5, True, {}, object(), bytearray(BASE64.encode()), [[BASE64]]], ids=spelled)
def test_a_signature_that_is_not_text(webhook: Webhook, value: Any) -> None:
    """Another type is the caller's mistake and a TypeError."""
    with pytest.raises(TypeError, match="LTK-HmacSignature header must be str or bytes"):
        webhook.verify_values(BODY, SENT, value, now=NOW)


class TestPinnedEncoding:
    """`encoding=` takes one spelling only."""

    def test_base64_alone(self) -> None:
        """A webhook pinned to base64 rejects genuine hex as malformed and says how to take both."""
        pinned = Webhook(SECRET, encoding="base64")
        assert pinned.verify_values(BODY, SENT, BASE64, now=NOW).encoding == "base64"
        with pytest.raises(MalformedSignatureError, match="is hex and this webhook takes only base64"):
            pinned.verify_values(BODY, SENT, HEX, now=NOW)

    def test_hex_alone(self) -> None:
        """A webhook pinned to hex rejects genuine base64 as malformed and takes either case of hex."""
        pinned = Webhook(SECRET, encoding="hex")
        for text in (HEX, HEX.upper(), MIXED_HEX):
            assert pinned.verify_values(BODY, SENT, text, now=NOW).encoding == "hex"
        with pytest.raises(MalformedSignatureError, match="is base64 and this webhook takes only hex"):
            pinned.verify_values(BODY, SENT, BASE64, now=NOW)

    @pytest.mark.parametrize("encoding", ["base64", "hex"])
    def test_junk_stays_malformed(self, encoding: Any) -> None:
        """Pinning changes nothing for what is not a signature at all."""
        pinned = Webhook(SECRET, encoding=encoding)
        for value in MALFORMED.values():
            with pytest.raises(MalformedSignatureError):
                pinned.verify_values(BODY, SENT, value, now=NOW)


def _claimed_mac(text: bytes) -> bytes | None:
    """Return what `text` spells, by the standard library: canonical base64 or hex of 32 bytes, else None."""
    if len(text) == 64:
        if not all(byte in b"0123456789abcdefABCDEF" for byte in text):
            return None
        return bytes.fromhex(text.decode("ascii"))
    if len(text) != 44:
        return None
    try:
        mac = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return mac if len(mac) == 32 and base64.b64encode(mac) == text else None


NEARLY = st.one_of(
    st.binary(max_size=70),
    st.text(alphabet="0123456789abcdefABCDEFg", min_size=63, max_size=65).map(str.encode),
    st.text(alphabet="ABCabc019+/=-_", min_size=43, max_size=45).map(str.encode),
    st.binary(min_size=31, max_size=33).map(base64.b64encode),
    st.binary(min_size=31, max_size=33).map(bytes.hex).map(str.encode),
)


@given(text=NEARLY)
@example(text=BASE64.encode())
@example(text=HEX.encode())
def test_the_verdict_on_any_value(webhook: Webhook, text: bytes) -> None:
    """Missing, malformed, mismatch or genuine: always what a plain reading by the standard library says."""
    claimed = _claimed_mac(text)
    verdict = verdict_of(lambda: webhook.verify_values(BODY, SENT, text, now=NOW))
    if not text:
        assert isinstance(verdict, MissingHeaderError)
    elif claimed is None:
        assert isinstance(verdict, MalformedSignatureError)
    elif claimed != MAC:
        assert isinstance(verdict, SignatureMismatchError)
    else:
        assert isinstance(verdict, Event)
        assert verdict.id == HEX
