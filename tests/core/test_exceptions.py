"""The exceptions: their tree, codes and statuses, and that they travel."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import listrak_webhooks
import pytest
from listrak_webhooks import (
    BodyTooLargeError,
    BodyUnavailableError,
    ConfigurationError,
    DuplicateDeliveryError,
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    PayloadError,
    ReplayGuardError,
    SignatureMismatchError,
    StaleTimestampError,
    VerificationError,
    Webhook,
    WebhookError,
)
from support.helpers import BODY, NOW, SECRET, SENT, SIGNATURE, headers_for

# The contract: class, base, code, status.
TREE: list[tuple[type[WebhookError], type[Exception], str, int]] = [
    (MissingHeaderError, VerificationError, "missing_header", 401),
    (MalformedTimestampError, VerificationError, "malformed_timestamp", 401),
    (MalformedSignatureError, VerificationError, "malformed_signature", 401),
    (SignatureMismatchError, VerificationError, "signature_mismatch", 401),
    (StaleTimestampError, VerificationError, "stale_timestamp", 401),
    (FutureTimestampError, VerificationError, "future_timestamp", 401),
    (BodyTooLargeError, WebhookError, "body_too_large", 413),
    (BodyUnavailableError, WebhookError, "body_unavailable", 500),
    (PayloadError, WebhookError, "invalid_payload", 400),
    (DuplicateDeliveryError, WebhookError, "duplicate_delivery", 409),
    (ReplayGuardError, WebhookError, "replay_guard_unavailable", 503),
]
CLASSES = [entry[0] for entry in TREE]
SKEWED = [StaleTimestampError, FutureTimestampError]


@pytest.mark.parametrize(("kind", "base", "code", "status"), TREE, ids=[kind.__name__ for kind in CLASSES])
def test_the_tree(kind: type[WebhookError], base: type[Exception], code: str, status: int) -> None:
    """Each class has the documented base, code and status, on the class and on its instances."""
    assert issubclass(kind, base)
    assert issubclass(kind, WebhookError)
    assert (kind.code, kind.status) == (code, status)
    assert issubclass(kind, VerificationError) is (base is VerificationError)
    assert not issubclass(kind, (ValueError, TypeError, OSError))
    for other in CLASSES:
        assert issubclass(kind, other) is (kind is other)


def test_the_bases() -> None:
    """The wide classes are the documented ones, and not wider."""
    assert WebhookError.__bases__ == (Exception,)
    assert VerificationError.__bases__ == (WebhookError,)
    assert VerificationError.status == 401
    assert issubclass(ConfigurationError, ValueError)
    assert not issubclass(ConfigurationError, WebhookError)


def test_the_codes_are_distinct() -> None:
    """A code names one class."""
    assert len({kind.code for kind in CLASSES}) == len(CLASSES)


def test_the_contract_is_complete() -> None:
    """No exported exception is missing from the table above."""
    exported = {getattr(listrak_webhooks, name) for name in listrak_webhooks.__all__}
    errors = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)}
    assert errors == {*CLASSES, WebhookError, VerificationError, ConfigurationError}


@pytest.mark.parametrize("kind", [*CLASSES, ConfigurationError], ids=lambda kind: kind.__name__)
def test_each_is_documented_and_lives_in_the_package(kind: type[Exception]) -> None:
    """A docstring of one sentence at least, and a module that pickle finds it in."""
    assert kind.__doc__
    assert kind.__module__.startswith("listrak_webhooks")


def _make(kind: type[Exception]) -> Exception:
    make: Any = kind
    made: Exception = make("the message", 901) if kind in SKEWED else make("the message")
    return made


COPIERS: dict[str, Any] = {
    **{
        f"pickle-{protocol}": lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))  # noqa: S301
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("duplicate", COPIERS.values(), ids=COPIERS.keys())
@pytest.mark.parametrize("kind", [*CLASSES, ConfigurationError], ids=lambda kind: kind.__name__)
def test_each_travels(kind: type[Exception], duplicate: Any) -> None:
    """Pickled and copied, an exception keeps its class, message, arguments and skew."""
    error = _make(kind)
    other = duplicate(error)
    assert type(other) is kind
    assert str(other) == "the message"
    assert other.args == error.args
    assert getattr(other, "skew", None) == getattr(error, "skew", None) == (901 if kind in SKEWED else None)


@pytest.mark.parametrize("kind", [*CLASSES, ConfigurationError], ids=lambda kind: kind.__name__)
def test_str_is_the_message_alone(kind: type[Exception]) -> None:
    """What a log line shows is the sentence and no tuple."""
    assert str(_make(kind)) == "the message"


def _raised(webhook: Webhook, kind: type[WebhookError]) -> WebhookError:
    """Return the exception of this class that the core itself raises."""
    genuine = headers_for()
    body: bytes = BODY
    headers: dict[str, str] = genuine
    now = NOW
    if kind is MissingHeaderError:
        headers = {}
    elif kind is MalformedTimestampError:
        headers = {**genuine, "LTK-Timestamp": "1e9"}
    elif kind is MalformedSignatureError:
        headers = {**genuine, SIGNATURE: "junk"}
    elif kind is SignatureMismatchError:
        headers = headers_for(secret="another")
    elif kind is StaleTimestampError:
        now = NOW + 1234
    elif kind is FutureTimestampError:
        now = NOW - 1234
    elif kind is BodyTooLargeError:
        webhook = Webhook(SECRET, max_body=1)
    elif kind is PayloadError:
        body = b"no JSON"
        headers = headers_for(body)
    with pytest.raises(WebhookError) as caught:
        _ = webhook.verify(body, headers, now=now).payload
    return caught.value


CORE = [kind for kind in CLASSES if kind not in {BodyUnavailableError, DuplicateDeliveryError, ReplayGuardError}]


@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
def test_what_the_core_raises(webhook: Webhook, kind: type[WebhookError]) -> None:
    """The exact class, a message in the house style, and nothing but the message and the skew in it."""
    error = _raised(webhook, kind)
    assert type(error) is kind
    assert str(error) == error.args[0]
    assert str(error)[0].islower()
    assert not str(error).endswith(".")
    assert error.args[1:] == ((1234,) if kind in SKEWED else ())
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("duplicate", COPIERS.values(), ids=COPIERS.keys())
def test_what_the_core_raises_travels(webhook: Webhook, kind: type[WebhookError], duplicate: Any) -> None:
    """Also the exceptions made by the core pickle and copy, the skew with them."""
    error = _raised(webhook, kind)
    other = duplicate(error)
    assert (type(other), other.args, str(other)) == (type(error), error.args, str(error))
    assert getattr(other, "skew", None) == (1234 if kind in SKEWED else None)


def test_the_skew_is_an_int(webhook: Webhook) -> None:
    """The skew is whole seconds, positive on both sides, and read-only."""
    for kind in SKEWED:
        error = _raised(webhook, kind)
        assert isinstance(error, (StaleTimestampError, FutureTimestampError))
        assert type(error.skew) is int
        assert error.skew == 1234
        with pytest.raises(AttributeError):
            error.skew = 1  # type: ignore[misc]


def test_caught_wide_and_narrow(webhook: Webhook) -> None:
    """A caller can catch one rejection, all that mean "not genuine", or all."""
    for wide in (SignatureMismatchError, VerificationError, WebhookError, Exception):
        with pytest.raises(wide):
            webhook.verify_values(BODY, SENT, "0" * 64, now=NOW)
