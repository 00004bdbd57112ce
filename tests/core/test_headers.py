"""Headers: the two values, out of every container there is, by names of any case."""

from __future__ import annotations

import email
import http.client
import io
from collections import ChainMap, OrderedDict, UserDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.http.request import HttpHeaders
from listrak_webhooks import (
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    VerificationError,
    Webhook,
    verify,
)
from starlette.datastructures import Headers as StarletteHeaders
from support.header_pairs import GENUINE, MAC_TEXT, Pairs
from support.helpers import BODY, NOW, SECRET, SENT, SIGNATURE, TIMESTAMP
from werkzeug.datastructures import EnvironHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

if TYPE_CHECKING:
    from collections.abc import Callable


def _environ(pairs: Pairs) -> dict[str, Any]:
    """Return what a WSGI server makes of the request: repeated headers are joined by a comma."""
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(BODY), "wsgi.version": (1, 0)}
    for name, value in pairs:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _message(pairs: Pairs) -> http.client.HTTPMessage:
    raw = "".join(f"{name}: {value}\r\n" for name, value in pairs) + "\r\n"
    return http.client.parse_headers(io.BytesIO(raw.encode("latin-1")))


def _asgi(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


# Every container that can hold the same header twice, made from pairs.
CONTAINERS: dict[str, Callable[[Pairs], Any]] = {
    "pairs": list,
    "pairs-in-a-tuple": tuple,
    "pairs-as-lists": lambda pairs: [list(pair) for pair in pairs],
    "pairs-from-a-generator": lambda pairs: (pair for pair in pairs),
    "pairs-from-an-iterator": iter,
    "asgi": _asgi,
    "asgi-lists": lambda pairs: [list(pair) for pair in _asgi(pairs)],
    "asgi-generator": lambda pairs: (pair for pair in _asgi(pairs)),
    "wsgi-environ": _environ,
    "werkzeug": WerkzeugHeaders,
    "werkzeug-environ": lambda pairs: EnvironHeaders(_environ(pairs)),
    "starlette": lambda pairs: StarletteHeaders(raw=_asgi(pairs)),
    "starlette-scope": lambda pairs: StarletteHeaders(scope={"type": "http", "headers": _asgi(pairs)}),
    "django": lambda pairs: HttpHeaders(_environ(pairs)),
    "httpx": httpx.Headers,
    "httpx-bytes": lambda pairs: httpx.Headers(_asgi(pairs)),
    "http-client": _message,
    "email": lambda pairs: email.message_from_string("".join(f"{name}: {value}\n" for name, value in pairs) + "\n"),
    "lambda-multi-value": lambda pairs: {
        name: [value for other, value in pairs if other.lower() == name.lower()] for name, _ in pairs
    },
}

SINGLE_VALUED: dict[str, Callable[[Pairs], Any]] = {
    "dict": dict,
    "lower-case-dict": lambda pairs: {name.lower(): value for name, value in pairs},
    "upper-case-dict": lambda pairs: {name.upper(): value for name, value in pairs},
    "odd-case-dict": lambda pairs: {name.swapcase(): value for name, value in pairs},
    "bytes-dict": lambda pairs: dict(_asgi(pairs)),
    "one-element-tuples": lambda pairs: {name: (value,) for name, value in pairs},
    "ordered-dict": OrderedDict,
    "user-dict": UserDict,
    "chain-map": lambda pairs: ChainMap({}, dict(pairs)),
    "mapping-proxy": lambda pairs: MappingProxyType(dict(pairs)),
    "dict-items": lambda pairs: dict(pairs).items(),
}

BUILDERS = {**CONTAINERS, **SINGLE_VALUED}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())
def test_every_container_of_a_genuine_delivery(webhook: Webhook, build: Callable[[Pairs], Any]) -> None:
    """Whatever holds the headers, the delivery verifies."""
    assert webhook.verify(BODY, build(GENUINE), now=NOW).timestamp == NOW
    assert verify(BODY, build(GENUINE), SECRET, now=NOW).timestamp == NOW


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())
def test_every_container_of_a_forged_delivery(webhook: Webhook, build: Callable[[Pairs], Any]) -> None:
    """Whatever holds the headers, another signature is rejected."""
    forged = [(name, "A" * 43 + "=" if name == SIGNATURE else value) for name, value in GENUINE]
    with pytest.raises(VerificationError) as caught:
        webhook.verify(BODY, build(forged), now=NOW)
    assert caught.value.code == "signature_mismatch"


@pytest.mark.parametrize("missing", [TIMESTAMP, SIGNATURE])
@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())
def test_every_container_without_one_of_the_two(webhook: Webhook, build: Callable[[Pairs], Any], missing: str) -> None:
    """The rejection names the header that is missing."""
    with pytest.raises(MissingHeaderError, match=f"{missing} header is missing"):
        webhook.verify(BODY, build([pair for pair in GENUINE if pair[0] != missing]), now=NOW)


@pytest.mark.parametrize("second", ["same", "another", "another-case"])
@pytest.mark.parametrize(
    ("repeated", "error"), [(TIMESTAMP, MalformedTimestampError), (SIGNATURE, MalformedSignatureError)]
)
@pytest.mark.parametrize("build", CONTAINERS.values(), ids=CONTAINERS.keys())
def test_every_container_with_one_of_the_two_twice(
    webhook: Webhook,
    build: Callable[[Pairs], Any],
    repeated: str,
    error: type[VerificationError],
    second: str,
) -> None:
    """A repeated header is rejected even where both values are the genuine one, whichever comes first."""
    name = repeated.lower() if second == "another-case" else repeated
    value = "1700000001" if second == "another" else dict(GENUINE)[repeated]
    for pairs in ([*GENUINE, (name, value)], [(name, value), *GENUINE]):
        with pytest.raises(error):
            webhook.verify(BODY, build(pairs), now=NOW)


