"""The clock of the test kit: time, as the package sees it, stands still."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import freezegun
import pytest
import time_machine
from listrak_webhooks import DuplicateDeliveryError, FutureTimestampError, StaleTimestampError, Webhook, _clock, verify
from listrak_webhooks.replay import MemoryReplayGuard, SqliteReplayGuard
from listrak_webhooks.testing import Clock, Sender, cart, stop_clock
from support import kit_clients
from support.deliveries import PATH
from support.helpers import BODY, NOW, OTHER_SECRET, SECRET, TIMESTAMP, headers_for

if TYPE_CHECKING:
    from pathlib import Path

WEBHOOK = Webhook(SECRET)


@pytest.fixture
def clock() -> Any:
    """Stop the clock for a test."""
    with stop_clock(NOW) as stopped:
        yield stopped


def test_verify_and_sign_go_by_the_stopped_clock(clock: Clock) -> None:
    """In a webhook and in one call, and to the second."""
    headers = headers_for()
    assert WEBHOOK.signed_headers(BODY) == headers
    clock.move(900)
    assert WEBHOOK.verify(BODY, headers).timestamp == NOW
    clock.move(1)
    with pytest.raises(StaleTimestampError) as stale:
        WEBHOOK.verify(BODY, headers)
    assert stale.value.skew == 901
    clock.at(NOW - 901)
    with pytest.raises(FutureTimestampError):
        verify(BODY, headers, SECRET)
    clock.at(datetime.fromtimestamp(NOW, tz=timezone.utc))
    assert verify(BODY, headers, SECRET).timestamp == NOW
    assert Sender(SECRET).signed(cart()).timestamp == cart().signed(SECRET).timestamp == NOW


def test_it_stands_still_in_every_thread(clock: Clock) -> None:
    """Servers of tests run in threads."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: WEBHOOK.signed_headers(b"")[TIMESTAMP]).result() == str(NOW)
    clock.move(-60)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: WEBHOOK.signed_headers(b"")[TIMESTAMP]).result() == str(NOW - 60)


@pytest.mark.parametrize("name", ["flask", "requests", "starlette", "httpx-asgi", "django", "django-async"])
def test_the_adapters_go_by_it_through_each_client(name: str, clock: Clock) -> None:
    """Also behind a real server, which runs in a thread."""
    make_app, client = kit_clients.CLIENTS[name]

    def respond(method: str, body: bytes, headers: Any) -> Any:
        from support.kit_endpoints import Response

        return Response(200 if WEBHOOK.verify(body, headers).timestamp == NOW else 500)

    answer = kit_clients.send(Sender(SECRET), client, make_app(respond), cart())
    assert answer.status_code == 200


def test_fractions_are_kept_and_the_package_goes_by_whole_seconds(clock: Clock) -> None:
    """Two halves are a second."""
    clock.move(0.5)
    assert (clock.now, WEBHOOK.signed_headers(b"")[TIMESTAMP]) == (NOW + 0.5, str(NOW))
    clock.move(0.5)
    assert (repr(clock), WEBHOOK.signed_headers(b"")[TIMESTAMP]) == ("Clock(1.7e+09)", str(NOW + 1))


def test_the_clock_runs_on_after_the_block() -> None:
    """Whatever the block raised, and blocks may be in blocks."""
    with contextlib.suppress(ZeroDivisionError), stop_clock(NOW):
        with stop_clock(NOW + 60) as inner:
            inner.move(60)
        assert WEBHOOK.signed_headers(b"")[TIMESTAMP] == str(NOW)
        raise ZeroDivisionError
    assert abs(int(WEBHOOK.signed_headers(b"")[TIMESTAMP]) - time.time()) < 10
    assert _clock.frozen() is None
    assert abs(_clock.monotonic() - time.monotonic()) < 1


def test_it_starts_at_the_present_time() -> None:
    """By `time.time`, and stays there."""
    with stop_clock() as clock:
        assert abs(clock.now - time.time()) < 10
        before = WEBHOOK.signed_headers(b"")
        time.sleep(1.1)
        assert WEBHOOK.signed_headers(b"") == before


