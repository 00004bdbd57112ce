"""Documents that are JSON, or nearly: numbers of every form, escapes, surrogates, repeated keys, depth.

What they mean is not known here: `reference.py` says it.
"""

# ruff: noqa: SIM905 -- as lists, the tables below would fill pages

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.payloads import BODIES, SPELLINGS, spelled

from .campaign import pick

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

MARK = "CANARY"
"""Is in many strings, and must be in no message."""

BYTE_ORDER_MARK = "\ufeff".encode()

NUMBERS = """
    0 -0 1 -1 10 2147483648 15558675309 17175559636 9007199254740992 9007199254740993
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
    18446744073709551615 18446744073709551616 1180591620717411303424 -1180591620717411303424
    0.0 -0.0 0e0 -0e0 0E-5 0e99999999999999999999 0.1 44.99 1.0000 -12.50 1e5 1E+5 12e-3 1e0005 1e-7 1e-6
    1.7976931348623157e308 1.7976931348623159e308 1e400 -1e400 1e-400 -1e-400 1e99999999999
    5e-324 2.4703282292062327e-324 2.4703282292062328e-324 2.2250738585072011e-308
    9007199254740993.0 9007199254740993.5 100000000000000000000.0 0.3333333333333333333333333333333333
    1.00000000000000011102230246251565404236316680908203125 123456789012345678901234567890e300
""".split()

BROKEN = (
    *"01 -01 00 +1 .5 1. 1.e5 1e 1e+ - --1 1.2.3 0x10 1_000 1,000 \u0661".split(" "),
    *"NaN Infinity -Infinity -NaN nan inf None True undefined tru nulll 'a' a".split(" "),
    *r""" " "a "\ "\x41" "\'" "\u00" "\u00zz" "\u+123" "\ud800\u" "\U0001f600" """.split(),
    *', : [ { ] } [1,] [,1] {"a":1,} {1:2} {a:1} {"a":} {"a"} /**/1 1//'.split(" "),
    *('"\n"', '"\t"', '"\0"', '"\x1f"', r'"\u 123"', "[1 2]", '{"a" 1}', "1 2", "1\0", "\x0c1", ""),
    *("\u00a01", "\u20281", "\ufeff1", '"\ud800"'),
)

PIECES = (
    *"a b 44.99 true VIP10 jane@example.com EmailAddress PhoneNumber [{ ]} 0531435151 +1.50 1_000 [1e400]".split(" "),
    *"2024-01-02 2024-01-02T03:04:05.1234567Z 2024-01-02T03:04:05-05:00".split(" "),
    *r"""\n \" \\ \/ \b\f\r\t \u0000 \u0041 \u00e9 \uFFFF \ud83d\ude00 \uD83D\uDE00 {\"a\":[1]}""".split(" "),
    *r"\ud800 \udfff \ude00\ud83d \ud83d\u0041 \ud83d\ud83d\ude00 \ud83d\n".split(" "),
    *"\u00e9 \u2603 \U0001f600 \x7f \u0080 \u2028 \ufeff \uffff \U0010ffff e\u0301".split(" "),
    *("", " ", MARK),
)

WORDS = """
    email emailAddress contact customer identifiers identifierType type value identifier phone phoneNumber mobilePhone
    phoneId coupons couponCode coupon coupon1 coupon02 code cart cartItems cartLink cartTotal items lineItems products
    order orderNumber orderTotal dateEntered orderItems status currency shippingAddress product sku masterSku id name
    price salePrice quantity qty itemTotal total qoh onSale inStock page pageUrl url data alertType meta1 meta5 campaign
    title link image brand size color msrp
""".split()

BYTES = b'"\\{}[]:,0123456789.eE+-tfnu \n\x00\x1f\x7f\x80\xc0\xe2\xed\xf4\xff'
"""What means something to a parser, or to a decoder of UTF-8."""

SPACES = ("", "", "", " ", "\n", " \t\r\n")


