"""What can go wrong; every message is one sentence for the person at the terminal.

BackupError
├── BrokenArchiveError   the archive is not whole, or not ours
├── RefusedError         the instance must not be touched as it is
└── DatabaseToolError    pg_dump, pg_restore or psql is missing or failed
"""

from __future__ import annotations


class BackupError(Exception):
    """Base of all errors of this package."""


class BrokenArchiveError(BackupError):
    """The archive is cut off, was changed, or was not written by us."""


class RefusedError(BackupError):
    """Going on would harm an instance; nothing was changed."""


class DatabaseToolError(BackupError):
    """A program of PostgreSQL is missing, or failed."""
