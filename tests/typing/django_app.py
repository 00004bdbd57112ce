"""What users write with Django; type checkers must have nothing to say about it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from listrak_webhooks import Event, Webhook, WebhookError
from listrak_webhooks.django import listrak_webhook
from typing_extensions import assert_type

webhook = Webhook(["new", "old"], tolerance=300)
ACCOUNTS = {"acme": webhook}


@listrak_webhook
def bare(request: HttpRequest, event: Event) -> None:
    print(request.path, event.payload)


@listrak_webhook()
def parentheses(request: HttpRequest, event: Event, account: str, number: int) -> HttpResponse:
    return HttpResponse(f"{request.path} {account} {number} {event.id}")


@listrak_webhook
async def asynchronous(request: HttpRequest, event: Event, account: str) -> HttpResponse | None:
    print(request.path, account)
    return JsonResponse(event.payload)


@listrak_webhook
async def async_returning_none(request: HttpRequest, event: Event) -> None:
    print(request.path, event.id)


@listrak_webhook(webhook)
async def async_parentheses(request: HttpRequest, event: Event) -> HttpResponse:
    return HttpResponse(f"{request.path} {event.id}")


@listrak_webhook(["a secret", b"another"])
def by_secrets(request: HttpRequest, event: Event) -> JsonResponse:
    return JsonResponse({"path": request.path, "id": event.id})


def resolve(request: HttpRequest) -> Webhook:
    return ACCOUNTS[request.path]


async def resolve_later(request: HttpRequest) -> Webhook:
    return ACCOUNTS[request.path]


def reject(error: WebhookError, request: HttpRequest) -> None:
    print(error.code, error.status, request.path)


async def reject_later(error: WebhookError, request: HttpRequest) -> None:
    print(error.code, request.path)


@listrak_webhook(resolver=resolve, on_rejected=reject)
def resolved(request: HttpRequest, event: Event) -> HttpResponse:
    return HttpResponse(f"{request.path} {event.id}")


@listrak_webhook(resolver=resolve_later, on_rejected=reject_later)
async def resolved_later(request: HttpRequest, event: Event) -> HttpResponse:
    return HttpResponse(f"{request.path} {event.id}")


@listrak_webhook(resolver=lambda request: ACCOUNTS[request.path], on_rejected=lambda error, _: print(error.code))
def with_lambdas(request: HttpRequest, event: Event) -> HttpResponse:
    return HttpResponse(f"{request.path} {event.id}")


@method_decorator(listrak_webhook, name="dispatch")
class Receiver(View):
    def post(self, request: HttpRequest, event: Event) -> None:
        print(request.path, event.payload)


@method_decorator(listrak_webhook("a secret"), name="dispatch")
class AsyncReceiver(View):
    async def post(self, request: HttpRequest, event: Event, account: str) -> HttpResponse:
        return HttpResponse(f"{request.path} {account} {event.id}")


class OnPost(View):
    @method_decorator(listrak_webhook)
    def post(self, request: HttpRequest, event: Event) -> None:
        print(request.path, event.payload)


urlpatterns = [
    path("bare", bare),
    path("parentheses/<account>/<int:number>", parentheses),
    path("async/<account>", asynchronous),
    path("async-none", async_returning_none),
    path("async-parentheses", async_parentheses),
    path("secrets", by_secrets),
    path("resolved", resolved),
    path("resolved-later", resolved_later),
    path("lambdas", with_lambdas),
    path("class", Receiver.as_view()),
    path("class/<account>", AsyncReceiver.as_view()),
    path("on-post", OnPost.as_view()),
]


async def test_the_view_has_lost_its_event(request: HttpRequest) -> None:
    assert_type(bare(request), HttpResponseBase)
    assert_type(await asynchronous(request, "acme"), HttpResponseBase)
