"""What the docs, the examples and the package's own messages say to install exists: each distribution's extras."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import pkgutil
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import listrak_webhooks
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.helpers import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.utils import NormalizedName

ROOT = TESTS.parent
OURS = "listrak-webhooks"
TOML: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
PROJECT = TOML.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {canonicalize_name(extra) for extra in PROJECT["optional-dependencies"]}

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = [*sorted((ROOT / "examples").glob("*.py")), *sorted((ROOT / "python").rglob("*.py"))]

COMMAND = re.compile(r"pip install ([^`\n]+)")
NAMED = re.compile(r"(?<![\w.\[])([A-Za-z][\w.-]*\[[A-Za-z][\w, -]*\])")
"""A distribution with extras, if it is one: `list[int]` looks the same."""


UNKNOWN = "{}"
"""Stands for what is known only when a message is made: see the last test here."""


def texts_of(path: Path) -> Iterator[str]:
    """Yield what a file says to its readers: a page as a whole, and each docstring and message of a program."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield text
        return
    nodes = [*ast.walk(ast.parse(text))]
    formatted = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in formatted for part in node.values}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value
    for node in formatted:
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values)


def requirements_in(text: str) -> Iterator[Requirement]:
    """Yield what the install lines of a text install; our own wheel and checkout count as our own name."""
    for line in COMMAND.findall(text):
        for word in shlex.split(line, comments=True):
            if not word.startswith("-") and UNKNOWN not in word:
                yield Requirement(re.sub(r"^(\.|dist/listrak_webhooks-\*\.whl)(?=\[|$)", OURS, word))


def distribution_of(name: str) -> importlib.metadata.PackageMetadata | None:
    """Return what is known of an installed distribution."""
    try:
        return importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing_extras(requirement: Requirement) -> set[NormalizedName]:
    """Return those of its extras that do not exist."""
    wanted = {canonicalize_name(extra) for extra in requirement.extras}
    if canonicalize_name(requirement.name) == OURS:
        return wanted - EXTRAS
    if not wanted:
        return set()
    metadata = distribution_of(requirement.name)
    assert metadata is not None, f"{requirement.name} is not installed: add it to requirements/dev.txt"
    return wanted - {canonicalize_name(extra) for extra in metadata.get_all("Provides-Extra") or []}


FILES = [path for path in (*PAGES, *PROGRAMS) if any("pip install" in text for text in texts_of(path))]


def test_the_install_lines_are_found() -> None:
    """The README, a page, an example, the demo and a guard have install lines, at least."""
    names = {path.name for path in FILES}
    assert {"README.md", "first-delivery.md", "celery_redis.py", "demo.py", "_redis_servers.py"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_install_line_names_extras_that_exist(path: Path) -> None:
    """Each word of the line is a requirement, and its distribution has each extra that the word names."""
    requirements = [requirement for text in texts_of(path) for requirement in requirements_in(text)]
    assert {str(requirement): missing_extras(requirement) for requirement in requirements} == {
        str(requirement): set() for requirement in requirements
    }


@pytest.mark.parametrize("path", [*PAGES, *PROGRAMS], ids=lambda path: str(path.relative_to(ROOT)))
def test_an_extra_that_is_named_anywhere_exists(path: Path) -> None:
    """A distribution has the extras that any sentence names, such as `flask[async]`."""
    named = {Requirement(word) for text in texts_of(path) for word in NAMED.findall(text)}
    known = {each for each in named if canonicalize_name(each.name) == OURS or distribution_of(each.name)}
    assert {str(each): missing_extras(each) for each in known} == {str(each): set() for each in known}


def test_the_readme_names_all_extras_and_no_others() -> None:
    """Its sentence on the extras lists those of pyproject.toml."""
    (sentence,) = re.findall(r"The extras are (.*?)\.", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", sentence)) == EXTRAS


MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(listrak_webhooks.__path__, "listrak_webhooks.")
    if not any(part.startswith("_") for part in name.split("."))
]

ALONE = """
import importlib, sys

class Nothing:
    '''Finds what comes with Python, and nothing that must be installed.'''

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "listrak_webhooks"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
try:
    importlib.import_module(sys.argv[1])
except ModuleNotFoundError as error:
    print(error)
"""


def test_a_module_whose_library_is_missing_names_an_extra_that_exists() -> None:
    """Each module of the package either works by itself, or says which of our extras to install."""
    said = {}
    for module in MODULES:
        done = subprocess.run([sys.executable, "-c", ALONE, module], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if done.stdout:
            said[module] = [*requirements_in(done.stdout)]
    assert {"listrak_webhooks.flask", "listrak_webhooks.fastapi", "listrak_webhooks.django"} <= said.keys()
    for module, requirements in said.items():
        (requirement,) = requirements
        assert requirement.name == OURS, module
        assert requirement.extras, module
        assert not missing_extras(requirement), module
