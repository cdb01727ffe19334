"""A person's data across all parts: found, exported, erased on request, and what is with which holder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from accounts.service import AccountService
from conversations.media.service import Media
from conversations.personal_data import ConversationHolder, FileHolder
from database.clock import Clock, local
from database.engine import Database
from database.personal_data import Found, Holder, Person
from database.purging import purge
from telemetry import metrics
from tickets import codes
from tickets.personal_data import TicketHolder
from vntext.catalogue import say
from vntext.phones import find_phones

FREE_OF_CITIZENS: Mapping[str, str] = {
    "alembic_version": "the schema's own",
    "audit_log": "ids of records and users; append-only, no words of people",
    "canned_answers": "staff's own wording, sent to many",
    "channel_credentials": "the service's own accounts, sealed",
    "channel_health": "times and codes of errors",
    "channel_hours": "counts",
    "channel_uploads": "a provider's names of our files, until they run out",
    "early_signs": "a provider's ids of messages that never came, for some days",
    "erasures": "ids of records",
    "kb_entries": "public knowledge",
    "learning_progress": "a place in the messages",
    "learning_samples": "anonymous when they are taken, with no way back to a person",
    "login_attempts": "keyed hashes, for two days",
    "login_challenges": "staff, for minutes",
    "login_sessions": "staff, until the session ends",
    "password_links": "staff, hashes",
    "recovery_codes": "staff, keyed hashes",
    "search_conversations": "a conversation's id and how far it is read",
    "search_progress": "a time",
    "ticket_counters": "numbers",
    "users": "staff: kept while the trail names them",
}
"""Tables in which there is nothing about citizens, and why."""

_AT_ONCE = 200
_PAUSE = 0.02
_CODE_LENGTH = 6

Way = Literal["phone", "ticket", "user"]


class InvalidClueError(ValueError):
    """What was typed is no phone number, or no ticket code."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Chosen records: what belongs to the person, told apart by whether it may be erased now.

    Attributes:
        code: short, made of the records; typing it says that these are meant and no others.
    """

    found: tuple[Found, ...]
    person: Person
    erasable: Person
    code: str

    @property
    def refused(self) -> list[Found]:
        """Return the records that may not be erased now."""
        return [record for record in self.found if record.kept is not None]

    @property
    def allowed(self) -> list[Found]:
        """Return the records that may be erased."""
        return [record for record in self.found if record.kept is None]


class PersonalData:
    """Finds, exports and erases.

    Args:
        database: where everything is kept.
        clock: the time of export and of erasing.
        media: the stored files.
        accounts: the audit trail.
        more: holders of further parts; they are asked before the conversations and tickets are.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        media: Media,
        accounts: AccountService,
        more: Sequence[Holder] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._accounts = accounts
        self.tickets = TicketHolder(database, clock)
        self.conversations = ConversationHolder(database, clock, self.tickets)
        files = FileHolder(database, media, self.tickets)
        # Files find their owner by what conversations and tickets say, so these come last.
        self.holders: tuple[Holder, ...] = (*more, files, self.conversations, self.tickets)

    async def find(self, way: Way, value: str) -> list[Found]:
        """Return the records of a person: what the clue names, and what belongs to it by one step.

        Raises:
            InvalidClueError: the value is no phone number, or no ticket code.
        """
        phone = code = None
        users: set[str] = set()
        ids: set[str] = set()
        if way == "phone":
            phone, users = _phone(value)
        elif way == "ticket":
            typed = codes.read(value)
            if typed is None or not typed.is_right:
                raise InvalidClueError(value)
            code = typed.number
        else:
            users = ids = {value.strip()} - {""}
        conversations = await self.conversations.find(ids=ids, users=users, phone=phone)
        own = [key.id for _, key in conversations]
        tickets = await self.tickets.find(phone=phone, code=code, conversations=own)
        further = {conversation for _, _, conversation in tickets} - set(own) - {""}
        conversations += await self.conversations.find(ids=further)
        return [record for record, _, _ in tickets] + [record for record, _ in conversations]

    async def select(self, records: Iterable[str]) -> Selection:
        """Return chosen records as they are now.

        Args:
            records: "conversation:<id>" or "ticket:<id>"; what is unknown is left out.
        """
        wanted: dict[str, set[str]] = {"conversation": set(), "ticket": set()}
        for record in records:
            kind, _, record_id = record.partition(":")
            wanted.get(kind, set()).add(record_id)
        conversations = await self.conversations.find(ids=wanted["conversation"])
        tickets = [(record, key) for record, key, _ in await self.tickets.find(ids=wanted["ticket"])]
        found = (*(record for record, _ in tickets), *(record for record, _ in conversations))
        names = "\n".join(sorted(f"{record.kind}:{record.id}" for record in found))
        return Selection(
            found=found,
            person=Person(tuple(key for _, key in conversations), tuple(key for _, key in tickets)),
            erasable=Person(
                tuple(key for record, key in conversations if record.kept is None),
                tuple(key for record, key in tickets if record.kept is None),
            ),
            code=hashlib.sha256(names.encode()).hexdigest()[:_CODE_LENGTH].upper(),
        )

    async def export(self, person: Person) -> Path:
        """Write everything that is kept of a person into a ZIP; whoever asked deletes it.

        The file is readable by this process's user only.
        """
        parts: dict[str, list[dict[str, Any]]] = {}
        files: dict[str, Path] = {}
        for holder in self.holders:
            exported = await holder.export(person)
            parts[holder.name] = exported.rows
            files.update(exported.files)
        now = self._clock.now()
        readme = say("privacy.export.readme", time=local(now).strftime("%H:%M %d/%m/%Y"))
        data = json.dumps({"exported_at": now, **parts}, ensure_ascii=False, indent=2, default=_written)
        return await asyncio.to_thread(_zip, readme, data, files)

    async def erase(self, selection: Selection, *, actor: str, reason: str) -> int:
        """Erase what may be erased of chosen records; return how many rows were replaced or deleted.

        The trail has a line before and one after. It goes in small steps: broken off, it is asked for again
        and finds what is left.
        """
        targets = [f"{record.kind}:{record.id}" for record in selection.allowed]
        for target in targets:
            await self._accounts.record(actor, "person.erasing", _target(target), {"reason": reason})
        count = await self.erase_all(selection.erasable, before=None)
        for target in targets:
            await self._accounts.record(actor, "person.erased", _target(target), {"rows": count})
        metrics.erased_records.labels("request").inc(len(targets))
        return count

    async def erase_all(self, person: Person, *, before: datetime | None) -> int:
        """Erase with every holder, a part at a time, until nothing is left; return how many rows."""
        total = 0
        for holder in self.holders:
            while True:
                count = await holder.erase(person, before=before, limit=_AT_ONCE)
                total += count
                if count < _AT_ONCE:
                    break
                # Messages of citizens come first.
                await asyncio.sleep(_PAUSE)
        return total

    async def purge(self) -> None:
        """Let what was erased go from the database's files, too."""
        await purge(self._database)


def _phone(value: str) -> tuple[str, set[str]]:
    valid = [phone for phone in find_phones(value) if phone.valid]
    if len(valid) != 1:
        raise InvalidClueError(value)
    national = "".join(filter(str.isdigit, valid[0].national))
    international = valid[0].e164
    return national, {national, international, international.removeprefix("+")} - {""}


def _target(record: str) -> str:
    return record.partition(":")[2]


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _zip(readme: str, data: str, files: Mapping[str, Path]) -> Path:
    with tempfile.NamedTemporaryFile(prefix="1022-export-", suffix=".zip", delete=False) as target:
        path = Path(target.name)
        try:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("DOC-TRUOC.txt", readme)
                archive.writestr("du-lieu.json", data)
                for name, file in files.items():
                    if file.is_file():
                        archive.write(file, name)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return path
