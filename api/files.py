"""Answers with a stored file so that a browser shows or saves it and runs nothing in it."""

from __future__ import annotations

from fastapi.responses import FileResponse

from api.errors import Problem
from conversations.media.inspection import SMALL_TYPE
from conversations.media.service import Media, StoredFile

_HEADERS = {
    # Nothing in it runs and nothing is loaded by it, whatever a browser takes it for.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    # A file never changes; shared caches keep none.
    "Cache-Control": "private, max-age=86400, immutable",
}


def file_response(media: Media, file: StoredFile, *, small: bool = False) -> FileResponse:
    """Return a stored file: a picture, which was written anew here, to be shown, anything else to be saved.

    Raises:
        Problem: its bytes are gone.
    """
    path = media.path(file, small=small)
    if not path.is_file():
        raise Problem(404, "file_gone")
    return FileResponse(
        path,
        media_type=SMALL_TYPE if small and file.kind == "image" else file.content_type,
        filename=file.name,
        content_disposition_type="inline" if file.kind == "image" else "attachment",
        headers=_HEADERS,
    )
