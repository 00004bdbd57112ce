"""`Webhook.explain`: which accident makes a genuine delivery look forged, and nothing of a forgery."""

from __future__ import annotations

import base64
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from listrak_webhooks import Webhook
from support.accidents import ALIKE, WAYS, BodyChange, Trip
from support.helpers import BODY, NOW, SECRET, SIGNATURE, TIMESTAMP, headers_for
from support.sender_json import WRITERS, document

if TYPE_CHECKING:
    from listrak_webhooks import Explanation

LIKELY = {"body_truncated", "body_empty", "header_missing"}
"""What nobody can undo, and so nobody can prove."""


def trip(random: Random) -> Trip:
    """Return a delivery that nothing has happened to yet."""
    writer = random.choice([*WRITERS.values()])
    secret = random.choice(
        ["kZ8vY2mP9qLs4TnW", "0f3a9c5b7d1e4f60a2b4c6d8", "d2hzZWNfTXlTZWNyZXQ5OTk=", "my-Secret_with.dots"]
    )
    return Trip(writer(document(random)).encode(), secret)


def explain(made: Trip) -> Explanation:
    """Return what the endpoint that a delivery arrives at says of it."""
    others = [Webhook(secret) for secret in made.others]
    return Webhook(made.configured).explain(made.received, made.pairs(), now=made.now, others=others)


def is_named(name: str, found: str) -> bool:
    """Return whether a cause is the accident, or one that is as true of the same bytes."""
    return name == found or any({name, found} <= alike for alike in ALIKE)


WAYS_OF_ALL = [
    pytest.param(name, way, id=f"{name}-{index}") for name, ways in WAYS.items() for index, way in enumerate(ways)
]


@pytest.mark.parametrize(("name", "way"), WAYS_OF_ALL)
@pytest.mark.parametrize("seed", range(3))
def test_an_accident_is_named_first(name: str, way: Any, seed: int) -> None:
    """A single accident is the first cause, and proven if it can be undone."""
    random = Random(seed)
    made = trip(random)
    way(made, random)
    while made.body == made.received and isinstance(way, BodyChange):
        # The body was written in that way already.
        made = trip(random)
        way(made, random)
    explanation = explain(made)
    assert [cause.name for cause in explanation.causes][:1] == [name] or is_named(name, explanation.causes[0].name)
    assert explanation.causes[0].proven is (name not in LIKELY)
    assert not explanation.genuine
    assert explanation.code


def test_each_cause_has_three_ways() -> None:
    """Each name of the contract is tried in at least three ways."""
    assert {name: len(ways) for name, ways in WAYS.items() if len(ways) < 3} == {}
    assert len(WAYS) == 36


BODIES = {
    "newline_added",
    "newline_removed",
    "whitespace_trimmed",
    "line_endings_changed",
    "bom_added",
    "bom_removed",
} | {
    "charset_changed",
    "body_base64_encoded",
    "body_compressed",
    "body_form_encoded",
    "body_reserialized",
}
SPELLINGS = {name for name in WAYS if name.startswith(("signature_", "hex_", "base64_"))}
TIMES = {"timestamp_reformatted", "timestamp_in_milliseconds", "timestamp_iso"}
LAYOUTS = {"order_swapped", "separator_added"}
SECRETS = {name for name in WAYS if name.startswith("secret_") or name == "other_secret"}
HEADERS = {"header_renamed", "header_repeated"}
KINDS = [BODIES, SPELLINGS, TIMES, LAYOUTS, SECRETS, HEADERS]


def made_up(random: Random, names: list[str]) -> Trip:
    """Return a delivery to which accidents happen, one after the other, in ways that are chosen at random."""
    made = trip(random)
    chosen = [random.choice(WAYS[name]) for name in names]
    changes = [each for each in chosen if isinstance(each, BodyChange)]
    # What writes the whole body anew comes first.
    for change in sorted(changes, key=lambda each: getattr(each.before, "__name__", "~")):
        change.prepare(made)
    for each in chosen:
        if isinstance(each, BodyChange):
            before, made.received = made.received, each.change(made.received)
            if made.received == before:
                raise ValueError("the body was like that already")
        else:
            each(made, random)
    return made


