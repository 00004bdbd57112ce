"""What all adapters accept and reject, each in its variants: `def` and `async def`, WSGI and ASGI."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Event, Webhook
from listrak_webhooks._http.body import DRAIN_BYTES
from support.conformance import Seen, every_decorator, every_streaming_variant, every_variant, never
from support.deliveries import Delivery, forged, logged, one_rejection, signed
from support.helpers import BODY, SECRET, SIGNATURE, TIMESTAMP, base64_of, sign_like_listrak

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.variants import Variant

pytestmark = pytest.mark.usefixtures("no_secret_around")


class TestGenuine:
    """What is let in."""

    @every_variant
    @pytest.mark.parametrize("encoding", ["base64", "hex"])
    def test_a_genuine_delivery_reaches_the_handler(
        self, variant: Variant, encoding: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The handler gets the event, whichever way the signature is written, and nothing is logged."""
        headers = signed(encoding=encoding)
        seen = Seen()
        with variant.endpoint(seen) as endpoint:
            answer = endpoint.send(Delivery(headers=headers))
        assert answer.status == 200
        [event] = seen
        assert type(event) is Event
        assert event.body == BODY
        assert event.encoding == encoding
        assert event.timestamp == int(headers[TIMESTAMP])
        assert event.payload == json.loads(BODY)
        assert logged(caplog) == []

    @every_decorator
    def test_a_handler_that_returns_none_answers_an_empty_200(self, variant: Variant) -> None:
        """Listrak's own samples answer 200; there is nothing to say in the body."""
        with variant.endpoint(lambda _: None) as endpoint:
            answer = endpoint.send(Delivery())
        assert (answer.status, answer.body) == (200, b"")

    @every_variant
    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "application/json",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
            "application/json; charset=utf-16",
            "nonsense;;",
        ],
    )
    def test_the_content_type_does_not_matter(self, variant: Variant, content_type: str | None) -> None:
        """What Listrak sends there is unknown, so a genuine body is taken under any type and under none."""
        seen = Seen()
        with variant.endpoint(seen) as endpoint:
            answer = endpoint.send(Delivery(content_type=content_type))
        assert answer.status == 200
        assert [event.body for event in seen] == [BODY]

    @every_variant
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"{", id="malformed"),
            pytest.param(b"\xff\xfe\x00", id="binary"),
            pytest.param(b"a=1&b=2", id="form"),
            pytest.param(b"[1, 2]", id="array"),
            pytest.param(b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n", id="multipart"),
            pytest.param(b"{}" * 200_000, id="many-pieces"),
        ],
    )
    @pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
    def test_any_genuine_body_reaches_a_handler_that_does_not_parse_it(
        self, variant: Variant, body: bytes, content_type: str
    ) -> None:
        """A wrong rejection costs a customer, so no odd body makes a genuine delivery fail."""
        seen = Seen()
        with variant.endpoint(seen) as endpoint:
            answer = endpoint.send(Delivery(body, content_type=content_type))
        assert answer.status == 200
        assert [event.body for event in seen] == [body]

    @every_variant
    @pytest.mark.parametrize("piece", [1, 65_536], ids=["byte-by-byte", "at-once"])
    def test_a_genuine_body_in_chunks_is_accepted(self, variant: Variant, piece: int) -> None:
        """Where the server can deliver it, the lack of a length is not a reason to reject."""
        seen = Seen()
        with variant.endpoint(seen) as endpoint:
            answer = endpoint.send(Delivery(chunked=True, piece=piece))
        assert answer.status == 200
        assert [event.body for event in seen] == [BODY]

    @every_variant
    def test_a_body_of_exactly_the_limit_is_accepted(self, variant: Variant) -> None:
        """`max_body` is the largest that is taken, declared or in chunks."""
        seen = Seen()
        with variant.endpoint(seen, Webhook(SECRET, max_body=len(BODY))) as endpoint:
            assert endpoint.send(Delivery()).status == 200
            assert endpoint.send(Delivery(chunked=True)).status == 200
        assert len(seen) == 2

    @every_variant
    def test_header_names_come_in_any_case(self, variant: Variant) -> None:
        """Header names have no case, so neither do these two."""
        headers = {name.lower(): value for name, value in signed().items()}
        with variant.endpoint(Seen()) as endpoint:
            assert endpoint.send(Delivery(headers=headers)).status == 200


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in signed().items() if key != name}


