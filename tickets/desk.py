"""What people at the desk do with tickets: transitions, corrections, links, merging, likely duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.access import Action, may
from accounts.schemas import User
from database.clock import Clock
from database.engine import Database
from tickets import codes, duplicates, fields, places, repository
from tickets.duplicates import Likeness
from tickets.errors import (
    AlreadyMergedError,
    ChangedMeanwhileError,
    InvalidChangeError,
    NotPossibleNowError,
    NotYoursError,
    TicketNotFoundError,
)
from tickets.flows import TRANSITIONS, Change, Transition, possible
from tickets.models import TicketRow
from tickets.points import find_point
from tickets.schemas import Ticket, TicketEvent, TicketKind, TicketState
from tickets.service import TicketService
from tickets.timeline import EventKind
from tickets.writing import keep_words, standing
from vntext.catalogue import say

_LONGEST_KEY = 80
_LINE_LIMIT = 500
_IMPERSONAL = ("kind", "field", "urgent", "drill", "place_unit")
_MOST_DUPLICATES = 5


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A ticket that is likely about the same matter, and how alike the two are."""

    ticket: Ticket
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class TicketDetail:
    """One ticket with everything its page shows.

    Attributes:
        transitions: what whoever looks at it may do now.
        linked: of the same matter, both going on.
        merged: merged into this one, or the one this was merged into.
    """

    ticket: Ticket
    timeline: list[TicketEvent]
    transitions: list[Transition]
    linked: list[Ticket]
    merged: list[Ticket]
    duplicates: list[Duplicate]


@dataclass(frozen=True, slots=True)
class Click:
    """A wish of somebody at the desk.

    Attributes:
        user: who wants it.
        key: idempotency key of the click: the same wish sent twice is done once.
        version: the version of the ticket they saw; None where it does not matter.
    """

    user: User
    key: str
    version: int | None = None


