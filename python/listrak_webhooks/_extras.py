"""The optional libraries: which versions are supported, and what to say if one is missing or too old."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator


class Library(NamedTuple):
    """An optional library."""

    name: str
    """As its authors write it."""

    minimum: str
    """The oldest version that is supported, and that `make test-minimum` tests."""

    extra: str
    """Our extra that installs it."""


LIBRARIES = {
    "flask": Library("Flask", "3.0", "flask"),
    "fastapi": Library("FastAPI", "0.115", "fastapi"),
    "django": Library("Django", "5.2", "django"),
    "starlette": Library("Starlette", "0.38", "starlette"),
    "redis": Library("redis-py", "5.0", "redis"),
    "pydantic": Library("Pydantic", "2.10", "pydantic"),
    "msgspec": Library("msgspec", "0.18", "msgspec"),
    "click": Library("Click", "8.1.3", "cli"),
    "rich": Library("Rich", "13.0", "cli"),
    "httpx2": Library("HTTPX2", "2.0", "cli"),
    "h11": Library("h11", "0.16", "cli"),
}
"""By module, which is the name of the distribution too."""

_VERSION = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)(?:[^0-9!][^!]*)?")
"""A version with its numbers. One with an epoch, `1!2.0`, is not on the same scale."""


@contextlib.contextmanager
def importing(module: str, *, needed_by: str) -> Generator[None, None, None]:
    """Import an optional library for the first time in this block.

    Args:
        module: the library.
        needed_by: what does not work without it.

    Raises:
        ModuleNotFoundError: it is not installed.
        ImportError: it is too old.
    """
    try:
        yield
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise ModuleNotFoundError(
                f"{needed_by} needs {LIBRARIES[module].name}, which is not installed; "
                f"install it with: pip install 'listrak-webhooks[{LIBRARIES[module].extra}]'",
                name=module,
            ) from None
        # The library is there and lacks something: because it is older than what it needs, or that is another problem,
        # and not ours to explain.
        raise _too_old(module, needed_by) or error from None
    check_version(module, needed_by=needed_by)


def check_version(module: str, *, needed_by: str) -> None:
    """Find an optional library that is too old. A version that cannot be read counts as new enough.

    It takes microseconds, or a millisecond if the library's metadata has to be read: call it when the library is
    imported first, and not for each delivery.

    Args:
        module: the library, which is imported.
        needed_by: what does not work with an older one.

    Raises:
        ImportError: it is too old.
    """
    error = _too_old(module, needed_by)
    if error is not None:
        raise error


def _too_old(module: str, needed_by: str) -> ImportError | None:
    name, minimum, _ = LIBRARIES[module]
    version = _version_of(module)
    if _numbers(version) >= _numbers(minimum):
        return None
    return ImportError(
        f"{needed_by} needs {name} {minimum} or newer, and {version} is installed; "
        f"upgrade it with: pip install '{module}>={minimum}'",
        name=module,
    )


def _version_of(module: str) -> object:
    """Return the version of a library.

    What the imported library itself says comes first: there may be no metadata, or that of another copy.
    """
    # Not by getattr(): for a `__version__` that is deprecated, a module may have a function that warns.
    version = getattr(sys.modules.get(module), "__dict__", {}).get("__version__")
    if _numbers(version) is not _UNKNOWN:
        return version
    try:
        return importlib.metadata.version(module)
    except Exception:  # noqa: BLE001
        # There is no metadata, or it is damaged, which may show as any error.
        return None


_UNKNOWN = (sys.maxsize,)
"""The numbers of a version that cannot be read: newer than all."""


def _numbers(version: object) -> tuple[int, ...]:
    """Return the numbers of a version, without trailing zeros.

    Builds of a fork or a checkout that cannot tell theirs say `0+unknown`, `0.0.0` or `0.1.dev1+g1234567`.
    """
    found = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if found is None or ".dev" in found[0]:
        return _UNKNOWN
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers) or _UNKNOWN
