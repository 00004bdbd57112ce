"""What the numbers depend on: the machine, and how much memory this process holds."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def description() -> list[str]:
    """Return lines that say what the measurement ran on; nothing in them names the machine or its owner."""
    processor, sha_extensions = _processor()
    extensions = {True: "yes", False: "no", None: "unknown"}[sha_extensions]
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"{python}, {ssl.OPENSSL_VERSION}, {platform.system()} {platform.machine()}",
        f"CPU: {processor}, {os.cpu_count()} logical; SHA-256 instructions: {extensions}; load before: {load}",
    ]


def _processor() -> tuple[str, bool | None]:
    """Return the processor's name, and whether it has instructions for SHA-256 where that can be known."""
    if sys.platform == "darwin":
        name = _sysctl("machdep.cpu.brand_string") or platform.processor()
        return name, {"1": True, "0": False}.get(_sysctl("hw.optional.arm.FEAT_SHA256"))
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine(), None
    facts: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    flags = facts.get("flags", facts.get("Features", "")).split()
    processor = facts.get("model name") or platform.machine()
    return processor, ("sha_ni" in flags or "sha2" in flags) if flags else None


def _sysctl(name: str) -> str:
    command = ["/usr/sbin/sysctl", "-n", name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def rise_of_peak_memory(work: Callable[[], object]) -> int | None:
    """Return by how many bytes `work` raises the most resident memory that this process ever held.

    Seen by the kernel, so what Rust allocates counts too. `None` where the kernel cannot start its peak afresh, which
    only Linux can: against an older and higher peak nothing would ever show.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _status("VmHWM")
        work()
        return _status("VmHWM") - before
    except OSError:
        return None


def resident_memory() -> int | None:
    """Return the bytes of resident memory that this process holds; `None` where the kernel does not say."""
    try:
        return _status("VmRSS")
    except OSError:
        return None


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"the kernel does not say {name}")
