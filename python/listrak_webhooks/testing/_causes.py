"""The one thing that is wrong where many probes find something."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from .probes import HANDLED, REJECTED, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .probes import Answer, Material, Probe


class Outcome(NamedTuple):
    """What came of one probe."""

    probe: Probe
    answers: list[Answer]
    finding: Finding


_FORMS = (
    "the body is changed before it is verified: a genuine delivery is accepted if its body is {form}, and not as it is"
)
_BYTES = "verify the raw bytes as they arrived, before anything parses, decodes or trims them"
_OTHER_SIGNER = (
    "the endpoint's secret is not the one that signs here: give both the same, by LISTRAK_WEBHOOK_SECRET, "
    "Sender(secret) or @pytest.mark.listrak(secret=…), and make the app after it is set; if they are the same, the "
    "body is changed before it is verified"
)
_NOT_NOW = (
    "deliveries are signed {seconds} s {side} the endpoint's clock: Sender(now=…) sets the time of the signature "
    "alone; put the check into `with stop_clock(now):`"
)
_UNREACHABLE = "nothing listens where the client connects to: start the endpoint, and compare the address and the port"
_RAISES = "the endpoint raises for every genuine delivery: the traceback is that of the cause"
_OWN = "if the handler takes one kind of delivery alone, give one as delivery=…, such as delivery=order()"
_BY_STATUS = {
    400: f"the handler rejects the delivery: {_OWN}",
    403: "something in front of the handler rejects it, such as CSRF protection or a login: exempt the path",
    404: "the path is wrong: compare it with the endpoint's route, to the last slash",
    405: "the path does not take POST: compare it with the endpoint's route",
    422: f"the handler rejects the delivery: {_OWN}",
    503: "the endpoint's store, queue or database does not respond, or the app is not ready: see its log",
}
_FAILS = f"the endpoint fails for every genuine delivery: see its log; {_OWN}"
_REWRITTEN = f"the body is parsed and written again before it is verified: {_BYTES}"
_NOTHING = "the endpoint accepts whatever it is sent: verify the signature and the timestamp before the handler"
_ALWAYS_HANDLED = {"genuine_base64", "genuine_hex", "lower_case_headers", "twice"}
"""What must be accepted, if it is not too large."""


def joined(outcomes: Sequence[Outcome], material: Material, accepted_form: str | None) -> list[Finding]:
    """Return the findings, those with one cause as one.

    Args:
        outcomes: what came of all probes.
        material: what the deliveries were made of.
        accepted_form: how the body of a genuine delivery was written that was accepted although the others were not.
    """
    advice: dict[str, str] = {}
    covered: set[str] = set()
    for cause in (_of_genuine, _of_base64, _of_rewritten, _of_nothing_verified):
        if found := cause(outcomes, material, accepted_form):
            others = {each.finding.name for each in outcomes if _is_wrong(each) and found.is_reason_of(each)}
            others -= {found.name} | covered
            advice[found.name] = found.advice + _counted(len(others))
            covered |= others
    findings = [each.finding for each in outcomes if each.finding.name not in covered]
    return [replace(each, advice=advice.get(each.name, each.advice)) for each in findings]


def _is_wrong(outcome: Outcome) -> bool:
    return outcome.finding.level != "green"


def _counted(others: int) -> str:
    if others == 0:
        return ""
    return (
        f". {others} other probes fail for the same reason" if others > 1 else ". 1 other probe fails for that reason"
    )


@dataclass(frozen=True)
class _Cause:
    """What is wrong, in the row of the first probe that finds it."""

    name: str
    """That probe's."""

    advice: str
    is_reason_of: Callable[[Outcome], bool]
    """Whether a probe fails for it too."""


def same_of_genuine(outcomes: Sequence[Outcome]) -> Answer | None:
    """Return the answer that all genuine deliveries got which must be handled, if it is one and not 200."""
    answers = [answer for each in outcomes if each.probe.name in _ALWAYS_HANDLED for answer in each.answers]
    if not answers or answers[0].status == 200 or len({(each.status, each.error) for each in answers}) > 1:  # noqa: PLR2004
        return None
    return answers[0]


def _is_answered(outcome: Outcome, status: int | None) -> bool:
    return all(answer.status == status for answer in outcome.answers)


def _of_genuine(outcomes: Sequence[Outcome], material: Material, accepted_form: str | None) -> _Cause | None:
    """All genuine deliveries get the same, and it is not 200."""
    answer = same_of_genuine(outcomes)
    if answer is None:
        return None
    (lead,) = [each.finding for each in outcomes if each.finding.name == "genuine_base64"]
    accepted = answer.status is not None and 200 < answer.status < 300  # noqa: PLR2004
    return _Cause(
        lead.name,
        _advice_on(answer, material, accepted_form) or lead.advice,
        # What is accepted though it must not be is wrong for another reason.
        lambda each: _is_answered(each, answer.status) and (each.probe.judge in HANDLED or not accepted),
    )


def _advice_on(answer: Answer, material: Material, accepted_form: str | None) -> str | None:
    if answer.status is None:
        return _UNREACHABLE if answer.is_unreachable else f"{_RAISES}; {_OWN}"
    if answer.status == 401:  # noqa: PLR2004
        if accepted_form is not None:
            return f"{_FORMS.format(form=accepted_form)}; {_BYTES}"
        if ahead := material.seconds_ahead:
            return _NOT_NOW.format(seconds=abs(ahead), side="ahead of" if ahead > 0 else "behind")
        return _OTHER_SIGNER
    return _BY_STATUS.get(answer.status) or (_FAILS if answer.status >= 500 else None)  # noqa: PLR2004


def _of_base64(outcomes: Sequence[Outcome], *_: object) -> _Cause | None:
    """Hex is accepted, and base64 is not."""
    by_name = {each.finding.name: each for each in outcomes}
    base64, hexadecimal = by_name["genuine_base64"], by_name["genuine_hex"]
    if hexadecimal.finding.level == "red" or not _is_answered(base64, 401):
        return None
    return _Cause("genuine_base64", base64.finding.advice, lambda each: _is_answered(each, 401))


def _of_rewritten(outcomes: Sequence[Outcome], *_: object) -> _Cause | None:
    """A genuine signature is accepted with the same JSON in other bytes, and no other forgery is."""
    accepted = {each.finding.name for each in outcomes if each.probe.judge is REJECTED and _is_accepted(each)}
    if "body_reserialized" not in accepted or accepted & {"forged", "body_changed"}:
        return None
    return _Cause("body_reserialized", _REWRITTEN, lambda each: _is_answered(each, 401))


def _of_nothing_verified(outcomes: Sequence[Outcome], *_: object) -> _Cause | None:
    """All that must be rejected is accepted."""
    if not all(_is_accepted(each) for each in outcomes if each.probe.judge is REJECTED):
        return None
    return _Cause("forged", _NOTHING, lambda each: each.probe.judge is REJECTED)


def _is_accepted(outcome: Outcome) -> bool:
    return all(200 <= (answer.status or 0) < 300 for answer in outcome.answers)  # noqa: PLR2004
