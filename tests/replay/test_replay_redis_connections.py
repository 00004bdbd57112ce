"""What becomes of the Redis guard's connections that die unused, lose their loop, or are inherited by a fork."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError
from listrak_webhooks.replay import RedisReplayGuard, _redis_wire
from support.apps import configure_django
from support.deliveries import logged, signed
from support.guards import handling, redis_client
from support.helpers import PATIENCE
from support.redis_doubles import (
    Proxy,
    ahandle,
    bodies,
    client_at,
    clients_of,
    each_way,
    fresh_event,
    handle,
    in_one_loop,
    until,
    wait,
)
from support.scripts import environment

if TYPE_CHECKING:
    from listrak_webhooks import Event
    from support.guards import RedisServer


async def open_several(guard: RedisReplayGuard, network: Proxy) -> None:
    """Handle deliveries at once, so that there are several connections then."""
    before = network.opened
    network.hangs = True
    waiting = [asyncio.create_task(ahandle(guard, fresh_event())) for _ in range(4)]
    await asyncio.to_thread(until, lambda: network.opened == before + 4)
    network.hangs = False
    assert all(await asyncio.gather(*waiting))


class TestStaleConnections:
    """Connections that died while nobody used them cost no delivery."""

    @each_way
    def test_those_that_the_server_closed_are_replaced(self, network: Proxy, way: str) -> None:
        """All of them, also if several were open, and as often as it happens."""

        async def steps() -> None:
            guard = RedisReplayGuard(client_at(network.port, way, retry=None))
            for _ in range(3):
                await open_several(guard, network)
                network.close_connections()

        asyncio.run(steps())

    def test_those_of_many_threads_are_replaced(self, network: Proxy) -> None:
        """Each thread finds a dead one."""
        guard = RedisReplayGuard(client_at(network.port, "with", retry=None))
        with ThreadPoolExecutor(8) as pool:
            for _ in range(3):
                assert all(pool.map(lambda _: handle(guard, fresh_event()), range(40)))
                network.close_connections()

    @each_way
    def test_the_timeout_of_the_server_for_idle_clients_costs_nothing(self, own_redis: RedisServer, way: str) -> None:
        """Redis closes what has been idle for a second, as many are set up to."""
        with contextlib.closing(redis_client(own_redis.port)) as client:
            client.config_set("timeout", 1)

        async def steps() -> None:
            guard = RedisReplayGuard(client_at(own_redis.port, way, retry=None))
            for _ in range(2):
                async with handling(guard, fresh_event(), way) as first:
                    assert first
                wait(2.5)

        in_one_loop(way, steps)

    @each_way
    def test_those_that_a_firewall_forgot_are_replaced_in_time(self, network: Proxy, way: str) -> None:
        """Nothing says that they are dead, so half of the time is spent on finding out, and on one of them alone."""

        async def steps() -> None:
            guard = RedisReplayGuard(client_at(network.port, way, retry=None), timeout=1)
            await open_several(guard, network)
            network.forget_connections()
            began = time.monotonic()
            assert await ahandle(guard, fresh_event())
            assert 0.4 < time.monotonic() - began < 0.9

        asyncio.run(steps())

    @each_way
    def test_one_that_was_idle_for_long_is_not_even_tried(
        self, network: Proxy, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is the one that a firewall forgets, and a new one costs a millisecond."""
        monkeypatch.setattr(_redis_wire, "FRESH", 0.2)

        async def steps() -> None:
            guard = RedisReplayGuard(client_at(network.port, way))
            for pause in (0, 0.3, 0):
                async with handling(guard, fresh_event(), way):
                    pass
                wait(pause)

        in_one_loop(way, steps)
        assert network.opened == 2

    @each_way
    def test_a_connection_is_kept_for_the_next_delivery(self, network: Proxy, way: str) -> None:
        """Opening one takes longer than asking."""

        async def steps() -> None:
            guard = RedisReplayGuard(client_at(network.port, way))
            for _ in range(10):
                async with handling(guard, fresh_event(), way):
                    pass

        in_one_loop(way, steps)
        assert network.opened == 1

    def test_a_guard_that_goes_closes_its_connections(self, redis_server: RedisServer) -> None:
        """Nothing warns of a socket that was left open."""
        before = clients_of(redis_server.port)
        guard = RedisReplayGuard(client_at(redis_server.port, "with"))
        handle(guard, fresh_event())
        del guard
        gc.collect()
        until(lambda: clients_of(redis_server.port) <= before)

    @each_way
    @pytest.mark.parametrize("lost", ["claim", "completion", "release"])
    def test_a_lost_response_is_asked_for_again(
        self, network: Proxy, way: str, lost: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The server has carried out the command then, and finds what this very claim has left."""

        async def steps() -> None:
            guard, event = RedisReplayGuard(client_at(network.port, way, retry=None)), fresh_event()
            async with handling(guard, fresh_event(), way):
                pass
            network.lost_answers = lost == "claim"
            with contextlib.suppress(LookupError):
                async with handling(guard, event, way) as first:
                    assert first
                    network.lost_answers = lost != "claim"
                    if lost == "release":
                        raise LookupError
            assert not network.lost_answers
            async with handling(guard, event, way) as first:
                assert first is (lost == "release")

        in_one_loop(way, steps)
        assert not logged(caplog)


ANONYMOUS: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(redis.asyncio.Redis).parameters
    else {"lib_name": None, "lib_version": None}
)
"""A client that does not tell the server its name."""


class TestLoops:
    """An async client under servers and tests that have an event loop for each request."""

    def test_each_delivery_may_have_a_loop_of_its_own(self, redis_server: RedisServer) -> None:
        """No connection stays behind in a loop that has ended, and nothing warns of one."""
        before = clients_of(redis_server.port)
        guard = RedisReplayGuard(redis.asyncio.Redis(port=redis_server.port))
        for _ in range(30):
            assert handle(guard, fresh_event())
        until(lambda: clients_of(redis_server.port) <= before)
        gc.collect()

    def test_a_loop_may_be_closed_without_a_word(self, redis_server: RedisServer) -> None:
        """What it left open is closed as soon as the guard is used again, and when it is not used any more."""
        before = clients_of(redis_server.port)
        guard = RedisReplayGuard(redis.asyncio.Redis(port=redis_server.port))
        for _ in range(10):
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(ahandle(guard, fresh_event()))
            loop.close()
        assert clients_of(redis_server.port) - before <= 2
        del guard
        gc.collect()
        until(lambda: clients_of(redis_server.port) <= before)

    def test_a_guard_may_go_while_its_loop_runs(self, redis_server: RedisServer) -> None:
        """Some make one for each request."""
        before = clients_of(redis_server.port)

        async def steps() -> None:
            for _ in range(5):
                # A failure while connecting stays, with all that led to it, until the next collection: that of an
                # address of `localhost` in asyncio, and that of CLIENT SETINFO before Redis 7.2 in redis-py.
                client = redis.asyncio.Redis(host="127.0.0.1", port=redis_server.port, **ANONYMOUS)
                assert await ahandle(RedisReplayGuard(client), fresh_event())
            gc.collect()
            for _ in range(5):
                await asyncio.sleep(0.02)
            assert await asyncio.to_thread(clients_of, redis_server.port) <= before + 1

        asyncio.run(steps())

    def test_loops_in_several_threads_do_not_meet(self, redis_server: RedisServer) -> None:
        """Each has its own connections, and each sees what the others have completed."""
        guard = RedisReplayGuard(redis.asyncio.Redis(port=redis_server.port))
        events = [fresh_event() for _ in range(50)]
        handled: list[Event] = []

        async def deliver() -> None:
            for event in events:
                with contextlib.suppress(DuplicateDeliveryError):
                    async with guard.handle(event) as first:
                        if first:
                            handled.append(event)

        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(asyncio.run, deliver()) for _ in range(4)]:
                future.result(PATIENCE)
        assert len(handled) == len(events) == len(set(handled))

    def test_an_async_view_under_wsgi_serves_every_delivery(self, redis_server: RedisServer) -> None:
        """Django runs it in a new loop for each request."""
        configure_django()
        from django.http import HttpRequest, HttpResponse
        from django.test import Client, override_settings
        from django.urls import path
        from listrak_webhooks.django import listrak_webhook

        @listrak_webhook("the secret", replay=RedisReplayGuard(redis.asyncio.Redis(port=redis_server.port)))
        async def view(request: HttpRequest, event: Event) -> HttpResponse:
            return HttpResponse("handled")

        before = clients_of(redis_server.port)
        urls = type("urls", (), {"urlpatterns": [path("listrak", view)]})
        with override_settings(ROOT_URLCONF=urls):
            statuses = []
            for _ in range(6):
                body = b"%d" % next(bodies)
                headers = signed(body, secret="the secret")
                answer = Client().post("/listrak", body, content_type="application/json", headers=headers)
                statuses.append(answer.status_code)
        assert statuses == [200] * 6
        until(lambda: clients_of(redis_server.port) <= before)
        gc.collect()

    def test_a_test_client_that_is_not_entered_serves_every_delivery(self, redis_server: RedisServer) -> None:
        """Starlette's opens such a portal for each request then."""
        from anyio.from_thread import start_blocking_portal

        before = clients_of(redis_server.port)
        guard = RedisReplayGuard(redis.asyncio.Redis(port=redis_server.port))
        for _ in range(6):
            with start_blocking_portal() as portal:
                assert portal.call(ahandle, guard, fresh_event())
        until(lambda: clients_of(redis_server.port) <= before)
        gc.collect()

    def test_a_loop_that_nobody_closes_says_nothing_at_the_end(self, redis_server: RedisServer) -> None:
        """The process ends with an open connection, and redis-py would complain of its loop then."""
        script = (
            "import asyncio, redis.asyncio, sys\n"
            "from support.guards import event_of\n"
            "from listrak_webhooks.replay import RedisReplayGuard\n"
            "guard = RedisReplayGuard(redis.asyncio.Redis(port=int(sys.argv[1])))\n"
            "async def handle():\n"
            "    async with guard.handle(event_of(b'%d' % id(guard))) as first: assert first\n"
            "asyncio.new_event_loop().run_until_complete(handle())\n"
        )
        done = _python(script, str(redis_server.port))
        assert (done.returncode, done.stderr) == (0, "")

    def test_another_async_library_is_told_to_use_the_sync_client(self, redis_server: RedisServer) -> None:
        """Under trio, say, there is no asyncio for the client."""
        guard = RedisReplayGuard(redis.asyncio.Redis(port=redis_server.port))
        entering = guard.handle(fresh_event()).__aenter__()
        with pytest.raises(ConfigurationError, match=r"needs asyncio.*give the guard a redis\.Redis"):
            entering.send(None)


def _python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_opens_connections_of_its_own(redis_server: RedisServer) -> None:
    """Two processes that read from one connection get each other's responses."""
    script = (
        "import os, sys, redis\n"
        "from support.guards import event_of\n"
        "from listrak_webhooks.replay import RedisReplayGuard\n"
        "client = redis.Redis(port=int(sys.argv[1]))\n"
        "guard = RedisReplayGuard(client)\n"
        "def handle(name):\n"
        "    with guard.handle(event_of(f'{name} {sys.argv[1]}'.encode())) as first: assert first\n"
        "handle('before')\n"
        "open_before = len(client.client_list())\n"
        "child = os.fork()\n"
        "for number in range(300): handle(f'{child == 0} {number}')\n"
        "if not child: os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "assert len(client.client_list()) == open_before, 'the parent had to connect again'\n"
    )
    done = _python(script, str(redis_server.port))
    assert (done.returncode, done.stderr) == (0, "")
