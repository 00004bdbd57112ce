"""The pytest plugin, in projects of their own: fixtures, the marker, and that it is not in the way."""

from __future__ import annotations

import os
import re

import pytest

pytest_plugins = ["pytester"]

APP = """
    import pytest
    from flask import Flask

    @pytest.fixture
    def client(listrak):
        from listrak_webhooks.flask import listrak_webhook
        app = Flask(__name__)
        app.post("/listrak")(listrak_webhook(lambda event: event.email or ""))
        return app.test_client()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a project in which a warning is an error; its app has its secret from the environment."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyprojecttoml("""
        [tool.pytest.ini_options]
        addopts = ["--strict-markers", "--strict-config"]
        filterwarnings = ["error", "default:The configuration option .asyncio_default"]
    """)
    pytester.makeconftest(APP)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run the project's tests in a process of its own."""
    return project.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_a_delivery_is_sent_and_an_endpoint_checked(project: pytest.Pytester) -> None:
    """The test that every user should have takes three lines."""
    project.makepyfile("""
        from listrak_webhooks.testing import cart

        def test_endpoint(listrak, client):
            listrak.check(client, path="/listrak")

        def test_reminder(listrak, client):
            answer = listrak.send(client, cart(total="89.98", email="jane@example.com"), path="/listrak")
            assert (answer.status_code, answer.text) == (200, "jane@example.com")
    """)
    run(project).assert_outcomes(passed=2)


def test_a_faulty_endpoint_fails_with_the_table(project: pytest.Pytester) -> None:
    """And without the frames of the kit, which hold bodies and the secret."""
    project.makepyfile("""
        from flask import Flask

        def test_endpoint(listrak):
            app = Flask(__name__)
            app.post("/listrak")(lambda: "")
            listrak.check(app.test_client(), path="/listrak")
    """)
    result = run(project, "--showlocals")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert re.search(r"red +forged +signed with another secret: 200; expected 401", text)
    assert "ltkcart" not in text
    assert "the secret of the fixture" not in text


def test_a_traceback_through_the_kit_shows_no_body_and_no_secret(project: pytest.Pytester) -> None:
    """What the handler raises passes the frames of the kit, whose variables pytest can show."""
    project.makepyfile("""
        from flask import Flask
        from listrak_webhooks.testing import cart

        def app():
            app = Flask(__name__)
            app.testing = True
            app.post("/listrak")(lambda: 1 / 0)
            return app

        def test_send(listrak):
            listrak.send(app().test_client(), cart(), path="/listrak")

        def test_check(listrak):
            listrak.check(app().test_client(), path="/listrak")
    """)
    result = run(project, "--showlocals", "--tb=long")
    result.assert_outcomes(failed=2)
    ours = [part for part in result.stdout.str().split("_ _ _ _") if "python/listrak_webhooks/testing" in part]
    assert ours
    assert not [part for part in ours if "ltkcart" in part or "the secret of the fixture" in part]


