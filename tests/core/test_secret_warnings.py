"""Secrets that are likely to be a slip: the log says so, and they are taken."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.utils.functional import SimpleLazyObject
from listrak_webhooks import Webhook, sign, verify
from support.helpers import (
    BODY,
    NOW,
    SECRET,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    VARIABLE,
    base64_of,
    sign_like_listrak,
    spelled,
)

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
