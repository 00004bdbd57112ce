"""What `Webhook.explain` returns: its attributes and forms, its agreement with `verify`, and what it never shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listrak_webhooks import Cause, Explanation, Webhook, WebhookError
from support.helpers import BODY, NOW, SECRET, SIGNATURE, TIMESTAMP, base64_of, headers_for, sign_like_listrak

WEBHOOK = Webhook(SECRET)
FACTS = {
    "body_length",
    "content_length",
    "content_type",
    "content_encoding",
    "starts_with_bom",
    "ends_with_newline",
    "looks_gzipped",
    "looks_base64",
    "looks_form_encoded",
    "is_json",
    "secrets",
    "skew",
}


def explain(body: bytes, headers: Any = None, **options: Any) -> Explanation:
    """Return what is known of a delivery that was signed for `BODY`."""
    return WEBHOOK.explain(body, headers_for() if headers is None else headers, now=NOW, **options)


def test_a_genuine_delivery_has_no_cause() -> None:
    """It has its facts alone."""
    explanation = explain(BODY)
    assert (explanation.genuine, explanation.code, explanation.causes) == (True, None, ())
    assert explanation.facts["skew"] == 0
    assert str(explanation).startswith("genuine\nfacts:")


def test_the_attributes_of_a_cause() -> None:
    """Name, certainty, what happened and what to do."""
    explanation = explain(BODY + b"\n")
    (cause,) = explanation.causes
    assert isinstance(cause, Cause)
    assert (cause.name, cause.proven) == ("newline_added", True)
    assert cause.summary in str(explanation)
    assert cause.advice in str(explanation)
    assert cause == explain(BODY + b"\n").causes[0]
    assert hash(cause) == hash(explain(BODY + b"\n").causes[0])
    assert repr(cause) == "Cause(name='newline_added', proven=True)"
    assert repr(explanation) == "Explanation(code='signature_mismatch', causes=('newline_added',))"


def test_the_form_for_machines() -> None:
    """The attributes by their names, in plain JSON types."""
    explanation = explain(BODY + b"\n", {**headers_for(), "Content-Type": "application/json", "Content-Length": "53"})
    form = explanation.to_dict()
    assert json.loads(json.dumps(form)) == form
    assert [*form] == ["genuine", "code", "causes", "facts"]
    assert [*form["causes"][0]] == ["name", "proven", "summary", "advice"]
    assert form["facts"] == explanation.facts
    assert form["facts"]["content_type"] == "application/json"
    assert form["facts"]["ends_with_newline"] is True


def test_what_is_not_known_is_left_out() -> None:
    """No fact is None, and there are no others than those of the contract."""
    assert {*explain(BODY).facts} == FACTS - {"content_length", "content_type", "content_encoding"}
    everything = {**headers_for(), "Content-Length": "1", "Content-Type": "a", "Content-Encoding": "gzip"}
    assert {*explain(BODY, everything).facts} == FACTS
    assert "skew" not in explain(BODY, {}).facts
    assert "content_length" not in explain(BODY, {"Content-Length": "x"}).facts


@pytest.mark.parametrize(
    ("body", "headers", "options"),
    [
        (None, {}, {}),
        ({"a": 1}, {}, {}),
        (BODY, None, {}),
        (BODY, "LTK-Timestamp: 1", {}),
        (BODY, {}, {"others": WEBHOOK}),
        (BODY, {}, {"others": ["a secret"]}),
    ],
    ids=["no-body", "parsed", "no-headers", "text", "not-a-list", "secrets"],
)
def test_wrong_types_are_type_errors(body: Any, headers: Any, options: Any) -> None:
    """They are the caller's mistakes, as in `verify`."""
    with pytest.raises(TypeError):
        WEBHOOK.explain(body, headers, **options)


@given(
    body=st.one_of(st.just(BODY), st.binary(max_size=100)),
    timestamp=st.one_of(st.just(str(NOW)), st.text(max_size=20)),
    signature=st.one_of(st.just(headers_for()[SIGNATURE]), st.text(max_size=70)),
    now=st.integers(NOW - 2_000, NOW + 2_000),
)
def test_it_agrees_with_verify(body: bytes, timestamp: str, signature: str, now: int) -> None:
    """Whether a delivery is genuine, and with which code it is rejected, is the same."""
    headers = {TIMESTAMP: timestamp, SIGNATURE: signature}
    try:
        WEBHOOK.verify(body, headers, now=now)
        code = None
    except WebhookError as error:
        code = error.code
    assert WEBHOOK.explain(body, headers, now=now).code == code


@given(body=st.one_of(st.just(b'{"email": "jane@example.com"}'), st.binary(min_size=12, max_size=60)))
def test_nothing_of_it_is_secret_or_personal(body: bytes) -> None:
    """Neither the secret, nor a value of the body, nor the MAC that would be right."""
    explanation = explain(body, {**headers_for(), "Content-Type": "text/plain"})
    shown = f"{explanation} {explanation!r} {explanation.to_dict()}"
    mac = sign_like_listrak(SECRET.encode(), body, str(NOW))
    for forbidden in (SECRET, "jane@", base64_of(mac)[:10], mac.hex()[:10], headers_for()[SIGNATURE][:10]):
        assert forbidden not in shown


def test_a_body_that_is_too_large_is_not_looked_at() -> None:
    """It has its length and the facts of its headers."""
    explanation = Webhook(SECRET, max_body=10).explain(BODY, headers_for(), now=NOW)
    assert (explanation.code, explanation.causes) == ("body_too_large", ())
    assert explanation.facts["body_length"] == len(BODY)


def test_a_time_that_is_wrong_too_is_named_behind_what_comes_first() -> None:
    """What is undone would still be rejected."""
    explanation = WEBHOOK.explain(BODY + b"\n", headers_for(), now=NOW + 3_600)
    assert [cause.name for cause in explanation.causes] == ["newline_added", "clock_ahead"]


def test_headers_that_can_be_read_only_once() -> None:
    """They are read once, for the verdict and for the facts."""
    pairs = iter([*headers_for().items(), ("Content-Type", "application/json")])
    explanation = explain(BODY + b"\n", pairs)
    assert explanation.causes[0].name == "newline_added"
    assert explanation.facts["content_type"] == "application/json"
