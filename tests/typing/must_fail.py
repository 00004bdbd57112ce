"""Mistakes that type checkers must find: each marked line is one, and no other is.

The marks are mypy's `type: ignore`, which it reports where there is nothing to ignore.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from listrak_webhooks import Event, Webhook, sign, verify
from listrak_webhooks.django import listrak_webhook as django_webhook
from listrak_webhooks.fastapi import ListrakWebhook
from listrak_webhooks.fastapi import listrak_webhook as fastapi_webhook
from listrak_webhooks.flask import listrak_webhook as flask_webhook
from listrak_webhooks.replay import (
    AsyncReplayGuard,
    DjangoCacheReplayGuard,
    MemoryReplayGuard,
    RedisReplayGuard,
    ReplayGuard,
    SqliteReplayGuard,
    StoreGuard,
)
from listrak_webhooks.testing import Delivery, cart, fail_store, line

headers = {"LTK-Timestamp": "1700000000"}
parsed: dict[str, Any] = {}
webhook = Webhook("a secret")

Webhook()  # type: ignore[call-arg]
Webhook(None)  # type: ignore[arg-type]
Webhook(5)  # type: ignore[arg-type]
Webhook("a secret", 300)  # type: ignore[call-arg]
Webhook("a secret", tolerance=None)  # type: ignore[arg-type]
Webhook("a secret", tolerance="300")  # type: ignore[arg-type]
Webhook("a secret", encoding="sha1")  # type: ignore[arg-type]
Webhook("a secret", max_body="1")  # type: ignore[arg-type]
Webhook("a secret", aliases=["email"])  # type: ignore[arg-type]
Webhook("a secret", aliases={"email": "mail"})  # type: ignore[dict-item]
Webhook({"new", "old"})  # type: ignore[arg-type]
Webhook(secret for secret in ("new", "old"))  # type: ignore[arg-type]
Webhook("a secret", clock=1_700_000_000)  # type: ignore[arg-type]
sign(b"{}", None, "a secret")  # type: ignore[arg-type]
Webhook("a secret", secret_name="x")  # type: ignore[call-arg]

webhook.verify(parsed, headers)  # type: ignore[arg-type]
webhook.verify(None, headers)  # type: ignore[arg-type]
webhook.verify(b"", None)  # type: ignore[arg-type]
webhook.verify(b"", 5)  # type: ignore[arg-type]
webhook.verify(b"", headers, 1)  # type: ignore[call-arg]
webhook.verify(b"", headers, now="1")  # type: ignore[arg-type]
webhook.verify_values(b"", 1_700_000_000, "x")  # type: ignore[arg-type]
webhook.sign(parsed)  # type: ignore[arg-type]
webhook.sign(b"", "1700000000")  # type: ignore[arg-type]
webhook.sign(b"", encoding="any")  # type: ignore[arg-type]
sign(b"", 1_700_000_000)  # type: ignore[call-arg]
verify(b"", headers)  # type: ignore[call-arg]
verify(parsed, headers, "a secret")  # type: ignore[arg-type]
webhook.tolerance = 5  # type: ignore[misc]


def write(event: Event) -> None:
    event.body = b""  # type: ignore[misc]
    event.unknown  # type: ignore[attr-defined]  # noqa: B018
    event.cart.total  # type: ignore[union-attr]  # noqa: B018
    event.parse_as(5)  # type: ignore[arg-type]


class Mine(Event):  # type: ignore[misc]
    pass


@flask_webhook  # type: ignore[arg-type]
def flask_without_event() -> str:
    return ""


@flask_webhook  # type: ignore[arg-type]
def flask_with_a_request(request: HttpRequest) -> str:
    return request.path


@flask_webhook()  # type: ignore[arg-type]
def flask_without_event_in_parentheses() -> str:
    return ""


flask_webhook(5)  # type: ignore[call-overload]
flask_webhook(replay=True)  # type: ignore[call-overload]
fastapi_webhook(replay="deliveries.db")  # type: ignore[call-overload]
django_webhook(replay=MemoryReplayGuard)  # type: ignore[call-overload]
ListrakWebhook(replay=5)  # type: ignore[call-overload]
MemoryReplayGuard("many")  # type: ignore[arg-type]
MemoryReplayGuard(lease=None)  # type: ignore[arg-type]
SqliteReplayGuard()  # type: ignore[call-arg]
SqliteReplayGuard("deliveries.db", 60)  # type: ignore[call-arg]
SqliteReplayGuard("deliveries.db", tolerance="900")  # type: ignore[arg-type]
StoreGuard("redis://localhost")  # type: ignore[arg-type]
RedisReplayGuard("redis://localhost")  # type: ignore[arg-type]
DjangoCacheReplayGuard(5)  # type: ignore[arg-type]


class NoGuard:
    def handle(self, event: Event) -> bool:
        return bool(event)


sync_guard: ReplayGuard = NoGuard()  # type: ignore[assignment]
async_guard: AsyncReplayGuard = NoGuard()  # type: ignore[assignment]


def guarded_without_event(event: Event, guard: ReplayGuard) -> None:
    with guard.handle():  # type: ignore[call-arg]
        print(event)


flask_webhook(resolver="a secret")  # type: ignore[call-overload]
flask_webhook(on_rejected="log")  # type: ignore[call-overload]
flask_webhook(secret="a secret")  # type: ignore[call-overload]
fastapi_webhook(5)  # type: ignore[call-overload]
fastapi_webhook(resolver="a secret")  # type: ignore[call-overload]
ListrakWebhook(5)  # type: ignore[call-overload]
ListrakWebhook(resolver="a secret")  # type: ignore[call-overload]


@django_webhook  # type: ignore[arg-type]
def django_without_event(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.path)


@django_webhook  # type: ignore[arg-type, type-var]
def django_the_wrong_way_round(event: Event, request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.path} {event.id}")


django_webhook(5)  # type: ignore[call-overload]
django_webhook(resolver="a secret")  # type: ignore[call-overload]

cart(totl="1")  # type: ignore[call-arg]
cart(style="kebab")  # type: ignore[arg-type]
line(seed=1)  # type: ignore[call-arg]
Delivery("{}")  # type: ignore[arg-type]
cart().signed("a secret", encoding="base32")  # type: ignore[arg-type]
fail_store("a store")  # type: ignore[arg-type]