def single_of(random: Random) -> tuple[str, Trip]:
    """Return an accident and a delivery to which it has happened."""
    while True:
        name = random.choice([*WAYS])
        with suppress(ValueError):
            return name, made_up(random, [name])


def pair_of(random: Random) -> tuple[list[str], Trip]:
    """Return two accidents and a delivery to which both have happened, neither of them undoing the other."""
    while True:
        kinds = random.sample(KINDS, 2) if random.random() < 0.8 else [BODIES, BODIES]
        pair = [random.choice(sorted(kind)) for kind in kinds]
        if (
            len(set(pair)) == 1
            or {"bom_added", "bom_removed"} == set(pair)
            or {"newline_added", "newline_removed"} == set(pair)
        ):
            continue
        # The second cannot happen to everything that the first makes.
        with suppress(ValueError):
            return pair, made_up(random, pair)


def test_of_made_up_accidents_at_least_95_in_100_are_named_first() -> None:
    """Of 150 single accidents, each of them proven, at most 7 are not named or not first."""
    random = Random(150)
    singles = [single_of(random) for _ in range(150)]
    explained = [(name, explain(made).causes) for name, made in singles]
    wrong = [(name, causes) for name, causes in explained if not (causes and is_named(name, causes[0].name))]
    assert len(wrong) <= 7, wrong


def test_of_made_up_pairs_at_least_85_in_100_are_both_named() -> None:
    """Of 60 pairs of different kinds, and of two changes of the body, at most 9 are not the first two causes."""
    random = Random(60)
    wrong = []
    for _ in range(60):
        pair, made = pair_of(random)
        causes = explain(made).causes[:2]
        if not all(any(is_named(name, cause.name) for cause in causes) for name in pair):
            wrong.append((pair, causes))
    assert len(wrong) <= 9, wrong


def test_random_forgeries_have_no_cause() -> None:
    """A forgery of which nothing is known has no cause at all, and never a proven one."""
    random = Random(10_000)
    webhook = Webhook(["kZ8vY2mP9qLs4TnW", "0f3a9c5b7d1e4f60a2b4c6d8"])
    for _ in range(10_000):
        body = random.choice([*WRITERS.values()])(document(random)).encode()
        signature = base64.b64encode(random.randbytes(32)).decode()
        headers = {TIMESTAMP: str(NOW + random.randrange(-900, 900)), SIGNATURE: signature}
        assert webhook.explain(body, headers, now=NOW).causes == ()


def test_random_bytes_have_no_proven_cause() -> None:
    """Whatever is sent, nothing is proven of it that is not genuine."""
    random = Random(1)
    webhook = Webhook(SECRET)
    for _ in range(2_000):
        body = random.randbytes(random.randrange(200))
        values = [random.randbytes(random.randrange(70)) for _ in range(2)]
        pairs = [(TIMESTAMP.encode(), values[0]), (SIGNATURE.encode(), values[1])]
        assert not any(cause.proven for cause in webhook.explain(body, pairs, now=NOW).causes)


@pytest.mark.parametrize(
    ("age", "end"),
    [
        (901, "the clocks differ by 901 seconds"),
        (-901, "the clocks differ by 901 seconds"),
        (-5 * 86_400, "the clocks differ by 5 days"),
        (100_000, "it was signed 100000 seconds ago"),
        (95_619_244, "it was signed 1106 days ago"),
    ],
)
def test_how_far_the_time_is_off_is_a_sentence(age: int, end: str) -> None:
    """The detail says what the number is, in days once they are more than two."""
    (cause,) = Webhook(SECRET).explain(BODY, headers_for(), now=NOW + age).causes
    assert cause.summary.endswith(f": {end}")
