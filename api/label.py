"""`python -m api.label`: a person labels what was misunderstood; `make label` calls it.

python -m api.label                         at the terminal, in Vietnamese
python -m api.label --list                  the groups and what is proposed for them, JSON Lines
python -m api.label --decisions FILE        decisions from a file (see `actions.learning.decisions`)
python -m api.label --status                how much waits and what became of the rest
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from actions.learning.clusters import MOST
from actions.learning.decisions import DecisionsError, carry_out, listing, read_decisions
from actions.learning.labelling import Labeller, Result
from actions.learning.proposals import Proposer
from actions.learning.samples import LearningSamples
from actions.learning.terminal import Session
from actions.learning.training_files import ROOT, TrainingFiles
from api.settings import Settings
from api.startup import prepare_database
from database.clock import SystemClock
from database.engine import Database
from kb_index.embedding import EmbeddingUnavailableError
from kb_index.service import KnowledgeBase


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 0 well, 1 not everything could be written, 2 wrong input."""
    parser = argparse.ArgumentParser(prog="python -m api.label", description="Label what was misunderstood.")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--list", action="store_true", help="print the groups and proposals as JSON Lines")
    kinds.add_argument("--decisions", type=Path, help="carry out the decisions of a JSON Lines file")
    kinds.add_argument("--status", action="store_true", help="say how much waits")
    parser.add_argument("--root", type=Path, default=ROOT, help="project folder whose data are written")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    try:
        return asyncio.run(_run(options))
    except (DecisionsError, OSError, EmbeddingUnavailableError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


async def _run(options: argparse.Namespace) -> int:
    settings = Settings()
    decisions = read_decisions(options.decisions) if options.decisions else []
    database = Database(settings.resolved_database_url())
    try:
        await prepare_database(database)
        samples = LearningSamples(database, SystemClock(), timedelta(days=settings.learning_days))
        await samples.collect()
        await samples.forget()
        if options.status:
            _print_lines(await _status(samples))
            return 0
        files = TrainingFiles(options.root)
        knowledge = await KnowledgeBase.open(database, settings.data_dir, settings.embedding_model)
        proposer, labeller = Proposer(knowledge, files), Labeller(samples, files)
        if options.list:
            groups = await listing(samples, proposer, MOST)
            _print_lines([json.dumps(group, ensure_ascii=False) for group in groups])
            return 0
        if options.decisions:
            return _print_result(await carry_out(decisions, samples, labeller, proposer))
        session = Session(
            samples, files, labeller, proposer, ask=input, show=lambda line: _print_lines([line])
        )
        await session.run()
        return 0
    finally:
        await database.close()


async def _status(samples: LearningSamples) -> list[str]:
    lines = [f"{'state':12}{'reason':28}{'texts':>7}{'said':>7}"]
    for (state, reason), (texts, said) in sorted((await samples.counts()).items()):
        lines.append(f"{state:12}{reason:28}{texts:>7}{said:>7}")
    return lines


def _print_result(result: Result) -> int:
    _print_lines([f"{state}: {count}" for state, count in sorted(result.written.items())])
    for refusal in result.refused:
        sys.stderr.write(f"refused, {refusal.reason} ({refusal.detail}): {refusal.text}\n")
    return 1 if result.refused else 0


def _print_lines(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
