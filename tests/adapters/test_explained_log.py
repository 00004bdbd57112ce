"""What the log line of a rejection says of its delivery, in each adapter: facts, origin, and the proven cause."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import SignatureMismatchError, Webhook
from listrak_webhooks._http import explaining
from listrak_webhooks._http.explaining import EXPLAIN_BYTES
from listrak_webhooks._http.receiver import Origin
from listrak_webhooks._http.rejection import rejection_outcome
from listrak_webhooks.replay import MemoryReplayGuard
from support.conformance import every_variant
from support.deliveries import LOGGER, PATH, Delivery, forged, signed
from support.helpers import BODY, SECRET, base64_of, sign_like_listrak

if TYPE_CHECKING:
    from support.variants import Variant

pytestmark = pytest.mark.usefixtures("no_secret_around")

SPACED = json.dumps(json.loads(BODY), indent=2).encode()


def never(event: object) -> None:
    """Handle nothing."""
    raise AssertionError(event)


def rejection(caplog: pytest.LogCaptureFixture) -> Any:
    """Return the last record of a rejection."""
    return [record for record in caplog.records if hasattr(record, "listrak_code")][-1]


@every_variant
def test_a_proven_cause_comes_first(variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
    """A body that was written again is named at the beginning of the line, with what to do."""
    with variant.endpoint(never) as endpoint:
        answer = endpoint.send(Delivery(SPACED, headers=signed(BODY)))
    record = rejection(caplog)
    assert record.getMessage().startswith("body_reserialized: the body was parsed")
    assert "401 signature_mismatch" in record.getMessage()
    assert record.listrak_causes == ["body_reserialized"]
    assert endpoint.is_rejection(answer, 401, "signature_mismatch")


@every_variant
def test_each_rejection_has_its_facts_and_its_origin(variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
    """The record and the line have the harmless facts, the path, and the address that the server gives."""
    with variant.endpoint(never) as endpoint:
        endpoint.send(Delivery(headers=forged()))
    record = rejection(caplog)
    facts = record.listrak_facts
    assert (facts["body_length"], facts["is_json"], facts["secrets"]) == (len(BODY), True, 1)
    assert f"body_length={len(BODY)}" in record.getMessage()
    assert record.listrak_path == PATH
    assert f"at {PATH}" in record.getMessage()
    assert record.listrak_peer is None or record.listrak_peer in record.getMessage()


@every_variant
def test_a_body_that_is_too_large_has_the_facts_of_its_headers(
    variant: Variant, caplog: pytest.LogCaptureFixture
) -> None:
    """What was not read is not described, and what was announced is."""
    with variant.endpoint(never, Webhook(SECRET, max_body=10)) as endpoint:
        endpoint.send(Delivery())
    facts = rejection(caplog).listrak_facts
    assert facts["content_length"] == len(BODY)
    assert "is_json" not in facts


@every_variant
def test_a_delivery_that_is_being_handled_is_named(variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
    """A rejection behind the verification says which delivery it is about."""
    guard = MemoryReplayGuard()
    headers = signed()
    event = Webhook(SECRET).verify(BODY, headers)
    with variant.endpoint(never, SECRET, replay=guard) as endpoint, guard.handle(event):
        endpoint.send(Delivery(headers=headers))
    record = rejection(caplog)
    assert record.listrak_code == "duplicate_delivery"
    assert record.listrak_facts == {"delivery": event.id[:8], "body_length": len(BODY)}


def test_the_bounds_are_those_that_the_docs_state() -> None:
    """Ten seconds, and 256 kB."""
    assert (explaining.EXPLAIN_SECONDS, EXPLAIN_BYTES) == (10.0, 256 * 1024)


@every_variant
def test_the_cause_is_looked_for_once_in_ten_seconds(
    variant: Variant, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second mismatch within that time has its facts alone, and one behind it is explained again."""
    now = 1000.0
    monkeypatch.setattr(explaining, "monotonic", lambda: now)
    begins = []
    with variant.endpoint(never) as endpoint:
        for now in (1000.0, 1009.9, 1010.1):  # noqa: B007
            endpoint.send(Delivery(SPACED, headers=signed(BODY)))
            begins.append(rejection(caplog).getMessage().split(":")[0])
    assert begins == ["body_reserialized", "rejected a delivery with 401 signature_mismatch", "body_reserialized"]


