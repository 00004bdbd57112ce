"""The payload: it is what `json.loads` makes of the body, or a PayloadError that shows nothing of it."""

from __future__ import annotations

import inspect
import json
import sys
import time
import traceback
from typing import Any, NoReturn

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from listrak_webhooks import Event, PayloadError, SignatureMismatchError, Webhook
from support.helpers import NOW, SENT, same, sign_like_listrak

LEVELS = 201  # counting the outermost object, and a number or a string as one
DIGITS = 4300
CANARY = "CANARY-jane-at-example-com"

# Rust strings cannot hold a lone surrogate, so a body with one takes the way over Python's own parser.
SURROGATE = rb'"surrogate":"\ud800"'

WEBHOOK = Webhook(b"payload-secret", max_body=16 * 1024 * 1024)


def _event(body: bytes) -> Event:
    return WEBHOOK.verify_values(body, SENT, sign_like_listrak(b"payload-secret", body, SENT).hex(), now=NOW)


def _payload(body: bytes) -> dict[str, Any]:
    return _event(body).payload


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _reference(body: bytes) -> dict[str, Any] | None:
    """Return what the contract says the payload is, by Python's `json` alone; None is a refusal."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refusal(body: bytes) -> PayloadError:
    event = _event(body)
    assert event.body == body
    with pytest.raises(PayloadError) as caught:
        _ = event.payload
    return caught.value


def test_the_comparison_of_these_tests_is_strict() -> None:
    """The helper that the tests rely on tells values apart that are equal to `==`."""
    assert same({"a": [1, 1.5, "x", None, True]}, {"a": [1, 1.5, "x", None, True]})
    for left, right in [(1, 1.0), (1, True), (0.0, -0.0), ([1], [1, 2]), ({"a": 1, "b": 2}, {"b": 2, "a": 1})]:
        assert not same(left, right)


VALUES: dict[str, str] = {
    "null": "null",
    "true": "true",
    "false": "false",
    "zero": "0",
    "minus-zero": "-0",
    "minus-zero-point-zero": "-0.0",
    "minus-zero-exponent": "-0e0",
    "zero-huge-exponent": "0e99999999999999999999",
    "one": "1",
    "float-one": "1.0",
    "exponent": "1E5",
    "exponent-plus": "1e+5",
    "exponent-minus": "12e-3",
    "exponent-leading-zeros": "1e0005",
    "tenth": "0.1",
    "third": "0.3333333333333333333333333333333333",
    "money": "44.99",
    "trailing-zeros": "1.0000",
    "long-mantissa": "9007199254740993.0",
    "halfway": "1.00000000000000011102230246251565404236316680908203125",
    "just-over-halfway": "1.00000000000000011102230246251565404236316680908203126",
    "least-subnormal": "5e-324",
    "below-half-the-least-subnormal": "2.4703282292062327e-324",
    "above-half-the-least-subnormal": "2.4703282292062328e-324",
    "greatest-subnormal": "2.2250738585072011e-308",
    "least-normal": "2.2250738585072014e-308",
    "greatest-float": "1.7976931348623157e308",
    "rounds-to-infinity": "1.7976931348623159e308",
    "overflow": "1e400",
    "negative-overflow": "-1e400",
    "overflow-of-a-huge-exponent": "1e99999999999999999999",
    "underflow": "1e-400",
    "negative-underflow": "-1e-400",
    "underflow-of-a-huge-exponent": "1e-99999999999999999999",
    "int-and-overflow": "123456789012345678901234567890e300",
    "400-digits-and-a-point": "1" * 400 + ".5",
    "5000-digits-and-a-point": "1" * 5000 + ".0",
    "5000-decimals": "0." + "1" * 5000,
    "phone-over-31-bits": "15558675309",
    "2^53+1": str(2**53 + 1),
    "2^63-1": str(2**63 - 1),
    "2^63": str(2**63),
    "-2^63": str(-(2**63)),
    "-2^63-1": str(-(2**63) - 1),
    "2^64-1": str(2**64 - 1),
    "2^64": str(2**64),
    "2^70": str(2**70),
    "-2^70": str(-(2**70)),
    "2^128": str(2**128),
    "4299-digits": "9" * (DIGITS - 1),
    "4300-digits": "9" * DIGITS,
    "minus-4300-digits": "-" + "9" * DIGITS,
    "empty-string": '""',
    "escapes": r'"\"\\\/\b\f\n\r\t"',
    "escaped-nul": r'"\u0000"',
    "escaped-ascii": r'"\u0041\u007f"',
    "escaped-pair": r'"\ud83d\ude00"',
    "escaped-pair-upper-case": r'"\uD83D\uDE00"',
    "raw-wide": '"\U0001f600\u2603\u00e9"',
    "raw-del-and-line-separators": '"\x7f\u0080\u2028\u2029"',
    "raw-bom-inside": '"\ufeff"',
    "noncharacters": '"\uffff\U0010ffff"',
    "lone-high-surrogate": r'"\ud800"',
    "lone-low-surrogate": r'"\udfff"',
    "surrogates-the-wrong-way-round": r'"\ude00\ud83d"',
    "high-surrogate-and-text": r'"a\ud83db"',
    "high-surrogate-and-escape": r'"\ud83d\n"',
    "high-surrogate-and-ascii-escape": r'"\ud83d\u0041"',
    "two-high-surrogates-and-a-low": r'"\ud83d\ud83d\ude00"',
    "json-in-a-string": r'"{\"a\":[1]}"',
    "empty-array": "[]",
    "empty-object": "{}",
    "white-space-everywhere": ' \t\r\n[ \t\r\n1 \t\r\n, \t\r\n{ \t\r\n"a" \t\r\n: \t\r\n2 \t\r\n} \t\r\n] \t\r\n',
    "mixed": '[1, -1.5, "x", null, true, {"a": [], "b": {}}]',
}


@pytest.mark.parametrize("slow", [False, True], ids=["alone", "beside-a-lone-surrogate"])
@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES.keys())
def test_any_value_is_what_json_gives(text: str, slow: bool) -> None:  # noqa: FBT001
    """Types, digits, float bits and characters are those of `json.loads`, on either way."""
    body = b'{"value":' + text.encode() + (b"," + SURROGATE if slow else b"") + b"}"
    expected = _reference(body)
    assert expected is not None
    assert same(_payload(body), expected)


OBJECTS: dict[str, str] = {
    "empty": "{}",
    "white-space-around": " \t\r\n{ } \t\r\n",
    "listrak-sample": '{"SenderCode":12345,"CountryCode":"US","PhoneId":15558675309,"Text":"This is an invalid MO"}',
    "duplicate-keys": '{"email":"first","x":1,"email":"last"}',
    "duplicate-keys-thrice": '{"a":1,"b":0,"a":2,"c":0,"a":3}',
    "duplicates-by-escape": r'{"a":1,"\u0061":2}',
    "duplicates-by-escape-the-other-way": r'{"\u0061":1,"a":2}',
    "duplicates-of-another-type": '{"a":{"b":1},"a":[2]}',
    "nested-duplicates": '{"a":{"b":1,"b":2},"c":[{"d":1,"d":2}]}',
    "keys-that-differ-by-normal-form": '{"\u00e9":1,"e\u0301":2}',
    "keys-that-differ-by-case": '{"Email":1,"email":2,"EMAIL":3}',
    "empty-key": '{"":1}',
    "key-with-nul": r'{"\u0000":1,"\u0000a":2}',
    "key-with-a-lone-surrogate": r'{"\ud800":1,"a":2}',
    "duplicate-keys-with-a-lone-surrogate": r'{"\udc00":1,"\uDC00":2}',
    "wide-keys": '{"\u2603":1,"\U0001f600":2}',
    "many-keys": "{" + ",".join(f'"{number}":{number}' for number in range(5000)) + "}",
    "long-key": '{"' + "k" * 100_000 + '":1}',
    "long-string": '{"a":"' + "\u00e9" * 100_000 + '"}',
    "long-array": '{"a":[' + "0," * 100_000 + "0]}",
    "brackets-in-strings": '{"a":"[[[[{{{{","b":"\\"[{","c\\\\":"]}"}',
}


@pytest.mark.parametrize("text", OBJECTS.values(), ids=OBJECTS.keys())
def test_any_object_is_what_json_gives(text: str) -> None:
    """Of duplicate keys the last one wins, in the place of the first, as `json` has it."""
    expected = _reference(text.encode())
    assert expected is not None
    assert same(_payload(text.encode()), expected)


def test_duplicate_keys_by_name() -> None:
    """A marketer's own `email` beside the appended one: the last one wins, however it is written."""
    assert _payload(b'{"email":"first","email":"last"}') == {"email": "last"}
    assert _payload(rb'{"email":"first","\u0065mail":"last"}') == {"email": "last"}
    assert _payload(rb'{"\u0065mail":"first","email":"last"}') == {"email": "last"}


