"""Hostile header containers: mappings, pairs and what claims to be either, of odd, lying and exploding parts.

Each part and each container says by its construction what it means: that, and not what reading it gives, is the
reference.
"""

from __future__ import annotations

import email.message
import io
import itertools
from collections import ChainMap, OrderedDict, UserDict, defaultdict, deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from listrak_webhooks import Event, WebhookError
from starlette.datastructures import Headers as StarletteHeaders
from support.helpers import base64_of, sign_like_listrak
from werkzeug.datastructures import EnvironHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders
from werkzeug.local import LocalProxy

from . import hostile, reference
from .campaign import CHUNK, WrongError, pick, shown
from .forgeries import make_webhook
from .header_parts import NAMES, Pair, draw_name, draw_other_name, draw_value, plain
from .hostile import Explosion, Interruption
from .reference import ACCEPTED, OWN_EXCEPTION, TYPE_ERROR, Receiver

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from .campaign import Tally

RECEIVER = Receiver((b"the current secret", b"the previous secret"))

PER_DELIVERY = 100
PARTS = 16
"""How many names and values of each sort the containers of a delivery are made of."""


class Built(NamedTuple):
    """A container."""

    container: Any
    pairs: list[Pair]
    """What it holds."""
    environ: bool
    """Whether the names of an environ are names in it."""
    only: str = ""
    """What must come of it, whatever it holds."""
    may: tuple[str, ...] = ()
    """What else may come of it."""


# Containers.


def as_held(pairs: list[Pair]) -> dict[Any, Pair]:
    """Return what a dict keeps of pairs: the first of equal names, and the last of their values."""
    held: dict[Any, Pair] = {}
    for name, value in pairs:
        if name.thing.__hash__ is not None:
            held[name.thing] = (held[name.thing][0] if name.thing in held else name, value)
    return held


