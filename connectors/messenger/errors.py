"""What the Graph API's error codes mean for a message: try again, mend the credentials, or give it up.

Decided by code, subcode and type, never by the words, which Meta translates and rewrites. The short codes of
ours are explained to the operators in `vntext/messages/channels.yml` under `errors`.

Sources: https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes and
https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from connectors.base import SendResult

Kind = Literal["auth", "transient", "permanent"]

_RATE = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
"""Codes that say "slower"."""

_BY_SUBCODE: dict[tuple[int, int], tuple[Kind, str]] = {
    (10, 2018278): ("permanent", "outside_window"),
    (10, 2018065): ("permanent", "outside_window"),
    (10, 2534022): ("permanent", "outside_window"),
    (10, 2018108): ("permanent", "recipient_unavailable"),
    (10, 2018300): ("permanent", "other_app_in_control"),
    (100, 2018001): ("permanent", "unknown_recipient"),
    (100, 2018108): ("permanent", "recipient_unavailable"),
    (100, 2018047): ("permanent", "attachment_refused"),
    (100, 2018074): ("permanent", "attachment_gone"),
    (200, 1545041): ("permanent", "recipient_unavailable"),
    (200, 2018028): ("permanent", "app_not_live"),
    (551, 1545041): ("permanent", "recipient_unavailable"),
}
_BY_CODE: dict[int, tuple[Kind, str]] = {
    1: ("transient", "provider_fault"),
    2: ("transient", "provider_fault"),
    1200: ("transient", "provider_fault"),
    3: ("auth", "no_permission"),
    10: ("auth", "no_permission"),
    102: ("auth", "token_invalid"),
    104: ("auth", "token_invalid"),
    190: ("auth", "token_invalid"),
    100: ("permanent", "invalid_message"),
    105: ("permanent", "invalid_message"),
    194: ("permanent", "invalid_message"),
    368: ("permanent", "refused_by_policy"),
    551: ("permanent", "recipient_unavailable"),
}

RATE_LIMITED = "rate_limited"


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of the Graph API, sorted.

    Attributes:
        reason: a short code of ours.
        code, subcode: Meta's.
    """

    kind: Kind
    reason: str
    code: int | None = None
    subcode: int | None = None

    def result(self, retry_after: float | None = None) -> SendResult:
        """Return it as the outbox reads it."""
        match self.kind:
            case "auth":
                return SendResult.auth(self.reason)
            case "transient":
                return SendResult.transient(self.reason, retry_after=retry_after)
            case "permanent":
                return SendResult.permanent(self.reason)


class GraphError(Exception):
    """The Graph API did not do what it was asked.

    Attributes:
        fault: why.
        retry_after: seconds after which another try makes sense, where Meta says so.
    """

    def __init__(self, fault: Fault, retry_after: float | None = None) -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.retry_after = retry_after

    def result(self) -> SendResult:
        """Return it as the outbox reads it."""
        return self.fault.result(self.retry_after)


def classify(status: int, body: Any) -> Fault:
    """Return what an answer that is not a success means.

    Args:
        status: HTTP status.
        body: the parsed JSON, or None where it was none.
    """
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return _by_status(status)
    code: int = error["code"]
    subcode = error.get("error_subcode")
    subcode = subcode if isinstance(subcode, int) else None
    kind, reason = _sorted(status, code, subcode, error)
    return Fault(kind, reason, code, subcode)


def _sorted(status: int, code: int, subcode: int | None, error: dict[str, Any]) -> tuple[Kind, str]:
    if subcode is not None and (code, subcode) in _BY_SUBCODE:
        return _BY_SUBCODE[code, subcode]
    if code in _RATE or status == 429:
        return "transient", RATE_LIMITED
    if code == 100 and error.get("type") == "GraphMethodException":
        # A wrong appsecret_proof, or a page that this token does not reach: no fault of the message.
        return "auth", "wrong_secret_or_page"
    if code in _BY_CODE:
        return _BY_CODE[code]
    if 200 <= code <= 299:
        return "auth", "no_permission"
    if status >= 500 or error.get("is_transient") is True:
        return "transient", "provider_fault"
    return "permanent", f"meta_{code}" if subcode is None else f"meta_{code}_{subcode}"


def _by_status(status: int) -> Fault:
    if status == 429:
        return Fault("transient", RATE_LIMITED)
    if status == 401:
        return Fault("auth", "token_invalid")
    # Something between Meta and us answered, or Meta answered half: neither speaks of the message.
    return Fault("transient", f"http_{status}")