REJECTIONS: list[Any] = [
    pytest.param(lambda: _without(TIMESTAMP), "missing_header", id="no-timestamp"),
    pytest.param(lambda: _without(SIGNATURE), "missing_header", id="no-signature"),
    pytest.param(dict, "missing_header", id="unsigned"),
    pytest.param(lambda: signed() | {SIGNATURE: ""}, "missing_header", id="empty-signature"),
    pytest.param(lambda: signed(timestamp=f"{time.time_ns() // 1_000_000}"), "malformed_timestamp", id="milliseconds"),
    pytest.param(lambda: signed() | {SIGNATURE: "v1=abc"}, "malformed_signature", id="no-signature-at-all"),
    pytest.param(forged, "signature_mismatch", id="forged"),
    pytest.param(lambda: signed(BODY + b" "), "signature_mismatch", id="tampered"),
    pytest.param(lambda: signed(age=901), "stale_timestamp", id="stale"),
    pytest.param(lambda: signed(age=-960), "future_timestamp", id="future"),
    pytest.param(
        lambda: [*signed().items(), (TIMESTAMP, str(int(time.time())))], "malformed_timestamp", id="two-timestamps"
    ),
    pytest.param(lambda: [*signed().items(), *forged().items()], "malformed_timestamp", id="both-twice"),
    pytest.param(
        lambda: [*signed().items(), (SIGNATURE, forged()[SIGNATURE])], "malformed_signature", id="two-signatures"
    ),
]


