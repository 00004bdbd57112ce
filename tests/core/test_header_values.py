"""Headers: values of every type, and containers that are none or that fail."""

from __future__ import annotations

import email
import http.client
import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from listrak_webhooks import (
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    VerificationError,
    Webhook,
)
from support.header_pairs import GENUINE, MAC_TEXT
from support.helpers import BODY, NOW, SENT, SIGNATURE, TIMESTAMP, spelled
from werkzeug.datastructures import Headers as WerkzeugHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TestValues:
    """What a value may be."""

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    @pytest.mark.parametrize("value", [None, "", b"", [], (), [None], [""], [b""]], ids=repr)
    def test_nothing_is_missing(self, webhook: Webhook, name: str, value: Any) -> None:
        """None, an empty text and an empty list are not a header."""
        with pytest.raises(MissingHeaderError, match=f"{name} header is missing"):
            webhook.verify(BODY, {**dict(GENUINE), name: value}, now=NOW)
        pairs = [(other, value if other == name else text) for other, text in GENUINE]
        with pytest.raises(MissingHeaderError, match=f"{name} header is missing"):
            webhook.verify(BODY, pairs, now=NOW)

    def test_none_next_to_a_value_is_not_a_second_header(self, webhook: Webhook) -> None:
        """None stands for no header at all."""
        assert webhook.verify(BODY, {**dict(GENUINE), "ltk-timestamp": None}, now=NOW).timestamp == NOW

    @pytest.mark.parametrize("wrap", [lambda text: [text], lambda text: (text,), lambda text: [text.encode()]])
    def test_a_list_of_one(self, webhook: Webhook, wrap: Callable[[str], Any]) -> None:
        """A list of one, as Lambda's multi-value headers have it, is that one."""
        assert webhook.verify(BODY, {name: wrap(value) for name, value in GENUINE}, now=NOW).timestamp == NOW

    @pytest.mark.parametrize(
        ("name", "error"), [(TIMESTAMP, MalformedTimestampError), (SIGNATURE, MalformedSignatureError)]
    )
    @pytest.mark.parametrize("count", [2, 3])
    def test_a_list_of_several(self, webhook: Webhook, name: str, error: type[VerificationError], count: int) -> None:
        """A list of more than one is a repeated header, even of equal values."""
        headers: dict[str, Any] = dict(GENUINE)
        headers[name] = [headers[name]] * count
        with pytest.raises(error, match="more than once"):
            webhook.verify(BODY, headers, now=NOW)

    @pytest.mark.parametrize("name", [TIMESTAMP, SIGNATURE])
    @pytest.mark.parametrize(
        "value", [NOW, 1.5, True, {}, object(), bytearray(b"1"), [NOW], [["1"]]], ids=lambda value: type(value).__name__
    )
    def test_a_value_that_is_not_text(self, webhook: Webhook, name: str, value: Any) -> None:
        """A number or another object is the caller's mistake, and the message names the header."""
        with pytest.raises(TypeError, match=f"the {name} header must be str or bytes"):
            webhook.verify(BODY, {**dict(GENUINE), name: value}, now=NOW)

    def test_raw_bytes_beyond_ascii_from_http_client(self, webhook: Webhook) -> None:
        """Bytes that are not ASCII, in our headers or in others, are rejected or passed over but never a crash."""
        raw = f"X-Name: \u00e9\u00fc\r\n{TIMESTAMP}: {SENT}\r\n{SIGNATURE}: {MAC_TEXT}\r\n\r\n".encode("latin-1")
        assert webhook.verify(BODY, http.client.parse_headers(io.BytesIO(raw)), now=NOW).timestamp == NOW
        assert webhook.verify(BODY, email.message_from_bytes(raw), now=NOW).timestamp == NOW
        for damaged, error in (
            (raw.replace(SENT.encode(), SENT.encode() + b"\xe9"), MalformedTimestampError),
            (raw.replace(b"=\r\n", b"\xff\r\n"), MalformedSignatureError),
        ):
            assert damaged != raw
            with pytest.raises(error):
                webhook.verify(BODY, http.client.parse_headers(io.BytesIO(damaged)), now=NOW)
            with pytest.raises(error):
                webhook.verify(BODY, email.message_from_bytes(damaged), now=NOW)


class _Interruption(BaseException):
    """What is not an `Exception`, as a `KeyboardInterrupt` is not."""


