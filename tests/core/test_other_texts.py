"""The other texts that users give: whatever holds them they are one."""

from __future__ import annotations

from collections import UserList, UserString, deque
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.functional import SimpleLazyObject
from listrak_webhooks import ConfigurationError, Webhook
from support.helpers import BODY, NOW, SECRET, SIGNATURE, TIMESTAMP, headers_for, spelled
from support.lazy_texts import each_lazy, each_text, make

if TYPE_CHECKING:
    from collections.abc import Callable

    from listrak_webhooks import Event


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
        """A header's value is a text whatever holds it, alone or in a list of one; a lazy `None` is not one."""
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