class TestRejected:
    """What is not let in, what is answered, and what is logged."""

    @every_variant
    @pytest.mark.parametrize(("headers", "code"), REJECTIONS)
    def test_each_rejection_answers_its_status_and_code_and_nothing_more(
        self, variant: Variant, headers: Callable[[], Any], code: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The body is the code as JSON in the framework's usual form, and there is one WARNING with the same code."""
        with variant.endpoint(never) as endpoint:
            answer = endpoint.send(Delivery(headers=headers()))
        assert endpoint.is_rejection(answer, 401, code), answer
        one_rejection(caplog, code)

    @every_variant
    @pytest.mark.parametrize(("age", "code"), [(3600, "stale_timestamp"), (-3600, "future_timestamp")])
    def test_a_wrong_clock_is_logged_with_the_skew_and_what_to_do(
        self, variant: Variant, age: int, code: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Such a delivery is genuine, so the log tells the operator by how much the clocks differ and to check them."""
        with variant.endpoint(never) as endpoint:
            endpoint.send(Delivery(headers=signed(age=age)))
        text = one_rejection(caplog, code)
        assert any(str(skew) in text for skew in range(3590, 3611)), text
        assert "clock" in text

    @every_variant
    @pytest.mark.parametrize(
        ("header", "code"), [(TIMESTAMP, "malformed_timestamp"), (SIGNATURE, "malformed_signature")]
    )
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("1\x1b[31m2", id="escape"),
            pytest.param("\x9b31m\xe9\xff", id="latin-1"),
            pytest.param("1\n2\r3", id="lines"),
            pytest.param("9" * 5000, id="long"),
            pytest.param("\x1b" * 5000, id="long-escapes"),
        ],
    )
    def test_what_a_stranger_sends_cannot_reach_the_log_as_it_is(
        self, variant: Variant, header: str, code: str, value: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Header text in the log is escaped and cut: no terminal sequence, no second line, no flood."""
        with variant.endpoint(never) as endpoint:
            answer = endpoint.send(Delivery(headers=signed() | {header: value}))
        assert endpoint.is_rejection(answer, 401, code), answer
        text = one_rejection(caplog, code)
        assert text.isprintable()
        assert text.isascii()
        assert len(text) < 600

    @every_variant
    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            pytest.param(forged, BODY, id="mismatch"),
            pytest.param(lambda: signed(age=901), BODY, id="stale"),
            pytest.param(lambda: _without(TIMESTAMP), BODY, id="missing"),
            pytest.param(lambda: signed() | {TIMESTAMP: "1"}, BODY, id="malformed-timestamp"),
            pytest.param(lambda: signed() | {SIGNATURE: signed()[SIGNATURE] + "="}, BODY, id="malformed-signature"),
            pytest.param(lambda: signed(BODY[:-1]), BODY[:-1], id="payload"),
        ],
    )
    def test_no_log_carries_secret_body_or_mac(
        self, variant: Variant, headers: Callable[[], dict[str, str]], body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither the library nor the framework is made to write down what must stay secret."""
        caplog.set_level(logging.DEBUG)
        sent = headers()
        with variant.endpoint(lambda event: event.payload) as endpoint:
            answer = endpoint.send(Delivery(body, headers=sent))
        assert answer.status in {400, 401}
        logs = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in logged(caplog))
        assert logs
        stamp = sent.get(TIMESTAMP, "")
        mac = sign_like_listrak(SECRET.encode(), body, stamp)
        for forbidden in (SECRET, "jane", "vip-mailer", base64_of(mac), mac.hex(), base64_of(mac)[:20], mac.hex()[:20]):
            assert forbidden not in logs
        assert sent.get(SIGNATURE, "none") not in logs

    @every_variant
    def test_a_rejection_says_nothing_of_the_reason_to_the_sender(self, variant: Variant) -> None:
        """A stale delivery's skew is in the log, and the answer has the code alone."""
        with variant.endpoint(never) as endpoint:
            answer = endpoint.send(Delivery(headers=signed(age=3600)))
        assert answer.json() == {endpoint.key: "stale_timestamp"}
        assert not any("3600" in value or "skew" in value for value in answer.headers.values())


class TestTooLarge:
    """Bodies over `max_body`."""

    @every_streaming_variant
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_what_is_sent_of_a_body_over_the_limit_is_thrown_away(
        self, variant: Variant, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """A connection that is closed with unread data in it is reset, and the sender does not see the 413."""
        delivery = Delivery(b"x" * 100_000, chunked=chunked, piece=10_000)
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(delivery)
        assert endpoint.is_rejection(answer, 413, "body_too_large"), answer
        assert delivery.taken == 100_000
        one_rejection(caplog, "body_too_large")

    @every_streaming_variant
    def test_a_declared_length_far_over_the_limit_is_rejected_before_the_body_is_read(
        self, variant: Variant, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not a byte is taken off the wire for a body that costs more to throw away than a reset does."""
        delivery = Delivery(b"x" * 101, declared=DRAIN_BYTES + 1)
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(delivery)
        assert endpoint.is_rejection(answer, 413, "body_too_large"), answer
        assert delivery.taken == 0
        one_rejection(caplog, "body_too_large")

    @every_streaming_variant
    def test_no_more_is_thrown_away_than_the_bound(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """A body in chunks may have no end at all."""
        delivery = Delivery(b"x" * (DRAIN_BYTES + 5_000_000), chunked=True, piece=1_000_000)
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(delivery)
        assert endpoint.is_rejection(answer, 413, "body_too_large"), answer
        assert DRAIN_BYTES <= delivery.taken <= DRAIN_BYTES + 2_000_000
        one_rejection(caplog, "body_too_large")

    @every_variant
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_the_size_is_checked_before_the_signature(self, variant: Variant, *, chunked: bool) -> None:
        """An unsigned body over the limit answers 413 and not 401."""
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(Delivery(b"x" * 101, headers={}, chunked=chunked))
        assert endpoint.is_rejection(answer, 413, "body_too_large"), answer

    @every_variant
    @pytest.mark.parametrize("declared", ["9" * 30, "4294967296", "9" * 5000], ids=["huge", "over-32-bit", "endless"])
    def test_an_absurd_length_is_rejected(self, variant: Variant, declared: str) -> None:
        """However large the number in `Content-Length`, the answer is a rejection and no crash."""
        headers = [*signed().items(), ("Content-Length", declared)]
        delivery = Delivery(headers=headers, chunked=True)
        delivery_pairs = [pair for pair in delivery.pairs if pair[0] != "Transfer-Encoding"]
        with variant.endpoint(never) as endpoint:
            answer = endpoint.send(_Raw(delivery_pairs))
        # Django answers some by itself, and Werkzeug takes what Python cannot convert for no length at all.
        assert answer.status in {400, 401, 413}, answer
        if variant.judges_any_length:
            assert endpoint.is_rejection(answer, 413, "body_too_large"), answer


class _Raw(Delivery):
    """A delivery with exactly these headers."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        self._pairs = pairs

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return self._pairs
