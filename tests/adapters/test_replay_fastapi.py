"""What `replay=` does in FastAPI alone."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from listrak_webhooks import Event
from listrak_webhooks.replay import MemoryReplayGuard
from support.apps import acall_asgi, call_asgi
from support.deliveries import PATH, Delivery, signed
from support.guards import event_of
from support.helpers import BODY, PATIENCE, SECRET
from support.repeats import delivery, event_in


class TestFastAPI:
    """What FastAPI alone has."""

    @pytest.mark.parametrize(
        "form",
        [
            "def",
            "async",
            pytest.param("dependency", marks=pytest.mark.newer("FastAPI 0.121, which has the scope of a dependency")),
        ],
    )
    def test_the_claim_is_completed_before_the_response_is_sent(self, form: str) -> None:
        """A sender that has the response may send the delivery again at once."""
        import fastapi
        from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook

        guard = MemoryReplayGuard()
        app = fastapi.FastAPI()

        def operation(event: Any) -> None: ...

        async def async_operation(event: Any) -> None: ...

        chosen = async_operation if form == "async" else operation
        if form == "dependency":
            depends = fastapi.Depends(ListrakWebhook(SECRET, replay=guard), scope="function")
            chosen.__annotations__["event"] = Annotated[Event, depends]
            app.post(PATH)(chosen)
        else:
            chosen.__annotations__["event"] = Event
            app.post(PATH)(listrak_webhook(SECRET, replay=guard)(chosen))
        sent, at_start = Delivery(headers=signed()), list[str]()

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            async def watch(message: Any) -> None:
                if message["type"] == "http.response.start":
                    with guard.handle(event_in(sent)) as first:
                        at_start.append("first" if first else "completed")
                await send(message)

            await app(scope, receive, watch)

        assert call_asgi(watched, sent).status == 200
        assert at_start == ["completed"]

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_a_handler_that_is_never_reached_has_handled_nothing(self, *, is_async: bool) -> None:
        """Another parameter of the route was rejected."""
        import fastapi
        from listrak_webhooks.fastapi import listrak_webhook

        guard = MemoryReplayGuard()
        app = fastapi.FastAPI()
        seen: list[int] = []

        def operation(event: Any, number: int) -> None:
            seen.append(number)

        async def async_operation(event: Any, number: int) -> None:
            seen.append(number)

        chosen = async_operation if is_async else operation
        chosen.__annotations__["event"] = Event
        app.post(PATH)(listrak_webhook(SECRET, replay=guard)(chosen))
        headers = signed(BODY)
        assert call_asgi(app, Delivery(headers=headers, path=f"{PATH}?number=x")).status == 422
        assert len(guard) == 0
        assert call_asgi(app, Delivery(headers=headers, path=f"{PATH}?number=7")).status == 200
        assert seen == [7]

    def test_a_status_that_the_handler_sets_counts_like_a_response(self) -> None:
        """FastAPI hands a `Response` in for that."""
        import fastapi
        from listrak_webhooks.fastapi import listrak_webhook

        guard = MemoryReplayGuard()
        app = fastapi.FastAPI()

        async def operation(event: Any, response: Any) -> dict[str, str]:
            response.status_code = 503
            return {"come": "later"}

        operation.__annotations__.update(event=Event, response=fastapi.Response)
        app.post(PATH)(listrak_webhook(SECRET, replay=guard)(operation))
        assert call_asgi(app, delivery()).status == 503
        assert len(guard) == 0

    def test_a_decorated_handler_can_be_called_with_an_event(self) -> None:
        """As users do in their own tests; there is no delivery then, and no guard."""
        from listrak_webhooks.fastapi import listrak_webhook

        guard = MemoryReplayGuard()

        @listrak_webhook(SECRET, replay=guard)
        def sync_operation(event: Event) -> str:
            return event.id

        @listrak_webhook(SECRET, replay=guard)
        async def operation(event: Event) -> str:
            return event.id

        event = event_of(BODY)
        assert sync_operation(event) == sync_operation(event=event) == event.id
        assert asyncio.run(operation(event)) == event.id
        assert len(guard) == 0

    def test_a_handler_for_http_exceptions_is_not_asked_about_a_duplicate(self) -> None:
        """It is not an error, though a dependency can only end a request by raising."""
        import fastapi
        from listrak_webhooks.fastapi import ListrakWebhook

        app = fastapi.FastAPI()

        async def unexpected(request: Any, error: Any) -> None:
            pytest.fail(f"{error!r} was handled as an error")

        app.add_exception_handler(fastapi.HTTPException, unexpected)

        def operation(event: Any) -> str:
            return "handled"

        dependency = ListrakWebhook(SECRET, replay=MemoryReplayGuard())
        operation.__annotations__["event"] = Annotated[Event, fastapi.Depends(dependency)]
        app.post(PATH)(operation)
        sent = delivery()
        assert call_asgi(app, sent).body == b'"handled"'
        again = call_asgi(app, sent)
        assert (again.status, again.body) == (200, b"")

    def test_a_sub_application_answers_a_duplicate_too(self) -> None:
        """It has handlers of its own."""
        import fastapi
        from listrak_webhooks.fastapi import ListrakWebhook

        app, inner = fastapi.FastAPI(), fastapi.FastAPI()

        def operation(event: Any) -> str:
            return "handled"

        dependency = ListrakWebhook(SECRET, replay=MemoryReplayGuard())
        operation.__annotations__["event"] = Annotated[Event, fastapi.Depends(dependency)]
        inner.post(PATH)(operation)
        app.mount("/inner", inner)
        sent = Delivery(headers=signed(BODY), path=f"/inner{PATH}")
        assert [call_asgi(app, sent).body for _ in range(2)] == [b'"handled"', b""]

    def test_a_cancelled_request_gives_its_claim_back(self) -> None:
        """The server cancels the task of a client that has gone, perhaps."""
        import fastapi
        from listrak_webhooks.fastapi import listrak_webhook

        guard = MemoryReplayGuard()
        app = fastapi.FastAPI()
        reached = asyncio.Event()

        async def operation(event: Any) -> None:
            reached.set()
            await asyncio.sleep(PATIENCE)

        operation.__annotations__["event"] = Event
        app.post(PATH)(listrak_webhook(SECRET, replay=guard)(operation))

        async def steps() -> None:
            task = asyncio.create_task(acall_asgi(app, delivery()))
            await reached.wait()
            assert len(guard) == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(guard) == 0

        asyncio.run(steps())

    def test_the_documentation_has_both_rejections(self) -> None:
        """Whether a route has a guard or not."""
        from listrak_webhooks.fastapi import route_docs

        responses = route_docs()["responses"]
        assert "duplicate_delivery" in str(responses[409])
        assert "replay_guard_unavailable" in str(responses[503])
