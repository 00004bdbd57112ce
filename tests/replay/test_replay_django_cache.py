"""The guard over Django's caches: which of them can guard anything, and what it does when one fails."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.test import override_settings
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, ReplayGuardError
from listrak_webhooks.replay import DjangoCacheReplayGuard
from support.apps import configure_django
from support.deliveries import logged
from support.guards import Place, event_of, is_first, redis_client
from support.helpers import BODY
from support.scripts import in_a_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.guards import MemcachedServer, RedisServer

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILE = "django.core.cache.backends.filebased.FileBasedCache"
DATABASE = "django.core.cache.backends.db.DatabaseCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"


class ThirdPartyCache(BaseCache):
    """A backend of somebody's own, on which the guard can only rely; in a dictionary, without any expiry."""

    values: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, key: str, value: Any, timeout: Any = None, version: int | None = None) -> bool:
        key = self.make_and_validate_key(key, version)
        return self.values.setdefault(key, value) is value

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self.values.get(self.make_and_validate_key(key, version), default)

    def set(self, key: str, value: Any, timeout: Any = None, version: int | None = None) -> None:
        self.values[self.make_and_validate_key(key, version)] = value

    def delete(self, key: str, version: int | None = None) -> bool:
        return self.values.pop(self.make_and_validate_key(key, version), None) is not None


OWN = f"{__name__}.ThirdPartyCache"


def caching(backend: str, **setting: Any) -> Any:
    """Return a context in which the alias `deliveries` is a cache of this kind."""
    return override_settings(CACHES={"default": {"BACKEND": DUMMY}, "deliveries": {"BACKEND": backend, **setting}})


def same_key(key: str, prefix: str, version: int) -> str:
    """Make a key as somebody would who has only one thing to cache."""
    return f"{prefix}:{version}:{key[:20]}"


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    configure_django()
    ThirdPartyCache.values.clear()
    with caching(OWN):
        yield


