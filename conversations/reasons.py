"""Why a message was not delivered, for operators: the short code of a failed send in words."""

from __future__ import annotations

from vntext.catalogue import lookup, say

OUTSIDE_WINDOW = "outside_window"
"""The citizen's last word is longer ago than the provider allows to answer."""
UNFOLLOWED = "unfollowed"
"""The citizen does not want messages of our account any more."""
IN_DOUBT = "in_doubt"
"""The process ended while it was sent: the provider may have taken it."""
_MOVED = "moved:"


def moved_to(channel: str) -> str:
    """Return the code of a message that went by another channel instead."""
    return _MOVED + channel


def in_words(code: str, channel: str = "") -> str:
    """Return the sentence for a code, the channel's own first; one without a sentence is named."""
    if code.startswith(_MOVED):
        return say("channels.errors.moved", channel=channel_name(code.removeprefix(_MOVED)))
    own = lookup("channels").get(channel, {}) if channel else {}
    for errors in (own.get("errors", {}), lookup("channels.errors")):
        if code in errors:
            return str(errors[code]).strip()
    return say("channels.errors.other", code=code)


def channel_name(channel: str) -> str:
    """Return a channel's name as people write it."""
    names: dict[str, str] = lookup("channels.names")
    return names.get(channel, channel)
