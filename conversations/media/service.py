"""Keeps the files people send and finds them again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

import structlog
from sqlalchemy.exc import IntegrityError

from conversations.errors import StorageUnavailableError
from conversations.media import repository
from conversations.media.errors import FileRefusedError
from conversations.media.inspection import Inspected, inspect
from conversations.media.models import StoredFileRow
from conversations.media.store import FileStore
from conversations.schemas import Attachment, OutboundFile
from database.base import new_id
from database.clock import Clock
from database.engine import STORAGE_DOWN, Database

log = structlog.get_logger(__name__)

LARGEST_FILE = 10 * 1024 * 1024
"""Bytes of the largest file that is taken."""

UNUSED_KEPT = timedelta(days=7)
"""How long a file waits for the message that carries it: a phone may be without a network for days."""

_AT_ONCE = 1
_CLEAN_SECONDS = 3_600.0
_CLEANED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a file is: somebody on a channel, as in their conversation."""

    channel: str
    external_user_id: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file; `size` in bytes, of a picture also its sides in pixels."""

    id: str
    owner: Person
    kind: Literal["image", "file"]
    content_type: str
    name: str
    size: int
    digest: str
    width: int | None
    height: int | None

    def as_attachment(self) -> Attachment:
        """Return the file as a message carries it."""
        return Attachment(
            kind=self.kind,
            name=self.name,
            file_id=self.id,
            content_type=self.content_type,
            size=self.size,
            width=self.width,
            height=self.height,
        )


class Media:
    """Stores and finds files.

    Args:
        database: where the files' rows are.
        clock: the time of storing.
        folder: where their bytes lie.
    """

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self._database = database
        self._clock = clock
        self._store = FileStore(folder)
        # Decoding a large picture takes a core for a second and a hundred megabytes or two: one at a time.
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def add(self, owner: Person, *, client_id: str, name: str, content: bytes) -> StoredFile:
        """Check a file, clean it and keep it; the same `client_id` again returns what was kept before.

        Raises:
            FileRefusedError: nothing was kept; the code says why.
            StorageUnavailableError: disk or database do not answer; nothing was kept.
        """
        if len(content) > LARGEST_FILE:
            raise FileRefusedError("file_too_large")
        try:
            known = await self._known(owner, client_id)
            if known is not None:
                return known
            async with self._places:
                inspected = await asyncio.to_thread(inspect, content, name)
            return await self._keep(owner, client_id, inspected)
        except STORAGE_DOWN as error:
            log.error("storage_down", error=type(error).__name__)
            raise StorageUnavailableError from error

    async def _known(self, owner: Person, client_id: str) -> StoredFile | None:
        async with self._database.read() as session:
            row = await repository.find_by_client_id(
                session, owner.channel, owner.external_user_id, client_id
            )
        return _view(row) if row is not None else None

    async def _keep(self, owner: Person, client_id: str, inspected: Inspected) -> StoredFile:
        row = StoredFileRow(
            id=new_id(),
            channel=owner.channel,
            external_user_id=owner.external_user_id,
            client_id=client_id,
            kind=inspected.kind,
            content_type=inspected.content_type,
            name=inspected.name,
            size=len(inspected.content),
            digest=hashlib.sha256(inspected.content).hexdigest(),
            width=inspected.width,
            height=inspected.height,
            created_at=self._clock.now(),
        )
        file = _view(row)
        # The bytes first: a row always has its file.
        await asyncio.to_thread(self._write, file, inspected)
        try:
            async with self._database.write() as session:
                await repository.add(session, row)
        except BaseException as error:
            await asyncio.to_thread(self._delete, file)
            if not isinstance(error, IntegrityError):
                raise
            # The same upload came twice at once; the other one was first.
            known = await self._known(owner, client_id)
            if known is None:
                raise
            return known
        return file

    async def attach(self, owner: Person, ids: Sequence[str]) -> tuple[Attachment, ...]:
        """Return a person's files as a message carries them, in the order asked for; from now on they stay.

        Raises:
            FileRefusedError: one of them is not there, or is somebody else's.
            StorageUnavailableError: the database does not answer.
        """
        if not ids:
            return ()
        try:
            async with self._database.write() as session:
                rows = await repository.of_person(session, owner.channel, owner.external_user_id, ids)
                found = {row.id: _view(row) for row in rows}
                if any(file_id not in found for file_id in ids):
                    raise FileRefusedError("file_gone")
                await repository.mark_attached(session, ids, self._clock.now())
        except STORAGE_DOWN as error:
            log.error("storage_down", error=type(error).__name__)
            raise StorageUnavailableError from error
        return tuple(found[file_id].as_attachment() for file_id in ids)

    async def find(self, file_id: str) -> StoredFile | None:
        """Return a file by id, None when there is none."""
        async with self._database.read() as session:
            row = await repository.find(session, file_id)
        return _view(row) if row is not None else None

    async def outbound(self, file_id: str) -> OutboundFile | None:
        """Return a file as a channel sends it, None when there is none."""
        file = await self.find(file_id)
        if file is None:
            return None
        return OutboundFile(file.id, file.kind, file.name, file.content_type, file.size, self.path(file))

    async def delete(self, owner: Person, ids: Sequence[str]) -> None:
        """Delete a person's files, rows first; those that are gone already are no error."""
        async with self._database.write() as session:
            rows = await repository.of_person(session, owner.channel, owner.external_user_id, ids)
            await repository.delete_files(session, [row.id for row in rows])
        for row in rows:
            await asyncio.to_thread(self._delete, _view(row))

    async def find_all(self, ids: Sequence[str]) -> list[StoredFile]:
        """Return stored files by id, with one query."""
        async with self._database.read() as session:
            return [_view(row) for row in await repository.find_all(session, ids)]

    def path(self, file: StoredFile, *, small: bool = False) -> Path:
        """Return where a file's bytes lie; with `small` a picture's small copy."""
        return self._store.path(file.digest, file.id, small=small and file.kind == "image")

    async def clean(self) -> int:
        """Delete files that no message has carried for some days; return how many."""
        before = self._clock.now() - UNUSED_KEPT
        async with self._database.write() as session:
            rows = await repository.take_unused(session, before, _CLEANED_AT_ONCE)
        # The rows first: a crash in between leaves bytes that nobody can reach.
        for row in rows:
            await asyncio.to_thread(self._delete, _view(row))
        return len(rows)

    async def clean_for_ever(self) -> None:
        """Clean every hour."""
        while True:
            try:
                if await self.clean() == _CLEANED_AT_ONCE:
                    continue
            except STORAGE_DOWN as error:
                log.warning("files_not_cleaned", error=type(error).__name__)
            await asyncio.sleep(_CLEAN_SECONDS)

    def _write(self, file: StoredFile, inspected: Inspected) -> None:
        try:
            if inspected.small is not None:
                self._store.write(self.path(file, small=True), inspected.small)
            self._store.write(self.path(file), inspected.content)
        except OSError:
            self._delete(file)
            raise

    def _delete(self, file: StoredFile) -> None:
        for small in (False, True):
            self._store.delete(self.path(file, small=small))


def _view(row: StoredFileRow) -> StoredFile:
    return StoredFile(
        id=row.id,
        owner=Person(row.channel, row.external_user_id),
        kind=cast(Literal["image", "file"], row.kind),
        content_type=row.content_type,
        name=row.name,
        size=row.size,
        digest=row.digest,
        width=row.width,
        height=row.height,
    )
