"""FastAPI: payloads as the user's own models, in handlers, in rejections and in the OpenAPI schema."""

import dataclasses
import json
import logging
import sys
import types
from typing import Annotated, Any, TypedDict, cast

import msgspec
import pytest
from fastapi import Body, Depends, FastAPI, Query
from listrak_webhooks import ConfigurationError, Event, Webhook
from listrak_webhooks.fastapi import ListrakWebhook, listrak_webhook, route_docs
from listrak_webhooks.replay import MemoryReplayGuard
from pydantic import AfterValidator, BaseModel, Discriminator, Tag
from support.apps import call_asgi
from support.deliveries import PATH, Answer, Delivery, forged, logged, signed
from support.helpers import SECRET

pytestmark = pytest.mark.usefixtures("secret_in_environment")


class Line(BaseModel):
    """A line of a cart."""

    sku: str
    quantity: int = 1


class CartMail(BaseModel):
    """What the marketer writes."""

    campaign: str
    lines: list[Line] = []


class CartStruct(msgspec.Struct):
    """The same for msgspec."""

    campaign: str
    lines: list[dict[str, Any]] = []


@dataclasses.dataclass
class CartData:
    """The same as a dataclass."""

    campaign: str


class CartDict(TypedDict):
    """The same as a dict."""

    campaign: str


class Node(BaseModel):
    """A model that holds itself."""

    name: str
    children: "list[Node]" = []


class Filter(BaseModel):
    """A model that FastAPI fills from the query."""

    page: int = 1


BODY = json.dumps({"campaign": "vip-mailer", "lines": [{"sku": "red"}]}).encode()
MISFIT = json.dumps({"campaign": "vip-mailer", "lines": [{"sku": 5, "quantity": "jane@example.com"}]}).encode()
"""Two fields of the wrong type, one of them with personal data in it."""

MISFIT_ANSWER = [
    {"type": "invalid_payload", "loc": ["body", "lines", 0, "sku"]},
    {"type": "invalid_payload", "loc": ["body", "lines", 0, "quantity"]},
]


def only_vip(mail: CartMail) -> CartMail:
    """Let one campaign pass."""
    if mail.campaign != "vip-mailer":
        raise ValueError("not for this endpoint")
    return mail


def kind_of(value: Any) -> str:
    """Return the tag of a payload, which is not the first of the two that fits."""
    return "line" if isinstance(value, Line) or "sku" in value else "mail"


Either = Annotated[Annotated[CartMail, Tag("mail")] | Annotated[Line, Tag("line")], Discriminator(kind_of)]

CLASSES: list[Any] = [CartMail, CartStruct, CartData, CartDict]


@pytest.fixture
def app() -> FastAPI:
    """Return an app without routes."""
    return FastAPI()


def post(app: Any, body: bytes = BODY, path: str = PATH, headers: dict[str, str] | None = None) -> Answer:
    """Send a delivery, genuine where no headers are given."""
    return call_asgi(app, Delivery(body, path=path, headers=headers))


def campaign_of(mail: Any) -> str:
    """Return what is in any of the classes."""
    return str(mail["campaign"] if isinstance(mail, dict) else mail.campaign)


