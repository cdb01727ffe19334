"""What Zalo's error codes mean for a message, in one table; `channels.zalo.errors` says them in Vietnamese.

Errors come as HTTP 200 with `error != 0`; only the code decides, never the words beside it. The sources
disagree about some codes, so the provider's own words are logged beside each.
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["auth", "transient", "permanent"]

CODES: Final[dict[int, Kind]] = {
    # The access token: wrong, run out, or without the right. -124 is the same for template messages.
    -216: "auth",
    -217: "auth",
    -220: "auth",
    -124: "auth",
    # Too much at once; later it is taken.
    -32: "transient",
    # Quotas of the account, of one person, of the account's tier: not soon enough to wait for.
    -211: "permanent",
    -218: "permanent",
    -224: "permanent",
    -144: "permanent",
    -147: "permanent",
    # The person: not related to us, inactive, restricted, cannot receive.
    -213: "permanent",
    -227: "permanent",
    -244: "permanent",
    -108: "permanent",
    -114: "permanent",
    -118: "permanent",
    -119: "permanent",
    # The moment: outside of the window, at night.
    -230: "permanent",
    -232: "permanent",
    -234: "permanent",
    # The message or the account's contract.
    -240: "permanent",
    -320: "permanent",
    -321: "permanent",
    -115: "permanent",
    -131: "permanent",
    -146: "permanent",
}
"""Codes that are known; an unknown one is permanent: another try would hold up what comes after it."""

RATE: Final = -32


def kind_of(code: int) -> Kind:
    """Return what a code means for the message."""
    return CODES.get(code, "permanent")


def name_of(code: int) -> str:
    """Return a code as it is recorded with the message: "zalo_230" for -230."""
    return f"zalo_{abs(code)}"