def test_integers_are_limited_whatever_the_process_allows() -> None:
    """One digit more than 4,300 is refused, also where Python's own limit is off, and fewer are never refused."""
    least = b'{"a":' + b"9" * 1000 + b"}"
    greatest = b'{"a":' + b"9" * DIGITS + b"}"
    greatest_slow = b'{"a":' + b"9" * DIGITS + b"," + SURROGATE + b"}"
    over = b'{"a":' + b"9" * (DIGITS + 1) + b"}"
    over_slow = b'{"a":-' + b"9" * (DIGITS + 1) + b"," + SURROGATE + b"}"
    exact = 10**DIGITS - 1
    before = sys.get_int_max_str_digits()
    try:
        for limit in (DIGITS, 0, 640, 100_000):
            sys.set_int_max_str_digits(limit)
            assert _payload(least)["a"] == 10**1000 - 1
            assert _payload(greatest)["a"] == exact
            assert _payload(greatest_slow)["a"] == exact
            for body in (over, over_slow):
                assert "4300 digits" in str(_refusal(body))
    finally:
        sys.set_int_max_str_digits(before)


NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "white-space": b" \n",
    "nan": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "minus-infinity": b'{"a":-Infinity}',
    "minus-nan": b'{"a":-NaN}',
    "lower-case-nan": b'{"a":nan}',
    "inf": b'{"a":inf}',
    "nan-beside-a-surrogate": b'{"a":NaN,' + SURROGATE + b"}",
    "infinity-in-an-array": b'{"a":[1,Infinity]}',
    "python-none": b'{"a":None}',
    "python-true": b'{"a":True}',
    "undefined": b'{"a":undefined}',
    "trailing-data": b"{} {}",
    "trailing-brace": b"{}}",
    "trailing-letter": b"{}x",
    "trailing-nul": b"{}\x00",
    "leading-nul": b"\x00{}",
    "two-lines": b"{}\n{}",
    "trailing-comma-in-object": b'{"a":1,}',
    "trailing-comma-in-array": b'{"a":[1,]}',
    "trailing-comma-after": b'{"a":1},',
    "leading-comma": b'{,"a":1}',
    "two-commas": b'{"a":[1,,2]}',
    "missing-comma": b'{"a":1 "b":2}',
    "missing-colon": b'{"a" 1}',
    "missing-value": b'{"a":}',
    "missing-key": b"{:1}",
    "bare-key": b"{a:1}",
    "number-key": b"{1:1}",
    "null-key": b"{null:1}",
    "line-comment": b'{"a":1} // c',
    "block-comment": b'{"a":/* c */1}',
    "hash-comment": b'{"a":1} # c',
    "single-quotes": b"{'a':1}",
    "two-boms": b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}',
    "bom-behind": b'{"a":1}\xef\xbb\xbf',
    "leading-zero": b'{"a":01}',
    "leading-zeros": b'{"a":00}',
    "minus-leading-zero": b'{"a":-01}',
    "leading-zero-in-a-float": b'{"a":01.5}',
    "plus": b'{"a":+1}',
    "minus-alone": b'{"a":-}',
    "two-minuses": b'{"a":--1}',
    "no-integer-part": b'{"a":.5}',
    "no-fraction": b'{"a":1.}',
    "no-fraction-but-exponent": b'{"a":1.e5}',
    "no-exponent": b'{"a":1e}',
    "no-exponent-digits": b'{"a":1e+}',
    "exponent-with-a-point": b'{"a":1e5.5}',
    "two-points": b'{"a":1.2.3}',
    "hex": b'{"a":0x10}',
    "octal": b'{"a":0o7}',
    "underscore": b'{"a":1_000}',
    "comma-in-a-number": b'{"a":1,000}',
    "arabic-digits": '{"a":\u0661}'.encode(),
    "raw-newline-in-a-string": b'{"a":"b\nc"}',
    "raw-tab-in-a-string": b'{"a":"b\tc"}',
    "raw-nul-in-a-string": b'{"a":"b\x00c"}',
    "raw-unit-separator-in-a-string": b'{"a":"b\x1fc"}',
    "raw-newline-in-a-key": b'{"a\nb":1}',
    "raw-escape-beside-a-surrogate": b'{"a":"\x1b",' + SURROGATE + b"}",
    "unknown-escape": rb'{"a":"\x41"}',
    "octal-escape": rb'{"a":"\101"}',
    "quote-escape": rb'{"a":"\'"}',
    "wide-escape": rb'{"a":"\U0001f600"}',
    "short-unicode-escape": rb'{"a":"\u00"}',
    "no-hex-in-the-escape": rb'{"a":"\u00zz"}',
    "sign-in-the-escape": rb'{"a":"\u+123"}',
    "underscore-in-the-escape": rb'{"a":"\u1_23"}',
    "space-in-the-escape": rb'{"a":"\u 123"}',
    "half-a-pair-cut-short": rb'{"a":"\ud800\u"}',
    "half-a-pair-and-junk": rb'{"a":"\ud83d\uzzzz"}',
    "escape-at-the-end": b'{"a":"\\',
    "other-white-space": b'{\x0c"a":1}',
    "vertical-tab": b'{\x0b"a":1}',
    "no-break-space": '{\u00a0"a":1}'.encode(),
    "line-separator": '{\u2028"a":1}'.encode(),
    "bad-utf-8": b'{"a":"\xff"}',
    "bad-utf-8-in-a-key": b'{"\xff":1}',
    "bad-utf-8-outside-a-string": b'{"a":1}\xff',
    "bad-utf-8-beside-a-surrogate": b'{"a":"\xff",' + SURROGATE + b"}",
    "latin-1": '{"a":"\u00e9"}'.encode("latin-1"),
    "overlong": b'{"a":"\xc0\xaf"}',
    "overlong-brace": b'\xc1\xbb"a":1}',
    "beyond-unicode": b'{"a":"\xf4\x90\x80\x80"}',
    "cut-utf-8": b'{"a":"\xf0\x9f\x98"}',
    "cesu-8": b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}',
    "raw-lone-surrogate": b'{"a":"\xed\xa0\x80"}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "utf-16-le": '{"a":1}'.encode("utf-16-le"),
    "utf-16-be": '{"a":1}'.encode("utf-16-be"),
    "utf-32": '{"a":1}'.encode("utf-32-le"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "form": b"email=jane%40example.com&phone=1",
    "xml": b"<a>1</a>",
    "yaml": b"a: 1",
    "unopened": b'"a":1}',
    "crossed": b'{"a":[1}]',
    "4301-digits": b'{"a":' + b"9" * (DIGITS + 1) + b"}",
    "minus-4301-digits": b'{"a":-' + b"9" * (DIGITS + 1) + b"}",
    "4301-digits-in-an-array": b'{"a":[' + b"9" * (DIGITS + 1) + b"]}",
    "4301-digits-beside-a-surrogate": b'{"a":' + b"9" * (DIGITS + 1) + b"," + SURROGATE + b"}",
    "a-million-digits": b'{"a":' + b"9" * 1_000_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """What RFC 8259 forbids, and an integer beyond the limit, is a PayloadError; the body stays readable."""
    assert _reference(body) is None
    assert "the body is not valid JSON" in str(_refusal(body))


def test_each_truncation_is_refused() -> None:
    """No beginning of a body passes for the whole."""
    body = '{"a":[1,-2.5e3,"x\\n\\ud83d\\ude00\u00e9",null,true],"b":{"c":{}}}'.encode()
    assert _payload(body)["b"] == {"c": {}}
    for length in range(len(body)):
        _refusal(body[:length])


@pytest.mark.parametrize(
    "body",
    [b"[]", b'[{"a":1}]', b'"text"', b'"\\ud800"', b"1", b"-0.5", b"1e400", b"null", b"true", b"false", b" [1] "],
    ids=ascii,
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """JSON that is no object at the top level has no payload, and the message says so."""
    assert "not an object" in str(_refusal(body))


class TestWhatARefusalShows:
    """The place, and none of the content."""

    BODIES = (
        f'{{"email":"{CANARY}"'.encode(),
        f'{{"email":"{CANARY}"}} trailing'.encode(),
        f'{{"email":{CANARY}}}'.encode(),
        f"{{{CANARY}:1}}".encode(),
        f'{{"email":"{CANARY}","a":NaN}}'.encode(),
        f'{{"email":"{CANARY}\n"}}'.encode(),
        f'{{"email":"{CANARY}\\x"}}'.encode(),
        f'{{"email":"{CANARY}","{CANARY}":{"9" * (DIGITS + 1)}}}'.encode(),
        f'{{"email":"{CANARY}'.encode() + b'\xff"}',
        f'\ufeff\ufeff{{"email":"{CANARY}"}}'.encode(),
        f'["{CANARY}"]'.encode(),
        f'"{CANARY}"'.encode(),
        f'"{CANARY}\\ud800"'.encode(),
        b'{"a":' * 300 + f'"{CANARY}"'.encode() + b"}" * 300,
        b'{"s":"\\ud800","a":' + b"[" * 300 + f'"{CANARY}"'.encode() + b"]" * 300 + b"}",
        CANARY.encode(),
    )

    @pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body[:20]))
    def test_none_of_the_content(self, body: bytes) -> None:
        """Neither the message nor the arguments, the cause or the context carry the body or a part of it."""
        error = _refusal(body)
        for text in (str(error), repr(error), repr(error.args), repr(error.__dict__)):
            assert CANARY not in text
            assert "jane" not in text
            assert len(text) < 300
        assert error.__cause__ is None
        assert error.__context__ is None
        assert not hasattr(error, "doc")
        assert not hasattr(error, "object")

    def test_none_of_the_content_in_the_frames_of_the_package(self) -> None:
        """Error reporters keep the local variables of every frame: none of the package's own holds the body."""
        for body in self.BODIES:
            formatted = traceback.TracebackException.from_exception(_refusal(body), capture_locals=True)
            own = [frame for frame in formatted.stack if "listrak_webhooks" in frame.filename.replace("\\", "/")]
            assert CANARY not in repr([frame.locals for frame in own])

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            (b'{"a":1,\n "b":x}', "line 2 column 6"),
            (b'{"a":1,}', "line 1 column"),
            (b'{"a":"\xff"}', "byte 6"),
            (b"{} x", "line 1 column 4"),
        ],
        ids=ascii,
    )
    def test_the_place_is_named(self, body: bytes, place: str) -> None:
        """Where a body goes wrong is no secret, and helps."""
        assert place in str(_refusal(body))

    def test_what_to_do_is_named(self) -> None:
        """Each kind of refusal points to the raw body."""
        for body in (b"", b"[]", b"\xff", b"[" * 300, b'{"a":NaN}'):
            assert "event.body" in str(_refusal(body))


