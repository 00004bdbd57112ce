"""Names and values of headers: right, nearly right, of other types, lying and exploding."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from . import hostile
from .campaign import pick
from .hostile import Explosion, Interruption
from .reference import OWN_EXCEPTION, TYPE_ERROR

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

NAMES = ("LTK-Timestamp", "LTK-HmacSignature")
ENVIRON_NAMES = ("HTTP_LTK_TIMESTAMP", "HTTP_LTK_HMACSIGNATURE")

NEARLY = (
    *("LTK_Timestamp", "ltk_hmacsignature", "HTTP-LTK-TIMESTAMP", "http_ltk_timestamp", "HTTP_LTK-HMACSIGNATURE"),
    *("X-LTK-Timestamp", "LTK-Time-stamp", " LTK-Timestamp", "LTK-Timestamp ", "LTK-Timestamp\n", "LTK-Timestamp:"),
    *("LTK-Timestamp\0", "LT\u212a-Timestamp", "LTK-T\u0131mestamp", "LTK-T\u0130mestamp", "LTK-Time\u017ftamp"),
    *("LTK\u2010HmacSignature", "LTK\u2212HmacSignature", "\uff2cTK-HmacSignature", "LTK-HmacSignature\ud800"),
    *("LTK-Hmac\u017fignature", "LTK-HmacS\u0456gnature", "LTK-HmacSignature,LTK-Timestamp", "LTK-Hmac", "", "ltk"),
    *("\ud800TK-Timestamp", "Content-Type", "Host", "Cookie", "wsgi.input", "REQUEST_METHOD"),
)


class Part(NamedTuple):
    """A name or a value."""

    thing: Any
    meanings: tuple[Any, ...]
    """What it may be taken for; only of lazy and lying objects there are several."""
    may: tuple[str, ...] = ()
    """What else may come of it."""


def plain(thing: Any) -> Part:
    """Return a part that means what it is."""
    return Part(thing, (thing,))


Pair = tuple[Part, Part]


def in_some_case(rng: random.Random, text: str) -> str:
    """Return `text` in upper, lower or mixed case."""
    way = rng.randrange(4)
    if way == 3:
        return "".join(rng.choice((letter.upper(), letter.lower())) for letter in text)
    return (text, text.lower(), text.upper())[way]


def as_text(rng: random.Random, text: str) -> Part:
    """Return text as one of the types that are text."""
    kinds: tuple[Callable[[str], Any], ...] = (
        *(str, str, str, str.encode, str.encode, hostile.PlainStr, hostile.ExplosiveStr, hostile.LyingStr),
        *(lambda text: hostile.PlainBytes(text.encode()), lambda text: hostile.ExplosiveBytes(text.encode())),
        lambda text: hostile.LyingBytes(text.encode()),
        hostile.Lazy,
    )
    kind = pick(rng, kinds)
    thing = kind(text) if text.isascii() else text
    return Part(thing, (text, object())) if type(thing) is hostile.Lazy else Part(thing, (text,))


def draw_name(rng: random.Random, header: int) -> Part:
    """Return a name of one of the two headers."""
    return as_text(rng, ENVIRON_NAMES[header] if rng.random() < 0.1 else in_some_case(rng, NAMES[header]))


def draw_other_name(rng: random.Random) -> Part:
    """Return a name of another header."""
    if rng.random() < 0.7:
        return as_text(rng, rng.choice(NEARLY))
    others = (0, None, True, 1.5, (), (NAMES[0],), object(), hostile.ExplosiveObject(), frozenset(NAMES), Ellipsis, str)
    return plain(rng.choice(others))


def draw_value(rng: random.Random, text: str) -> Part:
    """Return a value that holds `text`, or one that should and does not."""
    part = as_text(rng, text)
    way = rng.random()
    if way < 0.8:
        return part
    if way < 0.9:
        wrap: Any = rng.choice((list, tuple, hostile.PlainList, hostile.PlainTuple))
        return Part(wrap([part.thing]), tuple([meaning] for meaning in part.meanings))
    return rng.choice((draw_lying_list, draw_wrong_value))(rng, text)


def draw_wrong_value(rng: random.Random, text: str) -> Part:
    """Return what is not a single text."""
    lists: tuple[Any, ...] = ([text, text], (text, b"x"), [], (), [None], [""], [[text]], [b""], [0], [text, None])
    others: tuple[Any, ...] = (None, "", b"", 0, 1_700_000_000, 1.5, True, {}, {text}, {text: text}, object(), len, str)
    buffers: tuple[Any, ...] = (bytearray(text.encode()), memoryview(text.encode()), io.StringIO(text), iter([text]))
    odd: tuple[Any, ...] = (
        hostile.ExplosiveObject(),
        text + "\ud800",
        text + "\u00e9",
        text.encode() + b"\xff",
        f" {text}",
        text + "\0",
    )
    return plain(rng.choice(rng.choice((lists, others, buffers, odd))))


def draw_lying_list(rng: random.Random, text: str) -> Part:
    """Return a list that is wrong about its length or explodes; it may be believed or not."""
    lies: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
        ({"__len__": 1}, ("IndexError",)),
        ({"__len__": 0}, ()),
        ({"__len__": 2}, ()),
        ({"__len__": 10**18}, ()),
        ({"__len__": -1}, ("ValueError",)),
        ({"__len__": "1"}, (TYPE_ERROR,)),
        ({"__len__": Explosion}, (OWN_EXCEPTION,)),
        ({"__len__": Interruption}, (OWN_EXCEPTION,)),
        ({"__getitem__": Explosion}, (OWN_EXCEPTION,)),
        ({"__getitem__": IndexError}, ("IndexError",)),
        ({"__iter__": Explosion, "__contains__": Explosion, "__bool__": Explosion}, (OWN_EXCEPTION,)),
    )
    methods, may = rng.choice(lies)
    held = rng.choice(([text], [text, text], []))
    kind = hostile.liar(rng.choice((list, tuple)), **methods)
    return Part(kind(held), (held, held[:1], [], [text, text]), may)
