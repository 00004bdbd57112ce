"""Where all adapters find the secret: in code, in a resolver, in the environment, and nowhere."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import ConfigurationError, Webhook
from listrak_webhooks._http.source import ABSENT
from support.conformance import Rejections, Seen, every_variant, never
from support.deliveries import Delivery, forged, logged, one_rejection, signed
from support.helpers import OTHER_SECRET, SECRET, VARIABLE
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from support.variants import Variant

pytestmark = pytest.mark.usefixtures("no_secret_around")


class TestResolver:
    """Many accounts on one route."""

    @every_variant
    @pytest.mark.parametrize("is_async", [False, True], ids=["resolver", "async-resolver"])
    def test_it_chooses_the_webhook_by_the_request(self, variant: Variant, *, is_async: bool) -> None:
        """Each account's deliveries are verified with its own secret, and with no other's."""
        accounts = {"a": Webhook(SECRET), "b": Webhook(OTHER_SECRET)}

        def resolve(request: Any) -> Webhook:
            return accounts[request.headers["X-Account"]]

        async def resolve_later(request: Any) -> Webhook:
            return resolve(request)

        seen = Seen()
        with variant.endpoint(seen, resolver=resolve_later if is_async else resolve) as endpoint:
            ours = endpoint.send(Delivery(headers=signed() | {"X-Account": "a"}))
            theirs = endpoint.send(Delivery(headers=signed(secret=OTHER_SECRET) | {"X-Account": "b"}))
            crossed = endpoint.send(Delivery(headers=signed() | {"X-Account": "b"}))
        assert (ours.status, theirs.status) == (200, 200)
        assert endpoint.is_rejection(crossed, 401, "signature_mismatch"), crossed
        assert len(seen) == 2

    @every_variant
    @pytest.mark.parametrize("result", [None, SECRET, [SECRET]], ids=["none", "secret", "list"])
    def test_one_that_returns_no_webhook_accepts_nothing(
        self, variant: Variant, result: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The fault is in our own settings: a 500, an ERROR in the log, and no alert about a sender."""
        rejections = Rejections()
        with variant.endpoint(never, resolver=lambda _: result, on_rejected=rejections.function) as endpoint:
            answer = endpoint.send(Delivery())
        assert endpoint.is_rejection(answer, 500, "configuration_error"), answer
        text = one_rejection(caplog, "configuration_error", logging.ERROR)
        assert "resolver" in text
        assert SECRET not in text
        assert rejections.calls == []

    @every_variant
    def test_its_own_exception_passes_through(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """A resolver may answer for an account that it does not know with whatever its framework has for that."""
        error = LookupError("no such account")

        def resolve(_: Any) -> Webhook:
            raise error

        with variant.endpoint(never, resolver=resolve) as endpoint, pytest.raises(LookupError) as caught:
            endpoint.send(Delivery())
        assert caught.value is error
        assert logged(caplog) == []

    @every_variant
    def test_no_secret_is_needed_beside_it(self, variant: Variant) -> None:
        """With a resolver, neither a setting nor the environment is looked at."""
        with variant.endpoint(Seen(), resolver=lambda _: Webhook(SECRET)) as endpoint:
            assert endpoint.send(Delivery()).status == 200

    @every_variant
    def test_it_cannot_stand_beside_a_webhook(self, variant: Variant) -> None:
        """Two sources for one thing contradict each other, and that is said at decoration."""
        with (
            pytest.raises(ConfigurationError, match="not both"),
            variant.endpoint(never, SECRET, resolver=lambda _: Webhook(SECRET)),
        ):
            pass


class TestSecret:
    """Where the secret comes from."""

    @every_variant
    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(SECRET, id="secret"),
            pytest.param(SECRET.encode(), id="bytes"),
            pytest.param([OTHER_SECRET, SECRET], id="list"),
            pytest.param((OTHER_SECRET, SECRET), id="tuple"),
            pytest.param(Webhook(SECRET), id="webhook"),
        ],
    )
    def test_it_can_be_given_in_code(self, variant: Variant, given: Any) -> None:
        """A secret, several, or a `Webhook`."""
        with variant.endpoint(Seen(), given) as endpoint:
            assert endpoint.send(Delivery()).status == 200
            assert endpoint.send(Delivery(headers=forged())).status == 401

    @every_variant
    def test_the_options_of_a_webhook_count(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """What the user set on the `Webhook` is what the route goes by."""
        with variant.endpoint(Seen(), Webhook(SECRET, tolerance=10, encoding="hex")) as endpoint:
            assert endpoint.send(Delivery(headers=signed(encoding="hex"))).status == 200
            stale = endpoint.send(Delivery(headers=signed(encoding="hex", age=60)))
            in_base64 = endpoint.send(Delivery(headers=signed()))
        assert endpoint.is_rejection(stale, 401, "stale_timestamp")
        assert endpoint.is_rejection(in_base64, 401, "malformed_signature")

    @every_variant
    def test_during_a_rotation_both_secrets_are_taken(self, variant: Variant) -> None:
        """The event says which one it was."""
        seen = Seen()
        with variant.endpoint(seen, [OTHER_SECRET, SECRET]) as endpoint:
            endpoint.send(Delivery(headers=signed(secret=OTHER_SECRET)))
            endpoint.send(Delivery(headers=signed(secret=SECRET)))
        assert [event.secret_index for event in seen] == [0, 1]

    @every_variant
    def test_it_can_come_from_the_environment(self, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a secret in code or in the settings, the environment has the current one and the previous."""
        monkeypatch.setenv(VARIABLE, OTHER_SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", SECRET)
        with variant.endpoint(Seen(), ABSENT) as endpoint:
            assert endpoint.send(Delivery(headers=signed(secret=OTHER_SECRET))).status == 200
            assert endpoint.send(Delivery(headers=signed(secret=SECRET))).status == 200
            assert endpoint.send(Delivery(headers=forged())).status == 401

    @every_variant
    @pytest.mark.parametrize("given", ["", " ", "secret\n", b"", [], [""], ["good", ""], 5, object()])
    def test_one_that_cannot_be_right_is_rejected_at_decoration(self, variant: Variant, given: Any) -> None:
        """What cannot be a secret is the programmer's to mend, and is said at once."""
        with pytest.raises((ConfigurationError, TypeError)) as caught, variant.endpoint(never, given):
            pass
        assert caught.type is ConfigurationError

    @every_variant
    @pytest.mark.parametrize("value", [None, "", " "], ids=["unset", "empty", "blank"])
    def test_without_one_nothing_is_accepted(
        self,
        variant: Variant,
        value: str | None,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """FastAPI and Django say so at decoration; Flask, whose config may come later, by a 500 that is logged."""
        if value is not None:
            monkeypatch.setenv(VARIABLE, value)
        if variant.finds_secret_late:
            rejections = Rejections()
            with variant.endpoint(never, ABSENT, on_rejected=rejections.function) as endpoint:
                for headers in (signed(), signed(secret=" "), {}):
                    answer = endpoint.send(Delivery(headers=headers))
                    assert endpoint.is_rejection(answer, 500, "configuration_error"), answer
                    assert VARIABLE in one_rejection(caplog, "configuration_error", logging.ERROR)
            assert rejections.calls == []
        else:
            with pytest.raises(ConfigurationError, match=VARIABLE), variant.endpoint(never, ABSENT):
                pass


class TestUnsetSecret:
    """An explicit `None`: a variable that nobody set."""

    @every_variant
    def test_it_is_never_another_webhooks_secret(self, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
        """The secret in the environment or the settings is used only if no argument was passed."""
        monkeypatch.setenv(VARIABLE, SECRET)
        with pytest.raises(ConfigurationError), variant.endpoint(never, None):
            pass

    @every_variant
    def test_the_secret_that_is_wrong_is_in_no_frame(self, variant: Variant) -> None:
        """Error reporters send the variables of each frame that an exception passes."""
        for secret in ("a secret with a slip ", ["right", "wrong with a slip "]):
            with pytest.raises(ConfigurationError) as caught, variant.endpoint(never, secret):
                pass
            assert "with a slip" not in own_frames(caught.value)

    @every_variant
    def test_a_lazy_text_is_the_text_that_it_stands_for(self, variant: Variant) -> None:
        """A lazy object can be called and walked, and is neither a view nor a list."""
        with variant.endpoint(lambda _: None, LocalProxy(lambda: SECRET)) as endpoint:
            assert endpoint.send(Delivery()).status == 200
            forged_with_one_letter = signed(secret=SECRET[1])
            assert endpoint.send(Delivery(headers=forged_with_one_letter)).status == 401


def own_frames(error: BaseException) -> str:
    """Return what an error reporter would send of the frames of this package."""
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    return repr([frame.locals for frame in stack if "listrak_webhooks" in frame.filename])
