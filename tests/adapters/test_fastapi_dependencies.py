"""The FastAPI adapter: dependencies next to the event, and the threads that they run in."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `support/future_annotations_app.py` has them as text.
import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request
from listrak_webhooks import Event, PayloadError, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook
from support.apps import acall_asgi
from support.deliveries import PATH, Answer, Delivery, forged, logged, signed
from support.fastapi_views import ECHO, REJECTED, echo, never, post
from support.helpers import BODY, OTHER_SECRET, SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class TestDependencies:
    """Routers, dependencies and overrides."""

    def test_a_router_with_a_prefix_and_dependencies(self) -> None:
        """Router-level dependencies run, and one that answers by itself is heard."""
        calls: list[str] = []

        def tenant(tenant: str) -> None:
            calls.append(tenant)
            if tenant == "gone":
                raise HTTPException(410, "gone")

        router = APIRouter(prefix="/tenants/{tenant}", dependencies=[Depends(tenant)])

        @router.post("/listrak")
        @listrak_webhook
        async def handler(event: Event, tenant: str) -> str:
            return f"{tenant} {event.encoding}"

        app = FastAPI()
        app.include_router(router, prefix="/v1")
        assert post(app, path="/v1/tenants/acme/listrak").json() == "acme base64"
        assert post(app, path="/v1/tenants/gone/listrak").status == 410
        assert post(app, path="/v1/tenants/acme/listrak", headers=forged()).json() == REJECTED
        assert calls == ["acme", "gone", "acme"]

    @pytest.mark.parametrize("path", ["/decorator/7?tag=t", "/alias/7", "/module/7", "/router/dependency/7"])
    def test_annotations_that_are_text(self, path: str) -> None:
        """`from __future__ import annotations`, in a module of its own."""
        from support.future_annotations_app import app

        answer = post(app, path=path)
        assert answer.status == 200, answer
        assert answer.json()["seen"].endswith("base64")
        assert answer.json()["seen"].startswith("7 ")
        assert post(app, path=path, headers=forged()).json() == REJECTED

    def test_annotations_that_are_text_and_defined_inside_a_function(self) -> None:
        """What FastAPI itself cannot resolve is said at decoration, and never served unverified."""
        source = (
            "from __future__ import annotations\n"
            "def make(listrak_webhook):\n"
            "    from listrak_webhooks import Event\n"
            "    class Local: ...\n"
            "    @listrak_webhook\n"
            "    async def handler(event: Event) -> None: ...\n"
            "    return handler\n"
        )
        names: dict[str, Any] = {}
        exec(source, names)
        app = FastAPI()
        app.post(PATH)(names["make"](listrak_webhook))
        assert post(app).status == 200
        assert post(app, headers=forged()).json() == REJECTED

    def test_other_dependencies_query_parameters_and_background_tasks(self, app: FastAPI) -> None:
        """The usual company of a path operation."""
        order: list[str] = []

        async def session() -> AsyncIterator[str]:
            order.append("open")
            yield "session"
            order.append("closed")

        @app.post(PATH)
        @listrak_webhook
        async def handler(
            event: Event, session: Annotated[str, Depends(session)], tasks: BackgroundTasks, tag: str = "-"
        ) -> str:
            order.append("handler")
            tasks.add_task(order.append, f"task {event.payload['campaign']}")
            return f"{session} {tag}"

        answer = post(app, path=f"{PATH}?tag=t")
        assert answer.json() == "session t"
        assert sorted(order) == sorted(["open", "handler", "task vip-mailer", "closed"])
        assert order.index("handler") < order.index("task vip-mailer")

    def test_background_tasks_run_where_none_is_returned(self, app: FastAPI) -> None:
        """The empty 200 must not lose what the handler left to do."""
        done: list[str] = []

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, tasks: BackgroundTasks) -> None:
            tasks.add_task(done.append, event.encoding)

        answer = post(app)
        assert (answer.status, answer.body) == (200, b"")
        assert done == ["base64"]

    def test_a_payload_error_in_a_background_task_is_not_a_rejection(
        self, app: FastAPI, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The answer is out by then: the error is the task's own, and must not be logged as a 400 nobody got."""
        rejected: list[Any] = []

        @app.post(PATH)
        @listrak_webhook(on_rejected=lambda error, _: rejected.append(error))
        async def handler(event: Event, tasks: BackgroundTasks) -> None:
            tasks.add_task(lambda: event.payload)

        with pytest.raises(PayloadError):
            post(app, b"{")
        assert rejected == []
        assert logged(caplog) == []

    def test_a_dependency_on_the_event(self, app: FastAPI) -> None:
        """The event can feed further dependencies, whose `PayloadError` answers 400 as the handler's does."""
        hook = ListrakWebhook(SECRET)

        def campaign(event: Annotated[Event, Depends(hook)]) -> str:
            return str(event.payload["campaign"])

        @app.post(PATH)
        async def handler(campaign: Annotated[str, Depends(campaign)]) -> str:
            return campaign

        assert post(app).json() == "vip-mailer"
        rejection = post(app, b"{")
        assert (rejection.status, rejection.json()) == (400, {"detail": "invalid_payload"})
        assert post(app, headers=forged()).json() == REJECTED

    def test_one_dependency_used_twice_verifies_once(self, app: FastAPI) -> None:
        """FastAPI keeps its value for the request."""
        resolved: list[Request] = []

        def resolve(request: Request) -> Webhook:
            resolved.append(request)
            return Webhook(SECRET)

        hook = ListrakWebhook(resolver=resolve)

        def encoding(event: Annotated[Event, Depends(hook)]) -> str:
            return event.encoding

        @app.post(PATH)
        async def handler(
            event: Annotated[Event, Depends(hook)],
            again: Annotated[Event, Depends(hook)],
            code: Annotated[str, Depends(encoding)],
        ) -> bool:
            return event is again and code == event.encoding

        assert post(app).json() is True
        assert len(resolved) == 1

    def test_two_dependencies_verify_each_for_itself(self, app: FastAPI) -> None:
        """The second finds the body that the first has read."""

        @app.post(PATH)
        async def handler(
            first: Annotated[Event, Depends(ListrakWebhook(SECRET))],
            second: Annotated[Event, Depends(ListrakWebhook([OTHER_SECRET, SECRET]))],
        ) -> bool:
            return first == second and (first.secret_index, second.secret_index) == (0, 1)

        assert post(app).json() is True

    def test_a_dependency_of_the_route_alone(self, app: FastAPI) -> None:
        """`dependencies=[Depends(...)]` guards a handler that does not want the event."""

        @app.post(PATH, dependencies=[Depends(ListrakWebhook())])
        async def handler() -> str:
            return "in"

        assert post(app).json() == "in"
        assert post(app, headers=forged()).json() == REJECTED

    def test_an_override_of_another_dependency(self, app: FastAPI) -> None:
        """Tests of users' own replace what they do not test."""

        def real() -> str:
            pytest.fail("the real one was called")

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, database: Annotated[str, Depends(real)]) -> str:
            return f"{database} {event.encoding}"

        app.dependency_overrides[real] = lambda: "fake"
        assert post(app).json() == "fake base64"
        assert post(app, headers=forged()).json() == REJECTED

    def test_an_override_of_the_webhook_itself(self, app: FastAPI) -> None:
        """The instance is the key, and an event may come from anywhere."""
        hook = ListrakWebhook(OTHER_SECRET)
        event = Webhook(SECRET).verify(BODY, signed())

        @app.post(PATH)
        async def handler(event: Annotated[Event, Depends(hook)]) -> str:
            return event.encoding

        assert post(app, headers={}).status == 401
        app.dependency_overrides[hook] = lambda: event
        assert post(app, headers={}).json() == "base64"

    def test_two_routes_do_not_share_a_secret(self, app: FastAPI) -> None:
        """Each webhook has its own, and a delivery for one is not one for the other."""

        @app.post("/a")
        @listrak_webhook(SECRET)
        async def first(event: Event) -> None: ...

        @app.post("/b")
        @listrak_webhook(OTHER_SECRET)
        async def second(event: Event) -> None: ...

        assert post(app, path="/a").status == 200
        assert post(app, path="/b").json() == REJECTED
        assert post(app, path="/b", headers=signed(secret=OTHER_SECRET)).status == 200

    def test_on_rejected_gets_the_request(self, app: FastAPI) -> None:
        """FastAPI's own, with the route's parameters."""
        seen: list[Any] = []

        @app.post("/{account}")
        @listrak_webhook(on_rejected=lambda error, request: seen.append((error.code, request.path_params)))
        async def handler(account: int, event: Event) -> None: ...

        post(app, path="/7", headers=forged())
        assert seen == [("signature_mismatch", {"account": "7"})]

    def test_the_dependency_in_a_mounted_app(self, app: FastAPI) -> None:
        """A sub-application is like any other."""
        inner = FastAPI()
        inner.post(PATH)(listrak_webhook(echo))
        app.mount("/inner", inner)
        assert post(app, path=f"/inner{PATH}").body == ECHO


