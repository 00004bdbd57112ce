"""What an import needs, and what it says where something is missing."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import listrak_webhooks
import pytest
from support.scripts import run

FRAMEWORKS = {"flask": "Flask", "fastapi": "FastAPI", "django": "Django", "starlette": "Starlette"}
HEAVY = (
    "flask",
    "werkzeug",
    "jinja2",
    "fastapi",
    "starlette",
    "pydantic",
    "anyio",
    "django",
    "asgiref",
    "uvicorn",
    "gunicorn",
    "redis",
)


def test_the_package_imports_no_framework() -> None:
    """`import listrak_webhooks` is as light as its own files."""
    done = run("import listrak_webhooks; print(*sorted({name.split('.')[0] for name in sys.modules}))")
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())


def test_the_package_works_without_any_framework() -> None:
    """Verifying needs nothing but the standard library."""
    script = """
        from listrak_webhooks import Webhook
        webhook = Webhook("a secret")
        print(webhook.verify(b"{}", webhook.signed_headers(b"{}")).payload)
    """
    done = run(script, *HEAVY)
    assert (done.returncode, done.stdout) == (0, "{}\n"), done.stderr


def test_the_replay_guards_work_without_any_framework_or_client() -> None:
    """The client of Redis and Django are needed by those guards alone, and only when one is made."""
    script = """
        from listrak_webhooks import ConfigurationError, Webhook
        from listrak_webhooks.replay import *
        webhook = Webhook("a secret")
        with MemoryReplayGuard().handle(webhook.verify(b"{}", webhook.signed_headers(b"{}"))) as first:
            print(first)
        SqliteReplayGuard("deliveries.db")
        for make in (DjangoCacheReplayGuard, lambda: RedisReplayGuard("redis://localhost")):
            try:
                make()
            except (ModuleNotFoundError, ConfigurationError) as error:
                print(error)
    """
    done = run(script, *HEAVY)
    assert done.returncode == 0, done.stderr
    first, django, redis = done.stdout.splitlines()
    assert first == "True"
    assert "pip install 'listrak-webhooks[django]'" in django
    assert "pip install 'listrak-webhooks[redis]'" in redis


@pytest.mark.parametrize("module", FRAMEWORKS)
def test_a_missing_framework_is_named_with_the_extra_to_install(module: str) -> None:
    """The message is a command that can be pasted."""
    script = f"""
        try:
            import listrak_webhooks.{module}
        except ModuleNotFoundError as error:
            print(error.name)
            print(error)
    """
    done = run(script, module)
    assert done.returncode == 0, done.stderr
    name, message = done.stdout.splitlines()
    assert name == module
    assert FRAMEWORKS[module] in message
    assert f"pip install 'listrak-webhooks[{module}]'" in message


@pytest.mark.parametrize("module", FRAMEWORKS)
def test_the_traceback_of_a_missing_framework_is_short(module: str) -> None:
    """The last line says what to do, and there is no second error before it."""
    done = run(f"import listrak_webhooks.{module}", module)
    assert done.returncode == 1
    assert "pip install" in done.stderr.strip().splitlines()[-1]
    assert "During handling" not in done.stderr
    assert "direct cause" not in done.stderr


@pytest.mark.parametrize(
    ("module", "dependency"),
    [
        ("flask", "werkzeug"),
        ("flask", "jinja2"),
        ("flask", "click"),
        ("fastapi", "starlette"),
        ("fastapi", "pydantic"),
        ("fastapi", "anyio"),
        ("django", "asgiref"),
        ("starlette", "anyio"),
    ],
)
def test_what_a_framework_itself_lacks_is_not_blamed_on_the_framework(module: str, dependency: str) -> None:
    """Installing what is installed already would help nobody."""
    done = run(f"import listrak_webhooks.{module}", dependency)
    assert done.returncode == 1
    assert f"No module named '{dependency}" in done.stderr.strip().splitlines()[-1]
    assert "pip install" not in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("module", FRAMEWORKS)
def test_one_framework_does_not_import_another(module: str) -> None:
    """Whoever uses Flask has no Django."""
    others = [other for other in FRAMEWORKS if other != module and (module, other) != ("fastapi", "starlette")]
    done = run(f"import listrak_webhooks.{module}", *others)
    assert done.returncode == 0, done.stderr


def test_django_needs_no_settings_to_be_imported() -> None:
    """A views module may be imported before Django is configured."""
    script = "import listrak_webhooks.django; from django.conf import settings; print(settings.configured)"
    done = run(script)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("flask", ["listrak_webhook"]),
        ("fastapi", ["ListrakWebhook", "listrak_webhook", "route_docs"]),
        ("django", ["listrak_webhook"]),
        ("starlette", ["listrak_webhook"]),
        (
            "replay",
            [
                "AsyncReplayGuard",
                "Delivery",
                "DjangoCacheReplayGuard",
                "MemoryReplayGuard",
                "RedisReplayGuard",
                "ReplayGuard",
                "ReplayStore",
                "SqliteReplayGuard",
                "State",
                "StoreGuard",
            ],
        ),
    ],
)
def test_a_star_import_gives_the_public_names(module: str, names: list[str]) -> None:
    """And no others."""
    script = f"""
        before = {{*globals(), "before"}}
        from listrak_webhooks.{module} import *
        print(*sorted(set(globals()) - before))
    """
    done = run(script)
    assert done.stdout.split() == names, done.stderr


def test_every_public_name_of_the_package_is_there() -> None:
    """`__all__` promises nothing that is missing, and misses nothing that is an exception."""
    import listrak_webhooks
    from listrak_webhooks import exceptions

    names: dict[str, Any] = {name: getattr(listrak_webhooks, name) for name in listrak_webhooks.__all__}
    assert len(set(listrak_webhooks.__all__)) == len(listrak_webhooks.__all__)
    public = {
        name: item
        for name, item in vars(exceptions).items()
        if isinstance(item, type) and issubclass(item, Exception) and not name.startswith("_")
    }
    assert public.items() <= names.items()


def test_the_version_is_written_in_one_place() -> None:
    """The package and its metadata have it from the same line."""
    assert listrak_webhooks.__version__ == importlib.metadata.version("listrak-webhooks")
