"""Near-forgeries: deliveries that differ from a genuine one in as little as a bit, and genuine ones between them.

Some are genuine all the same, such as one whose hex is in another case: what each of them is, the reference says.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import listrak_webhooks
from listrak_webhooks import Event, Webhook, WebhookError
from support.helpers import SIGNATURE, TIMESTAMP, base64_of

from . import reference, spellings
from .campaign import CHUNK, WrongError, shown
from .reference import ACCEPTED, Receiver, Verdict

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from .campaign import Tally

    Attack = Callable[[random.Random, "Draft"], None]

YEAR = 365 * 24 * 60 * 60
LARGE = 64 * 1024
PER_DELIVERY = 20


class Draft:
    """A delivery that is genuine until it is attacked."""

    def __init__(self, rng: random.Random, receiver: Receiver) -> None:
        self.receiver = receiver
        self.secret_index = rng.randrange(len(receiver.secrets))
        self.secret = receiver.secrets[self.secret_index]
        self.genuine_body = draw_body(rng)
        self.sent = str(rng.choice((rng.randint(10**9, 10**10 - 1), rng.randint(1_600_000_000, 1_900_000_000))))
        self.mac = mac_of(self.secret, self.genuine_body + self.sent.encode())
        self.renew(rng)

    def renew(self, rng: random.Random) -> None:
        """Make it genuine again, perhaps in the other encoding."""
        self.is_hex = rng.random() < {"any": 0.5, "base64": 0.1, "hex": 0.9}[self.receiver.encoding]
        self.body = self.genuine_body
        self.timestamp: str | bytes | None = self.sent
        self.signature: str | bytes | None = self.mac.hex() if self.is_hex else base64_of(self.mac)
        self.now: float = int(self.sent)

    def claim(self, mac: bytes) -> None:
        """Have the signature spell another MAC."""
        self.signature = mac.hex() if self.is_hex else base64_of(mac)

    def sign(self, message: bytes) -> None:
        """Have the signature spell the MAC of a message."""
        self.claim(mac_of(self.secret, message))

    def __repr__(self) -> str:
        names = ("receiver", "body", "timestamp", "signature", "now")
        return "".join(f"\n    {name} = {shown(getattr(self, name))}" for name in names)


def mac_of(key: bytes, message: bytes) -> bytes:
    """Return an HMAC-SHA256."""
    return hmac.digest(key, message, "sha256")


def draw_body(rng: random.Random) -> bytes:
    """Return a body: most are short, and many end in what could be taken for the beginning of a timestamp."""
    kind = rng.random()
    if kind < 0.01:
        return rng.randbytes(1024) * (LARGE // 1024) + rng.randbytes(rng.randrange(9))
    if kind < 0.3:
        return rng.randbytes(rng.randrange(40)) + str(rng.randrange(10 ** rng.randrange(1, 25))).encode()
    if kind < 0.5:
        return rng.randbytes(rng.randrange(80))
    if kind < 0.55:
        return b""
    document = {"email": "jane@example.com", "campaign": rng.choice(("vip", "caf\u00e9")), "total": rng.random()}
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode()


def draw_receiver(rng: random.Random) -> Receiver:
    """Return the settings of a webhook."""
    secrets = [draw_secret(rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    return Receiver(
        tuple(secrets),
        tolerance=rng.choice((900, 900, 900, 0, 1, 86_400, YEAR)),
        encoding=rng.choice(("any", "any", "any", "base64", "hex")),
        max_body=rng.choices((4 * 1024 * 1024, 60), (9, 1))[0],
    )


def draw_secret(rng: random.Random) -> bytes:
    """Return a secret of a length around those at which HMAC treats a key in another way."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=-_"
    length = rng.choice((12, 16, 32, 44, 63, 64, 65, 100))
    text = "".join(rng.choices(alphabet, k=length))
    return (text[:-2] + "\u00e9" if rng.random() < 0.2 else text).encode()


