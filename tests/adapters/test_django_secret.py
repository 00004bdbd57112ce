"""The Django adapter: the secret in Django's settings."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from listrak_webhooks import ConfigurationError
from support.apps import configure_django
from support.deliveries import Delivery, forged, one_rejection, signed
from support.django_views import both_protocols, echo, never, send
from support.helpers import OTHER_SECRET, SECRET, VARIABLE

configure_django()

from django.test import override_settings  # noqa: E402
from listrak_webhooks.django import listrak_webhook  # noqa: E402

pytestmark = pytest.mark.usefixtures("secret_in_settings")


class TestSecretInSettings:
    """`settings.LISTRAK_WEBHOOK_SECRET`."""

    @pytest.mark.parametrize("value", [SECRET, SECRET.encode(), [OTHER_SECRET, SECRET], (OTHER_SECRET, SECRET)])
    def test_a_secret_or_a_list_of_them(self, value: Any) -> None:
        """A list is a rotation."""
        with override_settings(LISTRAK_WEBHOOK_SECRET=value):
            view = listrak_webhook(echo)
            assert send(view).status == 200
            assert send(view, Delivery(headers=forged())).status == 401

    def test_override_settings_counts_behind_the_decorator(self) -> None:
        """Tests of users' own change the secret when the view is long decorated."""
        view = listrak_webhook(echo)
        assert send(view).status == 200
        assert send(view, LISTRAK_WEBHOOK_SECRET=OTHER_SECRET).status == 401
        delivery = Delivery(headers=signed(secret=OTHER_SECRET))
        assert send(view, delivery, LISTRAK_WEBHOOK_SECRET=[OTHER_SECRET]).status == 200
        assert send(view).status == 200

    def test_a_list_that_is_changed_in_place_counts_too(self) -> None:
        """What was revoked must not be accepted because the list is still the same object."""
        secrets = [OTHER_SECRET, SECRET]
        with override_settings(LISTRAK_WEBHOOK_SECRET=secrets):
            view = listrak_webhook(echo)
            assert send(view).status == 200
            secrets.pop()
            assert send(view).status == 401

    def test_it_comes_before_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The nearer source wins."""
        monkeypatch.setenv(VARIABLE, OTHER_SECRET)
        view = listrak_webhook(echo)
        assert send(view).status == 200
        assert send(view, Delivery(headers=signed(secret=OTHER_SECRET))).status == 401

    def test_one_given_in_code_comes_before_it(self) -> None:
        """The secret at the view wins."""
        view = listrak_webhook(OTHER_SECRET)(echo)
        assert send(view).status == 401
        assert send(view, Delivery(headers=signed(secret=OTHER_SECRET))).status == 200

    @pytest.mark.parametrize("value", ["", " ", [], [SECRET, ""], 5, "secret\n"])
    def test_one_that_cannot_be_right_is_rejected_at_decoration(
        self, value: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not an absent one: the environment does not take its place."""
        monkeypatch.setenv(VARIABLE, SECRET)
        with override_settings(LISTRAK_WEBHOOK_SECRET=value), pytest.raises(ConfigurationError):
            listrak_webhook(never)

    @pytest.mark.parametrize("value", ["", " ", [], [SECRET, ""], 5])
    @both_protocols
    def test_one_that_turns_wrong_later_accepts_nothing(
        self, value: Any, caplog: pytest.LogCaptureFixture, *, asgi: bool
    ) -> None:
        """A 500, and an ERROR that says what is wrong."""
        view = listrak_webhook(never)
        answer = send(view, asgi=asgi, LISTRAK_WEBHOOK_SECRET=value)
        assert (answer.status, answer.json()) == (500, {"error": "configuration_error"})
        one_rejection(caplog, "configuration_error", logging.ERROR)

    def test_none_there_means_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`None` is how settings say that they have nothing."""
        monkeypatch.setenv(VARIABLE, SECRET)
        with override_settings(LISTRAK_WEBHOOK_SECRET=None):
            assert send(listrak_webhook(echo)).status == 200

    def test_decorating_before_the_settings_are_configured(self) -> None:
        """It is not known yet whether there is a secret, so the first delivery finds out."""
        script = (
            "import sys\n"
            "from listrak_webhooks.django import listrak_webhook\n"
            "@listrak_webhook\n"
            "def view(request, event): ...\n"
            "from django.conf import settings\n"
            "assert not settings.configured\n"
            "settings.configure(LOGGING_CONFIG=None, ALLOWED_HOSTS=['*'])\n"
            "from django.test import RequestFactory\n"
            "answer = view(RequestFactory().post('/', b'{}', content_type='application/json'))\n"
            "print(answer.status_code, answer.content.decode())\n"
            "from django.test import override_settings\n"
            "with override_settings(LISTRAK_WEBHOOK_SECRET='a secret'):\n"
            "    answer = view(RequestFactory().post('/', b'{}', content_type='application/json'))\n"
            "print(answer.status_code, answer.content.decode())\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [
            '500 {"error": "configuration_error"}',
            '401 {"error": "missing_header"}',
        ]
        assert VARIABLE in done.stderr
