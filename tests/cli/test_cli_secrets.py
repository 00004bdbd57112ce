"""Where the secret comes from, and that no mistake shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.command_line import call
from support.helpers import BODY, OTHER_SECRET, SECRET, SENT, VARIABLE, headers_for

if TYPE_CHECKING:
    from pathlib import Path

SIGN = ["sign", "-", "--json", "--timestamp", SENT]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_one_line_break_at_the_end_of_a_file_is_not_part_of_it(end: bytes, tmp_path: Path) -> None:
    """Editors write one."""
    (tmp_path / "secret").write_bytes(SECRET.encode() + end)
    result = call(*SIGN, "--secret-file", "secret", stdin=BODY, secret=None, folder=tmp_path)
    assert result.json() == headers_for()


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r", b" \n", b"\t"])
def test_more_white_space_is_a_mistake(end: bytes, tmp_path: Path) -> None:
    """Nobody knows whether it belongs to the secret, and a signature with it would not be Listrak's."""
    (tmp_path / "secret").write_bytes(SECRET.encode() + end)
    result = call(*SIGN, "--secret-file", "secret", stdin=BODY, secret=None, folder=tmp_path)
    assert (result.status, result.out) == (2, "")
    assert "the file that --secret-file names" in result.problem
    assert SECRET not in result.err


def test_a_secret_that_is_not_ascii(tmp_path: Path) -> None:
    """Its key is its UTF-8 bytes."""
    (tmp_path / "secret").write_text("pässwörd and more\n", encoding="utf-8")
    result = call(*SIGN, "--secret-file", "secret", stdin=BODY, secret=None, folder=tmp_path)
    assert result.json() == headers_for(secret="pässwörd and more")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "utf-8-sig"])
def test_a_file_in_another_encoding_is_a_mistake(encoding: str, tmp_path: Path) -> None:
    """Such as Windows PowerShell writes."""
    (tmp_path / "secret").write_bytes("pässwörd and more".encode(encoding))
    result = call(*SIGN, "--secret-file", "secret", stdin=BODY, secret=None, folder=tmp_path)
    assert (result.status, result.out) == (2, "")
    assert "more" not in result.err.replace("more arguments", "")


def test_the_standard_input(tmp_path: Path) -> None:
    """A secret manager may write it there."""
    (tmp_path / "body").write_bytes(BODY)
    arguments = ["sign", "body", "--json", "--timestamp", SENT, "--secret-file", "-"]
    result = call(*arguments, stdin=SECRET.encode() + b"\n", secret=None, folder=tmp_path)
    assert result.json() == headers_for()


@pytest.mark.parametrize("command", ["sign", "verify", "explain"])
def test_the_standard_input_cannot_be_two_things(command: str) -> None:
    """It is found before anything is read."""
    result = call(command, "-", "--secret-file", "-", "--headers" if command != "sign" else "--timestamp", SENT)
    assert (result.status, result.out) == (2, "")
    assert "the standard input cannot be both" in result.problem


def test_a_variable() -> None:
    """The one that is named counts, and not the usual one."""
    result = call(
        *SIGN, "--secret-env", "SHOP_SECRET", stdin=BODY, secret=OTHER_SECRET, variables={"SHOP_SECRET": SECRET}
    )
    assert result.json() == headers_for()


def test_a_file_goes_before_the_environment(tmp_path: Path) -> None:
    """Neither variable is read then, so a mistake in one of them makes no difference."""
    (tmp_path / "secret").write_text(SECRET)
    variables = {f"{VARIABLE}_PREVIOUS": " \x01 "}
    result = call(
        *SIGN, "--secret-file", "secret", stdin=BODY, secret=OTHER_SECRET, variables=variables, folder=tmp_path
    )
    assert result.json() == headers_for()


def test_no_secret() -> None:
    """All three ways are named."""
    for secret in (None, ""):
        result = call(*SIGN, stdin=BODY, secret=secret)
        assert (result.status, result.out) == (2, "")
        for way in ("--secret-file", "--secret-env", VARIABLE):
            assert way in result.err


def test_two_ways_at_once(tmp_path: Path) -> None:
    """Which is meant is not known."""
    (tmp_path / "secret").write_text(SECRET)
    result = call(*SIGN, "--secret-file", tmp_path / "secret", "--secret-env", VARIABLE, stdin=BODY)
    assert (result.status, result.out) == (2, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--secret-file", SECRET],
        ["--secret-env", SECRET],
        [SECRET],
        ["--secret", SECRET],
        [f"--secret={SECRET}"],
        ["--secret-file", "missing/" + SECRET],
    ],
)
@pytest.mark.parametrize("command", ["sign", "verify", "explain"])
def test_a_secret_in_the_wrong_place_is_not_shown(command: str, arguments: list[str]) -> None:
    """A log of the call would keep it."""
    result = call(command, "-", *arguments, stdin=BODY, secret=None)
    assert (result.status, result.out) == (2, "")
    assert SECRET not in result.err


@pytest.mark.parametrize("bad", [f" {SECRET}", f"{SECRET}\n", f"{SECRET}\x07", "\u200b" + SECRET])
def test_an_environment_that_cannot_be_right(bad: str) -> None:
    """It is a mistake in the call, and the value is not shown."""
    result = call(*SIGN, stdin=BODY, secret=bad)
    assert (result.status, result.out) == (2, "")
    assert SECRET not in result.err


def test_a_secret_that_looks_wrong_is_warned_of() -> None:
    """Quotation marks around it, say; the result on the standard output is not disturbed."""
    result = call(*SIGN, stdin=BODY, secret=f'"{SECRET}"')
    assert result.json() == headers_for(secret=f'"{SECRET}"')
    assert "quot" in result.err
    assert SECRET not in result.err


def test_no_command_takes_the_secret_as_an_argument() -> None:
    """Other users of the machine could see it."""
    for command in ("sign", "verify", "explain", "send", "check"):
        text = call(command, "--help").out
        assert "--secret-file PATH" in text
        assert "--secret " not in text