class TestHandlers:
    """A handler gets its own type, and only what is genuine and fits."""

    @pytest.mark.parametrize("model", CLASSES)
    def test_a_parameter_annotated_with_the_class(self, app: FastAPI, model: Any) -> None:
        """The decorator alone is enough for every kind of class that describes a payload."""

        async def handler(mail: Any) -> str:
            assert isinstance(mail, dict if model is CartDict else model)
            return campaign_of(mail)

        handler.__annotations__["mail"] = model
        app.post(PATH)(listrak_webhook(handler))
        assert post(app).json() == "vip-mailer"
        assert post(app, headers=forged(BODY)).json() == {"detail": "signature_mismatch"}

    @pytest.mark.parametrize("model", CLASSES)
    def test_the_dependency(self, app: FastAPI, model: Any) -> None:
        """`Depends(ListrakWebhook(parse_as=...))` gives the model instead of the event."""

        async def handler(mail: Any) -> str:
            return campaign_of(mail)

        handler.__annotations__["mail"] = Annotated[model, Depends(ListrakWebhook(parse_as=model))]
        app.post(PATH)(handler)
        assert post(app).json() == "vip-mailer"
        assert post(app, headers=forged(BODY)).json() == {"detail": "signature_mismatch"}

    def test_a_plain_function_with_both(self, app: FastAPI) -> None:
        """The event and the model work side by side, in any order, next to other parameters."""

        @app.post("/{account}")
        @listrak_webhook
        def handler(mail: CartMail, account: int, event: Event, where: Annotated[Filter, Query()]) -> str:
            assert event.body == BODY
            return f"{mail.campaign} {account} {where.page} {mail.lines[0].sku}"

        assert post(app, path="/7?page=3").json() == "vip-mailer 7 3 red"

    def test_models_that_fastapi_fills_are_left_to_it(self, app: FastAPI) -> None:
        """From a dependency or the query, written in the older way and in the newer."""

        @app.post(PATH)
        @listrak_webhook
        def handler(
            event: Event,
            mail: CartMail,
            settings: Annotated[Line, Depends(lambda: Line(sku="new"))],
            older: Line = Depends(lambda: Line(sku="old")),  # noqa: B008, FAST002
            where: Filter = Query(),  # noqa: B008, FAST002
        ) -> str:
            return f"{mail.campaign} {settings.sku} {older.sku} {where.page}"

        assert post(app, path=f"{PATH}?page=3").json() == "vip-mailer new old 3"

    def test_a_note_beside_the_model_does_not_matter(self, app: FastAPI) -> None:
        """`Annotated` with what means nothing to anybody."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(mail: Annotated[CartMail, "what the marketer wrote"]) -> str:
            return mail.campaign

        assert post(app).json() == "vip-mailer"

    def test_notes_of_pydantics_are_part_of_the_type(self, app: FastAPI) -> None:
        """A validator is run, and a union is told apart by its discriminator, as FastAPI does it."""

        @app.post("/checked")
        @listrak_webhook
        async def checked(mail: Annotated[CartMail, AfterValidator(only_vip)]) -> str:
            return mail.campaign

        @app.post("/strict")
        @listrak_webhook(parse_as=CartMail)
        async def strict(mail: Annotated[CartMail, "what the marketer wrote", AfterValidator(only_vip)]) -> str:
            return mail.campaign

        @app.post("/either")
        @listrak_webhook(parse_as=Either)
        async def either(mail: Either) -> str:
            return type(mail).__name__

        @app.post("/named")
        @listrak_webhook(parse_as=Annotated[CartMail, AfterValidator(only_vip)])
        async def named(mail: CartMail) -> str:
            return mail.campaign

        for path in ("/checked", "/strict", "/named"):
            assert post(app, path=path).json() == "vip-mailer"
            assert post(app, b'{"campaign":"another"}', path).status == 422
        assert post(app, b'{"sku":"red","campaign":"x"}', "/either").json() == "Line"
        assert post(app, b'{"campaign":"x"}', "/either").json() == "CartMail"

    def test_the_dependency_takes_notes_too(self, app: FastAPI) -> None:
        """`parse_as` is any type that the library can read."""
        hook: Any = ListrakWebhook(parse_as=cast("Any", Annotated[CartMail, AfterValidator(only_vip)]))

        @app.post(PATH)
        async def handler(mail: Annotated[CartMail, Depends(hook)]) -> str:
            return mail.campaign

        assert post(app).json() == "vip-mailer"
        assert post(app, b'{"campaign":"another"}').status == 422

    def test_a_model_that_is_finished_after_the_handler(self, app: FastAPI) -> None:
        """What it names may be defined further down in the module."""
        source = (
            "from pydantic import BaseModel\n"
            "class Mail(BaseModel):\n"
            "    lines: 'list[Item]'\n"
            "def handler(mail: Mail): return mail.lines[0].sku\n"
            "decorated = listrak_webhook(handler)\n"
            "class Item(BaseModel):\n"
            "    sku: str\n"
        )
        # Pydantic looks names up in a module.
        module = types.ModuleType("finished_later")
        module.__dict__["listrak_webhook"] = listrak_webhook
        sys.modules[module.__name__] = module
        try:
            exec(source, module.__dict__)
            app.post(PATH)(module.__dict__["decorated"])
            assert post(app).json() == "red"
        finally:
            del sys.modules[module.__name__]

    def test_any_other_type_by_parse_as(self, app: FastAPI) -> None:
        """What no class describes is named, and is found by its annotation."""

        @app.post(PATH)
        @listrak_webhook(parse_as=list[int])
        async def handler(numbers: list[int]) -> int:
            return sum(numbers)

        assert post(app, b"[1,2]").json() == 3
        answer = post(app, b'[1,"jane"]')
        assert (answer.status, answer.json()["detail"][0]["loc"]) == (422, ["body", 1])

    def test_called_directly_it_is_the_users_function(self) -> None:
        """A unit test of the user's hands it a model of its own."""

        @listrak_webhook
        def handler(event: Event, mail: CartMail) -> str:
            return f"{event.encoding} {mail.campaign}"

        event = Webhook(SECRET).verify(BODY, signed(BODY))
        assert handler(event, CartMail(campaign="x")) == "base64 x"

    def test_a_replay_guard_goes_with_it(self, app: FastAPI) -> None:
        """What was handled is not handled again; what did not fit was not handled and may come again."""
        calls: list[str] = []

        @app.post(PATH)
        @listrak_webhook(replay=MemoryReplayGuard())
        async def handler(mail: CartMail) -> None:
            calls.append(mail.campaign)

        headers = signed(BODY)
        assert [post(app, headers=headers).status for _ in range(2)] == [200, 200]
        assert calls == ["vip-mailer"]
        headers = signed(MISFIT)
        assert [post(app, MISFIT, headers=headers).status for _ in range(2)] == [422, 422]


