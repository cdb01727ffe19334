"""Writes down what the provider said to each try, in the unit of work that goes on with the sending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository, sending_repository, watch
from conversations.repository import Row
from conversations.schemas import SendResult

log = structlog.get_logger(__name__)

_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Tried:
    """One row and what became of it.

    Attributes:
        is_charged: the try counts; it does not when the channel as a whole does not work.
        pause: how long the row waits after a try that failed for now.
    """

    row: Row
    result: SendResult
    is_charged: bool
    pause: timedelta


async def record(session: AsyncSession, tried: Sequence[Tried], now: datetime, most_attempts: int) -> None:
    """Write down the results of some tries."""
    plain = [
        one.row["id"] for one in tried if one.result.status == "accepted" and one.result.provider_id is None
    ]
    if plain:
        await repository.mark_sent(session, plain, now)
    for one in tried:
        result, row = one.result, one.row
        attempts = row["attempts"] + one.is_charged
        error = (result.error or "")[:_LONGEST_ERROR]
        if result.status == "accepted":
            values: dict[str, Any] = {"attempts": attempts}
            if result.provider_id is not None:
                values |= await _accepted(session, row, result.provider_id, now)
            await sending_repository.record(session, row["id"], values, final=True)
        elif result.status == "permanent" or attempts >= most_attempts:
            watch.given_up("out")
            log.warning("send_failed", message_id=row["id"], error=result.error, attempts=attempts)
            values = {"state": "failed", "handled_at": now, "error": error, "attempts": attempts}
            await sending_repository.record(session, row["id"], values, final=False)
        else:
            due = now + one.pause if one.is_charged else None
            values = {"next_attempt_at": due, "error": error, "attempts": attempts}
            await sending_repository.record(session, row["id"], values, final=False)


async def _accepted(session: AsyncSession, row: Row, provider_id: str, now: datetime) -> dict[str, Any]:
    """Return what changes when the provider has named a message: an echo or a receipt may have been first."""
    await sending_repository.drop_copy(session, row["channel"], provider_id, row["id"])
    signs = await sending_repository.take_signs(session, row["channel"], provider_id)
    values: dict[str, Any] = {
        "state": "sent",
        "handled_at": now,
        "provider_message_id": provider_id,
        "error": None,
        "next_attempt_at": None,
    }
    for sign in signs:
        if sign["kind"] in ("delivered", "read"):
            values[f"{sign['kind']}_at"] = sign["at"]
    return values
