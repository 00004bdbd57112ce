"""Objects that lie about what they are, and objects that raise when they are looked at."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Explosion(Exception):  # noqa: N818
    """What an object here raises."""


class Interruption(BaseException):
    """What an object here raises that is not for `except Exception`, as Ctrl-C is."""


class _Trap:
    is_set = False


class traps:  # noqa: N801
    """Have the objects explode, which they do not while a container is built of them."""

    def __enter__(self) -> None:
        _Trap.is_set = True

    def __exit__(self, *_: object) -> None:
        _Trap.is_set = False


_WATCHED = (
    *("__eq__", "__ne__", "__lt__", "__gt__", "__hash__", "__len__", "__iter__", "__getitem__", "__contains__"),
    *("__str__", "__repr__", "__bytes__", "__format__", "__add__", "__mod__", "__mul__", "__sizeof__"),
    *(
        "lower",
        "upper",
        "casefold",
        "encode",
        "decode",
        "strip",
        "split",
        "replace",
        "startswith",
        "title",
        "translate",
    ),
    *("items", "keys", "values", "get", "copy", "pop", "index", "count"),
)


def explosive(kind: type) -> Any:
    """Return a subclass that works like `kind` until the traps are set, and then explodes at every touch."""

    def watched(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def method(self: Any, *arguments: Any) -> Any:
            if _Trap.is_set:
                raise Explosion(name)
            return plain(self, *arguments)

        return method

    names = [name for name in _WATCHED if callable(getattr(kind, name, None))]
    return type(f"Explosive_{kind.__name__}", (kind,), {name: watched(name, getattr(kind, name)) for name in names})


ExplosiveStr = explosive(str)
ExplosiveBytes = explosive(bytes)
ExplosiveObject = explosive(object)
EXPLOSIVE = (ExplosiveStr, ExplosiveBytes, ExplosiveObject)


class LyingStr(str):
    """Text that says of itself that it is empty, equal to all, and the genuine value of something."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return "1700000000"

    def encode(self, *_: Any) -> bytes:
        return b"1700000000"

    def lower(self) -> str:
        return "ltk-timestamp"

    def casefold(self) -> str:
        return "ltk-hmacsignature"


class LyingBytes(bytes):
    """The same in bytes."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __len__(self) -> int:
        return 44

    def __bytes__(self) -> bytes:
        return b"1700000000"

    def decode(self, *_: Any, **__: Any) -> str:
        return "1700000000"

    def lower(self) -> bytes:
        return b"ltk-timestamp"


class PlainStr(str):
    """A subclass that changes nothing."""

    __slots__ = ()


class PlainBytes(bytes):
    """A subclass that changes nothing."""

    __slots__ = ()


class PlainList(list[Any]):
    """A subclass that changes nothing."""


class PlainDict(dict[Any, Any]):
    """A subclass that changes nothing."""


class PlainTuple(tuple[Any, ...]):
    """A subclass that changes nothing."""

    __slots__ = ()


class Lazy:
    """An object that is text by its own word, as the lazy objects of Django and Werkzeug are."""

    def __init__(self, text: str) -> None:
        self._text = text

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return str

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return self._text == other

    def __hash__(self) -> int:
        return hash(self._text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._text, name)


def liar(kind: type, **lies: Any) -> Any:
    """Return a subclass some of whose methods, once the traps are set, return what is said here, or raise it."""
    return _liar(kind, tuple(lies.items()))


@functools.cache
def _liar(kind: type, lies: tuple[tuple[str, Any], ...]) -> Any:
    def method(name: str, lie: Any) -> Any:
        def lying(self: Any, *arguments: Any) -> Any:
            if not _Trap.is_set:
                return getattr(kind, name)(self, *arguments)
            if isinstance(lie, type):
                raise lie
            return lie

        return lying

    return type(f"Lying_{kind.__name__}", (kind,), {name: method(name, lie) for name, lie in lies})


class Pairs:
    """An iterable of pairs, by one of the protocols, that knows nothing else."""

    def __init__(self, pairs: list[Any]) -> None:
        self._pairs = pairs

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pairs)


class IndexedPairs:
    """The same by the protocol that is older than iterators."""

    def __init__(self, pairs: list[Any]) -> None:
        self._pairs = pairs

    def __getitem__(self, index: int) -> Any:
        return self._pairs[index]


class HintingPairs(Pairs):
    """The same, wrong about how many there are."""

    def __init__(self, pairs: list[Any], hint: Any) -> None:
        super().__init__(pairs)
        self._hint = hint

    def __iter__(self) -> Iterator[Any]:
        return _HintingIterator(self._pairs, self._hint)

    def __len__(self) -> int:
        raise Explosion("__len__")


class _HintingIterator:
    def __init__(self, pairs: list[Any], hint: Any) -> None:
        self._rest = iter(pairs)
        self._hint = hint

    def __iter__(self) -> _HintingIterator:
        return self

    def __next__(self) -> Any:
        return next(self._rest)

    def __length_hint__(self) -> Any:
        if self._hint is Explosion:
            raise Explosion("__length_hint__")
        return self._hint


class ItemsOnly:
    """A container that has nothing but one method, of this name, which gives all pairs."""

    def __init__(self, method: str, items: Callable[[], Any]) -> None:
        setattr(self, method, items)

    def __bool__(self) -> bool:
        raise Explosion("__bool__")

    def __len__(self) -> int:
        raise Explosion("__len__")

    def __contains__(self, key: object) -> bool:
        raise Explosion("__contains__")

    def __getitem__(self, key: object) -> Any:
        raise Explosion("__getitem__")

    def get(self, *_: Any) -> Any:
        raise Explosion("get")


class Proxy:
    """An object that hands every attribute on to another one."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


class ItemsOfItsOwn(dict[Any, Any]):
    """A dict whose `items` gives more than it holds."""

    own: list[Any]

    def items(self) -> Any:
        return [*self.own]
