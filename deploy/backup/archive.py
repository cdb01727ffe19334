"""The archive: a gzipped tar whose last member is a manifest with every other member's size and checksum.

Whatever was cut off on the way has no manifest, whatever was changed does not match it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import secrets
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pydantic import BaseModel, Field, ValidationError

from deploy.backup.errors import BrokenArchiveError

MANIFEST = "manifest.json"
_CHUNK = 1024 * 1024
# Databases shrink to a fifth at any level; higher ones only take longer.
_LEVEL = 3
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError)


class Member(BaseModel):
    """One file in the archive."""

    name: str
    size: int = Field(ge=0, description="bytes")
    sha256: str = Field(pattern=re.compile(r"^[0-9a-f]{64}$"))


class Manifest(BaseModel):
    """What the archive holds, and what it was made from."""

    format: Literal[1] = 1
    product: str = Field(description="version of the software that wrote it")
    created_at: datetime
    database: Literal["sqlite", "postgresql"]
    database_version: str = Field(description="version of SQLite or of the PostgreSQL server")
    revision: str = Field(description="migration the database is at")
    includes_models: bool = Field(description="search index and embedding model are in it")
    includes_secret_key: bool = Field(description="the key that signs visitors' tokens is in it")
    members: list[Member]


class ArchiveWriter:
    """Adds files to an archive and notes their checksums."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.members: list[Member] = []

    def add(self, name: str, file: Path) -> None:
        """Add `file` as it is at this moment; what is appended to it meanwhile stays out.

        Raises:
            OSError: it cannot be read, or became shorter.
        """
        digest = hashlib.sha256()
        with file.open("rb") as content:
            info = tarfile.TarInfo(name)
            info.size = os.fstat(content.fileno()).st_size
            info.mtime = int(os.fstat(content.fileno()).st_mtime)
            info.mode = 0o600
            self._tar.addfile(info, _Hashing(content, digest.update))
        self.members.append(Member(name=name, size=info.size, sha256=digest.hexdigest()))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, after which the archive is whole."""
        content = manifest.model_dump_json(indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        info.mode = 0o600
        self._tar.addfile(info, io.BytesIO(content))


class _Hashing(io.RawIOBase):
    """Passes a file on and shows what was read to a digest."""

    def __init__(self, file: IO[bytes], update: Callable[[bytes], None]) -> None:
        self._file = file
        self._update = update

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        content = self._file.read(size)
        self._update(content)
        return content


@contextmanager
def writing(file: Path) -> Iterator[ArchiveWriter]:
    """Write an archive; it appears under its name, for its owner only, when it is whole and on disk."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            with tarfile.open(fileobj=output, mode="w:gz", compresslevel=_LEVEL) as tar:
                yield ArchiveWriter(tar)
            output.flush()
            os.fsync(output.fileno())
        part.replace(file)
        _sync_folder(file.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_manifest(file: Path) -> Manifest:
    """Check the whole archive and return its manifest.

    Raises:
        BrokenArchiveError: it is not whole.
    """
    return _walk(file, None)


def extract(file: Path, folder: Path) -> Manifest:
    """Check the whole archive while unpacking it into `folder`.

    Raises:
        BrokenArchiveError: it is not whole; what is in `folder` is not to be used.
    """
    return _walk(file, folder)


def _walk(file: Path, folder: Path | None) -> Manifest:
    found: dict[str, Member] = {}
    manifest: Manifest | None = None
    try:
        with tarfile.open(file, mode="r|gz") as tar:
            for info in tar:
                content = tar.extractfile(info) if info.isfile() else None
                if content is None or manifest is not None or info.name in found:
                    raise BrokenArchiveError(f"{file.name} is not a backup of this system: {info.name!r}")
                if info.name == MANIFEST:
                    manifest = Manifest.model_validate_json(content.read())
                    continue
                target = None if folder is None else folder / _inside(info.name)
                found[info.name] = _copy(info.name, content, target)
    except (ValidationError, json.JSONDecodeError):
        raise BrokenArchiveError(f"{file.name} is not a backup that this version can read") from None
    except FileNotFoundError:
        raise BrokenArchiveError(f"{file} does not exist") from None
    except _BROKEN as error:
        raise BrokenArchiveError(f"{file.name} is broken: {error}") from error
    if manifest is None:
        raise BrokenArchiveError(f"{file.name} has no manifest: it was cut off, or is no backup")
    for member in manifest.members:
        if found.pop(member.name, None) != member:
            raise BrokenArchiveError(f"{file.name} is broken: {member.name} is missing or was changed")
    if found:
        raise BrokenArchiveError(f"{file.name} holds what its manifest does not list: {min(found)}")
    return manifest


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BrokenArchiveError(f"the archive wants to write outside its folder: {name!r}")
    return path


def _copy(name: str, content: IO[bytes], target: Path | None) -> Member:
    digest = hashlib.sha256()
    size = 0
    output = None
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        output = os.fdopen(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb")
    try:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if output is not None:
                output.write(chunk)
        if output is not None:
            output.flush()
            os.fsync(output.fileno())
    finally:
        if output is not None:
            output.close()
    return Member(name=name, size=size, sha256=digest.hexdigest())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
