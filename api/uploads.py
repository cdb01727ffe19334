"""Reads the form of an upload piece by piece, never more than it may be."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from uuid import UUID

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.errors import Problem
from conversations.media.service import LARGEST_FILE

_OVERHEAD = 16 * 1024
"""Bytes a form may need around the file."""
LARGEST_UPLOAD = LARGEST_FILE + _OVERHEAD


class _TooLarge(MultiPartException):
    pass


async def read_upload(request: Request) -> tuple[UUID, str, bytes]:
    """Return `client_id`, file name and content of an upload.

    Raises:
        Problem: it is no such form, too large, or without a file.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem(422, "file_missing")
    parser = MultiPartParser(
        request.headers, _limited(request.stream()), max_files=1, max_fields=4, max_part_size=1_024
    )
    try:
        form = await parser.parse()
    except _TooLarge as error:
        raise Problem(413, "file_too_large") from error
    except (MultiPartException, ValueError, LookupError) as error:
        raise Problem(422, "invalid") from error
    try:
        file, client_id = form.get("file"), form.get("client_id")
        if not isinstance(file, UploadFile):
            raise Problem(422, "file_missing")
        content = await file.read(LARGEST_FILE + 1)
        return _uuid(client_id), (file.filename or "")[:1_000], content
    finally:
        await form.close()


async def _limited(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size > LARGEST_UPLOAD:
            raise _TooLarge("too large")
        yield chunk


def _uuid(value: object) -> UUID:
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Problem(422, "invalid") from error