class TestFit:
    """Which caches can guard a delivery, and what else to use."""

    @pytest.mark.parametrize(
        ("backend", "fault", "instead"),
        [
            (DUMMY, "is a DummyCache, which remembers nothing", "SqliteReplayGuard"),
            (LOCMEM, "is a LocMemCache, which is one process's own and forgets by count", "MemoryReplayGuard"),
            (FILE, "is a FileBasedCache, which lets several requests claim one delivery", "RedisReplayGuard"),
            (DATABASE, "is a DatabaseCache, which lets several requests claim one delivery", "StoreGuard"),
        ],
    )
    @pytest.mark.parametrize("options", [{}, {"OPTIONS": {"MAX_ENTRIES": 1_000_000}}])
    def test_a_backend_that_cannot_promise_it_is_rejected(
        self, backend: str, fault: str, instead: str, options: dict[str, Any], tmp_path: Any
    ) -> None:
        """When the guard is made, and not when a delivery is handled twice; no setting makes it fit."""
        with (
            caching(backend, LOCATION=str(tmp_path / "cache"), **options),
            pytest.raises(ConfigurationError, match=rf"the cache 'deliveries' {fault}.*{instead}"),
        ):
            DjangoCacheReplayGuard("deliveries")

    def test_a_subclass_of_one_that_cannot_is_rejected_too(self) -> None:
        """It claims no better than what it is made from."""
        from django.core.cache.backends.db import DatabaseCache

        name = "SubclassOfDatabaseCache"
        globals()[name] = type(name, (DatabaseCache,), {})
        with caching(f"{__name__}.{name}", LOCATION="table"), pytest.raises(ConfigurationError, match=f"is a {name}"):
            DjangoCacheReplayGuard("deliveries")

    @pytest.mark.parametrize(("alias", "backend"), [("default", "no.such.Cache"), ("missing", DUMMY)])
    def test_a_cache_that_is_not_there_is_named(self, alias: str, backend: str) -> None:
        """With what to do about it."""
        with (
            override_settings(CACHES={"default": {"BACKEND": backend}}),
            pytest.raises(ConfigurationError, match=rf"no cache '{alias}' in Django's CACHES.*add one"),
        ):
            DjangoCacheReplayGuard(alias)

    @pytest.mark.parametrize("option", ["alias", "prefix"])
    def test_an_argument_that_is_not_text_is_named(self, option: str) -> None:
        """A bytes key would be another one."""
        wrong: Any = {"alias": "deliveries", option: b"deliveries"}
        with pytest.raises(ConfigurationError, match=f"{option} must be a str, not bytes"):
            DjangoCacheReplayGuard(**wrong)

    @pytest.mark.parametrize("location", ["redis://a:6379;redis://b:6379", ["redis://a:6379", "redis://b:6379"]])
    @pytest.mark.parametrize("backend", [REDIS, DJANGO_REDIS])
    def test_redis_with_replicas_is_rejected(self, backend: str, location: Any) -> None:
        """What has just been written cannot be read there yet."""
        if backend == DJANGO_REDIS:
            location = location.replace(";", ",") if isinstance(location, str) else location
        with (
            caching(backend, LOCATION=location),
            pytest.raises(ConfigurationError, match=r"reads from other servers than it writes to.*RedisReplayGuard"),
        ):
            DjangoCacheReplayGuard("deliveries")

    def test_memcached_may_have_several_servers(self) -> None:
        """Each key has one of them."""
        with caching(MEMCACHED, LOCATION=["127.0.0.1:1", "127.0.0.1:2"]):
            assert repr(DjangoCacheReplayGuard("deliveries")) == "DjangoCacheReplayGuard('deliveries')"

    def test_memcached_that_does_not_reply_is_rejected(self) -> None:
        """Everybody would be told that they have the claim."""
        setting = {"LOCATION": "127.0.0.1:1", "OPTIONS": {"default_noreply": True}}
        with (
            caching(MEMCACHED, **setting),
            pytest.raises(ConfigurationError, match=r"does not wait for a reply.*remove noreply from its OPTIONS"),
        ):
            DjangoCacheReplayGuard("deliveries")

    @pytest.mark.parametrize("setting", [{"KEY_PREFIX": "x" * 200}, {"KEY_PREFIX": "two words"}])
    def test_keys_that_memcached_does_not_take_are_named(self, setting: dict[str, Any]) -> None:
        """Each delivery would be a 503."""
        with (
            caching(MEMCACHED, LOCATION="127.0.0.1:1", **setting),
            pytest.raises(ConfigurationError, match="does not take the guard's keys; shorten prefix or KEY_PREFIX"),
        ):
            DjangoCacheReplayGuard("deliveries")

    def test_a_key_function_that_gives_two_deliveries_one_key_is_named(self) -> None:
        """The second of them would be rejected as a duplicate."""
        with (
            caching(OWN, KEY_FUNCTION=same_key),
            pytest.raises(ConfigurationError, match="gives two deliveries one key; give the guard an alias without it"),
        ):
            DjangoCacheReplayGuard("deliveries")

    def test_another_version_is_another_memory(self) -> None:
        """As with everything that is in a cache; so is another prefix."""
        event = event_of(BODY)
        assert is_first(DjangoCacheReplayGuard("deliveries"), event)
        assert not is_first(DjangoCacheReplayGuard("deliveries"), event)
        assert is_first(DjangoCacheReplayGuard("deliveries", prefix="another:"), event)
        with caching(OWN, VERSION=2):
            assert is_first(DjangoCacheReplayGuard("deliveries"), event)

    def test_it_can_be_made_before_the_settings_are_there(self) -> None:
        """And says then, when it is asked, that the cache cannot guard anything."""
        script = (
            "from listrak_webhooks.replay import DjangoCacheReplayGuard\n"
            "guards = DjangoCacheReplayGuard('missing'), DjangoCacheReplayGuard()\n"
            "from django.conf import settings\n"
            "settings.configure()\n"
            "from support.guards import event_of\n"
            "from listrak_webhooks import ConfigurationError\n"
            "for guard in guards:\n"
            "    try:\n"
            "        guard.handle(event_of(b'1')).__enter__()\n"
            "    except ConfigurationError as error:\n"
            "        print(error)\n"
        )
        missing, locmem = in_a_process(script).splitlines()
        assert "there is no cache 'missing'" in missing
        assert "is a LocMemCache" in locmem


