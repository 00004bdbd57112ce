"""Synthetic people and goods. Domains and phone numbers are reserved for examples, so that nobody is written to."""

from __future__ import annotations

import random
from dataclasses import dataclass

_FIRST_NAMES = ["Jane", "Omar", "Priya", "Lucía", "Chen", "Amara", "Noah", "Zoë", "Mateo", "Ingrid", "Kofi", "Hana"]
_LAST_NAMES = ["Miller", "Haddad", "Raman", "Núñez", "Wei", "Okafor", "Fischer", "Laurent", "Silva", "Berg", "Mensah"]
_STREETS = ["Orange Street", "Market Square", "Duke Street", "Mill Lane", "Harbor Road"]
_CITIES = [
    ("Lititz", "PA", "17543"),
    ("Austin", "TX", "78701"),
    ("Portland", "OR", "97205"),
    ("Madison", "WI", "53703"),
]
_AREA_CODES = ["717", "512", "503", "608", "212"]
_ASCII = str.maketrans("áéíóúñë", "aeioune")


@dataclass(frozen=True)
class Goods:
    """Something that the shop sells."""

    sku: str
    name: str
    price: str
    brand: str
    category: str
    sub_category: str
    color: str
    size: str
    gender: str
    description: str


GOODS = [
    Goods(
        "9843723-red", "Women's Cabana Top", "44.99", "Palm & Pine", "Swimwear", "Tops", "Red", "M", "Women",
        "A top that dries in the time of one espresso.",
    ),
    Goods(
        "0020417-ecru", "Café Mug, Set of 2", "24.50", "Kiln", "Home", "Kitchen", "Ecru", "One Size", "Unisex",
        "Two mugs of stoneware, glazed by hand.",
    ),
    Goods(
        "7710034-navy", "Men's Harbor Jacket", "129.00", "Northpier", "Outerwear", "Jackets", "Navy", "L", "Men",
        "Windproof and waxed.",
    ),
    Goods(
        "5520981-sage", "Linen Throw “Åre”", "59.95", "Kiln", "Home", "Bedding", "Sage", "One Size", "Unisex",
        "Washed linen with a fringe.",
    ),
    Goods(
        "3300512-08", "Trail Runner", "98.00", "Northpier", "Shoes", "Running", "Graphite", "8", "Women",
        "Grip for wet stone, and 240 g.",
    ),
    Goods(
        "6104410-gold", 'Sun Hat "Riviera"', "36.00", "Palm & Pine", "Accessories", "Hats", "Gold", "One Size", "Women",
        "Woven paper straw; folds flat.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Shopper:
    """Somebody who left a cart, and everything about the occasion that is random."""

    email: str
    phone: str
    address: dict[str, str]
    goods: list[Goods]
    quantities: list[int]
    number: str
    """Ten digits with a zero in front, as order numbers may have it."""
    token: str
    """Hexadecimal digits, such as a cart's link has."""

    @property
    def coupon(self) -> str:
        """A code that only this shopper has."""
        return f"SAVE10-{self.token[:6].upper()}"


JANE = Shopper(
    email="jane@example.com",
    phone="17175550136",
    address={
        "firstName": "Jane", "lastName": "Miller", "addressLine1": "12 Orange Street", "city": "Lititz", "state": "PA",
        "zipCode": "17543", "country": "US",
    },
    goods=GOODS,
    quantities=[2, 1],
    number="0531435151",
    token="5f0c2a91e7",  # noqa: S106  # of a cart
)  # fmt: skip
"""Who it is without a seed."""


def shopper(seed: int | str | None) -> Shopper:
    """Return the shopper of a seed, the same each time."""
    if seed is None:
        return JANE
    chance = random.Random(f"shopper {seed}")  # noqa: S311  # nothing secret comes of it
    first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    city, state, zip_code = chance.choice(_CITIES)
    number = chance.randrange(10**9)
    name = f"{first}.{last}".lower().translate(_ASCII)
    return Shopper(
        email=f"{name}.{number % 10**5:05}@example.{chance.choice(['com', 'net', 'org'])}",
        phone=f"1{chance.choice(_AREA_CODES)}55501{chance.randrange(100):02}",
        address={
            "firstName": first,
            "lastName": last,
            "addressLine1": f"{chance.randint(1, 240)} {chance.choice(_STREETS)}",
            "city": city,
            "state": state,
            "zipCode": zip_code,
            "country": "US",
        },
        goods=chance.sample(GOODS, len(GOODS)),
        quantities=[chance.randint(1, 4) for _ in range(chance.randint(1, 4))],
        number=f"{number:010}",
        token=f"{chance.getrandbits(40):010x}",
    )
