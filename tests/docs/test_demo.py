"""The demo runs a real server with each framework, and tells a wrong answer from a right one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from listrak_webhooks.__main__ import main
from listrak_webhooks.cli import demo

if TYPE_CHECKING:
    from collections.abc import Generator

    from listrak_webhooks import Webhook


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user does."""
    command = [sys.executable, "-m", "listrak_webhooks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("framework", ["flask", "fastapi", "django"])
def test_every_row_comes_out_right(framework: str) -> None:
    """The demo exits 0, and shows each of its ten rows with the answer that it must have."""
    done = run_demo("demo", "--framework", framework)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines()[3:] if line and not line.startswith((" ", "Every"))]
    assert [row[30:33] for row in rows] == ["200"] * 3 + ["401"] * 6 + ["413"]
    assert "WRONG" not in done.stdout


def test_flask_is_the_default() -> None:
    """Without a choice, the receiver is Flask's."""
    assert run_demo("demo").stdout.startswith("A flask receiver on http://127.0.0.1:")


def test_a_receiver_with_other_secrets_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sender does not depend on the receiver's core, so a receiver that is wrong is found out."""
    import contextlib

    import listrak_webhooks

    @contextlib.contextmanager
    def broken(webhook: Webhook) -> Generator[int, None, None]:
        del webhook
        with flask(listrak_webhooks.Webhook("some other secret")) as port:
            yield port

    flask = demo.RECEIVERS["flask"]
    monkeypatch.setitem(demo.RECEIVERS, "flask", broken)
    assert main(["demo"]) == 1
    output = capsys.readouterr().out
    assert "WRONG, should be 200" in " ".join(output.split())
    assert "5 answers are wrong." in output


def test_a_missing_framework_is_named() -> None:
    """Where the framework is not installed, the demo says what to install."""
    script = (
        "import sys; sys.modules['flask'] = None\nfrom listrak_webhooks.__main__ import main\nsys.exit(main(['demo']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'listrak-webhooks[flask]'" in done.stderr


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the one version there is."""
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("listrak-webhooks")
