"""The group: what each command imports, what is said without the extra, help, completion, and text from strangers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from listrak_webhooks._extras import LIBRARIES
from listrak_webhooks.cli._main import COMMANDS
from listrak_webhooks.cli._text import escaped
from support.command_line import DANGEROUS, SCRIPT, call, call_on_terminal, environment
from support.helpers import BODY, SECRET, SENT, headers_for
from support.scripts import run

if TYPE_CHECKING:
    from pathlib import Path

PARTS = [module for module, library in LIBRARIES.items() if library.extra == "cli"]


class TestExtra:
    """What the command line needs."""

    @pytest.mark.parametrize("missing", [[each] for each in PARTS] + [PARTS])
    @pytest.mark.parametrize("arguments", [[], ["demo"], ["sign", "-"], ["--help"]])
    def test_without_the_extra_one_sentence_names_it(self, missing: list[str], arguments: list[str]) -> None:
        """It is the same for every command, whichever part is missing, and the exit code is 2."""
        script = f"from listrak_webhooks.__main__ import main; sys.exit(main({arguments!r}))"
        done = run(script, *missing)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert 'pip install "listrak-webhooks[cli]"' in line

    def test_a_library_that_is_too_old_is_named(self) -> None:
        """Each is checked where it is imported."""
        for module in PARTS:
            minimum = LIBRARIES[module].minimum
            script = f"""
                import {module}
                {module}.__version__ = "0.0.1"
                from listrak_webhooks.__main__ import main
                arguments = ["check", "http://127.0.0.1:1/"] if {module!r} != "rich" else ["send", "http://127.0.0.1:1/"]
                if {module!r} == "rich":
                    sys.stderr.isatty = lambda: True
                sys.exit(main(arguments))
            """
            done = subprocess.run(
                [sys.executable, "-c", "import sys\n" + "\n".join(line[16:] for line in script.splitlines())],
                capture_output=True, text=True, check=False, env=environment(SECRET), timeout=60,
            )  # fmt: skip
            assert done.returncode == 2, (module, done)
            assert f"{minimum} or newer, and 0.0.1 is installed" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "foreign"),
        [
            (["sign", "-"], ["httpx2", "rich", "h11", "asyncio", "flask", "listrak_webhooks.testing"]),
            (["verify", "-", "--timestamp", SENT, "--signature", "x"], ["httpx2", "rich", "h11", "flask"]),
            (["--help"], ["httpx2", "rich", "h11", "flask", "listrak_webhooks.testing"]),
            (["send", "--help"], ["httpx2", "rich", "h11", "flask", "listrak_webhooks.testing"]),
            (["check", "--help"], ["httpx2", "rich", "h11", "flask"]),
            (["demo", "--help"], ["httpx2", "rich", "h11", "flask"]),
        ],
    )
    def test_a_command_imports_what_it_needs(self, arguments: list[str], foreign: list[str]) -> None:
        """Signing needs no HTTP, no table, and no framework."""
        script = f"""
            import io
            sys.stdin = io.TextIOWrapper(io.BytesIO(b"{{}}"))
            from listrak_webhooks.__main__ import main
            try:
                main({arguments!r})
            finally:
                print("IMPORTED", *sys.modules)
        """
        done = subprocess.run(
            [sys.executable, "-c", "import sys\n" + "\n".join(line[12:] for line in script.splitlines())],
            capture_output=True, text=True, check=False, env=environment(SECRET), timeout=60,
        )  # fmt: skip
        imported = {*done.stdout.rpartition("IMPORTED ")[2].split()}
        assert "click" in imported, done.stderr
        assert not imported & {*foreign}

    def test_the_package_imports_no_click(self) -> None:
        """A web server has no use for it."""
        done = run("import listrak_webhooks, listrak_webhooks.replay; print(*sys.modules)")
        assert done.returncode == 0
        assert not {"click", "rich", "httpx2", "h11", "listrak_webhooks.cli"} & {*done.stdout.split()}


class TestHelp:
    """What a person reads first."""

    def test_the_commands_are_listed_in_their_order(self) -> None:
        """With a sentence each."""
        result = call("--help", secret=None)
        listed = [
            line.split()[0] for line in result.out.partition("Commands:\n")[2].splitlines() if line.startswith("  ")
        ]
        assert (result.status, [each for each in listed if each in COMMANDS]) == (0, [*COMMANDS])

    @pytest.mark.parametrize("command", COMMANDS)
    def test_the_help_of_each_ends_with_an_example(self, command: str) -> None:
        """It can be pasted: it begins with the name of the script and of the command."""
        result = call(command, "--help", secret=None)
        assert result.status == 0
        heading, example = result.out.rstrip().splitlines()[-2:]
        assert heading.strip() == "Example:"
        assert example.strip().startswith(f"listrak-webhooks {command}")
        assert max(map(len, result.out.splitlines())) <= 100

    def test_no_command_is_a_mistake(self) -> None:
        """The help is shown, and the exit code is 2."""
        result = call(secret=None)
        assert (result.status, result.out) == (2, "")
        assert "Usage: listrak-webhooks" in result.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["listn"],
            pytest.param(["_text"], marks=pytest.mark.newer("click 8.2 says that it does not know it")),
            ["os"],
            ["--no"],
            ["a\x1b[2Jb"],
        ],
    )
    def test_an_unknown_command_is_a_mistake(self, arguments: list[str]) -> None:
        """It is shown without its control characters."""
        result = call(*arguments, secret=None)
        assert (result.status, result.out) == (2, "")
        assert "Error: No such" in result.err
        assert "\x1b" not in result.err

    def test_python_m_is_the_same(self) -> None:
        """Also under its name in the usage."""
        command = [sys.executable, "-m", "listrak_webhooks", "sign"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(SECRET), timeout=60)
        assert done.returncode == 2
        assert "Usage: listrak-webhooks sign" in done.stderr


class TestCompletion:
    """Completion of words in the shells that Click knows."""

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_each_shell_has_a_script(self, shell: str) -> None:
        """It names the variable of our script."""
        result = call(variables={"_LISTRAK_WEBHOOKS_COMPLETE": f"{shell}_source"}, secret=None)
        assert result.status == 0
        assert "_LISTRAK_WEBHOOKS_COMPLETE" in result.out

    @pytest.mark.parametrize(
        ("words", "wanted"),
        [
            (["listrak-webhooks", "si"], ["sign"]),
            (["listrak-webhooks", "send", "--jour"], ["--journey"]),
            (["listrak-webhooks", "send", "--journey", "c"], ["cart", "custom"]),
            (["listrak-webhooks", "send", "--tamper", "st"], ["stale"]),
            (["listrak-webhooks", "sign", "x", "--enc"], ["--encoding"]),
        ],
    )
    def test_bash_completes(self, words: list[str], wanted: list[str]) -> None:
        """In a real bash, by the function that the script defines."""
        bash = shutil.which("bash")
        assert bash is not None, "bash is not installed"
        script = f"""
            eval "$(_LISTRAK_WEBHOOKS_COMPLETE=bash_source listrak-webhooks)"
            COMP_WORDS=({" ".join(words)})
            COMP_CWORD={len(words) - 1}
            _listrak_webhooks_completion listrak-webhooks
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        path = os.pathsep.join([str(SCRIPT.parent), os.environ["PATH"]])
        done = subprocess.run(
            [bash, "--norc", "-c", script], capture_output=True, text=True, check=False, timeout=60,
            env=environment(None, {"PATH": path}),
        )  # fmt: skip
        assert (done.returncode, done.stdout.split()) == (0, wanted), done.stderr