class TicketDesk:
    """Changes tickets for people at the desk.

    Args:
        database: where tickets are kept.
        clock: the time of what is done.
        tickets: opens and finds them.
    """

    def __init__(self, database: Database, clock: Clock, tickets: TicketService) -> None:
        self._database = database
        self._clock = clock
        self._writer = tickets.writer

    async def detail(self, code: str, user: User) -> TicketDetail:
        """Return one ticket with all that is shown beside it.

        Raises:
            TicketNotFoundError: there is none.
        """
        async with self._database.read() as session:
            row = await self._find(session, code)
            timeline = await repository.events(session, row.id)
            linked, merged = await repository.related(session, row)
            found = await self._duplicates(session, row, skip={other.id for other in (*linked, *merged)})
        ticket = Ticket.model_validate(row)
        return TicketDetail(
            ticket,
            timeline,
            [each for each in possible(standing(row)) if each.in_menu and may(user, each.action)],
            [Ticket.model_validate(other) for other in linked],
            [Ticket.model_validate(other) for other in merged],
            found,
        )

    async def act(self, code: str, name: str, given: Mapping[str, str], click: Click) -> Ticket:
        """Do one transition.

        Args:
            code: of the ticket.
            name: of the transition, a key of `flows.TRANSITIONS`.
            given: what was filled in.
            click: who, and on which version.

        Raises:
            TicketError: not found, not allowed, not possible now, not valid or changed meanwhile; nothing is
                changed.
        """
        transition = TRANSITIONS.get(name)
        if transition is None or not transition.in_menu:
            raise TicketNotFoundError
        _check_right(click, transition.action)
        _check_key(click)
        if name == "unmerge":
            return await self._unmerge(code, click)
        async with self._database.write() as session:
            row = await self._locked(session, code)
            if await repository.event_with_key(session, row.id, click.key) is not None:
                return Ticket.model_validate(row)
            await self._check_version(session, row, click)
            now = standing(row)
            transition.check(now)
            change = transition.make(now, given)
            written = await self._writer.carry_on(session, row, change, actor=click.user.id, key=click.key)
            ticket = Ticket.model_validate(row)
        await self._writer.send([written])
        return ticket

    async def correct(self, code: str, given: Mapping[str, str], click: Click) -> Ticket:
        """Correct what a ticket says of itself: kind, field, place, point, urgency, drill.

        Raises:
            TicketError: not found, not allowed, not possible now, not valid or changed meanwhile; nothing is
                changed.
        """
        _check_right(click, Action.CHANGE_TICKETS)
        _check_key(click)
        async with self._database.write() as session:
            row = await self._locked(session, code)
            if await repository.event_with_key(session, row.id, click.key) is not None:
                return Ticket.model_validate(row)
            await self._check_version(session, row, click)
            if row.state == TicketState.MERGED:
                raise NotPossibleNowError(
                    action=say("tickets.actions.correct"), state=say("tickets.states.merged")
                )
            new = _corrected(given)
            changed = {name: value for name, value in new.items() if getattr(row, name) != value}
            if changed:
                # What was written about the place may be personal, and stays out of what can never be erased.
                kept = [name for name in changed if name in _IMPERSONAL]
                data = {
                    "fields": sorted(changed),
                    "before": {name: getattr(row, name) for name in kept},
                    "after": {name: changed[name] for name in kept},
                }
                for name, value in changed.items():
                    setattr(row, name, value)
                change = Change(EventKind.CORRECTED, data=data)
                await self._writer.carry_on(session, row, change, actor=click.user.id, key=click.key)
                await keep_words(session, row)
            return Ticket.model_validate(row)

    async def link(self, code: str, other: str, click: Click) -> Ticket:
        """Note that two tickets are about the same matter; both go on.

        Raises:
            TicketNotFoundError, NotYoursError, InvalidChangeError: nothing was changed.
        """
        return await self._join(code, other, click, EventKind.LINKED)

    async def unlink(self, code: str, other: str, click: Click) -> Ticket:
        """Take such a note back.

        Raises:
            TicketNotFoundError, NotYoursError, InvalidChangeError: nothing was changed.
        """
        return await self._join(code, other, click, EventKind.UNLINKED)

    async def merge(self, code: str, into: str, click: Click) -> Ticket:
        """Let `into` go on for both; the sender of the other is told, and hears what becomes of it.

        Both rows are locked in the order of their ids, so that of two who merge the same two at once, in
        whatever direction, the first does it and the second is told.

        Raises:
            AlreadyMergedError: one of them is merged already; it names the ticket that goes on.
            TicketError: not found, not allowed, not possible now, not valid or changed meanwhile; nothing is
                changed.
        """
        _check_right(click, Action.CHANGE_TICKETS)
        _check_key(click)
        async with self._database.write() as session:
            row, target = await self._locked_pair(session, code, into)
            if await repository.event_with_key(session, row.id, click.key) is not None:
                return Ticket.model_validate(row)
            for one in (row, target):
                if one.state == TicketState.MERGED:
                    end = await repository.survivor(session, one)
                    raise AlreadyMergedError(code=codes.shown(one.code), other=codes.shown(end.code))
            await self._check_version(session, row, click)
            if target.state == TicketState.REFUSED:
                raise NotPossibleNowError(
                    action=say("tickets.actions.merge"), state=say("tickets.states.refused")
                )
            transition = TRANSITIONS["merge"]
            now = standing(row)
            transition.check(now)
            change = transition.make(now, {"into": target.id, "code": codes.shown(target.code)})
            written = await self._writer.carry_on(session, row, change, actor=click.user.id, key=click.key)
            beside = Change(EventKind.ABSORBED, data={"from": row.id, "code": codes.shown(row.code)})
            await self._writer.carry_on(session, target, beside, actor=click.user.id, key=click.key)
            ticket = Ticket.model_validate(row)
        await self._writer.send([written])
        return ticket

    async def _unmerge(self, code: str, click: Click) -> Ticket:
        async with self._database.write() as session:
            found = await self._find(session, code)
            rows = await repository.lock(session, [each for each in (found.id, found.merged_into) if each])
            row = rows[found.id]
            if await repository.event_with_key(session, row.id, click.key) is not None:
                return Ticket.model_validate(row)
            await self._check_version(session, row, click)
            now = standing(row)
            transition = TRANSITIONS["unmerge"]
            transition.check(now)
            target = rows.get(now.merged_into or "")
            if target is None:
                raise await self._changed_meanwhile(session, row)
            change = transition.make(now, {})
            written = await self._writer.carry_on(session, row, change, actor=click.user.id, key=click.key)
            beside = Change(EventKind.RELEASED, data={"from": row.id, "code": codes.shown(row.code)})
            await self._writer.carry_on(session, target, beside, actor=click.user.id, key=click.key)
            ticket = Ticket.model_validate(row)
        await self._writer.send([written])
        return ticket

    async def _join(self, code: str, other: str, click: Click, kind: EventKind) -> Ticket:
        _check_right(click, Action.CHANGE_TICKETS)
        _check_key(click)
        async with self._database.write() as session:
            row, second = await self._locked_pair(session, code, other)
            if await repository.event_with_key(session, row.id, click.key) is not None:
                return Ticket.model_validate(row)
            if kind is EventKind.LINKED:
                is_new = await repository.add_link(
                    session, row.id, second.id, click.user.id, self._clock.now()
                )
            else:
                is_new = await repository.drop_link(session, row.id, second.id)
            if is_new:
                for one, beside in ((row, second), (second, row)):
                    change = Change(kind, data={"other": beside.id, "code": codes.shown(beside.code)})
                    await self._writer.carry_on(session, one, change, actor=click.user.id, key=click.key)
            return Ticket.model_validate(row)

    async def _duplicates(self, session: AsyncSession, row: TicketRow, skip: set[str]) -> list[Duplicate]:
        if row.state == TicketState.MERGED:
            return []
        near = await repository.near(
            session,
            row,
            since=row.opened_at - duplicates.LOOK_BACK,
            until=row.opened_at + duplicates.LOOK_BACK,
            metres=duplicates.NEAR_METRES,
        )
        ticket = Ticket.model_validate(row)
        candidates = [Ticket.model_validate(other) for other in near if other.id not in skip]
        return [
            Duplicate(other, likeness)
            for other, likeness in duplicates.likely(ticket, candidates, _MOST_DUPLICATES)
        ]

    async def _find(self, session: AsyncSession, code: str) -> TicketRow:
        typed = codes.read(code)
        if typed is None:
            raise TicketNotFoundError
        if not typed.is_right:
            raise InvalidChangeError(field=say("tickets.fields.code"), limit=20)
        row = await repository.find_by_code(session, typed.number)
        if row is None:
            raise TicketNotFoundError
        return row

    async def _locked(self, session: AsyncSession, code: str) -> TicketRow:
        row = await self._find(session, code)
        return (await repository.lock(session, [row.id]))[row.id]

    async def _locked_pair(self, session: AsyncSession, code: str, other: str) -> tuple[TicketRow, TicketRow]:
        first, second = await self._find(session, code), await self._find(session, other)
        if first.id == second.id:
            raise InvalidChangeError(field=say("tickets.fields.other"), limit=20)
        rows = await repository.lock(session, [first.id, second.id])
        return rows[first.id], rows[second.id]

    async def _check_version(self, session: AsyncSession, row: TicketRow, click: Click) -> None:
        if click.version is not None and click.version != row.version:
            raise await self._changed_meanwhile(session, row)

    async def _changed_meanwhile(self, session: AsyncSession, row: TicketRow) -> ChangedMeanwhileError:
        last = await repository.last_event(session, row.id)
        what = say(f"tickets.events.{last.kind}") if last else ""
        return ChangedMeanwhileError(what=what, state=say(f"tickets.states.{row.state}"))


