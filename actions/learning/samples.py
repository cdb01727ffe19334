"""Keeps what was misunderstood for labelling: collected, anonymised, forgotten in time."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from actions.learning import reasons, repository
from actions.learning.anonymise import anonymise
from actions.learning.reasons import REASONS, Finding, Reason
from conversations.past_turns import PastTurn, Place, find_turn, handled_after, neighbour, whole_text
from database.base import new_id
from database.clock import Clock
from database.engine import Database
from vntext.canonical import canonical

log = structlog.get_logger(__name__)

SETTLED = timedelta(minutes=30)
"""How long a message is left alone: whoever was offered choices may still choose."""

LONGEST = 600
"""Characters; a longer story holds more of its teller than of the language."""

_PAGE = 200
_RANKED = 5
_LABEL = re.compile(r"\([^()]*\)")
_LETTERS = re.compile(r"[^\W\d_]{2,}")


class TurnNotFoundError(LookupError):
    """No handled message of a citizen has this id."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text to label; see `models.LearningSampleRow` for what the fields mean."""

    id: str
    text: str
    reason: str
    intent: str | None
    confidence: float | None
    ranking: tuple[tuple[str, float], ...]
    procedures: tuple[str, ...]
    hint: str | None
    model: str | None
    count: int
    state: str
    label: str | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decided on one sample: the new state, the label, the names written for a procedure."""

    sample: Sample
    state: str
    label: str | None = None
    names: tuple[str, ...] = ()


class LearningSamples:
    """What is kept for labelling in one instance.

    Args:
        database: where messages are read and samples kept.
        clock: the time of collecting.
        retention: how long a sample is kept after it was last said.
    """

    def __init__(self, database: Database, clock: Clock, retention: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention

    async def collect(self) -> int:
        """Look through the messages handled since the last time; return how many samples they gave.

        Pages are units of work of their own. Of several processes that collect at once each takes a page.
        """
        kept = 0
        while True:
            now = self._clock.now()
            async with self._database.write() as session:
                place = await repository.lock_progress(session, now - self._retention)
                turns = await handled_after(session, place, until=now - SETTLED, limit=_PAGE)
                for turn in turns:
                    kept += await self._look_at(session, turn)
                if turns:
                    await repository.set_progress(session, Place(turns[-1].handled_at, turns[-1].message_id))
            if len(turns) < _PAGE:
                return kept

    async def add_correction(self, message_id: str, *, hint: str | None = None) -> bool:
        """Keep a message whose answer an operator says was wrong.

        Args:
            message_id: the citizen's message.
            hint: what would have been right, an intent or a procedure's code, where the operator says so.

        Returns:
            Whether it was kept; not when nothing is left of it without personal data.

        Raises:
            TurnNotFoundError: there is no such message.
        """
        async with self._database.write() as session:
            # Keeps collecting away, which may be about to keep the same words.
            await repository.lock_progress(session, self._clock.now() - self._retention)
            turn = await find_turn(session, message_id)
            if turn is None:
                raise TurnNotFoundError(message_id)
            return await self._keep(session, turn, Finding("corrected", hint))

    async def withdraw(self, session: AsyncSession, message_id: str) -> None:
        """Forget what was kept of a message that its sender took back.

        A sample tells not whose words it holds: said by several, it loses one of them, else it goes.
        """
        # Keeps collecting away, which may be about to keep the same words.
        await repository.lock_progress(session, self._clock.now() - self._retention)
        turn = await find_turn(session, message_id)
        if turn is None:
            return
        _text, key = _anonymous(await whole_text(session, turn))
        known = await repository.find_by_key(session, key)
        if known is None:
            return
        if known["count"] > 1:
            await repository.change(session, [known["id"]], count=known["count"] - 1)
        else:
            await repository.drop(session, known["id"])

    async def forget(self) -> int:
        """Delete what was not said again within the retention; return how much that was."""
        async with self._database.write() as session:
            return await repository.forget(session, self._clock.now() - self._retention)

    async def open(self, limit: int) -> list[Sample]:
        """Return what waits for a label, the most frequent first."""
        async with self._database.read() as session:
            return [_sample(row) for row in await repository.open_samples(session, limit)]

    async def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return by state and reason how many texts are kept and how often they were said."""
        async with self._database.read() as session:
            return await repository.counts(session)

    async def decide(self, verdicts: list[Verdict]) -> str:
        """Note what was decided on samples; return the decision's id."""
        decision = new_id()
        async with self._database.write() as session:
            for verdict in verdicts:
                await repository.change(
                    session,
                    [verdict.sample.id],
                    state=verdict.state,
                    label=verdict.label,
                    names=list(verdict.names),
                    decision=decision,
                    decided_at=self._clock.now(),
                )
        return decision

    async def last_decision(self) -> list[Sample]:
        """Return the samples of the latest decision, as decided."""
        async with self._database.read() as session:
            decision = await repository.last_decision(session)
            if decision is None:
                return []
            return [_sample(row) for row in await repository.of_decision(session, decision)]

    async def reopen(self, samples: list[Sample]) -> None:
        """Take a decision back: its samples wait for a label again."""
        async with self._database.write() as session:
            await repository.change(
                session,
                [sample.id for sample in samples],
                state="open",
                label=None,
                names=[],
                decision=None,
                decided_at=None,
            )

    async def _look_at(self, session: AsyncSession, turn: PastTurn) -> int:
        """Keep what there is to learn from a message, or from the one before it; return how many."""
        if reasons.asks_for_person(turn.turn):
            before = await neighbour(session, turn, after=False)
            found = reasons.find_before_person(before.kind, before.turn) if before else None
            return 0 if before is None or found is None else await self._keep(session, before, found)
        following = None
        if reasons.needs_next(turn.turn):
            following = await neighbour(session, turn, after=True)
        found = reasons.find(turn.kind, turn.turn, following.turn if following else None)
        if found is None:
            return 0
        before = await neighbour(session, turn, after=False)
        if before is not None and before.turn.get("route") == "ticket":
            return 0  # inside the report form people say who they are
        return await self._keep(session, turn, found)

    async def _keep(self, session: AsyncSession, turn: PastTurn, found: Finding) -> bool:
        text, key = _anonymous(await whole_text(session, turn))
        if len(text) > LONGEST or not _LETTERS.search(_LABEL.sub("", text)):
            return False
        known = await repository.find_by_key(session, key)
        if known is None:
            await repository.add(session, _values(text, key, turn, found))
            return True
        changes: dict[str, Any] = {
            "count": known["count"] + 1,
            "last_seen": max(known["last_seen"], turn.handled_at),
            "reason": _stronger(known["reason"], found.reason),
        }
        if found.hint:
            changes["hint"] = found.hint
        await repository.change(session, [known["id"]], **changes)
        return True


