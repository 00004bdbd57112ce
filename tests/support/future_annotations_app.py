"""A FastAPI app in a module whose annotations are text, as in many code bases."""

from __future__ import annotations

from typing import Annotated

# FastAPI needs them at run time.
import listrak_webhooks  # noqa: TC002
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from listrak_webhooks import Event  # noqa: TC002
from listrak_webhooks import Event as Delivery  # noqa: TC002
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook

from support.helpers import SECRET

app = FastAPI()
router = APIRouter(prefix="/router")
hook = ListrakWebhook(SECRET)


@app.post("/decorator/{account}")
@listrak_webhook(SECRET)
async def decorated(event: Event, account: int, request: Request, tag: Annotated[str, Query()] = "-") -> dict[str, str]:
    """Take the event by the decorator."""
    return {"seen": f"{account} {tag} {request.method} {event.encoding}"}


@app.post("/alias/{account}")
@listrak_webhook(SECRET)
def by_another_name(account: int, delivery: Delivery) -> dict[str, str]:
    """Take the event under a name that only this module knows."""
    return {"seen": f"{account} {delivery.encoding}"}


@app.post("/module/{account}")
@listrak_webhook(SECRET)
def by_module(account: int, event: listrak_webhooks.Event) -> dict[str, str]:
    """Take the event by its full name."""
    return {"seen": f"{account} {event.encoding}"}


@router.post("/dependency/{account}")
async def dependent(account: int, event: Annotated[Event, Depends(hook)]) -> dict[str, str]:
    """Take the event by the dependency."""
    return {"seen": f"{account} {event.encoding}"}


app.include_router(router)
