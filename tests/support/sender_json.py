"""JSON as different senders write it, in the words of the standard library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

NAMES = [
    "Women's Cabana Top",
    "Café crème",
    "Größe 42/43",
    "日本の皿",
    'The "Best" <Mug> & Co',
    "Sofa \u2013 3 seats",
    "Plain shirt",
]


def document(random: Random) -> dict[str, Any]:
    """Return one of the payloads that a shop could have."""
    items = [
        {
            "sku": f"{random.randrange(10**6):06d}-{random.choice(['red', 'xl', 'b'])}",
            "quantity": random.randrange(1, 9),
            "price": random.choice([44.99, 15.5, 24.95, 8.25]),
            "name": random.choice(NAMES),
            "imageUrl": f"https://img.example/{random.randrange(999)}.jpg",
            "category": random.choice(["Swimwear", None, "Dining"]),
        }
        for _ in range(random.randrange(1, 6))
    ]
    return random.choice(
        [
            {
                "cart": {"link": "https://shop.example/cart?a=1&b=2", "total": "89.98", "items": items},
                "email": "jane@example.com",
            },
            {"orderNumber": "0531435151", "orderTotal": 47.25, "items": items, "email": "jo@example.com"},
            {"campaign": "vip-mailer", "template": random.randrange(99), "name": random.choice(NAMES)},
            {"page": "/category/swimwear", "data": '{"season":"summer"}', "note": random.choice(NAMES)},
        ]
    )


def net(text: str) -> str:
    """Return compact raw JSON as .NET's System.Text.Json escapes it."""
    escaped = {character: f"\\u{ord(character):04X}" for character in "<>&'+`"}
    made = "".join(
        escaped.get(each, each) if each.isascii() else "".join(f"\\u{unit:04X}" for unit in units(each))
        for each in text
    )
    return made.replace('\\"', "\\u0022")


def units(character: str) -> list[int]:
    """Return the UTF-16 units of a character."""
    data = character.encode("utf-16-be")
    return [int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2)]


def dumps(value: object, **options: Any) -> str:
    """Return JSON with characters beyond ASCII as they are, compact unless `options` say something else."""
    return json.dumps(value, **{"ensure_ascii": False, "separators": (",", ":"), **options})


def go(value: object) -> str:
    """Return JSON as Go's json.Marshal writes a map."""
    text = dumps(value, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


WRITERS: dict[str, Callable[[Any], str]] = {
    "JavaScript": dumps,
    "Python": json.dumps,
    "Python, raw": lambda value: json.dumps(value, ensure_ascii=False),
    "Python, indented": lambda value: json.dumps(value, indent=4),
    "JavaScript, indented": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    "Newtonsoft, indented": lambda value: json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\r\n"),
    "tabs": lambda value: json.dumps(value, indent="\t", ensure_ascii=False),
    ".NET": lambda value: net(dumps(value)),
    "PHP": lambda value: json.dumps(value, separators=(",", ":")).replace("/", "\\/"),
    "PHP, raw": lambda value: dumps(value).replace("/", "\\/"),
    "Go": go,
    "compact ASCII": lambda value: json.dumps(value, separators=(",", ":")),
    "compact, sorted": lambda value: dumps(value, sort_keys=True),
}
"""How the usual serializers write, in the standard library's words."""


def money(text: str) -> str:
    """Return JSON with two decimals in each price, as a decimal type writes it."""
    value = json.loads(text, parse_float=lambda number: f"@{float(number):.2f}@")
    return dumps(value).replace('"@', "").replace('@"', "")
