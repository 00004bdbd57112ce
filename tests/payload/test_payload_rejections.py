"""Bodies without a payload: what is not JSON or not an object, and what the error shows of it."""

from __future__ import annotations

import traceback

import pytest
from support.json_reference import DIGITS, SURROGATE, payload_of, reference, rejection_of

CANARY = "CANARY-jane-at-example-com"


NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "white-space": b" \n",
    "nan": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "minus-infinity": b'{"a":-Infinity}',
    "minus-nan": b'{"a":-NaN}',
    "lower-case-nan": b'{"a":nan}',
    "inf": b'{"a":inf}',
    "nan-next-to-a-surrogate": b'{"a":NaN,' + SURROGATE + b"}",
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
    "raw-escape-next-to-a-surrogate": b'{"a":"\x1b",' + SURROGATE + b"}",
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
    "bad-utf-8-next-to-a-surrogate": b'{"a":"\xff",' + SURROGATE + b"}",
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
    "4301-digits-next-to-a-surrogate": b'{"a":' + b"9" * (DIGITS + 1) + b"," + SURROGATE + b"}",
    "a-million-digits": b'{"a":' + b"9" * 1_000_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_a_body_that_is_not_json_is_rejected(body: bytes) -> None:
    """What RFC 8259 forbids, and an integer beyond the limit, is a PayloadError; the body stays readable."""
    assert reference(body) is None
    assert "the body is not valid JSON" in str(rejection_of(body))


def test_each_truncation_is_rejected() -> None:
    """No beginning of a body passes for the whole."""
    body = '{"a":[1,-2.5e3,"x\\n\\ud83d\\ude00\u00e9",null,true],"b":{"c":{}}}'.encode()
    assert payload_of(body)["b"] == {"c": {}}
    for length in range(len(body)):
        rejection_of(body[:length])


@pytest.mark.parametrize(
    "body",
    [b"[]", b'[{"a":1}]', b'"text"', b'"\\ud800"', b"1", b"-0.5", b"1e400", b"null", b"true", b"false", b" [1] "],
    ids=ascii,
)
def test_json_that_is_not_an_object_is_rejected(body: bytes) -> None:
    """JSON that is not an object at the top level has no payload, and the message says so."""
    assert "not an object" in str(rejection_of(body))


class TestWhatARejectionShows:
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
        error = rejection_of(body)
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
            formatted = traceback.TracebackException.from_exception(rejection_of(body), capture_locals=True)
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
        """Where a body goes wrong is not a secret, and helps."""
        assert place in str(rejection_of(body))

    def test_what_to_do_is_named(self) -> None:
        """Each kind of rejection points to the raw body."""
        for body in (b"", b"[]", b"\xff", b"[" * 300, b'{"a":NaN}'):
            assert "event.body" in str(rejection_of(body))


def test_a_place_is_not_announced_twice() -> None:
    """Some of Python's messages end in "at", and so read on into ours."""
    assert "at at" not in str(rejection_of(b'{"a":"x\n"}'))
