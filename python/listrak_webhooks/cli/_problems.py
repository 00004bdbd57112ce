"""Why an endpoint did not respond, in words."""

from __future__ import annotations

import socket
import ssl

NO_ANSWER_SECONDS = 30.0
"""How long an endpoint may take for all of an exchange."""


_WORDS: tuple[tuple[type[OSError], str], ...] = (
    (TimeoutError, f"no response within {NO_ANSWER_SECONDS:.0f} seconds"),
    (socket.gaierror, "the name of the host is not known"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionError, "the connection was closed"),
)


def problem_of(error: BaseException) -> str:
    """Return why there is no response.

    Args:
        error: what a socket raised.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return str(getattr(error, "strerror", None) or error)
