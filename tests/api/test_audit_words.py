"""Whatever is written to the trail has words for those who read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tickets.flows import TRANSITIONS
from vntext.catalogue import lookup

ROOT = Path(__file__).parents[2]
_OF_A_CONVERSATION = (
    "claim", "take_over", "release", "hand_back", "close", "urgent", "not_urgent", "reply", "heard", "note",
)  # fmt: skip
"""Changes that `conversations.changed` records by name."""


def recorded(folder: str) -> Iterator[str]:
    """Yield every action that code in a folder records by a name written there."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr in {"record", "_record"}:
                for given in node.args[:3]:
                    if (
                        isinstance(given, ast.Constant)
                        and isinstance(given.value, str)
                        and "." in given.value
                    ):
                        yield given.value


def test_every_action_on_the_trail_has_words():
    words = lookup("accounts.audit.actions")
    written = {
        name for folder in ("accounts", "api", "conversations", "tickets") for name in recorded(folder)
    }
    assert len(written) > 15
    written |= {f"conversation.{name}" for name in _OF_A_CONVERSATION}
    written |= {f"ticket.{name}" for name in (*TRANSITIONS, "correct", "link", "unlink", "sender_viewed")}
    assert written - set(words) == set()
