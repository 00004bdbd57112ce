"""What `replay=` does in all framework adapters, and what each alone has of it."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from listrak_webhooks import (
    ConfigurationError,
    DuplicateDeliveryError,
    Event,
    PayloadError,
    ReplayGuardError,
    WebhookError,
)
from listrak_webhooks._http.admission import Admission
from listrak_webhooks._steps import arun
from listrak_webhooks.replay import MemoryReplayGuard, RedisReplayGuard, SqliteReplayGuard
from support.apps import acall_asgi, call_asgi
from support.conformance import (
    every_awaiting_variant,
    every_decorator,
    every_sync_variant,
    every_variant,
    every_variant_that_checks_results,
)
from support.deliveries import PATH, Answer, Delivery, logged, one_refusal, signed
from support.guards import WEBHOOK, async_redis_client, event_of
from support.helpers import BODY, PATIENCE, SECRET, TESTS
from support.servers import exchange, gunicorn_server, uvicorn_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from support.guards import RedisServer
    from support.variants import Variant


def delivery() -> Delivery:
    """Return a delivery that can be sent again, byte for byte."""
    return Delivery(headers=signed(BODY))


def event_in(sent: Delivery) -> Event:
    """Return the event of a delivery."""
    return WEBHOOK.verify(sent.body, sent.headers or {})


@pytest.fixture(params=["memory", "sqlite"])
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a guard that never waits, or one that may."""
    return MemoryReplayGuard() if request.param == "memory" else SqliteReplayGuard(tmp_path / "deliveries.db")


