"""What all adapters do around the handler: its result, its exceptions, `on_rejected`, and what the log keeps alive."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
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
)
from listrak_webhooks.instrumentation import logger
from support.apps import configure_django
from support.conformance import Rejections, every_variant, never, parse
from support.deliveries import LOGGER, Delivery, forged, logged, one_rejection, signed
from support.helpers import SECRET, TIMESTAMP, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.variants import Variant

pytestmark = pytest.mark.usefixtures("no_secret_around")


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
        """The very same object comes out, and the adapter takes none of them for a rejection of its own."""

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
        assert endpoint.is_rejection(answer, 400, "invalid_payload"), answer
        one_rejection(caplog, "invalid_payload")

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
    def test_it_is_called_once_for_each_rejection(self, variant: Variant, *, is_async: bool) -> None:
        """It gets the error and the framework's request, at every rejection and at nothing else."""
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
        assert endpoint.is_rejection(answer, 401, "signature_mismatch"), answer
        assert len(rejections.calls) == 1
        rejection, trouble = sorted(logged(caplog), key=lambda record: record.levelno)
        assert getattr(rejection, "listrak_code", None) == "signature_mismatch"
        assert trouble.levelno == logging.ERROR
        assert "on_rejected" in trouble.getMessage()
        assert "on_rejected raised LookupError" in trouble.getMessage()
        assert ", in _now" in trouble.getMessage() or ", in _later" in trouble.getMessage()
        # The message of the exception may hold a value of the payload.
        assert "the metrics are down" not in trouble.getMessage()
        # An exception in a record keeps its frames, and these the request with its body.
        assert trouble.exc_info is None


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
