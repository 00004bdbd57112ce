"""What users write with Flask; type checkers must have nothing to say about it."""

from __future__ import annotations

from flask import Blueprint, Flask, Request, Response, jsonify
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from listrak_webhooks import Event, Webhook, WebhookError
from listrak_webhooks.flask import listrak_webhook
from typing_extensions import assert_type

app = Flask(__name__)
blueprint = Blueprint("hooks", __name__)
webhook = Webhook(["new", "old"], tolerance=300)
ACCOUNTS = {"acme": webhook}


@app.post("/bare")
@listrak_webhook
def bare(event: Event) -> None:
    print(event.payload, event.body, event.id)


@app.post("/parentheses/<account>/<int:number>")
@listrak_webhook()
def parentheses(event: Event, account: str, number: int) -> str:
    return f"{account} {number} {event.id}"


@app.post("/together/<account>")
@listrak_webhook
def together(event: Event, **url_args: str) -> str:
    return f"{url_args} {event.id}"


@app.post("/together-parentheses/<account>")
@listrak_webhook(webhook)
async def together_parentheses(event: Event, **url_args: str) -> None:
    print(url_args, event.id)


@app.post("/async/<account>")
@listrak_webhook
async def asynchronous(event: Event, account: str) -> None:
    print(event.payload, account)


@app.post("/async-parentheses")
@listrak_webhook(webhook)
async def async_parentheses(event: Event) -> tuple[str, int]:
    return event.id, 200


@app.post("/secret")
@listrak_webhook("a secret")
def by_secret(event: Event) -> Response:
    return jsonify(event.payload)


@blueprint.post("/secrets")
@listrak_webhook(["a secret", b"another"])
def by_secrets(event: Event) -> dict[str, str]:
    return {"id": event.id}


def resolve(request: Request) -> Webhook:
    return ACCOUNTS[request.path]


async def resolve_later(request: Request) -> Webhook:
    return ACCOUNTS[request.path]


def reject(error: WebhookError, request: Request) -> None:
    print(error.code, error.status, request.path)


async def reject_later(error: WebhookError, request: Request) -> None:
    print(error.code, request.path)


@app.post("/resolver")
@listrak_webhook(resolver=resolve, on_rejected=reject)
def resolved(event: Event) -> str:
    return event.id


@app.post("/resolver-async")
@listrak_webhook(resolver=resolve_later, on_rejected=reject_later)
async def resolved_later(event: Event) -> str:
    return event.id


@app.post("/lambdas")
@listrak_webhook(resolver=lambda request: ACCOUNTS[request.path], on_rejected=lambda error, _: print(error.code))
def with_lambdas(event: Event) -> str:
    return event.id


def returns(event: Event, account: str) -> str:
    return f"{event.id} {account}"


def test_the_view_has_lost_its_event() -> None:
    assert_type(listrak_webhook(returns)("acme"), ResponseReturnValue)
    assert_type(listrak_webhook()(returns)(account="acme"), ResponseReturnValue)


class Receiver(MethodView):
    @listrak_webhook
    def post(self, event: Event, account: str) -> str:
        return f"{event.id} {account}"


class AsyncReceiver(MethodView):
    @listrak_webhook("a secret")
    async def post(self, event: Event) -> None:
        print(event.id)


app.register_blueprint(blueprint)
app.add_url_rule("/class/<account>", view_func=Receiver.as_view("receiver"))
