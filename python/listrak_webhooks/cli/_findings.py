"""What the answers to `check` mean, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._wire import Answer

OK_STATUS = 200
REJECTED = 401
NOT_JSON = (400, 415, 422)
SLOW_SECONDS = 2.0
SKEW_SECONDS = 60
TOLERANCE_SECONDS = 900
CERTIFICATE_DAYS = 21


OTHER_KIND = (
    "Its handler may not take this kind of delivery: choose the kind that it is for with --journey, or pass a body "
    "that it takes with --body."
)


_CHUNKED = (
    "The server may not support a body in chunks (`Transfer-Encoding: chunked`), which HTTP/1.1 requires: take a "
    "server that does, or put a proxy in front of it that reads the whole body and sends its length, as nginx does. "
    "Whether Listrak sends chunks is not documented."
)


class Finding(NamedTuple):
    """One line of the result."""

    name: str
    level: str
    """`green`, `yellow` or `red`."""
    summary: str
    advice: str = ""
    """What to do; empty if there is nothing to do."""


def is_accepted(answer: Answer) -> bool:
    """Whether the sender would take it as received."""
    return answer.status is not None and 200 <= answer.status < 300  # noqa: PLR2004


def is_redirect(answer: Answer) -> bool:
    """Whether it sends the sender elsewhere."""
    return answer.status is not None and 300 <= answer.status < 400  # noqa: PLR2004


def is_failure(answer: Answer) -> bool:
    """Whether the endpoint itself failed."""
    return answer.status is not None and answer.status >= 500  # noqa: PLR2004


def told(answer: Answer) -> str:
    """Return what the endpoint did, in words."""
    return answer.problem if answer.status is None else f"it responded with {answer.status}"


def of_genuine(name: str, what: str, answer: Answer) -> Finding:
    """Return the finding for a delivery that must be accepted like the first ones.

    Args:
        name: the finding's name.
        what: what was sent.
        answer: what came back.
    """
    if is_accepted(answer):
        return Finding(name, "green", f"{what}: accepted with {answer.status}")
    advice = _CHUNKED if name == "chunked" and not is_redirect(answer) else ""
    return Finding(name, "red", f"{what}: not accepted, {told(answer)}", advice or _advice_on(answer, ""))


def of_first(name: str, what: str, answer: Answer, advice: str) -> Finding:
    """Return the finding for a delivery that must get 200.

    Args:
        name: the finding's name.
        what: what was sent.
        answer: what came back.
        advice: what to do if it is rejected as not genuine.
    """
    if is_accepted(answer) and answer.status != OK_STATUS:
        return Finding(
            name,
            "yellow",
            f"{what}: accepted with {answer.status}",
            "Respond with 200: Listrak does not document that it takes other codes as success.",
        )
    if is_accepted(answer) and answer.problem:
        return Finding(
            name,
            "yellow",
            f"{what}: accepted with {answer.status}, but {answer.problem}",
            "Respond with an empty body, or with one whose length is right: Listrak may wait for its end.",
        )
    finding = of_genuine(name, what, answer)
    return finding._replace(advice=_advice_on(answer, advice)) if finding.level == "red" else finding


def _advice_on(answer: Answer, advice: str) -> str:
    """Return what to do about a genuine delivery that was not accepted, as its status says."""
    if is_redirect(answer):
        where = answer.headers.get("location")
        to = f" to {where[:200]}" if where else ""
        return f"The endpoint redirects{to}. A redirect is an answer and is not followed: give Listrak the final URL."
    known = {
        None: "Listrak removes the contact from the journey if nothing responds. Look at whether the server runs and "
        "whether a firewall or the path to it stops the request.",
        403: "Something in front of the endpoint may reject it, such as a firewall, a bot filter or CSRF protection: "
        "exempt this path from it.",
        404: "There is nothing at this path: compare the URL with the route of the endpoint, to the last slash.",
        405: "The path does not take POST: compare the URL with the route of the endpoint, to the last slash.",
        411: "The server wants a Content-Length: allow bodies in chunks.",
        413: "A limit on the size of a body is too low: raise it, in the framework and in each proxy, to 4 MiB.",
        415: f"The endpoint does not take this kind of content. {OTHER_KIND}",
        417: "The server rejects `Expect: 100-continue`: allow it.",
        422: f"The endpoint understands the delivery and does not take its content. {OTHER_KIND}",
        429: "A rate limit rejects deliveries: exempt this path from it.",
    }
    if answer.status in known:
        return known[answer.status]
    if is_failure(answer):
        return (
            f"The endpoint fails on a genuine delivery: its own log says why. {OTHER_KIND} Listrak does not send a "
            "delivery again."
        )
    advice = advice or "The endpoint rejects a genuine delivery: its own log should say why."
    return f"{advice} {OTHER_KIND}" if answer.status == 400 else advice  # noqa: PLR2004


NOTHING_ACCEPTED = Finding(
    "forgeries",
    "yellow",
    "whether forged and old deliveries are rejected cannot be told, as genuine ones are rejected too",
    "Mend the red findings, and check again.",
)


def not_tried(answers: Sequence[Answer]) -> Finding:
    """Return that nothing is known of forgeries, as the endpoint does not get as far as looking at a delivery.

    Args:
        answers: what came back for genuine deliveries.
    """
    reasons = " or ".join(dict.fromkeys(map(told, answers)))
    return Finding(
        "forgeries",
        "yellow",
        f"forged and old deliveries could not be tried, because genuine ones are not accepted: {reasons}",
        "Mend the red findings, and check again.",
    )


def of_variant(name: str, what: str, answer: Answer) -> Finding:
    """Return the finding for a form of a genuine delivery that was not accepted, and not for its signature."""
    if answer.status in NOT_JSON:
        return Finding(
            name,
            "yellow",
            f"{what}: not accepted, {told(answer)}, which is not its response to a forged delivery",
            "The handler may reject a field that it does not expect, here `check`. Listrak may add fields at any time: "
            "ignore those that are not known.",
        )
    return of_genuine(name, what, answer)


def of_bad(name: str, what: str, answer: Answer, advice: str) -> Finding:
    """Return the finding for a delivery that must get 401.

    Args:
        name: the finding's name.
        what: what was sent.
        answer: what came back.
        advice: what to do if it is accepted.
    """
    if is_accepted(answer):
        return Finding(name, "red", f"{what}: accepted with {answer.status}", advice)
    if answer.status is None:
        return Finding(name, "red", f"{what}: {answer.problem}", "Respond with 401 to what is not genuine.")
    if answer.status == REJECTED:
        return Finding(name, "green", f"{what}: rejected with 401")
    return Finding(
        name,
        "yellow",
        f"{what}: not accepted, {told(answer)} instead of 401",
        "Respond with 401 to what is not genuine.",
    )


def of_odd(name: str, what: str, answer: Answer) -> Finding | None:
    """Return what is wrong with the answer to a genuine delivery that is not JSON, or `None`."""
    if is_accepted(answer) or answer.status in NOT_JSON:
        return None
    if is_failure(answer):
        return Finding(
            name, "yellow", f"{what}: {told(answer)}", "Reject a body that is not JSON with 400 instead of failing."
        )
    return of_genuine(name, what, answer)


def of_second(first: Answer, second: Answer) -> Finding:
    """Return the finding for one delivery that came twice."""
    name = "twice"
    if not is_accepted(first):
        return Finding(name, "yellow", "the same delivery twice: not known, as the first was not accepted")
    if second.status == 409:  # noqa: PLR2004
        return Finding(name, "green", "the same delivery twice: the second is rejected with 409")
    if is_accepted(second):
        return Finding(name, "green", f"the same delivery twice: the second is responded to with {second.status}")
    return Finding(
        name,
        "red",
        f"the same delivery twice: for the second {told(second)}",
        "A proxy may deliver twice, and Listrak sees the second response: respond with 200 or 409 to a delivery that "
        "was handled already.",
    )


def of_limit(largest: int | None, smallest_rejected: str, words: str, answer: Answer) -> Finding:
    """Return the finding for a large delivery that was not accepted.

    Args:
        largest: the bytes of the largest one that was, if any was.
        smallest_rejected: the size of the smallest one that was not, in words.
        words: `largest` in words.
        answer: what came back for the smallest one that was not.
    """
    bound = (
        f"up to {words} are accepted, {smallest_rejected} are not" if largest else f"{smallest_rejected} are not either"
    )
    return Finding(
        "large_body",
        "red",
        f"a genuine body of 3 MiB: not accepted, {told(answer)}; {bound}",
        "A cart can be larger than 100 kB. Raise the limit to 4 MiB, in the framework (Express: "
        "express.raw({limit: '4mb'})) and in each proxy (nginx: client_max_body_size 4m).",
    )


def unfinished(seconds: float) -> Finding:
    """Return that the check took too long.

    Args:
        seconds: how long a check may take.
    """
    return Finding(
        "unfinished",
        "red",
        f"the check was ended after {seconds:.0f} seconds: what is not among the findings was not tried",
        "The endpoint is too slow, or does not end its responses: mend that, and check again.",
    )


def of_time(seconds: list[float]) -> Finding:
    """Return the finding for the time that genuine deliveries took."""
    middle = sorted(seconds)[len(seconds) // 2]
    if middle <= SLOW_SECONDS:
        return Finding("time_to_answer", "green", f"it responds within {max(1, round(middle * 1000))} ms")
    return Finding(
        "time_to_answer",
        "yellow",
        f"it takes {middle:.1f} s to respond",
        "How long Listrak waits is not documented, and what times out is lost: put the delivery into a queue, respond "
        "with 200, and do the work afterwards.",
    )


def of_clock(skew: float | None) -> Finding:
    """Return the finding for the distance of the endpoint's clock, in seconds, from this machine's."""
    if skew is None:
        return Finding("clock", "green", "the responses have no `Date`: the clocks were not compared")
    direction = "ahead of" if skew > 0 else "behind"
    if abs(skew) <= SKEW_SECONDS:
        return Finding("clock", "green", "its clock agrees with this machine's")
    worse = (
        " It is so far off that it rejects every delivery as too old or too new."
        if abs(skew) > TOLERANCE_SECONDS
        else ""
    )
    return Finding(
        "clock",
        "yellow",
        f"its clock is {abs(skew):.0f} s {direction} this machine's",
        f"Synchronize the clocks of both with NTP.{worse}",
    )


def of_certificate(days: float | None, end: str) -> Finding:
    """Return the finding for a certificate that is trusted.

    Args:
        days: until its end, if that is known.
        end: the day of its end.
    """
    if days is None:
        return Finding("certificate", "green", "its certificate is trusted")
    if days > CERTIFICATE_DAYS:
        return Finding("certificate", "green", f"its certificate is trusted until {end}")
    return Finding(
        "certificate",
        "yellow",
        f"its certificate ends in {days:.0f} days, on {end}",
        "Renew it now, and look at why it was not renewed by itself.",
    )
