"""`explain`: how what is known of a delivery is shown, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from listrak_webhooks.cli import explain
from support.command_line import DANGEROUS
from support.helpers import SECRET, VARIABLE

if TYPE_CHECKING:
    from listrak_webhooks.cli._capture import Capture


@dataclass
class Cause:
    """One cause, as the core has it."""

    name: str
    proven: bool
    summary: str = "a newline was added at the end"
    advice: str = "look at what writes the body"


@dataclass
class Explanation:
    """An explanation, as the core has it."""

    code: str | None = "signature_mismatch"
    causes: tuple[Cause, ...] = ()
    facts: dict[str, Any] = field(
        default_factory=lambda: {"body_length": 3, "is_json": True, "content_type": "text/plain"}
    )

    @property
    def genuine(self) -> bool:
        """Whether there is no code."""
        return self.code is None


def shown(explanation: Explanation, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Return the exit code, and what is printed of an explanation."""
    seen: list[Capture] = []

    def fake(webhook: Any, capture: Capture, now: Any, others: Any) -> Explanation:
        del webhook, now, others
        seen.append(capture)
        return explanation

    monkeypatch.setattr(explain, "explain", fake)
    monkeypatch.setenv(VARIABLE, SECRET)
    runner = CliRunner()
    call = ["-", "--timestamp", "1", "--signature", "x", *arguments]
    result = runner.invoke(explain.command, call, input="{}", standalone_mode=False)
    assert result.exception is None, result.output
    assert [capture.body for capture in seen] == [b"{}"]
    return int(result.return_value), result.output


def test_the_causes_are_listed_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proven one says so; the facts follow."""
    causes = Cause("newline_added", proven=True), Cause("clock_behind", proven=False, summary="the clock is slow")
    status, text = shown(Explanation(causes=causes), monkeypatch)
    assert status == 1
    assert text.splitlines() == [
        "rejected: signature_mismatch",
        "",
        "newline_added: proven, with this undone the signature matches",
        "  a newline was added at the end",
        "  -> look at what writes the body",
        "",
        "clock_behind: likely",
        "  the clock is slow",
        "  -> look at what writes the body",
        "",
        "facts",
        "  body length   3",
        "  is json       yes",
        "  content type  text/plain",
    ]


@pytest.mark.parametrize("name", ["clock_ahead", "clock_behind", "replayed_late"])
def test_a_proven_cause_of_time_is_not_said_to_spoil_the_signature(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature matches as it is when only the time is wrong."""
    _, text = shown(Explanation(code="stale_timestamp", causes=(Cause(name, proven=True),)), monkeypatch)
    assert f"{name}: proven" in text.splitlines()
    assert "signature matches" not in text


def test_a_genuine_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 0."""
    status, text = shown(Explanation(code=None), monkeypatch)
    assert (status, text.splitlines()[0]) == (0, "genuine")
    assert "forgery" not in text


def test_nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a forgery, or another secret."""
    status, text = shown(Explanation(), monkeypatch)
    assert status == 1
    assert "forgery, or it was signed with another secret" in " ".join(text.split())


@pytest.mark.parametrize(("arguments", "hint"), [([], True), (["--now", "1700000000"], False)])
def test_a_stale_delivery_whose_time_of_arrival_is_not_known(
    arguments: list[str], hint: bool, monkeypatch: pytest.MonkeyPatch  # noqa: FBT001
) -> None:  # fmt: skip
    """An old capture is always stale now; `--now` says when it came."""
    _, text = shown(Explanation(code="stale_timestamp"), monkeypatch, *arguments)
    assert ("--now" in text) == hint


def test_nothing_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if the core had let it through."""
    causes = (Cause("newline_added", proven=True, summary=DANGEROUS + "x", advice=DANGEROUS),)
    _, text = shown(Explanation(causes=causes, facts={"content_type": DANGEROUS}), monkeypatch)
    assert all(each.isprintable() or each == "\n" for each in text)
