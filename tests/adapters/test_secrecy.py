"""Secrecy: what no repr, message, traceback, pickle or log may ever show."""

from __future__ import annotations

import base64
import copy
import gc
import logging
import pickle
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import listrak_webhooks
import pytest
from listrak_webhooks import ConfigurationError, Webhook, WebhookError, sign, verify
from support.helpers import NOW, SENT, SIGNATURE, TIMESTAMP, base64_of, sign_like_listrak

if TYPE_CHECKING:
    from collections.abc import Callable

CURRENT = "CURRENT-correct-horse-battery"
PREVIOUS = "PREVIOUS-staple-correct-horse"
CANARY = "CANARY-jane-at-example-com"
BODY = f'{{"email":"{CANARY}"}}'.encode()
FORGED = base64_of(bytes(range(32)))

PACKAGE = str(Path(listrak_webhooks.__file__).parent)


def _spellings(mac: bytes) -> list[str]:
    """Return every way in which a MAC could show, and a part of each that is long enough to matter."""
    text = base64_of(mac)
    whole = [text, base64.urlsafe_b64encode(mac).decode(), mac.hex(), mac.hex().upper(), repr(mac)[2:-1], str([*mac])]
    return [*whole, text[:20], text[20:40], mac.hex()[:32], mac.hex()[32:], mac.hex().upper()[:32]]


def _expected_macs(body: bytes, timestamp: str) -> list[bytes]:
    return [sign_like_listrak(secret.encode(), body, timestamp) for secret in (CURRENT, PREVIOUS)]


MACS = _expected_macs(BODY, SENT)
SECRETS = [
    text
    for secret in (CURRENT, PREVIOUS)
    for text in (secret, secret[8:], secret.encode().hex(), base64.b64encode(secret.encode()).decode())
]
FORBIDDEN = [*SECRETS, *(text for mac in MACS for text in _spellings(mac)), CANARY, "jane"]


# Called with what their types forbid, too.
make: Any = Webhook


def _webhook(**options: Any) -> Any:
    return make([CURRENT, PREVIOUS], **options)


# Each rejection of a delivery whose MAC, but for these faults, would be one of `MACS`.
REJECTIONS: dict[str, Callable[[], Any]] = {
    "mismatch": lambda: _webhook().verify_values(BODY, SENT, FORGED, now=NOW),
    "mismatch-hex": lambda: _webhook().verify_values(BODY, SENT, "0" * 64, now=NOW),
    "mismatch-by-headers": lambda: _webhook().verify(BODY, {TIMESTAMP: SENT, SIGNATURE: FORGED}, now=NOW),
    "mismatch-in-one-call": lambda: verify(BODY, {TIMESTAMP: SENT, SIGNATURE: FORGED}, [CURRENT, PREVIOUS], now=NOW),
    "mismatch-of-a-large-body": lambda: _webhook().verify_values(BODY * 5000, SENT, FORGED, now=NOW),
    "stale": lambda: _webhook().verify_values(BODY, SENT, base64_of(MACS[0]), now=NOW + 901),
    "stale-previous-secret": lambda: _webhook().verify_values(BODY, SENT, MACS[1].hex(), now=NOW + 901),
    "future": lambda: _webhook().verify_values(BODY, SENT, base64_of(MACS[0]), now=NOW - 901),
    "future-hex": lambda: _webhook().verify_values(BODY, SENT, MACS[0].hex().upper(), now=NOW - 901),
    "pinned-to-hex": lambda: _webhook(encoding="hex").verify_values(BODY, SENT, base64_of(MACS[0]), now=NOW),
    "pinned-to-base64": lambda: _webhook(encoding="base64").verify_values(BODY, SENT, MACS[0].hex(), now=NOW),
    "signature-cut": lambda: _webhook().verify_values(BODY, SENT, base64_of(MACS[0])[:-1], now=NOW),
    "signature-prefixed": lambda: _webhook().verify_values(BODY, SENT, "v1," + base64_of(MACS[0]), now=NOW),
    "signature-spaced": lambda: _webhook().verify_values(BODY, SENT, " " + MACS[0].hex(), now=NOW),
    "signature-spoilt": lambda: _webhook().verify_values(BODY, SENT, MACS[0].hex()[:-1] + "g", now=NOW),
    "signature-repeated": lambda: _webhook().verify(
        BODY, [(TIMESTAMP, SENT), *[(SIGNATURE, base64_of(MACS[0]))] * 2], now=NOW
    ),
    "signature-of-the-wrong-type": lambda: _webhook().verify_values(
        BODY,
        SENT,
        {"value": MACS[0].hex()},
        now=NOW,
    ),
    "timestamp-missing": lambda: _webhook().verify_values(BODY, None, base64_of(MACS[0]), now=NOW),
    "timestamp-malformed": lambda: _webhook().verify_values(BODY, f" {SENT}", base64_of(MACS[0]), now=NOW),
    "body-too-large": lambda: _webhook(max_body=5).verify_values(BODY, SENT, base64_of(MACS[0]), now=NOW),
    "body-of-the-wrong-type": lambda: _webhook().verify_values(
        {"email": CANARY},
        SENT,
        base64_of(MACS[0]),
        now=NOW,
    ),
    "body-without-a-utf-8-form": lambda: _webhook().verify_values(
        BODY.decode() + "\ud800", SENT, base64_of(MACS[0]), now=NOW
    ),
    "headers-of-the-wrong-type": lambda: _webhook().verify(
        BODY,
        f"{SIGNATURE}: {base64_of(MACS[0])}",
        now=NOW,
    ),
    "now-of-the-wrong-type": lambda: _webhook().verify_values(
        BODY,
        SENT,
        base64_of(MACS[0]),
        now=CURRENT,
    ),
    "signing-naively": lambda: _webhook().sign(BODY, 0),
    "signing-the-wrong-type": lambda: _webhook().sign({"email": CANARY}, NOW),
    "wrong-tolerance": lambda: _webhook(tolerance=-1),
    "wrong-encoding": lambda: _webhook(encoding=CURRENT),
    "unknown-option": lambda: _webhook(secrets=[CURRENT]),
    "padded-secret": lambda: Webhook(f" {CURRENT}"),
    "padded-second-secret": lambda: Webhook([CURRENT, f"{PREVIOUS}\n"]),
    "control-in-the-secret": lambda: sign(BODY, NOW, f"{CURRENT}\x00{PREVIOUS}"),
    "bom-in-the-secret": lambda: verify(BODY, {}, f"\ufeff{CURRENT}"),
    "surrogate-in-the-secret": lambda: Webhook(f"{CURRENT}\ud800"),
    "secret-of-the-wrong-type": lambda: make({CURRENT: PREVIOUS}),
    "secret-in-a-bytearray": lambda: make(bytearray(CURRENT.encode())),
}


