"""The FastAPI adapter: the schema, and other parameters that are read from the body."""

# No `from __future__ import annotations`: handlers defined in tests have annotations that only those tests know.
# `support/future_annotations_app.py` has them as text.
import json
from typing import Annotated, Any

import pytest
from fastapi import Body, Depends, FastAPI, Path, Query
from listrak_webhooks import ConfigurationError, Event
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook, route_docs
from listrak_webhooks.replay import MemoryReplayGuard
from support.deliveries import PATH, forged, logged, one_rejection
from support.fastapi_views import REJECTED, echo, post
from support.helpers import OTHER_SECRET, SIGNATURE, TIMESTAMP

pytestmark = pytest.mark.usefixtures("secret_in_environment")


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


class TestBodyParameter:
    """Parameters that FastAPI would fill from the body, before the signature is checked."""

    @pytest.mark.parametrize(
        "annotation", [dict[str, Any], Annotated[str, Body()], list[int]], ids=["dict", "Body", "list"]
    )
    def test_it_is_rejected_at_decoration(self, annotation: Any) -> None:
        """What is not yet proven genuine must not be parsed, however FastAPI spells it."""

        async def handler(event: Event, data: Any) -> None: ...

        handler.__annotations__["data"] = annotation
        with pytest.raises(ConfigurationError, match="data from the body"):
            listrak_webhook(handler)

    def test_one_in_a_dependency_of_the_handler_is_rejected_too(self) -> None:
        """FastAPI parses the body for it just the same."""

        def read(cart: Annotated[dict[str, Any], Body()]) -> None: ...

        async def handler(event: Event, cart: Annotated[None, Depends(read)]) -> None: ...

        with pytest.raises(ConfigurationError, match="from the body"):
            listrak_webhook(handler)

    def test_a_route_without_one_is_served(self, app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
        """Parameters of the path and the query are FastAPI's to fill."""

        @app.post("/{account}")
        async def handler(event: Annotated[Event, Depends(ListrakWebhook())], account: int, tag: str = "") -> None: ...

        assert post(app, path="/7").status == 200
        assert logged(caplog) == []


class TestNeverParsedBefore:
    """The signature comes first: an unsigned request learns nothing about the route."""

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"", b"[" * 10_000], ids=["malformed", "binary", "empty", "deep"])
    @pytest.mark.parametrize("path", ["/7", "/seven", "/7?number=x"], ids=["valid", "invalid-path", "invalid-query"])
    @pytest.mark.parametrize("form", ["decorator", "dependency"])
    def test_an_unsigned_request_answers_401_and_never_422(
        self, app: FastAPI, form: str, path: str, body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever else is wrong with it."""
        if form == "decorator":

            @app.post("/{account}")
            @listrak_webhook
            async def handler(account: int, event: Event, number: int = 0) -> None: ...
        else:

            @app.post("/{account}")
            async def handler(
                account: int, event: Annotated[Event, Depends(ListrakWebhook())], number: int = 0
            ) -> None: ...

        answer = post(app, body, path, headers={})
        assert (answer.status, answer.json()) == (401, {"detail": "missing_header"})
        one_rejection(caplog, "missing_header")

    def test_an_invalid_parameter_of_another_dependency_does_not_come_first(self, app: FastAPI) -> None:
        """Nor does what a dependency asks of the query."""

        def page(number: int, size: Annotated[int, Query(ge=1)]) -> int:
            return number * size

        @app.post(PATH)
        @listrak_webhook
        async def handler(event: Event, start: Annotated[int, Depends(page)]) -> None: ...

        assert post(app, path=f"{PATH}?number=x&size=0", headers=forged()).json() == REJECTED
        assert post(app, path=f"{PATH}?number=x&size=0").status == 422

    def test_a_genuine_request_with_an_invalid_parameter_answers_422(self, app: FastAPI) -> None:
        """Then it is FastAPI's turn."""

        @app.post("/{account}")
        @listrak_webhook
        async def handler(account: Annotated[int, Path(ge=1)], event: Event) -> None: ...

        assert post(app, path="/0").status == 422
        assert post(app, path="/1").status == 200

    def test_a_malformed_genuine_body_reaches_a_handler_that_does_not_parse_it(self, app: FastAPI) -> None:
        """It is genuine, and that is all that was asked."""
        app.post(PATH)(listrak_webhook(echo))
        assert post(app, b"{").body == b"1 {"


class TestSchema:
    """The OpenAPI schema."""

    def _operation(self, app: FastAPI) -> Any:
        return json.loads(json.dumps(app.openapi()))["paths"][PATH]["post"]

    @pytest.mark.parametrize(
        "form",
        [
            "decorator",
            "dependency",
            "guarded-dependency",
            pytest.param("both", marks=pytest.mark.newer("a FastAPI that names a scheme once for a route")),
        ],
    )
    def test_the_headers_are_in_it(self, app: FastAPI, form: str) -> None:
        """The signature is a security scheme of the route, whose description names the other header."""
        hooks: dict[str, Any] = {
            "dependency": ListrakWebhook(),
            "guarded-dependency": ListrakWebhook(replay=MemoryReplayGuard()),
            "both": ListrakWebhook(OTHER_SECRET),
        }
        dependencies = [Depends(hooks[form])] if form in hooks else []

        async def handler(event: Event) -> None: ...

        async def plain() -> None: ...

        decorated = listrak_webhook(handler) if form in {"decorator", "both"} else plain
        app.post(PATH, dependencies=dependencies)(decorated)
        operation = self._operation(app)
        assert "parameters" not in operation
        [(name, scopes)] = [pair for scheme in operation["security"] for pair in scheme.items()]
        scheme = app.openapi()["components"]["securitySchemes"][name]
        assert (scheme["type"], scheme["in"], scheme["name"], scopes) == ("apiKey", "header", SIGNATURE, [])
        assert TIMESTAMP in scheme["description"]

    def test_route_docs_adds_the_other_header(self, app: FastAPI) -> None:
        """As a parameter, with what it has to be."""
        app.post(PATH, **route_docs())(listrak_webhook(echo))
        [parameter] = self._operation(app)["parameters"]
        assert (parameter["name"], parameter["in"], parameter["required"]) == (TIMESTAMP, "header", True)
        assert parameter["description"]

    def test_the_event_is_not_in_it(self, app: FastAPI) -> None:
        """It is neither a parameter of the request nor a body."""
        app.post(PATH)(listrak_webhook(echo))
        operation = self._operation(app)
        assert "requestBody" not in operation
        assert "parameters" not in operation

    def test_the_other_parameters_are_in_it(self, app: FastAPI) -> None:
        """Also with a guard, for which the handler is called with one argument more."""

        @app.post(PATH)
        @listrak_webhook(replay=MemoryReplayGuard())
        async def handler(event: Event, number: int) -> None:
            """Take a cart."""

        operation = self._operation(app)
        assert {parameter["name"] for parameter in operation["parameters"]} == {"number"}
        assert operation["description"] == "Take a cart."
        assert operation["operationId"].startswith("handler")

    def test_route_docs_adds_the_body_and_the_rejections(self, app: FastAPI) -> None:
        """A JSON object, and each status with its codes."""
        app.post(PATH, **route_docs())(listrak_webhook(echo))
        operation = self._operation(app)
        body = operation["requestBody"]
        assert body["required"] is True
        assert list(body["content"]) == ["application/json"]
        assert body["content"]["application/json"]["schema"] == {"type": "object"}
        responses = operation["responses"]
        assert {"200", "400", "401", "413", "500"} <= responses.keys()
        codes = {
            status: responses[status]["content"]["application/json"]["schema"]["properties"]["detail"]["enum"]
            for status in ("400", "401", "413", "500")
        }
        assert codes == {
            "400": ["invalid_payload"],
            "401": [
                "missing_header",
                "malformed_timestamp",
                "malformed_signature",
                "signature_mismatch",
                "stale_timestamp",
                "future_timestamp",
            ],
            "413": ["body_too_large"],
            "500": ["body_unavailable", "configuration_error"],
        }
        for status, each in codes.items():
            assert all(code in responses[status]["description"] for code in each)

    def test_route_docs_leaves_the_verdict_alone(self, app: FastAPI) -> None:
        """Documenting a JSON body does not make FastAPI look at one."""
        app.post(PATH, **route_docs())(listrak_webhook(echo))
        assert post(app, b"{", headers={}).json() == {"detail": "missing_header"}
        assert post(app, b"{", content_type="text/plain").body == b"1 {"

    def test_route_docs_gives_each_route_its_own(self, app: FastAPI) -> None:
        """What one route adds must not turn up at another."""
        first, second = route_docs(), route_docs()
        first["responses"][404] = {"description": "no such account"}
        first["openapi_extra"]["requestBody"]["content"].clear()
        assert 404 not in second["responses"]
        assert second["openapi_extra"]["requestBody"]["content"]
