"""The README and the docs are true: their code runs, and their tables are those of the code."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import listrak_webhooks
import pytest
from listrak_webhooks import ConfigurationError, DuplicateDeliveryError, WebhookError
from listrak_webhooks._core import built_in_aliases
from listrak_webhooks.replay import StoreGuard
from support.helpers import TESTS
from support.servers import werkzeug_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = TESTS.parent
README = "README.md"
PAGES = [README, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
PAYLOADS = "docs/reference/payload.md"
REPLAYS = "docs/how-to/replays.md"
HAND_OFF = "docs/how-to/hand-off.md"
FRAMEWORKS = "docs/how-to/frameworks.md"
WEBHOOK = "docs/reference/webhook.md"
SECRET = "the HMAC secret"
BODY = json.dumps({"campaign": "vip-mailer"}).encode()


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str, heading: str | None = None) -> list[str]:
    """Return the Python code of a page, or under one of its headings."""
    text = text_of(page)
    if heading is not None:
        text = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def headers_for(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the two headers, signed with the standard library."""
    timestamp = str(int(time.time()))
    mac = hmac.new(secret.encode(), body + timestamp.encode(), hashlib.sha256).digest()
    return {"LTK-Timestamp": timestamp, "LTK-HmacSignature": base64.b64encode(mac).decode()}


def run(block: str) -> dict[str, Any]:
    """Run one block, and return the names that it leaves."""
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec", dont_inherit=True), names)
    return names


