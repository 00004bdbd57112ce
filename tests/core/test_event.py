"""Event: its attributes, its identity, and what its repr keeps to itself."""

from __future__ import annotations

import gc
import hashlib
import weakref
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from listrak_webhooks import Event, PayloadError, StaleTimestampError, Webhook
from support.helpers import BODY, NOW, SECRET, SENT, base64_of, headers_for, sign_like_listrak, spelled

MAC = sign_like_listrak(SECRET.encode(), BODY, SENT)
ATTRIBUTES = ["body", "timestamp", "sent_at", "id", "public_id", "expires_at", "secret_index", "encoding", "payload"]


@pytest.fixture
def event(webhook: Webhook) -> Event:
    """Return a verified delivery, new for each test."""
    return webhook.verify(BODY, headers_for(), now=NOW + 60)


def test_its_attributes(event: Event) -> None:
    """Each attribute has the documented value and type."""
    assert event.body == BODY
    assert event.timestamp == NOW
    assert type(event.timestamp) is int
    assert event.id == MAC.hex()
    assert event.expires_at == NOW + 900
    assert event.secret_index == 0
    assert event.encoding == "base64"
    assert event.payload == {"campaign": "vip-mailer", "email": "jane@example.com"}


@pytest.mark.parametrize("sent", [10**9, NOW, 2**31 - 1, 2**31, 2**32, 10**10 - 1])
def test_sent_at_is_aware_and_utc(webhook: Webhook, sent: int) -> None:
    """The sender's time is exact to the second over the whole range, also beyond 32 bits."""
    event = webhook.verify(BODY, headers_for(timestamp=str(sent)), now=sent)
    assert event.sent_at == datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=sent)
    assert event.sent_at.tzinfo is timezone.utc
    assert event.sent_at.utcoffset() == timedelta(0)
    assert event.sent_at.microsecond == 0


@pytest.mark.parametrize("tolerance", [0, 1, 900, 31_536_000])
def test_expires_at_is_the_last_second_that_passes(tolerance: int) -> None:
    """At `expires_at` the delivery can come again, one second later it cannot."""
    webhook = Webhook(SECRET, tolerance=tolerance)
    event = webhook.verify(BODY, headers_for(), now=NOW)
    assert event.expires_at == NOW + tolerance
    assert webhook.verify(BODY, headers_for(), now=event.expires_at) == event
    with pytest.raises(StaleTimestampError):
        webhook.verify(BODY, headers_for(), now=event.expires_at + 1)


@pytest.mark.parametrize("now", [NOW - 900, NOW, NOW + 900], ids=str)
def test_expires_at_does_not_depend_on_our_clock(webhook: Webhook, now: int) -> None:
    """Whenever it came, a delivery expires at the same second."""
    assert webhook.verify(BODY, headers_for(), now=now).expires_at == NOW + 900


class TestIdentity:
    """The MAC is the identity, whatever spelled it."""

    def test_every_spelling_is_the_same_event(self, webhook: Webhook) -> None:
        """Base64 and hex in any case give equal events with one id and one hash."""
        spellings = [base64_of(MAC), MAC.hex(), MAC.hex().upper(), MAC.hex().title()]
        events = [webhook.verify_values(BODY, SENT, spelling, now=NOW) for spelling in spellings]
        assert len({event.id for event in events}) == 1
        assert len({hash(event) for event in events}) == 1
        assert len(set(events)) == 1
        assert events[0].id.islower()
        assert [event.encoding for event in events] == ["base64", "hex", "hex", "hex"]

    def test_the_public_identity(self, webhook: Webhook, event: Event) -> None:
        """An identity to give to others is the SHA-256 of the MAC: the same for each spelling, and no way back."""
        assert event.public_id == hashlib.sha256(MAC).hexdigest()
        assert webhook.verify_values(BODY, SENT, MAC.hex().upper(), now=NOW).public_id == event.public_id
        assert Event.from_dict(event.to_dict()).public_id == event.public_id
        assert webhook.verify(b"{}", headers_for(b"{}"), now=NOW).public_id != event.public_id
        assert MAC.hex() not in event.public_id
        assert event.public_id not in repr(event)

    def test_the_same_delivery_under_other_settings(self, event: Event) -> None:
        """Equality is by id alone: a replay is recognised by another webhook object too."""
        other = Webhook(["new", SECRET], tolerance=5, encoding="base64").verify(BODY, headers_for(), now=NOW)
        assert other == event
        assert not other != event  # noqa: SIM202
        assert hash(other) == hash(event)
        assert other.secret_index != event.secret_index

    @pytest.mark.parametrize("timestamp", [str(NOW + 1), str(NOW - 1)])
    def test_another_second_is_another_event(self, webhook: Webhook, event: Event, timestamp: str) -> None:
        """The same body sent at another time is another delivery."""
        other = webhook.verify(BODY, headers_for(timestamp=timestamp), now=NOW)
        assert other != event
        assert other.id != event.id
        assert len({other, event}) == 2

    def test_another_body_is_another_event(self, webhook: Webhook, event: Event) -> None:
        """Another body in the same second is another delivery."""
        assert webhook.verify(b"{}", headers_for(b"{}"), now=NOW) != event

    @pytest.mark.parametrize("other", [None, 0, "text", MAC.hex(), MAC, BODY, (), object()], ids=spelled)
    def test_no_other_type_is_equal(self, event: Event, other: object) -> None:
        """An event equals events only, not its own id or body."""
        assert (event == other) is False
        assert (event != other) is True
        assert (other == event) is False
        assert event not in [other, other]

    def test_another_type_may_have_its_say(self, event: Event) -> None:
        """As with Python's own types, a comparison that the event does not know is left to the other side."""
        assert event == mock.ANY
        assert event == mock.ANY

    def test_events_have_no_order(self, event: Event) -> None:
        """Less and greater are TypeErrors."""
        unordered: Any = event
        with pytest.raises(TypeError):
            unordered < unordered  # noqa: B015, PLR0124

    def test_it_is_a_key(self, webhook: Webhook, event: Event) -> None:
        """An event can be looked up in a dict or a set by its equal."""
        assert {event: "kept"}[webhook.verify(BODY, headers_for(), now=NOW)] == "kept"