class Writer:
    """Writes documents of parts that are drawn once for a number of them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.space = ""
        self._numbers = [self._number() for _ in range(40)]
        self._strings = [self._string() for _ in range(40)]
        self._keys = [self._key() for _ in range(30)]

    def _number(self) -> str:
        rng = self.rng
        way = rng.random()
        if way < 0.6:
            return rng.choice(NUMBERS)
        if way < 0.7:
            return str(rng.randint(-200, 20_000))
        if way < 0.8:
            return repr(rng.uniform(-1, 1) * 10.0 ** rng.randint(-320, 300))
        digits = str(rng.randrange(10 ** rng.randrange(1, 40)))
        fraction = f".{rng.randrange(10 ** rng.randrange(1, 30))}" if rng.random() < 0.6 else ""
        exponent = rng.choice(("", "", f"e{rng.randint(-400, 400)}", f"E+{rng.randrange(30)}"))
        return rng.choice(("", "-")) + digits + fraction + exponent

    def _string(self) -> str:
        rng = self.rng
        text = "".join(rng.choices(PIECES, k=rng.choice((0, 1, 1, 1, 2, 3, 5))))
        for _ in range(rng.choice((0,) * 9 + (3,))):
            text += f"\\u{rng.choice((rng.randrange(0x10000), rng.randint(0xD7FF, 0xE000))):04x}"
        return f'"{text}"'

    def _key(self) -> str:
        rng = self.rng
        if rng.random() < 0.15:
            return self._string()
        key = rng.choice([*SPELLINGS.values()])(rng.choice(WORDS))
        if rng.random() < 0.1:
            key = "".join(f"\\u{ord(letter):04x}" if rng.random() < 0.3 else letter for letter in key)
        return f'"{key}"'

    def atom(self) -> str:
        """Return a value that holds no other."""
        way = self.rng.random()
        if way < 0.45:
            return str(pick(self.rng, self._strings))
        return str(pick(self.rng, self._numbers if way < 0.85 else ("null", "true", "false", "[]", "{}")))

    def value(self, room: int) -> str:
        """Return a value that nests at most `room` levels."""
        way = self.rng.random()
        if room <= 1 or way < 0.6:
            return self.atom()
        if way < 0.8:
            return self.object(room)
        count = pick(self.rng, (0, 1, 2, 3))
        return f"[{self.space}{f'{self.space},'.join(self.value(room - 1) for _ in range(count))}{self.space}]"

    def object(self, room: int) -> str:
        """Return an object; one key in a number comes twice."""
        rng = self.rng
        names = [pick(rng, self._keys) for _ in range(pick(rng, (0, 1, 2, 3, 4, 6)))]
        if names and rng.random() < 0.1:
            names.append(names[0])
        fields = [f"{name}{self.space}:{self.space}{self.value(room - 1)}" for name in names]
        return f"{{{self.space}{f'{self.space},{self.space}'.join(fields)}{self.space}}}"

    def document(self) -> str:
        """Return an object that is JSON."""
        return self.space + self.object(4) + self.space

    def sample(self) -> str:
        """Return one of the made-up bodies in one of its spellings, with another value somewhere in it."""
        rng = self.rng
        text = json.dumps(spelled(pick(rng, [*BODIES.values()]), pick(rng, [*SPELLINGS.values()])))
        colons = [place + 1 for place, character in enumerate(text) if character == ":" and text[place + 1] == " "]
        place: int = pick(rng, colons)
        end = min((found for mark in ",}" if (found := text.find(mark, place)) > 0), default=place)
        return text[:place] + self.atom() + text[end:] if rng.random() < 0.7 else text

    def deep(self) -> str:
        """Return an object that nests to about one of the limits that parsers have."""
        rng = self.rng
        levels = rng.choice((*range(196, 205), *range(198, 204), 126, 127, 128, 129, 250, 1000, 3000)) - 1
        opened = [
            rng.choice(('{"k":', "[", '{"k":0,"l":', "[[],")) if rng.random() < 0.5 else "[" for _ in range(levels)
        ]
        closed = ["}" if text[0] == "{" else "]" for text in reversed(opened)]
        if rng.random() < 0.1:
            closed = closed[:-1]
        inner = rng.choice((self.atom(), self.atom(), "[]", "{}", "1,2", '"[["'))
        first, last = (rng.choice(("", f"{pick(rng, self._keys)}:{self.atom()}")) for _ in range(2))
        fields = ",".join(field for field in (first, f'"k":{"".join(opened)}{inner}{"".join(closed)}', last) if field)
        # A key that comes again hides what is deep, and makes it no shallower.
        again = rng.choice(("", "", ',"k":1'))
        return f"{{{fields}{again}}}"

    def long(self) -> str:
        """Return an object with an integer, or something like one, of about as many digits as are allowed."""
        rng = self.rng
        digits = str(rng.randint(1, 9)) * rng.choice((*range(4297, 4304), 5000, 9000))
        digits = rng.choice(("{}", "-{}", '"{}"', "{}.5", "0.{}", "{}e5", "[{}]")).format(digits)
        return f"{{{pick(rng, self._keys)}:{digits},{pick(rng, self._keys)}:{self.atom()}}}"

    def broken(self) -> str:
        """Return a document with something in it that is not JSON, most often."""
        text = self.document()
        places = [place for place, character in enumerate(text) if character in ":[,{"]
        place: int = pick(self.rng, places) + 1
        what: str = pick(self.rng, BROKEN)
        return text[:place] + what + text[pick(self.rng, (place, place, place + 1)) :]

    def other(self) -> str:
        """Return JSON that is not an object, or something in front of an object or behind it."""
        if self.rng.random() < 0.5:
            return self.space + self.value(3) + self.space
        text = self.document()
        more: str = pick(
            self.rng, ("x", "{}", "}", ",", "\0", "\x0c", "\u00a0", "\n{}", " null", "//", "\ufeff", "]", '"')
        )
        return text + more if self.rng.random() < 0.6 else more + text

    def mutated(self) -> bytes:
        """Return the bytes of a document, some of them changed, gone, moved or new."""
        data = bytearray(pick(self.rng, (self.document, self.document, self.sample))().encode("utf-8", "surrogatepass"))
        for _ in range(pick(self.rng, (1, 1, 1, 2, 3))):
            pick(self.rng, MUTATIONS)(self.rng, data)
        return bytes(data)

    def draw(self) -> tuple[str, bytes]:
        """Return a document and the name of its sort."""
        self.space = pick(self.rng, SPACES)
        write = self.rng.choices((*SORTS,), (*SORTS.values(),))[0]
        text = write(self)
        body = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return write.__name__, BYTE_ORDER_MARK * self.rng.choices((0, 1, 2), (97, 2.5, 0.5))[0] + body


SORTS: dict[Callable[[Writer], str | bytes], float] = {
    Writer.document: 40,
    Writer.sample: 14,
    Writer.mutated: 28,
    Writer.broken: 12,
    Writer.other: 4,
    Writer.deep: 1.5,
    Writer.long: 0.5,
}
"""All of them, and of how many documents in a hundred."""


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _replace(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(BYTES)


def _insert(rng: random.Random, data: bytearray) -> None:
    data.insert(rng.randint(0, len(data)), rng.choice(BYTES))


def _delete(rng: random.Random, data: bytearray) -> None:
    start = rng.randint(0, len(data))
    del data[start : start + rng.choice((1, 1, 1, 2, 5))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    start, end = sorted(rng.randint(0, len(data)) for _ in range(2))
    place = rng.randint(0, len(data))
    data[place:place] = data[start : min(end, start + 40)]


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randint(0, len(data)) :]


def _splice(rng: random.Random, data: bytearray) -> None:
    place = rng.randint(0, len(data))
    data[place:place] = rng.choice((*NUMBERS, *BROKEN, *PIECES)).encode("utf-8", "surrogatepass")


MUTATIONS = (_flip, _flip, _replace, _replace, _insert, _insert, _delete, _delete, _repeat, _splice, _splice, _cut)