def _nest(levels: int, kind: str, leaf: bytes, *, surrogate: str = "nowhere") -> bytes:
    """Return an object that nests this many levels: a `leaf` is one, an empty one closes with an empty container."""
    containers = levels - 1 if leaf else levels
    opening, closing = {
        "objects": (b'{"k":' * (containers - 1), b"}" * (containers - 1)),
        "arrays": (b"[" * (containers - 1), b"]" * (containers - 1)),
    }[kind]
    if not leaf:
        # The innermost container is an empty one.
        opening = opening[: -len(b'{"k":')] + b"{" if kind == "objects" else opening
    before = SURROGATE + b"," if surrogate == "first" else b""
    after = b"," + SURROGATE if surrogate == "last" else b""
    return b"{" + before + b'"k":' + opening + leaf + closing + after + b"}"


def _depth(value: object) -> int:
    """Return how many levels `value` has, a scalar being one."""
    levels = 0
    rest = [value]
    while rest:
        levels += 1
        inner: list[object] = []
        for element in rest:
            if isinstance(element, dict):
                inner.extend(element.values())
            elif isinstance(element, list):
                inner.extend(element)
        rest = inner
    return levels


class TestDepth:
    """The stated limit holds for both parsers, to the level."""

    @pytest.mark.parametrize("surrogate", ["nowhere", "first", "last"])
    @pytest.mark.parametrize("leaf", [b"", b"1", b"-1.5", b'"x"', b"null", b"true", b'"[[{{"', b"[]"], ids=ascii)
    @pytest.mark.parametrize("kind", ["objects", "arrays"])
    def test_exactly_the_limit_and_one_level_more(self, kind: str, leaf: bytes, surrogate: str) -> None:
        """At 201 levels a body is parsed, at 202 it is refused, whichever parser reads it."""
        body = _nest(LEVELS, kind, leaf, surrogate=surrogate)
        expected = _reference(body)
        assert expected is not None
        assert _depth(expected) == LEVELS
        assert same(_payload(body), expected)
        deeper = _nest(LEVELS + 1, kind, leaf, surrogate=surrogate)
        assert _reference(deeper) is not None
        assert "deeper than 201 levels" in str(_refusal(deeper))

    @pytest.mark.parametrize("surrogate", ["nowhere", "first", "last"])
    def test_mixed_nesting(self, surrogate: str) -> None:
        """Objects and arrays count alike, and only the deepest path counts."""
        wide = b'{"k":[' * 50 + b'"]}\\"]}", 1, {"a": [2]}, []' + b"]}" * 50
        body = b'{"a":[' + wide + b"," + wide + b"]}"
        if surrogate != "nowhere":
            body = body[:-1] + b"," + SURROGATE + b"}"
        assert same(_payload(body), _reference(body))

    @pytest.mark.parametrize("surrogate", [b"", SURROGATE + b","], ids=["fast", "slow"])
    @pytest.mark.parametrize(
        ("elements", "accepted"),
        [
            (b"0,[]", True),
            (b"[],0", True),
            (b"{},0", True),
            (b'"x",{},[],null', True),
            (b"[0],0", False),
            (b"0,[0]", False),
            (b"0,[[]]", False),
            (b"[{}],0", False),
            (b'{"a":0},0', False),
            (b'0,{"a":""}', False),
            (b'0,{"a":{}}', False),
        ],
        ids=ascii,
    )
    def test_siblings_on_the_last_level(self, elements: bytes, accepted: bool, surrogate: bytes) -> None:  # noqa: FBT001
        """Whether first or later among its siblings, what lies on the last level is read and what lies below is not."""
        body = b"{" + surrogate + b'"k":' + b"[" * (LEVELS - 2) + elements + b"]" * (LEVELS - 2) + b"}"
        expected = _reference(body)
        assert expected is not None
        assert (_depth(expected) <= LEVELS) is accepted
        if accepted:
            assert same(_payload(body), expected)
        else:
            assert "deeper than 201 levels" in str(_refusal(body))

    @pytest.mark.parametrize("surrogate", ["nowhere", "first", "last"])
    def test_the_promised_127_levels(self, surrogate: str) -> None:
        """What the contract promises at least is well inside."""
        for kind in ("objects", "arrays"):
            body = _nest(127, kind, b"1", surrogate=surrogate)
            assert same(_payload(body), _reference(body))

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":' * 1_000_000,
            b'{"a":' * 700_000 + b"1" + b"}" * 700_000,
            b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
            b'{"s":"\\ud800","a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
            b"[" * 1_000_000,
        ],
        ids=["open-objects", "objects", "arrays", "arrays-after-a-surrogate", "open-arrays"],
    )
    def test_a_million_levels(self, body: bytes) -> None:
        """An abyss is refused at its edge: no crash, and no time spent on it."""
        event = _event(body)
        start = time.perf_counter()
        with pytest.raises(PayloadError, match="deeper than 201 levels"):
            _ = event.payload
        assert time.perf_counter() - start < 2

    def test_brackets_in_strings_are_no_levels(self) -> None:
        """Only structure counts, also next to escaped quotes and backslashes and beside a lone surrogate."""
        text = r'"[[[[\"{{{{\\"'
        body = b"{" + SURROGATE + b',"a":[' + b",".join([text.encode()] * 300) + b"]}"
        assert same(_payload(body), _reference(body))

    def test_siblings_are_no_levels(self) -> None:
        """A thousand containers side by side are as deep as one."""
        body = b"{" + SURROGATE + b',"a":[' + b",".join([b'{"b":[[]]}'] * 1000) + b"]}"
        assert same(_payload(body), _reference(body))