def test_the_secret_is_in_the_environment_for_the_test_alone(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own comes back, and its previous one does not verify in between."""
    monkeypatch.setenv("LISTRAK_WEBHOOK_SECRET", "the project's own")
    monkeypatch.setenv("LISTRAK_WEBHOOK_SECRET_PREVIOUS", "the project's old one")
    project.makepyfile("""
        import os
        import pytest

        def secrets():
            return [os.environ.get("LISTRAK_WEBHOOK_SECRET" + end) for end in ("", "_PREVIOUS")]

        def test_default(listrak):
            assert secrets() == ["the secret of the fixture listrak", None]

        def test_after():
            assert secrets() == ["the project's own", "the project's old one"]

        @pytest.mark.listrak(secret=["the new one", b"the old one"])
        def test_rotation(listrak, client):
            assert secrets() == ["the new one", "the old one"]
            listrak.check(client, path="/listrak")
    """)
    run(project).assert_outcomes(passed=3)


def test_the_marker_sets_secret_and_time(project: pytest.Pytester) -> None:
    """The nearest one counts, for each of the two by itself."""
    project.makepyfile("""
        import pytest
        from datetime import datetime, timezone
        from listrak_webhooks.testing import cart

        pytestmark = pytest.mark.listrak(secret="of the module", now=1700000000)

        def event_of(listrak):
            return listrak.signed(cart()).event()

        def test_module(listrak, listrak_clock):
            assert event_of(listrak).timestamp == listrak_clock.now == 1700000000
            listrak_clock.move(60)
            assert event_of(listrak).timestamp == 1700000060

        @pytest.mark.listrak(now=datetime(2026, 1, 2, tzinfo=timezone.utc))
        def test_nearest(listrak, client):
            assert event_of(listrak).sent_at.year == 2026
            assert listrak.signed(cart()).headers == cart().signed("of the module").headers
            listrak.check(client, path="/listrak")

        @pytest.mark.listrak(secret="of the test")
        def test_both(listrak_clock):
            assert listrak_clock.now == 1700000000
    """)
    run(project).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'a secret'", "takes secret=… and now=…, and not 'a secret'"),
        ("secrt='a'", "takes secret=… and now=…, and not secrt"),
        ("now='x'", "now=…) must be a time: Unix seconds or an aware datetime, not str"),
        ("secret=['one', 'two', 'three']", "the environment has room for two secrets"),
        ("secret=b'\\xff'", "a secret in the environment is UTF-8"),
        ("secret=' '", "ConfigurationError"),
        ("now=float('nan')", "now=…) must be a finite number of seconds"),
    ],
)
def test_a_wrong_marker_is_an_error_of_that_test(project: pytest.Pytester, arguments: str, message: str) -> None:
    """The others run, in the environment that they had."""
    project.makepyfile(f"""
        import os
        import pytest

        @pytest.mark.listrak({arguments})
        def test_it(listrak):
            pass

        def test_other():
            assert "LISTRAK_WEBHOOK_SECRET" not in os.environ
    """)
    result = run(project)
    result.assert_outcomes(errors=1, passed=1)
    assert message in result.stdout.str()


def test_the_clock_runs_on_after_a_test_that_failed(project: pytest.Pytester) -> None:
    """The next test sees the present time."""
    project.makepyfile("""
        import time
        from listrak_webhooks import Webhook

        def test_fails(listrak_clock):
            listrak_clock.at(1700000000)
            assert False

        def test_next():
            assert int(Webhook("a b c").signed_headers(b"")["LTK-Timestamp"]) > time.time() - 10
    """)
    run(project).assert_outcomes(failed=1, passed=1)


def test_the_time_agrees_with_freezegun_and_time_machine(project: pytest.Pytester) -> None:
    """A fixture that freezes comes before the clock; a decorator freezes after it, and the clock is put there."""
    project.makepyfile("""
        import time
        import freezegun
        import pytest
        import time_machine as machine
        from listrak_webhooks.testing import cart

        @pytest.fixture
        def frozen():
            with freezegun.freeze_time("2026-01-02"):
                yield

        @pytest.fixture
        def travelled():
            with machine.travel("2026-01-02T00:00:00Z", tick=False):
                yield

        def at_that_time(listrak):
            event = listrak.signed(cart()).event()
            return event.timestamp == time.time() == 1767312000

        def test_freezegun(frozen, listrak):
            assert at_that_time(listrak)

        def test_time_machine(travelled, listrak):
            assert at_that_time(listrak)

        @freezegun.freeze_time("2026-01-02")
        def test_decorator(listrak, listrak_clock):
            listrak_clock.at(time.time())
            assert at_that_time(listrak)
    """)
    run(project).assert_outcomes(passed=3)


def test_nothing_of_the_package_is_imported_until_a_fixture_is_asked_for(project: pytest.Pytester) -> None:
    """So the start of pytest costs nothing, and what measures coverage misses nothing."""
    project.makepyfile("""
        import sys

        def test_before():
            assert "pytest_listrak_webhooks" in sys.modules
            assert not [name for name in sys.modules if name.startswith("listrak_webhooks")]

        def test_clock(listrak_clock):
            assert "listrak_webhooks" in sys.modules
    """)
    project.makeconftest("")
    run(project).assert_outcomes(passed=2)


def test_the_plugin_can_be_switched_off(project: pytest.Pytester) -> None:
    """The kit works without it, and so does a project of which it is no part."""
    project.makeconftest("")
    project.makepyfile("""
        from listrak_webhooks.testing import Sender, cart

        def test_kit():
            assert Sender("a secret of mine").signed(cart()).event().email

        def test_fixture(listrak):
            pass
    """)
    result = run(project, "-p", "no:listrak")
    result.assert_outcomes(passed=1, errors=1)
    assert "fixture 'listrak' not found" in result.stdout.str()


def test_the_fixtures_are_listed_and_the_marker_too(project: pytest.Pytester) -> None:
    """With what they are for."""
    text = run(project, "--fixtures").stdout.str()
    assert "listrak_clock" in text
    assert "plays Listrak" in text
    assert "@pytest.mark.listrak(secret=..., now=...)" in run(project, "--markers").stdout.str()


def test_it_works_in_several_processes(project: pytest.Pytester) -> None:
    """Under pytest-xdist each has its own environment and clock."""
    project.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_endpoint(listrak, listrak_clock, client, number):
            listrak_clock.at(1700000000 + number)
            listrak.check(client, path="/listrak")
    """)
    run(project, "-n", "2").assert_outcomes(passed=8)


ASYNC = """
    import pytest
    import httpx
    from fastapi import FastAPI
    from listrak_webhooks import Event
    from listrak_webhooks.testing import cart

    @pytest.fixture
    def app(listrak):
        from listrak_webhooks.fastapi import listrak_webhook
        app = FastAPI()

        @app.post("/listrak")
        @listrak_webhook
        async def endpoint(event: Event) -> None:
            pass

        return app

    @pytest.mark.{marker}
    async def test_endpoint(listrak, app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
            assert (await listrak.asend(client, cart(), path="/listrak")).status_code == 200
            await listrak.acheck(client, path="/listrak")
"""


@pytest.mark.parametrize("marker", ["asyncio", "anyio"])
def test_it_works_in_asynchronous_tests(project: pytest.Pytester, marker: str) -> None:
    """Of pytest-asyncio, and of anyio on asyncio and Trio."""
    project.makepyfile(ASYNC.format(marker=marker))
    run(project).assert_outcomes(passed=2 if marker == "anyio" else 1)


def test_the_plugin_is_registered_by_its_entry_point() -> None:
    """So that nobody has to name it."""
    import importlib.metadata

    (entry,) = [each for each in importlib.metadata.entry_points(group="pytest11") if each.name == "listrak"]
    assert entry.value == "pytest_listrak_webhooks"
    assert "LISTRAK_WEBHOOK_SECRET" not in os.environ
