"""The payload: it is what `json.loads` makes of the body, value by value."""

from __future__ import annotations

import sys

import pytest
from listrak_webhooks import SignatureMismatchError
from support.helpers import NOW, SENT, same
from support.json_reference import DIGITS, SURROGATE, WEBHOOK, genuine, payload_of, reference, rejection_of


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
    expected = reference(body)
    assert expected is not None
    assert same(payload_of(body), expected)


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
    expected = reference(text.encode())
    assert expected is not None
    assert same(payload_of(text.encode()), expected)


def test_duplicate_keys_by_name() -> None:
    """A marketer's own `email` next to the appended one: the last one wins, however it is written."""
    assert payload_of(b'{"email":"first","email":"last"}') == {"email": "last"}
    assert payload_of(rb'{"email":"first","\u0065mail":"last"}') == {"email": "last"}
    assert payload_of(rb'{"\u0065mail":"first","email":"last"}') == {"email": "last"}


def test_integers_are_limited_whatever_the_process_allows() -> None:
    """One digit more than 4,300 is rejected, also where Python's own limit is off, and fewer are never rejected."""
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
            assert payload_of(least)["a"] == 10**1000 - 1
            assert payload_of(greatest)["a"] == exact
            assert payload_of(greatest_slow)["a"] == exact
            for body in (over, over_slow):
                assert "4300 digits" in str(rejection_of(body))
    finally:
        sys.set_int_max_str_digits(before)


class TestNothingIsParsedBeforeVerification:
    """The body of a forgery is bytes and nothing more."""

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"{", b"[" * 1_000_000, b'{"a":NaN}', b'{"a":1}'], ids=lambda b: ascii(b[:8])
    )
    def test_a_forged_body_is_a_mismatch_whatever_it_holds(self, body: bytes) -> None:
        """What a forged body is like makes no difference to the rejection."""
        with pytest.raises(SignatureMismatchError):
            WEBHOOK.verify_values(body, SENT, "0" * 64, now=NOW)

    @pytest.mark.parametrize(
        "body", [b"", b"\xff", b"{", b"[" * 1_000_000, b"[]", b'{"a":NaN}'], ids=lambda b: ascii(b[:8])
    )
    def test_a_genuine_body_is_an_event_whatever_it_holds(self, body: bytes) -> None:
        """A delivery that is proven genuine is never lost to an odd body."""
        assert genuine(body).body is body


def test_repeated_keys_are_one_object() -> None:
    """Within a delivery and from one to the next of the same webhook; values are nobody else's."""
    body = b'{"items":[{"sku":"a red one"},{"sku":"a red one"}]}'
    first, other = payload_of(body), payload_of(body)
    keys = [next(iter(item)) for payload in (first, other) for item in payload["items"]]
    values = [item["sku"] for payload in (first, other) for item in payload["items"]]
    assert len({id(key) for key in keys}) == 1
    assert len({id(value) for value in values}) == 4
