"""One run: the processes, the people who write, the outage, the kills, the verdict."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import aiohttp

from database.engine import sqlite_url
from deploy.bench.system import processor_seconds
from deploy.channels_load.judge import acknowledgement, judge, percentile
from deploy.channels_load.kills import kill
from deploy.channels_load.people import People
from deploy.channels_load.played import Played
from deploy.local.postgres import PrivatePostgres
from deploy.local.providers import ProviderChannel, connected_settings, provider_service
from deploy.local.runs import Scratch, keep_logs
from deploy.local.stack import ROOT, Stack
from deploy.local.supervisor import Service, Supervisor

_KEY = "channels-load-secret-key-of-this-run-only"
_SHARES = {"repeat_share": 0.10, "reorder_share": 0.05, "bad_signature_share": 0.02}
_SETTLE_SECONDS = 180.0
_LOOK_SECONDS = 5.0
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in one run.

    Attributes:
        messages, users, rate: how many questions of how many people, how many a second.
        down_after, down_seconds: when the provider goes down, and for how long; 0: not at all.
        kills: how many times a process of ours is killed; `kill_rate`: questions a second meanwhile.
    """

    channel: ProviderChannel
    postgres: bool = False
    messages: int = 5_000
    users: int = 500
    rate: float = 50.0
    down_after: float = 40.0
    down_seconds: float = 120.0
    kills: int = 50
    kill_rate: float = 10.0
    seed: int = 1022


async def run(plan: Plan) -> dict[str, Any]:
    """Do what is planned with processes of its own; return the figures, `wrong` empty where all is well.

    Raises:
        ServiceError: a process did not come up.
    """
    chance = random.Random(plan.seed)  # noqa: S311 - decides who writes when
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(Scratch("channels"))
        source = Stack.from_environment()
        stack = replace(source, data_dir=folder).on_free_ports()
        url = sqlite_url(folder / "1022.sqlite3")
        if plan.postgres:
            url = opened.enter_context(PrivatePostgres(durable=True)).create("channels")
        supervisor = Supervisor(ROOT, folder / "logs", quiet=True, longest_pause=1.0)
        opened.push_async_callback(supervisor.stop)
        redis = stack.redis_service()
        assert redis is not None  # on_free_ports asks for one of our own
        port = stack.on_free_ports().app_port
        played = await opened.enter_async_context(Played(f"http://127.0.0.1:{port}"))
        provider = provider_service(plan.channel, port, stack)
        await supervisor.start(redis, _gateway(stack), provider)
        settings = {
            **await connected_settings(plan.channel, stack, folder / "logs", url, _KEY),
            "DATABASE_URL": url,
            "SERVE_ACTIONS": "false",
            "RUN_WORKER": "false" if plan.postgres else "true",
            # The scripted bot answers at once: a machine that is too busy for it is no failure of the bot's.
            "BOT_TIMEOUT": "60",
            "LOG_LEVEL": "WARNING",
        }
        ours = [stack.app_service(settings)]
        if plan.postgres:
            ours.append(stack.worker_service({**settings, "RUN_WORKER": "true"}))
        await supervisor.start(*ours)

        await played.faults(**_SHARES)
        people = People(played, plan.users, chance)
        figures: dict[str, Any] = {"plan": asdict(plan)}
        if plan.channel == "zalo":
            watching = asyncio.create_task(_keep_switched_on(played, figures))
            opened.callback(watching.cancel)
        before = _used(supervisor)
        figures["load"] = await _load(plan, played, people)
        figures["processor_ms_per_message"] = {
            name: round((seconds - before[name]) * 1000 / plan.messages, 1)
            for name, seconds in _used(supervisor).items()
        }
        figures["acknowledgement"] = acknowledgement(await played.webhooks())
        if plan.kills:
            figures["kills"] = await kill(
                plan.kills, plan.kill_rate, supervisor, ours, played, people, chance
            )
            stopped = time.monotonic()
            figures["settled_seconds"] = round(await _settled(played, people) - stopped, 1)
        findings = await judge(played, people.questions, await played.webhooks())
        figures["findings"] = asdict(findings)
        if findings.wrong:
            keep_logs(folder / "logs", source.data_dir, "channels-load")
        return figures


async def _load(plan: Plan, played: Played, people: People) -> dict[str, Any]:
    """Let people write while the provider goes down and comes back; return how long the backlog took."""
    figures: dict[str, Any] = {}
    started = time.monotonic()
    writing = asyncio.create_task(people.write(plan.messages, plan.rate))
    try:
        if plan.down_seconds:
            await asyncio.sleep(plan.down_after)
            await played.faults(down=True)
            await asyncio.sleep(plan.down_seconds)
            await played.faults(down=False)
            back = time.monotonic()
        await writing
    finally:
        writing.cancel()
    figures["written_seconds"] = round(time.monotonic() - started, 1)
    figures["provider_p99_ms"] = round(percentile(people.waited, 99), 1)
    last = await _settled(played, people)
    if plan.down_seconds:
        figures["drained_seconds"] = round(last - back, 1)
    figures["seconds"] = round(last - started, 1)
    return figures


async def _settled(played: Played, people: People) -> float:
    """Wait until everything acknowledged is answered and told of, or the phones show nothing new for long.

    Returns:
        When the last answer was seen (`time.monotonic`).
    """
    changed = time.monotonic()
    last = -1
    while time.monotonic() - changed < _SETTLE_SECONDS:
        answers = await played.answers()
        if answers != last:
            last, changed = answers, time.monotonic()
        elif await played.under_way() == 0 and await _is_all_answered(played, people):
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    return changed


async def _is_all_answered(played: Played, people: People) -> bool:
    """Tell whether everything we said yes to has its answer."""
    return (await judge(played, people.questions, await played.webhooks())).missing == 0


async def _keep_switched_on(played: Played, figures: dict[str, Any]) -> None:
    """Switch Zalo's deliveries on whenever it has switched them off; count how often."""
    figures["switched_on_again"] = 0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        figures["switched_on_again"] += await played.switch_on()


def _used(supervisor: Supervisor) -> dict[str, float]:
    return {name: processor_seconds(pid) for name, pid in supervisor.pids().items()}


def _gateway(stack: Stack) -> Service:
    command = (sys.executable, "-m", "deploy.channels_load.gateway", "--port", str(stack.bot_port))
    return Service("gateway", command, _answers(f"http://127.0.0.1:{stack.bot_port}/webhooks/gateway/health"))


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(url) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    return check
