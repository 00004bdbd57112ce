"""FastAPI: decorators of the user's own over and under `@listrak_webhook`, in whatever thread or loop they call.

They have the shapes of well-known ones; `test_fastapi_libraries.py` has some of these themselves.
"""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
import asyncio
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from listrak_webhooks import Event, PayloadError
from listrak_webhooks.fastapi import listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from support.apps import acall_asgi
from support.deliveries import PATH, Delivery, forged, one_rejection, signed
from support.fastapi_decorators import GUARDS, NO_JSON, CartMail, Decorator, Seen, in_an_executor, post

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


def plain(seen: Seen) -> Decorator:
    """Return what wraps any handler in a plain function, as timers do."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            return handler(*args, **kwargs)

        return wrapper

    return decorate


def awaiting(seen: Seen) -> Decorator:
    """Return what wraps any handler in an async function."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            result = handler(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return wrapper

    return decorate


def with_a_signature(seen: Seen) -> Decorator:
    """Return what sets a signature of its own whose annotations are text, as tracers do."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        wrapper: Any = awaiting(seen)(handler) if inspect.iscoroutinefunction(handler) else plain(seen)(handler)
        wrapper.__signature__ = inspect.signature(handler)
        return wrapper  # type: ignore[no-any-return]

    return decorate


def retrying(seen: Seen) -> Decorator:
    """Return what calls a handler again if it raises."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            call = awaiting(Seen())(handler)
            try:
                return await call(*args, **kwargs)
            except LookupError:
                return await call(*args, **kwargs)

        return wrapper

    return decorate


def in_a_thread(seen: Seen) -> Decorator:
    """Return what calls a plain handler in a thread of asyncio's, which copies the context."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            return await asyncio.to_thread(handler, *args, **kwargs)

        return wrapper

    return decorate


def in_another_loop(seen: Seen) -> Decorator:
    """Return what runs an async handler in a loop of its own."""

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            seen.note(kwargs)
            return await asyncio.to_thread(lambda: asyncio.run(handler(*args, **kwargs)))

        return wrapper

    return decorate


FOR_BOTH = [plain, awaiting, with_a_signature, retrying]
FOR_PLAIN = [in_a_thread, in_an_executor]
FOR_ASYNC = [in_another_loop]
SHAPES = [
    *((shape, is_async) for shape in FOR_BOTH for is_async in (False, True)),
    *((shape, False) for shape in FOR_PLAIN),
    *((shape, True) for shape in FOR_ASYNC),
]

every_place = pytest.mark.parametrize("place", ["over", "under"])

UNWRAPPED = pytest.mark.newer("a FastAPI that awaits an async function under a plain wrapper")


def _case(shape: Any, place: str, *, is_async: bool) -> Any:
    name = f"{shape.__name__}-{'async' if is_async else 'def'}-{place}"
    marks = [UNWRAPPED] if (shape, is_async, place) == (plain, True, "over") else []
    return pytest.param(shape, is_async, place, id=name, marks=marks)


every_shape_and_place = pytest.mark.parametrize(
    ("shape", "is_async", "place"),
    [_case(shape, place, is_async=is_async) for shape, is_async in SHAPES for place in ("over", "under")],
)


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a guard of each kind, and none."""
    return GUARDS[request.param](tmp_path)


def decorated(
    shape: Callable[[Seen], Decorator], seen: Seen, handler: Callable[..., Any], place: str, **options: Any
) -> Any:
    """Return a handler with our decorator and another one."""
    ours, theirs = listrak_webhook(**options), shape(seen)
    return theirs(ours(handler)) if place == "over" else ours(theirs(handler))


