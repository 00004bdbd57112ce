"""Events on their way through a queue: plain JSON types and pickles, exact, and rejected where they are not known."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listrak_webhooks import Event, Webhook
from support.helpers import NOW, same
from support.payloads import BODIES, SECRET, event_of

ATTRIBUTES = ["body", "timestamp", "sent_at", "id", "expires_at", "secret_index", "encoding"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def journeys(event: Event) -> list[Event]:
    """Return what arrives, by every way there is."""
    protocols = range(2, pickle.HIGHEST_PROTOCOL + 1)
    by_pickle = [pickle.loads(pickle.dumps(event, protocol)) for protocol in protocols]  # noqa: S301 -- our own
    by_json = Event.from_dict(json.loads(json.dumps(event.to_dict())))
    return [by_json, *by_pickle, copy.copy(event), copy.deepcopy(event)]


@given(st.binary(max_size=300))
def test_any_bytes_arrive_as_they_were(body: bytes) -> None:
    """JSON or not."""
    event = event_of(body)
    for arrived in journeys(event):
        assert arrived == event
        assert [getattr(arrived, name) for name in ATTRIBUTES] == [getattr(event, name) for name in ATTRIBUTES]
        assert arrived.to_dict() == event.to_dict()


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_a_payload_is_what_json_gives_before_and_after(document: dict[str, Any]) -> None:
    """For any JSON object, with floats compared bit for bit."""
    body = json.dumps(document).encode()
    event = event_of(body)
    expected = json.loads(body)
    assert same(event.payload, expected)
    for arrived in journeys(event):
        assert same(arrived.payload, expected)


def test_what_was_changed_in_the_payload_stays_behind() -> None:
    """What travels is what was verified."""
    event = event_of(BODIES["cart"])
    event.payload["added"] = object()
    for arrived in journeys(event):
        assert "added" not in arrived.payload
        assert arrived.email == "jane@example.com"


def test_aliases_travel() -> None:
    """The views at the other end are the same."""
    webhook = Webhook(SECRET, aliases={"email": ["shopper_mail"], "items": ["basket.lines"]})
    event = event_of({"shopperMail": "jane@example.com", "basket": {"lines": [{"sku": "a"}]}}, webhook)
    for arrived in journeys(event):
        assert arrived.email == "jane@example.com"
        assert [item.sku for item in arrived.items] == ["a"]
    assert event.to_dict()["aliases"] == {"email": ["shopper_mail"], "items": ["basket.lines"]}


def test_the_form() -> None:
    """Plain types, a version, and no secret."""
    event = event_of(b"{}")
    data = event.to_dict()
    assert data == {
        "v": 1,
        "id": event.id,
        "timestamp": NOW,
        "expires_at": NOW + 900,
        "secret_index": 0,
        "encoding": "hex",
        "aliases": {},
        "body": base64.b64encode(b"{}").decode(),
    }
    assert SECRET not in pickle.dumps(event)
    assert SECRET.decode() not in json.dumps(data)


WRONG: dict[str, list[Any]] = {
    "v": [0, 2, "1", True, 1.0, None, [1]],
    "id": ["", "xy", "A" * 64, "a" * 63, "a" * 66, None, 5, "\ud800", b"a" * 64],
    "timestamp": [None, "1700000000", True, 1, 10**10, 1.7e9, 10**30, -1],
    "expires_at": [None, -(2**63), 2**63 - 1, NOW - 1, NOW + 10**9, "x", True, 10**30],
    "secret_index": [None, -1, "0", True, 0.0, 10**30],
    "encoding": [None, "any", "BASE64", 5, ""],
    "aliases": [None, [], "x", {"nothing": ["x"]}, {"email": "x"}, {"email": [5]}, {"email": [""]}, {5: ["x"]}],
    "body": [None, 5, "e30", "e30=\n", "*", [], bytearray(b"{}"), "\ud800"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_to_dict_does_not_write_is_rejected(name: str, value: Any) -> None:
    """By the field's name, and without what it holds."""
    data = event_of(BODIES["cart"]).to_dict()
    with pytest.raises(ValueError, match="v\\b" if name == "v" else name) as caught:
        Event.from_dict({**data, name: value})
    assert type(caught.value) is ValueError
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_is_missing_is_named(name: str) -> None:
    """All of them are needed."""
    data = event_of(b"{}").to_dict()
    del data[name]
    with pytest.raises(ValueError, match=name):
        Event.from_dict(data)


def test_a_field_that_is_not_known_is_rejected() -> None:
    """A later version may mean something by it."""
    with pytest.raises(ValueError, match="does not know"):
        Event.from_dict({**event_of(b"{}").to_dict(), "later": 1})


@pytest.mark.parametrize("data", [None, [], "text", 5, b"{}", {}])
def test_a_dict_that_is_not_an_event_is_rejected(data: Any) -> None:
    """Whatever a queue hands over."""
    with pytest.raises(ValueError, match="to_dict"):
        Event.from_dict(data)
