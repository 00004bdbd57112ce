"""Fixtures for all tests."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from listrak_webhooks import Webhook
from support.apps import configure_django
from support.guards import MemcachedServer, Place, RedisServer, django_caches, has_memcached, has_redis, redis_client
from support.helpers import SECRET, VARIABLE

# Shared machines pause at any time: no test here is about how long one example takes.
settings.register_profile("listrak_webhooks", deadline=None)
settings.load_profile("listrak_webhooks")

if TYPE_CHECKING:
    from collections.abc import Generator

    from support.redis_doubles import Proxy


@pytest.fixture(scope="session", autouse=True)
def interruptible_children() -> None:
    """Let an interruption reach the processes that tests start.

    What runs in the background of a shell ignores it, and all that it starts ignores it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def webhook() -> Webhook:
    """Return the webhook that most tests ask; it is immutable, so one serves them all."""
    return Webhook(SECRET)


@pytest.fixture
def no_secret_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the secret out of the environment: tests that want one there put it there."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(f"{VARIABLE}_PREVIOUS", raising=False)


@pytest.fixture
def secret_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the secret where an app without arguments finds it."""
    monkeypatch.setenv(VARIABLE, SECRET)
    monkeypatch.delenv(f"{VARIABLE}_PREVIOUS", raising=False)


@pytest.fixture
def secret_in_settings(no_secret_around: None) -> Generator[None, None, None]:
    """Put the secret into Django's settings, and take it out of the environment."""
    configure_django()
    from django.test import override_settings

    with override_settings(LISTRAK_WEBHOOK_SECRET=SECRET):
        yield


@pytest.fixture(scope="module")
def gunicorn_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that Gunicorn's output goes to."""
    return tmp_path_factory.mktemp("gunicorn") / "log"


@pytest.fixture(scope="session")
def redis_program() -> None:
    """Skip what needs a Redis server where there is none; in CI there must be one."""
    if not has_redis():
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")


@pytest.fixture(scope="session")
def redis_server(redis_program: None, tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer, None, None]:
    """Run one Redis server for all tests that leave it running."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def memcached_server() -> Generator[MemcachedServer, None, None]:
    """Run one Memcached server for all tests; in CI there must be its program."""
    if not has_memcached():
        if os.environ.get("CI"):
            pytest.fail("memcached is not installed")
        pytest.skip("memcached is not installed")
    server = MemcachedServer()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def network(redis_server: RedisServer) -> Generator[Proxy, None, None]:
    """Return a network to the Redis server that can be told to fail."""
    from support.redis_doubles import proxy

    with proxy(redis_server.port) as running:
        yield running


@pytest.fixture
def own_redis(redis_program: None, tmp_path: Path) -> Generator[RedisServer, None, None]:
    """Run a Redis server for one test, which may stop and start it."""
    server = RedisServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[Place, None, None]:
    """Return where a test's guards keep what they know; the servers are there for those that ask for one."""
    parameters = getattr(request.node, "callspec", None)
    kind = "" if parameters is None else str(parameters.params.get("kind", ""))
    port = memcached_port = 0
    if "redis" in kind:
        port = request.getfixturevalue("redis_server").port
        client = redis_client(port)
        client.flushall()
        client.close()
    if "memcached" in kind:
        memcached = request.getfixturevalue("memcached_server")
        memcached.clear()
        memcached_port = memcached.port
    configure_django()
    from django.test import override_settings

    with override_settings(CACHES=django_caches(port, memcached_port)):
        yield Place(tmp_path, port, memcached_port)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database that is not there yet."""
    return tmp_path / "deliveries.db"


@pytest.fixture
def fast_path(tmp_path: Path) -> Generator[Path, None, None]:
    """Return the path of a database in memory, where there is such a file system: no test here is about a disk."""
    memory = Path("/dev/shm")  # noqa: S108
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=memory)) if memory.is_dir() else tmp_path
        yield Path(folder) / "deliveries.db"
