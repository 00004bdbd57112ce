"""Secrets and other texts: whatever holds them they are one, and never taken apart; and what is likely to be a slip."""

from __future__ import annotations

import array
import enum
import logging
from collections import UserList, UserString, deque
from typing import TYPE_CHECKING, Any

import pytest
import wrapt
from django.utils.functional import SimpleLazyObject, lazy, lazystr
from listrak_webhooks import ConfigurationError, SignatureMismatchError, Webhook, sign, verify
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    VARIABLE,
    base64_of,
    headers_for,
    sign_like_listrak,
    spelled,
)
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from listrak_webhooks import Event

make: Any = Webhook
"""Called with what its types forbid, too."""


class Written:
    """A lazy object that was written by hand: it says whose class it has, and how it is converted."""

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._fetch())

    def __str__(self) -> Any:
        return self._fetch()

    def __bytes__(self) -> Any:
        return self._fetch()

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("walked")

    def __len__(self) -> int:
        raise AssertionError("walked")

    def __getitem__(self, place: object) -> Any:
        raise AssertionError("walked")


class HandingOn(Written):
    """Another, which hands on every attribute."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fetch(), name)


# Each makes an object that Python's own `isinstance` takes for what `fetch` returns.
LAZY: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "django": SimpleLazyObject,
    "werkzeug": LocalProxy,
    "wrapt": lambda fetch: wrapt.ObjectProxy(fetch()),
    "wrapt-function": lambda fetch: wrapt.LazyObjectProxy(fetch),
    "hands-on": HandingOn,
    "of-another": lambda fetch: SimpleLazyObject(lambda: LocalProxy(fetch)),
}
TEXT = {**LAZY, "written": Written}

each_text = pytest.mark.parametrize("lazily", TEXT.values(), ids=TEXT.keys())
each_lazy = pytest.mark.parametrize("lazily", LAZY.values(), ids=LAZY.keys())


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
        """A lazy object is no better than what it stands for."""
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


SUSPICIOUS = {
    '"the one from Listrak"': "is in quotation marks; take them off",
    "'the one from Listrak'": "is in quotation marks",
    "b'the one from Listrak'": "looks like the repr of bytes",
    "${LISTRAK_WEBHOOK_SECRET}": "looks like a variable that was not expanded",
    "$LISTRAK_WEBHOOK_SECRET": "looks like a variable that was not expanded",
    "{{ listrak_secret }}": "looks like a variable that was not expanded",
    "%LISTRAK_WEBHOOK_SECRET%": "looks like a variable that was not expanded",
    "<secret>": "looks like a placeholder",
    "changeme": "looks like a placeholder",
    "your-hmac-secret": "looks like a placeholder",
    "None": "looks like a placeholder",
    "null": "looks like a placeholder",
    "undefined": "looks like a placeholder",
    "the HMAC secret": "looks like a placeholder",
    "example-hmac-secret": "looks like a placeholder",
    '["the-new-one", "the-old-one"]': "looks like a whole document",
    "LISTRAK_WEBHOOK_SECRET=abc123": "looks like a whole assignment",
    "arn:aws:secretsmanager:eu-west-1:123:secret:shop": "looks like the place of a secret",
    "****************": "looks masked",
    b"the one from Listrak\n": "is bytes and has white space before or after it",
    b"\xef\xbb\xbfthe one from Listrak": "is bytes and has a byte order mark in it",
    b"the one from Listrak\x00": "is bytes and has a control character in it",
    b"'the one from Listrak'": "is in quotation marks",
}
SOUND = [SECRET, "correct horse battery staple", "c2VjcmV0LXNlY3JldA==", "9f86d081884c7d65", "don't", b"\xff\xfe\x00"]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged, after checking how."""
    assert {(record.name, record.levelno) for record in caplog.records} <= {("listrak_webhooks", logging.WARNING)}
    return [record.getMessage() for record in caplog.records]


