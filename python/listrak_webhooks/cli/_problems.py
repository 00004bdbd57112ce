"""Why an endpoint did not respond, in words."""

from __future__ import annotations

import ast
import contextlib
import re
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


def protocol_problem_of(error: Exception) -> str:
    """Return what is wrong with a response that is not HTTP, or not a whole one.

    Args:
        error: what h11 raised, or a client that uses it.
    """
    message = str(error)
    if message.startswith("Server disconnected"):
        return NO_RESPONSE
    if message.startswith("peer closed connection"):
        return _CUT
    if message.endswith("closed connection") or "ConnectionClosed" in message:
        return NO_RESPONSE
    # h11 shows what it has read as Python writes it.
    shown = re.sub(r"bytearray\((b.*)\)", lambda found: _text_of(found[1]), message, flags=re.DOTALL)
    return f"the response is not HTTP: {shown[:MOST_OF_A_MESSAGE]}"


def _text_of(literal: str) -> str:
    """Return the text of bytes as Python writes them."""
    with contextlib.suppress(ValueError, SyntaxError):
        return bytes(ast.literal_eval(literal)).decode("latin-1")
    return literal


NO_RESPONSE = "the connection was closed without an HTTP response"
_CUT = "the response was cut: the connection was closed before its end"

MOST_OF_A_MESSAGE = 200
"""Characters of a message that are shown, which may hold what the endpoint sent."""