class TestThreads:
    """The event loop is never blocked by the user's own functions."""

    def test_sync_handlers_run_side_by_side(self, app: FastAPI) -> None:
        """Each waits for the other, so both must be running."""
        barrier = threading.Barrier(2, timeout=10)

        @app.post(PATH)
        @listrak_webhook
        def handler(event: Event) -> None:
            barrier.wait()

        async def both() -> tuple[Answer, Answer]:
            return await asyncio.gather(acall_asgi(app, Delivery()), acall_asgi(app, Delivery()))

        assert [answer.status for answer in asyncio.run(both())] == [200, 200]

    def test_async_handlers_run_in_the_loop(self, app: FastAPI) -> None:
        """And in no thread of their own."""
        threads: list[int] = []

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event) -> None:
            threads.append(threading.get_ident())

        post(app)
        assert threads == [threading.get_ident()]

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_resolver_and_on_rejected(self, app: FastAPI, *, is_async: bool) -> None:
        """They may ask a database: plain ones run in a thread, async ones in the loop."""
        threads: list[int] = []

        def resolve(request: Request) -> Webhook:
            threads.append(threading.get_ident())
            return Webhook(SECRET)

        def reject(error: Any, request: Request) -> None:
            threads.append(threading.get_ident())

        async def resolve_later(request: Request) -> Webhook:
            return resolve(request)

        async def reject_later(error: Any, request: Request) -> None:
            reject(error, request)

        options: Any = (
            {"resolver": resolve_later, "on_rejected": reject_later}
            if is_async
            else {"resolver": resolve, "on_rejected": reject}
        )
        app.post(PATH)(listrak_webhook(**options)(never))
        post(app, headers=forged())
        assert len(threads) == 2
        assert [thread == threading.get_ident() for thread in threads] == [is_async, is_async]
