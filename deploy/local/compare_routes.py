"""`python -m deploy.local.compare_routes WEB.jsonl ZALO.jsonl …`: are rows answered alike on every channel?

The files are predictions of the same rows (`make predict`, with CHANNEL=zalo or messenger). Compared with the
first are route, aspect, article and the procedures that were found; what is worded differently (choices that
are numbered, texts that are split) may differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

Turn = dict[str, Any]


def read(file: Path) -> dict[str, list[Turn]]:
    """Return the turns of each row, by the row's id."""
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return {row["id"]: row["turns"] for row in rows}


def differences(ones: dict[str, list[Turn]], others: dict[str, list[Turn]]) -> list[str]:
    """Return one sentence for each row, or turn of a row, that is not answered alike."""
    found = [f"{row}: only in one of them" for row in sorted(set(ones) ^ set(others))]
    for row in sorted(set(ones) & set(others)):
        if len(ones[row]) != len(others[row]):
            found.append(f"{row}: {len(ones[row])} turns, {len(others[row])} turns")
            continue
        for number, (one, other) in enumerate(zip(ones[row], others[row], strict=True), 1):
            of_one, of_other = _essence(one), _essence(other)
            found += [
                f"{row}, turn {number}: {name} {of_one[name]} and {of_other[name]}"
                for name in of_one
                if of_one[name] != of_other[name]
            ]
    return found


def _essence(turn: Turn) -> Turn:
    return {
        "route": turn["route"],
        "aspect": turn.get("aspect"),
        "article": turn.get("article"),
        "procedures": [procedure["code"] for procedure in turn.get("procedures") or ()],
    }


def main(arguments: list[str] | None = None) -> int:
    """Compare files with the first; 0 when all rows are answered alike."""
    parser = argparse.ArgumentParser(prog="compare_routes", description=__doc__)
    parser.add_argument("predictions", type=Path, nargs="+", help="predictions, JSON Lines")
    files: list[Path] = parser.parse_args(arguments).predictions
    if len(files) < 2:
        parser.error("nothing to compare with")
    if missing := [file for file in files if not file.is_file()]:
        print(f"error: {missing[0]} does not exist", file=sys.stderr)
        return 2
    first = read(files[0])
    are_alike = True
    for file in files[1:]:
        found = differences(first, read(file))
        are_alike = are_alike and not found
        print(f"{file}: {len(first)} rows, {len(found)} differences from {files[0]}")
        print("".join(f"  {sentence}\n" for sentence in found), end="")
    return 0 if are_alike else 1


if __name__ == "__main__":
    raise SystemExit(main())
