"""What docs/how-to/hand-off.md shows and says, apart from the examples that it leads to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import runpy
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Event, PayloadError
from support.deliveries import signed
from support.guards import event_of
from support.helpers import SECRET, TESTS
from support.queue_examples import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

PAGE = TESTS.parent / "docs" / "how-to" / "hand-off.md"
EMAIL = "jane@example.com"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """Run each block in a folder of its own, where nothing closes its files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LISTRAK_WEBHOOK_SECRET", SECRET)
    umask = os.umask(0)
    yield
    os.umask(umask)


def block_under(heading: str) -> dict[str, Any]:
    """Run the code under a heading, and return its names."""
    section = PAGE.read_text(encoding="utf-8").split(f"# {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(block, "hand-off.md", "exec", dont_inherit=True), names)
    return names


def test_the_queue_of_the_page_is_open_to_its_user_alone(tmp_path: Path) -> None:
    """The file of the first block has mode 0600, because Huey pickles the tasks in it, and so does its -wal."""
    queue = block_under("Hand-off to a task queue")["huey"].storage
    queue.enqueue(b"a task")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    queue.close()
    assert {"queue.db", "queue.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes


BODIES = [
    b'{"email":"jane@example.com"}',
    b'{"email":"jane\\u0000@example.com"}',
    b'{"email":"\\ud800@example.com"}',
    b'{"phone":155586753091555867530915558675309}',
    b'{"email":"' + b"x" * 100_000 + b'"}',
    b"[1]",
    b"no JSON",
    b"\x00\xff\xfe",
    b"",
]


def test_a_view_that_stores_the_bytes_loses_no_genuine_delivery() -> None:
    """The block stores any body byte for byte, once, and responds with 200 however often it arrives."""
    client = block_under("Or store it yourself")["app"].test_client()
    rows = []
    for body in BODIES:
        headers = signed(body)
        for _ in range(2):
            assert client.post("/listrak", data=body, headers=headers).status_code == 200
        event = event_of(body)
        rows.append((int(headers["LTK-Timestamp"]), body))
        text = json.dumps(event.to_dict())
        assert text.isascii()
        assert Event.from_dict(json.loads(text)) == event
    with contextlib.closing(sqlite3.connect("shop.db")) as database:
        assert database.execute("SELECT sent, body FROM delivery ORDER BY rowid").fetchall() == rows


ATOMIC_REQUESTS = """
import json, sys
import django
from django.conf import settings

database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db", "ATOMIC_REQUESTS": True}
settings.configure(
    ALLOWED_HOSTS=["*"], DATABASES={"default": database}, LISTRAK_WEBHOOK_SECRET=sys.argv[1], LOGGING_CONFIG=None,
    ROOT_URLCONF="__main__", SECRET_KEY="only for tests",
)
django.setup()

from django.db import connection, models, transaction
from django.test import Client
from django.urls import path
from listrak_webhooks.django import listrak_webhook


class Delivery(models.Model):
    id = models.CharField(primary_key=True, max_length=64)
    body = models.BinaryField()

    class Meta:
        app_label = "shop"


def store(event):
    Delivery.objects.bulk_create([Delivery(id=event.public_id, body=event.body)], ignore_conflicts=True)


@listrak_webhook
def reads_after_it(request, event):
    store(event)
    event.email


@listrak_webhook
def fails_after_it(request, event):
    store(event)
    raise RuntimeError


@listrak_webhook
def durable_in_a_transaction(request, event):
    with transaction.atomic(durable=True):
        store(event)


@transaction.non_atomic_requests
@listrak_webhook
def as_the_page_says(request, event):
    with transaction.atomic(durable=True):
        store(event)
    raise RuntimeError


views = [reads_after_it, fails_after_it, durable_in_a_transaction, as_the_page_says]
urlpatterns = [path(view.__name__, view) for view in views]
with connection.schema_editor() as editor:
    editor.create_model(Delivery)
client = Client(raise_request_exception=False)
for view in views:
    for _ in range(2):
        done = client.post(f"/{view.__name__}", b"no JSON", content_type="text/plain", headers=json.loads(sys.argv[2]))
        print(view.__name__, done.status_code, Delivery.objects.count())
"""


def test_under_atomic_requests_a_delivery_is_stored_as_the_page_says() -> None:
    """An error after the write removes the row, except in a view outside of the request's transaction."""
    command = [sys.executable, "-c", ATOMIC_REQUESTS, SECRET, json.dumps(signed(b"no JSON"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *["reads_after_it 400 0"] * 2,
        *["fails_after_it 500 0"] * 2,
        *["durable_in_a_transaction 500 0"] * 2,
        *["as_the_page_says 500 1"] * 2,
    ]


def test_a_handler_as_the_page_has_it_does_its_work_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The second call for one delivery changes nothing, and work that fails leaves no row."""
    handle = block_under("Work that may be done twice")["handle"]
    bad, good = event_of(b"no JSON"), event_of(b'{"campaign":"vip-mailer"}')
    for _ in range(2):
        with pytest.raises(PayloadError):
            handle(bad)
        handle(good)
    assert capsys.readouterr().out == "vip-mailer\n"


def test_what_the_shop_prints_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """The line shows the public id of the delivery and nothing else of it."""
    event = event_of(json.dumps({"email": EMAIL}).encode())
    runpy.run_path(str(EXAMPLES / "shop.py"))["handle"](event)
    public_id = hashlib.sha256(bytes.fromhex(event.id)).hexdigest()
    assert capsys.readouterr().out == f"working on delivery {public_id}\n"