class TestNothingIsParsedBeforeVerification:
    """The body of a forgery is bytes and nothing more."""

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"{", b"[" * 1_000_000, b'{"a":NaN}', b'{"a":1}'], ids=lambda b: ascii(b[:8])
    )
    def test_a_forged_body_is_a_mismatch_whatever_it_holds(self, body: bytes) -> None:
        """What a forged body is like makes no difference to the refusal."""
        with pytest.raises(SignatureMismatchError):
            WEBHOOK.verify_values(body, SENT, "0" * 64, now=NOW)

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"{", b"[" * 1_000_000, b"[]", b'{"a":NaN}'], ids=lambda b: ascii(b[:8])
    )
    def test_a_genuine_body_is_an_event_whatever_it_holds(self, body: bytes) -> None:
        """A delivery that is proven genuine is never lost to an odd body."""
        assert _event(body).body is body


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 400).map(lambda exponent: 10**exponent),
    st.floats(allow_nan=False, allow_infinity=False),
    # Without arguments these include the surrogates, alone and in pairs.
    st.text(st.characters()),
    st.text(),
)
KEYS = st.one_of(st.text(st.characters(), max_size=5), st.sampled_from(["email", "Email", "items", "a", ""]))
JSON_OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5)),
        max_leaves=20,
    ),
    max_size=6,
)


