"""`python -m deploy.bench`: measure the whole running system and print a table; `--json` keeps the figures.

Everything is started beside whatever runs, on a copy of the instance, so that nothing of it is kept. Visitors
ask over HTTP and listen by server-sent events, as the chat widget does. Times are what a visitor waits. The
method of each figure is in docs/BENCHMARKS.md. `python -m deploy.bench desk` measures the operators' console.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from deploy.bench import desk
from deploy.bench.bots import bots_compared
from deploy.bench.cost import cost_of_a_message
from deploy.bench.scenarios import Load, burst, open_and_active, steady, warm_up, without_bot
from deploy.bench.system import System, running_system
from deploy.local.postgres import PostgresMissingError
from deploy.local.runs import run_stoppable
from deploy.local.stack import Stack
from deploy.local.supervisor import ServiceError

Scenario = Callable[[System, argparse.Namespace], Awaitable[dict[str, Any]]]


async def _steady(system: System, given: argparse.Namespace) -> dict[str, Any]:
    return await steady(system, Load(given.rate, given.seconds, given.chats))


async def _receive(system: System, given: argparse.Namespace) -> dict[str, Any]:
    return await steady(system, Load(50.0, min(given.seconds, 20.0), 200))


async def _burst(system: System, _given: argparse.Namespace) -> dict[str, Any]:
    return await burst(system, messages=2_000, seconds=5.0, chats=200)


async def _chats(system: System, given: argparse.Namespace) -> dict[str, Any]:
    load = Load(given.rate, min(given.seconds, 60.0), 100)
    return await open_and_active(system, chats=1_000, active=100, load=load)


async def _cost(system: System, given: argparse.Namespace) -> dict[str, Any]:
    return (await cost_of_a_message(system, rounds=given.rounds, chats=16, texts=12)).as_dict()


async def _without_bot(system: System, _given: argparse.Namespace) -> dict[str, Any]:
    return await without_bot(system, Load(10.0, 20.0, 40))


async def _bots(_system: System, _given: argparse.Namespace) -> dict[str, Any]:
    return await bots_compared()


SCENARIOS: dict[str, Scenario] = {
    "cost": _cost,
    "steady": _steady,
    "receive": _receive,
    "burst": _burst,
    "chats": _chats,
    "without_bot": _without_bot,
    "bots": _bots,
}


async def bench(given: argparse.Namespace) -> dict[str, Any]:
    """Start the system, run the scenarios one after another, and return the figures."""
    async with running_system(
        Stack.from_environment(),
        postgres=given.db == "postgres",
        separate_worker=given.worker == "apart",
    ) as system:
        figures: dict[str, Any] = {
            "machine": {
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "load": os.getloadavg(),
            },
            "database": given.db,
            "worker": given.worker,
            "start_seconds": system.start_seconds,
        }
        await warm_up(system)
        for name in given.scenario or SCENARIOS:
            figures[name] = await SCENARIOS[name](system, given)
            print(f"{name}: {json.dumps(figures[name])}", file=sys.stderr, flush=True)
            await system.settle()
        figures["memory_mib"] = system.memory()
        return figures


def table(figures: dict[str, Any]) -> str:
    """Return the figures as people read them."""
    lines = [f"{figures['database']}, start to ready {figures['start_seconds']:.1f} s; milliseconds"]
    lines.append(f"{'':24}{'n':>7}{'p50':>9}{'p95':>9}{'p99':>9}{'mean':>9}")
    for name in SCENARIOS:
        for kind, values in figures.get(name, {}).get("ms", {}).items():
            shown = "".join(f"{values[column]:>9.1f}" for column in ("p50", "p95", "p99", "mean"))
            lines.append(f"{name + ' ' + kind:24}{values['n']:>7}{shown}")
    if cost := figures.get("cost"):
        lines.append(f"cost: {cost['ratio']:.2f} times Rasa alone")
        lines += [f"  {side}: {_parts(cost[f'{side}_ms'])} ms" for side in ("whole", "alone")]
    if steady_run := figures.get("steady"):
        lines.append(f"processor cores in use at {steady_run['rate']:g}/s: {_parts(steady_run['cores'])}")
    if burst_run := figures.get("burst"):
        lines.append(
            f"burst: {burst_run['messages']} taken in {burst_run['taken_in_seconds']:.1f} s, drained after "
            f"{burst_run['drained_in_seconds']:.1f} s, lost {burst_run['lost']}"
        )
    if chats := figures.get("chats"):
        lines.append(
            f"{chats['chats']} open chats, {chats['active']} in use, app: {_parts(chats['app_mib'])} MiB"
        )
    if bots := figures.get("bots"):
        shown = ", ".join(
            f"{run['bots']}: {run['per_second']:.1f}/s ({ratio:.2f} times)"
            for run, ratio in zip(bots["runs"], bots["times_one"], strict=True)
        )
        lines.append(f"bots that take {bots['turn_seconds'] * 1000:.0f} ms a turn: {shown}")
    lines.append(f"memory: {_parts(figures['memory_mib'])} MiB")
    return "\n".join(lines)


def _parts(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in values.items())


def main() -> int:
    """Read the command line and measure."""
    if sys.argv[1:2] == ["desk"]:
        return desk.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="bench", description="Measures the whole running system.")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one (repeat)")
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite", help="the database")
    parser.add_argument(
        "--worker",
        choices=("inside", "apart"),
        default="inside",
        help="the worker's place: in the app or not",
    )
    parser.add_argument("--rate", type=float, default=10.0, help="messages a second in the steady run")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the steady run is")
    parser.add_argument("--chats", type=int, default=100, help="open chats in the steady run")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of the cost comparison")
    parser.add_argument("--json", type=Path, help="write all figures here")
    given = parser.parse_args()
    try:
        figures = run_stoppable(bench(given))
    except (ServiceError, FileNotFoundError, PostgresMissingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(table(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