class TestWarnings:
    """What is likely to be a slip is logged when the webhook is made."""

    @pytest.mark.parametrize(("secret", "fact"), SUSPICIOUS.items(), ids=map(ascii, SUSPICIOUS))
    def test_a_suspicious_secret(self, caplog: pytest.LogCaptureFixture, secret: Any, fact: str) -> None:
        """It is used all the same, because it may be right; the log says what it looks like, and not what it is."""
        raw = secret.encode() if isinstance(secret, str) else secret
        webhook = Webhook(secret)
        (warning,) = warnings_of(caplog)
        assert warning.startswith(f"the secret {fact}")
        assert "; " in warning
        assert raw.decode().strip("\"'b\n\x00") not in warning
        assert (
            webhook.verify_values(BODY, SENT, base64_of(sign_like_listrak(raw, BODY, SENT)), now=NOW).secret_index == 0
        )

    def test_which_one_it_is(self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of several the log gives the number, and of a variable the name."""
        Webhook([SECRET, "changeme", '"quoted one"'])
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", "${OLD_ONE}")
        Webhook.from_env()
        Webhook(SimpleLazyObject(lambda: "changeme"))  # type: ignore[arg-type]
        assert [warning.split(" looks")[0].split(" is in")[0] for warning in warnings_of(caplog)] == [
            "secret number 2",
            "secret number 3",
            f"the environment variable {VARIABLE}_PREVIOUS",
            "the secret",
        ]

    @pytest.mark.parametrize("secret", SOUND, ids=spelled)
    def test_a_sound_secret(self, caplog: pytest.LogCaptureFixture, secret: Any) -> None:
        """What looks like a secret is not remarked on."""
        Webhook(secret)
        Webhook([secret, SECRET])
        assert warnings_of(caplog) == []

    def test_the_calls_for_once_are_silent(self, caplog: pytest.LogCaptureFixture) -> None:
        """`verify` and `sign` in one call log nothing, because they would at each delivery."""
        headers = {TIMESTAMP: SENT, SIGNATURE: sign(BODY, NOW, "changeme")}
        assert verify(BODY, headers, "changeme", now=NOW).secret_index == 0
        assert warnings_of(caplog) == []


class TestOtherTexts:
    """Every other argument that is a text, or one or several."""

    @each_text
    def test_the_name_of_a_variable(
        self, lazily: Callable[[Callable[[], Any]], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`from_env` takes the name whatever holds it."""
        monkeypatch.setenv("SHOP_SECRET", SECRET)
        assert make.from_env(lazily(lambda: "SHOP_SECRET")).verify(BODY, headers_for(), now=NOW).secret_index == 0

    @pytest.mark.parametrize("name", [None, 5, b"SHOP_SECRET", ["SHOP_SECRET"], "\ud800"], ids=spelled)
    def test_what_is_not_the_name_of_a_variable(self, name: Any) -> None:
        """Anything else is a ConfigurationError that says so."""
        with pytest.raises(ConfigurationError, match="^name "):  # noqa: RUF043
            make.from_env(name)

    @each_text
    def test_an_encoding(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """The name of an encoding is one whatever holds it."""
        webhook = make(SECRET, encoding=lazily(lambda: "hex"))
        assert webhook.encoding == "hex"
        assert len(webhook.sign(BODY, NOW, encoding=lazily(lambda: "hex"))) == 64

    @each_text
    def test_aliases(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """Names and paths are texts whatever holds them, and a path by itself is not taken apart."""
        aliases = {lazily(lambda: "email"): [lazily(lambda: "mail")]}
        assert make(SECRET, aliases=aliases).aliases == {"email": ["mail"]}
        for path in ("mail", b"mail", lazily(lambda: "mail"), lazily(lambda: b"mail")):
            with pytest.raises(ConfigurationError, match="the aliases of email must be a list of str, not"):
                make(SECRET, aliases={"email": path})

    @each_lazy
    def test_lazy_aliases(self, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A lazy mapping is a mapping, and a lazy list a list."""
        aliases = {"email": lazily(lambda: ["mail"])}
        assert make(SECRET, aliases=lazily(lambda: aliases)).aliases == {"email": ["mail"]}

    @pytest.mark.parametrize(
        "paths",
        [{"mail"}, {"mail": "a"}, UserList(["mail"]), deque(["mail"]), (path for path in ["mail"]), UserString("mail")],
        ids=lambda paths: type(paths).__name__,
    )
    def test_no_other_iterable_holds_paths(self, paths: Any) -> None:
        """Only a list or a tuple is one of paths."""
        with pytest.raises(ConfigurationError, match="the aliases of email must be a list of str, not"):
            make(SECRET, aliases={"email": paths})

    @each_text
    def test_header_values(self, webhook: Webhook, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A header's value is a text whatever holds it, alone or in a list of one; a lazy `None` is none."""
        headers: dict[str, Any] = {name: lazily(lambda value=value: value) for name, value in headers_for().items()}  # type: ignore[misc]
        calls: list[Callable[[], Event]] = [
            lambda: webhook.verify(BODY, headers, now=NOW),
            lambda: webhook.verify(BODY, {name: [value] for name, value in headers.items()}, now=NOW),
            lambda: webhook.verify(BODY, [(name, value) for name, value in headers.items()], now=NOW),  # noqa: C416
            lambda: webhook.verify_values(BODY, headers[TIMESTAMP], headers[SIGNATURE], now=NOW),
        ]
        for call in calls:
            assert call().secret_index == 0
        nothing = lazily(lambda: None)
        pairs = [(TIMESTAMP, nothing), *headers_for().items()]
        if nothing.__class__ is type(None):
            assert webhook.verify(BODY, pairs, now=NOW).secret_index == 0

    @each_lazy
    def test_header_containers(self, webhook: Webhook, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A lazy container is what it stands for, and a lazy text is not one."""
        headers = headers_for()
        pairs = [lazily(lambda pair=pair: pair) for pair in headers.items()]  # type: ignore[misc]
        names = {lazily(lambda name=name: name): value for name, value in headers.items()}  # type: ignore[misc]
        for container in (headers, [*headers.items()], (*headers.items(),), pairs, names):
            holder: Any = lazily(lambda container=container: container)  # type: ignore[misc]
            assert webhook.verify(BODY, holder, now=NOW).secret_index == 0
        for text in ("ab", b"ab", None):
            lazy_text: Any = lazily(lambda text=text: text)  # type: ignore[misc]
            with pytest.raises(TypeError, match="headers must be a mapping"):
                webhook.verify(BODY, lazy_text, now=NOW)

    @each_text
    def test_a_body(self, webhook: Webhook, lazily: Callable[[Callable[[], Any]], Any]) -> None:
        """A body is a text or bytes whatever holds it, and the event has it as plain `bytes`."""
        for body in (BODY, BODY.decode()):
            holder: Any = lazily(lambda body=body: body)  # type: ignore[misc]
            event = webhook.verify(holder, headers_for(), now=NOW)
            assert type(event.body) is bytes
            assert event.body == BODY
            assert webhook.sign(holder, NOW) == headers_for()[SIGNATURE]

    def test_what_cannot_be_read(self, webhook: Webhook) -> None:
        """Of a body and of headers, what the caller's own object raises passes through."""

        def fetch() -> Any:
            raise LookupError

        lazy_object: Any = SimpleLazyObject(fetch)
        for call in (
            lambda: webhook.verify(lazy_object, headers_for(), now=NOW),
            lambda: webhook.verify(BODY, lazy_object, now=NOW),
            lambda: webhook.verify_values(BODY, lazy_object, headers_for()[SIGNATURE], now=NOW),
        ):
            with pytest.raises(LookupError):
                call()  # type: ignore[no-untyped-call]
