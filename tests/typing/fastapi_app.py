"""What users write with FastAPI; type checkers must have nothing to say about it."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, Response
from listrak_webhooks import Event, Webhook, WebhookError
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook, route_docs
from pydantic import BaseModel
from typing_extensions import assert_type

app = FastAPI()
router = APIRouter(prefix="/hooks")
webhook = Webhook(["new", "old"], tolerance=300)
ACCOUNTS = {"acme": webhook}
hook = ListrakWebhook("a secret")
Verified = Annotated[Event, Depends(hook)]


@app.post("/bare", **route_docs())
@listrak_webhook
async def bare(event: Event) -> None:
    print(event.payload)


@app.post("/sync/{account}")
@listrak_webhook()
def parentheses(account: int, event: Event, tag: str = "-") -> dict[str, str]:
    return {"id": f"{account} {tag} {event.id}"}


@app.post("/webhook")
@listrak_webhook(webhook)
async def by_webhook(event: Event, request: Request, tasks: BackgroundTasks) -> Response:
    tasks.add_task(print, event.payload)
    return Response(await request.body())


@router.post("/secrets", **route_docs())
@listrak_webhook(["a secret", b"another"])
async def by_secrets(event: Annotated[Event, "what Listrak sent"]) -> str:
    return event.id


def resolve(request: Request) -> Webhook:
    return ACCOUNTS[request.url.path]


async def resolve_later(request: Request) -> Webhook:
    return ACCOUNTS[request.url.path]


def reject(error: WebhookError, request: Request) -> None:
    print(error.code, error.status, request.url)


async def reject_later(error: WebhookError, request: Request) -> None:
    print(error.code, request.url)


@app.post("/resolver")
@listrak_webhook(resolver=resolve, on_rejected=reject)
def resolved(event: Event) -> str:
    return event.id


@app.post("/resolver-async")
@listrak_webhook(resolver=resolve_later, on_rejected=reject_later)
async def resolved_later(event: Event) -> str:
    return event.id


@app.post("/lambdas")
@listrak_webhook(resolver=lambda request: ACCOUNTS[request.url.path], on_rejected=lambda error, _: print(error.code))
async def with_lambdas(event: Event) -> str:
    return event.id


@app.post("/dependency")
async def dependency(event: Annotated[Event, Depends(ListrakWebhook())]) -> None:
    print(event.payload)


@app.post("/verified")
async def verified(event: Verified) -> str:
    return event.id


@app.post("/dependency-resolver")
async def dependency_resolver(
    event: Annotated[Event, Depends(ListrakWebhook(resolver=resolve_later, on_rejected=reject_later))],
) -> str:
    return event.id


class CartMail(BaseModel):
    campaign: str


@app.post("/model", **route_docs(CartMail))
@listrak_webhook
async def with_model(mail: CartMail) -> str:
    return mail.campaign


@app.post("/model-and-event")
@listrak_webhook("a secret")
def with_both(event: Event, mail: CartMail) -> str:
    return f"{event.id} {mail.campaign}"


@app.post("/model-dependency")
async def model_dependency(mail: Annotated[CartMail, Depends(ListrakWebhook(parse_as=CartMail))]) -> str:
    return mail.campaign


@app.post("/other-type")
@listrak_webhook(parse_as=list[int])
async def with_other_type(numbers: list[int]) -> int:
    return sum(numbers)


assert_type(ListrakWebhook(), ListrakWebhook[Event])
assert_type(ListrakWebhook(parse_as=CartMail), ListrakWebhook[CartMail])


def returns(event: Event, account: str) -> str:
    return f"{event.id} {account}"


async def test_the_handler_keeps_its_type(event: Event) -> None:
    assert_type(listrak_webhook(returns)(event, "acme"), str)
    assert_type(listrak_webhook("a secret")(returns)(event, account="acme"), str)
    assert_type(await by_secrets(event), str)


app.include_router(router)
app.dependency_overrides[hook] = lambda: None
