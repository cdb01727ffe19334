"""What Meta's error codes mean, by code and never by words."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.messenger.errors import classify
from connectors.messenger.usage import pause
from vntext.catalogue import lookup

AUTH, LATER, NEVER = "auth", "transient", "permanent"


def error(code: int, subcode: int | None = None, kind: str = "OAuthException", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"message": "Lỗi bất kỳ", "type": kind, "code": code, "fbtrace_id": "A1", **more}
    return {"error": found if subcode is None else {**found, "error_subcode": subcode}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (401, error(190), AUTH, "token_invalid"),
        (401, error(190, 463), AUTH, "token_invalid"),
        (401, error(104), AUTH, "token_invalid"),
        (401, error(102), AUTH, "token_invalid"),
        (403, error(10), AUTH, "no_permission"),
        (403, error(3), AUTH, "no_permission"),
        (403, error(200), AUTH, "no_permission"),
        (403, error(230), AUTH, "no_permission"),
        (400, error(100, kind="GraphMethodException"), AUTH, "wrong_secret_or_page"),
        (400, error(100, 33, kind="GraphMethodException"), AUTH, "wrong_secret_or_page"),
        (500, error(1), LATER, "provider_fault"),
        (503, error(2), LATER, "provider_fault"),
        (400, error(1200), LATER, "provider_fault"),
        (403, error(4), LATER, "rate_limited"),
        (403, error(17), LATER, "rate_limited"),
        (403, error(32), LATER, "rate_limited"),
        (403, error(613), LATER, "rate_limited"),
        (400, error(80004), LATER, "rate_limited"),
        (400, error(80006), LATER, "rate_limited"),
        (429, error(9999), LATER, "rate_limited"),
        (500, error(9999), LATER, "provider_fault"),
        (400, error(9999, is_transient=True), LATER, "provider_fault"),
        (403, error(10, 2018278), NEVER, "outside_window"),
        (403, error(10, 2018065), NEVER, "outside_window"),
        (403, error(10, 2534022), NEVER, "outside_window"),
        (403, error(10, 2018108), NEVER, "recipient_unavailable"),
        (403, error(10, 2018300), NEVER, "other_app_in_control"),
        (400, error(551), NEVER, "recipient_unavailable"),
        (400, error(551, 1545041), NEVER, "recipient_unavailable"),
        (403, error(200, 1545041), NEVER, "recipient_unavailable"),
        (403, error(200, 2018028), NEVER, "app_not_live"),
        (400, error(100), NEVER, "invalid_message"),
        (400, error(100, 2018001), NEVER, "unknown_recipient"),
        (400, error(100, 2018047), NEVER, "attachment_refused"),
        (400, error(100, 2018074), NEVER, "attachment_gone"),
        (400, error(105), NEVER, "invalid_message"),
        (400, error(368), NEVER, "refused_by_policy"),
        (400, error(9999), NEVER, "meta_9999"),
        (400, error(9999, 5), NEVER, "meta_9999_5"),
        (503, None, LATER, "http_503"),
        (200, None, LATER, "http_200"),
        (502, {"error": "bad gateway"}, LATER, "http_502"),
        (429, None, LATER, "rate_limited"),
        (401, None, AUTH, "token_invalid"),
        (400, ["?"], LATER, "http_400"),
        (400, {"error": {"code": "10"}}, LATER, "http_400"),
    ],
)
def test_classes(status: int, body: Any, kind: str, reason: str) -> None:
    fault = classify(status, body)
    assert (fault.kind, fault.reason) == (kind, reason)
    result = fault.result(retry_after=7.0)
    assert (result.status, result.error) == (kind, reason)
    assert result.retry_after == (7.0 if kind == LATER else None)


def test_words_decide_nothing() -> None:
    said = error(100, 2018001, message="(#190) token expired, rate limit")
    assert classify(400, said).reason == "unknown_recipient"


def test_every_reason_is_explained_in_vietnamese() -> None:
    reasons = {classify(400, error(code, sub)).reason for code in range(1, 700) for sub in (None, 2018278)}
    reasons |= {classify(400, error(100, sub)).reason for sub in range(2018000, 2018400)}
    explained = lookup("channels.errors")
    assert {reason for reason in reasons if not reason.startswith("meta_")} <= set(explained)


BUSINESS = '{"108": [{"type": "messenger", "call_count": %s, "estimated_time_to_regain_access": %s}]}'


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"X-App-Usage": '{"call_count": 99, "total_time": 25, "total_cputime": 25}'}, 0),
        ({"X-App-Usage": '{"call_count": 100, "total_time": 25, "total_cputime": 25}'}, 60),
        ({"X-Page-Usage": '{"call_count": 3, "total_time": 25, "total_cputime": 101}'}, 60),
        ({"X-Business-Use-Case-Usage": BUSINESS % (100, 5)}, 300),
        ({"X-Business-Use-Case-Usage": BUSINESS % (100, 0)}, 60),
        ({"X-Business-Use-Case-Usage": BUSINESS % (20, 0)}, 0),
        ({"X-Business-Use-Case-Usage": BUSINESS % (100, 100_000)}, 3_600),
        ({"X-App-Usage": "nonsense", "X-Page-Usage": "[1]", "X-Business-Use-Case-Usage": '{"1": 2}'}, 0),
        ({"X-App-Usage": '{"call_count": "100", "total_time": true}'}, 0),
    ],
)
def test_pauses(headers: dict[str, str], seconds: float) -> None:
    assert pause(headers) == seconds
