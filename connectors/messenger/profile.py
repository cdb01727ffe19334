"""What a citizen sees before the first word: greeting, Get Started, and the menu that is always there.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/reference/messenger-profile-api
"""

from __future__ import annotations

from typing import Any

from connectors.messenger.client import GraphClient
from vntext.catalogue import lookup, say

FIELDS = ("get_started", "greeting", "persistent_menu")

LONGEST_GREETING = 160
LONGEST_MENU_TITLE = 30


def wanted(public_url: str) -> dict[str, Any]:
    """Return the profile as it should be.

    Args:
        public_url: where citizens reach the service; with https its pages join the menu.
    """
    buttons = lookup("conversation.greeting.buttons")
    actions: list[dict[str, Any]] = [
        {"type": "postback", "title": button["title"], "payload": button["payload"]} for button in buttons
    ]
    if public_url.startswith("https://"):
        # Meta refuses any other address.
        actions.append(
            {
                "type": "web_url",
                "title": say("channels.messenger.profile.privacy"),
                "url": f"{public_url.rstrip('/')}/privacy",
                "webview_height_ratio": "full",
            }
        )
    return {
        "get_started": {"payload": buttons[0]["payload"]},
        "greeting": [{"locale": "default", "text": say("channels.messenger.profile.greeting")}],
        "persistent_menu": [
            {"locale": "default", "composer_input_disabled": False, "call_to_actions": actions}
        ],
    }


async def apply(client: GraphClient, public_url: str) -> list[str]:
    """Make the page's profile what it should be; return the fields that had to be changed.

    Raises:
        GraphError: Meta refused; nothing or everything was changed.
    """
    target = wanted(public_url)
    present = await client.profile(FIELDS)
    changed = [name for name in FIELDS if not _holds(present.get(name), target[name])]
    if changed:
        # The menu needs Get Started: both in one call, else Meta refuses the menu.
        names = {*changed, *(["get_started"] if "persistent_menu" in changed else [])}
        await client.set_profile({name: target[name] for name in FIELDS if name in names})
    return changed


def _holds(present: Any, target: Any) -> bool:
    """Tell whether `present` says at least what `target` says: Meta adds fields with their defaults."""
    if isinstance(target, dict):
        return isinstance(present, dict) and all(_holds(present.get(k), v) for k, v in target.items())
    if isinstance(target, list):
        same_length = isinstance(present, list) and len(present) == len(target)
        return same_length and all(_holds(p, t) for p, t in zip(present, target, strict=True))
    # A default that Meta leaves out.
    return bool(present == target or (target is False and present is None))
