"""Write the defaults of arguments into the generated stub, which shows the literal ones alone.

    python tools/stub_defaults.py STUB

They are in the text signatures of the built core, which is imported.
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listrak_webhooks import _core

if TYPE_CHECKING:
    from collections.abc import Iterator


def functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, Any]]:
    """Yield each function in the stub that the core shows a signature of, and what it is in the core."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, getattr(_core, node.name)
        elif isinstance(node, ast.ClassDef):
            owner = getattr(_core, node.name)
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield method, owner if method.name == "__new__" else getattr(owner, method.name)


def main(path: Path) -> None:
    """Replace each `...` that is a default in the stub at `path`."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    # From the end, so that the places in front stay where they are.
    for (line, column), default in sorted(defaults(ast.parse(text)), reverse=True):
        lines[line] = lines[line][:column] + default + lines[line][column + len("...") :]
    path.write_text("".join(lines), encoding="utf-8")


def defaults(tree: ast.Module) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the place of each `...` that is a default, and what the default is."""
    for node, found in functions(tree):
        arguments = node.args
        named = [
            *zip(arguments.args[::-1], arguments.defaults[::-1], strict=False),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, default in named:
            if isinstance(default, ast.Constant) and default.value is ...:
                value = inspect.signature(found).parameters[argument.arg].default
                yield (default.lineno - 1, default.col_offset), repr(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
