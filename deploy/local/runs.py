"""What runs beside an instance (measurements, faults, predictions) have in common: folder, logs, end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_HELD = ".held"
_FAMILY = "1022-"


class Scratch:
    """A folder in the machine's temporary folder, gone at the end, at the latest when the next is made.

    A run that is killed removes nothing. Its folder is known by the lock that nobody holds any more, and goes
    as soon as another run begins.

    Args:
        name: what it is for; part of the folder's name.
    """

    def __init__(self, name: str) -> None:
        remove_left()
        self.path = Path(tempfile.mkdtemp(prefix=f"{_FAMILY}{name}-"))
        # Locked before it has its name: whoever finds it, finds it held.
        unnamed = self.path / f"{_HELD}.new"
        self._lock = os.open(unnamed, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self.path / _HELD)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def remove_left() -> None:
    """Delete the folders of runs that ended without doing so."""
    for held in Path(tempfile.gettempdir()).glob(f"{_FAMILY}*/{_HELD}"):
        if held.parent.is_symlink():
            continue
        try:
            lock = os.open(held, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # somebody else's, or just deleted
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(held.parent, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def keep_logs(logs: Path, data_dir: Path, name: str) -> Path:
    """Copy the logs of a run that went wrong into the instance's logs, in place of those of the last one.

    Args:
        logs: the run's folder of logs.
        data_dir: of the instance.
        name: of the kind of run.
    """
    target = data_dir / "logs" / f"{name}-went-wrong"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(logs, target)
    print(f"logs: {target}", file=sys.stderr)
    return target


def run_stoppable(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` as asyncio.run does; SIGTERM ends it as Ctrl-C would: what it has started is stopped.

    Raises:
        SystemExit: it was told to stop.
    """

    async def stoppable() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
