"""What users write with replay guards; type checkers must have nothing to say about it."""

import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster
from django.http import HttpRequest
from fastapi import Depends
from listrak_webhooks import Event
from listrak_webhooks.django import listrak_webhook as django_webhook
from listrak_webhooks.fastapi import ListrakWebhook
from listrak_webhooks.fastapi import listrak_webhook as fastapi_webhook
from listrak_webhooks.flask import listrak_webhook as flask_webhook
from listrak_webhooks.replay import (
    AsyncReplayGuard,
    Delivery,
    DjangoCacheReplayGuard,
    MemoryReplayGuard,
    RedisReplayGuard,
    ReplayGuard,
    ReplayStore,
    SqliteReplayGuard,
    State,
    StoreGuard,
)
from typing_extensions import assert_type

memory = MemoryReplayGuard(1000, lease=30, fail_open=True)
sqlite = SqliteReplayGuard(Path(tempfile.gettempdir()) / "deliveries.db", lease=1.5, timeout=2)
client = redis.Redis(socket_timeout=5, socket_connect_timeout=5)
over_redis = RedisReplayGuard(client, prefix="shop:", lease=30, timeout=2)
over_async_redis = RedisReplayGuard(redis.asyncio.Redis(), fail_open=False)
cache = DjangoCacheReplayGuard("default", lease=30)
guards: tuple[ReplayGuard, ...] = (memory, sqlite, over_redis, cache)
async_guards: tuple[AsyncReplayGuard, ...] = (memory, sqlite, over_redis, over_async_redis, cache)


def over_a_cluster(
    nodes: redis.cluster.RedisCluster, async_nodes: redis.asyncio.cluster.RedisCluster
) -> tuple[ReplayGuard, AsyncReplayGuard]:
    return RedisReplayGuard(nodes), RedisReplayGuard(async_nodes)


class Own:
    @contextmanager
    def handle(self, event: Event) -> Generator[bool, None, None]:
        yield bool(event.id)


class OwnAsync:
    @asynccontextmanager
    async def handle(self, event: Event) -> AsyncGenerator[bool, None]:
        yield bool(event.id)


class OwnStore:
    is_async = False

    def claim(self, delivery: Delivery) -> State:
        return State.CLAIMED if delivery.monotonic() < delivery.lease + delivery.now() else State.HELD

    def complete(self, delivery: Delivery) -> State:
        return State.FREE if delivery.keep_for else State.COMPLETED

    def release(self, delivery: Delivery) -> State:
        return State.CLAIMED if delivery.token else State.FREE

    def explain(self, error: Exception) -> str:
        return str(error)


class OwnAsyncStore:
    is_async = True

    async def claim(self, delivery: Delivery) -> State:
        return State.CLAIMED if delivery.id else State.HELD

    async def complete(self, delivery: Delivery) -> State:
        return State.CLAIMED if delivery.id else State.HELD

    async def release(self, delivery: Delivery) -> State:
        return State.CLAIMED if delivery.id else State.HELD

    def explain(self, error: Exception) -> str:
        return str(error)


own_store: ReplayStore = OwnStore()
over_own_store: ReplayGuard = StoreGuard(own_store, lease=30, fail_open=True, tolerance=timedelta(hours=1))
over_own_async_store: AsyncReplayGuard = StoreGuard(OwnAsyncStore(), tolerance=300, clock=time.time)
own: ReplayGuard = Own()
own_async: AsyncReplayGuard = OwnAsync()


def by_hand(event: Event) -> None:
    with memory.handle(event) as first:
        assert_type(first, bool)
    for guard in guards:
        with guard.handle(event) as first:
            assert_type(first, bool)


async def by_hand_in_a_loop(event: Event) -> None:
    async with memory.handle(event) as first:
        assert_type(first, bool)
    for guard in async_guards:
        async with guard.handle(event) as first:
            assert_type(first, bool)


@flask_webhook("a secret", replay=sqlite)
def flask_view(event: Event) -> None:
    print(event.id)


@django_webhook("a secret", replay=cache)
def django_view(request: HttpRequest, event: Event) -> None:
    print(request.path, event.id)


@django_webhook("a secret", replay=own_async)
async def django_async_view(request: HttpRequest, event: Event) -> None:
    print(request.path, event.id)


@fastapi_webhook("a secret", replay=over_async_redis)
async def operation(event: Event) -> str:
    return event.id


async def with_dependency(event: Annotated[Event, Depends(ListrakWebhook("a secret", replay=own))]) -> str:
    return event.id
