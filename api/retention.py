"""Retention by rule: what was said, and who sent a ticket, is erased when its time is over.

Runs once a day beside the messages, in small steps with pauses; where it is broken off the next run goes on.
`python -m api.retention --dry-run` counts what a run would erase.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from accounts.service import AccountService
from api.logs import configure_logging
from api.privacy import PersonalData
from api.settings import Settings
from api.startup import prepare_database
from database.clock import Clock
from database.engine import STORAGE_DOWN
from database.personal_data import ConversationKey, Person, TicketKey
from telemetry import metrics

log = structlog.get_logger(__name__)

ACTOR = "retention"
"""Who it is on the audit trail."""

_EVERY_SECONDS = 24 * 3_600.0
_FIRST_SECONDS = 300.0
_AFTER_FAILURE_SECONDS = 900.0
_AT_ONCE = 50
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Periods:
    """How long is kept; None: for ever.

    Attributes:
        conversations: from when something was said.
        tickets: from when a ticket ended.
    """

    conversations: timedelta | None
    tickets: timedelta | None


@dataclass(slots=True)
class Outcome:
    """What a run has erased, or would erase: conversations, tickets, and rows in all."""

    conversations: int = 0
    tickets: int = 0
    rows: int = 0


def periods_of(settings: Settings) -> Periods:
    """Return the periods the settings name."""
    conversations, tickets = settings.retention_conversation_days, settings.retention_ticket_days
    return Periods(
        timedelta(days=conversations) if conversations else None,
        timedelta(days=tickets) if tickets else None,
    )


class Retention:
    """The rules.

    Args:
        data: finds and erases.
        clock: tells whose time is over.
        accounts: the audit trail.
        periods: how long is kept.
    """

    def __init__(self, data: PersonalData, clock: Clock, accounts: AccountService, periods: Periods) -> None:
        self._data = data
        self._clock = clock
        self._accounts = accounts
        self._periods = periods

    async def run(self, *, dry: bool = False) -> Outcome:
        """Erase everything whose time is over; with `dry` only count it."""
        outcome = Outcome()
        # Tickets first: a conversation is not touched while a ticket of it is open, and files follow tickets.
        await self._tickets(outcome, dry)
        await self._conversations(outcome, dry)
        if not dry:
            # Also what was erased on request since the last run.
            await self._data.purge()
            log.info("retention_done", conversations=outcome.conversations, tickets=outcome.tickets)
        return outcome

    async def run_for_ever(self) -> None:
        """Run every day; a failure is tried again after a quarter of an hour."""
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            try:
                await self.run()
            except STORAGE_DOWN as error:
                metrics.retention_failures.inc()
                log.warning("retention_failed", error=type(error).__name__)
                await asyncio.sleep(_AFTER_FAILURE_SECONDS)
            else:
                await asyncio.sleep(_EVERY_SECONDS)

    async def _tickets(self, outcome: Outcome, dry: bool) -> None:
        async for ticket in self._due_tickets():
            outcome.tickets += 1
            if dry:
                continue
            rows = await self._data.erase_all(Person(tickets=(ticket,)), before=None)
            outcome.rows += rows
            await self._accounts.record(ACTOR, "retention.erased", ticket.id, {"rows": rows})
            metrics.erased_records.labels("ticket_rule").inc()
            await asyncio.sleep(_PAUSE)

    async def _due_tickets(self) -> AsyncIterator[TicketKey]:
        if self._periods.tickets is None:
            return
        cutoff = self._clock.now() - self._periods.tickets
        after = ""
        while found := await self._data.tickets.due(cutoff, after, _AT_ONCE):
            for ticket in found:
                yield ticket
            after = found[-1].id

    async def _conversations(self, outcome: Outcome, dry: bool) -> None:
        if self._periods.conversations is None:
            return
        cutoff = self._clock.now() - self._periods.conversations
        after = ""
        while found := await self._data.conversations.due(cutoff, after, _AT_ONCE):
            kept = await self._data.conversations.refused([key.id for key in found])
            for key in found:
                if key.id not in kept:
                    outcome.conversations += 1
                    if not dry:
                        await self._conversation(outcome, key)
            after = found[-1].id

    async def _conversation(self, outcome: Outcome, key: ConversationKey) -> None:
        assert self._periods.conversations is not None
        cutoff = self._clock.now() - self._periods.conversations
        rows = await self._data.erase_all(Person(conversations=(key,)), before=cutoff)
        await self._data.conversations.mark_erased(key.id, cutoff)
        outcome.rows += rows
        if rows:
            await self._accounts.record(ACTOR, "retention.erased", key.id, {"rows": rows})
            metrics.erased_records.labels("conversation_rule").inc()
        await asyncio.sleep(_PAUSE)


async def _run(*, dry: bool) -> Outcome:
    # Imported here: the parts of a process name this module among them.
    from api.services import build_services

    services = build_services(Settings(run_worker=False, serve_actions=False))
    try:
        await prepare_database(services.database)
        return await services.retention.run(dry=dry)
    finally:
        await services.stop()


def main() -> None:
    """Run the rules once, or count what a run would erase."""
    parser = argparse.ArgumentParser(description="Erase what is kept longer than the settings say.")
    parser.add_argument("--dry-run", action="store_true", help="count it, erase nothing")
    arguments = parser.parse_args()
    configure_logging(Settings(), "retention")
    outcome = asyncio.run(_run(dry=arguments.dry_run))
    verb = "would be erased" if arguments.dry_run else "erased"
    print(f"{verb}: {outcome.conversations} conversations, {outcome.tickets} tickets, {outcome.rows} rows")  # noqa: T201 - it is the command's answer


if __name__ == "__main__":
    main()