def flip(rng: random.Random, data: bytes, bits: int = 1) -> bytes:
    """Return `data` with some of its bits the other way round."""
    if not data:
        return b"\x01"
    number = int.from_bytes(data, "little")
    for _ in range(bits):
        number ^= 1 << rng.randrange(8 * len(data))
    return number.to_bytes(len(data), "little")


def text_of(draft: Draft) -> str:
    """Return the signature as text, whatever other attacks have made of it."""
    signature = draft.signature
    return signature if isinstance(signature, str) and signature else "A" * 43 + "="


# The attacks, by group. Each changes a draft; now and then one meets the result of another.


def attack_mac(rng: random.Random, draft: Draft) -> None:
    """Claim a MAC that is nearly the right one."""
    mac = draft.mac
    part = rng.randrange(1, 32)
    nearly = (
        lambda: flip(rng, mac),
        lambda: flip(rng, mac),
        lambda: flip(rng, mac, 2),
        lambda: flip(rng, mac, rng.randrange(3, 200)),
        lambda: mac[:part] + rng.randbytes(32 - part),
        lambda: rng.randbytes(part) + mac[part:],
        lambda: mac[:part] + bytes(32 - part),
        lambda: mac[part:] + mac[:part],
        lambda: mac[:31] + bytes([mac[31] ^ rng.randrange(1, 256)]),
        lambda: bytes([mac[0] ^ rng.randrange(1, 256)]) + mac[1:],
        lambda: mac[::-1],
        lambda: bytes(byte ^ 0xFF for byte in mac),
        lambda: rng.choice((bytes(32), b"\xff" * 32, b"0" * 32, rng.randbytes(32))),
        lambda: mac[:part],
        lambda: mac + rng.choice((b"\0", mac, mac[:1], rng.randbytes(part))),
    )
    draft.claim(rng.choice(nearly)())


def attack_signature_text(rng: random.Random, draft: Draft) -> None:
    """Spell the right MAC in another way."""
    table = spellings.COMMON
    if rng.random() < 0.5:
        # They need the MAC as it is, whatever another attack has done to it.
        draft.claim(draft.mac)
        table = spellings.OF_HEX if draft.is_hex else spellings.OF_BASE64
    draft.signature = table[rng.choice([*table])](rng, text_of(draft))


def attack_signature_bits(rng: random.Random, draft: Draft) -> None:
    """Flip bits of the signature's text, which can change the case of a hex digit and then is genuine."""
    draft.signature = flip(rng, text_of(draft).encode("utf-8", "surrogatepass"), rng.choice((1, 1, 2)))


def attack_body(rng: random.Random, draft: Draft) -> None:
    """Change the body by a bit, a byte, or what a proxy or a parser does to it."""
    body = draft.body
    at = rng.randint(0, len(body))
    changes = (
        lambda: flip(rng, body),
        lambda: flip(rng, body),
        lambda: flip(rng, body, 2),
        lambda: body[:at] + rng.choice((b" ", b"\n", b"\0", b"0", rng.randbytes(1))) + body[at:],
        lambda: body[:at] + body[at + 1 :],
        lambda: body[:at],
        lambda: body[at:],
        lambda: body + rng.choice((b"\n", b"\r\n", b" ", b"\0", b"0", b"=", b"&", b"}", rng.randbytes(3))),
        lambda: rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b" ", b"\n", b"\0")) + body,
        lambda: body.strip() + b"",
        lambda: body.swapcase(),
        lambda: body.replace(b'": ', b'":').replace(b", ", b","),
        lambda: body.replace(b"\n", b"\r\n") + rng.choice((b"", b"\r\n")),
        lambda: body.decode("latin-1").encode("utf-8"),
        lambda: body.decode("utf-8", "replace").encode("utf-8"),
        lambda: body.decode("utf-8", "ignore").encode("utf-16"),
        lambda: body.replace(b"caf\\u00e9", "caf\u00e9".encode()).replace(b"jane", b"j\\u0061ne"),
        lambda: gzip.compress(body, 1) if len(body) < LARGE else b"",
        lambda: body + body,
        lambda: b"",
    )
    draft.body = rng.choice(changes)()