def _encodable(value: object, *, ensure_ascii: bool, indent: int | None) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode("utf-8")
    except UnicodeEncodeError:
        # A lone surrogate has no raw form.
        return json.dumps(value, indent=indent).encode("utf-8")


BODIES = st.builds(_encodable, JSON_OBJECTS, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 0, 2]))

NUMBERS = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.text(alphabet="0123456789.eE+-", min_size=1, max_size=12),
)

# What looks like JSON from afar: most of it is none, some of it is.
TOKENS = st.lists(
    st.sampled_from(
        [
            *[
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                '"a"',
                '"b"',
                '"\\ud800"',
                '"\\u0061"',
                '"',
                "\\",
                " ",
                "\n",
                "0",
                "-0",
                "1",
            ],
            *["01", "1.5", "1.", ".5", "1e5", "1e", "-", "+1", "true", "null", "NaN", "Infinity", "-Infinity", "tru"],
            *["//", "/*", "'", "\ufeff", "\u00a0", "\x0c", "\x00", "\u00e9", "{}", "[]", '{"a":1}', '"x":', "1e400"],
        ]
    ),
    max_size=8,
).map("".join)


def _mutated(body: bytes, place: float, length: int, replacement: bytes) -> bytes:
    start = int(place * len(body))
    return body[:start] + replacement + body[start + length :]