def test_it_starts_where_freezegun_and_time_machine_have_stopped_the_time() -> None:
    """A webhook whose own clock is theirs then agrees with the package's."""
    theirs = Webhook(SECRET, clock=lambda: time.time())
    with freezegun.freeze_time(datetime.fromtimestamp(NOW, tz=timezone.utc)), stop_clock() as clock:
        assert clock.now == NOW
        assert theirs.verify(BODY, WEBHOOK.signed_headers(BODY)).timestamp == NOW
    with time_machine.travel(NOW, tick=False), stop_clock() as clock:
        assert clock.now == NOW
        assert theirs.verify(BODY, WEBHOOK.signed_headers(BODY)).timestamp == NOW


def test_without_it_the_kit_and_the_package_agree_under_freezegun() -> None:
    """Neither sees the frozen time."""
    with freezegun.freeze_time("2001-02-03"):
        for signed in (Sender(SECRET).signed(cart()), cart().signed(SECRET)):
            assert WEBHOOK.verify(signed.body, signed.headers) == signed.event()


def test_a_webhook_with_a_clock_of_its_own_goes_by_that(clock: Clock) -> None:
    """It was told to."""
    own = Webhook(OTHER_SECRET, clock=lambda: NOW + 60)
    assert own.signed_headers(b"")[TIMESTAMP] == str(NOW + 60)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_leases_of_guards_are_moved_along(kind: str, clock: Clock, tmp_path: Path) -> None:
    """A claim whose process died may be taken over after the lease, and the entry is forgotten in the end."""
    guard: Any = MemoryReplayGuard(lease=60) if kind == "memory" else SqliteReplayGuard(tmp_path / "db", lease=60)
    event = WEBHOOK.verify(BODY, headers_for())
    abandoned = guard.handle(event)
    assert abandoned.__enter__() is True
    with pytest.raises(DuplicateDeliveryError), guard.handle(event):
        pass
    clock.move(61)
    with guard.handle(event) as first:
        assert first is True
    with guard.handle(event) as first:
        assert first is False
    clock.move(3 * 900)
    with guard.handle(event) as first:
        assert first is True


def test_a_delivery_of_an_hour_ago_is_rejected_by_an_endpoint(clock: Clock) -> None:
    """The test that it is for."""
    from flask import Flask
    from listrak_webhooks.flask import listrak_webhook

    app = Flask(__name__)
    app.post(PATH)(listrak_webhook(SECRET)(lambda event: None))
    listrak = Sender(SECRET)
    signed = listrak.signed(cart())
    assert listrak.send(app.test_client(), signed, PATH).status_code == 200
    clock.move(3600)
    assert listrak.send(app.test_client(), signed, PATH).status_code == 401


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 1e13])
def test_what_is_not_a_time_is_a_value_error(time: Any, clock: Clock) -> None:
    """And the clock stays where it is."""
    for use in (clock.at, clock.move):
        with pytest.raises(ValueError, match="time"):
            use(time)
    with pytest.raises(ValueError, match="time"), stop_clock(time):
        pass
    assert WEBHOOK.signed_headers(b"")[TIMESTAMP] == str(NOW)


def test_a_naive_datetime_is_not_a_time(clock: Clock) -> None:
    """It says what it lacks, and the clock stays where it is."""
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="timestamp is a naive datetime; give it a time zone"):
        clock.at(naive)
    with pytest.raises(ValueError, match="timestamp is a naive datetime; give it a time zone"), stop_clock(naive):
        pass
    assert clock.now == NOW


def test_a_span_is_not_a_time(clock: Clock) -> None:
    """It says so, and does not move the clock."""
    for span in (timedelta(seconds=1), datetime.now(timezone.utc)):
        with pytest.raises(TypeError, match="seconds must be a number of seconds"):
            clock.move(span)  # type: ignore[arg-type]
    assert clock.now == NOW
