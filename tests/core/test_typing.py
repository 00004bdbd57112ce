"""Type checkers take what users write, and find the mistakes: the samples are in `typing/`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.helpers import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = TESTS / "typing"
GOOD = sorted(path.name for path in SAMPLES.glob("*.py") if path.name != "must_fail.py")
MARK = "  # type: ignore["

Errors = dict[str, dict[int, str]]
"""Of each file, the lines with an error, and what it is."""


def mypy(directory: Path) -> Errors:
    """Return what mypy finds in a directory."""
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--output", "json", str(directory)]
    done = _run(command, directory)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return _by_file((entry["file"], entry["line"], entry["message"]) for entry in found if entry["severity"] == "error")


def pyright(directory: Path) -> Errors:
    """Return what pyright finds in a directory."""
    # Its configuration is one of its own, because only files under a configuration are checked strictly.
    options = {
        "typeCheckingMode": "strict",
        "include": ["."],
        "pythonVersion": "3.10",
        "extraPaths": [str(TESTS.parent / "python")],
    }
    (directory / "pyrightconfig.json").write_text(json.dumps(options))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", str(directory)]
    done = _run(command, directory)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return _by_file((entry["file"], entry["range"]["start"]["line"] + 1, entry["message"]) for entry in found)


CHECKERS = {"mypy": mypy, "pyright": pyright}


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory, timeout=120)
    # 0 is nothing found and 1 is something; all else is not an answer.
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done


def _by_file(found: Iterator[tuple[str, int, str]]) -> Errors:
    errors: Errors = {}
    for file, line, message in found:
        errors.setdefault(Path(file).name, {})[line] = message
    return errors


@pytest.fixture(scope="module", params=CHECKERS)
def errors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Errors:
    """Return what one type checker finds in all samples, with the marks of the mistakes taken out."""
    pytest.importorskip(request.param)
    directory = tmp_path_factory.mktemp(request.param)
    for path in SAMPLES.glob("*.py"):
        lines = [line.split(MARK)[0] for line in path.read_text(encoding="utf-8").splitlines()]
        (directory / path.name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return CHECKERS[request.param](directory)


@pytest.mark.parametrize("sample", GOOD)
def test_what_users_write_is_clean(errors: Errors, sample: str) -> None:
    """Under the strictest settings, there is nothing to say about it."""
    assert errors.get(sample, {}) == {}


def test_each_mistake_is_found_and_nothing_else(errors: Errors) -> None:
    """The lines with an error are those that are marked."""
    lines = (SAMPLES / "must_fail.py").read_text(encoding="utf-8").splitlines()
    marked = {number: line for number, line in enumerate(lines, 1) if MARK in line}
    assert len(marked) > 30
    found = errors.get("must_fail.py", {})
    assert {number: line for number, line in marked.items() if number not in found} == {}
    assert {number: message for number, message in found.items() if number not in marked} == {}


def test_the_marks_name_the_right_errors() -> None:
    """Mypy reports a mark where there is no such error, so that a mistake is not excused by another one."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", str(SAMPLES / "must_fail.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("sample", ["core", "flask_app", "fastapi_app", "django_app", "replay_guards", "kit"])
def test_the_samples_run(sample: str) -> None:
    """What is checked is real code: importing it raises nothing."""
    script = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(SAMPLES)!r})\n"
        "os.environ['LISTRAK_WEBHOOK_SECRET'] = 'a secret'\n"
        "os.environ['SHOP_SECRET'] = 'a secret'\n"
        "from django.conf import settings\n"
        "backend = 'django.core.cache.backends.redis.RedisCache'\n"
        "settings.configure(CACHES={'default': {'BACKEND': backend, 'LOCATION': 'redis://127.0.0.1'}})\n"
        f"import {sample}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
