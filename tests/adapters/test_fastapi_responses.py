"""FastAPI: what a handler's `None` becomes, and that a route's own settings hold with the decorator as without it."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from listrak_webhooks import Event
from listrak_webhooks.exceptions import PayloadError, PayloadProblem
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook, route_docs
from listrak_webhooks.fastapi._openapi import MOST_PROBLEMS
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import BaseModel
from support.apps import call_asgi
from support.deliveries import PATH, Answer, Delivery, signed
from support.helpers import BODY

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


def post(app: Any, headers: dict[str, str] | None = None, path: str = PATH) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(headers=headers, path=path))


class Envelope(JSONResponse):
    """A response of the user's own, around whatever a handler returns."""

    def render(self, content: Any) -> bytes:
        """Return it with an envelope."""
        return super().render({"result": content})


async def nothing(event: Event) -> None:
    """Stand for a handler that returns nothing."""


GUARDS = [None, MemoryReplayGuard]
every_guard = pytest.mark.parametrize("guard", GUARDS, ids=["plain", "guarded"])


def decorated(guard: Callable[[], Any] | None, handler: Callable[..., Any] = nothing) -> Any:
    """Return a decorated handler."""
    return listrak_webhook(replay=guard and guard())(handler)


@every_guard
class TestNothing:
    """A handler that returns `None`."""

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 205, 304])
    def test_it_has_the_status_of_the_route(self, app: FastAPI, guard: Any, status: int) -> None:
        """And no body; a status that allows none has no length either."""
        app.post(PATH, status_code=status)(decorated(guard))
        answer = post(app)
        assert (answer.status, answer.body) == (status, b"")
        assert ("content-length" in answer.headers) == (status not in {204, 304})

    def test_it_has_the_status_of_an_included_route(self, app: FastAPI, guard: Any) -> None:
        """Routers pass it on."""
        router = APIRouter()
        router.post(PATH, status_code=204)(decorated(guard))
        app.include_router(router, prefix="/v1")
        assert post(app, path=f"/v1{PATH}").status == 204

    def test_what_dependencies_did_to_the_response_is_kept(self, app: FastAPI, guard: Any) -> None:
        """Also if the handler does not ask for it; a status set there counts for more than the route's."""

        def mark(response: Response) -> None:
            response.headers["X-Shop"] = "1"
            response.set_cookie("seen", "yes")
            response.status_code = 203

        app.post(PATH, status_code=202, dependencies=[Depends(mark)])(decorated(guard))
        answer = post(app)
        assert (answer.status, answer.body) == (203, b"")
        assert answer.headers["x-shop"] == "1"
        assert answer.headers["set-cookie"].startswith("seen=yes")

    @pytest.mark.parametrize(
        ("response_class", "body", "content_type"),
        [
            (JSONResponse, b"", None),
            (PlainTextResponse, b"", None),
            (HTMLResponse, b"", None),
            (Envelope, b'{"result":null}', "application/json"),
            (FileResponse, b"", None),
            (StreamingResponse, b"", None),
        ],
    )
    @pytest.mark.parametrize("where", ["route", "app"])
    def test_a_response_class_has_its_say(
        self, guard: Any, where: str, response_class: type[Response], body: bytes, content_type: str | None
    ) -> None:
        """One that makes something of `None` does; JSON's null is nothing."""
        app = FastAPI(default_response_class=response_class) if where == "app" else FastAPI()
        options: dict[str, Any] = {"response_class": response_class} if where == "route" else {}
        app.post(PATH, status_code=202, **options)(decorated(guard))
        answer = post(app)
        assert (answer.status, answer.body) == (202, body)
        assert answer.headers.get("content-type") == content_type
        assert answer.headers["content-length"] == str(len(body))

    def test_what_a_route_class_does_to_the_response_is_kept(self, app: FastAPI, guard: Any) -> None:
        """It gets a response, before it is sent."""

        class MarkingRoute(APIRoute):
            def get_route_handler(self) -> Callable[..., Any]:
                handle = super().get_route_handler()

                async def marked(request: Request) -> Response:
                    response = await handle(request)
                    response.headers["X-Route"] = "1"
                    return response

                return marked

        router = APIRouter(route_class=MarkingRoute)
        router.post(PATH, status_code=204)(decorated(guard))
        app.include_router(router)
        answer = post(app)
        assert (answer.status, answer.headers["x-route"]) == (204, "1")

    def test_background_tasks_run(self, app: FastAPI, guard: Any) -> None:
        """Those of a dependency too."""
        done: list[str] = []

        def later(tasks: BackgroundTasks) -> None:
            tasks.add_task(done.append, "dependency")

        async def handler(event: Event, tasks: BackgroundTasks) -> None:
            tasks.add_task(done.append, "handler")

        app.post(PATH, status_code=204, dependencies=[Depends(later)])(decorated(guard, handler))
        assert post(app).status == 204
        assert sorted(done) == ["dependency", "handler"]


