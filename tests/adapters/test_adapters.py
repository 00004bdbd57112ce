"""What all framework adapters have in common, each in its variants: `def` and `async def`, WSGI and ASGI."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import time
import traceback
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import listrak_webhooks
import pytest
from listrak_webhooks import (
    BodyTooLargeError,
    ConfigurationError,
    Event,
    PayloadError,
    ReplayGuardError,
    SignatureMismatchError,
    Webhook,
)
from listrak_webhooks._http.body import DRAIN_BYTES
from listrak_webhooks._http.source import ABSENT
from listrak_webhooks.instrumentation import logger
from support.apps import configure_django
from support.conformance import (
    Rejections,
    Seen,
    every_decorator,
    every_streaming_variant,
    every_variant,
    never,
    parse,
)
from support.deliveries import LOGGER, Delivery, forged, logged, one_refusal, signed
from support.helpers import BODY, OTHER_SECRET, SECRET, SIGNATURE, TIMESTAMP, VARIABLE, base64_of, sign_like_listrak
from werkzeug.local import LocalProxy

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
        """Where the server can deliver it, the lack of a length is no reason to refuse."""
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


REFUSALS: list[Any] = [
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


class TestRefused:
    """What is not let in, what is answered, and what is logged."""

    @every_variant
    @pytest.mark.parametrize(("headers", "code"), REFUSALS)
    def test_each_refusal_answers_its_status_and_code_and_nothing_more(
        self, variant: Variant, headers: Callable[[], Any], code: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The body is the code as JSON in the framework's usual form, and there is one WARNING with the same code."""
        with variant.endpoint(never) as endpoint:
            answer = endpoint.send(Delivery(headers=headers()))
        assert endpoint.is_refusal(answer, 401, code), answer
        one_refusal(caplog, code)

    @every_variant
    @pytest.mark.parametrize(("age", "code"), [(3600, "stale_timestamp"), (-3600, "future_timestamp")])
    def test_a_wrong_clock_is_logged_with_the_skew_and_what_to_do(
        self, variant: Variant, age: int, code: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Such a delivery is genuine, so the log tells the operator by how much the clocks differ and to check them."""
        with variant.endpoint(never) as endpoint:
            endpoint.send(Delivery(headers=signed(age=age)))
        text = one_refusal(caplog, code)
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
        assert endpoint.is_refusal(answer, 401, code), answer
        text = one_refusal(caplog, code)
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
    def test_a_refusal_says_nothing_of_the_reason_to_the_sender(self, variant: Variant) -> None:
        """A stale delivery's skew stands in the log, and the answer has the code alone."""
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
        assert endpoint.is_refusal(answer, 413, "body_too_large"), answer
        assert delivery.taken == 100_000
        one_refusal(caplog, "body_too_large")

    @every_streaming_variant
    def test_a_declared_length_far_over_the_limit_is_rejected_before_the_body_is_read(
        self, variant: Variant, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not a byte is taken off the wire for a body that costs more to throw away than a reset does."""
        delivery = Delivery(b"x" * 101, declared=DRAIN_BYTES + 1)
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(delivery)
        assert endpoint.is_refusal(answer, 413, "body_too_large"), answer
        assert delivery.taken == 0
        one_refusal(caplog, "body_too_large")

    @every_streaming_variant
    def test_no_more_is_thrown_away_than_the_bound(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """A body in chunks may have no end at all."""
        delivery = Delivery(b"x" * (DRAIN_BYTES + 5_000_000), chunked=True, piece=1_000_000)
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(delivery)
        assert endpoint.is_refusal(answer, 413, "body_too_large"), answer
        assert DRAIN_BYTES <= delivery.taken <= DRAIN_BYTES + 2_000_000
        one_refusal(caplog, "body_too_large")

    @every_variant
    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_the_size_is_checked_before_the_signature(self, variant: Variant, *, chunked: bool) -> None:
        """An unsigned body over the limit answers 413 and not 401."""
        with variant.endpoint(never, Webhook(SECRET, max_body=100)) as endpoint:
            answer = endpoint.send(Delivery(b"x" * 101, headers={}, chunked=chunked))
        assert endpoint.is_refusal(answer, 413, "body_too_large"), answer

    @every_variant
    @pytest.mark.parametrize("declared", ["9" * 30, "4294967296", "9" * 5000], ids=["huge", "over-32-bit", "endless"])
    def test_an_absurd_length_is_refused(self, variant: Variant, declared: str) -> None:
        """However large the number in `Content-Length`, the answer is a refusal and no crash."""
        headers = [*signed().items(), ("Content-Length", declared)]
        delivery = Delivery(headers=headers, chunked=True)
        delivery_pairs = [pair for pair in delivery.pairs if pair[0] != "Transfer-Encoding"]
        with variant.endpoint(never) as endpoint:
            answer = endpoint.send(_Raw(delivery_pairs))
        # Django answers some by itself, and Werkzeug takes what Python cannot convert for no length at all.
        assert answer.status in {400, 401, 413}, answer
        if variant.judges_any_length:
            assert endpoint.is_refusal(answer, 413, "body_too_large"), answer


class _Raw(Delivery):
    """A delivery with exactly these headers."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        self._pairs = pairs

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return self._pairs


class TestHandler:
    """What becomes of what the handler does."""

    @every_variant
    @pytest.mark.parametrize(
        "error",
        [
            ValueError("the handler's own"),
            KeyError("orders"),
            TypeError("the handler's own"),
            RuntimeError("Stream consumed"),
            TimeoutError("a slow database"),
            OSError("a full disk"),
            ConfigurationError("of another webhook"),
            SignatureMismatchError("of another webhook"),
            BodyTooLargeError("of another webhook"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_the_handlers_own_exceptions_pass_through(
        self, variant: Variant, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The very same object comes out, and the adapter takes none of them for a refusal of its own."""

        def handle(_: Event) -> None:
            raise error

        with variant.endpoint(handle) as endpoint, pytest.raises(type(error)) as caught:
            endpoint.send(Delivery())
        # Up to Python 3.11, asyncio copies a TimeoutError on its way out of a thread.
        assert caught.value is error or (type(error) is TimeoutError and caught.value.args == error.args)
        assert logged(caplog) == []

    @every_variant
    @pytest.mark.parametrize("body", [b"{", b"[]", b"", b"\xff"], ids=["malformed", "array", "empty", "binary"])
    def test_a_payload_that_is_none_answers_400(
        self, variant: Variant, body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A handler that asks for the JSON of a genuine delivery without any leaves the answer to the adapter."""
        with variant.endpoint(lambda event: event.payload) as endpoint:
            answer = endpoint.send(Delivery(body))
        assert endpoint.is_refusal(answer, 400, "invalid_payload"), answer
        one_refusal(caplog, "invalid_payload")

    @every_variant
    def test_a_payload_error_that_the_handler_catches_is_its_own_business(
        self, variant: Variant, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The adapter only ever sees what leaves the handler."""

        def handle(event: Event) -> None:
            with pytest.raises(PayloadError):
                assert event.payload

        with variant.endpoint(handle) as endpoint:
            assert endpoint.send(Delivery(b"{")).status == 200
        assert logged(caplog) == []


class TestOnRejected:
    """The callback for metrics and alerts."""

    @every_variant
    @pytest.mark.parametrize("is_async", [False, True], ids=["callback", "async-callback"])
    def test_it_is_called_once_for_each_refusal(self, variant: Variant, *, is_async: bool) -> None:
        """It gets the error and the framework's request, at every refusal and at nothing else."""
        rejections = Rejections(is_async=is_async)
        with variant.endpoint(parse, on_rejected=rejections.function) as endpoint:
            endpoint.send(Delivery(headers=forged()))
            endpoint.send(Delivery(b"{"))
            endpoint.send(Delivery(b"x" * (4 * 1024 * 1024 + 1)))
            endpoint.send(Delivery())
        expected = ["signature_mismatch", "invalid_payload", "body_too_large"]
        assert [error.code for error, _ in rejections.calls] == expected
        for _, request in rejections.calls:
            assert request.method == "POST"
            assert request.headers[TIMESTAMP].isdigit()

    @every_variant
    @pytest.mark.parametrize("is_async", [False, True], ids=["callback", "async-callback"])
    def test_if_it_raises_that_is_logged_and_the_verdict_stands(
        self,
        variant: Variant,
        *,
        is_async: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A broken alert neither lets a forgery in nor turns a 401 into a 500."""
        rejections = Rejections(is_async=is_async, error=LookupError("the metrics are down"))
        with variant.endpoint(never, on_rejected=rejections.function) as endpoint:
            answer = endpoint.send(Delivery(headers=forged()))
        assert endpoint.is_refusal(answer, 401, "signature_mismatch"), answer
        assert len(rejections.calls) == 1
        refusal, trouble = sorted(logged(caplog), key=lambda record: record.levelno)
        assert getattr(refusal, "listrak_code", None) == "signature_mismatch"
        assert trouble.levelno == logging.ERROR
        assert "on_rejected" in trouble.getMessage()
        assert "LookupError: the metrics are down" in trouble.getMessage()
        # An exception in a record keeps its frames, and these the request with its body.
        assert trouble.exc_info is None


class TestResolver:
    """Many accounts on one route."""

    @every_variant
    @pytest.mark.parametrize("is_async", [False, True], ids=["resolver", "async-resolver"])
    def test_it_chooses_the_webhook_by_the_request(self, variant: Variant, *, is_async: bool) -> None:
        """Each account's deliveries are verified with its own secret, and with no other's."""
        accounts = {"a": Webhook(SECRET), "b": Webhook(OTHER_SECRET)}

        def resolve(request: Any) -> Webhook:
            return accounts[request.headers["X-Account"]]

        async def resolve_later(request: Any) -> Webhook:
            return resolve(request)

        seen = Seen()
        with variant.endpoint(seen, resolver=resolve_later if is_async else resolve) as endpoint:
            ours = endpoint.send(Delivery(headers=signed() | {"X-Account": "a"}))
            theirs = endpoint.send(Delivery(headers=signed(secret=OTHER_SECRET) | {"X-Account": "b"}))
            crossed = endpoint.send(Delivery(headers=signed() | {"X-Account": "b"}))
        assert (ours.status, theirs.status) == (200, 200)
        assert endpoint.is_refusal(crossed, 401, "signature_mismatch"), crossed
        assert len(seen) == 2

    @every_variant
    @pytest.mark.parametrize("result", [None, SECRET, [SECRET]], ids=["none", "secret", "list"])
    def test_one_that_returns_no_webhook_accepts_nothing(
        self, variant: Variant, result: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The fault is in our own settings: a 500, an ERROR in the log, and no alert about a sender."""
        rejections = Rejections()
        with variant.endpoint(never, resolver=lambda _: result, on_rejected=rejections.function) as endpoint:
            answer = endpoint.send(Delivery())
        assert endpoint.is_refusal(answer, 500, "configuration_error"), answer
        text = one_refusal(caplog, "configuration_error", logging.ERROR)
        assert "resolver" in text
        assert SECRET not in text
        assert rejections.calls == []

    @every_variant
    def test_its_own_exception_passes_through(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """A resolver may answer for an account that it does not know with whatever its framework has for that."""
        error = LookupError("no such account")

        def resolve(_: Any) -> Webhook:
            raise error

        with variant.endpoint(never, resolver=resolve) as endpoint, pytest.raises(LookupError) as caught:
            endpoint.send(Delivery())
        assert caught.value is error
        assert logged(caplog) == []

    @every_variant
    def test_no_secret_is_needed_beside_it(self, variant: Variant) -> None:
        """With a resolver, neither a setting nor the environment is looked at."""
        with variant.endpoint(Seen(), resolver=lambda _: Webhook(SECRET)) as endpoint:
            assert endpoint.send(Delivery()).status == 200

    @every_variant
    def test_it_cannot_stand_beside_a_webhook(self, variant: Variant) -> None:
        """Two sources for one thing contradict each other, and that is said at decoration."""
        with (
            pytest.raises(ConfigurationError, match="not both"),
            variant.endpoint(never, SECRET, resolver=lambda _: Webhook(SECRET)),
        ):
            pass


class TestSecret:
    """Where the secret comes from."""

    @every_variant
    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(SECRET, id="secret"),
            pytest.param(SECRET.encode(), id="bytes"),
            pytest.param([OTHER_SECRET, SECRET], id="list"),
            pytest.param((OTHER_SECRET, SECRET), id="tuple"),
            pytest.param(Webhook(SECRET), id="webhook"),
        ],
    )
    def test_it_can_be_given_in_code(self, variant: Variant, given: Any) -> None:
        """A secret, several, or a `Webhook`."""
        with variant.endpoint(Seen(), given) as endpoint:
            assert endpoint.send(Delivery()).status == 200
            assert endpoint.send(Delivery(headers=forged())).status == 401

    @every_variant
    def test_the_options_of_a_webhook_count(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """What the user set on the `Webhook` is what the route goes by."""
        with variant.endpoint(Seen(), Webhook(SECRET, tolerance=10, encoding="hex")) as endpoint:
            assert endpoint.send(Delivery(headers=signed(encoding="hex"))).status == 200
            stale = endpoint.send(Delivery(headers=signed(encoding="hex", age=60)))
            in_base64 = endpoint.send(Delivery(headers=signed()))
        assert endpoint.is_refusal(stale, 401, "stale_timestamp")
        assert endpoint.is_refusal(in_base64, 401, "malformed_signature")

    @every_variant
    def test_during_a_rotation_both_secrets_are_taken(self, variant: Variant) -> None:
        """The event says which one it was."""
        seen = Seen()
        with variant.endpoint(seen, [OTHER_SECRET, SECRET]) as endpoint:
            endpoint.send(Delivery(headers=signed(secret=OTHER_SECRET)))
            endpoint.send(Delivery(headers=signed(secret=SECRET)))
        assert [event.secret_index for event in seen] == [0, 1]

    @every_variant
    def test_it_can_come_from_the_environment(self, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a secret in code or in the settings, the environment has the current one and the previous."""
        monkeypatch.setenv(VARIABLE, OTHER_SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", SECRET)
        with variant.endpoint(Seen(), ABSENT) as endpoint:
            assert endpoint.send(Delivery(headers=signed(secret=OTHER_SECRET))).status == 200
            assert endpoint.send(Delivery(headers=signed(secret=SECRET))).status == 200
            assert endpoint.send(Delivery(headers=forged())).status == 401

    @every_variant
    @pytest.mark.parametrize("given", ["", " ", "secret\n", b"", [], [""], ["good", ""], 5, object()])
    def test_one_that_cannot_be_right_is_refused_at_decoration(self, variant: Variant, given: Any) -> None:
        """What cannot be a secret is the programmer's to mend, and is said at once."""
        with pytest.raises((ConfigurationError, TypeError)) as caught, variant.endpoint(never, given):
            pass
        assert caught.type is ConfigurationError

    @every_variant
    @pytest.mark.parametrize("value", [None, "", " "], ids=["unset", "empty", "blank"])
    def test_without_one_nothing_is_accepted(
        self,
        variant: Variant,
        value: str | None,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """FastAPI and Django say so at decoration; Flask, whose config may come later, by a 500 that is logged."""
        if value is not None:
            monkeypatch.setenv(VARIABLE, value)
        if variant.finds_secret_late:
            rejections = Rejections()
            with variant.endpoint(never, ABSENT, on_rejected=rejections.function) as endpoint:
                for headers in (signed(), signed(secret=" "), {}):
                    answer = endpoint.send(Delivery(headers=headers))
                    assert endpoint.is_refusal(answer, 500, "configuration_error"), answer
                    assert VARIABLE in one_refusal(caplog, "configuration_error", logging.ERROR)
            assert rejections.calls == []
        else:
            with pytest.raises(ConfigurationError, match=VARIABLE), variant.endpoint(never, ABSENT):
                pass


class TestUnsetSecret:
    """An explicit `None`: a variable that nobody set."""

    @every_variant
    def test_it_is_never_another_webhooks_secret(self, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
        """The secret in the environment or the settings is used only if no argument was passed."""
        monkeypatch.setenv(VARIABLE, SECRET)
        with pytest.raises(ConfigurationError), variant.endpoint(never, None):
            pass

    @every_variant
    def test_the_secret_that_is_wrong_is_in_no_frame(self, variant: Variant) -> None:
        """Error reporters send the variables of each frame that an exception passes."""
        for secret in ("a secret with a slip ", ["right", "wrong with a slip "]):
            with pytest.raises(ConfigurationError) as caught, variant.endpoint(never, secret):
                pass
            assert "with a slip" not in own_frames(caught.value)

    @every_variant
    def test_a_lazy_text_is_the_text_that_it_stands_for(self, variant: Variant) -> None:
        """A lazy object can be called and walked, and is neither a view nor a list."""
        with variant.endpoint(lambda _: None, LocalProxy(lambda: SECRET)) as endpoint:
            assert endpoint.send(Delivery()).status == 200
            forged_with_one_letter = signed(secret=SECRET[1])
            assert endpoint.send(Delivery(headers=forged_with_one_letter)).status == 401


class BrokenGuard:
    """A guard of a user's own whose store does not answer."""

    def handle(self, event: Event) -> Any:
        """Raise what a guard raises then."""
        raise ReplayGuardError("the store did not answer")


class TestRetention:
    """What log records keep alive: a handler of the user's may hold thousands of them."""

    CASES: ClassVar[dict[str, tuple[Callable[[Event], Any], dict[str, str], dict[str, Any]]]] = {
        "rejected": (never, {"LTK-Timestamp": "1700000000", "LTK-HmacSignature": "A" * 43 + "="}, {}),
        "payload": (lambda event: event.payload, {}, {}),
        "guard": (never, {}, {"replay": BrokenGuard()}),
        "on-rejected": (lambda event: event.payload, {}, {"on_rejected": lambda error, request: 1 // 0}),
    }

    @every_variant
    @pytest.mark.parametrize("case", CASES)
    def test_no_record_keeps_the_body(self, variant: Variant, case: str, caplog: pytest.LogCaptureFixture) -> None:
        """An exception in a record would keep its traceback, that the frames, and these the body and the headers."""
        handle, headers, options = self.CASES[case]
        body = b"a body that nobody may keep"
        with variant.endpoint(handle, **options) as endpoint:
            assert endpoint.send(Delivery(body, headers=headers or signed(body))).status >= 400
        assert logged(caplog)
        for record in logged(caplog):
            assert record.exc_info is None
            assert not [each for each in reachable(record) if isinstance(each, bytes) and body in each]


def reachable(start: object) -> list[object]:
    """Return what an object keeps alive, modules, classes and functions aside."""
    found: dict[int, object] = {}
    pending = [start]
    while pending:
        current = pending.pop()
        if id(current) in found or isinstance(current, ModuleType | type | FunctionType):
            continue
        found[id(current)] = current
        pending += gc.get_referents(current)
    return [*found.values()]


def own_frames(error: BaseException) -> str:
    """Return what an error reporter would send of the frames of this package."""
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    return repr([frame.locals for frame in stack if "listrak_webhooks" in frame.filename])


class TestWraps:
    """What is left of the function that was decorated."""

    @pytest.mark.parametrize("framework", ["flask", "fastapi", "django"])
    @pytest.mark.parametrize("bare", [True, False], ids=["bare", "with-parentheses"])
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_name_doc_and_original_are_kept(
        self,
        framework: str,
        *,
        bare: bool,
        is_async: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Routing by name, documentation and debuggers see the user's own function."""
        import importlib

        configure_django()
        monkeypatch.setenv(VARIABLE, SECRET)
        decorator = importlib.import_module(f"listrak_webhooks.{framework}").listrak_webhook

        def receive_cart(event: Event) -> None:
            """Take a cart."""

        async def receive_later(event: Event) -> None:
            """Take a cart."""

        def receive_request(request: Any, event: Event) -> None:
            """Take a cart."""

        async def receive_request_later(request: Any, event: Event) -> None:
            """Take a cart."""

        of_events: list[Any] = [receive_cart, receive_later]
        of_requests: list[Any] = [receive_request, receive_request_later]
        handler = (of_requests if framework == "django" else of_events)[is_async]
        handler.__annotations__["event"] = Event
        decorated = decorator(handler) if bare else decorator()(handler)
        assert decorated is not handler
        assert decorated.__name__ == handler.__name__
        assert decorated.__qualname__ == handler.__qualname__
        assert decorated.__doc__ == "Take a cart."
        assert decorated.__module__ == __name__
        assert decorated.__wrapped__ is handler


def test_the_logger_is_the_one_that_is_documented() -> None:
    """Operators configure it by this name."""
    assert logger().name == LOGGER == listrak_webhooks.__name__
    assert not logger().handlers


LATE_CONFIGURATION = """
import logging.config
import flask
import listrak_webhooks.flask, listrak_webhooks.replay
logging.config.dictConfig({
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["console"]},
})
app = flask.Flask(__name__)
app.post("/listrak")(listrak_webhooks.flask.listrak_webhook("a secret")(lambda event: None))
app.test_client().post("/listrak", data=b"{}")
"""


def test_logging_that_is_configured_after_the_import_still_shows_rejections() -> None:
    """`dictConfig` disables every logger that it does not name and that exists, so ours does not exist by then."""
    done = subprocess.run([sys.executable, "-c", LATE_CONFIGURATION], capture_output=True, text=True, check=True)
    assert "missing_header" in done.stdout