def _anonymous(said: str) -> tuple[str, str]:
    """Return what was said without personal data, and the key of the sample it makes."""
    text = anonymise(said)
    return text, hashlib.sha256(canonical(text).encode()).hexdigest()


def _stronger(first: str, second: Reason) -> str:
    return min(first, second, key=REASONS.index)


def _values(text: str, key: str, turn: PastTurn, found: Finding) -> dict[str, Any]:
    seen: datetime = turn.handled_at
    return {
        "id": new_id(),
        "key": key,
        "text": text,
        "reason": found.reason,
        "intent": turn.turn.get("intent"),
        "confidence": turn.turn.get("confidence"),
        "ranking": list(turn.turn.get("ranking") or [])[:_RANKED],
        "procedures": reasons.codes(turn.turn)[:_RANKED],
        "hint": found.hint,
        "model": turn.turn.get("model"),
        "count": 1,
        "state": "open",
        "label": None,
        "names": [],
        "decision": None,
        "decided_at": None,
        "first_seen": seen,
        "last_seen": seen,
    }


def _sample(row: RowMapping) -> Sample:
    return Sample(
        id=row["id"],
        text=row["text"],
        reason=row["reason"],
        intent=row["intent"],
        confidence=row["confidence"],
        ranking=tuple((str(item["name"]), float(item["confidence"])) for item in row["ranking"]),
        procedures=tuple(row["procedures"]),
        hint=row["hint"],
        model=row["model"],
        count=row["count"],
        state=row["state"],
        label=row["label"],
        names=tuple(row["names"]),
    )