@every_variant
@pytest.mark.parametrize("size", [EXPLAIN_BYTES, EXPLAIN_BYTES + 1])
def test_the_cause_is_looked_for_in_bodies_up_to_a_limit(
    variant: Variant, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """A larger body has neither a cause nor facts that it would have to be read for."""
    body = b'{"a":"' + b"x" * (size - 9) + b'"}'
    with variant.endpoint(never) as endpoint:
        endpoint.send(Delivery(body + b"\n", headers=signed(body)))
    record = rejection(caplog)
    assert (record.listrak_causes, "is_json" in record.listrak_facts) == (
        (["newline_added"], True) if size == EXPLAIN_BYTES else ([], False)
    )
    assert record.listrak_facts["body_length"] == size


@every_variant
def test_nothing_secret_or_personal_is_in_it(variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the secret, nor the MAC that would be right, nor a value of the body."""
    caplog.set_level(logging.DEBUG)
    headers = signed(BODY)
    with variant.endpoint(never) as endpoint:
        endpoint.send(Delivery(SPACED, headers=headers))
    mac = sign_like_listrak(SECRET.encode(), SPACED, headers["LTK-Timestamp"])
    logs = "\n".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name.startswith(LOGGER)
    )
    assert "body_reserialized" in logs
    for forbidden in (SECRET, "jane", "vip-mailer", base64_of(mac)[:12], mac.hex()[:12], headers["LTK-HmacSignature"]):
        assert forbidden not in logs


@every_variant
def test_texts_of_the_sender_forge_nothing_in_the_line(variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
    """A header's text is quoted and escaped, so that nobody takes it for more of the line."""
    headers = {**forged(), "Content-Type": 'text/plain, is_json; from 1.1.1.1 "x" \x7f'}
    with variant.endpoint(never) as endpoint:
        endpoint.send(Delivery(headers=headers))
    line, quoted = rejection(caplog).getMessage(), r'content_type="(?:[^"\\]|\\.)*"'
    assert re.search(quoted, line)
    assert "1.1.1.1" not in re.sub(quoted, "", line)
    assert line.isprintable()


def test_a_peer_is_cut_and_escaped() -> None:
    """Behind a proxy that is trusted, it is a text of the sender's."""
    outcome = rejection_outcome(SignatureMismatchError("no"), 401, 0.0, Origin("1.2.3.4\x9b31m\n" + "A" * 500, "/a\nb"))
    assert outcome.peer is not None
    assert outcome.peer.startswith("1.2.3.4\\x9b31m\\n")
    assert len(outcome.peer) < 100
    assert outcome.path == "/a\\nb"


@every_variant
def test_requests_without_a_signature_do_not_use_up_the_time_of_a_mismatch(
    variant: Variant, caplog: pytest.LogCaptureFixture
) -> None:
    """Each code has a time of its own."""
    with variant.endpoint(never) as endpoint:
        endpoint.send(Delivery(b"", headers={}))
        endpoint.send(Delivery(SPACED, headers=signed(BODY)))
    assert rejection(caplog).listrak_causes == ["body_reserialized"]


@every_variant
def test_a_clock_that_fails_changes_no_verdict(variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong while facts are gathered leaves the line without them."""
    times = iter([time.time()])
    with variant.endpoint(never, Webhook(SECRET, clock=lambda: next(times))) as endpoint:
        answer = endpoint.send(Delivery(headers=forged()))
    assert endpoint.is_rejection(answer, 401, "signature_mismatch")
    assert rejection(caplog).listrak_facts == {}