def attack_timestamp(rng: random.Random, draft: Draft) -> None:
    """Change the timestamp by a bit or a digit."""
    if rng.random() < 0.3:
        draft.timestamp = flip(rng, draft.sent.encode(), rng.choice((1, 1, 2)))
        return
    sent = int(draft.sent)
    nearby = sent + rng.choice((1, -1, 10, -10, 60, -60, rng.randint(-900, 900), 10 ** rng.randrange(10)))
    draft.timestamp = str(nearby)
    draft.now = rng.choice((sent, nearby))


def attack_timestamp_text(rng: random.Random, draft: Draft) -> None:
    """Spell the time in another way, and perhaps sign that, as only one who has the secret can."""
    table = spellings.OF_A_TIMESTAMP if rng.random() < 0.6 else spellings.COMMON
    draft.timestamp = table[rng.choice([*table])](rng, draft.sent)
    if rng.random() < 0.6:
        draft.sign(draft.body + draft.timestamp.encode("utf-8", "surrogatepass"))


def attack_split(rng: random.Random, draft: Draft) -> None:
    """Divide the signed bytes elsewhere: there is no separator, so digits can move between body and timestamp."""
    message = draft.genuine_body + draft.sent.encode()
    if rng.random() < 0.2:
        # The same with the divided text signed anew, as a sender would whose timestamps are longer or shorter.
        message = draft.genuine_body + str(rng.randrange(10 ** rng.randrange(1, 25))).encode()
        draft.sign(message)
    length = rng.choice((9, 11, 10, 13, rng.randrange(1, 30)))
    draft.body, draft.timestamp = message[:-length], message[-length:]
    if draft.timestamp.isdigit():
        # The clock of a receiver that would take it for a time.
        draft.now = min(int(draft.timestamp), 2**62)


def attack_message(rng: random.Random, draft: Draft) -> None:
    """Sign something that resembles body and timestamp, with the right secret."""
    body, sent = draft.body, draft.sent.encode()
    separators = (b".", b":", b"\n", b"\r\n", b" ", b",", b";", b"|", b"&", b"-", b"\0", b"}", b"t=", b"v0:")
    resembling = (
        lambda: body + rng.choice(separators) + sent,
        lambda: sent + rng.choice((b"", *separators)) + body,
        lambda: body,
        lambda: sent,
        lambda: b"",
        lambda: body + sent + rng.choice((*separators, sent, body)),
        lambda: rng.choice(separators) + body + sent,
        lambda: body + int(sent).to_bytes(8, rng.choice(("big", "little"))),
        lambda: body + sent + b"000",
        lambda: body.hex().encode() + sent,
        lambda: hashlib.sha256(body).digest() + sent,
        lambda: hashlib.sha256(body + sent).digest(),
        lambda: body.strip() + sent,
        lambda: b"POST /listrak " + body + sent,
        lambda: body + str(int(sent) + rng.choice((1, -1, 3600, -3600))).encode(),
    )
    draft.sign(rng.choice(resembling)())


def attack_key(rng: random.Random, draft: Draft) -> None:
    """Sign with a key that resembles a secret."""
    secret, message = draft.secret, draft.body + draft.sent.encode()
    part = rng.randrange(1, len(secret))
    other = rng.choice(draft.receiver.secrets)
    keys = (
        lambda: b"",
        lambda: flip(rng, secret),
        lambda: secret[:part],
        lambda: secret[part:],
        lambda: secret[:-1],
        lambda: secret + rng.choice((b"\0", b"\n", b" ", b"\r\n", b"=", secret)),
        lambda: rng.choice((b" ", b'"', b"\xef\xbb\xbf")) + secret,
        lambda: secret.lower(),
        lambda: secret.upper(),
        lambda: secret[::-1],
        lambda: secret.hex().encode(),
        lambda: base64_of(secret).encode(),
        lambda: hashlib.sha256(secret).digest(),
        lambda: secret.decode().encode("utf-16-le"),
        lambda: secret.decode().encode("latin-1"),
        lambda: b"".join(draft.receiver.secrets) + b"x",
        lambda: other,
        lambda: repr(draft.receiver.secrets).encode(),
        lambda: rng.choice((b"None", b"secret", b"null", b"${LISTRAK_WEBHOOK_SECRET}", bytes(64))),
        lambda: rng.randbytes(32),
    )
    draft.claim(mac_of(rng.choice(keys)(), message))


