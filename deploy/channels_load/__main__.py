"""`python -m deploy.channels_load`: thousands of messages through a channel, with all that can go wrong.

Real processes on free ports, nothing of them kept: the app (with PostgreSQL also a worker), Redis, a played
provider (`tests/providers`) and a scripted bot that answers at once: what is measured is the way of a
message, not Rasa's speed, which `python -m deploy.bench` measures. Judge is the played provider's own record.
The method is in docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from deploy.channels_load.run import Plan, run
from deploy.local.postgres import PostgresMissingError
from deploy.local.runs import run_stoppable
from deploy.local.supervisor import ServiceError


def main() -> int:
    """Read the command line, run, print the record; 1 when something was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="channels_load", description=__doc__)
    parser.add_argument("--channel", choices=("zalo", "messenger"), default="messenger")
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second")
    parser.add_argument("--down-after", type=float, default=40.0, help="seconds until the provider goes down")
    parser.add_argument("--down", type=float, default=120.0, help="seconds it stays down; 0: it does not")
    parser.add_argument("--kills", type=int, default=50, help="how many times a process is killed")
    parser.add_argument("--kill-rate", type=float, default=10.0, help="messages a second meanwhile")
    parser.add_argument("--seed", type=int, default=1022)
    given = parser.parse_args()
    plan = Plan(
        channel=given.channel,
        postgres=given.db == "postgres",
        messages=given.messages,
        users=given.users,
        rate=given.rate,
        down_after=given.down_after,
        down_seconds=given.down,
        kills=given.kills,
        kill_rate=given.kill_rate,
        seed=given.seed,
    )
    try:
        figures = run_stoppable(run(plan))
    except (ServiceError, PostgresMissingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    figures["machine"] = {"cores": os.cpu_count(), "load_before": os.getloadavg()[2]}
    print(json.dumps(figures, ensure_ascii=False, indent=2))
    return 1 if figures["findings"]["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
