"""What FastAPI's documentation says about a webhook, and what FastAPI is told about types that it cannot fill."""

from __future__ import annotations

from copy import deepcopy
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from fastapi.openapi.models import APIKey, APIKeyIn

from listrak_webhooks._core import SIGNATURE_HEADER, TIMESTAMP_HEADER
from listrak_webhooks._payload import models
from listrak_webhooks.exceptions import (
    BodyTooLargeError,
    BodyUnavailableError,
    ConfigurationError,
    DuplicateDeliveryError,
    FutureTimestampError,
    MalformedSignatureError,
    MalformedTimestampError,
    MissingHeaderError,
    PayloadError,
    ReplayGuardError,
    SignatureMismatchError,
    StaleTimestampError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks._http.rejection import Rejection

REJECTIONS: tuple[type[Rejection], ...] = (
    MissingHeaderError,
    MalformedTimestampError,
    MalformedSignatureError,
    SignatureMismatchError,
    StaleTimestampError,
    FutureTimestampError,
    PayloadError,
    DuplicateDeliveryError,
    BodyTooLargeError,
    BodyUnavailableError,
    ReplayGuardError,
    ConfigurationError,
)
"""What a route can respond with, for its documentation."""

SCHEME_NAME = "ListrakSignature"

SCHEME = APIKey(
    **{"in": APIKeyIn.header},  # type: ignore[arg-type]
    name=SIGNATURE_HEADER,
    description=(
        f"HMAC-SHA256 of the raw body directly followed by the value of the header `{TIMESTAMP_HEADER}`, the Unix "
        "seconds at which Listrak sent this; in base64 or hex."
    ),
)
"""The two headers, as FastAPI finds them in a dependency without work for each request.

Declared as parameters they would be parsed and validated for each request, although what is verified is the raw list.
"""

_TIMESTAMP = {
    "name": TIMESTAMP_HEADER,
    "in": "header",
    "required": True,
    "description": "Unix seconds at which Listrak sent this.",
    "schema": {"type": "string", "pattern": "^[1-9][0-9]{9}$"},
}

MOST_PROBLEMS = 100
"""How many places of a payload that does not fit are in the response; behind them it says how many more there are."""


def detail_of(error: Rejection) -> Any:
    """Return what the response to a rejection says: the code, or the places at which the payload does not fit.

    They are given as FastAPI gives its own, but for the messages and the values.
    """
    problems = error.problems if isinstance(error, PayloadError) else ()
    if not problems:
        return error.code
    detail: list[dict[str, Any]] = [
        {"type": error.code, "loc": ["body", *problem.path]} for problem in problems[:MOST_PROBLEMS]
    ]
    more = len(problems) - len(detail) + getattr(error, "more", 0)
    if more:
        detail.append({"type": error.code, "loc": ["body"], "more": more})
    return detail


class RouteDocs(TypedDict):
    """Arguments of `app.post` and its kin."""

    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]


def route_docs(model: Any = None) -> RouteDocs:
    """Return the arguments that document a webhook's JSON body and rejections in the OpenAPI schema.

    The signature is in the schema without this, as a security scheme; its description names the other header too.

    Args:
        model: the type that the payload is parsed as, to be documented as the body; any object, if there is none.

    Raises:
        ConfigurationError: no library that is installed can read a payload as that type.

    Example:
        >>> from fastapi import FastAPI
        >>> from listrak_webhooks import Event
        >>> from listrak_webhooks.fastapi import listrak_webhook, route_docs
        >>> app = FastAPI()
        >>> @app.post("/listrak", **route_docs())
        ... @listrak_webhook("the HMAC secret")
        ... async def listrak(event: Event) -> None:
        ...     print(event.payload)
    """
    by_status: dict[int, list[type[Rejection]]] = {}
    for rejection in REJECTIONS:
        by_status.setdefault(rejection.status, []).append(rejection)
    responses = {status: _document(rejections) for status, rejections in by_status.items()}
    if model is not None:
        models.check(model)
        responses[int(HTTPStatus.UNPROCESSABLE_ENTITY)] = deepcopy(_MISFIT)
    return {
        "responses": dict(sorted(responses.items())),
        "openapi_extra": {
            "parameters": [deepcopy(_TIMESTAMP)],
            "requestBody": {
                "required": True,
                "description": "What the marketer wrote in Journey Hub, or what Listrak captured for the journey.",
                "content": {"application/json": {"schema": models.json_schema(model)}},
            },
        },
    }


_MISFIT = {
    "description": f"- `{PayloadError.code}`: The delivery is genuine, but its payload does not fit; `loc` says where.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "detail": {
                        "type": "array",
                        "maxItems": MOST_PROBLEMS + 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "type": {"type": "string", "enum": [PayloadError.code]},
                                "loc": {
                                    "type": "array",
                                    "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                                },
                                "more": {
                                    "type": "integer",
                                    "description": "How many more places there are, in the last item if there are any.",
                                },
                            },
                            "required": ["type", "loc"],
                        },
                    }
                },
                "required": ["detail"],
            }
        }
    },
}
"""The response to a payload that does not fit."""


def _document(rejections: list[type[Rejection]]) -> dict[str, Any]:
    codes = [rejection.code for rejection in rejections]
    reasons = [f"- `{rejection.code}`: {(rejection.__doc__ or '').splitlines()[0]}" for rejection in rejections]
    detail = {"type": "string", "enum": codes}
    schema = {"type": "object", "properties": {"detail": detail}, "required": ["detail"]}
    return {"description": "\n".join(reasons), "content": {"application/json": {"schema": schema}}}


class _Rejected:
    """A note in `Annotated` at which FastAPI fails, when it reads it, with a message of ours.

    Args:
        message: what to write instead.
    """

    def __init__(self, message: str) -> None:
        self._message = message

    def __repr__(self) -> str:
        return "..."

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> Any:
        """Raise; Pydantic calls this when FastAPI defines a route."""
        raise ConfigurationError(self._message)


def reject_as_parameter(function: Callable[..., Any], message: str, parameter: str = "webhook") -> None:
    """Let FastAPI fail with a message when somebody writes `Depends(function)`.

    It reads the annotations of a dependency's parameters, and would take them for the query or the body.

    Args:
        function: one that is not a dependency.
        message: what to write instead.
        parameter: one that it has.
    """
    function.__annotations__[parameter] = Annotated[Any, _Rejected(message)]