def attack_hash(rng: random.Random, draft: Draft) -> None:
    """Make something other than HMAC-SHA256 of the right secret and message."""
    secret, message = draft.secret, draft.body + draft.sent.encode()
    name = rng.choice(("sha1", "md5", "sha224", "sha384", "sha512", "sha3_256", "blake2s"))
    others = (
        lambda: hashlib.sha256(secret + message).digest(),
        lambda: hashlib.sha256(message + secret).digest(),
        lambda: hashlib.sha256(message).digest(),
        lambda: mac_of(message, secret),
        lambda: hmac.digest(secret, message, name),
        lambda: hmac.digest(secret, message, name).ljust(32, b"\0")[:32],
        lambda: hmac.digest(secret, message, name)[-32:],
        lambda: mac_of(secret, mac_of(secret, message)),
        lambda: hashlib.blake2b(message, key=secret[:64], digest_size=32).digest(),
    )
    draft.claim(rng.choice(others)())


def attack_window(rng: random.Random, draft: Draft) -> None:
    """Leave the delivery genuine, and move our own clock to the edges of the window and beyond."""
    tolerance = draft.receiver.tolerance
    distance = rng.choice((tolerance, tolerance + 1, tolerance - 1, rng.randrange(2 * tolerance + 2), 0, 10**10))
    draft.now = int(draft.sent) + rng.choice((distance, -distance)) + rng.choice((0, 0, 0.25, 0.999))
    if rng.random() < 0.05:
        draft.now = rng.choice((0, -1, -0.5, 2**62 - 1, -(2**62), 1e18, -1e18, 2**63 - 1, -(2**63)))


def attack_presence(rng: random.Random, draft: Draft) -> None:
    """Take a value away, or put it into the other's place."""
    draft.timestamp, draft.signature = rng.choice(
        (
            (None, draft.signature),
            (draft.timestamp, None),
            (None, None),
            ("", draft.signature),
            (draft.timestamp, b""),
            (draft.signature, draft.timestamp),
            (draft.timestamp, draft.timestamp),
            (draft.signature, draft.signature),
        )
    )


