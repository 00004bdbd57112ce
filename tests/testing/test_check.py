"""The check of an endpoint: what is fit passes, and each fault is named, through each client."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks.testing import Delivery, Sender, alert, cart, custom, order, page, probes, product
from listrak_webhooks.testing.probes import PROBES, Answer, Material
from support import kit_clients
from support.deliveries import PATH
from support.helpers import NOW, SECRET
from support.kit_clients import CLIENTS
from support.kit_endpoints import DELAY, FAULTS, RARE_FAULTS, Response, endpoint
from support.stacks import VARIANTS

if TYPE_CHECKING:
    from listrak_webhooks import Event

every_client = pytest.mark.parametrize("name", CLIENTS)


def findings_of(error: AssertionError) -> dict[str, str]:
    """Return what a table says, by probe."""
    rows = re.findall(r"^(?:yellow|red) +(\S+) +(.*(?:\n {10,}.*)*)", str(error), re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in rows}


def fail(name: str, fault: str, **options: Any) -> tuple[dict[str, str], AssertionError]:
    """Check an endpoint with a fault through a client, and return what was found."""
    make_app, client = CLIENTS[name]
    with pytest.raises(AssertionError) as caught:
        kit_clients.check(Sender(SECRET), client, make_app(endpoint(fault)), **options)
    return findings_of(caught.value), caught.value


@every_client
def test_a_fit_endpoint_passes(name: str) -> None:
    """It is written without this library."""
    make_app, client = CLIENTS[name]
    kit_clients.check(Sender(SECRET), client, make_app(endpoint()))


@pytest.mark.parametrize("fault", FAULTS)
@every_client
def test_each_fault_is_named(name: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through every client, with what to do about it."""
    # One large body more is enough here, and 4 MiB take their time.
    monkeypatch.setattr(probes, "HUGE", probes.LARGE + 1)
    if fault == "slow":
        monkeypatch.setattr(probes, "SLOW", DELAY / 2)
    found, error = fail(name, fault)
    assert {*found} == FAULTS[fault]
    if fault == "redirects":
        # Not followed, or it would be 404.
        assert ": 307;" in found["genuine_base64"]
    assert SECRET not in str(error)
    assert "@example" not in str(error)


@pytest.mark.parametrize("fault", RARE_FAULTS)
def test_each_rarer_fault_is_named_alone(fault: str) -> None:
    """Through the client of aiohttp, whose server leaves the names of headers as they are."""
    found, _ = fail("aiohttp", fault)
    assert {*found} == RARE_FAULTS[fault]


def test_every_probe_finds_something() -> None:
    """Each has a planted fault that it names: a probe that finds nothing is not there."""
    found = set().union(*FAULTS.values(), *RARE_FAULTS.values())
    assert found == {probe.name for probe in PROBES} | {"time_to_answer"}


def test_the_table_says_what_came_what_should_have_and_what_to_do() -> None:
    """One row a finding, and the number of all."""
    found, error = fail("flask", "base64_only")
    assert str(error).splitlines()[0] == f"{PATH} is not fit for Listrak: 1 of {len(PROBES) + 1} probes found something"
    assert found["genuine_hex"].startswith("genuine, signature in hex: 401; expected 200. Listrak's own samples differ")
    assert max(len(line) for line in str(error).splitlines()) <= 110


@pytest.mark.parametrize("name", ["flask", "starlette", "django", "httpx-asgi", "django-async", "rest"])
def test_what_a_client_raises_is_a_finding_and_the_cause(name: str) -> None:
    """Test clients let exceptions of the endpoint pass; the first is the cause, with its traceback."""
    found, error = fail(name, "raises")
    assert "raised ZeroDivisionError" in found["not_json"]
    assert isinstance(error.__cause__, ZeroDivisionError)


def test_a_redirect_is_not_followed_and_is_named() -> None:
    """Its address is shown, without control characters; the faults above have one for every client."""
    found, _ = fail("flask", "redirects")
    assert "(to '/listrak/')" in found["genuine_base64"]
    finding = PROBES[0].finding([Answer(302, "http://x/\x1b[31m")])
    assert "\x1b" not in finding.advice


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_each_adapter_of_ours_is_fit(variant: Any) -> None:
    """Sync and async, through the client of its framework and every other that can reach it."""
    handled: list[Event] = []
    for name, app, client in adapter_apps(variant, handled.append):
        handled.clear()
        kit_clients.check(Sender(SECRET), client, app)
        assert len(handled) >= 5, name


