"""FastAPI: what an exception takes along of a delivery, and of a secret."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import BaseModel
from support.apps import call_asgi
from support.deliveries import PATH, Delivery, signed
from support.helpers import SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


async def _never(event: Event) -> None:
    pytest.fail(f"the handler was called with {event}")


CANARY = "jane@example.com"
TELLING = b'{"campaign":"x","email":"jane@example.com"}'


def own_frames(error: BaseException) -> str:
    """Return what an error reporter would send of this package's frames, in the error and all that it came from."""
    seen: list[str] = []
    pending: list[traceback.TracebackException | None] = [
        traceback.TracebackException.from_exception(error, capture_locals=True)
    ]
    while pending:
        report = pending.pop()
        if report is not None:
            seen += [repr(each.locals) for each in report.stack if "listrak_webhooks" in each.filename]
            pending += [report.__cause__, report.__context__]
    return "\n".join(seen)


class Mail(BaseModel):
    """What the marketer writes; its repr shows all of it."""

    campaign: str
    email: str


class BrokenGuard:
    """A guard whose store is away, or that fails when it is left."""

    def __init__(self, *, on_exit: bool) -> None:
        self._on_exit = on_exit

    def handle(self, event: Event) -> Any:
        """Return the context."""
        fails_on_exit = self._on_exit

        class Context:
            def __enter__(self) -> bool:
                if not fails_on_exit:
                    raise ConnectionError("the store is away")
                return True

            def __exit__(self, *exception: object) -> None:
                raise ConnectionError("the store is away")

        return Context()


def raising(error: Exception) -> Callable[..., Any]:
    """Return a handler that raises, and another one of the other kind."""

    async def handler(mail: Mail) -> None:
        del mail
        raise error

    return handler


def plain_raising(error: Exception) -> Callable[..., Any]:
    """The same without `async`."""

    def handler(mail: Mail) -> None:
        del mail
        raise error

    return handler


class TestNotShown:
    """What an exception takes along that reaches the server, an exception handler, or an error reporter."""

    @pytest.mark.parametrize("make", [raising, plain_raising])
    @pytest.mark.parametrize(
        "guard", [None, MemoryReplayGuard(), BrokenGuard(on_exit=True)], ids=["no-guard", "memory", "broken"]
    )
    def test_the_handlers_own(self, app: FastAPI, make: Any, guard: Any) -> None:
        """The frames of ours on its way hold neither the model nor the body."""
        app.post(PATH)(listrak_webhook(replay=guard)(make(LookupError("no such cart"))))
        with pytest.raises((LookupError, ConnectionError)) as caught:
            call_asgi(app, Delivery(TELLING))
        assert "listrak_webhooks" in "".join(traceback.format_tb(caught.tb))
        assert CANARY not in own_frames(caught.value)

    @pytest.mark.parametrize("make", [raising, plain_raising])
    def test_what_a_guard_raises(self, app: FastAPI, make: Any) -> None:
        """A guard of the user's own may raise anything."""
        app.post(PATH)(listrak_webhook(replay=BrokenGuard(on_exit=False))(make(LookupError())))
        with pytest.raises(ConnectionError) as caught:
            call_asgi(app, Delivery(TELLING))
        assert CANARY not in own_frames(caught.value)

    @pytest.mark.parametrize("form", ["decorator", "plain-decorator", "dependency"])
    @pytest.mark.parametrize("cause", ["held", "misfit", "forged", "stale", "no-secret"])
    def test_a_rejection(self, app: FastAPI, form: str, cause: str, caplog: pytest.LogCaptureFixture) -> None:
        """Error reporters send an `HTTPException` of the server's fault with all its frames."""
        reports: list[str] = []

        @app.exception_handler(HTTPException)
        async def report(request: Request, error: HTTPException) -> Response:
            reports.append(own_frames(error))
            return Response(status_code=error.status_code)

        guard = MemoryReplayGuard()
        body = TELLING if cause != "misfit" else b'{"campaign":5,"email":"jane@example.com"}'
        headers = {"forged": signed(body, secret="x"), "stale": signed(body, age=9999)}.get(cause, signed(body))
        options: dict[str, Any] = {"replay": guard}
        if cause == "no-secret":
            options["resolver"] = lambda _: None
        hook = ListrakWebhook(parse_as=Mail, **options)

        async def dependent(mail: Annotated[Mail, Depends(hook)]) -> None: ...

        makers = {"decorator": raising, "plain-decorator": plain_raising}
        handler = listrak_webhook(**options)(makers[form](LookupError())) if form in makers else dependent
        app.post(PATH)(handler)
        if cause == "held":
            with guard.handle(Webhook(SECRET).verify(body, headers)):
                answer = call_asgi(app, Delivery(body, headers=headers))
        else:
            answer = call_asgi(app, Delivery(body, headers=headers))
        assert answer.status == {"held": 409, "misfit": 422, "no-secret": 500}.get(cause, 401)
        [text] = reports
        assert text
        assert CANARY not in text + caplog.text
        assert SECRET not in text

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_what_on_rejected_raises(self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, is_async: bool) -> None:
        """It is logged as text, and the delivery stays rejected."""

        def fail(error: Any, request: Request) -> None:
            raise LookupError(error.code)

        async def fail_later(error: Any, request: Request) -> None:
            fail(error, request)

        app.post(PATH)(listrak_webhook(on_rejected=fail_later if is_async else fail)(_never))
        assert call_asgi(app, Delivery(TELLING, headers=signed(b"another"))).status == 401
        assert "LookupError" in caplog.text
        assert all(record.exc_info is None for record in caplog.records)
        assert CANARY not in caplog.text

    @pytest.mark.parametrize("call", [ListrakWebhook, listrak_webhook])
    @pytest.mark.parametrize("slip", [" in front", ["my-own-secret", "behind "], ["my-own-secret", ""]], ids=repr)
    def test_a_secret_that_cannot_be_one(self, call: Any, slip: Any) -> None:
        """It is named as wrong, and no frame of ours has it."""
        with pytest.raises(ConfigurationError) as caught:
            call(slip)
        shown = own_frames(caught.value)
        assert all(each not in shown for each in ([slip] if isinstance(slip, str) else slip) if each)

    def test_none_is_not_another_webhooks_secret(self) -> None:
        """It is an unset variable that somebody passed on, and not the environment's."""
        for call in (ListrakWebhook, listrak_webhook):
            with pytest.raises(ConfigurationError, match="the secret is None"):
                call(None)  # type: ignore[call-overload]