class TestMisfits:
    """What is genuine but does not fit."""

    @pytest.mark.parametrize("form", ["decorator", "dependency", "handler"])
    def test_it_answers_422_with_the_paths_alone(
        self, app: FastAPI, form: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whoever parses it, the answer is the same, and neither it nor the log shows a value."""
        rejected: list[Any] = []
        told: Any = {"on_rejected": lambda error, _: rejected.append(error)}

        async def decorated(mail: CartMail) -> None: ...

        async def depending(
            mail: Annotated[CartMail, Depends(ListrakWebhook(parse_as=CartMail, **told))],
        ) -> None: ...

        async def parsing(event: Event) -> None:
            event.parse_as(CartMail)

        handlers: dict[str, Any] = {
            "decorator": listrak_webhook(**told)(decorated),
            "dependency": depending,
            "handler": listrak_webhook(**told)(parsing),
        }
        app.post(PATH)(handlers[form])
        answer = post(app, MISFIT)
        assert (answer.status, answer.json()) == (422, {"detail": MISFIT_ANSWER})
        [record] = logged(caplog)
        assert record.levelno == logging.WARNING
        assert "422 invalid_payload" in record.getMessage()
        assert "lines[0].sku" in record.getMessage()
        assert "jane" not in record.getMessage() + str(rejected[0])
        assert [problem.path for problem in rejected[0].problems] == [("lines", 0, "sku"), ("lines", 0, "quantity")]

    def test_a_body_that_is_not_json_gets_400(self, app: FastAPI) -> None:
        """There is no path to tell."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(mail: CartMail) -> None: ...

        answer = post(app, b"{")
        assert (answer.status, answer.json()) == (400, {"detail": "invalid_payload"})

    def test_what_is_not_genuine_learns_nothing(self, app: FastAPI) -> None:
        """A forged body is rejected before anything is parsed."""

        @app.post(PATH)
        @listrak_webhook
        async def handler(mail: CartMail) -> None: ...

        assert post(app, MISFIT, headers=forged(MISFIT)).json() == {"detail": "signature_mismatch"}


class TestDecoration:
    """Mistakes that are told before a delivery is lost on them."""

    def test_two_models(self) -> None:
        """There is one payload."""

        async def handler(one: CartMail, other: CartData) -> None: ...

        with pytest.raises(ConfigurationError, match="2 parameters for the parsed payload"):
            listrak_webhook(handler)

    def test_a_type_that_no_parameter_has(self) -> None:
        """It would be parsed for nobody."""

        async def handler(event: Event) -> None: ...

        with pytest.raises(ConfigurationError, match="0 parameters for the parsed payload"):
            listrak_webhook(parse_as=CartMail)(handler)

    def test_an_annotation_that_cannot_be_read(self) -> None:
        """FastAPI would look for it in the query, and reject every delivery."""

        async def handler(event: Event, mail: Any) -> None: ...

        handler.__annotations__["mail"] = "Nowhere"
        with pytest.raises(ConfigurationError, match="parameter mail whose annotation names what is not there"):
            listrak_webhook(handler)

    def test_a_model_that_fastapi_would_fill(self) -> None:
        """`Body` asks FastAPI to parse what is not yet proven genuine."""

        async def handler(event: Event, mail: Annotated[CartMail, Body()]) -> None: ...

        with pytest.raises(ConfigurationError, match="mail from the body"):
            listrak_webhook(handler)


def references(schema: Any) -> list[str]:
    """Return every reference in a schema."""
    if isinstance(schema, list):
        return [each for item in schema for each in references(item)]
    if isinstance(schema, dict):
        own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        return own + [each for item in schema.values() for each in references(item)]
    return []


class TestSchema:
    """`route_docs(Model)` documents the body."""

    @pytest.mark.parametrize("model", [CartMail, CartStruct])
    def test_the_model_is_the_request_body(self, app: FastAPI, model: Any) -> None:
        """All of it is in place for every tool to read."""

        async def handler(event: Event) -> None: ...

        app.post(PATH, **route_docs(model))(listrak_webhook(handler))
        operation = app.openapi()["paths"][PATH]["post"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"]["campaign"]["type"] == "string"
        assert body["required"] == ["campaign"]
        assert body["properties"]["lines"]["items"]["type"] == "object"
        assert references(body) == []
        codes = operation["responses"]["422"]["content"]["application/json"]["schema"]
        assert "loc" in json.dumps(codes)

    def test_a_model_that_holds_itself_has_an_end(self) -> None:
        """There are no references, so the inner levels are any object."""
        extra = route_docs(Node)["openapi_extra"]
        schema = extra["requestBody"]["content"]["application/json"]["schema"]
        assert references(schema) == []
        assert schema["properties"]["children"]["items"] == {"type": "object", "title": "Node"}

    def test_without_a_model_the_body_is_any_object(self) -> None:
        """As before."""
        extra = route_docs()["openapi_extra"]
        assert extra["requestBody"]["content"]["application/json"]["schema"] == {"type": "object"}
        assert 422 not in route_docs()["responses"]