class TestContainers:
    """What is not a container of headers, and what a container of the caller's own may do."""

    @pytest.mark.parametrize(
        ("headers", "named"),
        [
            (None, "NoneType"),
            ("LTK-Timestamp: 1700000000", "str"),
            ("", "str"),
            (b"LTK-Timestamp: 1700000000", "bytes"),
            (bytearray(b"ab"), "bytearray"),
            (17, "int"),
            (1.5, "float"),
            (True, "bool"),
            (object(), "object"),
            (["LTK-Timestamp", "LTK-HmacSignature"], "list"),
            (["ab", "cd"], "list"),
            ([b"ab"], "list"),
            ([None], "list"),
            ([(TIMESTAMP, SENT, "x")], "list"),
            ([(TIMESTAMP,)], "list"),
            ([()], "list"),
            ([{TIMESTAMP, SENT}], "list"),
            ({TIMESTAMP, SIGNATURE}, "set"),
            (range(2), "range"),
        ],
    )
    def test_the_wrong_kind(self, webhook: Webhook, headers: Any, named: str) -> None:
        """The TypeError says what was given and what to pass instead."""
        with pytest.raises(TypeError, match=f"headers must be a mapping.*, not {named}; pass the request's headers"):
            webhook.verify(BODY, headers, now=NOW)

    @pytest.mark.parametrize("headers", [{}, [], (), iter([]), WerkzeugHeaders(), httpx.Headers()], ids=spelled)
    def test_an_empty_container(self, webhook: Webhook, headers: Any) -> None:
        """No headers at all are missing headers, and the timestamp is named first."""
        with pytest.raises(MissingHeaderError, match="LTK-Timestamp"):
            webhook.verify(BODY, headers, now=NOW)

    def test_a_mapping_subclass_is_asked_for_its_items(self, webhook: Webhook) -> None:
        """A dict of the caller's own that gives other items than it stores is believed."""

        class Repeating(dict[str, str]):
            def items(self) -> Any:
                return [*super().items(), *super().items()]

        with pytest.raises(MalformedTimestampError, match="more than once"):
            webhook.verify(BODY, Repeating(GENUINE), now=NOW)

    def test_items_of_the_wrong_kind(self, webhook: Webhook) -> None:
        """An `items` that gives no pairs is the wrong kind of container."""

        class Odd:
            def items(self) -> Any:
                return [1, 2]

        class Odder:
            def items(self) -> Any:
                return 3

        for headers in (Odd(), Odder()):
            with pytest.raises(TypeError, match="headers must be a mapping"):
                webhook.verify(BODY, headers, now=NOW)

    def test_a_container_that_fails_while_it_is_read(self, webhook: Webhook) -> None:
        """What the caller's own container raises passes through untouched."""

        class Interrupted(Exception):  # noqa: N818
            pass

        def pairs() -> Iterator[tuple[str, str]]:
            yield TIMESTAMP, SENT
            raise Interrupted

        class Items:
            def items(self) -> Any:
                raise Interrupted

        class Attribute:
            @property
            def items(self) -> Any:
                raise Interrupted

        for headers in (pairs(), Items(), Attribute()):
            failing: Any = headers
            with pytest.raises(Interrupted):
                webhook.verify(BODY, failing, now=NOW)

    def test_a_container_that_fails_before_its_first_header(self, webhook: Webhook) -> None:
        """A failure in `__iter__` itself is the container's own too, not a matter of its type."""

        class Interrupted(Exception):  # noqa: N818
            pass

        class Failing:
            def __iter__(self) -> Any:
                raise Interrupted

        class FailingItems:
            def items(self) -> Any:
                return Failing()

        for headers in (Failing(), FailingItems()):
            failing: Any = headers
            with pytest.raises(Interrupted):
                webhook.verify(BODY, failing, now=NOW)

    def test_what_a_part_of_a_container_raises(self, webhook: Webhook) -> None:
        """What a pair, a name or a value raises when it is looked at passes through, whatever it is."""

        class Odd:
            @property  # type: ignore[misc]
            def __class__(self) -> Any:
                raise _Interruption

        name, value = TIMESTAMP, SENT
        rest = [pair for pair in GENUINE if pair[0] != TIMESTAMP]
        for pairs in ([Odd()], [(Odd(), value)], [[Odd(), value]], [(name, Odd())], [(name, [Odd()])]):
            containers: list[Any] = [[*pairs, *rest], type("Items", (), {"items": lambda pairs=pairs: pairs})]
            if type(pairs[0]) is tuple:
                containers.append(dict([*pairs, *rest]))
            for headers in containers:
                with pytest.raises(_Interruption):
                    webhook.verify(BODY, headers, now=NOW)

    @pytest.mark.parametrize("kind", [tuple, list])
    def test_a_pair_that_is_wrong_about_itself(self, webhook: Webhook, kind: Any) -> None:
        """Of a tuple or a list the items that are there count, and none of its own methods is called."""

        def fail(*_: object) -> Any:
            raise _Interruption

        lying = type("Lying", (kind,), dict.fromkeys(("__len__", "__getitem__", "__iter__"), fail))
        assert webhook.verify(BODY, [lying(pair) for pair in GENUINE], now=NOW).timestamp == NOW
        with pytest.raises(TypeError, match="headers must be a mapping"):
            webhook.verify(BODY, [*GENUINE, lying("abc")], now=NOW)

    def test_a_large_container(self, webhook: Webhook) -> None:
        """A hundred thousand other headers change nothing."""
        headers = {f"X-{number}": "x" for number in range(100_000)}
        assert webhook.verify(BODY, {**headers, **dict(GENUINE)}, now=NOW).timestamp == NOW

    def test_the_container_is_left_as_it_is(self, webhook: Webhook) -> None:
        """Verifying changes nothing of the caller's."""
        headers = dict(GENUINE)
        webhook.verify(BODY, headers, now=NOW)
        assert list(headers.items()) == GENUINE


def test_a_dict_that_changes_while_it_is_read_does_not_panic() -> None:
    """A name without a UTF-8 form can wake the garbage collector, whose finalizers can change the dict."""
    script = """
import gc
from listrak_webhooks import MissingHeaderError, Webhook

headers = {"\\ud800" + "x" * 12 + str(number): "x" for number in range(2000)}
headers |= {"\\ud800" + chr(97 + number % 26) * 12: "x" for number in range(26)}

class Late:
    def __del__(self):
        headers["\\ud801%d" % len(headers)] = "y"

for _ in range(50):
    late = Late()
    late.itself = late
    del late
gc.set_threshold(1, 1, 1)
try:
    Webhook("secret").verify(b"{}", headers)
except MissingHeaderError:
    print("missing")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "missing\n", done.stderr
