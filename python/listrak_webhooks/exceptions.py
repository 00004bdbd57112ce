"""The exceptions, and what the response to each is.

They are plain Python classes, which the Rust core raises: they pickle, and they can be caught wide (`WebhookError`,
`VerificationError`) or narrow. None of them ever carries a secret, a body, a whole signature, or the MAC that a
rejected delivery should have had.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class WebhookError(Exception):
    """Base of every rejection; never raised itself."""

    code: ClassVar[str]
    """What went wrong, for machines: stable, and safe to send to anybody."""

    status: ClassVar[int]
    """The HTTP status to respond with."""


class VerificationError(WebhookError):
    """Base of every rejection that means: this is not a genuine, timely delivery."""

    status = 401


class MissingHeaderError(VerificationError):
    """`LTK-Timestamp` or `LTK-HmacSignature` is absent or empty."""

    code = "missing_header"


class MalformedTimestampError(VerificationError):
    """`LTK-Timestamp` is not exactly ten digits of Unix seconds, or came twice."""

    code = "malformed_timestamp"


class MalformedSignatureError(VerificationError):
    """`LTK-HmacSignature` is not the base64 or hex of 32 bytes, or came twice."""

    code = "malformed_signature"


class SignatureMismatchError(VerificationError):
    """None of the secrets makes this signature for this body and timestamp."""

    code = "signature_mismatch"


class _SkewError(VerificationError):
    """Base of the two that measure the distance between the clocks."""

    def __init__(self, message: str, skew: int) -> None:
        super().__init__(message, skew)

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def skew(self) -> int:
        """Seconds between the sender's clock and ours, always positive."""
        return int(self.args[1])


class StaleTimestampError(_SkewError):
    """The delivery is genuine but older than the tolerance: a replay, or a clock that is wrong."""

    code = "stale_timestamp"


class FutureTimestampError(_SkewError):
    """The delivery is genuine but further in the future than the tolerance: a clock that is wrong."""

    code = "future_timestamp"


class BodyTooLargeError(WebhookError):
    """The body is larger than `max_body`, or than a limit of the framework's own."""

    code = "body_too_large"
    status = 413


class BodyUnavailableError(WebhookError):
    """The raw body cannot be had, most often because other code has already consumed it."""

    code = "body_unavailable"
    status = 500


class PayloadProblem(NamedTuple):
    """One place at which a payload does not fit a type."""

    path: tuple[str | int, ...]
    """The way there: names of fields and indices of lists; `"..."` for what is not a plain name and may be personal."""

    expected: str
    """What should be there; never what is."""

    def __str__(self) -> str:
        """Return both, with the path as it is written in Python and JavaScript."""
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).removeprefix(".")
        return f"{path or 'the payload'}: {self.expected}"


class PayloadError(WebhookError):
    """The delivery is genuine, but its body is not what was asked for: a JSON object, or a type of your own."""

    code = "invalid_payload"
    status = 400

    def __init__(self, message: str, problems: tuple[PayloadProblem, ...] = (), more: int = 0) -> None:
        super().__init__(message, *([problems, more] if more else [problems] if problems else []))

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def problems(self) -> tuple[PayloadProblem, ...]:
        """Where a payload does not fit the type that was asked for, at most 100 places; empty if it is not JSON."""
        return self.args[1] if self.args[1:] else ()

    @property
    def more(self) -> int:
        """How many problems there are beyond those in `problems`."""
        return self.args[2] if self.args[2:] else 0


class DuplicateDeliveryError(WebhookError):
    """The same delivery is being handled at this moment."""

    code = "duplicate_delivery"
    status = 409


class ReplayGuardError(WebhookError):
    """The store that remembers deliveries did not respond."""

    code = "replay_guard_unavailable"
    status = 503


class ConfigurationError(ValueError):
    """A secret or an option that cannot be right: the programmer's to mend, not the sender's.

    It is not a `WebhookError`: code that responds to rejections must not swallow it by accident.
    """

    code: ClassVar[str] = "configuration_error"
    status: ClassVar[int] = 500