def _check_right(click: Click, action: Action) -> None:
    if not may(click.user, action):
        raise NotYoursError


def _check_key(click: Click) -> None:
    if not 1 <= len(click.key) <= _LONGEST_KEY:
        raise InvalidChangeError(field=say("tickets.fields.key"), limit=_LONGEST_KEY)


def _corrected(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns as the form sets them; a field that is not in the form stays."""
    new: dict[str, Any] = {}
    if "kind" in given:
        if given["kind"] not in list(TicketKind):
            raise InvalidChangeError(field=say("tickets.fields.kind"), limit=0)
        new["kind"] = given["kind"]
    if "field" in given:
        group = fields.group_of(given["field"])
        if given["field"] and group is None:
            raise InvalidChangeError(field=say("tickets.fields.field"), limit=0)
        new |= {"field": given["field"] or None, "field_group": group}
    if "place" in given:
        new |= _placed(given["place"])
    if "point" in given:
        point = find_point(given["point"])
        if given["point"].strip() and point is None:
            raise InvalidChangeError(field=say("tickets.fields.point"), limit=0)
        new |= {
            "latitude": point.latitude if point else None,
            "longitude": point.longitude if point else None,
        }
    for name in ("urgent", "drill"):
        if name in given:
            new[name] = given[name] == "yes"
    return new


def _placed(said: str) -> dict[str, Any]:
    text = said.strip()
    if len(text) > _LINE_LIMIT:
        raise InvalidChangeError(field=say("tickets.fields.place"), limit=_LINE_LIMIT)
    place = places.resolve(text) if text else None
    return {
        "place": text or None,
        "place_unit": place.unit if place else None,
        "place_code": place.code if place else None,
        "place_certainty": place.certainty if place else None,
    }