def adapter_apps(variant: Any, handle: Any) -> list[tuple[str, Any, Any]]:
    """Return an app behind an adapter, with each client for it."""
    import importlib

    adapter = importlib.import_module(f"listrak_webhooks.{variant.framework}").listrak_webhook
    app: Any
    if variant.framework == "flask":
        import flask

        app = flask.Flask(__name__)
        app.testing = True
        app.post(PATH)(adapter(SECRET)(of_event(handle, is_async=variant.is_async)))
        return [(name, app, client) for name, client in {"flask": kit_clients.flask_client, **kit_clients.WSGI}.items()]
    if variant.framework == "django":
        view = adapter(SECRET)(of_request(handle, is_async=variant.is_async))
        return [(name, view, client) for name, client in kit_clients.DJANGO.items()]
    if variant.framework == "fastapi":
        app = fastapi_app(adapter, handle, is_async=variant.is_async)
    else:
        from starlette.applications import Starlette
        from starlette.routing import Route

        view = adapter(SECRET)(of_request(handle, is_async=variant.is_async))
        app = Starlette(routes=[Route(PATH, view, methods=["POST"])])
    return [(name, app, client) for name, client in kit_clients.ASGI.items()]


def of_event(handle: Any, *, is_async: bool) -> Any:
    """Return a view that takes the event."""
    if is_async:

        async def aview(event: Any) -> None:
            handle(event)

        return aview

    def view(event: Any) -> None:
        handle(event)

    return view


def of_request(handle: Any, *, is_async: bool) -> Any:
    """Return a view that takes the request and the event."""
    if is_async:

        async def aview(request: Any, event: Any) -> None:
            handle(event)

        return aview

    def view(request: Any, event: Any) -> None:
        handle(event)

    return view


def fastapi_app(adapter: Any, handle: Any, *, is_async: bool) -> Any:
    """Return a FastAPI app."""
    from fastapi import FastAPI
    from listrak_webhooks import Event

    view = of_event(handle, is_async=is_async)
    view.__annotations__ = {"event": Event}
    app = FastAPI()
    app.post(PATH)(adapter(SECRET)(view))
    return app


def test_a_handler_gets_the_delivery_that_it_takes() -> None:
    """It is sent with spaces behind, so that no two are the same, and grows for the large bodies."""
    seen: list[bytes] = []

    def respond(method: str, body: bytes, headers: Any) -> Response:
        answer = endpoint()(method, body, headers)
        if answer.status == 200:
            seen.append(body)
        return answer

    own = Delivery(b'{"mine":1}')
    kit_clients.check(Sender(SECRET), kit_clients.flask_client, kit_clients.flask_app(respond), delivery=own)
    mine = [body for body in seen if body.strip() == own.body]
    assert len(mine) == 6
    assert len({*mine}) == 5
    assert max(map(len, mine)) == probes.LARGE


def kinds() -> dict[str, tuple[Delivery, Any]]:
    """Return a delivery of each kind, with a handler that takes no other."""
    return {
        "order": (order(), lambda event: event.order.total + event.items[0].total),
        "cart": (cart(style="pascal"), lambda event: event.cart.total + event.items[1].price),
        "product": (product(), lambda event: event.product.price + len(event.product.sku)),
        "page": (page(), lambda event: event.page.url + event.page.data["season"]),
        "alert": (alert(), lambda event: event.product.sale_price + event.product.stock),
        "custom": (custom(points=120), lambda event: event.payload["points"] + 1),
        "number": (Delivery(b'{"points": 120}\n'), lambda event: event.payload["points"] + 1),
    }


@pytest.mark.parametrize("kind", kinds())
def test_a_handler_that_takes_one_kind_of_delivery_is_fit_with_that_kind(kind: str) -> None:
    """Every genuine body is made of the delivery that is given, odd ones too, so that no field is lost."""
    from flask import Flask
    from listrak_webhooks.flask import listrak_webhook

    delivery, use = kinds()[kind]
    app, used = Flask(__name__), []
    app.testing = True

    @app.post(PATH)
    @listrak_webhook(SECRET)
    def view(event: Event) -> None:
        used.append(use(event))

    Sender(SECRET).check(app.test_client(), PATH, delivery=delivery)
    assert len(used) >= 7


def test_an_odd_body_is_odd_in_one_way_alone() -> None:
    """What is not odd in it is the delivery, byte for byte; a text is put into words, not into a number or a time."""
    bodies = {
        probe.name: probe.requests(Material(SECRET, delivery=order()))[0].body.rstrip(b" ")
        for probe in PROBES
        if probe.advice == PROBES[-1].advice
    }
    plain = order().body
    assert bodies["byte_order_mark"].removeprefix(b"\xef\xbb\xbf") == plain
    assert bodies["lone_surrogate"].replace(b"\\ud83d", b"") == plain
    assert json.loads(bodies["lone_surrogate"])["orderNumber"] == json.loads(plain)["orderNumber"]
    assert bodies["invalid_utf8"].replace(b"caf\xe9 \xff\xfe", b"") == plain
    assert bodies["nul_bytes"].replace(b"a\0b\\u0000", b"").rstrip(b"\0").rstrip() == plain
    assert json.loads(bodies["json_without_object"]) == [json.loads(plain), None]
    assert bodies["deep_json"].startswith(plain[:-1])
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(bodies["not_json"])
    assert bodies["empty_body"] == b""


