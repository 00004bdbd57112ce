"""The signature of a handler: where in it the event goes, and what the payload is parsed as."""

from __future__ import annotations

import inspect
import itertools
from typing import TYPE_CHECKING, Any, ForwardRef, NamedTuple

from fastapi.dependencies.utils import get_dependant
from fastapi.params import Body, Depends, Param

from listrak_webhooks._http.callables import name_of
from listrak_webhooks._http.signatures import is_event, resolved_signature, split
from listrak_webhooks._payload import models
from listrak_webhooks.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.dependencies.models import Dependant

_FASTAPI_MARKERS = Param | Body | Depends
"""Notes, or defaults, by which FastAPI fills a parameter."""

_OF_TYPES = frozenset({"annotated_types", "msgspec", "pydantic", "pydantic_core"})
"""Packages whose notes in `Annotated` say something of a type, also if their class is derived from one of theirs."""

_OF_DOCUMENTATION = frozenset({"annotated_doc", "builtins", "typing", "typing_extensions"})


class HandlerSignature(NamedTuple):
    """The signature of a handler, as FastAPI would read it, and the parameters in it that the delivery fills."""

    name: str
    signature: inspect.Signature
    event: inspect.Parameter | None
    model: inspect.Parameter | None
    type: Any
    """What the payload is parsed as; `None` if no parameter wants it."""

    @classmethod
    def of(cls, handler: Callable[..., Any], parse_as: Any) -> HandlerSignature:
        """Return the signature of `handler`; `parse_as` is what the user says that the model is.

        Raises:
            ConfigurationError: the event and the payload cannot be passed to it as it is.
        """
        name = name_of(handler)
        signature = resolved_signature(handler)
        parameters = signature.parameters.values()
        for parameter in parameters:
            if _is_text(parameter.annotation) and not is_event(parameter.annotation):
                raise ConfigurationError(
                    f"{name} has a parameter {parameter.name} whose annotation names what is not there; "
                    "it must be at the top of the module, imported at run time and not for type checkers alone"
                )
        _check_kinds(name, signature)
        events = [parameter for parameter in parameters if _takes_event(parameter)]
        models = [parameter for parameter in parameters if _takes_model(parameter, parse_as)]
        if len(models) > 1 or (parse_as is not None and not models):
            raise ConfigurationError(
                f"{name} has {len(models)} parameters for the parsed payload and needs one; annotate one with the type"
            )
        event, model = next(iter(events), None), next(iter(models), None)
        found = cls(name, signature, event, model, None if model is None else _type_of(model, parse_as))
        found._check_body_parameters()
        if len(events) > 1 or not events + models:
            raise ConfigurationError(
                f"{name} has {len(events)} parameters for the event and needs one; annotate one with Event, from "
                "listrak_webhooks, which must be imported at run time and not for type checkers alone, and leave out "
                "Depends: the decorator takes its place; or pass parse_as= with the type of the one for the parsed "
                "payload"
            )
        return found

    @property
    def in_front(self) -> list[inspect.Parameter]:
        """The parameters at the start that are bare, such as the `self` of a method."""
        return [*itertools.takewhile(_is_bare, self.signature.parameters.values())]

    @property
    def others(self) -> list[inspect.Parameter]:
        """The parameters that FastAPI fills, or a decorator over ours."""
        # FastAPI would take `*args` and `**kwargs` for fields.
        variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
        behind = [*self.signature.parameters.values()][len(self.in_front) :]
        return [each for each in behind if each not in (self.event, self.model) and each.kind not in variable]

    def with_parameters(self, filled: dict[str, Any]) -> inspect.Signature:
        """Return the signature with these parameters, by name and annotation, in place of the delivery's.

        They come first, and with them the verification: FastAPI runs dependencies in the order of the parameters. They
        are by name only, because that is how FastAPI passes them, and because then any order is allowed.
        """
        kind = inspect.Parameter.KEYWORD_ONLY
        first = [inspect.Parameter(name, kind, annotation=annotation) for name, annotation in filled.items()]
        others = [parameter.replace(kind=kind) for parameter in self.others]
        return self.signature.replace(parameters=[*self.in_front, *first, *others])

    def _check_body_parameters(self) -> None:
        from_body = [name for parameter in self.others for name in _from_body(parameter)]
        if from_body:
            raise ConfigurationError(
                f"{self.name} takes {', '.join(from_body)} from the body, which FastAPI would parse before the "
                "signature is checked; take it from the event, as event.payload, or pass parse_as= with its type"
            )


