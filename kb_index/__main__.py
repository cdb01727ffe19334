"""Command line of the knowledge base: import, train, index, fit, report, search."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from database.engine import Database, sqlite_url

logger = logging.getLogger("kb_index")

_REPORT = "last_import.json"
_PROBLEMS_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 well, 1 nothing done, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    for noisy in ("httpx", "sentence_transformers", "faiss", "faiss.loader", "datasets", "transformers"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options.data_dir = Path(options.data_dir)
    try:
        return asyncio.run(_run(options))
    except _expected() as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kb_index", description="The knowledge base of an instance."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--data-dir",
        default=os.environ.get("DATA_DIR") or "var",
        help="folder of the instance (default: var)",
    )
    importer = commands.add_parser("import", parents=[shared], help="import a file or a folder, then index")
    importer.add_argument(
        "--from", dest="source", type=Path, help="file or folder; without it only the starter base"
    )
    importer.add_argument(
        "--columns", type=Path, help="YAML file that maps fields to the headings of a sheet"
    )
    importer.add_argument(
        "--checked-on", type=date.fromisoformat, help="day the facts are of (default: the file's date)"
    )
    commands.add_parser("train", parents=[shared], help="train the instance's embedding anew, then index")
    indexer = commands.add_parser("index", parents=[shared], help="build the index if it is out of date")
    indexer.add_argument("--force", action="store_true", help="build it in any case")
    fitter = commands.add_parser(
        "fit", parents=[shared], help="fit the ranker that every instance uses on this one's entries"
    )
    fitter.add_argument(
        "--here", action="store_true", help="only for this instance (another embedding model)"
    )
    commands.add_parser("report", parents=[shared], help="what is in the base, and the last import")
    searcher = commands.add_parser("search", parents=[shared], help="search from the command line")
    searcher.add_argument("text")
    searcher.add_argument("--limit", type=int, default=5)
    return parser


def _expected() -> tuple[type[Exception], ...]:
    """Return the errors that are told in one line."""
    from kb_index.building import BuildBusyError
    from kb_index.embedding import EmbeddingUnavailableError
    from kb_index.importers import ImportRefusedError

    return (BuildBusyError, EmbeddingUnavailableError, ImportRefusedError, OSError)


async def _run(options: argparse.Namespace) -> int:
    options.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(os.environ.get("DATABASE_URL") or sqlite_url(options.data_dir / "1022.sqlite3"))
    import kb_index.models  # noqa: F401 - its table is created with the others

    try:
        await database.create_all()
        match options.command:
            case "import":
                return await _import(database, options)
            case "train":
                return await _train(database, options)
            case "index":
                return await _index(database, options)
            case "fit":
                return await _fit(database, options)
            case "report":
                return await _report(database, options)
            case _:
                return await _search(database, options)
    finally:
        await database.close()


async def _import(database: Database, options: argparse.Namespace) -> int:
    from kb_index.importers import ColumnMap, read_path
    from kb_index.importing import import_records
    from kb_index.service import is_current, rebuild

    started = time.monotonic()
    await _starter(database)
    imported = True
    if options.source is not None:
        columns = ColumnMap(options.columns)
        logger.info("reading %s", options.source.name)
        report = await import_records(
            database, read_path(options.source, columns=columns, checked_on=options.checked_on)
        )
        imported = report.imported > 0
        content = {"source": options.source.name, **report.as_dict()}
        _write_report(options.data_dir, content)
        _say(_import_lines(content))
        if not imported:
            print("error: nothing could be imported", file=sys.stderr)  # noqa: T201
    if not await is_current(database, options.data_dir, _model()):
        await rebuild(database, options.data_dir, _model())
    _say([f"done in {time.monotonic() - started:.1f} s"])
    return 0 if imported else 1


async def _train(database: Database, options: argparse.Namespace) -> int:
    from kb_index.service import rebuild

    await _starter(database)
    if _model() is not None:
        print(f"EMBEDDING_MODEL is {_model()}: nothing to train, indexing only", file=sys.stderr)  # noqa: T201
    number = await rebuild(database, options.data_dir, _model(), force_training=True)
    _say([f"index {number} is live"])
    return 0


async def _index(database: Database, options: argparse.Namespace) -> int:
    from kb_index.service import is_current, rebuild

    await _starter(database)
    if not options.force and await is_current(database, options.data_dir, _model()):
        _say(["the index is up to date"])
        return 0
    number = await rebuild(database, options.data_dir, _model())
    _say([f"index {number} is live"])
    return 0


async def _fit(database: Database, options: argparse.Namespace) -> int:
    from kb_index.building import own_ranker
    from kb_index.fitting import PACKAGED, TooFewQuestionsError
    from kb_index.service import fit, rebuild

    file = own_ranker(options.data_dir) if options.here else PACKAGED
    try:
        ranker = await fit(database, options.data_dir, _model())
    except TooFewQuestionsError as error:
        _say([f"not fitted: {error}"])
        return 1
    ranker.save(file)
    number = await rebuild(database, options.data_dir, _model())
    _say([f"the ranker is in {file}; index {number} is live with it"])
    return 0


async def _report(database: Database, options: argparse.Namespace) -> int:
    from kb_index.repository import KbRepository
    from kb_index.versions import IndexDamagedError, Versions

    async with database.read() as session:
        counts = await KbRepository(session).counts()
    lines = ["kind       layer    entries"]
    lines += [f"{kind:10} {layer:8} {number:7,}" for (kind, layer), number in sorted(counts.items())]
    try:
        version = Versions(options.data_dir).current()
        lines.append(f"index {version.number}: {version.manifest['entries']:,} entries")
    except IndexDamagedError as error:
        lines.append(f"no index: {error}")
    try:
        content = json.loads((options.data_dir / "kb" / _REPORT).read_text(encoding="utf-8"))
        lines += ["", f"last import: {content['source']}", *_import_lines(content)]
    except FileNotFoundError:
        lines.append("nothing was imported yet but the starter base")
    _say(lines)
    return 0


async def _search(database: Database, options: argparse.Namespace) -> int:
    from kb_index.service import KnowledgeBase

    base = await KnowledgeBase.open(database, options.data_dir, _model())
    started = time.perf_counter()
    result = base.search(options.text, limit=options.limit)
    seconds = time.perf_counter() - started
    lines = [f"{hit.confidence:5.2f} {hit.score:7.2f}  {hit.code}  {hit.title}" for hit in result.hits]
    _say([*lines, f"confidence {result.confidence:.2f}, {seconds * 1000:.1f} ms"])
    return 0 if result.hits else 1


async def _starter(database: Database) -> None:
    """Bring the starter base into the instance, unless KB_STARTER=false."""
    from kb_index.importing import import_starter

    if (os.environ.get("KB_STARTER") or "true").lower() in ("false", "0", "no", "off"):
        return
    report = await import_starter(database)
    for problem in report.problems:
        logger.warning("starter base: %s", problem)
    logger.info(
        "starter base: %d new, %d changed, %d unchanged, %d removed",
        len(report.new),
        len(report.changed),
        len(report.unchanged),
        len(report.removed),
    )


def _model() -> str | None:
    return os.environ.get("EMBEDDING_MODEL") or None


def _write_report(data_dir: Path, content: dict[str, object]) -> None:
    (data_dir / "kb").mkdir(parents=True, exist_ok=True)
    (data_dir / "kb" / _REPORT).write_text(
        json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8"
    )


def _import_lines(content: dict[str, object]) -> list[str]:
    lines = [" ".join(f"{name} {content[name]:,}" for name in ("new", "changed", "unchanged", "removed"))]
    fields = content["fields"]
    if isinstance(fields, dict) and fields:
        outcomes = ("taken apart", "kept as text", "empty")
        lines.append(f"{'field':14} {'  '.join(f'{name:>12}' for name in outcomes)}")
        for name, counts in fields.items():
            lines.append(f"{name:14} {'  '.join(f'{counts.get(outcome, 0):12,}' for outcome in outcomes)}")
    problems = content["problems"]
    if isinstance(problems, list) and problems:
        lines.append(f"{len(problems)} could not be imported:")
        lines += [f"  {problem}" for problem in problems[:_PROBLEMS_SHOWN]]
        if len(problems) > _PROBLEMS_SHOWN:
            lines.append(
                f"  … and {len(problems) - _PROBLEMS_SHOWN} more (kb/{_REPORT} in the data folder has all)"
            )
    return lines


def _say(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
