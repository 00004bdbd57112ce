"""What `replay=` does in all adapters."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import (
    ConfigurationError,
    DuplicateDeliveryError,
    Event,
    PayloadError,
    ReplayGuardError,
    WebhookError,
)
from listrak_webhooks.replay import MemoryReplayGuard, RedisReplayGuard, SqliteReplayGuard
from support.conformance import (
    every_awaiting_variant,
    every_decorator,
    every_sync_variant,
    every_variant,
    every_variant_that_checks_results,
)
from support.deliveries import Delivery, logged, one_rejection, signed
from support.guards import async_redis_client
from support.helpers import BODY
from support.repeats import delivery, event_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from support.guards import RedisServer
    from support.variants import Variant


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
        """It is a rejection like any other, of which `on_rejected` is told."""
        told: list[WebhookError] = []
        with variant.endpoint(_fail, replay=guard, on_rejected=lambda error, request: told.append(error)) as endpoint:
            sent = delivery()
            with guard.handle(event_in(sent)):
                assert endpoint.is_rejection(endpoint.send(sent), 409, "duplicate_delivery")
        one_rejection(caplog, "duplicate_delivery")
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
            assert endpoint.is_rejection(endpoint.send(delivery()), 503, "replay_guard_unavailable")
        assert "create its folder" in one_rejection(caplog, "replay_guard_unavailable", logging.ERROR)
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
                assert endpoint.is_rejection(endpoint.send(sent), 400, PayloadError.code)
                one_rejection(caplog, PayloadError.code)

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
    def test_an_async_one_is_rejected_where_nothing_can_await_it(self, variant: Variant) -> None:
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
            assert endpoint.is_rejection(endpoint.send(delivery()), 500, "configuration_error")
        assert "needs `async with`" in one_rejection(caplog, "configuration_error", logging.ERROR)

    @every_variant
    @pytest.mark.parametrize("replay", [True, "sqlite", MemoryReplayGuard, object()])
    def test_an_object_that_is_not_a_guard_is_rejected(self, variant: Variant, replay: Any) -> None:
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