@pytest.mark.parametrize(
    ("repeated", "error"), [(TIMESTAMP, MalformedTimestampError), (SIGNATURE, MalformedSignatureError)]
)
def test_two_keys_that_differ_in_case_only(webhook: Webhook, repeated: str, error: type[VerificationError]) -> None:
    """A dict can hold one header under two spellings: that is twice."""
    value = dict(GENUINE)[repeated]
    others: list[Any] = [repeated.lower(), repeated.upper(), "HTTP_" + repeated.upper().replace("-", "_")]
    others += [other.encode() for other in others]
    for other in others:
        with pytest.raises(error, match="more than once"):
            webhook.verify(BODY, {**dict(GENUINE), other: value}, now=NOW)
    with pytest.raises(error, match="more than once"):
        webhook.verify(BODY, {**dict(GENUINE), repeated.lower(): ""}, now=NOW)


def test_three_times_is_still_more_than_once(webhook: Webhook) -> None:
    """A third value does not make it single again."""
    with pytest.raises(MalformedTimestampError, match="more than once"):
        webhook.verify(BODY, [*GENUINE, (TIMESTAMP, SENT), (TIMESTAMP, SENT)], now=NOW)


class TestNames:
    """Which names are ours."""

    @pytest.mark.parametrize(
        "name",
        [
            "LTK_Timestamp",
            "ltk_timestamp",
            "LTK_TIMESTAMP",
            "http_ltk_timestamp",
            "HTTP-LTK-TIMESTAMP",
            "HTTP_LTK-TIMESTAMP",
            "HTTP_LTK_TIMESTAMP ",
            "LTKTimestamp",
            "LTK-Time-stamp",
            " LTK-Timestamp",
            "LTK-Timestamp ",
            "LTK-Timestamp\n",
            "LTK-Timestamp:",
            "LTK-Timestamp\x00",
            "X-LTK-Timestamp",
            "LT\u212a-Timestamp",
            "LTK-T\u0131mestamp",
            "LTK-T\u0130mestamp",
            "LTK-Time\u017ftamp",
            "LTK\u2010Timestamp",
            "LTK\u2212Timestamp",
            "\uff2cTK-Timestamp",
            "LTK-Timestamp\ud800",
            "\udcff",
            "",
        ],
        ids=ascii,
    )
    def test_a_name_that_is_nearly_ours(self, webhook: Webhook, name: str) -> None:
        """Names match as ASCII without regard to case, and in no other way."""
        with pytest.raises(MissingHeaderError, match="LTK-Timestamp"):
            webhook.verify(BODY, {name: SENT, SIGNATURE: MAC_TEXT}, now=NOW)
        with pytest.raises(MissingHeaderError, match="LTK-Timestamp"):
            webhook.verify(BODY, [(name, SENT), (SIGNATURE, MAC_TEXT)], now=NOW)
        # Beside the genuine header it changes nothing.
        assert webhook.verify(BODY, {name: "x", **dict(GENUINE)}, now=NOW).timestamp == NOW

    @pytest.mark.parametrize(
        "name",
        ["LTK_HmacSignature", "LTK-Hmac-Signature", "LTK-Hmac\u017fignature", "LT\u212a-HmacSignature", "LTK-Hmac"],
        ids=ascii,
    )
    def test_a_signature_name_that_is_nearly_ours(self, webhook: Webhook, name: str) -> None:
        """The same holds for the other header."""
        with pytest.raises(MissingHeaderError, match="LTK-HmacSignature"):
            webhook.verify(BODY, {TIMESTAMP: SENT, name: MAC_TEXT}, now=NOW)

    def test_environ_names_are_not_header_names(self, webhook: Webhook) -> None:
        """Among pairs, which no environ is, the environ's names are strangers."""
        pairs = [("HTTP_LTK_TIMESTAMP", SENT), ("HTTP_LTK_HMACSIGNATURE", MAC_TEXT)]
        assert webhook.verify(BODY, dict(pairs), now=NOW).timestamp == NOW
        with pytest.raises(MissingHeaderError):
            webhook.verify(BODY, pairs, now=NOW)

    def test_an_underscore_does_not_pass_for_a_dash_through_an_environ(self, webhook: Webhook) -> None:
        """A server that keeps `LTK_Timestamp` next to `LTK-Timestamp` in its environ joins them: that is rejected."""
        environ = _environ([*GENUINE, ("LTK_Timestamp", "1700000001")])
        with pytest.raises(MalformedTimestampError):
            webhook.verify(BODY, environ, now=NOW)

    def test_keys_of_other_types_are_passed_over(self, webhook: Webhook) -> None:
        """A key that is not text is not ours."""
        headers: dict[Any, Any] = {1: "x", None: "y", (TIMESTAMP,): SENT, 1.5: [], object(): object()}
        assert webhook.verify(BODY, {**headers, **dict(GENUINE)}, now=NOW).timestamp == NOW
        with pytest.raises(MissingHeaderError):
            webhook.verify(BODY, headers, now=NOW)
        assert webhook.verify(BODY, [*headers.items(), *GENUINE], now=NOW).timestamp == NOW

    def test_other_headers_may_hold_anything(self, webhook: Webhook) -> None:
        """The values of other headers are not looked at."""
        odd: dict[str, Any] = {"X-A": 1, "X-B": None, "X-C": [], "X-D": "\ud800", "X-E": b"\xff", "X-F": ["a", "b"]}
        assert webhook.verify(BODY, {**odd, **dict(GENUINE)}, now=NOW).timestamp == NOW
