"""How a ticket looks from outside: to its sender by their own link, to anybody by its code.

Who sees what:

- The sender's link shows state and steps, what they wrote, what was asked and answered, and lets them answer,
  dispute once, and say whether it may be published. Never name, phone or address: links are passed on.
- The code shows kind, field, commune, state and dates. Content and answer only where the sender has agreed to
  publish them, without numbers and addresses by which a person could be found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from database.engine import Database
from tickets import codes, repository
from tickets.errors import DisputeUsedError, TicketNotFoundError
from tickets.flows import BY_LINK, TRANSITIONS, possible
from tickets.models import TicketRow
from tickets.schemas import TicketEvent, TicketState
from tickets.service import TicketService
from tickets.timeline import EventKind
from tickets.writing import CITIZEN, standing
from vntext.masking import mask_personal, remove_identifiers

K = EventKind

_SHOWN = frozenset(
    {
        K.OPENED, K.INFO_ASKED, K.INFO_GIVEN, K.REFUSED, K.TRANSFERRED, K.ANSWERED, K.DISPUTED, K.CLOSED,
        K.REOPENED, K.MERGED, K.UNMERGED,
    }
)  # fmt: skip
_TEXT_FOR_SENDER = frozenset({K.INFO_ASKED, K.INFO_GIVEN, K.REFUSED, K.ANSWERED, K.DISPUTED, K.REOPENED})
_TEXT_FOR_ALL = frozenset({K.ANSWERED})
_UNPUBLISHED_STATES = frozenset({TicketState.REFUSED, TicketState.MERGED})


@dataclass(frozen=True, slots=True)
class Step:
    """One step as people outside read it; `agency` where it is about one."""

    at: datetime
    kind: str
    agency: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Followed:
    """A ticket as somebody outside sees it.

    Attributes:
        code: as it is shown.
        state: where the matter stands; of a merged ticket that is where the other one stands.
        goes_on_as: code of the ticket this one was merged into.
        content: the sender's words, None where whoever looks may not read them.
        actions: transitions the sender may do now; empty for everybody else.
        disputed: the sender has used up their dispute.
        public: sender has agreed to publish.
        token: of the sender's link, None for everybody else.
    """

    code: str
    kind: str
    field: str | None
    unit: str | None
    state: TicketState
    since: datetime
    agency: str | None
    opened_at: datetime
    steps: list[Step]
    goes_on_as: str | None
    content: str | None
    actions: tuple[str, ...]
    disputed: bool
    public: bool
    token: str | None


class TicketFollow:
    """Shows tickets to people outside, and does what a sender may do.

    Args:
        database: where tickets are kept.
        tickets: opens and finds them.
    """

    def __init__(self, database: Database, tickets: TicketService) -> None:
        self._database = database
        self._writer = tickets.writer

    async def by_code(self, typed: str) -> Followed:
        """Return what anybody may see of a ticket.

        Raises:
            TicketNotFoundError: there is none, or what was typed is no code.
        """
        code = codes.read(typed)
        if code is None or not code.is_right:
            raise TicketNotFoundError
        async with self._database.read() as session:
            row = await repository.find_by_code(session, code.number)
            if row is None:
                raise TicketNotFoundError
            return await self._outside(session, row, is_sender=False)

    async def by_token(self, token: str) -> Followed:
        """Return what the sender sees by their own link.

        Raises:
            TicketNotFoundError: there is no such link.
        """
        async with self._database.read() as session:
            row = await repository.find_by_token(session, token)
            if row is None:
                raise TicketNotFoundError
            return await self._outside(session, row, is_sender=True)

    async def act(self, token: str, name: str, given: Mapping[str, str], *, key: str) -> None:
        """Do what the sender wants: `give_info`, `dispute`, `publish`, `unpublish`.

        Raises:
            TicketNotFoundError: there is no such link or action.
            NotPossibleNowError: the state does not allow it; a second dispute is a `DisputeUsedError`.
            InvalidChangeError: nothing was written, or too much.
        """
        transition = TRANSITIONS.get(name)
        if transition is None or not transition.by_sender or not 1 <= len(key) <= 80:
            raise TicketNotFoundError
        async with self._database.write() as session:
            found = await repository.find_by_token(session, token)
            if found is None:
                raise TicketNotFoundError
            row = (await repository.lock(session, [found.id]))[found.id]
            own_key = f"{CITIZEN}:{key}"
            if await repository.event_with_key(session, row.id, own_key) is not None:
                return
            now = standing(row)
            if name == "dispute" and now.disputes:
                raise DisputeUsedError
            transition.check(now)
            change = transition.make(now, {"how": BY_LINK, **given})
            written = await self._writer.carry_on(session, row, change, actor=CITIZEN, key=own_key)
        await self._writer.send([written])

    async def _outside(self, session: AsyncSession, row: TicketRow, *, is_sender: bool) -> Followed:
        end = await repository.survivor(session, row)
        is_merged = end.id != row.id
        is_open = is_sender or (end.public and row.public and end.state not in _UNPUBLISHED_STATES)
        texts = _TEXT_FOR_SENDER if is_sender else _TEXT_FOR_ALL if is_open else frozenset[EventKind]()
        steps = _steps(await repository.events(session, row.id), texts, is_sender)
        if is_merged:
            # Of the other ticket what came later, and only its answers: its sender's words are their own.
            later = [each for each in await repository.events(session, end.id) if each.at >= row.state_since]
            steps += _steps(later, texts & _TEXT_FOR_ALL, is_sender)
        content = None
        if is_open:
            content = mask_personal(row.content) if is_sender else remove_identifiers(row.content)
        return Followed(
            code=codes.shown(row.code),
            kind=row.kind,
            field=row.field,
            unit=row.place_unit,
            state=TicketState(end.state),
            since=end.state_since,
            agency=end.agency,
            opened_at=row.opened_at,
            steps=steps,
            goes_on_as=codes.shown(end.code) if is_merged else None,
            content=content,
            actions=tuple(each.name for each in possible(standing(row)) if each.by_sender)
            if is_sender
            else (),
            disputed=row.disputes > 0,
            public=row.public,
            token=row.token if is_sender else None,
        )


def _steps(events: list[TicketEvent], texts: frozenset[EventKind], is_sender: bool) -> list[Step]:
    return [_step(event, texts, is_sender) for event in events if event.kind in _SHOWN]


def _step(event: TicketEvent, texts: frozenset[EventKind], is_sender: bool) -> Step:
    text = event.text if EventKind(event.kind) in texts else None
    if text is not None:
        text = mask_personal(text) if is_sender else remove_identifiers(text)
    return Step(event.at, event.kind, event.data.get("agency"), text)