def _rejection(reject: Callable[[], Any]) -> Exception:
    with pytest.raises((WebhookError, ConfigurationError, TypeError, ValueError)) as caught:
        reject()
    return caught.value


def _texts_of(error: BaseException) -> list[str]:
    """Return everything that an exception shows by itself."""
    formatted = traceback.TracebackException.from_exception(error, capture_locals=True)
    own_frames = [frame.locals for frame in formatted.stack if frame.filename.startswith(PACKAGE)]
    return [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)),
        "".join(formatted.format_exception_only()),
        repr(own_frames),
        repr(error.__cause__),
        repr(error.__context__),
        repr(getattr(error, "__notes__", [])),
        pickle.dumps(error, 0).decode("latin-1"),
        pickle.dumps(error).decode("latin-1"),
    ]


def test_the_forbidden_texts_are_the_right_ones() -> None:
    """The MACs that the tests look for are the ones that would be accepted."""
    for index, mac in enumerate(MACS):
        assert _webhook().verify_values(BODY, SENT, base64_of(mac), now=NOW).secret_index == index


@pytest.mark.parametrize("reject", REJECTIONS.values(), ids=REJECTIONS.keys())
def test_no_rejection_shows_secret_mac_or_body(reject: Callable[[], Any]) -> None:
    """Neither a secret, nor the MAC that the delivery should have had, nor the body is in anything it shows."""
    shown = "\n".join(_texts_of(_rejection(reject)))
    # A large body has MACs of its own.
    for text in [*FORBIDDEN, *(text for mac in _expected_macs(BODY * 5000, SENT) for text in _spellings(mac))]:
        assert text not in shown


@pytest.mark.parametrize("reject", REJECTIONS.values(), ids=REJECTIONS.keys())
def test_no_rejection_shows_what_was_sent_for_a_signature(reject: Callable[[], Any]) -> None:
    """Also the signature that came is not repeated whole."""
    shown = "\n".join(_texts_of(_rejection(reject)))
    assert FORGED not in shown
    assert "0" * 64 not in shown


