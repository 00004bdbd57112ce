"""The order of the checks: which of several faults a rejection names."""

from __future__ import annotations

from typing import Any

import pytest
from listrak_webhooks import (
    BodyTooLargeError,
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    SignatureMismatchError,
    StaleTimestampError,
    VerificationError,
    Webhook,
    WebhookError,
)
from support.helpers import BODY, NOW, SECRET, SENT, SIGNATURE, TIMESTAMP, base64_of, headers_for, verdict_of

# The faults, in the order in which they must be reported, each as a change to a genuine delivery.
FAULTS: dict[str, tuple[type[WebhookError], dict[str, Any]]] = {
    "too-large": (BodyTooLargeError, {"max_body": 1}),
    "no-timestamp": (MissingHeaderError, {"timestamp": None}),
    "no-signature": (MissingHeaderError, {"signature": None}),
    "malformed-timestamp": (MalformedTimestampError, {"timestamp": "1e9"}),
    "malformed-signature": (MalformedSignatureError, {"signature": "A" * 43}),
    "mismatch": (SignatureMismatchError, {"signature": base64_of(b"\x00" * 32)}),
    "stale": (StaleTimestampError, {"now": NOW + 10_000}),
}
ORDER = list(FAULTS)


def _rejection(changes: dict[str, Any], *, by_headers: bool) -> WebhookError:
    delivery: dict[str, Any] = {"timestamp": SENT, "signature": headers_for()[SIGNATURE], "now": NOW, **changes}
    webhook = Webhook(SECRET, max_body=delivery.get("max_body", 4096))
    timestamp, signature, now = delivery["timestamp"], delivery["signature"], delivery["now"]
    if by_headers:
        verdict = verdict_of(lambda: webhook.verify(BODY, {TIMESTAMP: timestamp, SIGNATURE: signature}, now=now))
    else:
        verdict = verdict_of(lambda: webhook.verify_values(BODY, timestamp, signature, now=now))
    assert isinstance(verdict, WebhookError)
    return verdict


class TestOrderOfTheChecks:
    """Size, headers, timestamp grammar, signature, MAC, window."""

    @pytest.mark.parametrize("by_headers", [True, False], ids=["verify", "verify_values"])
    @pytest.mark.parametrize("fault", ORDER)
    def test_each_fault_alone(self, fault: str, by_headers: bool) -> None:  # noqa: FBT001
        """Each fault has its own exception."""
        expected, changes = FAULTS[fault]
        assert type(_rejection(changes, by_headers=by_headers)) is expected

    @pytest.mark.parametrize("by_headers", [True, False], ids=["verify", "verify_values"])
    @pytest.mark.parametrize(
        ("earlier", "later"),
        [(earlier, later) for place, earlier in enumerate(ORDER) for later in ORDER[place + 1 :]],
    )
    def test_of_two_faults_the_earlier_is_reported(self, earlier: str, later: str, by_headers: bool) -> None:  # noqa: FBT001
        """A delivery with two faults is rejected for the one that is checked first."""
        changes = {**FAULTS[later][1], **FAULTS[earlier][1]}
        assert type(_rejection(changes, by_headers=by_headers)) is FAULTS[earlier][0]

    def test_all_faults_at_once(self) -> None:
        """The size is looked at before anything else."""
        changes = {name: value for _, change in reversed(FAULTS.values()) for name, value in change.items()}
        assert type(_rejection(changes, by_headers=True)) is BodyTooLargeError

    def test_a_repeated_header_is_reported_before_a_malformed_one(self, webhook: Webhook) -> None:
        """Headers must be single before their text is looked at."""
        twice = [(TIMESTAMP, "1e9"), (SIGNATURE, "junk"), (SIGNATURE, "junk")]
        with pytest.raises(MalformedSignatureError, match="more than once"):
            webhook.verify(BODY, twice, now=NOW)

    @pytest.mark.parametrize("now", [NOW - 10_000, NOW + 10_000], ids=["future", "stale"])
    def test_a_time_error_is_only_ever_about_a_genuine_delivery(self, webhook: Webhook, now: int) -> None:
        """A forged delivery outside the window is a mismatch, so that clock alarms cannot be raised by strangers."""
        with pytest.raises(SignatureMismatchError):
            webhook.verify(BODY, headers_for(secret="another"), now=now)
        with pytest.raises(VerificationError) as caught:
            webhook.verify(BODY, headers_for(), now=now)
        assert isinstance(caught.value, (StaleTimestampError, FutureTimestampError))
