"""The contact, read in one pass over the bytes: what a lookup in the payload finds, at next to no cost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listrak_webhooks import PayloadError
from support.contact_reference import contact_of
from support.helpers import TESTS
from support.payloads import event_of

NAMES = st.sampled_from(
    [
        *["email", "Email", "E-MAIL", "emailAddress", "email_address", "phone", "PHONE", "phoneNumber", "phoneId"],
        *["contact", "Contact", "customer", "identifiers", "identifierType", "type", "value", "identifier"],
        *["mobile phone", "campaign", "", "\u212a", "\u00c9mail", "cart", "\ud800"],
    ]
)
SCALARS = st.one_of(
    st.sampled_from(["EmailAddress", "email", "Phone_Number", "jane@example.com", "", "caf\u00e9", '"\\\n', "\ud800"]),
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.floats(allow_nan=False, allow_infinity=False),
)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5)),
    max_size=8,
)


@given(DOCUMENTS, st.booleans())
def test_it_is_what_a_lookup_in_the_payload_finds(document: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    """By the reference, and whichever of the two is read first."""
    text = json.dumps(document, ensure_ascii=ascii_only)
    body = text.encode("utf-8", "surrogatepass")
    event, other = event_of(body), event_of(body)
    try:
        expected = contact_of(json.loads(body.decode()))
    except UnicodeDecodeError:
        with pytest.raises(PayloadError):
            _ = event.email
        return
    assert (event.email, event.phone) == expected
    _ = other.payload
    assert (other.phone, other.email) == expected[::-1]


@pytest.mark.parametrize(
    ("body", "email"),
    [
        (b'{"email":"first","email":"last"}', "last"),
        (b'{"email":"first","email":null}', None),
        (b'{"email":"first","email":""}', None),
        (b'{"Email":"other spelling","email":""}', "other spelling"),
        (b'{"emailAddress":"later in the table","EMAIL":"earlier"}', "earlier"),
        (b'{"e_mail":"first in the document","email":"second"}', "first in the document"),
        (b'{"email":5,"emailAddress":"usable"}', "usable"),
        (rb'{"\u0065mail":"escaped key"}', "escaped key"),
        (rb'{"email":"\u006aane"}', "jane"),
        (rb'{"email":"\ud800"}', "\ud800"),
        (rb'{"email":"jane","other":"\ud800"}', "jane"),
        (b'{"contact":{"email":"nested"}}', "nested"),
        (b'{"contact":{"email":"first"},"contact":{}}', None),
        (b'{"contact":[{"email":"in a list"}]}', None),
        (b'{"identifiers":[{"identifierType":"EmailAddress","value":"a"}]}', "a"),
        (b'{"identifiers":[{"identifierType":"PhoneNumber","value":"1"},{"type":"email","identifier":"b"}]}', "b"),
        ('{"email":"caf\u00e9"}'.encode(), "caf\u00e9"),
        (b'{"email":"jane","a":' + b"[" * 250 + b"]" * 250 + b"}", "jane"),
        (b'{"email":"jane","a":' + b"9" * 5000 + b"}", "jane"),
        (b"{" + b",".join(b'"e%smail":"%d"' % (b"_" * n, n) for n in range(1, 200)) + b"}", "1"),
    ],
)
def test_the_edges(body: bytes, email: str | None) -> None:
    """Duplicates, spellings, escapes, and what the payload has limits for."""
    assert event_of(body).email == email


def test_reading_it_builds_no_payload() -> None:
    """Where the payload cannot be built, because it is too deep, the contact is there all the same."""
    event = event_of(b'{"email":"jane","a":' + b"[" * 250 + b"]" * 250 + b"}")
    assert event.email == "jane"
    with pytest.raises(PayloadError):
        _ = event.payload


@pytest.mark.parametrize(
    "body",
    [
        *[b"", b"[]", b"null", b"{", b'{"email":"a"} x', b'{"email":"a",}', b'{"email":"a","b":NaN}', b'{"a":01}'],
        *[
            b'{"email":"a","b":"\xff"}',
            b'{"email":"a","b":"\n"}',
            b'\xef\xbb\xbf\xef\xbb\xbf{"email":"a"}',
            rb'{"a":"\x41"}',
        ],
        *[b'{"email":"a","b":[1,]}', b'{"email":"a","b":"\\u12"}', b'{"email":"a","b":-}', b'{"email" "a"}'],
    ],
)
def test_a_body_that_is_not_a_json_object_has_no_contact(body: bytes) -> None:
    """All of the body is checked, not only what is looked for; and the error shows none of it."""
    event = event_of(body)
    with pytest.raises(PayloadError) as first:
        _ = event.email
    with pytest.raises(PayloadError) as second:
        _ = event.payload
    assert str(first.value) == str(second.value)


MEMORY = """
import sys
sys.path[:0] = sys.argv[1:3]
from benchmarks.harness.machine import rise_of_peak_memory
from support.payloads import event_of
line = b'{"sku":"a","name":"x\\\\u00e9y","price":"44.99","quantity":2}'
lines = b'{"email":"jane@example.com","cart":{"items":[' + b",".join([line] * 77_000) + b']}}'
text = b'{"html":"' + b'<p class=\\\\"x\\\\">y</p>\\\\n' * 200_000 + b'","email":"jane@example.com"}'
for body in (lines, text):
    assert len(body) > 4 * 1024 * 1024, len(body)
    event = event_of(body)
    read = []
    contact = rise_of_peak_memory(lambda: read.append(event.email))
    assert read == ["jane@example.com"], read
    control = rise_of_peak_memory(lambda: read.append(event.payload))
    print(contact, control)
"""

FLAT = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from support.payloads import BODIES, WEBHOOK, SECRET
from support.helpers import NOW, SENT, sign_like_listrak
import json
deliveries = []
for body in map(json.dumps, BODIES.values()):
    raw = body.encode()
    deliveries.append((raw, sign_like_listrak(SECRET, raw, SENT).hex()))
def size():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
def run(times):
    for number in range(times):
        raw, mac = deliveries[number % len(deliveries)]
        event = WEBHOOK.verify_values(raw, SENT, mac, now=NOW)
        event.email
        if number % 10 == 0:
            event.payload, event.items, event.order, event.product, event.page
run(20_000)
before = size()
run(1_000_000)
print(size() - before)
"""


def _run(script: str) -> list[int]:
    command = [sys.executable, "-c", script, str(TESTS), str(TESTS.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory was used")


@linux_only
def test_four_mebibytes_are_read_in_place() -> None:
    """The address costs less than 256 KiB beyond the body, where the payload costs megabytes."""
    lines, all_lines, text, all_text = _run(MEMORY)
    assert all_lines > 8 * 1024 * 1024
    assert all_text > 2 * 1024 * 1024
    assert lines < 256 * 1024
    assert text < 256 * 1024


@linux_only
def test_a_million_deliveries_leave_the_process_as_it_was() -> None:
    """Each with its contact, and every tenth with its payload and all views."""
    [growth] = _run(FLAT)
    assert growth < 1024 * 1024