def test_no_rejection_keeps_an_object_that_holds_one() -> None:
    """What hangs on an exception is text and numbers only."""
    for reject in REJECTIONS.values():
        error = _rejection(reject)
        assert error.__cause__ is None
        assert {type(argument) for argument in error.args} <= {str, int}


def test_swapped_arguments_show_no_whole_signature() -> None:
    """The signature passed for the timestamp, the likeliest slip, is cut."""
    for text in (base64_of(MACS[0]), MACS[0].hex(), MACS[0].hex().upper()):
        shown = "\n".join(_texts_of(_rejection(partial(_webhook().verify_values, BODY, text, SENT, now=NOW))))
        assert text not in shown
        assert text[:32] not in shown


def test_an_environment_variable_that_cannot_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named and its value is not."""
    monkeypatch.setenv("SHOP_SECRET", f"{CURRENT} ")
    shown = "\n".join(_texts_of(_rejection(lambda: Webhook.from_env("SHOP_SECRET"))))
    monkeypatch.setenv("SHOP_SECRET", CURRENT)
    monkeypatch.setenv("SHOP_SECRET_PREVIOUS", f"{PREVIOUS}\n")
    shown += "\n".join(_texts_of(_rejection(lambda: Webhook.from_env("SHOP_SECRET"))))
    assert "SHOP_SECRET_PREVIOUS" in shown
    for text in SECRETS:
        assert text not in shown


class TestObjects:
    """What the objects themselves give away."""

    def test_a_webhook_shows_no_secret(self) -> None:
        """Neither its repr nor any attribute holds one."""
        webhook = _webhook()
        shown = "\n".join([repr(webhook), str(webhook), f"{webhook!r:s}", repr(dir(webhook))])
        shown += "\n".join(repr(getattr(webhook, name)) for name in dir(webhook) if not name.startswith("__"))
        for text in SECRETS:
            assert text not in shown

    def test_a_webhook_keeps_no_secret_within_reach(self) -> None:
        """The garbage collector, which debuggers and heap dumps ask, finds none of it either."""
        webhook = _webhook()
        assert CURRENT not in repr(gc.get_referents(webhook))
        assert not hasattr(webhook, "__dict__")

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_webhook_does_not_pickle(self, protocol: int) -> None:
        """A secret must not travel through a queue by accident."""
        with pytest.raises((TypeError, pickle.PicklingError)):
            pickle.dumps(_webhook(), protocol)

    def test_a_copied_webhook_shows_no_secret(self) -> None:
        """A copy is rejected, or shows no more than the original."""
        duplicates: list[Callable[[Webhook], Webhook]] = [copy.copy, copy.deepcopy]
        for duplicate in duplicates:
            webhook = _webhook()
            try:
                other = duplicate(webhook)
            except TypeError as error:
                shown = str(error)
            else:
                shown = repr(other)
            assert shown
            for text in SECRETS:
                assert text not in shown

    def test_an_event_shows_no_secret_and_no_body(self) -> None:
        """An event's repr has the first digits of its id; the secret is nowhere on it."""
        event = _webhook().verify_values(BODY, SENT, base64_of(MACS[0]), now=NOW)
        assert CANARY in repr(event.payload)
        for text in FORBIDDEN:
            assert text not in repr(event)
            assert text not in str(event)
        shown = "\n".join(repr(getattr(event, name)) for name in dir(event) if not name.startswith("__"))
        for text in SECRETS:
            assert text not in shown

    def test_the_module_keeps_no_secret(self) -> None:
        """The calls that take a secret each time leave none behind in the package."""
        sign(BODY, NOW, CURRENT)
        verify(BODY, {TIMESTAMP: SENT, SIGNATURE: base64_of(MACS[0])}, CURRENT, now=NOW)
        assert CURRENT not in repr({name: repr(value) for name, value in vars(listrak_webhooks).items()})


def test_nothing_is_logged_or_printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """The core keeps quiet: its caller knows what to log."""
    caplog.set_level(logging.NOTSET)
    for reject in REJECTIONS.values():
        _rejection(reject)
    event = _webhook().verify_values(BODY, SENT, base64_of(MACS[0]), now=NOW)
    assert event.payload["email"] == CANARY
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_the_prose_of_a_formatted_traceback() -> None:
    """What `logging.exception` prints ends in the message alone."""
    error = _rejection(REJECTIONS["mismatch"])
    printed = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert printed.rstrip().endswith(str(error))
    for text in [*SECRETS, *(text for mac in MACS for text in _spellings(mac)), CANARY]:
        assert text not in printed
