"""The payload of any text: what `json.loads` makes of it, or a rejection if that rejects it."""

from __future__ import annotations

import json

from hypothesis import assume, given
from hypothesis import strategies as st
from support.helpers import same
from support.json_reference import SURROGATE, payload_of, reference, rejection_of

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

# What looks like JSON from afar: most of it is not, some of it is.
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
    expected = reference(body)
    if expected is None:
        error = rejection_of(body)
        assert len(str(error)) < 300
        assert error.__context__ is None
    else:
        assert same(payload_of(body), expected)


class TestAgreementWithJson:
    """Python's `json` is the reference, in both directions."""

    @given(body=BODIES)
    def test_any_object(self, body: bytes) -> None:
        """Every object that `json` writes comes back as `json` reads it."""
        expected = reference(body)
        assert expected is not None
        assert same(payload_of(body), expected)

    @given(text=NUMBERS)
    def test_any_number(self, text: str) -> None:
        """What is a number, and which, is the same to the bit; what is not one is rejected."""
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