def build_mapping(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return a mapping."""
    held = as_held(pairs)
    mapping = {name: value.thing for name, (_, value) in held.items()}
    if rng.random() < 0.2:
        # They look each name up for its value, so a name that explodes does so.
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: OrderedDict(mapping),
            lambda: UserDict(mapping),
            lambda: ChainMap({}, mapping),
            lambda: ChainMap(*({name: value} for name, value in [*mapping.items()][:20]), mapping),
        )
        explodes = any(isinstance(name, hostile.EXPLOSIVE) for name in mapping)
        may = (OWN_EXCEPTION,) if explodes else ()
        return Built(pick(rng, kinds)(), [*held.values()], environ=True, may=may)
    exploding = hostile.liar(dict, get=Explosion, __getitem__=Explosion, __iter__=Explosion, keys=Explosion)
    kinds = (
        *([lambda: mapping] * 6),
        lambda: MappingProxyType(mapping),
        lambda: defaultdict(list, mapping),
        lambda: hostile.PlainDict(mapping),
        lambda: exploding(mapping),
        lambda: hostile.Proxy(mapping),
        lambda: LocalProxy(lambda: mapping),
    )
    return Built(pick(rng, kinds)(), [*held.values()], environ=True)


def build_environ(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return a WSGI environ: the two among all that a server puts there."""
    environ: dict[Any, Any] = {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "a=1&" * rng.choice((0, 1, 5000)),
        "SERVER_PORT": 80,
        "wsgi.input": io.BytesIO(b"{}"),
        "wsgi.errors": hostile.ExplosiveObject(),
        "wsgi.version": (1, 0),
        "wsgi.file_wrapper": io.BytesIO,
        "HTTP_COOKIE": hostile.ExplosiveStr("a=b"),
        "CONTENT_LENGTH": rng.choice(("2", "", None)),
        "": None,
    }
    extra = [(plain(name), plain(value)) for name, value in environ.items()]
    held = as_held([*extra, *pairs])
    container = {name: value.thing for name, (_, value) in held.items()}
    return Built(container, [*held.values()], environ=True)


def build_items(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return a container that gives its pairs by a method, repeated names included."""
    things = as_pairs(rng, pairs)
    if rng.random() < 0.3:
        container: Any = hostile.ItemsOfItsOwn({NAMES[0]: "x", NAMES[1]: "y"})
        container.own = things
        return Built(container, pairs, environ=True)
    method = rng.choice(("items", "multi_items", "raw_items"))
    give: tuple[Callable[[], Any], ...] = (
        *(lambda: things, lambda: iter(things), lambda: (*things,), lambda: (pair for pair in things)),
        *(lambda: hostile.Pairs(things), lambda: hostile.IndexedPairs(things), lambda: deque(things)),
        lambda: hostile.HintingPairs(things, rng.choice((0, -1, 10**18, "x", Explosion))),
    )
    return Built(hostile.ItemsOnly(method, pick(rng, give)), pairs, environ=True)


def as_pairs(rng: random.Random, pairs: list[Pair]) -> list[Any]:
    """Return the things in pairs, each pair as one of the types of pairs."""
    kinds: tuple[Any, ...] = (tuple, tuple, tuple, list, hostile.PlainTuple, hostile.PlainList)
    kind = pick(rng, kinds)
    return [kind((name.thing, value.thing)) for name, value in pairs]


def build_pairs(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return an iterable of pairs."""
    things = as_pairs(rng, pairs)
    kinds: tuple[Callable[[], Any], ...] = (
        *(lambda: things, lambda: things, lambda: (*things,), lambda: iter(things), lambda: deque(things)),
        *(lambda: (pair for pair in things), lambda: map(tuple, things), lambda: itertools.chain(things, ())),
        *(lambda: hostile.Pairs(things), lambda: hostile.IndexedPairs(things), lambda: hostile.PlainList(things)),
        lambda: hostile.HintingPairs(things, rng.choice((0, -1, 10**18, "x", Explosion))),
        lambda: zip([pair[0] for pair in things], [pair[1] for pair in things], strict=True),
        lambda: hostile.liar(list, __len__=rng.choice((0, 10**18, Explosion)), __getitem__=Explosion)(things),
    )
    return Built(pick(rng, kinds)(), pairs, environ=False)


def build_exploding(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return a container that raises somewhere while it is read; that must come out as it is."""
    things = as_pairs(rng, pairs)
    error: type[BaseException] = pick(rng, (Explosion, Interruption))
    at = rng.randint(0, len(things))

    def give() -> Any:
        yield from things[:at]
        raise error

    def fail() -> Any:
        raise error

    kinds: tuple[Callable[[], Any], ...] = (
        give,
        lambda: hostile.ItemsOnly("items", give),
        lambda: hostile.ItemsOnly("items", fail),
        lambda: type("Items", (), {"items": property(lambda _: fail())})(),
        lambda: type("Anything", (), {"__getattr__": lambda *_: fail()})(),
        lambda: type("Iterable", (), {"__iter__": lambda _: fail()})(),
        lambda: type("Iterator", (), {"__iter__": lambda self: self, "__next__": lambda _: fail()})(),
        lambda: hostile.liar(dict, items=error)(dict.fromkeys(NAMES, "x")),
        lambda: hostile.ItemsOnly("items", lambda: type("Iterable", (), {"__iter__": lambda _: fail()})()),
    )
    return Built(pick(rng, kinds)(), pairs, environ=True, only=OWN_EXCEPTION)


def build_of_lying_pairs(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return pairs of which one is wrong about itself, or explodes: it is believed, or it is not a pair."""
    things = as_pairs(rng, pairs)
    lies: tuple[dict[str, Any], ...] = (
        *({"__len__": 1}, {"__len__": 2}, {"__len__": -1}, {"__len__": "2"}, {"__len__": Explosion}),
        *({"__getitem__": Explosion}, {"__getitem__": IndexError}, {"__iter__": Explosion}, {"__bool__": Explosion}),
        *({"__len__": KeyboardInterrupt}, {"__getitem__": KeyboardInterrupt}, {"__iter__": KeyboardInterrupt}),
    )
    at = rng.randrange(len(things))
    lying = hostile.liar(pick(rng, (tuple, list)), **pick(rng, lies))
    things[at] = lying((*things[at], *pick(rng, ((), (), (0,)))))
    container = things if rng.random() < 0.5 else hostile.ItemsOnly("items", lambda: things)
    may = (TYPE_ERROR, OWN_EXCEPTION, "IndexError", "ValueError")
    return Built(container, pairs, environ=container is not things, may=may)


def build_wrong(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return what is not a container of headers, or one with something in it that is not a pair."""
    things = as_pairs(rng, pairs)
    text = NAMES[0]
    no_pair: Any = rng.choice(
        (
            text,
            b"ab",
            "ab",
            None,
            2,
            (),
            (text,),
            (text, "x", "y"),
            [],
            {text: "x", "y": "z"},
            {1, 2},
            iter((1, 2)),
            object(),
        )
    )
    at = rng.randint(0, len(things))
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: [*things[:at], no_pair, *things[at:]],
        lambda: iter([*things[:at], no_pair, *things[at:]]),
        lambda: hostile.ItemsOnly("items", lambda: [*things[:at], no_pair, *things[at:]]),
        lambda: rng.choice(
            (None, "", text, b"", b"ab", 0, 1.5, True, Ellipsis, object(), dict, str, len, bytearray(b"ab"))
        ),
        lambda: rng.choice((memoryview(b"ab"), range(2), {*NAMES}, [*NAMES], "\ud800", hostile.Explosion)),
        lambda: hostile.ExplosiveStr(text),
        lambda: hostile.ItemsOnly("items", lambda: rng.choice((None, 3, object(), "ab", [1], {1}))),
        lambda: type("Items", (), {"items": rng.choice((None, 3, "items"))})(),
        lambda: type("Items", (), {"items": lambda self, key: key})(),
        lambda: type("Iterable", (), {"__iter__": rng.choice((None, lambda _: 3, lambda _: [1]))})(),
    )
    return Built(pick(rng, kinds)(), pairs, environ=True, only=TYPE_ERROR)


def build_of_a_library(rng: random.Random, pairs: list[Pair]) -> Built:
    """Return the container of a framework, which holds only what a server would put there."""
    texts = [(name.meanings[0], value.meanings[0]) for name, value in pairs]
    usual = [(name, value) for name, value in texts if is_usual(name) and is_usual(value)]
    held = [(plain(name), plain(value)) for name, value in usual]
    raw = [(name.lower().encode(), value.encode()) for name, value in usual]
    message = email.message.Message()
    environ: dict[str, str] = {}
    for name, value in usual:
        message[name] = value
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    kinds: tuple[tuple[Any, list[Pair]], ...] = (
        (StarletteHeaders(raw=raw), held),
        (WerkzeugHeaders(usual), held),
        (httpx.Headers(usual), held),
        (message, held),
        (EnvironHeaders(environ), [(plain(key[5:].replace("_", "-")), plain(text)) for key, text in environ.items()]),
    )
    container, held = pick(rng, kinds)
    return Built(container, held, environ=False)


def is_usual(text: Any) -> bool:
    """Whether every framework takes `text` for a name or a value, and as it is."""
    return isinstance(text, str) and text.isascii() and text.isprintable() and bool(text) and not {*text} & {*"_: ,."}


BUILDERS: dict[Callable[[random.Random, list[Pair]], Built], int] = {
    build_mapping: 30,
    build_pairs: 25,
    build_items: 15,
    build_environ: 6,
    build_exploding: 8,
    build_of_lying_pairs: 4,
    build_wrong: 8,
    build_of_a_library: 8,
}


# Cases.


class Delivery:
    """A delivery, which now and then is not genuine, and parts to make headers of."""

    def __init__(self, rng: random.Random) -> None:
        self.body = rng.randbytes(rng.randrange(60))
        sent = rng.randint(10**9, 10**10 - 1)
        self.now = sent + rng.choices((0, 901, -901), (18, 1, 1))[0]
        mac = sign_like_listrak(rng.choice(RECEIVER.secrets), self.body, str(sent))
        if rng.random() < 0.15:
            mac = rng.randbytes(32)
        texts = str(sent), mac.hex() if rng.random() < 0.5 else base64_of(mac)
        self._names = [[draw_name(rng, header) for _ in range(PARTS)] for header in (0, 1)]
        self._values = [[draw_value(rng, text) for _ in range(PARTS)] for text in texts]
        self._other_names = [draw_other_name(rng) for _ in range(PARTS)]
        self._other_values = [draw_value(rng, rng.choice((*texts, "x", ""))) for _ in range(PARTS)]

    def draw_pairs(self, rng: random.Random) -> list[Pair]:
        """Return the two headers, among others, and perhaps not exactly once."""
        header = rng.getrandbits(1)
        pairs = [
            (pick(rng, self._names[header]), pick(rng, self._values[header])),
            (pick(rng, self._names[1 - header]), pick(rng, self._values[1 - header])),
        ]
        for _ in range(pick(rng, (0, 0, 1, 1, 2, 4))):
            pairs.insert(rng.getrandbits(2), (pick(rng, self._other_names), pick(rng, self._other_values)))
        way = rng.random()
        if way < 0.1:
            pairs.append((pick(rng, self._names[header]), pick(rng, self._values[header])))
        elif way < 0.15:
            pairs.insert(0, (pick(rng, self._names[header]), pick(rng, self._other_values)))
        elif way < 0.2:
            del pairs[0]
        elif way < 0.2002:
            pairs.extend((plain(f"X-{number}"), plain("x")) for number in range(3000))
        return pairs


def outcomes(built: Built, delivery: Delivery) -> set[str]:
    """Return what may come of a delivery with these headers: one outcome, unless something lies."""
    if built.only:
        return {built.only}
    expected = {*built.may}
    ours = [pair for pair in built.pairs if any(map(is_ours, pair[0].meanings))]
    for meaning in itertools.product(*(itertools.product(name.meanings, value.meanings) for name, value in ours)):
        try:
            timestamp, signature = reference.header_values(meaning, environ=built.environ)
        except reference.Rejected as rejected:  # noqa: PERF203
            expected.add(str(rejected))
        else:
            expected.add(reference.verdict(RECEIVER, delivery.body, timestamp, signature, delivery.now).outcome)
    return expected.union(*(value.may for _, value in ours))


def is_ours(name: Any) -> bool:
    """Whether a name may be one of the two, so that it matters what the value is."""
    return isinstance(name, (str, bytes)) and b"ltk" in reference.raw(name).lower()


def outcome_of(webhook: Any, delivery: Delivery, container: Any) -> tuple[str, str]:
    """Return what came of it, and details for a message."""
    try:
        event: Event = webhook.verify(delivery.body, container, now=delivery.now)
    except (Explosion, Interruption) as error:
        return OWN_EXCEPTION, repr(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 -- a panic of the core is one
        # Anything else is named in a way in which nothing is expected.
        name = type(error).__name__
        return (name if isinstance(error, (WebhookError, TypeError, ValueError, IndexError)) else f"!{name}"), str(
            error
        )
    mac = sign_like_listrak(RECEIVER.secrets[event.secret_index], delivery.body, str(event.timestamp))
    return (ACCEPTED, "") if (event.id, event.body) == (mac.hex(), delivery.body) else ("a forged event", repr(event))


def run(rng: random.Random, tally: Tally, make: Callable[[Receiver], Any] = make_webhook) -> None:
    """Hand the webhook that `make` makes a chunk of containers."""
    webhook = make(RECEIVER)
    builders, weights = [*BUILDERS], [*BUILDERS.values()]
    for number, build in enumerate(rng.choices(builders, weights, k=CHUNK)):
        if number % PER_DELIVERY == 0:
            delivery = Delivery(rng)
        built = build(rng, delivery.draw_pairs(rng))
        expected = outcomes(built, delivery)
        with hostile.traps():
            outcome, details = outcome_of(webhook, delivery, built.container)
        if outcome not in expected:
            pairs = [
                (type(name.thing).__name__, name.meanings, type(value.thing).__name__, value.meanings)
                for name, value in built.pairs
            ]
            raise WrongError(
                f"{build.__name__} of {type(built.container).__name__}: it came to {outcome} ({details}), and should "
                f"come to {' or '.join(sorted(expected))}\n    body = {delivery.body!r}\n    now = {delivery.now}"
                f"\n    pairs = {shown(pairs)}"
            )
        tally.add(build.__name__.removeprefix("build_"), outcome)