PLACES = st.floats(0, 1, exclude_max=True)
MUTATED = st.builds(
    _mutated,
    BODIES,
    PLACES,
    st.integers(0, 3),
    st.one_of(st.binary(max_size=3), st.sampled_from(list(b'{}[]:,"\\0-.e \n')).map(lambda byte: bytes([byte]))),
)


def _check_against_the_reference(body: bytes) -> None:
    expected = _reference(body)
    if expected is None:
        error = _refusal(body)
        assert len(str(error)) < 300
        assert error.__context__ is None
    else:
        assert same(_payload(body), expected)


class TestAgreementWithJson:
    """Python's `json` is the reference, in both directions."""

    @given(body=BODIES)
    def test_any_object(self, body: bytes) -> None:
        """Every object that `json` writes comes back as `json` reads it."""
        expected = _reference(body)
        assert expected is not None
        assert same(_payload(body), expected)

    @given(text=NUMBERS)
    def test_any_number(self, text: str) -> None:
        """What is a number, and which, is the same to the bit; what is none is refused."""
        _check_against_the_reference(b'{"a":' + text.encode() + b"}")
        _check_against_the_reference(b'{"a":[' + text.encode() + b"]," + SURROGATE + b"}")

    @given(first=KEYS, second=KEYS, escape_all=st.booleans())
    def test_any_two_keys(self, first: str, second: str, escape_all: bool) -> None:  # noqa: FBT001
        """Equal keys, raw or escaped, are one."""
        raw = first.encode("utf-8", "surrogatepass")
        assume(not escape_all or all(ord(character) < 0x10000 for character in first))
        escaped = "".join(f"\\u{ord(character):04x}" for character in first) if escape_all else json.dumps(first)[1:-1]
        _check_against_the_reference(
            b'{"' + escaped.encode() + b'":1,' + json.dumps(second).encode() + b':2,"' + raw + b'":3}'
        )

    @given(body=MUTATED)
    def test_any_damaged_object(self, body: bytes) -> None:
        """A body with a few bytes changed is read by both or by neither."""
        _check_against_the_reference(body)

    @given(soup=TOKENS)
    def test_any_sequence_of_tokens(self, soup: str) -> None:
        """What is made of JSON's pieces is read by both or by neither, at the top and inside."""
        _check_against_the_reference(soup.encode())
        _check_against_the_reference(b'{"a":' + soup.encode() + b"}")
        _check_against_the_reference(b'{"a":"' + soup.encode() + b'"}')

    @given(body=st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
    def test_any_bytes(self, body: bytes) -> None:
        """Anything at all is read by both or by neither."""
        _check_against_the_reference(body)
        _check_against_the_reference(b'{"a":"' + body + b'"}')


def test_a_stack_that_is_nearly_full_is_named_as_the_reason() -> None:
    """Python's parser counts the caller's frames too; the body is read, or refused with the reason and no frames."""
    body = b'{"s":"\\ud800","a":' + b"[" * 150 + b"]" * 150 + b"}"
    expected = json.loads(body)

    def read_below(frames: int, event: Event) -> Any:
        return read_below(frames - 1, event) if frames else event.payload

    def verdict(frames: int) -> str:
        event = _event(body)
        try:
            # As text: comparing lists this deep would itself need the stack.
            return repr(read_below(frames, event))
        except PayloadError as error:
            return f"{error} {error.__cause__} {error.__context__}"

    used = len(inspect.stack())
    verdicts = {verdict(sys.getrecursionlimit() - used - room) for room in range(15, 200, 5)}
    refusal = "the stack is too full to read the body here; read event.payload before going so deep None None"
    assert verdicts <= {repr(expected), refusal}
    assert repr(expected) in verdicts


def test_a_place_is_not_announced_twice() -> None:
    """Some of Python's messages end in "at", and so read on into ours."""
    assert "at at" not in str(_refusal(b'{"a":"x\n"}'))


def test_repeated_keys_are_one_object() -> None:
    """Within a delivery and from one to the next of the same webhook; values are nobody else's."""
    body = b'{"items":[{"sku":"a red one"},{"sku":"a red one"}]}'
    first, other = _payload(body), _payload(body)
    keys = [next(iter(item)) for payload in (first, other) for item in payload["items"]]
    values = [item["sku"] for payload in (first, other) for item in payload["items"]]
    assert len({id(key) for key in keys}) == 1
    assert len({id(value) for value in values}) == 4
