"""The files' bytes on disk, named by the hash of their content and the file's id."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class FileStore:
    """A folder of files: `<first two of the hash>/<hash>-<id>`; a picture's small copy ends in `-small`.

    Args:
        folder: where they lie; made at the first file, readable by the owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str, file_id: str, *, small: bool = False) -> Path:
        """Return where a file lies."""
        return self._folder / digest[:2] / f"{digest}-{file_id}{'-small' if small else ''}"

    def write(self, path: Path, content: bytes) -> None:
        """Write a file whole: when this returns, it is on the disk under its name.

        Raises:
            OSError: the disk is full or not there; nothing stands under the name.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def delete(self, path: Path) -> None:
        """Delete a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)