class TestClaims:
    """What `add` alone can promise."""

    @pytest.mark.parametrize("kind", ["django-redis", "django-memcached"])
    def test_of_many_who_find_a_lapsed_claim_one_gets_it(self, place: Place, kind: str) -> None:
        """Its process has died, and six others try at the same time."""
        from support.guards import workers

        timestamp, bodies = str(int(time.time())), [f"delivery {number}" for number in range(40)]
        with workers(6, kind, place, lease=1) as started:
            for worker in started[1:]:
                worker.tell("handle", [], timestamp)
                worker.answer()
            doomed = place.guard(kind, lease=1)
            from support.deliveries import signed
            from support.guards import WEBHOOK

            for body in bodies:
                event = WEBHOOK.verify(body.encode(), signed(body.encode(), timestamp=timestamp))
                assert doomed.handle(event).__enter__()
            time.sleep(2.1)
            for worker in started:
                worker.tell("handle", bodies, timestamp)
            answers = [worker.answer() for worker in started]
        handled = [body for first, _ in answers for body in first]
        assert sorted(handled) == sorted(bodies)

    def test_a_claim_that_the_client_has_sent_twice_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The response to the first was lost, and the second finds its own claim."""
        real = ThirdPartyCache.add

        def twice(self: ThirdPartyCache, *args: Any, **kwargs: Any) -> bool:
            real(self, *args, **kwargs)
            return real(self, *args, **kwargs)

        guard, event = DjangoCacheReplayGuard("deliveries"), event_of(BODY)
        monkeypatch.setattr(ThirdPartyCache, "add", lambda self, *a, **k: twice(self, *a, **k) and False)
        with guard.handle(event) as first:
            assert first
            with pytest.raises(DuplicateDeliveryError):
                is_first(guard, event)

    def test_a_completion_that_comes_late_leaves_anothers_claim_alone(self) -> None:
        """As does a failure."""
        guard, event = DjangoCacheReplayGuard("deliveries"), event_of(BODY)
        for error in (None, LookupError()):
            late = guard.handle(event)
            assert late.__enter__()
            ThirdPartyCache.values.clear()  # the lease is over
            with guard.handle(event) as first:
                assert first
                late.__exit__(type(error) if error else None, error, None)
                with pytest.raises(DuplicateDeliveryError):
                    is_first(guard, event)
            assert not is_first(guard, event)
            ThirdPartyCache.values.clear()

    def test_a_failure_in_the_last_second_of_the_lease_gives_nothing_back(self) -> None:
        """There is no compare-and-delete, and another may have the claim when that arrives."""
        now = [1000.0]
        guard = DjangoCacheReplayGuard("deliveries", lease=60, clock=lambda: now[0])
        for seconds, given_back in ((58.9, True), (59.1, False)):
            event = event_of(b"%f" % seconds)
            with contextlib.suppress(LookupError), guard.handle(event):
                now[0] += seconds
                raise LookupError
            if given_back:
                assert is_first(guard, event)
            else:
                with pytest.raises(DuplicateDeliveryError):
                    is_first(guard, event)


class TestFailing:
    """A cache that fails, with or without a word."""

    @pytest.mark.parametrize("silent", [False, True], ids=["raises", "silent"])
    def test_it_rejects_and_loses_nothing(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, silent: bool
    ) -> None:
        """Its own text, which may hold a URL, is not shown."""

        def fail(*args: Any, **kwargs: Any) -> bool:
            if silent:
                return False
            raise OSError("redis://user:password@host")

        guard, event = DjangoCacheReplayGuard("deliveries"), event_of(BODY)
        with monkeypatch.context() as patch:
            patch.setattr(ThirdPartyCache, "add", fail)
            with pytest.raises(ReplayGuardError, match="the replay guard's cache 'deliveries' did not resp") as caught:
                is_first(guard, event)
            assert "password" not in str(caught.value)
        with monkeypatch.context() as patch, guard.handle(event) as first:
            assert first
            patch.setattr(ThirdPartyCache, "set", fail)
        records = logged(caplog)
        assert {record.levelno for record in records} == {logging.ERROR}
        assert "could not be saved" in records[0].getMessage()
        assert "password" not in records[0].getMessage()
        # This process knows; the next claim tells the cache.
        assert not is_first(guard, event)
        assert is_first(guard, event_of(b"the next"))
        assert not is_first(DjangoCacheReplayGuard("deliveries"), event)

    def test_a_server_that_is_not_there_rejects(self) -> None:
        """With what to check."""
        for backend, location in ((REDIS, "redis://127.0.0.1:1"), (MEMCACHED, "127.0.0.1:1")):
            with caching(backend, LOCATION=location):
                guard = DjangoCacheReplayGuard("deliveries")
                with pytest.raises(ReplayGuardError, match="check its server, and LOCATION and OPTIONS in Django's"):
                    is_first(guard, event_of(BODY))
                caches["deliveries"].close()


class TestLifetimes:
    """For how long the servers are told to keep an entry."""

    def test_redis_is_told_the_lease_and_the_life(self, redis_server: RedisServer) -> None:
        """In whole seconds, of which there is never one too few."""
        with (
            caching(REDIS, LOCATION=f"redis://127.0.0.1:{redis_server.port}"),
            contextlib.closing(redis_client(redis_server.port)) as client,
        ):
            client.flushall()
            guard = DjangoCacheReplayGuard("deliveries", lease=5.2)
            with guard.handle(event_of(BODY)):
                (key,) = client.keys("*")
                assert 5000 < client.pttl(key) <= 6000
            assert 1859_000 < client.pttl(key) <= 1860_000

    def test_memcached_is_told_a_second_more_for_a_lease(self, memcached_server: MemcachedServer) -> None:
        """Its first second is over as soon as its clock ticks."""
        memcached_server.clear()
        told: list[int] = []
        with caching("support.memcached_cache.ClosingCache", LOCATION=f"127.0.0.1:{memcached_server.port}"):
            cache: Any = caches["deliveries"]
            real = cache.add

            def add(key: str, value: str, timeout: int) -> bool:
                told.append(timeout)
                return bool(real(key, value, timeout=timeout))

            cache.add = add
            assert is_first(DjangoCacheReplayGuard("deliveries", lease=5.2), event_of(BODY))
            cache.close()
        assert told == [7]
