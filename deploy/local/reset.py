"""Deletes the data of one instance, after asking. Standard library only."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# What an instance keeps; a folder that holds none of these is not one, and is left alone.
_MARKS = ("1022.sqlite3", "kb", "secret.key", "models")


def main() -> int:
    """Ask, then delete the folder named on the command line."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "var").resolve()
    if not folder.is_dir():
        print(f"nothing to delete: {folder} does not exist")
        return 0
    if not any((folder / mark).exists() for mark in _MARKS):
        print(f"error: {folder} does not look like a data folder of this system; nothing was deleted")
        return 1
    print(f"This deletes all conversations, reports, accounts and the knowledge base in {folder}.")
    try:
        answer = input("Type the word delete to go on: ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip() != "delete":
        print("nothing was deleted")
        return 1
    shutil.rmtree(folder)
    print("deleted")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
