"""What `replay=` does under a database's transactions, and behind real servers of several processes."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from listrak_webhooks import Event
from listrak_webhooks._http.admission import Admission
from listrak_webhooks.replay import SqliteReplayGuard
from support.deliveries import PATH, Answer, Delivery, signed
from support.guards import event_of
from support.helpers import BODY, PATIENCE, SECRET
from support.repeats import event_in
from support.scripts import in_a_process
from support.servers import exchange, gunicorn_server, uvicorn_server

if TYPE_CHECKING:
    from pathlib import Path


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


def test_under_atomic_requests_a_delivery_is_completed_with_the_commit(tmp_path: Path) -> None:
    """What is rolled back was not done: nobody is told that it was, and the lease ends the claim."""
    in_a_process(DJANGO_TRANSACTIONS, tmp_path / "shop.db", timeout=60)


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
    with gunicorn_server(f"{__name__}:make_counting_app()", tmp_path / "log") as port:
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
        task = asyncio.create_task(Admission(Guard(), event_of(BODY), can_await=True).enter())
        await asyncio.to_thread(entered.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert held == []

    asyncio.run(give_up())
