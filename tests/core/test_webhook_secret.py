"""Webhook: its secret, given in code or in the environment."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from listrak_webhooks import ConfigurationError, Webhook, sign, verify
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    VARIABLE,
    base64_of,
    headers_for,
    sign_like_listrak,
    spelled,
)


class TestSecret:
    """What can be a secret."""

    @pytest.mark.parametrize(
        "secret",
        [
            "",
            " ",
            " \t\r\n",
            "\n",
            "\u00a0",
            "\u2003\u3000",
            b"",
            b" ",
            b" \t\r\n\x0c",
            b"\x0b",
            b"\x1c",
            b"\x00",
            b"\x00" * 64,
            b"\x00 \x00\n\x00",
            b"\xef\xbb\xbf",
            b"\xc2\xa0",
            None,
            [],
            (),
            "secret\n",
            "secret ",
            " secret",
            "\tsecret",
            "secret\r\n",
            "secret\u00a0",
            "\u3000secret",
            "\u2028secret",
            "\ufeffsecret",
            "sec\ufeffret",
            "secret\ufeff",
            "\ufeff",
            "sec\x00ret",
            "sec\nret",
            "sec\tret",
            "sec\x1bret",
            "sec\x7fret",
            "sec\x85ret",
            "sec\x9fret",
            "\x1csecret",
            "sec\u2028ret",
            "zero\u200bwidth",
            "sec\u200cret",
            "sec\u200dret",
            "\u2060secret",
            "sec\u00adret",
            "secret\u200e",
            "\u202esecret",
            "\u2066secret\u2069",
            "secret\ufe0f",
            "secret\U000e0020",
            "\ufffesecret",
            "\ud800",
            "secret\udcff",
            1,
            1.5,
            True,
            object(),
            {},
            {"a": "b"},
            {"secret"},
            (part for part in ["secret"]),
            bytearray(b"secret"),
            bytearray(),
            memoryview(b"secret"),
            range(3),
            ["secret", ""],
            ["secret", None],
            ["", "secret"],
            ["secret", " padded"],
            ["secret", ["older"]],
            [b"secret", b" "],
            [1],
            ("secret", bytearray(b"older")),
            ["secret", b"\x00"],
            [*"secret"],
        ],
        ids=spelled,
    )
    def test_what_can_be_no_secret(self, secret: Any) -> None:
        """A slip of the clipboard, of an editor or of the type is a ConfigurationError, wherever a secret is taken."""
        for call in (
            lambda: Webhook(secret),
            lambda: verify(BODY, headers_for(), secret, now=NOW),
            lambda: sign(BODY, NOW, secret),
        ):
            with pytest.raises(ConfigurationError, match="secret"):
                call()

    @pytest.mark.parametrize(
        "secret",
        [
            "s",
            "two words",
            "\u00e9\u2603\U0001f600",
            "a" * 10_000,
            b"s",
            b" padded\n",
            b"\x00s",
            b"trailing\x00",
            b"\xef\xbb\xbfbom",
            b"\xff",
        ],
        ids=lambda secret: ascii(secret)[:20],
    )
    def test_what_can_be_a_secret(self, secret: str | bytes) -> None:
        """Everything else is a secret, and bytes are taken as they are."""
        raw = secret.encode("utf-8") if isinstance(secret, str) else secret
        signature = base64_of(sign_like_listrak(raw, BODY, SENT))
        assert Webhook(secret).verify_values(BODY, SENT, signature, now=NOW).secret_index == 0
        if len(raw) > 1:
            holders: tuple[Any, ...] = ([secret], (secret,))
            for holder in holders:
                assert Webhook(holder).verify_values(BODY, SENT, signature, now=NOW).secret_index == 0

    def test_none_is_an_unset_variable(self) -> None:
        """The likeliest reason for a `None` is in the message."""
        unset: Any = None
        for call in (lambda: Webhook(unset), lambda: sign(BODY, NOW, unset)):
            with pytest.raises(
                ConfigurationError,
                match="the secret is None: the variable or setting .* is unset; set",  # noqa: RUF043
            ):
                call()

    def test_a_secret_is_needed(self) -> None:
        """There is no webhook without a secret."""
        without: Any = Webhook
        with pytest.raises(TypeError):
            without()

    def test_options_are_named(self) -> None:
        """Options cannot be passed by position."""
        positional: Any = Webhook
        with pytest.raises(TypeError):
            positional(SECRET, 900)

    def test_an_unknown_option(self) -> None:
        """A misspelt option is not passed over."""
        misspelt: Any = Webhook
        with pytest.raises(TypeError, match="tolerence"):
            misspelt(SECRET, tolerence=1)

    def test_which_of_several_is_wrong(self) -> None:
        """The message counts the secrets, because it must not show them."""
        with pytest.raises(ConfigurationError, match="secret number 2 is empty"):
            Webhook(["secret", ""])

    def test_a_list_that_changes_afterwards(self) -> None:
        """The secrets are read once: a list that changes later changes nothing."""
        secrets = ["new", "old"]
        webhook = Webhook(secrets)
        secrets.clear()
        assert webhook.verify(BODY, headers_for(secret="old"), now=NOW).secret_index == 1


class TestFromEnv:
    """Secrets out of the environment."""

    def test_the_default_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The documented variable is read."""
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.delenv(f"{VARIABLE}_PREVIOUS", raising=False)
        webhook = Webhook.from_env()
        assert webhook.verify(BODY, headers_for(), now=NOW).secret_index == 0
        assert "<1 secret>" in repr(webhook)

    def test_a_variable_of_the_users_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another name serves another account, with its own previous secret."""
        monkeypatch.setenv("SHOP_SECRET", "new")
        monkeypatch.setenv("SHOP_SECRET_PREVIOUS", "old")
        webhook = Webhook.from_env("SHOP_SECRET")
        assert webhook.verify(BODY, headers_for(secret="new"), now=NOW).secret_index == 0
        assert webhook.verify(BODY, headers_for(secret="old"), now=NOW).secret_index == 1
        assert Webhook.from_env(name="SHOP_SECRET").sign(BODY, NOW) == webhook.sign(BODY, NOW)

    def test_an_empty_previous_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty `_PREVIOUS` is not a secret, as a deployment leaves it after a rotation."""
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", "")
        assert "<1 secret>" in repr(Webhook.from_env())

    def test_options_are_passed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The options are those of the constructor."""
        monkeypatch.setenv(VARIABLE, SECRET)
        webhook = Webhook.from_env(tolerance=timedelta(minutes=1), encoding="hex", max_body=100)
        assert (webhook.tolerance, webhook.encoding, webhook.max_body) == (60, "hex", 100)
        defaults = Webhook.from_env()
        assert (defaults.tolerance, defaults.encoding, defaults.max_body) == (900, "any", 4 * 1024 * 1024)

    @pytest.mark.parametrize("value", [None, "", " ", "secret\n", " secret", "\ufeffsecret", "a\tb"], ids=spelled)
    def test_nothing_usable_in_it(self, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
        """The message names the variable and never its value."""
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", "the-old-one")
        if value is not None:
            monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(ConfigurationError, match=f"the environment variable {VARIABLE} ") as caught:
            Webhook.from_env()
        assert "secret\n" not in str(caught.value)
        assert "the-old-one" not in str(caught.value)

    @pytest.mark.parametrize("value", [" ", "old\n", "\ufeffold"], ids=spelled)
    def test_a_spoilt_previous_secret(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """A previous secret that cannot be right is not silently left out."""
        monkeypatch.setenv(VARIABLE, SECRET)
        monkeypatch.setenv(f"{VARIABLE}_PREVIOUS", value)
        with pytest.raises(ConfigurationError, match=f"the environment variable {VARIABLE}_PREVIOUS "):
            Webhook.from_env()

    @pytest.mark.skipif(os.name != "posix", reason="only POSIX environments hold bytes that are not text")
    def test_bytes_that_are_not_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A value that is not UTF-8 is a configuration error, not a crash."""
        monkeypatch.setenv(VARIABLE, "secret\udcff")
        with pytest.raises(ConfigurationError, match=VARIABLE):
            Webhook.from_env()

    def test_the_environment_is_read_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable that changes later changes nothing."""
        monkeypatch.setenv(VARIABLE, SECRET)
        webhook = Webhook.from_env()
        monkeypatch.setenv(VARIABLE, "another")
        assert webhook.sign(BODY, NOW) == headers_for()[SIGNATURE]


@pytest.mark.parametrize("secret", [bytearray(b"secret"), memoryview(b"secret")], ids=["bytearray", "memoryview"])
def test_a_secret_in_a_buffer_is_rejected_by_its_name(secret: Any) -> None:
    """A buffer could change; the message speaks of it, and not of the numbers in it."""
    with pytest.raises(ConfigurationError, match=f"not {type(secret).__name__}"):
        Webhook(secret)
