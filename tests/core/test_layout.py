"""The plan of the house: imports that go one way, and files and functions that one can read."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import pytest
from support.helpers import TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = TESTS.parent
PACKAGE = ROOT / "python" / "listrak_webhooks"
NAME = PACKAGE.name

LINES_OF_A_FILE = 450
LINES_OF_A_FUNCTION = 50

FOLDERS = ["python", "src", "tests", "benchmarks", "examples", "tools"]


def module_of(path: Path) -> str:
    """Return the name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def statements(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that an import of the module runs: not those of functions, nor those for type checkers."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        for block in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, block, []))


def imported_by(module: str) -> set[str]:
    """Return the modules of the package that importing `module` imports, apart from the packages that they are in."""
    path = MODULES[module]
    here = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*here[: len(here) - node.level + 1], *filter(None, [node.module])]) if node.level else ""
            base = base or node.module or ""
            # `from package import module` imports the module, and else what the package's own file has.
            of_modules = {f"{base}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= of_modules or {base}
    return {each for each in found if each in MODULES and each not in {module, NAME}}


def test_no_module_imports_itself_in_the_end() -> None:
    """Each imports only what is below it."""
    try:
        order = [*TopologicalSorter({module: imported_by(module) for module in MODULES}).static_order()]
    except CycleError as error:
        pytest.fail(f"a circle: {' imports '.join(error.args[1][::-1])}")
    assert len(order) == len(MODULES)


def test_the_kit_knows_no_stack() -> None:
    """Nor does anything else that a stack is made of; only Starlette's request is shared by two of them."""
    stacks = {"flask", "fastapi", "django", "starlette"}
    for module in MODULES:
        below = module.removeprefix(f"{NAME}.").split(".")[0]
        if below not in stacks:
            known = {each.removeprefix(f"{NAME}.").split(".")[0] for each in imported_by(module)}
            assert not known & stacks, module


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_are_short(folder: str) -> None:
    """Nobody has to scroll for long; what is generated is not read."""
    paths = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".rs"}]
    assert paths
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > LINES_OF_A_FILE} == {}


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "src"])
def test_functions_are_short(folder: str) -> None:
    """Apart from their docstrings."""
    long = {}
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                docstring = ast.get_docstring(node, clean=False) is not None
                lines = (node.end_lineno or 0) - node.lineno + 1
                lines -= (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
                if lines > LINES_OF_A_FUNCTION:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert long == {}