def body_parameters(dependant: Dependant) -> list[str]:
    """Return the names of what FastAPI takes from the body, for a route or a dependency and all below it."""
    own = [field.name for field in dependant.body_params]
    return own + [name for below in dependant.dependencies for name in body_parameters(below)]


def _from_body(parameter: inspect.Parameter) -> list[str]:
    """Return what FastAPI would take from the body for one parameter."""
    if _has_foreign_note(parameter.annotation):
        return []
    if models.holds_model(parameter.annotation) and not _is_filled_by_fastapi(parameter):
        # FastAPI takes it from the body or from the query, or cannot read it, as its form is; never from the payload.
        return [parameter.name]

    def probe() -> None: ...

    kind = inspect.Parameter.KEYWORD_ONLY
    probe.__signature__ = inspect.Signature([parameter.replace(kind=kind)])  # type: ignore[attr-defined]
    try:
        return body_parameters(get_dependant(path="/", call=probe))
    except Exception:  # noqa: BLE001
        # A decorator over ours fills it; or nobody does, which FastAPI says when the route is made.
        return []


# Annotations.


def _is_text(annotation: Any) -> bool:
    return isinstance(annotation, str | ForwardRef)


def _is_filled_by_fastapi(parameter: inspect.Parameter) -> bool:
    """Return whether `Depends`, `Query` and the like say so: as the default in the older style."""
    _, notes = split(parameter.annotation)
    return any(isinstance(each, _FASTAPI_MARKERS) for each in (parameter.default, *notes))


def _takes_event(parameter: inspect.Parameter) -> bool:
    return is_event(parameter.annotation) and not _is_filled_by_fastapi(parameter)


def _takes_model(parameter: inspect.Parameter, parse_as: Any) -> bool:
    if _is_filled_by_fastapi(parameter):
        return False
    bare, _ = split(parameter.annotation)
    if parse_as is not None:
        return _are_same(parameter.annotation, parse_as) or _are_same(bare, split(parse_as)[0])
    return models.is_model(bare) and not _has_foreign_note(parameter.annotation)


def _are_same(one: Any, other: Any) -> bool:
    return bool(one == other)


def _type_of(model: inspect.Parameter, parse_as: Any) -> Any:
    """Return what to parse the payload as, with all notes: validators, tags and constraints are among them."""
    bare, notes = split(model.annotation)
    if notes and any(not isinstance(note, str) for note in notes):
        return model.annotation
    return bare if parse_as is None else parse_as


def _has_foreign_note(annotation: Any) -> bool:
    """Return whether a note is by another library, which fills the parameter: dishka's `FromDishka` is one."""
    return not all(map(_is_of_the_type, split(annotation)[1]))


def _is_of_the_type(note: Any) -> bool:
    kind = note if isinstance(note, type) else type(note)
    packages = [each.__module__.partition(".")[0] for each in kind.__mro__]
    for_pydantic = hasattr(note, "__get_pydantic_core_schema__") or hasattr(note, "__get_pydantic_json_schema__")
    return (
        isinstance(note, _FASTAPI_MARKERS)
        or for_pydantic
        or packages[0] in _OF_DOCUMENTATION
        or not _OF_TYPES.isdisjoint(packages)
    )


def _is_bare(parameter: inspect.Parameter) -> bool:
    nothing = inspect.Parameter.empty
    by_position = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    return by_position and parameter.annotation is nothing and parameter.default is nothing


def _check_kinds(name: str, signature: inspect.Signature) -> None:
    if any(each.kind is inspect.Parameter.POSITIONAL_ONLY for each in signature.parameters.values()):
        raise ConfigurationError(f"{name} takes a parameter by position only, and FastAPI passes everything by name")
