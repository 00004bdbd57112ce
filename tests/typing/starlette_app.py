"""What users write with Starlette; type checkers must have nothing to say about it."""

from listrak_webhooks import Event, Webhook, WebhookError
from listrak_webhooks.replay import MemoryReplayGuard
from listrak_webhooks.starlette import listrak_webhook
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

webhook = Webhook(["new", "old"], tolerance=300)


@listrak_webhook
async def bare(request: Request, event: Event) -> None:
    print(request.url, event.payload)


@listrak_webhook()
def parentheses(request: Request, event: Event) -> Response:
    return JSONResponse({"id": event.public_id})


async def resolve(request: Request) -> Webhook:
    return webhook


def reject(error: WebhookError, request: Request) -> None:
    print(error.code, error.status, request.url)


@listrak_webhook(resolver=resolve, on_rejected=reject, replay=MemoryReplayGuard(), body_timeout=5)
async def all_arguments(request: Request, event: Event) -> Response | None:
    return Response(event.body) if event.email else None


class Listrak(HTTPEndpoint):
    @listrak_webhook
    async def post(self, request: Request, event: Event) -> None:
        print(request.path_params, event.payload)


class Other(HTTPEndpoint):
    @listrak_webhook(webhook)
    def post(self, request: Request, event: Event) -> Response:
        return Response()


app = Starlette(
    routes=[
        Route("/bare", bare, methods=["POST"]),
        Route("/parentheses", parentheses, methods=["POST"]),
        Route("/all", all_arguments, methods=["POST"]),
        Route("/class", Listrak),
        Route("/other", Other),
    ]
)