def check_answers(post: Callable[[bytes, dict[str, str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    """See that a genuine delivery reaches the handler, and a tampered one does not."""
    assert post(BODY, headers_for(BODY)) == 200
    assert capsys.readouterr().out == "vip-mailer\n"
    assert post(BODY + b" ", headers_for(BODY)) == 401
    assert capsys.readouterr().out == ""


def post_to_fastapi(app: Any) -> Callable[[bytes, dict[str, str]], int]:
    """Return a function that sends a delivery to an app and returns the status of its answer."""
    import asyncio

    import httpx

    async def post(body: bytes, headers: dict[str, str]) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
            return (await client.post("/listrak", content=body, headers=headers)).status_code

    return lambda body, headers: asyncio.run(post(body, headers))


@pytest.fixture(autouse=True)
def secret_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the secret where the README says to put it."""
    monkeypatch.setenv("LISTRAK_WEBHOOK_SECRET", SECRET)


BLOCKS = [(page, index) for page in PAGES for index in range(len(blocks_of(page)))]


def is_django(block: str) -> bool:
    """Return whether a block needs settings before it can be imported."""
    return "listrak_webhooks.django" in block or "DjangoCacheReplayGuard" in block


@pytest.mark.parametrize(("page", "index"), BLOCKS, ids=lambda value: str(value))
def test_each_block_of_code_runs_by_itself(
    page: str, index: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, with the secret in the environment, in a process of its own."""
    block = blocks_of(page)[index]
    script = DJANGO_SETTINGS + block if is_django(block) else block
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-c", "__name__ = 'docs'\n" + script, SECRET]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_each_link_of_a_page_leads_somewhere(page: str) -> None:
    """To a file of the tree, and to a heading in it if it names one."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text_of(page)):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{target}#{anchor}"


def test_the_readme_is_read_in_one_go() -> None:
    """What it is, how to install it, the first stacks, what is promised, and where the rest is."""
    assert len(text_of(README).splitlines()) <= 130


def test_the_flask_app_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """The smallest Flask app, unchanged."""
    client = run(blocks_of(README, "Flask")[0])["app"].test_client()
    check_answers(lambda body, headers: int(client.post("/listrak", data=body, headers=headers).status_code), capsys)


@pytest.mark.parametrize("page", [README, FRAMEWORKS], ids=["decorator", "dependency"])
def test_the_fastapi_apps_answer(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both FastAPI apps, as they stand."""
    from fastapi import FastAPI

    names = run(blocks_of(page, "FastAPI")[0])
    app = names.get("app") or FastAPI()
    if "router" in names:
        app.include_router(names["router"])
    check_answers(post_to_fastapi(app), capsys)


DJANGO_SETTINGS = """
import sys, django
from django.conf import settings
apps = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
settings.configure(LISTRAK_WEBHOOK_SECRET=sys.argv[1], ALLOWED_HOSTS=["*"], INSTALLED_APPS=apps)
django.setup()
"""

DJANGO = (
    DJANGO_SETTINGS
    + """
{block}
from django.test import RequestFactory
views = [listrak] if "listrak" in globals() else [
    each.as_view() for name, each in globals().items() if name.startswith("Listrak")
]
view = views[0]
headers = dict(pair.split("=", 1) for pair in sys.argv[3:])
request = RequestFactory().post("/", sys.argv[2].encode(), content_type="application/json", headers=headers)
sys.exit(view(request).status_code - 200)
"""
)


@pytest.mark.parametrize("page", [README, FRAMEWORKS], ids=["function", "class"])
def test_the_django_views_answer(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both Django views, as they stand, each in a process with settings of its own."""
    script = DJANGO.format(block=blocks_of(page, "Django")[0])

    def post(body: bytes, headers: dict[str, str]) -> int:
        pairs = [f"{name}={value}" for name, value in headers.items()]
        command = [sys.executable, "-c", script, SECRET, body.decode(), *pairs]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode >= 0, done.stderr
        print(done.stdout, end="")
        return 200 + done.returncode

    check_answers(post, capsys)


def test_the_receiver_without_a_framework_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """The function that calls `verify` itself."""
    receive = run(blocks_of(README, "Anywhere else")[0])["receive"]
    assert receive(BODY, headers_for(BODY, "example-hmac-secret")) == 200
    assert capsys.readouterr().out == "vip-mailer\n"
    assert receive(BODY, headers_for(BODY)) == 401
    assert capsys.readouterr().out == "signature_mismatch\n"
    assert receive(b"not JSON", headers_for(b"not JSON", "example-hmac-secret")) == 400
    assert receive(bytes(4 * 1024 * 1024 + 1), {}) == 413


@pytest.mark.parametrize(
    ("body", "declared", "status"),
    [(BODY, None, 200), (b"not JSON", None, 400), (BODY[:9], len(BODY), 500), (BODY, 10**9, 413)],
    ids=["genuine", "not-json", "cut-off", "too-large"],
)
def test_the_wsgi_application_by_hand_responds(body: bytes, declared: int | None, status: int) -> None:
    """To each kind of request, with one status and an empty body."""
    app = run(blocks_of(FRAMEWORKS, "Without a framework")[0])["app"]
    headers = headers_for(body, "example-hmac-secret")
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    environ["CONTENT_LENGTH"] = str(len(body) if declared is None else declared)
    statuses: list[str] = []
    app({**environ, "wsgi.input": io.BytesIO(body)}, lambda line, _: statuses.append(line))
    assert [int(line[:3]) for line in statuses] == [status]


def test_the_route_of_several_shops_knows_each_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """The block with a resolver."""
    client = run(blocks_of(FRAMEWORKS, "Several webhooks")[0])["app"].test_client()
    for shop, secret, index in [("north", "the northern secret", 0), ("south", "the old one", 1)]:
        answer = client.post(f"/listrak/{shop}", data=BODY, headers=headers_for(BODY, secret))
        assert answer.status_code == 200
        assert capsys.readouterr().out == f"{shop} {index} vip-mailer\n"
    assert client.post("/listrak/south", data=BODY, headers=headers_for(BODY, "the northern secret")).status_code == 401
    assert client.post("/listrak/west", data=BODY, headers=headers_for(BODY)).status_code == 404


def test_the_tests_that_users_are_shown_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those on the page about testing an endpoint, each block a file of a project of its own."""
    blocks = [block for block in blocks_of("docs/how-to/test-your-endpoint.md") if "def test_" in block]
    for number, block in enumerate(blocks):
        tmp_path.joinpath(f"test_block_{number}.py").write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LISTRAK_WEBHOOK_SECRET")
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-W", "error", "-p", "no:asyncio"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert f"{sum(block.count('def test_') for block in blocks)} passed" in done.stdout


def test_the_sender_of_the_tutorial_delivers(capsys: pytest.CaptureFixture[str]) -> None:
    """The application and the sender of the tutorial, over a socket."""
    app, send = (run(block) for block in blocks_of("docs/tutorial/first-delivery.md"))
    with werkzeug_server(app["app"]) as port:
        url = f"http://127.0.0.1:{port}/listrak"
        assert send["send"](url, SECRET) == 200
        assert capsys.readouterr().out == "campaign: vip-mailer\nknown contact: True\n"
        assert send["send"](url, "another secret") == 401


def test_the_old_capture_verifies() -> None:
    """The known answer, whose block asserts for itself."""
    assert run(blocks_of(WEBHOOK)[0])["event"].secret_index == 0


def test_the_function_that_reads_the_views() -> None:
    """With a delivery of the kind that it is for, and one of another."""
    remind = run(blocks_of(PAYLOADS)[0])["remind"]
    webhook = listrak_webhooks.Webhook(SECRET)
    body = b'{"cart":{"total":"89.98","items":[{"name":"Cabana Top"}]},"email":"jane@example.com"}'
    assert remind(webhook.verify(body, headers_for(body))) == "jane@example.com: Cabana Top for 89.98"
    assert remind(webhook.verify(BODY, headers_for(BODY))) is None


def test_the_fastapi_app_with_a_model_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """The app unchanged, and what does not fit its model."""
    post = post_to_fastapi(run(blocks_of(FRAMEWORKS, "FastAPI")[1])["app"])
    check_answers(post, capsys)
    assert post(b"{}", headers_for(b"{}")) == 422


def test_both_secrets_are_taken_during_a_rotation() -> None:
    """The block on rotation, with a delivery under each secret."""
    webhook = run(blocks_of(WEBHOOK)[1])["webhook"]
    for index, secret in enumerate(["the new HMAC secret", "the old HMAC secret"]):
        assert webhook.verify(BODY, headers_for(BODY, secret)).secret_index == index


def test_the_guarded_app_handles_a_delivery_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block on replays, unchanged; the second answer comes without the handler."""
    monkeypatch.chdir(tmp_path)
    client = run(blocks_of(REPLAYS)[0])["app"].test_client()
    headers = headers_for(BODY)
    assert [client.post("/listrak", data=BODY, headers=headers).status_code for _ in range(2)] == [200, 200]
    assert capsys.readouterr().out == "vip-mailer\n"
    assert (tmp_path / "deliveries.db").exists()


def test_the_queued_delivery_reaches_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block on the hand-off, unchanged; a queue that takes nothing is a 500."""
    monkeypatch.chdir(tmp_path)
    names = run(blocks_of(HAND_OFF)[0])
    client, huey = names["app"].test_client(), names["huey"]
    assert client.post("/listrak", data=BODY, headers=headers_for(BODY)).status_code == 200
    assert capsys.readouterr().out == ""
    huey.execute(huey.dequeue())
    assert capsys.readouterr().out == "vip-mailer\n"
    assert huey.dequeue() is None
    huey.storage.sql("DROP TABLE task")
    assert client.post("/listrak", data=BODY, headers=headers_for(BODY)).status_code == 500
    huey.storage.close()


def test_the_code_on_replay_guards_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """By hand, a guard of one's own, and one over a store of one's own."""
    _, by_hand, own, store = (run(block) for block in blocks_of(REPLAYS))
    event = listrak_webhooks.Webhook(SECRET).verify(BODY, headers_for(BODY))
    for _ in range(2):
        by_hand["handle"](event)
    assert capsys.readouterr().out == "vip-mailer\n"
    for guard in (own["OnceInThisProcess"](), store["guard"]):
        for expected in (True, False):
            with guard.handle(event) as first:
                assert first is expected


def test_the_store_on_the_page_keeps_what_a_guard_promises() -> None:
    """A claim is held, given back, and taken over when its lease has ended; a late completion does not count."""
    store = run(blocks_of(REPLAYS)[3])["DictionaryStore"]()
    now = [1000.0]
    guard = StoreGuard(store, lease=10, clock=lambda: now[0])
    event = listrak_webhooks.Webhook(SECRET).verify(BODY, headers_for(BODY))
    with contextlib.suppress(LookupError), guard.handle(event) as first:
        assert first
        with pytest.raises(DuplicateDeliveryError):
            guard.handle(event).__enter__()
        raise LookupError
    late = guard.handle(event)
    assert late.__enter__()
    now[0] += 10
    with guard.handle(event) as first:
        assert first
        late.__exit__(None, None, None)
        with pytest.raises(DuplicateDeliveryError):
            guard.handle(event).__enter__()
    now[0] += 2 * 900 + 59
    with guard.handle(event) as first:
        assert not first


def test_the_table_of_errors_is_complete_and_right() -> None:
    """Every exception that can be answered has a row, with its code and status."""
    page = text_of("docs/reference/rejections.md")
    rows = re.findall(r"^\| `(\w+Error)` \| `(\w+)` \| (\d+) \|", page, re.MULTILINE)
    named = {name: getattr(listrak_webhooks, name) for name, _, _ in rows}
    assert [(name, named[name].code, str(named[name].status)) for name in named] == rows

    def concrete(base: type[WebhookError]) -> set[str]:
        below = [each for each in base.__subclasses__() if each.__module__ == "listrak_webhooks.exceptions"]
        return {base.__name__} if not below else {name for each in below for name in concrete(each)}

    assert set(named) == concrete(WebhookError) | {ConfigurationError.__name__}


def test_the_page_on_payloads_lists_every_name_there_is() -> None:
    """Its table is that of the core, row by row."""
    expected = built_in_aliases()
    rows = re.findall(r"^\| `([\w.]+)` \| (`.*`) \|$", text_of(PAYLOADS).split("## Names of your own")[1], re.MULTILINE)
    assert {name: re.findall(r"`([^`]+)`", paths) for name, paths in rows} == expected
    with pytest.raises(ConfigurationError) as caught:
        listrak_webhooks.Webhook(SECRET, aliases={"no such name": ["x"]})
    assert str(caught.value).endswith("the names are " + ", ".join(expected))


def test_the_code_on_the_page_on_payloads_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Both blocks, the second with what fits and what does not."""
    _, *blocks = blocks_of(PAYLOADS)
    assert len(blocks) == 2
    webhook = run(blocks[0])["webhook"]
    body = b'{"campaign":5,"basket":{"lines":[{"article":"red"}]},"shopper-mail":"jane@example.com"}'
    event = webhook.verify(body, headers_for(body))
    assert (event.email, event.items[0].sku) == ("jane@example.com", "red")
    campaign_of = run(blocks[1])["campaign_of"]
    assert campaign_of(webhook.verify(BODY, headers_for(BODY))) == "vip-mailer"
    assert campaign_of(event) is None
    assert capsys.readouterr().out == "('campaign',) Input should be a valid string\n"
