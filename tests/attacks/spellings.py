"""Other spellings of what is right, which a lenient receiver takes for the same."""

from __future__ import annotations

import base64
import html
import urllib.parse
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Respell = Callable[[random.Random, str], str]

BASE64_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

INVISIBLE = (
    *(" ", "  ", "\t", "\n", "\r", "\r\n", "\x0b", "\x0c", "\0", "\x1c", "\x1f", "\x7f", "\x85", "\u00a0", "\u00ad"),
    *("\u1680", "\u2003", "\u2028", "\u200b", "\u200d", "\u202e", "\u2060", "\u3000", "\ufeff", "\ud800"),
)
"""What is trimmed, skipped or not seen somewhere."""

PREFIXES = (
    *("sha256=", "SHA256=", "sha-256=", "hmac-sha256=", "hmac=", "v0=", "v1=", "v1,", "t=1700000000,v1=", "Bearer "),
    *("HMAC ", "HMAC-SHA256 ", "HMAC-SHA256 Signature=", "Signature ", "base64:", "hex:", "0x", "0X", "\\x", "#", "="),
    *('"', "'", "b'", "<", "(", ",", ", ", ";", ":", "+", "-", "."),
)

SUFFIXES = (
    *('"', "'", ">", ")", ",", ", ", ";", ":", ".", "=", "==", "===", "%3D", "&", "#", "\\", ",sha256", ";q=1", "|"),
    *("-", "--", "==\n"),
)

LOOK_ALIKES = {
    **dict(
        zip(
            "ABCEHIKMNOPSTXYZ",
            "\u0410\u0392\u0421\u0415\u041d\u0406\u041a\u041c\u039d\u041e\u0420\u0405\u0422\u0425\u03a5\u0396",
            strict=True,
        )
    ),
    **dict(zip("aceiopsxyj", "\u0430\u0441\u0435\u0456\u043e\u0440\u0455\u0445\u0443\u0458", strict=True)),
    **dict(zip("kKsS", "\u212a\u212a\u017f\u017f", strict=True)),
    **dict(zip("=+/", "\ua78a\u2795\u2215", strict=True)),
}

DIGIT_SETS = (0x0660, 0x06F0, 0x0966, 0x0E50, 0xFF10, 0x1D7CE, 0x1D7D8, 0x1FBF0, 0x2080, 0x2460)
"""Where Unicode has other zeros; the last two are not digits to `int`."""


def somewhere(rng: random.Random, text: str, what: str) -> str:
    """Return `text` with something put into it, its ends included."""
    place = rng.choice((0, len(text), rng.randint(0, len(text))))
    return text[:place] + what + text[place:]


def without_one(rng: random.Random, text: str) -> str:
    """Return `text` without one of its characters."""
    place = rng.randrange(len(text))
    return text[:place] + text[place + 1 :]


def in_other_digits(rng: random.Random, text: str) -> str:
    """Return `text` with one or all of its digits out of another script."""
    zero = rng.choice(DIGIT_SETS)
    places = [place for place, character in enumerate(text) if character in "0123456789"]
    changed = {rng.choice(places)} if places and rng.random() < 0.5 else {*places}
    return "".join(chr(zero + int(digit)) if place in changed else digit for place, digit in enumerate(text))


def in_full_width(rng: random.Random, text: str) -> str:
    """Return `text` with one or all of its characters twice as wide."""
    place = rng.randrange(2 * len(text))
    return "".join(
        chr(ord(character) + 0xFEE0) if place in (at, at + len(text)) or place > len(text) else character
        for at, character in enumerate(text)
    )


def with_a_look_alike(rng: random.Random, text: str) -> str:
    """Return `text` with a letter of another script in it."""
    places = [place for place, character in enumerate(text) if character in LOOK_ALIKES]
    if not places:
        return somewhere(rng, text, "\u0130")
    place = rng.choice(places)
    return text[:place] + LOOK_ALIKES[text[place]] + text[place + 1 :]


def in_mixed_case(rng: random.Random, text: str) -> str:
    """Return `text` with some of its letters in the other case."""
    return "".join(character.swapcase() if rng.random() < 0.5 else character for character in text)


def in_groups(text: str, width: int, separator: str) -> str:
    """Return `text` with a separator behind every few characters."""
    return separator.join(text[at : at + width] for at in range(0, len(text), width))


def not_canonical(rng: random.Random, text: str) -> str:
    """Return base64 of the same bytes, with stray bits behind the last of them."""
    place = len(text.rstrip("=")) - 1
    digit = BASE64_DIGITS.find(text[place])
    return text[:place] + BASE64_DIGITS[digit | rng.choice((1, 2, 3))] + text[place + 1 :] if digit >= 0 else text