class TestSomething:
    """A handler that returns something has it made a response by FastAPI, as without the decorator."""

    @every_guard
    def test_status_class_and_headers_are_the_routes(self, app: FastAPI, guard: Any) -> None:
        """Nothing of ours is in between."""

        def mark(response: Response) -> None:
            response.headers["X-Shop"] = "1"

        async def handler(event: Event) -> dict[str, str]:
            return {"encoding": event.encoding}

        options: dict[str, Any] = {"status_code": 201, "response_class": Envelope, "dependencies": [Depends(mark)]}
        app.post(PATH, **options)(decorated(guard, handler))
        answer = post(app)
        assert (answer.status, answer.json()) == (201, {"result": {"encoding": "base64"}})
        assert answer.headers["x-shop"] == "1"

    def test_a_duplicate_is_an_empty_200(self, app: FastAPI) -> None:
        """In both forms, whatever the route's own status is."""
        hook = ListrakWebhook(replay=MemoryReplayGuard())

        async def dependent(event: Annotated[Event, Depends(hook)]) -> None: ...

        app.post(PATH, status_code=202)(decorated(MemoryReplayGuard))
        app.post("/dependency", status_code=202)(dependent)
        for path in (PATH, "/dependency"):
            headers = signed()
            first, second = (post(app, headers, path) for _ in range(2))
            assert first.status == 202
            assert (second.status, second.body) == (200, b"")


class TestStatusHandlers:
    """Handlers of the user's for a status."""

    @pytest.mark.parametrize("form", ["decorator", "dependency"])
    def test_a_rejection_by_the_guard_is_logged_before_they_respond(
        self, app: FastAPI, form: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Starlette prefers a handler for a status to one for a class."""
        rejected: list[str] = []
        guard = MemoryReplayGuard()
        options: Any = {"replay": guard, "on_rejected": lambda error, _: rejected.append(error.code)}

        @app.exception_handler(409)
        async def conflict(request: Request, error: HTTPException) -> Response:
            return Response(f"sorry: {error.detail}", 409)

        async def dependent(event: Annotated[Event, Depends(ListrakWebhook(**options))]) -> None: ...

        app.post(PATH)(listrak_webhook(**options)(nothing) if form == "decorator" else dependent)
        headers = signed()
        from support.guards import WEBHOOK

        with guard.handle(WEBHOOK.verify(BODY, headers)):
            answer = post(app, headers)
        assert (answer.status, answer.body) == (409, b"sorry: duplicate_delivery")
        assert rejected == ["duplicate_delivery"]
        assert "409 duplicate_delivery" in caplog.text

    @pytest.mark.parametrize("form", ["decorator", "dependency", "guarded-dependency"])
    def test_a_handler_of_the_users_for_payload_errors(self, app: FastAPI, form: str) -> None:
        """The dependency leaves to it what a path operation raises; with a guard, and decorated, it is a rejection."""

        @app.exception_handler(PayloadError)
        async def teapot(request: Request, error: PayloadError) -> Response:
            return Response("tea", 418)

        async def handler(event: Event) -> None:
            raise PayloadError("no cart")

        hook = ListrakWebhook(replay=MemoryReplayGuard() if form == "guarded-dependency" else None)

        async def dependent(event: Annotated[Event, Depends(hook)]) -> None:
            await handler(event)

        app.post(PATH)(listrak_webhook(handler) if form == "decorator" else dependent)
        assert post(app).status == (418 if form == "dependency" else 400)

    def test_it_does_not_get_in_the_way_of_a_duplicate(self, app: FastAPI) -> None:
        """Each of our exceptions is looked up by itself."""

        @app.exception_handler(PayloadError)
        async def teapot(request: Request, error: PayloadError) -> Response:
            return Response("tea", 418)

        @app.post(PATH)
        async def dependent(event: Annotated[Event, Depends(ListrakWebhook(replay=MemoryReplayGuard()))]) -> None: ...

        headers = signed()
        assert [post(app, headers).body for _ in range(2)] == [b"null", b""]


class Line(BaseModel):
    """A line of a cart."""

    sku: str


class CartMail(BaseModel):
    """What the marketer writes."""

    lines: list[Line]


class TestManyProblems:
    """A payload that does not fit in very many places."""

    @pytest.mark.parametrize("count", [1, MOST_PROBLEMS - 1, MOST_PROBLEMS, MOST_PROBLEMS + 1, 5000])
    def test_the_response_is_bounded_and_says_how_many_more_there_are(self, app: FastAPI, count: int) -> None:
        """So that one delivery does not make a response of many megabytes."""
        app.post(PATH)(_taking_a_cart())
        body = b'{"lines":[' + b",".join([b"{}"] * count) + b"]}"
        answer = call_asgi(app, Delivery(body))
        detail = answer.json()["detail"]
        assert answer.status == 422
        shown = [{"type": "invalid_payload", "loc": ["body", "lines", n, "sku"]} for n in range(count)][:MOST_PROBLEMS]
        assert detail[: len(shown)] == shown
        more = [{"type": "invalid_payload", "loc": ["body"], "more": count - MOST_PROBLEMS}]
        assert detail[len(shown) :] == (more if count > MOST_PROBLEMS else [])

    def test_what_the_error_itself_leaves_out_counts_too(self, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error may name some of the problems alone, and the number of the others."""
        monkeypatch.setattr(PayloadError, "more", 7, raising=False)

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event) -> None:
            raise PayloadError("too many", (PayloadProblem(("a",), "an object"),))

        detail = post(app).json()["detail"]
        assert detail[-1] == {"type": "invalid_payload", "loc": ["body"], "more": 7}

    def test_it_is_documented(self) -> None:
        """The schema has the number."""
        content = route_docs(CartMail)["responses"][422]["content"]["application/json"]["schema"]
        item = content["properties"]["detail"]["items"]
        assert item["properties"]["more"]["type"] == "integer"
        assert "more" not in item["required"]


def _taking_a_cart() -> Any:
    @listrak_webhook
    async def handler(mail: CartMail) -> None: ...

    return handler