class TestShapes:
    """A decorator over ours or under it works as it does without ours, and sees what the handler sees."""

    @every_shape_and_place
    def test_the_event_is_handled_once(
        self, app: FastAPI, shape: Any, place: str, guard: Any, *, is_async: bool
    ) -> None:
        """With a guard a second arrival is not handled, in whatever thread or loop the handler is called."""
        seen, handled = Seen(), list[str]()

        def handler(event: Event) -> str:
            handled.append(event.id)
            return "handled"

        async def async_handler(event: Event) -> str:
            return handler(event)

        chosen = decorated(shape, seen, async_handler if is_async else handler, place, replay=guard)
        app.post(PATH)(chosen)
        headers = signed()
        answers = [post(app, headers=headers) for _ in range(2)]
        twice = guard is None
        assert [answer.body for answer in answers] == [b'"handled"', b'"handled"' if twice else b""]
        assert [answer.status for answer in answers] == [200, 200]
        assert len(handled) == (2 if twice else 1)
        assert set(seen) == {"Event"}
        assert post(app, headers=forged()).status == 401
        assert len(handled) == (2 if twice else 1)

    @every_shape_and_place
    def test_a_payload_error_is_a_rejection(
        self,
        app: FastAPI,
        shape: Any,
        place: str,
        guard: Any,
        *,
        is_async: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """It is logged, `on_rejected` gets it and the request, and the delivery may come again."""
        rejected: list[Any] = []

        async def notify(error: Any, request: Request) -> None:
            rejected.append((type(error), request.url.path))

        def handler(event: Event) -> Any:
            return event.payload

        async def async_handler(event: Event) -> Any:
            return event.payload

        chosen = decorated(
            shape,
            Seen(),
            async_handler if is_async else handler,
            place,
            replay=guard,
            on_rejected=notify,
        )
        app.post(PATH)(chosen)
        headers = signed(NO_JSON)
        for _ in range(2):
            answer = post(app, NO_JSON, headers)
            assert (answer.status, answer.json()) == (400, {"detail": "invalid_payload"})
            one_rejection(caplog, "invalid_payload")
        assert rejected == [(PayloadError, PATH)] * 2

    @every_shape_and_place
    def test_a_model_is_what_all_of_them_see(
        self, app: FastAPI, shape: Any, place: str, guard: Any, *, is_async: bool
    ) -> None:
        """Also without a parameter for the event, which the guard needs nevertheless."""
        seen, handled = Seen(), list[str]()

        def handler(mail: CartMail) -> None:
            handled.append(mail.campaign)

        async def async_handler(mail: CartMail) -> None:
            handler(mail)

        chosen = decorated(shape, seen, async_handler if is_async else handler, place, replay=guard)
        app.post(PATH)(chosen)
        headers = signed()
        assert [post(app, headers=headers)[:2] for _ in range(2)] == [(200, b""), (200, b"")]
        assert len(handled) == (2 if guard is None else 1)
        assert set(seen) == {"CartMail"}

    @every_place
    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_one_that_calls_again_is_let_in_again(self, app: FastAPI, place: str, *, is_async: bool) -> None:
        """A call that raised has given its claim back, and the next one handles the delivery."""
        results: list[Any] = [LookupError("not yet"), "handled"]

        def handler(event: Event) -> Any:
            result = results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result

        async def async_handler(event: Event) -> Any:
            return handler(event)

        chosen = async_handler if is_async else handler
        app.post(PATH)(decorated(retrying, Seen(), chosen, place, replay=MemoryReplayGuard()))
        headers = signed()
        assert [post(app, headers=headers).body for _ in range(2)] == [b'"handled"', b""]

    @pytest.mark.parametrize("is_async", [False, True], ids=["def", "async"])
    def test_one_that_does_not_wait_for_the_handler(self, app: FastAPI, *, is_async: bool) -> None:
        """The guard is around the handler, and not around the request, which is over when it runs."""
        handled: list[str] = []
        pending: list[asyncio.Future[Any]] = []

        def hand_off(handler: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(handler)
            async def wrapper(*args: Any, **kwargs: Any) -> dict[str, bool]:
                call = functools.partial(handler, *args, **kwargs)
                loop = asyncio.get_running_loop()
                pending.append(asyncio.ensure_future(call()) if is_async else loop.run_in_executor(None, call))
                return {"queued": True}

            return wrapper

        def handler(event: Event) -> None:
            handled.append(event.id)

        async def async_handler(event: Event) -> None:
            handled.append(event.id)

        app.post(PATH)(hand_off(listrak_webhook(replay=MemoryReplayGuard())(async_handler if is_async else handler)))

        async def steps() -> None:
            sent = signed()
            for _ in range(3):
                assert (await acall_asgi(app, Delivery(headers=sent))).json() == {"queued": True}
                await asyncio.gather(*pending)
                pending.clear()

        asyncio.run(steps())
        assert len(handled) == 1