class TestRepr:
    """What is safe to log."""

    def test_its_form(self, event: Event) -> None:
        """The first eight digits of the id, the time and the body's size."""
        expected = f"Event(id={MAC.hex()[:8]}..., timestamp={NOW}, body=<{len(BODY)} bytes>)"
        assert repr(event) == str(event) == f"{event}" == expected

    def test_no_personal_data(self, event: Event) -> None:
        """Neither the body nor the payload shows, also once it is parsed."""
        assert event.payload["email"] == "jane@example.com"
        assert "jane" not in repr(event)
        assert "vip-mailer" not in repr(event)
        assert event.id not in repr(event)
        assert event.id[8:16] not in repr(event)


class TestImmutability:
    """What was verified stays as it was."""

    @pytest.mark.parametrize("name", [*ATTRIBUTES, "anything"])
    def test_no_attribute_can_be_set_or_deleted(self, event: Event, name: str) -> None:
        """Every attribute is read-only, and there are no new ones."""
        with pytest.raises(AttributeError):
            setattr(event, name, 1)
        with pytest.raises(AttributeError):
            delattr(event, name)
        assert event.id == MAC.hex()

    def test_nobody_makes_one(self) -> None:
        """Only `verify` makes an event: a type check proves that it happened."""
        make: Any = Event
        for arguments in ((), (BODY,), (BODY, NOW)):
            with pytest.raises(TypeError):
                make(*arguments)
        with pytest.raises(TypeError):
            make.__new__(Event)
        with pytest.raises(TypeError):
            object.__new__(Event)

    def test_nobody_derives_from_it(self) -> None:
        """A subclass could lie about what was verified."""
        base: Any = Event
        with pytest.raises(TypeError):
            type("Lie", (base,), {})


class TestPayloadAttribute:
    """Built on first use, then kept; what it holds is tested with the payload."""

    def test_it_is_kept(self, event: Event) -> None:
        """Every access gives the same dict, so that changing it is seen by the next reader."""
        first = event.payload
        first["added"] = 1
        assert event.payload is first
        assert event.payload["added"] == 1

    def test_two_events_do_not_share_it(self, webhook: Webhook, event: Event) -> None:
        """Equal events have payloads of their own."""
        other = webhook.verify(BODY, headers_for(), now=NOW)
        assert other.payload == event.payload
        assert other.payload is not event.payload

    def test_a_failure_is_not_kept_as_a_success(self, webhook: Webhook) -> None:
        """A body that is not an object fails on every access and stays readable as bytes."""
        event = webhook.verify(b"[1]", headers_for(b"[1]"), now=NOW)
        for _ in range(3):
            with pytest.raises(PayloadError):
                _ = event.payload
        assert event.body == b"[1]"

    def test_an_event_that_its_own_payload_holds_is_collected(self, webhook: Webhook) -> None:
        """The garbage collector sees through an event, so such a cycle is not a leak."""

        class Witness:
            pass

        witness = Witness()
        gone = weakref.ref(witness)
        event = webhook.verify(BODY, headers_for(), now=NOW)
        event.payload["witness"] = witness
        event.payload["itself"] = [event]
        del event, witness
        gc.collect()
        assert gone() is None

    def test_a_payload_outlives_its_event(self, webhook: Webhook) -> None:
        """The dict is Python's own and stays when the event goes."""
        payload = webhook.verify(BODY, headers_for(), now=NOW).payload
        gc.collect()
        assert payload == {"campaign": "vip-mailer", "email": "jane@example.com"}
