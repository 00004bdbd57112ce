"""Secrets: whatever holds them they are one, and never taken apart."""

from __future__ import annotations

import array
import enum
from collections import UserList, UserString, deque
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.functional import SimpleLazyObject, lazy, lazystr
from listrak_webhooks import ConfigurationError, SignatureMismatchError, sign, verify
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    base64_of,
    headers_for,
    sign_like_listrak,
    spelled,
)
from support.lazy_texts import LAZY, HandingOn, Written, each_lazy, each_text, make
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from collections.abc import Callable


class Shop(str, enum.Enum):
    """A `str` whose own conversion says something else."""

    __slots__ = ()

    SECRET = "listrak-test-secret"

    def __str__(self) -> str:
        return "Shop.SECRET"


def ways(secret: Any) -> list[Callable[[], object]]:
    """Return every call that takes a secret."""
    return [
        lambda: make(secret),
        lambda: verify(BODY, headers_for(), secret, now=NOW),
        lambda: sign(BODY, NOW, secret),
    ]


def check_one_secret(secret: Any, key: bytes = SECRET.encode()) -> None:
    """Check that it is the one secret, and that none of its characters opens the door."""
    webhook = make(secret)
    assert "<1 secret>" in repr(webhook)
    genuine = base64_of(sign_like_listrak(key, BODY, SENT))
    assert webhook.verify_values(BODY, SENT, genuine, now=NOW).secret_index == 0
    assert verify(BODY, {TIMESTAMP: SENT, SIGNATURE: genuine}, secret, now=NOW).secret_index == 0
    assert sign(BODY, NOW, secret) == genuine
    for part in [key[index : index + 1] for index in range(len(key))]:
        forged = base64_of(sign_like_listrak(part, BODY, SENT))
        with pytest.raises(SignatureMismatchError):
            webhook.verify_values(BODY, SENT, forged, now=NOW)


