"""Zalo's signature: golden values, both disputed terms, and nothing else."""

from __future__ import annotations

import hashlib

import pytest

from connectors.zalo.signature import SignatureCheck

BODY = (
    '{"app_id":"431","event_name":"user_send_text","message":{"text":"chào"},"timestamp":"1763774400123"}'
).encode()
TIME = "1763774400123"
# printf '%s' "431${BODY}1763774400123oa-secret" | sha256sum
GOLDEN = "d4002c962bf96d4f91ae4d7df8b1cbfd1f9e0f5a040f91c1c1f5ceecb28da049"


@pytest.fixture
def check() -> SignatureCheck:
    return SignatureCheck(app_id="431", oa_id="77", oa_secret="oa-secret", app_secret="app-secret")


def mac(first: str, secret: str, body: bytes = BODY, time: str = TIME) -> str:
    return "mac=" + hashlib.sha256(first.encode() + body + time.encode() + secret.encode()).hexdigest()


def test_golden_value(check: SignatureCheck):
    assert check.match(BODY, TIME, f"mac={GOLDEN}") == "app_id+oa_secret"


@pytest.mark.parametrize(
    ("first", "secret", "variant"),
    [
        ("431", "oa-secret", "app_id+oa_secret"),
        ("77", "oa-secret", "oa_id+oa_secret"),
        ("431", "app-secret", "app_id+app_secret"),
        ("77", "app-secret", "oa_id+app_secret"),
    ],
)
def test_every_documented_variant_matches_and_is_named(
    check: SignatureCheck, first: str, secret: str, variant: str
):
    assert check.match(BODY, TIME, mac(first, secret)) == variant


def test_the_same_secret_for_both_is_the_accounts_own():
    check = SignatureCheck(app_id="431", oa_id="", oa_secret="same", app_secret="same")
    assert check.match(BODY, TIME, mac("431", "same")) == "app_id+oa_secret"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "mac=",
        "mac=" + "0" * 64,
        mac("431", "another secret"),
        mac("431", "oa-secret", BODY + b" "),
        mac("431", "oa-secret", time="1763774400124"),
        mac("431", ""),
        mac("", "oa-secret"),
        mac("431", "oa-secret") + "0",
        mac("431", "oa-secret") + "\n" + "x",
    ],
)
def test_anything_else_is_refused(check: SignatureCheck, header: str):
    assert check.match(BODY, TIME, header) is None


def test_raw_bytes_count_and_not_the_json_they_mean(check: SignatureCheck):
    same_json = BODY.replace("chào".encode(), b"ch\\u00e0o")
    assert check.match(same_json, TIME, mac("431", "oa-secret")) is None
    assert check.match(same_json, TIME, mac("431", "oa-secret", same_json)) is not None


def test_upper_case_and_a_bare_value_are_the_same(check: SignatureCheck):
    value = mac("431", "oa-secret").removeprefix("mac=")
    assert check.match(BODY, TIME, value.upper()) == "app_id+oa_secret"


def test_an_empty_secret_signs_nothing():
    check = SignatureCheck(app_id="431", oa_id="77", oa_secret="", app_secret="app-secret")
    assert check.match(BODY, TIME, mac("431", "")) is None
    assert (
        SignatureCheck(app_id="", oa_id="", oa_secret="s", app_secret="s").match(BODY, TIME, mac("", "s"))
        is None
    )
