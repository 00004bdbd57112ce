"""Mistakes in a handler's signature that would cost the first delivery are found when the handler is decorated."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import types
from typing import TYPE_CHECKING, Annotated, Any, Generic, Protocol, TypedDict, TypeVar

import listrak_webhooks.django
import listrak_webhooks.fastapi
import listrak_webhooks.flask
import msgspec
import pytest
from django.views import View
from fastapi import Depends, FastAPI
from flask.views import MethodView
from listrak_webhooks import ConfigurationError, Event
from listrak_webhooks._payload.aliases import expanded
from pydantic import BaseModel
from support.apps import call_asgi
from support.deliveries import PATH, Delivery
from support.helpers import SECRET
from support.payloads import event_of
from support.scripts import run
from typing_extensions import TypeAliasType

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Mail(BaseModel):
    """What the marketer writes."""

    campaign: str


class Vip(msgspec.Struct, tag="vip"):
    """The same for msgspec, as one of two."""

    campaign: str


class Sale(msgspec.Struct, tag="sale"):
    """The other."""

    campaign: str


class Box(msgspec.Struct, Generic[T]):
    """A generic one."""

    campaign: T


@dataclasses.dataclass
class Data(Generic[T]):
    """The same as a dataclass."""

    campaign: T


class Typed(TypedDict):
    """The same as a dict."""

    campaign: str


class Generics(BaseModel, Generic[T]):
    """A generic one of Pydantic's."""

    campaign: T


GenericsAlias = TypeAliasType("GenericsAlias", Generics[T], type_params=(T,))
MailAlias = TypeAliasType("MailAlias", Mail)


class Shop:
    """What no library can read."""


class Unreadable(msgspec.Struct):
    """Holds something that msgspec leaves to a hook, which there is not."""

    campaign: str
    shops: list[Shop | None] = []


class HasId(Protocol):
    """What an `Event` is too."""

    @property
    def id(self) -> str: ...


Either = TypeAliasType("Either", Vip | Sale)
Many = TypeAliasType("Many", list[T], type_params=(T,))

FLASK = listrak_webhooks.flask.listrak_webhook(SECRET)
DJANGO: Any = listrak_webhooks.django.listrak_webhook(SECRET)


def annotated(view: Callable[..., Any], annotation: Any) -> Any:
    """Return a function whose parameter `it` has an annotation."""
    view.__annotations__["it"] = annotation
    return view


def views(annotation: Any) -> list[tuple[Any, Any]]:
    """Return each adapter's decorator, with a view of which the event's parameter has an annotation."""

    def function(it: Any) -> None: ...

    def method(self: Any, it: Any) -> None: ...

    def of_django(request: Any, it: Any) -> None: ...

    async def async_of_django(request: Any, it: Any) -> None: ...

    return [
        (FLASK, annotated(function, annotation)),
        (FLASK, annotated(method, annotation)),
        (DJANGO, annotated(of_django, annotation)),
        (DJANGO, annotated(async_of_django, annotation)),
    ]


