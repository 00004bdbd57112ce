"""The Flask adapter: the secret in the app's config, and when it is looked up."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import pytest
from flask.views import MethodView
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.flask import listrak_webhook
from support.deliveries import PATH, forged, logged, one_rejection, signed
from support.flask_views import echo, make_app, never, post
from support.helpers import OTHER_SECRET, SECRET, VARIABLE

if TYPE_CHECKING:
    import flask

pytestmark = pytest.mark.usefixtures("no_secret_around")


@pytest.fixture
def app() -> flask.Flask:
    """Return an app without routes."""
    return make_app()


def timed(view: Any) -> Any:
    """Stand for a decorator above ours."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


class TestSecretAtStartUp:
    """A missing secret is found before the first delivery."""

    @pytest.mark.parametrize("kind", ["function", "method"])
    def test_the_first_request_to_another_endpoint_finds_it(
        self, app: flask.Flask, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A health check is enough; it is said once."""
        app.config.pop(VARIABLE)
        app.get("/health")(lambda: "fine")
        if kind == "function":
            app.post(PATH, endpoint="listrak")(timed(listrak_webhook(never)))
        else:

            class View(MethodView):
                @listrak_webhook
                def post(self, event: Event) -> None:
                    never(event)

            app.add_url_rule(PATH, view_func=View.as_view("listrak"))
        for _ in range(2):
            assert app.test_client().get("/health").status_code == 200
        (record,) = logged(caplog)
        assert (record.levelno, "listrak" in record.getMessage()) == (logging.ERROR, True)
        assert f"the environment variable {VARIABLE} is unset" in record.getMessage()

    @pytest.mark.parametrize("secret", ["config", "environment", "argument", "resolver"])
    def test_one_that_is_there_is_not_mentioned(
        self, app: flask.Flask, secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Wherever it is."""
        if secret != "config":
            app.config.pop(VARIABLE)
        if secret == "environment":
            monkeypatch.setenv(VARIABLE, SECRET)
        options: dict[str, Any] = {"resolver": lambda _: Webhook(SECRET)} if secret == "resolver" else {}
        arguments = (SECRET,) if secret == "argument" else ()
        decorate: Any = listrak_webhook(*arguments, **options)
        app.post(PATH)(decorate(never))
        app.test_client().get("/health")
        assert not logged(caplog)


class TestSecretInConfig:
    """`app.config["LISTRAK_WEBHOOK_SECRET"]`."""

    @pytest.mark.parametrize("value", [SECRET, SECRET.encode(), [OTHER_SECRET, SECRET], (OTHER_SECRET, SECRET)])
    def test_a_secret_or_a_list_of_them(self, value: Any) -> None:
        """A list is a rotation."""
        app = make_app(**{VARIABLE: value})
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        assert post(app, headers=forged()).status_code == 401

    def test_it_may_be_set_after_the_decorator_ran(self) -> None:
        """As with an application factory, and a view in a module of its own."""
        decorated = listrak_webhook(echo)
        for secret in (SECRET, OTHER_SECRET):
            app = make_app(**{VARIABLE: secret})
            app.post(PATH)(decorated)
            assert post(app, headers=signed(secret=secret)).status_code == 200
            other = OTHER_SECRET if secret == SECRET else SECRET
            assert post(app, headers=signed(secret=other)).status_code == 401

    def test_a_change_counts_from_the_next_delivery_on(self, app: flask.Flask) -> None:
        """The secret is keyed once, and again when it is another one."""
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        app.config[VARIABLE] = [OTHER_SECRET]
        assert post(app).status_code == 401
        assert post(app, headers=signed(secret=OTHER_SECRET)).status_code == 200

    def test_a_list_that_is_changed_in_place_counts_too(self) -> None:
        """What was revoked must not be accepted because the list is still the same object."""
        secrets = [OTHER_SECRET, SECRET]
        app = make_app(**{VARIABLE: secrets})
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        secrets.pop()
        assert post(app).status_code == 401

    def test_it_comes_before_the_environment(self, app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        """The nearer source wins, and the other one's secret opens nothing."""
        monkeypatch.setenv(VARIABLE, OTHER_SECRET)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200
        assert post(app, headers=signed(secret=OTHER_SECRET)).status_code == 401

    def test_one_given_in_code_comes_before_it(self, app: flask.Flask) -> None:
        """The secret at the route wins."""
        app.post(PATH)(listrak_webhook(OTHER_SECRET)(echo))
        assert post(app).status_code == 401
        assert post(app, headers=signed(secret=OTHER_SECRET)).status_code == 200

    @pytest.mark.parametrize("value", ["", " ", [], [SECRET, ""], 5, "secret\n"])
    def test_one_that_cannot_be_right_accepts_nothing(self, value: Any, caplog: pytest.LogCaptureFixture) -> None:
        """It is not an absent one: the environment does not take its place, and the log says what is wrong."""
        app = make_app(**{VARIABLE: value})
        app.post(PATH)(listrak_webhook(never))
        answer = post(app)
        assert (answer.status_code, answer.json) == (500, {"error": "configuration_error"})
        one_rejection(caplog, "configuration_error", logging.ERROR)

    def test_an_empty_one_is_not_replaced_by_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An empty setting is a mistake, and a mistake must not pick another secret silently."""
        monkeypatch.setenv(VARIABLE, SECRET)
        app = make_app(**{VARIABLE: ""})
        app.post(PATH)(listrak_webhook(never))
        assert post(app).status_code == 500
        one_rejection(caplog, "configuration_error", logging.ERROR)

    def test_none_there_means_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`None` is how a config says that it has nothing."""
        monkeypatch.setenv(VARIABLE, SECRET)
        app = make_app(**{VARIABLE: None})
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).status_code == 200

    def test_a_bad_secret_in_code_is_an_error_at_decoration(self) -> None:
        """Where it is known at once, it is said at once."""
        with pytest.raises(ConfigurationError):
            listrak_webhook("")