COMMON: dict[str, Respell] = {
    "with something invisible": lambda rng, text: somewhere(rng, text, rng.choice(INVISIBLE)),
    "behind a prefix": lambda rng, text: rng.choice(PREFIXES) + text,
    "before a suffix": lambda rng, text: text + rng.choice(SUFFIXES),
    "in quotes": lambda rng, text: rng.choice(('"{}"', "'{}'", "b'{}'", "<{}>", "({})", "[{}]", "{{{}}}")).format(text),
    "twice": lambda rng, text: rng.choice(("{0}{0}", "{0},{0}", "{0}, {0}", "{0};{0}", "{0} {0}")).format(text),
    "with one character more": lambda rng, text: somewhere(rng, text, rng.choice(text or "0")),
    "with one character less": without_one,
    "cut": lambda rng, text: text[: rng.randrange(len(text))],
    "cut in front": lambda rng, text: text[rng.randint(1, len(text)) :],
    "full width": in_full_width,
    "other digits": in_other_digits,
    "percent": lambda rng, text: somewhere(rng, urllib.parse.quote(text, safe=""), rng.choice(("", "%00", "%0A"))),
    "html": lambda rng, text: somewhere(rng, html.escape(text), rng.choice(("&#8203;", "&nbsp;", "&#61;"))),
    "mime": lambda rng, text: rng.choice(("=?utf-8?q?{}?=", "=?us-ascii?Q?{}?=", "utf-8''{}")).format(text),
    "backwards": lambda rng, text: text[::-1],
}
"""Of any header's value."""

OF_BASE64: dict[str, Respell] = {
    "not canonical": not_canonical,
    "url-safe": lambda rng, text: text.translate({43: "-", 47: "_"}),
    "without padding": lambda rng, text: text.rstrip("="),
    "url-safe without padding": lambda rng, text: text.rstrip("=").translate({43: "-", 47: "_"}),
    "other padding": lambda rng, text: (
        text.rstrip("=") + rng.choice(("A", "==", "===", ".", "\u003d\u003d", "\uff1d", "A="))
    ),
    "padding inside": lambda rng, text: somewhere(rng, text[:-1], "="),
    "in lines": lambda rng, text: in_groups(text, rng.choice((4, 16, 20, 38)), rng.choice(("\n", "\r\n", " ", "\n\t"))),
    "case": lambda rng, text: rng.choice((text.lower(), text.upper(), text.swapcase(), in_mixed_case(rng, text))),
    "look-alike": with_a_look_alike,
    "base64 of it": lambda rng, text: base64.b64encode(text.encode()).decode(),
    "hex of it": lambda rng, text: text.encode().hex(),
}

OF_HEX: dict[str, Respell] = {
    "case": lambda rng, text: rng.choice((text.upper(), in_mixed_case(rng, text))),
    "in groups": lambda rng, text: in_groups(text, rng.choice((1, 2, 4, 8, 16)), rng.choice(":- _,.")),
    "with another letter": lambda rng, text: text[:-1] + rng.choice("gGhHoOlIzxX_+-. "),
    "look-alike": with_a_look_alike,
    "base64 of it": lambda rng, text: base64.b64encode(text.encode()).decode(),
    "hex of it": lambda rng, text: text.encode().hex(),
    "zeros in front": lambda rng, text: "0" * rng.choice((1, 2, 64)) + text,
    "without zeros in front": lambda rng, text: f"{int(text, 16):x}",
    "as a decimal number": lambda rng, text: str(int(text, 16)),
}

OF_A_TIMESTAMP: dict[str, Respell] = {
    "sign": lambda rng, text: rng.choice(("+", "-", "+0", "-0", "\u2212")) + text[rng.choice((0, 1)) :],
    "zeros in front": lambda rng, text: "0" * rng.choice((1, 1, 2, 10)) + text[rng.choice((0, 0, 1)) :],
    "underscore": lambda rng, text: text[: (at := rng.randint(1, 9))] + "_" + text[at + rng.choice((0, 1)) :],
    "fraction": lambda rng, text: text + rng.choice((".", ".0", ".5", ".000000", ",0")),
    "exponent": lambda rng, text: rng.choice((f"{int(text):.9e}", f"{text}e0", f"{text}E+0", f"{text[:-1]}e1", "1e9")),
    "milliseconds": lambda rng, text: text + rng.choice(("000", "123", "000000", "000000000")),
    "base": lambda rng, text: rng.choice(("0x{:x}", "0X{:X}", "{:x}", "0o{:o}", "0b{:b}", "{:,}")).format(int(text)),
    "date": lambda rng, text: rng.choice((datetime.isoformat, format_datetime, str))(
        datetime.fromtimestamp(int(text), timezone.utc)
    ),
    "suffix": lambda rng, text: text + rng.choice(("s", "L", "Z", "ms", "u", "j", "\\n", "\x00\x00", "|", "}")),
    "no number": lambda rng, text: rng.choice(("nan", "inf", "-1", "0", "None", "null", "true", "now", "0000000000")),
}
