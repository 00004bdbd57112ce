"""Is the body changed on its way? Told from which forms of a genuine delivery are rejected."""

from __future__ import annotations

from ._findings import Finding

NAME = "body_unchanged"

_RAW = "verify the raw bytes of the request, before anything parses them"

_SIGNS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"compact", "spaced", "indented", "key_order", "repeated_key", "numbers", "escapes"}),
        "it is parsed as JSON and written again before it is verified",
        (
            f"Whatever parses the body may not come before the check: {_RAW} (Express: express.raw() instead of "
            "express.json(); Flask: request.get_data() instead of request.json). If the endpoint does so, a proxy or "
            "gateway in front of it rewrites the body: switch that off."
        ),
    ),
    (
        frozenset({"newline_at_end", "spaces_around"}),
        "white space or a newline at its ends is trimmed",
        f"Take strip() or trim() away: {_RAW}, with every byte at its ends.",
    ),
    (
        frozenset({"line_endings"}),
        "its line endings are converted",
        f"Open nothing in text mode: {_RAW}, with CRLF as it came.",
    ),
    (
        frozenset({"not_ascii"}),
        "letters that are not ASCII come out as other bytes: it is decoded and encoded again in another character set",
        f"Do not turn the body into text: {_RAW}, or decode and encode as UTF-8 on both sides.",
    ),
    (frozenset({"byte_order_mark"}), "a byte order mark is taken away", f"Do not turn the body into text: {_RAW}."),
    (
        frozenset({"not_utf8", "nul"}),
        "it is turned into text and back, so bytes that are not UTF-8 are replaced",
        f"Do not turn the body into text: {_RAW}.",
    ),
)
"""Which forms are rejected, and what that means; together they name every form. The first that fits is what is said."""


def of_body(rejected: dict[str, str], taken: int, *, accepts_forgeries: bool) -> Finding:
    """Return the finding on the body.

    Args:
        rejected: the forms that were rejected as not genuine, by their names, in words.
        taken: how many forms were not.
        accepts_forgeries: whether the endpoint accepts a body that was not signed, so that nothing can be told.
    """
    if not taken:
        return _unknown("every form of it is rejected")
    if rejected:
        meaning, advice = _meaning_of({*rejected})
        return Finding(NAME, "red", f"the body is changed: {meaning}; rejected: {', '.join(rejected.values())}", advice)
    if accepts_forgeries:
        return _unknown("any signature is accepted")
    return Finding(NAME, "green", f"the body arrives byte for byte, in {taken} forms")


def _unknown(reason: str) -> Finding:
    return Finding(
        NAME,
        "yellow",
        f"whether the body is changed cannot be told, as {reason}",
        "Mend the red findings, and check again.",
    )


def _meaning_of(rejected: set[str]) -> tuple[str, str]:
    return next((meaning, advice) for signs, meaning, advice in _SIGNS if rejected & signs)
