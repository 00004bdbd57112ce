"""The headers as the frameworks hand them out: white space around a value, and a header that comes twice."""

from __future__ import annotations

from typing import Any

import pytest
from listrak_webhooks import MalformedTimestampError, MissingHeaderError, VerificationError, Webhook
from listrak_webhooks._http.body import Body, verify
from support.deliveries import signed
from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP


def as_environ(timestamp: str, signature: str) -> dict[str, str]:
    """Return the two headers as WSGI has them."""
    return {"HTTP_LTK_TIMESTAMP": timestamp, "HTTP_LTK_HMACSIGNATURE": signature}


def as_pairs(timestamp: str, signature: str) -> list[tuple[bytes, bytes]]:
    """Return the two headers as ASGI has them."""
    return [
        (b"ltk-timestamp", timestamp.encode("latin-1")),
        (b"ltk-hmacsignature", signature.encode("latin-1")),
    ]


def as_lists(timestamp: str, signature: str) -> dict[str, list[str]]:
    """Return the two headers as some gateways have them."""
    return {TIMESTAMP: [timestamp], SIGNATURE: [signature]}


class Pairs(list[tuple[str, str]]):
    """A mapping that may hold a name twice, as Starlette's and Werkzeug's may."""

    def items(self) -> list[tuple[str, str]]:
        return list(self)

    def keys(self) -> list[str]:
        return [name for name, _ in self]

    def __getitem__(self, name: Any) -> Any:
        return next(value for each, value in self if each == name)


@pytest.mark.parametrize("form", [as_environ, as_pairs, as_lists])
class TestWhiteSpaceAroundAValue:
    """It is not part of the value (RFC 9110, section 5.5), and not every server takes it off."""

    @pytest.mark.parametrize("space", ["{} ", " {}", "\t{}", " \t {}\t\t "], ids=repr)
    def test_spaces_and_tabs_do_not_count(self, form: Any, space: str) -> None:
        """What is hashed is the text without them."""
        headers = signed()
        both = form(space.format(headers[TIMESTAMP]), space.format(headers[SIGNATURE]))
        assert verify(Webhook(SECRET), Body(BODY), both).timestamp == int(headers[TIMESTAMP])

    @pytest.mark.parametrize("space", ["\x0b{}", "{}\x0c", "{}\xa0", "\x85{}", "\r\n {}", "{}\n", " {}\x00"], ids=repr)
    def test_any_other_white_space_is_rejected(self, form: Any, space: str) -> None:
        """No server may hand on the others, and a folded line is obsolete."""
        headers = signed()
        with pytest.raises(MalformedTimestampError):
            verify(Webhook(SECRET), Body(BODY), form(space.format(headers[TIMESTAMP]), headers[SIGNATURE]))

    @pytest.mark.parametrize("blank", [" ", "\t", " \t "], ids=repr)
    def test_a_header_of_nothing_else_is_missing(self, form: Any, blank: str) -> None:
        """A value without its white space may be empty."""
        headers = signed()
        with pytest.raises(MissingHeaderError):
            verify(Webhook(SECRET), Body(BODY), form(headers[TIMESTAMP], blank))
        with pytest.raises(MissingHeaderError):
            verify(Webhook(SECRET), Body(BODY), form(blank, headers[SIGNATURE]))

    def test_space_within_a_value_is_rejected(self, form: Any) -> None:
        """Only what is around a value is not part of it."""
        headers = signed()
        with pytest.raises(VerificationError):
            verify(
                Webhook(SECRET),
                Body(BODY),
                form(headers[TIMESTAMP], headers[SIGNATURE][:9] + " " + headers[SIGNATURE][9:]),
            )


def test_a_header_that_comes_twice_stays_an_error() -> None:
    """Taking white space off does not choose one of two values."""
    headers = signed()
    twice = Pairs([(TIMESTAMP, " 1"), (TIMESTAMP, headers[TIMESTAMP]), (SIGNATURE, headers[SIGNATURE])])
    for form in (twice, list(twice)):
        with pytest.raises(MalformedTimestampError):
            verify(Webhook(SECRET), Body(BODY), form)