class TestDuplicate:
    """A delivery that comes again."""

    @every_variant
    def test_one_that_was_handled_answers_an_empty_200_and_is_not_handled(
        self, variant: Variant, guard: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log says so, with no more of its id than eight digits."""
        caplog.set_level(logging.INFO)
        seen: list[Event] = []
        with variant.endpoint(seen.append, replay=guard) as endpoint:
            sent = delivery()
            assert endpoint.send(sent).status == 200
            assert not logged(caplog)
            again = endpoint.send(sent)
        assert (again.status, again.body) == (200, b"")
        assert len(seen) == 1
        (record,) = logged(caplog)
        assert record.levelno == logging.INFO
        assert seen[0].id[:8] in record.getMessage()
        assert seen[0].id[:9] not in record.getMessage()

    @every_variant
    def test_one_that_is_being_handled_answers_409(
        self, variant: Variant, guard: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is a refusal like any other, of which `on_rejected` is told."""
        told: list[WebhookError] = []
        with variant.endpoint(_fail, replay=guard, on_rejected=lambda error, request: told.append(error)) as endpoint:
            sent = delivery()
            with guard.handle(event_in(sent)):
                assert endpoint.is_refusal(endpoint.send(sent), 409, "duplicate_delivery")
        one_refusal(caplog, "duplicate_delivery")
        assert [type(error) for error in told] == [DuplicateDeliveryError]

    @every_variant
    def test_a_store_that_does_not_answer_is_503(
        self, variant: Variant, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing is handled that could be handled twice; the log has an ERROR."""
        told: list[WebhookError] = []
        folder = tmp_path / "removed"
        folder.mkdir()
        guard = SqliteReplayGuard(folder / "deliveries.db")
        shutil.rmtree(folder)
        with variant.endpoint(_fail, replay=guard, on_rejected=lambda error, request: told.append(error)) as endpoint:
            assert endpoint.is_refusal(endpoint.send(delivery()), 503, "replay_guard_unavailable")
        assert "create its folder" in one_refusal(caplog, "replay_guard_unavailable", logging.ERROR)
        assert [type(error) for error in told] == [ReplayGuardError]

    @every_variant
    def test_the_guard_is_not_asked_about_a_forgery(self, variant: Variant) -> None:
        """Strangers can neither fill it nor take an id."""
        guard = MemoryReplayGuard()
        with variant.endpoint(_fail, replay=guard) as endpoint:
            assert endpoint.send(Delivery(headers=signed(BODY, secret="another"))).status == 401
        assert len(guard) == 0


def _fail(event: Event) -> None:
    pytest.fail(f"the handler was called with {event}")


class TestNotHandled:
    """A delivery that was not handled may come again."""

    @every_variant
    def test_the_handlers_exception_passes_and_the_next_try_is_handled(self, variant: Variant, guard: Any) -> None:
        """The very exception."""
        raised = LookupError("no such cart")
        results: list[Any] = [raised, None]

        def handle(event: Event) -> None:
            result = results.pop(0)
            if result is not None:
                raise result

        with variant.endpoint(handle, replay=guard) as endpoint:
            sent = delivery()
            with pytest.raises(LookupError) as caught:
                endpoint.send(sent)
            assert caught.value is raised
            assert endpoint.send(sent).status == 200
        assert not results

    @every_decorator
    @pytest.mark.parametrize(("status", "calls"), [(400, 2), (503, 2), (399, 1), (302, 1), (204, 1)])
    def test_an_answer_that_says_no_was_no_handling(
        self, variant: Variant, guard: Any, status: int, calls: int
    ) -> None:
        """From 400 up; the answer goes out as it is."""
        seen: list[Event] = []

        def handle(event: Event) -> Any:
            seen.append(event)
            return variant.response(status)

        with variant.endpoint(handle, replay=guard) as endpoint:
            sent = delivery()
            assert endpoint.send(sent).status == status
            endpoint.send(sent)
        assert len(seen) == calls

    @every_variant_that_checks_results
    def test_a_view_that_returns_what_is_not_a_response_has_not_handled_the_delivery(
        self, variant: Variant, guard: Any
    ) -> None:
        """The framework fails on it, and so the claim is given back, whatever finds it out."""
        seen: list[Event] = []

        def handle(event: Event) -> Any:
            seen.append(event)
            return 17

        with variant.endpoint(handle, replay=guard) as endpoint:
            sent = delivery()
            for _ in range(2):
                with pytest.raises(TypeError, match=r"return"):
                    endpoint.send(sent)
        assert len(seen) == 2

    @every_variant
    def test_a_payload_that_is_none_answers_400_and_may_come_again(
        self, variant: Variant, guard: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A `PayloadError` is an exception too."""
        with variant.endpoint(lambda event: event.payload["x"], replay=guard) as endpoint:
            sent = Delivery(b"no json", headers=signed(b"no json"))
            for _ in range(2):
                assert endpoint.is_refusal(endpoint.send(sent), 400, PayloadError.code)
                one_refusal(caplog, PayloadError.code)

    @every_variant
    def test_a_guards_error_in_the_handler_is_the_handlers_own(self, variant: Variant) -> None:
        """Whoever uses a second guard there has what it raises passed through."""

        def handle(event: Event) -> None:
            raise DuplicateDeliveryError("mine")

        with (
            variant.endpoint(handle, replay=MemoryReplayGuard()) as endpoint,
            pytest.raises(DuplicateDeliveryError, match="mine"),
        ):
            endpoint.send(delivery())


class TestOwnGuard:
    """Guards of a user's own."""

    @every_variant
    def test_a_context_manager_is_enough(self, variant: Variant) -> None:
        """`contextlib` makes one of a function."""
        guard = _Own()
        with variant.endpoint(lambda event: None, replay=guard) as endpoint:
            sent = delivery()
            assert [endpoint.send(sent).status, endpoint.send(sent).status] == [200, 200]
        assert guard.calls == ["handle", "again"]

    @every_awaiting_variant
    def test_an_async_one_is_awaited(self, variant: Variant) -> None:
        """Where the view can."""
        guard = _OwnAsync()
        with variant.endpoint(lambda event: None, replay=guard) as endpoint:
            sent = delivery()
            assert [endpoint.send(sent).status, endpoint.send(sent).status] == [200, 200]
        assert guard.calls == ["handle", "again"]

    @every_sync_variant
    def test_an_async_one_is_refused_where_nothing_can_await_it(self, variant: Variant) -> None:
        """At decoration, with what to pass instead."""
        guards = _OwnAsync(), RedisReplayGuard(async_redis_client(6379))
        for guard in guards:
            with (
                pytest.raises(
                    ConfigurationError, match=r"needs `async with`, which this view cannot do; .*redis\.Redis"
                ),
                variant.endpoint(_fail, replay=guard),
            ):
                pytest.fail("decorated")

    @every_sync_variant
    def test_an_async_one_in_disguise_answers_500(self, variant: Variant, caplog: pytest.LogCaptureFixture) -> None:
        """What cannot be known before is said in the log."""

        class Disguised:
            def handle(self, event: Event) -> Any:
                return asynccontextmanager(_forever)()

        with variant.endpoint(_fail, replay=Disguised()) as endpoint:
            assert endpoint.is_refusal(endpoint.send(delivery()), 500, "configuration_error")
        assert "needs `async with`" in one_refusal(caplog, "configuration_error", logging.ERROR)

    @every_variant
    @pytest.mark.parametrize("replay", [True, "sqlite", MemoryReplayGuard, object()])
    def test_what_is_no_guard_is_refused(self, variant: Variant, replay: Any) -> None:
        """At decoration; a class in place of an instance, too."""
        with (
            pytest.raises(ConfigurationError, match="replay must be a guard, not"),
            variant.endpoint(_fail, replay=replay),
        ):
            pytest.fail("decorated")


async def _forever() -> AsyncGenerator[bool, None]:
    yield True


class _Own:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self._seen: set[str] = set()

    @contextmanager
    def handle(self, event: Event) -> Generator[bool, None, None]:
        first = event.id not in self._seen
        self.calls.append("handle" if first else "again")
        yield first
        self._seen.add(event.id)


class _OwnAsync:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self._seen: set[str] = set()

    @asynccontextmanager
    async def handle(self, event: Event) -> AsyncGenerator[bool, None]:
        await asyncio.sleep(0)
        first = event.id not in self._seen
        self.calls.append("handle" if first else "again")
        yield first
        self._seen.add(event.id)


class TestLoop:
    """Async views: nothing keeps the loop."""

    @every_awaiting_variant
    def test_a_store_that_takes_its_time_does_not_keep_the_loop(self, variant: Variant) -> None:
        """A sync guard of a user's own runs in a thread."""
        threads: list[threading.Thread] = []

        class Slow:
            @contextmanager
            def handle(self, event: Event) -> Generator[bool, None, None]:
                threads.append(threading.current_thread())
                yield True
                threads.append(threading.current_thread())

        with variant.endpoint(lambda event: None, replay=Slow()) as endpoint:
            assert endpoint.send(delivery()).status == 200
        assert len(threads) == 2
        assert threading.main_thread() not in threads

    @every_awaiting_variant
    def test_an_async_redis_client_guards(self, variant: Variant, redis_server: RedisServer) -> None:
        """A client belongs to the loop that uses it; here each request has one."""

        class InEachLoop:
            @asynccontextmanager
            async def handle(self, event: Event) -> AsyncGenerator[bool, None]:
                async with (
                    async_redis_client(redis_server.port) as client,
                    RedisReplayGuard(client).handle(event) as first,
                ):
                    yield first

        seen: list[Event] = []
        body = f"for {variant.name}".encode()
        sent = Delivery(body, headers=signed(body))
        with variant.endpoint(seen.append, replay=InEachLoop()) as endpoint:
            assert [endpoint.send(sent).status for _ in range(2)] == [200, 200]
        assert len(seen) == 1


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
        """Another parameter of the route was refused."""
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
        """It is no error, though a dependency can only end a request by raising."""
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

    def test_the_documentation_has_both_refusals(self) -> None:
        """Whether a route has a guard or not."""
        from listrak_webhooks.fastapi import route_docs

        responses = route_docs()["responses"]
        assert "duplicate_delivery" in str(responses[409])
        assert "replay_guard_unavailable" in str(responses[503])


DJANGO_TRANSACTIONS = """
import sys
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1], "ATOMIC_REQUESTS": True}},
)
import django
django.setup()
from django.db import transaction
from django.test import Client
from django.urls import path
from support.helpers import BODY, SECRET
from listrak_webhooks.django import listrak_webhook
from listrak_webhooks.replay import MemoryReplayGuard
from support.deliveries import signed

calls = []
outcome = "commit"

@listrak_webhook(SECRET, replay=MemoryReplayGuard())
def view(request, event):
    calls.append(event)
    if outcome == "roll back":
        transaction.set_rollback(True)

urlpatterns = [path("", view)]
client, headers = Client(), signed(BODY)

def post(body=BODY, headers=headers):
    return client.post("/", body, content_type="application/json", headers=headers).status_code

assert [post(), post(), len(calls)] == [200, 200, 1], calls
outcome = "roll back"
headers = signed(b"another")
assert [post(b"another", headers), post(b"another", headers)] == [200, 409]
assert len(calls) == 2
"""


def run_script(script: str, *arguments: str) -> None:
    """Run a script that can import the tests' helpers, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr


def test_under_atomic_requests_a_delivery_is_completed_with_the_commit(tmp_path: Path) -> None:
    """What is rolled back was not done: nobody is told that it was, and the lease ends the claim."""
    run_script(DJANGO_TRANSACTIONS, str(tmp_path / "shop.db"))


# Real servers.


def make_counting_app() -> Any:
    """Return what Gunicorn serves: an app that counts in a file what it handles."""
    from flask import Flask
    from listrak_webhooks.flask import listrak_webhook

    folder = os.environ["REPLAY_TEST_FOLDER"]
    app = Flask("tests")

    @app.post(PATH)
    @listrak_webhook(SECRET, replay=SqliteReplayGuard(os.path.join(folder, "deliveries.db")))  # noqa: PTH118
    def view(event: Event) -> None:
        time.sleep(0.01)
        with open(os.path.join(folder, "handled"), "a", encoding="ascii") as file:  # noqa: PTH118, PTH123
            file.write(f"{os.getpid()} {event.id}\n")

    return app


def send_all(port: int, deliveries: list[Delivery]) -> list[Answer]:
    """Send deliveries from many clients at once."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda each: exchange(port, each), deliveries))


@pytest.mark.skipif(sys.platform == "win32", reason="Gunicorn does not run on Windows")
def test_two_processes_of_gunicorn_handle_each_delivery_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the guard over SQLite; each of the deliveries comes eight times, at once."""
    monkeypatch.setenv("REPLAY_TEST_FOLDER", str(tmp_path))
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    bodies = [b'{"number":%d}' % number for number in range(40)]
    deliveries = [Delivery(body, headers=signed(body)) for body in bodies for _ in range(8)]
    with gunicorn_server("test_replay_adapters:make_counting_app()", tmp_path / "log") as port:
        answers = send_all(port, deliveries)
    assert {answer.status for answer in answers} <= {200, 409}, (tmp_path / "log").read_text()
    lines = [line.split() for line in (tmp_path / "handled").read_text().splitlines()]
    assert len({pid for pid, _ in lines}) == 2
    assert sorted(id_ for _, id_ in lines) == sorted({event_in(each).id for each in deliveries})


@pytest.mark.parametrize("style", ["decorator", "dependency"])
def test_uvicorn_handles_each_delivery_once(style: str, tmp_path: Path) -> None:
    """With a guard whose store waits in threads; a claim is completed when the answer has come, or soon after."""
    import fastapi
    from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook

    guard = SqliteReplayGuard(tmp_path / "deliveries.db")
    app = fastapi.FastAPI()
    handled: list[str] = []

    async def operation(event: Any) -> None:
        await asyncio.sleep(0.01)
        handled.append(event.id)

    if style == "decorator":
        operation.__annotations__["event"] = Event
        app.post(PATH)(listrak_webhook(SECRET, replay=guard)(operation))
    else:
        operation.__annotations__["event"] = Annotated[Event, fastapi.Depends(ListrakWebhook(SECRET, replay=guard))]
        app.post(PATH)(operation)
    bodies = [b'{"number":%d}' % number for number in range(20)]
    deliveries = [Delivery(body, headers=signed(body)) for body in bodies for _ in range(8)]
    with uvicorn_server(app) as port:
        answers = send_all(port, deliveries)
    assert {answer.status for answer in answers} <= {200, 409}
    assert len(handled) == len(set(handled)) == len(bodies)


def test_a_users_own_guard_that_let_in_a_request_which_was_given_up_is_left_again() -> None:
    """The thread that enters goes on when its task is cancelled, and the delivery must not stay held for ever."""
    held: list[str] = []
    entered = threading.Event()

    class Context:
        def __enter__(self) -> bool:
            entered.set()
            time.sleep(0.2)
            held.append("held")
            return True

        def __exit__(self, *exception: object) -> None:
            held.remove("held")

    class Guard:
        def handle(self, event: Event) -> Context:
            return Context()

    async def give_up() -> None:
        task = asyncio.ensure_future(arun(Admission(Guard(), event_of(BODY), can_await=True).enter()))
        await asyncio.to_thread(entered.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert held == []

    asyncio.run(give_up())
