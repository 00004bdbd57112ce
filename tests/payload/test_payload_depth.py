"""Payloads that are nested deeply, up to the limit and beyond it."""

from __future__ import annotations

import inspect
import json
import sys
import time
from typing import Any

import pytest
from listrak_webhooks import Event, PayloadError
from support.helpers import same
from support.json_reference import SURROGATE, genuine, payload_of, reference, rejection_of

LEVELS = 201  # counting the outermost object, and a number or a string as one


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
        """At 201 levels a body is parsed, at 202 it is rejected, whichever parser reads it."""
        body = _nest(LEVELS, kind, leaf, surrogate=surrogate)
        expected = reference(body)
        assert expected is not None
        assert _depth(expected) == LEVELS
        assert same(payload_of(body), expected)
        deeper = _nest(LEVELS + 1, kind, leaf, surrogate=surrogate)
        assert reference(deeper) is not None
        assert "deeper than 201 levels" in str(rejection_of(deeper))

    @pytest.mark.parametrize("surrogate", ["nowhere", "first", "last"])
    def test_mixed_nesting(self, surrogate: str) -> None:
        """Objects and arrays count alike, and only the deepest path counts."""
        wide = b'{"k":[' * 50 + b'"]}\\"]}", 1, {"a": [2]}, []' + b"]}" * 50
        body = b'{"a":[' + wide + b"," + wide + b"]}"
        if surrogate != "nowhere":
            body = body[:-1] + b"," + SURROGATE + b"}"
        assert same(payload_of(body), reference(body))

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
        expected = reference(body)
        assert expected is not None
        assert (_depth(expected) <= LEVELS) is accepted
        if accepted:
            assert same(payload_of(body), expected)
        else:
            assert "deeper than 201 levels" in str(rejection_of(body))

    @pytest.mark.parametrize("surrogate", ["nowhere", "first", "last"])
    def test_the_promised_127_levels(self, surrogate: str) -> None:
        """What the contract promises at least is well inside."""
        for kind in ("objects", "arrays"):
            body = _nest(127, kind, b"1", surrogate=surrogate)
            assert same(payload_of(body), reference(body))

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
        """An abyss is rejected at its edge: no crash, and no time spent on it."""
        event = genuine(body)
        start = time.perf_counter()
        with pytest.raises(PayloadError, match="deeper than 201 levels"):
            _ = event.payload
        assert time.perf_counter() - start < 2

    def test_brackets_in_strings_are_not_levels(self) -> None:
        """Only structure counts, also next to escaped quotes and backslashes and next to a lone surrogate."""
        text = r'"[[[[\"{{{{\\"'
        body = b"{" + SURROGATE + b',"a":[' + b",".join([text.encode()] * 300) + b"]}"
        assert same(payload_of(body), reference(body))

    def test_siblings_are_not_levels(self) -> None:
        """A thousand containers side by side are as deep as one."""
        body = b"{" + SURROGATE + b',"a":[' + b",".join([b'{"b":[[]]}'] * 1000) + b"]}"
        assert same(payload_of(body), reference(body))


def test_a_stack_that_is_nearly_full_is_named_as_the_reason() -> None:
    """Python's parser counts the caller's frames too; the body is read, or rejected with the reason and no frames."""
    body = b'{"s":"\\ud800","a":' + b"[" * 150 + b"]" * 150 + b"}"
    expected = json.loads(body)

    def read_below(frames: int, event: Event) -> Any:
        return read_below(frames - 1, event) if frames else event.payload

    def verdict(frames: int) -> str:
        event = genuine(body)
        try:
            # As text: comparing lists this deep would itself need the stack.
            return repr(read_below(frames, event))
        except PayloadError as error:
            return f"{error} {error.__cause__} {error.__context__}"

    used = len(inspect.stack())
    verdicts = {verdict(sys.getrecursionlimit() - used - room) for room in range(15, 200, 5)}
    rejection = "the stack is too full to read the body here; read event.payload before going so deep None None"
    assert verdicts <= {repr(expected), rejection}
    assert repr(expected) in verdicts