@pytest.mark.parametrize("body", [b"{}", b'{"a": {"b": 1}} ', b'{"1": "2"}', b'{"a\\"b": "c\\"d:"}', b'{"a":[]}'])
def test_an_odd_text_leaves_json_what_it_is(body: bytes) -> None:
    """Where no value is a string, the object gets another member."""
    (probe,) = [probe for probe in PROBES if probe.name == "lone_surrogate"]
    (request,) = probe.requests(Material(SECRET, delivery=Delivery(body)))
    found = json.loads(request.body)
    assert {*found} - {"listrak_check"} == {*json.loads(body)}
    assert "\\ud83d" in json.dumps(found)


def test_a_delivery_that_is_not_json_can_be_checked_with_too() -> None:
    """What is changed in it is a bit, where JSON would be written again."""
    kit_clients.check(
        Sender(SECRET), kit_clients.flask_client, kit_clients.flask_app(endpoint()), delivery=Delivery(b"\xff")
    )


def test_an_endpoint_with_a_replay_guard_is_fit() -> None:
    """No two deliveries of a check are the same, nor two of two checks."""
    from flask import Flask
    from listrak_webhooks.flask import listrak_webhook
    from listrak_webhooks.replay import MemoryReplayGuard

    app, handled = Flask(__name__), []

    @app.post(PATH)
    @listrak_webhook(SECRET, replay=MemoryReplayGuard())
    def view(event: Event) -> None:
        handled.append(event.id)

    sender = Sender(SECRET)
    sender.check(app.test_client(), PATH)
    once = len(handled)
    sender.check(app.test_client(), PATH)
    assert len({*handled}) == len(handled)
    assert len(handled) - once >= 5


def test_each_answer_is_let_go_of() -> None:
    """As a server does it: middleware that waits for the end of an answer, to complete a claim, say, gets there."""
    opened: list[object] = []
    closed: list[object] = []
    inner = kit_clients.flask_app(endpoint())

    class Parts:
        def __init__(self, parts: Any) -> None:
            self._parts = parts
            opened.append(self)

        def __iter__(self) -> Any:
            return iter(self._parts)

        def close(self) -> None:
            self._parts.close()
            closed.append(self)

    def app(environ: Any, start_response: Any) -> Any:
        return Parts(inner(environ, start_response))

    kit_clients.check(Sender(SECRET), kit_clients.werkzeug_client, app)
    assert len(opened) > len(PROBES)
    assert closed == opened


def test_the_probes_sign_for_the_time_of_their_sender() -> None:
    """The command line gives none, and a test may give any."""
    for probe in PROBES:
        for request in probe.requests(Material(SECRET, now=NOW + 0.9)):
            if probe.name.startswith("genuine"):
                assert request.headers["LTK-Timestamp"] == str(NOW)


def test_the_names_of_the_probes_are_unique() -> None:
    """They are keys in `--json`."""
    assert len({probe.name for probe in PROBES}) == len(PROBES)
    assert all(re.fullmatch(r"[a-z0-9_]+", probe.name) for probe in PROBES)


@pytest.mark.parametrize(
    ("name", "statuses", "level"),
    [
        ("genuine_base64", [200], "green"),
        ("genuine_base64", [204], "yellow"),
        ("genuine_base64", [401], "red"),
        ("genuine_base64", [302], "red"),
        ("genuine_base64", [None], "red"),
        ("forged", [401], "green"),
        ("forged", [403], "yellow"),
        ("forged", [200], "red"),
        ("forged", [500], "red"),
        ("twice", [200, 200], "green"),
        ("twice", [200, 409], "green"),
        ("twice", [409, 200], "red"),
        ("twice", [200, 500], "red"),
        ("twice", [201, 409], "yellow"),
        ("huge_body", [413], "green"),
        ("huge_body", [200], "green"),
        ("huge_body", [400], "green"),
        ("huge_body", [401], "yellow"),
        ("huge_body", [502], "red"),
        ("get", [405], "green"),
        ("get", [404], "green"),
        ("get", [200], "red"),
        ("not_json", [400], "green"),
        ("not_json", [401], "red"),
        ("not_json", [500], "red"),
    ],
)
def test_each_status_has_its_level(name: str, statuses: list[int | None], level: str) -> None:
    """Green has no advice, and all else has."""
    (probe,) = [probe for probe in PROBES if probe.name == name]
    finding = probe.finding([Answer(status) for status in statuses])
    assert finding.level == level
    assert bool(finding.advice) == (level != "green")


def test_the_large_deliveries_are_as_large_as_they_say_and_believable() -> None:
    """A JSON object with thousands of lines."""
    for size in (probes.LARGE, probes.HUGE):
        body = Material(SECRET).padded(size).body
        assert size <= len(body) < size * 1.2
        assert len(json.loads(body)["cart"]["items"]) > 100