class TestText:
    """What strangers wrote."""

    def test_no_character_that_a_terminal_obeys_is_left(self) -> None:
        """Each is shown as its escape, and letters of all languages stay."""
        assert escaped("José 東京 ✓") == "José 東京 ✓"
        shown = escaped(DANGEROUS)
        assert shown.isascii()
        assert shown.isprintable()
        assert all(escaped(each) != each for each in DANGEROUS)
        assert escaped("\ud800") == "\\ud800"
        assert all(escaped(chr(each)).isprintable() for each in range(sys.maxunicode + 1))

    def test_a_name_of_a_file_is_escaped(self, tmp_path: Path) -> None:
        """A folder may hold files that others named."""
        result = call("verify", "-", "--headers", "evil\x1b]0;title\x07", stdin=BODY, folder=tmp_path)
        assert result.status == 2
        assert "\x1b" not in result.err
        assert "\\x1b]0;title\\x07" in result.err

    @pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
    def test_the_encoding_of_the_terminal_may_lack_characters(self, encoding: str, tmp_path: Path) -> None:
        """They are shown escaped, and nothing fails."""
        result = call("sign", "東京", folder=tmp_path, variables={"PYTHONIOENCODING": encoding})
        assert result.status == 2
        assert ("\\u6771" in result.err) == (encoding != "utf-8")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no such device on this system")  # noqa: PTH110
@pytest.mark.parametrize("command", [["sign", os.devnull], ["--help"], ["demo"]])
def test_output_that_cannot_be_written_is_a_failure(command: list[str]) -> None:
    """As on a full disk: a sentence, and exit code 1."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [SCRIPT, *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(SECRET),
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "Error: the output cannot be written: No space left on device\n")


class TestTerminal:
    """Colors for a person, and none for a pipe."""

    VERIFY = (
        "verify",
        os.devnull,
        "--timestamp",
        SENT,
        "--signature",
        headers_for(b"")["LTK-HmacSignature"],
        "--now",
        SENT,
    )

    def test_a_verdict_has_a_color_on_a_terminal(self) -> None:
        """Unless it is not wished for, or the terminal has none."""
        assert "\x1b[1;32mgenuine" in call_on_terminal(*self.VERIFY).text
        assert "\x1b" not in call_on_terminal(*self.VERIFY, variables={"NO_COLOR": "1"}).text
        assert "\x1b" not in call_on_terminal(*self.VERIFY, variables={"TERM": "dumb"}).text
        assert "\x1b" not in call(*self.VERIFY).out