def attack_size(rng: random.Random, draft: Draft) -> None:
    """Bring the body to the limit and beyond, signed or not."""
    limit = draft.receiver.max_body
    size = rng.choice((limit, limit + 1, limit - 1)) if limit < LARGE else LARGE + rng.choice((-1, 0, 1))
    if limit >= LARGE and rng.random() < 0.9:
        # A large body is a large part of all the time.
        size = rng.randrange(100)
    draft.body = (draft.body * (size // max(1, len(draft.body)) + 1))[:size].ljust(size, b" ")
    if rng.random() < 0.7:
        draft.sign(draft.body + draft.sent.encode())


def attack_nothing(rng: random.Random, draft: Draft) -> None:
    """Leave it genuine."""


ATTACKS: dict[Attack, int] = {
    attack_mac: 20,
    attack_signature_text: 16,
    attack_signature_bits: 5,
    attack_body: 14,
    attack_timestamp: 8,
    attack_timestamp_text: 9,
    attack_split: 8,
    attack_message: 6,
    attack_key: 6,
    attack_hash: 4,
    attack_window: 6,
    attack_presence: 3,
    attack_size: 3,
    attack_nothing: 4,
}
"""All of them, and of how many cases in a hundred or so."""


def ask(rng: random.Random, webhook: Any, draft: Draft) -> Event:
    """Have the delivery verified by one of the ways there are; they all must say the same."""
    body: Any = draft.body
    timestamp, signature = draft.timestamp, draft.signature
    way = rng.getrandbits(7)
    if way & 3 == 1:
        body = bytearray(body) if way & 4 else memoryview(body)
    elif way & 3 == 2 and body.isascii():
        body = body.decode()
    if way & 8:
        timestamp = in_the_other_type(timestamp)
    if way & 16:
        signature = in_the_other_type(signature)
    if way & 32:
        return webhook.verify_values(body, timestamp, signature, now=draft.now)  # type: ignore[no-any-return]
    headers: Any = [(TIMESTAMP, timestamp), (b"ltk-hmacsignature", signature)]
    if way & 64:
        headers = {"ltk-timestamp": timestamp, SIGNATURE: signature}
    return webhook.verify(body, headers, now=draft.now)  # type: ignore[no-any-return]


def in_the_other_type(value: str | bytes | None) -> str | bytes | None:
    """Return text as bytes and, if that means the same, bytes as text."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value.decode() if value is not None and value.isascii() else value


def make_webhook(receiver: Receiver) -> Any:
    """Return what is under attack."""
    return Webhook(
        list(receiver.secrets),
        tolerance=receiver.tolerance,
        encoding=receiver.encoding,  # type: ignore[arg-type]
        max_body=receiver.max_body,
    )


def run(rng: random.Random, tally: Tally, make: Callable[[Receiver], Any] = make_webhook) -> None:
    """Attack the webhooks that `make` makes with a chunk of cases."""
    receivers = [draw_receiver(rng) for _ in range(5)]
    webhooks = [make(receiver) for receiver in receivers]
    attacks, weights = [*ATTACKS], [*ATTACKS.values()]
    for number in range(CHUNK):
        if number % PER_DELIVERY == 0:
            which = rng.randrange(len(receivers))
            draft = Draft(rng, receivers[which])
        draft.renew(rng)
        chosen = rng.choices(attacks, weights, k=2 if rng.random() < 0.1 else 1)
        for attack in chosen:
            attack(rng, draft)
        expected = reference.verdict(draft.receiver, draft.body, draft.timestamp, draft.signature, draft.now)
        name = " + ".join(attack.__name__.removeprefix("attack_") for attack in chosen)
        problem = compare(rng, webhooks[which], draft, expected)
        if problem:
            raise WrongError(f"{name}: {problem}{draft!r}")
        tally.add(name if len(chosen) == 1 else "two at once", expected.outcome)


def compare(rng: random.Random, webhook: Any, draft: Draft, expected: Verdict) -> str:
    """Return what is wrong with the verdict, or nothing."""
    try:
        event = ask(rng, webhook, draft)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 -- a panic of the core is one
        return compare_error(error, draft, expected)
    if expected.outcome != ACCEPTED:
        return f"it was accepted, and should be: {expected.outcome}"
    told = (event.id, event.body, event.timestamp, event.expires_at, event.secret_index, event.encoding)
    sent = int(draft.timestamp or 0)
    until = sent + draft.receiver.tolerance
    meant = (expected.mac.hex(), draft.body, sent, until, expected.secret_index, expected.encoding)
    return "" if told == meant else f"the event says {shown(told)} and should say {shown(meant)}"


def compare_error(error: BaseException, draft: Draft, expected: Verdict) -> str:
    """Return what is wrong with a rejection, or nothing."""
    kind = type(error)
    if kind is not getattr(listrak_webhooks, expected.outcome, None) or not isinstance(error, WebhookError):
        return f"it came to {kind.__name__} ({shown(str(error))}), and should be: {expected.outcome}"
    if expected.skew and getattr(error, "skew", None) != expected.skew:
        return f"the skew is {getattr(error, 'skew', None)} and should be {expected.skew}"
    if error.__cause__ is not None or error.__context__ is not None:
        return "the rejection carries another exception"
    text = str(error)
    forbidden = [draft.mac.hex(), base64_of(draft.mac), draft.secret.decode()]
    if any(secret in text for secret in forbidden):
        return f"the message shows a MAC or a secret: {shown(text)}"
    return ""