class TestFlaskAndDjango:
    """The view gets an `Event`, and nothing else."""

    @pytest.mark.parametrize(
        "annotation",
        [
            *(Mail, "Mail", Mail | None, Annotated[Mail, "note"], Vip, Vip | Sale, Either, Box[str], Data[str], Typed),
            *(Unreadable, dict, dict[str, Any], str, "bytes", list[Mail], Many[Mail]),
        ],
        ids=str,
    )
    def test_an_event_that_is_to_be_another_type_is_found(self, annotation: Any) -> None:
        """The message says how to read the payload as that."""
        for decorator, view in views(annotation):
            with pytest.raises(ConfigurationError, match=r"gets an Event; annotate it with Event, .* event\.parse_as"):
                decorator(view)

    @pytest.mark.parametrize(
        "annotation",
        [Event, "Event", Any, object, Event | None, Annotated[Event, "note"], HasId, T, "Nowhere"],
        ids=str,
    )
    def test_an_annotation_that_an_event_fits_is_left_alone(self, annotation: Any) -> None:
        """So is one that is there for type checkers alone."""
        for decorator, view in views(annotation):
            assert callable(decorator(view))

    def test_the_parameters_behind_the_event_are_their_own_business(self) -> None:
        """A URL converter may give anything."""

        def view(event: Any, mail: Any, *args: Any, **kwargs: Any) -> None: ...

        def of_django(request: Any, event: Any, mail: Any) -> None: ...

        def of_any(*args: Any, **kwargs: Any) -> None: ...

        view.__annotations__.update(mail=Mail, args=str, kwargs=str)
        of_django.__annotations__.update(mail=Mail, request=Mail)
        of_any.__annotations__.update(args=str, kwargs=str)
        for decorator, handler in ((FLASK, view), (DJANGO, of_django), (FLASK, of_any), (DJANGO, of_any)):
            assert callable(decorator(handler))

    def test_a_view_of_flask_without_an_event_is_found(self) -> None:
        """A function, and a method of a `MethodView`, with no parameter by position."""

        def nothing() -> None: ...

        def by_name(*, event: Event) -> None: ...

        def url_arguments(**shop: str) -> None: ...

        views: list[Any] = [nothing, by_name, url_arguments]
        for view in views:
            with pytest.raises(ConfigurationError, match="takes no event; it needs a first parameter for it"):
                FLASK(view)
        decorate: Any = FLASK
        with pytest.raises(ConfigurationError, match="post takes no event"):

            class Listrak(MethodView):
                @decorate  # type: ignore[untyped-decorator]
                def post(self) -> None: ...

    def test_a_view_of_django_without_an_event_is_found(self) -> None:
        """A function, sync or async, and a method that is decorated without `method_decorator`."""

        def nothing() -> None: ...

        def one(request: Any) -> None: ...

        async def async_one(request: Any) -> None: ...

        def by_name(request: Any, *, event: Event) -> None: ...

        for view in (nothing, one, async_one, by_name):
            with pytest.raises(ConfigurationError, match="takes no event; it needs two parameters"):
                DJANGO(view)
        with pytest.raises(ConfigurationError, match=r"post takes no event.*belongs on dispatch: method_decorator"):

            class Listrak(View):
                @DJANGO  # type: ignore[untyped-decorator]
                def post(self, request: Any, event: Event) -> None: ...

    def test_an_async_view_of_flask_without_the_extra_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The message is the line that installs it."""

        async def view(event: Event) -> None: ...

        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "asgiref" else found(name))
        with pytest.raises(ConfigurationError, match=r"pip install 'flask\[async\]'"):
            FLASK(view)

    def test_a_secret_that_django_does_not_have_is_found(self) -> None:
        """When the view is decorated, if the settings are there; and nothing is accepted."""
        script = """
from django.conf import settings
settings.configure()
from listrak_webhooks.django import listrak_webhook
try:
    @listrak_webhook
    def view(request, event): ...
except Exception as error:
    print(type(error).__name__, error)
