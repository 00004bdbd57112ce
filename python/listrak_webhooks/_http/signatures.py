"""The signatures of handlers, and what cannot be handed to them."""

from __future__ import annotations

import inspect
import sys
import types
from typing import TYPE_CHECKING, Annotated, Any, ForwardRef, Union, get_args, get_origin

from listrak_webhooks._core import Event
from listrak_webhooks._payload import models
from listrak_webhooks._payload.aliases import expanded, without_alias
from listrak_webhooks.exceptions import ConfigurationError

from .callables import layers, name_of

if TYPE_CHECKING:
    from collections.abc import Callable


def resolved_signature(handler: Callable[..., Any]) -> inspect.Signature:
    """Return a signature whose annotations are not text, as far as what they name is there.

    Under postponed annotations they are text; also those in a `__signature__` that a decorator has set, which Python
    itself leaves alone.
    """
    signature = _signature(handler)
    names: dict[str, Any] = next(  # pyright: ignore[reportUnknownVariableType]
        (each.__globals__ for each in [*layers(handler)][::-1] if hasattr(each, "__globals__")),
        {},  # pyright: ignore[reportUnknownArgumentType]
    )
    parameters = [
        parameter.replace(annotation=_evaluated(parameter.annotation, names))
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters, return_annotation=_evaluated(signature.return_annotation, names))


def _signature(handler: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(handler)
    except NameError:
        # From Python 3.14 on, annotations are evaluated here, and one may name what is for type checkers alone.
        if sys.version_info >= (3, 14):
            from annotationlib import Format  # noqa: PLC0415

            return inspect.signature(handler, annotation_format=Format.FORWARDREF)
        raise


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    if not isinstance(text, str):
        return annotation
    try:
        return eval(text, names)  # noqa: S307
    except Exception:  # noqa: BLE001
        # FastAPI resolves it itself, later or not at all.
        return annotation


def check_event_parameter(view: Callable[..., Any], *, in_front: int, advice: str, takes_self: bool = True) -> None:
    """Find a view that the event cannot be passed to by position, before a delivery is lost on it.

    Args:
        view: it gets what its URL has by name.
        in_front: how many arguments come before the event: the request, or none.
        advice: what to say of methods.
        takes_self: whether it may be a method.

    Raises:
        ConfigurationError: it is one, or its parameter for the event is annotated with a type that an `Event` is not.
    """
    try:
        signature = resolved_signature(view)
    except ValueError:
        # Something built in, which does not tell.
        return
    name, parameters = name_of(view), [*signature.parameters.values()]
    is_method = bool(parameters) and parameters[0].name == "self"
    if is_method:
        del parameters[0]
    try:
        signature.replace(parameters=parameters).bind_partial(*[None] * (in_front + 1))
        is_fit = takes_self or not is_method
    except TypeError:
        is_fit = False
    if not is_fit:
        of_both = "two parameters, for the request and the event in this order"
        needed = of_both if in_front else "a first parameter for it"
        raise ConfigurationError(f"{name} takes no event; it needs {needed}, and {advice}")
    if in_front and is_event(parameters[0].annotation):
        raise ConfigurationError(f"{name} takes the event first, and gets the request first; swap the two")
    parameter = parameters[min(in_front, len(parameters) - 1)]
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    if parameter.kind not in variable and not _admits_event(parameter.annotation):
        kind = getattr(parameter.annotation, "__name__", parameter.annotation)
        raise ConfigurationError(
            f"{name} takes {parameter.name} as {kind}, and gets an Event; annotate it with Event, and read the payload "
            "in the view by event.payload, or by event.parse_as with that type"
        )


def split(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type and its notes."""
    try:
        annotation = without_alias(annotation)
    except (TypeError, NameError):
        # An alias that names itself, or what is not there: FastAPI says so.
        return annotation, ()
    if get_origin(annotation) is not Annotated:
        return annotation, ()
    bare, *notes = get_args(annotation)
    return bare, tuple(notes)


def is_event(annotation: Any) -> bool:
    """Return whether it is `Event`, or a text that names it."""
    bare, _ = split(annotation)
    text = bare.__forward_arg__ if isinstance(bare, ForwardRef) else bare
    return text is Event or text in ("Event", "listrak_webhooks.Event")


def _admits_event(annotation: Any) -> bool:
    try:
        annotation = expanded(annotation)
    except TypeError:
        return True
    origin = get_origin(annotation)
    if origin is Annotated:
        return _admits_event(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return any(map(_admits_event, get_args(annotation)))
    if models.is_model(annotation):
        return False
    kind = origin or annotation
    # From Python 3.11 on, `Any` is a class.
    if kind in (Any, inspect.Parameter.empty) or not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return issubclass(Event, kind)
