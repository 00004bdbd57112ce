"""What Pydantic, and FastAPI through it, is told about `Event`. Nothing is imported before they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listrak_webhooks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


def event_schema(source: object, handler: Callable[[Any], Any]) -> Any:
    """Return what Pydantic knows of `Event`: an object, if a model allows arbitrary ones.

    Raises:
        ConfigurationError: it is to be filled from a request or made a response, which FastAPI would say in words of
            Pydantic's.
    """
    # Here and not above, because version 1 does not have it, and does not call this.
    from pydantic.errors import PydanticSchemaGenerationError  # noqa: PLC0415

    try:
        return handler(source)
    except PydanticSchemaGenerationError:
        raise ConfigurationError(
            "FastAPI cannot fill a parameter of the type Event from a request by itself; put @listrak_webhook between "
            "@app.post(...) and the handler, or annotate the parameter as Annotated[Event, Depends(ListrakWebhook())]; "
            "and if Event is what the handler returns, return event.to_dict()"
        ) from None
