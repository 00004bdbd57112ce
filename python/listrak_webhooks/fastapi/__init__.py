"""FastAPI: `@listrak_webhook` on a path operation, or `ListrakWebhook` as a dependency.

    from fastapi import FastAPI
    from listrak_webhooks import Event
    from listrak_webhooks.fastapi import listrak_webhook, route_docs

    app = FastAPI()

    @app.post("/listrak", **route_docs())
    @listrak_webhook
    async def listrak(event: Event):
        print(event.payload)

with the secret in the environment variable `LISTRAK_WEBHOOK_SECRET`.
"""

from listrak_webhooks._extras import importing

with importing("fastapi", needed_by=__name__):
    import fastapi  # noqa: F401  # pyright: ignore[reportUnusedImport]

from ._decorator import listrak_webhook
from ._dependency import ListrakWebhook
from ._openapi import route_docs

__all__ = ["ListrakWebhook", "listrak_webhook", "route_docs"]
