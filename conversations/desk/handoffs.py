"""The record of a hand-over: what the bot recognised and which entries it was thinking of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from conversations.job import Job
from conversations.replies import Reply
from kb_index.titles import titles

_MOST_ENTRIES = 5


async def handoff_record(session: AsyncSession, job: Job, reply: Reply, now: datetime) -> dict[str, Any]:
    """Return what is kept of a hand-over (`schemas.Handoff` as JSON).

    Where the message itself names no entry ("cho gặp người thật"), those of the message before it count: that
    was what the citizen was not content with.
    """
    turn, previous = reply.turn, job.previous or {}
    codes = _codes(turn) or _codes(previous)
    known = await titles(session, codes)
    return {
        "reason": reply.hand_over,
        "code": (turn.get("handoff") or {}).get("code"),
        "intent": turn.get("intent"),
        "confidence": turn.get("confidence"),
        "entries": [{"code": code, "title": known.get(code, "")} for code in codes],
        "message_id": job.head["id"],
        "at": now.isoformat(),
    }


def _codes(turn: dict[str, Any]) -> list[str]:
    found = [str(item["code"]) for item in turn.get("procedures") or ()]
    if turn.get("article"):
        found.insert(0, str(turn["article"]))
    return list(dict.fromkeys(found))[:_MOST_ENTRIES]