class TestLazy:
    """What `isinstance` calls a text, a list or `None` is one."""

    @each_text
    def test_a_lazy_text_is_one_secret(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A lazy object that stands for a `str` is the one secret, and not a list of its characters."""
        assert isinstance(lazily(lambda: SECRET), str)
        check_one_secret(lazily(lambda: SECRET))

    @each_text
    def test_lazy_bytes_are_one_secret(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A lazy object that stands for `bytes` is the one secret."""
        check_one_secret(lazily(lambda: SECRET.encode()))
        check_one_secret(lazily(lambda: b"\xff\xfe binary"), b"\xff\xfe binary")

    @each_lazy
    @pytest.mark.parametrize("kind", [list, tuple])
    def test_a_lazy_list_is_a_list(self, lazily: Callable[[Callable[[], Any]], Any], kind: type) -> None:
        """A lazy object that stands for a list or a tuple is one, and so may be what is in it."""
        secrets = kind(["the-new-one", lazily(lambda: SECRET)])
        webhook = make(lazily(lambda: secrets))
        assert "<2 secrets>" in repr(webhook)
        assert webhook.verify(BODY, headers_for(), now=NOW).secret_index == 1
        assert make(secrets).verify(BODY, headers_for(), now=NOW).secret_index == 1

    @each_lazy
    def test_a_lazy_none_is_none(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A lazy object that stands for `None` is an unset setting."""
        for call in ways(lazily(lambda: None)):
            with pytest.raises(ConfigurationError, match="the secret is None: the variable or setting .* is unset"):  # noqa: RUF043
                call()

    @each_lazy
    @pytest.mark.parametrize(
        "value",
        [
            1,
            True,
            1.5,
            {"a": "b"},
            {"secret"},
            bytearray(b"secret"),
            memoryview(b"secret"),
            object(),
            [],
            [1],
            ["", "a"],
        ],
        ids=spelled,
    )
    def test_a_lazy_object_of_anything_else(self, lazily: Callable[[Callable[[], Any]], Any], value: object) -> None:
        """A lazy object is not better than what is behind it."""
        for call in ways(lazily(lambda: value)):
            with pytest.raises(ConfigurationError, match="secret"):
                call()

    def test_the_message_names_both_types(self) -> None:
        """The message has the lazy object's type and the one that it stands for."""
        with pytest.raises(ConfigurationError, match="not SimpleLazyObject of dict;"):
            make(SimpleLazyObject(lambda: {"a": "b"}))

    def test_a_promise_of_django(self) -> None:
        """What `gettext_lazy` and its like make does not say that it is a `str`, and is the text that it stands for."""
        assert not isinstance(lazystr(SECRET), str)
        check_one_secret(lazystr(SECRET))
        check_one_secret(lazy(lambda: SECRET.encode(), bytes)())
        with pytest.raises(ConfigurationError):
            make(lazy(lambda: 5, int)())
        with pytest.raises(ConfigurationError):
            make(lazy(lambda: {"a": "b"}, dict)())

    @pytest.mark.parametrize("lazily", [*LAZY.values(), lambda fetch: fetch()], ids=[*LAZY, "itself"])
    def test_a_text_of_its_own_type_is_the_text_that_it_holds(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """The member of a `str` enum is its value, and not what its `__str__` says."""
        assert str(Shop.SECRET) != SECRET
        check_one_secret(lazily(lambda: Shop.SECRET))

    @pytest.mark.parametrize("name", ["__str__", "__iter__", "__len__", "__getitem__", "encode", "index", "strip"])
    def test_a_subclass_that_lies_is_the_text_that_it_holds(self, name: str) -> None:
        """No method of a subclass is asked what the text is."""
        for base, held in ((str, SECRET), (bytes, SECRET.encode())):
            liar: Any = type("Liar", (base,), {name: lambda self, *_: "another"})
            check_one_secret(liar(held))

    def test_it_is_fetched_when_the_webhook_is_made(self) -> None:
        """A lazy secret is not looked at again: one that changes later changes nothing."""
        current = [SECRET]
        webhook = make(LocalProxy(lambda: current[0]))
        current[0] = "another-secret"
        assert webhook.verify(BODY, headers_for(), now=NOW).secret_index == 0


class TestHostile:
    """Whatever an object says of itself, it is a ConfigurationError or the right secret."""

    @pytest.mark.parametrize("error", [AttributeError, KeyError, RecursionError, RuntimeError, ValueError, TypeError])
    def test_one_that_cannot_be_fetched(self, error: type[Exception]) -> None:
        """What the user's function raises is named, and not shown: it may hold what it was about to return."""

        def fetch() -> Any:
            raise error("CANARY")

        for lazily in (SimpleLazyObject, Written, HandingOn):
            for call in ways(lazily(fetch)):
                with pytest.raises(ConfigurationError, match=f"could not be read: .*{error.__name__}") as caught:
                    call()
                assert "CANARY" not in str(caught.value)
                assert caught.value.__cause__ is None
                assert caught.value.__context__ is None

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_an_interrupt_passes(self, error: type[BaseException]) -> None:
        """What ends the program is not taken for an answer."""

        def fetch() -> Any:
            raise error

        for call in ways(SimpleLazyObject(fetch)):
            with pytest.raises(error):
                call()

    @pytest.mark.parametrize("said", [str, bytes, list, tuple])
    def test_one_that_says_what_it_is_not(self, said: type) -> None:
        """An object that has another's class and not its value is not walked, nor taken for what it shows."""
        body: dict[str, Any] = {
            "__class__": property(lambda _: said),
            "__iter__": lambda _: iter("secret"),
            "__len__": lambda _: 6,
            "__getitem__": lambda _, place: "secret"[place],
        }
        for base in (object, list, dict, bytearray, int, UserList):
            if base is said:
                continue
            hostile: Any = type("Hostile", (base,), body)()
            for call in ways(hostile):
                with pytest.raises(ConfigurationError, match="secret"):
                    call()

    @pytest.mark.parametrize(
        "said", [1, "str", None, (str,), type("Odd", (type,), {"__subclasscheck__": lambda *_: True})], ids=spelled
    )
    def test_one_whose_class_is_not_one(self, said: Any) -> None:
        """A `__class__` that is not a class, or not one of text, says nothing."""
        hostile: Any = type("Hostile", (), {"__class__": property(lambda _: said), "__str__": lambda _: "secret"})()
        for call in ways(hostile):
            with pytest.raises(ConfigurationError, match="secret must be str, bytes, or a list or tuple of them, not"):
                call()

    @pytest.mark.parametrize("given", [None, 5, b"secret", ["secret"], object()], ids=spelled)
    def test_one_whose_conversion_gives_something_else(self, given: Any) -> None:
        """Only a real `str` is taken for one."""
        hostile: Any = type(
            "Hostile",
            (),
            {"__class__": property(lambda _: str), "__str__": lambda _: given, "index": property(lambda _: given)},
        )()
        for call in ways(hostile):
            with pytest.raises(ConfigurationError, match="could not be read"):
                call()

    def test_a_text_that_says_it_is_a_list(self) -> None:
        """What is a `str` stays one, whatever it says."""
        for said in (list, type(None), bytes, dict):
            check_one_secret(type("Liar", (str,), {"__class__": property(lambda _, said=said: said)})(SECRET))  # type: ignore[misc]

    def test_a_class_that_changes_its_mind(self) -> None:
        """An object is asked once: one that is a list at first and a text afterwards is not walked."""
        answers: Any = iter([list, str, str, str])
        hostile: Any = type(
            "Hostile", (), {"__class__": property(lambda _: next(answers, str)), "__iter__": lambda _: iter("secret")}
        )()
        with pytest.raises(ConfigurationError):
            make(hostile)


class TestLists:
    """Only lists and tuples are lists of secrets."""

    @pytest.mark.parametrize(
        "several",
        [
            lambda: (secret for secret in ["one-secret", "another"]),
            lambda: iter(["one-secret"]),
            lambda: {"one-secret"},
            lambda: frozenset({"one-secret"}),
            lambda: {"one-secret": "another"},
            lambda: {"one-secret": "another"}.values(),
            lambda: deque(["one-secret"]),
            lambda: UserList(["one-secret"]),
            lambda: UserString("one-secret"),
            lambda: array.array("B", b"one-secret"),
            lambda: range(3),
            lambda: map(str, ["one-secret"]),
        ],
    )
    def test_no_other_iterable_is_one(self, several: Callable[[], Any]) -> None:
        """Generators, sets, mappings, arrays and sequences of the user's own are rejected, and not read."""
        for call in ways(several()):
            with pytest.raises(ConfigurationError, match="secret must be str, bytes, or a list or tuple of them"):
                call()

    @pytest.mark.parametrize("taken_apart", [list, tuple, lambda text: [character.encode() for character in text]])
    @pytest.mark.parametrize("text", [SECRET, "e", "\u00e9\u00e8"])
    def test_a_secret_that_was_taken_apart(self, taken_apart: Callable[[str], Any], text: str) -> None:
        """A list of characters is one secret that somebody passed through `list`."""
        for call in ways(taken_apart(text)):
            with pytest.raises(ConfigurationError, match="secret number 1 is a single character.*not list"):  # noqa: RUF043
                call()

    @pytest.mark.parametrize("character", ["e", b"e", b"e\x00\x00", "\u2603", "\u2603".encode(), b"\xff"], ids=spelled)
    def test_one_character_anywhere_in_a_list(self, character: Any) -> None:
        """NUL bytes after the character make no other key, since HMAC pads a key with them."""
        for secrets in ([character], [SECRET, character], (character, SECRET)):
            with pytest.raises(ConfigurationError, match="is a single character"):
                make(secrets)

    def test_a_list_of_its_own_type(self) -> None:
        """A subclass of list is what it holds, and its own way to be read is not used."""

        class Failing(list[str]):
            def __iter__(self) -> Any:
                raise KeyError

            def __len__(self) -> int:
                raise KeyError

            def __getitem__(self, place: object) -> Any:
                raise KeyError

        assert make(Failing(["the-new-one", SECRET])).verify(BODY, headers_for(), now=NOW).secret_index == 1

    @pytest.mark.parametrize("place", [0, 1])
    def test_none_in_a_list(self, place: int) -> None:
        """The message says which one is unset."""
        secrets: list[Any] = [SECRET, SECRET]
        secrets[place] = None
        with pytest.raises(ConfigurationError, match=f"secret number {place + 1} is None: .* is unset"):
            make(secrets)
