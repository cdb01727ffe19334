"""Runs several services as one: starts, watches and restarts them, shows their logs, stops them cleanly.

A supervisor that is killed stops nothing; its services end with it all the same (`deploy/local/tied.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

from deploy.local.tied import tied

_LOG_BYTES = 10 * 1024 * 1024
_LOG_COPIES = 3
# A service that lived this long is taken to have been well: its next restart is immediate again.
_WELL_AFTER_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0
_LINE_LIMIT = 1024 * 1024


class ServiceError(Exception):
    """A service could not be brought up; the message says which and where to look."""


@dataclass(frozen=True)
class Service:
    """One process to keep alive.

    Attributes:
        name: short, stands before each of its log lines.
        command: program and arguments.
        is_ready: returns True once the service answers; polled after the start.
        environment: added to the supervisor's own.
        start_seconds: how long it may take to become ready.
        stop_seconds: how long it may take to end after SIGTERM, before it is killed.
        nice: how much it leaves the processor to the others, 0 to 19.
        scratch: its temporary folder, emptied whenever it starts; the machine's where not given.
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 120.0
    stop_seconds: float = 15.0
    nice: int = 0
    scratch: Path | None = None


class Supervisor:
    """Keeps services running until told to stop.

    Args:
        folder: working folder of all services.
        log_dir: one rotating file a service, `<name>.log`.
        quiet: do not show the services' lines on the terminal (they are in the files all the same).
        longest_pause: seconds before a service that keeps ending is started again, at the most.
    """

    def __init__(
        self,
        folder: Path,
        log_dir: Path,
        *,
        quiet: bool = False,
        longest_pause: float = _LONGEST_PAUSE_SECONDS,
    ) -> None:
        self._folder = folder
        self._log_dir = log_dir
        self._quiet = quiet
        self._longest_pause = longest_pause
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._order: list[Service] = []
        self._stopping = False

    async def start(self, *services: Service) -> None:
        """Start `services` together and wait until all of them are ready.

        Raises:
            ServiceError: one of them ended or did not become ready in time.
        """
        for service in services:
            self._order.append(service)
            self._keepers[service.name] = asyncio.create_task(self._keep(service), name=service.name)
        await asyncio.gather(*(self._wait_ready(service) for service in services))

    def pids(self) -> dict[str, int]:
        """Return the process ids of the services that run."""
        return {name: process.pid for name, process in self._processes.items() if process.returncode is None}

    async def stop(self) -> None:
        """Stop all services, the last started first; what does not end in time is killed."""
        self._stopping = True
        for service in reversed(self._order):
            process = self._processes.get(service.name)
            if process is not None and process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), service.stop_seconds)
                except TimeoutError:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)

    async def _wait_ready(self, service: Service) -> None:
        deadline = time.monotonic() + service.start_seconds
        while time.monotonic() < deadline:
            process = self._processes.get(service.name)
            if process is not None and process.returncode is not None:
                raise ServiceError(self._failure(service, f"ended with code {process.returncode}"))
            if await service.is_ready():
                return
            await asyncio.sleep(0.2)
        raise ServiceError(self._failure(service, f"was not ready after {service.start_seconds:.0f} s"))

    def _failure(self, service: Service, what: str) -> str:
        return f"{service.name} {what}; its log: {self._log_dir / service.name}.log"

    async def _keep(self, service: Service) -> None:
        pause = 0.5
        logger = self._logger(service.name)
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once(service, logger)
            if self._stopping:
                return
            if time.monotonic() - started > _WELL_AFTER_SECONDS:
                pause = 0.5
            logger.error("ended with code %s; starting it again in %.1f s", code, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._longest_pause)

    async def _run_once(self, service: Service, logger: logging.Logger) -> int:
        process = await asyncio.create_subprocess_exec(
            *tied(service.command, signal.SIGKILL, nice=service.nice),
            cwd=self._folder,
            env={**os.environ, **service.environment, **_emptied(service.scratch)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_LIMIT,
            # Its own group: Ctrl-C reaches the supervisor alone, which then stops the services in order. Not
            # its own session: Linux shares the processor out between sessions first, and niceness would
            # count for nothing.
            process_group=0,
        )
        self._processes[service.name] = process
        assert process.stdout is not None
        try:
            while line := await _line(process.stdout):
                logger.info("%s", line.decode("utf-8", "replace").rstrip())
            return await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise

    def _logger(self, name: str) -> logging.Logger:
        # By folder: another supervisor in this process has services of the same names.
        logger = logging.getLogger(f"service.{self._log_dir}.{name}")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if not logger.handlers:
            self._log_dir.mkdir(parents=True, exist_ok=True)
            file = RotatingFileHandler(
                self._log_dir / f"{name}.log", maxBytes=_LOG_BYTES, backupCount=_LOG_COPIES, encoding="utf-8"
            )
            file.setFormatter(logging.Formatter("%(message)s"))
            logger.addHandler(file)
            if not self._quiet:
                terminal = logging.StreamHandler(sys.stdout)
                terminal.setFormatter(logging.Formatter(f"%(asctime)s {name:<6}| %(message)s", "%H:%M:%S"))
                logger.addHandler(terminal)
        return logger


def _emptied(scratch: Path | None) -> dict[str, str]:
    """Empty the folder, where one that was killed may have left files; return how it is made known."""
    if scratch is None:
        return {}
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    return {"TMPDIR": str(scratch)}


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:
        # A line beyond the limit: what has been read so far is enough for a log.
        return await stream.read(_LINE_LIMIT)
