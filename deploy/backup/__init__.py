"""Backup and restore of an instance: one archive with the database, the files, the keys and a manifest.

- `archive`: the container, written and read with checksums.
- `databases`: a consistent copy of SQLite or PostgreSQL taken while the system runs, and the way back.
- `service`: what belongs to an instance, in which order it is saved and restored.
"""
