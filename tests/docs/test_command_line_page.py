"""The page on the command line is true: its examples run as they are typed, and its tables are those of the program."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import click
import pytest
from listrak_webhooks._types import JOURNEYS
from listrak_webhooks.cli import send
from listrak_webhooks.cli._findings import CERTIFICATE_DAYS, SKEW_SECONDS, SLOW_SECONDS
from listrak_webhooks.cli._main import COMMANDS, commands
from listrak_webhooks.cli._probes import BAD, FORMS, ODD, TRANSPORT, genuine
from support.command_line import SCRIPT, environment
from support.deliveries import signed
from support.faulty_endpoints import Endpoint, plain_endpoint
from support.helpers import BODY, SECRET, TESTS

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (TESTS.parent / "docs/reference/command-line.md").read_text(encoding="utf-8")
ADDRESS = "https://shop.example.com/listrak"
SECTIONS = {part.split("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
EXAMPLES = {
    name: re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for name, text in SECTIONS.items()
}


def calls_in(block: str) -> list[tuple[str, str]]:
    """Return the commands of an example, each with the output that it shows."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(first, rest) for first, _, rest in (part.partition("\n") for part in parts)]


def shape_of(text: str) -> str:
    """Return output with one digit for each number and one word for each signature."""
    text = re.sub(r"[A-Za-z0-9+/]{43}=", "SIGNATURE", text)
    return re.sub(r"[0-9]+(\.[0-9]+)?", "0", text)


@pytest.mark.parametrize("section", [name for name, blocks in EXAMPLES.items() if blocks])
def test_the_examples_print_what_the_page_shows(section: str, tmp_path: Path) -> None:
    """Except for times, numbers and signatures; a line of dots stands for any others."""
    (tmp_path / "body.json").write_bytes(BODY)
    (tmp_path / "other.json").write_bytes(BODY + b"\n")
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    (tmp_path / "headers.txt").write_text("".join(f"{name}: {value}\n" for name, value in signed().items()))
    path = os.pathsep.join([str(SCRIPT.parent), os.environ["PATH"]])
    with plain_endpoint(Endpoint()) as port:
        for block in EXAMPLES[section]:
            for command, shown in calls_in(block):
                typed = command.replace(ADDRESS, f"http://127.0.0.1:{port}/listrak")
                done = subprocess.run(
                    ["bash", "-c", typed], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
                    env=environment(None, {"PATH": path}),
                )  # fmt: skip
                assert done.returncode in {0, 1}, done.stderr
                if shown.startswith("...\n"):
                    assert shape_of(done.stdout).endswith(shape_of(shown.removeprefix("...\n"))), command
                elif shown:
                    assert shape_of(done.stdout) == shape_of(shown), command


def test_each_command_has_its_row_and_its_section() -> None:
    """And each row is a command."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.split("`--help` of each")[0], re.MULTILINE)
    assert rows == [*COMMANDS]
    headings = {word for name in SECTIONS for word in re.findall(r"\w+", name)}
    assert {*COMMANDS} <= headings


def test_each_option_is_on_the_page() -> None:
    """Under its name; the help needs none."""
    with click.Context(commands) as context:
        for name in COMMANDS:
            command = commands.get_command(context, name)
            assert command is not None
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    assert parameter.opts[0] in PAGE, (name, parameter.opts)


def test_the_tables_have_all_values() -> None:
    """Of `--journey`, `--tamper` and the findings, and the limits are those of the program."""
    text = SECTIONS["send"]
    assert all(value in text for value in JOURNEYS)
    assert all(value in SECTIONS["check"] for value in JOURNEYS)
    assert {*re.findall(r"`(\w+)`", text.split("| `--tamper` |")[1].split("\n\n")[0])} >= {*send.TAMPERINGS}
    names = {*re.findall(r"`(\w+)`", SECTIONS["check"])}
    assert {probe.name for probe in [*BAD, *TRANSPORT, *ODD, *map(genuine, FORMS)]} <= names
    for seconds in (f"{SLOW_SECONDS:.0f} seconds", f"{SKEW_SECONDS} seconds", f"{CERTIFICATE_DAYS} days"):
        assert seconds in SECTIONS["check"]