"""
        done = run(f"import os; os.environ.pop('LISTRAK_WEBHOOK_SECRET', None)\n{script}")
        assert done.stdout.startswith("ConfigurationError"), done.stderr


def handler_of(annotation: Any) -> Any:
    """Return a handler for FastAPI whose parameter has an annotation."""

    def handler(it: Any) -> str:
        return repr(it)

    return annotated(handler, annotation)


READ: dict[str, tuple[Any, Any]] = {
    "alias": (Either, Vip("new")),
    "optional alias": (Either | None, Vip("new")),
    "annotated alias": (Annotated[Either, ["not hashable"]], Vip("new")),
    "union": (Vip | Sale, Vip("new")),
    "unhashable union": (Annotated[Vip | Sale, ["not hashable"]], Vip("new")),
    "optional model": (Mail | None, Mail(campaign="new")),
    "dict": (dict[str, str], {"type": "vip", "campaign": "new"}),
    "generic struct": (Box[str], Box("new")),
    "optional generic struct": (Box[str] | None, Box("new")),
    "generic dataclass": (Data[str], Data("new")),
}
ALONE = {"generic struct", "generic dataclass"}
"""Those of which the annotation alone says that they are a payload."""


class TestFastAPI:
    """The handler gets its payload, or is not decorated."""

    @pytest.mark.parametrize("case", READ)
    def test_a_type_that_is_not_a_class_is_read_with_parse_as(self, case: str) -> None:
        """By the decorator and by `event.parse_as`: aliases, unions, generic types."""
        annotation, expected = READ[case]
        body = json.dumps({"type": "vip", "campaign": "new"}).encode()
        assert event_of(body).parse_as(annotation) == expected
        app = FastAPI()
        app.post(PATH)(listrak_webhooks.fastapi.listrak_webhook(SECRET, parse_as=annotation)(handler_of(annotation)))
        assert call_asgi(app, Delivery(body)).json() == repr(expected)

    @pytest.mark.parametrize("case", READ)
    def test_without_parse_as_it_works_or_the_error_names_it(self, case: str) -> None:
        """A class with arguments is taken for the payload, as one without."""
        annotation, _ = READ[case]
        decorator = listrak_webhooks.fastapi.listrak_webhook(SECRET)
        if case in ALONE:
            decorator(handler_of(annotation))
            return
        with pytest.raises(ConfigurationError, match="or pass parse_as= with its type"):
            decorator(handler_of(annotation))

    @pytest.mark.parametrize("annotation", [Mail | None, MailAlias | None, list[Mail]], ids=str)
    def test_beside_an_event_what_holds_a_model_is_not_left_to_fastapi(self, annotation: Any) -> None:
        """It would read it from the query or the body, and each genuine delivery would be a 422."""

        def handler(event: Event, mail: Any = None) -> None: ...

        handler.__annotations__["mail"] = annotation
        with pytest.raises(ConfigurationError, match=r"handler takes mail from the body.*parse_as="):
            listrak_webhooks.fastapi.listrak_webhook(SECRET)(handler)

    def test_the_arguments_of_a_generic_alias_count(self) -> None:
        """What stands for `Generics[str]` is parsed as that, and not as `Generics`."""
        app = FastAPI()
        handler = handler_of(GenericsAlias[str])
        app.post(PATH)(listrak_webhooks.fastapi.listrak_webhook(SECRET)(handler))
        assert call_asgi(app, Delivery(b'{"campaign":5}')).status == 422
        assert call_asgi(app, Delivery(b'{"campaign":"5"}')).status == 200

    def test_the_decorator_with_arguments_as_a_dependency(self) -> None:
        """FastAPI would take its parameter for one of the query, and each delivery would be a 422."""
        decorator = listrak_webhooks.fastapi.listrak_webhook(SECRET)

        def handler(event: Any) -> None: ...

        handler.__annotations__["event"] = Annotated[Event, Depends(decorator)]
        with pytest.raises(ConfigurationError, match="is the decorator and not a dependency"):
            FastAPI().post(PATH)(handler)

    @pytest.mark.parametrize(
        "annotation", [Unreadable, Unreadable | None, list[Unreadable], Many[Unreadable], Shop, list[Shop]], ids=str
    )
    def test_a_type_that_no_library_reads_is_found(self, annotation: Any) -> None:
        """By the decorator and by the dependency, also if it is only a part of the type."""
        with pytest.raises(ConfigurationError, match="Shop"):
            listrak_webhooks.fastapi.listrak_webhook(SECRET, parse_as=annotation)(handler_of(annotation))
        with pytest.raises(ConfigurationError, match="Shop"):
            listrak_webhooks.fastapi.ListrakWebhook(SECRET, parse_as=annotation)

    def test_a_struct_that_holds_itself_has_an_end(self) -> None:
        """The look at its fields comes back."""
        node = msgspec.defstruct("Node", [("children", list["Node"])], namespace={})  # type: ignore[name-defined]  # noqa: F821
        node.__annotations__["children"] = list[node]  # type: ignore[valid-type]
        listrak_webhooks.fastapi.ListrakWebhook(SECRET, parse_as=node)

    def test_an_alias_that_names_itself_is_a_type_error(self) -> None:
        """It has no end to read to; Python 3.12 can make one, and for older ones this is a stand-in."""
        stand_in: Any = type("TypeAliasType", (), {"__name__": "Endless", "__hash__": object.__hash__})
        alias = stand_in()
        alias.__value__ = types.GenericAlias(list, (alias,))
        with pytest.raises(TypeError, match="the type alias Endless, which names itself"):
            expanded(alias)

    def test_an_event_without_any_adapter_is_found(self) -> None:
        """Even if nothing of `listrak_webhooks.fastapi` was imported, the message says what to write."""
        script = """
from fastapi import FastAPI
from listrak_webhooks import ConfigurationError, Event
try:
    @FastAPI().post("/listrak")
    async def handler(event: Event): ...
except ConfigurationError as error:
    print(error)
"""
        done = run(script)
        assert "put @listrak_webhook between @app.post(...) and the handler" in done.stdout, done.stderr
