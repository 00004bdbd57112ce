"""The FastAPI adapter: bodies that were read before, and FastAPI's own limit."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `support/future_annotations_app.py` has them as text.
import inspect
import time
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Request
from listrak_webhooks import Webhook
from listrak_webhooks.fastapi import listrak_webhook
from starlette.middleware.base import BaseHTTPMiddleware
from support.apps import call_asgi
from support.deliveries import PATH, Delivery, forged, one_rejection, signed
from support.fastapi_views import ECHO, REJECTED, SHORT, Swallow, echo, never, post
from support.helpers import BODY, SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class TestBodyReadBefore:
    """Other code that reads the request before the dependency."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_swallowed_body_does_not_hang(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """The server has nothing more to give, so the wait ends by itself."""
        app.post(PATH)(listrak_webhook(body_timeout=SHORT)(never))
        start = time.monotonic()
        answer = post(Swallow(app), chunked=chunked)
        assert SHORT * 0.9 < time.monotonic() - start < SHORT + 5
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        assert "middleware" in one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_middleware_that_gives_an_empty_body_instead(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """Nothing is not what was sent, so this is not a bad signature."""

        async def emptied(scope: Any, receive: Any, send: Any) -> None:
            async def nothing() -> Any:
                return {"type": "http.request", "body": b"", "more_body": False}

            await app(scope, nothing, send)

        app.post(PATH)(listrak_webhook(never))
        answer = post(emptied, chunked=chunked)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_client_that_leaves_is_not_a_bad_signature(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """It went away in the middle of the body."""
        app.post(PATH)(listrak_webhook(never))
        answer = post(app, headers=signed(BODY + b"."), declared=len(BODY) + 1, chunked=chunked, broken=True)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("read", ["body", "json"])
    def test_a_dependency_that_reads_the_body_first(self, app: FastAPI, read: str, *, chunked: bool) -> None:
        """Starlette keeps it, so nothing is lost."""

        async def peek(request: Request) -> None:
            await getattr(request, read)()

        app.post(PATH, dependencies=[Depends(peek)])(listrak_webhook(echo))
        assert post(app, chunked=chunked).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_dependency_that_takes_the_stream_first(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """A stream can be read once, and then it is gone."""

        async def take(request: Request) -> None:
            async for _ in request.stream():
                pass

        app.post(PATH, dependencies=[Depends(take)])(listrak_webhook(never))
        answer = post(app, chunked=chunked)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        assert "stream" in one_rejection(caplog, "body_unavailable")

    def test_a_dependency_that_takes_a_part_of_the_stream(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """The rest alone has another signature, and the length tells that from a forgery; chunks have none."""

        async def take(request: Request) -> None:
            assert await anext(aiter(request.stream()))

        app.post(PATH, dependencies=[Depends(take)])(listrak_webhook(never))
        answer = post(app, piece=10)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_base_http_middleware_that_reads_the_body(self, app: FastAPI, *, chunked: bool) -> None:
        """The usual way to log bodies in FastAPI."""

        async def log(request: Request, call_next: Any) -> Any:
            assert await request.body() == BODY
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=log)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app, chunked=chunked, piece=10).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_base_http_middleware_that_takes_the_stream(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """It keeps nothing, so nothing is left."""

        async def take(request: Request, call_next: Any) -> Any:
            async for _ in request.stream():
                pass
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=take)
        app.post(PATH)(listrak_webhook(body_timeout=SHORT)(never))
        answer = post(app, chunked=chunked)
        assert (answer.status, answer.json()) == (500, {"detail": "body_unavailable"})
        one_rejection(caplog, "body_unavailable")

    def test_a_base_http_middleware_that_does_nothing(self, app: FastAPI) -> None:
        """Its wrapping of the request alone must not get in the way, nor of the rejections."""

        async def nothing(request: Request, call_next: Any) -> Any:
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=nothing)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app).body == ECHO
        assert post(app, headers=forged()).json() == REJECTED


has_max_body_size = pytest.mark.skipif(
    "max_body_size" not in inspect.signature(FastAPI).parameters, reason="this FastAPI has no limit of its own"
)


@pytest.mark.newer("a FastAPI with a limit of its own")
@has_max_body_size
class TestLimitOfFastAPI:
    """`FastAPI(max_body_size=...)`, where it is lower than `max_body`."""

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    @pytest.mark.parametrize("where", ["app", "route"])
    def test_a_body_over_it_answers_413_and_the_log_names_the_setting(
        self, where: str, caplog: pytest.LogCaptureFixture, *, chunked: bool
    ) -> None:
        """The operator must not look for the limit in the wrong place."""
        limit: Any = {"max_body_size": 20}
        app = FastAPI(**limit) if where == "app" else FastAPI()
        app.post(PATH, **(limit if where == "route" else {}))(listrak_webhook(never))
        delivery = Delivery(chunked=chunked, piece=8)
        answer = call_asgi(app, delivery)
        assert answer.status == 413
        assert "max_body_size" in one_rejection(caplog, "body_too_large")
        assert delivery.taken <= 28

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_a_body_of_exactly_its_size_is_accepted(self, *, chunked: bool) -> None:
        """The limit itself is within the limit."""
        limit: Any = {"max_body_size": len(BODY)}
        app = FastAPI(**limit)
        app.post(PATH)(listrak_webhook(echo))
        assert post(app, chunked=chunked).body == ECHO

    @pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
    def test_one_that_is_higher_leaves_ours(self, caplog: pytest.LogCaptureFixture, *, chunked: bool) -> None:
        """The lower of the two counts, and the log names that one."""
        limit: Any = {"max_body_size": 1000}
        app = FastAPI(**limit)
        app.post(PATH)(listrak_webhook(Webhook(SECRET, max_body=20))(never))
        answer = post(app, chunked=chunked)
        assert (answer.status, answer.json()) == (413, {"detail": "body_too_large"})
        assert "max_body_size" not in one_rejection(caplog, "body_too_large")
