"""What the Zalo channel needs to know of the account and of the provider's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

CHANNEL = "zalo"
"""The channel's name."""

MAX_TEXT = 2_000
"""Longest text of one message, in characters after NFC."""

LARGEST_IMAGE = 1024 * 1024
LARGEST_FILE = 5 * 1024 * 1024
"""Bytes of the largest picture and file that can be uploaded."""

UPLOAD_KEPT = timedelta(days=6)
"""How long an upload is used again: the provider drops it after seven days."""

FILE_TYPES = frozenset(
    {
        "application/pdf",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    }
)
"""Media types of files the provider passes on."""


@dataclass(frozen=True, slots=True)
class ZaloSettings:
    """One Official Account and how its provider is used.

    Attributes:
        app_id, app_secret: of the application that the account allowed to act for it.
        oa_id: of the account; empty: not compared.
        oa_secret: with which webhooks are signed; empty until the webhook's address was entered at Zalo.
        api_url, oauth_url: where the provider is.
        redirect_url: where its permission page sends the administrator back to.
        code_verifier: PKCE; its challenge is a setting of the application at Zalo, so it does not change.
        window: how long after the citizen's last word anything may be sent.
        buttons: whether real buttons are used; else choices are written as a numbered list.
        contact_image_url: picture on the card that asks for name and telephone number; empty: no such card.
        requests_per_minute: until the provider's own headers say another limit.
    """

    app_id: str
    app_secret: str = field(repr=False)
    oa_id: str = ""
    oa_secret: str = field(default="", repr=False)
    api_url: str = "https://openapi.zalo.me"
    oauth_url: str = "https://oauth.zaloapp.com"
    redirect_url: str = ""
    code_verifier: str = field(default="", repr=False)
    window: timedelta = timedelta(hours=48)
    buttons: bool = False
    contact_image_url: str = ""
    requests_per_minute: int = 4_000
