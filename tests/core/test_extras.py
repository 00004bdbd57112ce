"""The optional libraries: their minimums are stated, checked and pinned alike, and an old one is named at start-up."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from typing import Any

import pytest
from listrak_webhooks._extras import LIBRARIES, check_version, importing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.helpers import TESTS
from support.scripts import run

ROOT = TESTS.parent
TOML: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
EXTRAS: dict[str, list[str]] = TOML.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
ADAPTERS = ("flask", "fastapi", "django")

AGED = """
import sys, types

def age(module, version):
    '''Have a library say that it has another version than it has, from its import on.'''
    library = __import__(module)
    library.__version__ = version

for word in sys.argv[1:]:
    age(*word.split("=="))
sys.argv[1:] = []
"""


def run_aged(script: str, *versions: str) -> list[str]:
    """Run a script in a process of its own in which libraries say that they have these versions; return its lines."""
    lines = f"import sys; sys.argv[1:] = {versions!r}\n{AGED}"
    done = run(lines + script)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class TestTable:
    """The table of `_extras.py`, and what must agree with it."""

    def test_pyproject_has_the_same_minimums(self) -> None:
        """Each library is in one extra, with its minimum and no other condition."""
        stated: dict[str, tuple[str, Version]] = {}
        for extra, requirements in EXTRAS.items():
            for requirement in map(Requirement, requirements):
                (specifier,) = requirement.specifier
                assert (specifier.operator, requirement.name in stated) == (">=", False)
                stated[canonicalize_name(requirement.name)] = extra, Version(specifier.version)
        assert stated == {module: (library.extra, Version(library.minimum)) for module, library in LIBRARIES.items()}

    def test_the_tests_at_the_minimum_have_exactly_these(self) -> None:
        """`requirements/minimum.txt` pins each library at its minimum."""
        lines = (ROOT / "requirements/minimum.txt").read_text(encoding="utf-8").splitlines()
        pinned = {
            canonicalize_name(requirement.name): str(requirement.specifier)
            for requirement in (Requirement(line) for line in lines if line and not line.startswith("#"))
        }
        for module, library in LIBRARIES.items():
            assert Version(pinned[canonicalize_name(module)].removeprefix("==")) == Version(library.minimum)

    def test_all_else_is_what_the_other_tests_have(self) -> None:
        """`requirements/minimum.txt` has lines of `dev.txt`, except for the libraries and their parts."""
        held_back = {"commonmark", "httpcore2", "pydantic-core", "werkzeug"}
        newest_too = {"h11"}
        minimum, dev = (
            {line for line in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines() if "==" in line}
            for name in ("minimum.txt", "dev.txt")
        )
        assert {canonicalize_name(Requirement(line).name) for line in minimum - dev} == {
            *LIBRARIES,
            *held_back,
        } - newest_too

    def test_the_docs_state_these(self) -> None:
        """The page on versions has a row for each library, with its minimum and its extra, and no others."""
        page = (ROOT / "docs/reference/versions.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| (.+?) \| (\S+?) or newer \| `([\w-]+)` \|", page, re.MULTILINE)
        assert sorted(rows) == sorted(LIBRARIES.values())

    @pytest.mark.parametrize("module", LIBRARIES)
    def test_the_installed_ones_are_new_enough(self, module: str) -> None:
        """What the tests run with is what the table allows, whether the module or its metadata tells the version."""
        importlib.import_module(module)
        check_version(module, needed_by="this test")
        assert Version(importlib.metadata.version(module)) >= Version(LIBRARIES[module].minimum)


class TestVersion:
    """How a version is read and compared."""

    @pytest.mark.parametrize(
        "version", ["2.9.2", "2", "1.10.27", "v2.9", "2.9.post1", "2.9+vendor.3", "2.9rc1", "0.99"]
    )
    def test_an_older_one_is_an_import_error(self, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """It names the library, what is there, what is needed and the line to install it."""
        monkeypatch.setattr("pydantic.__version__", version)
        with pytest.raises(ImportError) as caught:
            check_version("pydantic", needed_by="this test")
        assert str(caught.value) == (
            f"this test needs Pydantic 2.10 or newer, and {version} is installed; "
            "upgrade it with: pip install 'pydantic>=2.10'"
        )
        assert caught.value.name == "pydantic"

    @pytest.mark.parametrize("version", ["2.10", "2.10.0", "2.10.0b1", "2.10+ours", "2.11a1", "3", "10.0", "v2.10.1"])
    def test_the_minimum_and_newer_ones_are_good(self, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Numbers are compared as numbers; trailing zeros, pre-releases and local labels make no difference."""
        monkeypatch.setattr("pydantic.__version__", version)
        check_version("pydantic", needed_by="this test")

    UNREADABLE = (
        *("", "unknown", "0+unknown", "0.0.0", "0", "0.1.dev1+g1234567", "main", "1!1.0", "٢.٩", "1" * 5000, "2.9\n!"),
        *(None, 2.9, (2, 9), object(), b"2.9"),
    )

    @pytest.mark.parametrize("version", UNREADABLE, ids=lambda version: repr(version)[:20])
    def test_one_that_cannot_be_read_is_good(self, version: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A fork or a vendored build without metadata is the user's decision."""

        def no_metadata(_: str) -> str:
            raise importlib.metadata.PackageNotFoundError("pydantic")

        monkeypatch.setattr("pydantic.__version__", version)
        monkeypatch.setattr(importlib.metadata, "version", no_metadata)
        check_version("pydantic", needed_by="this test")

    @pytest.mark.parametrize("error", [KeyError, OSError, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")])
    def test_damaged_metadata_is_good(self, error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever reading it raises."""

        def broken(_: str) -> str:
            raise error

        monkeypatch.delattr("pydantic.__version__")
        monkeypatch.setattr(importlib.metadata, "version", broken)
        check_version("pydantic", needed_by="this test")

    def test_the_metadata_tells_if_the_module_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As of Flask, which has no `__version__` any more."""
        monkeypatch.setattr("pydantic.__version__", "0+unknown")
        monkeypatch.setattr(importlib.metadata, "version", {"pydantic": "2.9"}.__getitem__)
        with pytest.raises(ImportError, match=r"and 2\.9 is installed"):
            check_version("pydantic", needed_by="this test")

    def test_the_module_is_believed_rather_than_the_metadata(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The metadata may be of another copy than the one that was imported."""
        monkeypatch.setattr("pydantic.__version__", "2.10")
        monkeypatch.setattr(importlib.metadata, "version", {"pydantic": "1.0"}.__getitem__)
        check_version("pydantic", needed_by="this test")


class TestImport:
    """What happens where a library is imported first."""

    @pytest.mark.parametrize("module", ADAPTERS)
    def test_an_adapter_does_not_import_with_an_old_framework(self, module: str) -> None:
        """An `ImportError` at start-up, whose traceback is short."""
        script = f"""
try:
    import listrak_webhooks.{module}
except ImportError as error:
    print(type(error).__name__, error.name, error)
"""
        (line,) = run_aged(script, f"{module}==0.1.2")
        name, minimum, _ = LIBRARIES[module]
        assert line == (
            f"ImportError {module} listrak_webhooks.{module} needs {name} {minimum} or newer, and 0.1.2 is installed; "
            f"upgrade it with: pip install '{module}>={minimum}'"
        )

    @pytest.mark.parametrize("module", ADAPTERS)
    def test_a_framework_without_a_version_is_taken(self, module: str) -> None:
        """The adapter imports, whatever the fork calls itself."""
        assert run_aged(f"import listrak_webhooks.{module}; print('imported')", f"{module}==main") == ["imported"]

    def test_a_library_that_is_too_old_for_its_own_dependencies_is_said_to_be_old(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as Flask 2 with Werkzeug 3, whose import fails before it can tell its version."""
        monkeypatch.setattr(importlib.metadata, "version", {"flask": "2.0.1"}.__getitem__)
        monkeypatch.delitem(sys.modules, "flask", raising=False)
        text = r"needs Flask 3\.0 or newer, and 2\.0\.1 is installed"
        with pytest.raises(ImportError, match=text) as caught, importing("flask", needed_by="this test"):
            raise ImportError("cannot import name 'url_quote' from 'werkzeug.urls'", name="werkzeug.urls")
        assert caught.value.__suppress_context__

    def test_the_failure_of_a_library_that_is_new_enough_is_its_own(self) -> None:
        """The error passes through as it is."""
        error = ImportError("cannot import name 'x'", name="werkzeug")
        with pytest.raises(ImportError) as caught, importing("flask", needed_by="this test"):
            raise error
        assert caught.value is error

    def test_a_cache_of_an_old_django_is_rejected_when_the_guard_is_made(self) -> None:
        """The guard needs what the adapter needs."""
        script = """
from listrak_webhooks.replay import DjangoCacheReplayGuard
try:
    DjangoCacheReplayGuard()
except ImportError as error:
    print(error)
"""
        (line,) = run_aged(script, "django==4.2.20")
        assert line.startswith("DjangoCacheReplayGuard needs Django 5.2 or newer, and 4.2.20 is installed; upgrade it")

    def test_the_demo_says_it_in_a_line(self) -> None:
        """It exits with 2, as if the framework were not installed."""
        script = """
import contextlib, sys
from listrak_webhooks.__main__ import main
with contextlib.redirect_stderr(sys.stdout):
    print(main(["demo"]))
"""
        line, status = run_aged(script, "flask==2.3.3")
        assert (status, "needs Flask 3.0 or newer, and 2.3.3 is installed" in line) == ("2", True)


MODELS = """
import dataclasses, typing, msgspec, pydantic
from listrak_webhooks import ConfigurationError, Webhook
from listrak_webhooks._payload.models import check

class Model(pydantic.BaseModel):
    campaign: str

@dataclasses.dataclass
class Data:
    campaign: str

class Struct(msgspec.Struct, tag="a"):
    campaign: str

class Other(msgspec.Struct, tag="b"):
    campaign: str

webhook, body = Webhook("s"), b'{"campaign":"vip","type":"a"}'
event = webhook.verify(body, webhook.signed_headers(body))

def try_each(*models):
    for model in models:
        for attempt in (lambda: check(model), lambda: event.parse_as(model), lambda: event.parse_as(model)):
            try:
                print(attempt())
            except Exception as error:
                print(type(error).__name__, error)
"""


class TestModels:
    """`parse_as` with a library that is too old."""

    def test_an_old_pydantic_is_an_import_error_each_time_and_found_before(self) -> None:
        """A `ConfigurationError` for the model of an adapter, and an `ImportError` of `parse_as`."""
        lines = run_aged(f"{MODELS}\ntry_each(Model, Data, dict)", "pydantic==2.9.2")
        for model, *three in zip(("Model", "Data", "dict"), lines[::3], lines[1::3], lines[2::3], strict=True):
            text = (
                f"reading a payload as {model} needs Pydantic 2.10 or newer, and 2.9.2 is installed; "
                "upgrade it with: pip install 'pydantic>=2.10'"
            )
            assert three == [f"ConfigurationError {text}", f"ImportError {text}", f"ImportError {text}"]

    def test_an_old_pydantic_does_not_matter_to_structs(self) -> None:
        """Nor to a union or a list of them: msgspec reads them."""
        lines = run_aged(f"{MODELS}\ntry_each(Struct, Struct | Other)", "pydantic==1.10.27")
        assert lines == ["None", "Struct(campaign='vip')", "Struct(campaign='vip')"] * 2

    def test_an_old_msgspec_is_an_import_error_each_time_and_found_before(self) -> None:
        """For a `Struct` and for a union of them, which Pydantic is asked for first."""
        lines = run_aged(f"{MODELS}\ntry_each(Struct, Struct | Other)", "msgspec==0.17.0")
        assert len(lines) == 6
        for line in lines:
            assert "needs msgspec 0.18 or newer, and 0.17.0 is installed" in line
        assert [line.split()[0] for line in lines[:3]] == ["ConfigurationError", "ImportError", "ImportError"]

    def test_an_old_msgspec_does_not_matter_to_models_of_pydantic(self) -> None:
        """Each library is asked for its own types alone."""
        assert run_aged(f"{MODELS}\ntry_each(Data)", "msgspec==0.17.0") == ["None", *["Data(campaign='vip')"] * 2]

    @pytest.mark.parametrize(("model", "library"), [("Model", "pydantic==2.9.2"), ("Struct", "msgspec==0.17.0")])
    def test_fastapi_finds_it_when_the_route_is_made(self, model: str, library: str) -> None:
        """By the decorator, by the dependency and by `route_docs`; handlers of the event alone are not concerned."""
        script = f"""
from fastapi import FastAPI
from listrak_webhooks import Event
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook, route_docs

def handler(mail: {model}): ...
def plain(event: Event): ...

for attempt in (
    lambda: listrak_webhook("s")(handler),
    lambda: ListrakWebhook("s", parse_as={model}),
    lambda: route_docs({model}),
    lambda: FastAPI().post("/listrak", **route_docs())(listrak_webhook("s")(plain)),
):
    try:
        print(attempt().__name__)
    except Exception as error:
        print(type(error).__name__, error)
"""
        *found, plain = run_aged(MODELS + script, library)
        assert [line.split()[0] for line in found] == ["ConfigurationError"] * 3
        assert all(f"reading a payload as {model} needs" in line for line in found)
        assert plain == "plain"

    def test_a_version_is_looked_at_once_for_a_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not for each delivery."""
        import pydantic
        from listrak_webhooks._payload import models
        from support.payloads import event_of

        checked: list[str] = []
        monkeypatch.setattr(models, "check_version", lambda module, **_: checked.append(module))
        model = pydantic.create_model("M", campaign=(str, ...))
        for _ in range(3):
            event_of({"campaign": "vip"}).parse_as(model)
        assert checked == ["pydantic"]
