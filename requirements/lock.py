"""Writes the lock files from the environment this runs in: the exact versions of what *.in names and needs.

    .venv/bin/python requirements/lock.py

Read from the installed environment and not resolved anew, so that what is locked is what was tested. Local
version labels (torch's "+cpu") are dropped: which build is taken is up to the machine's package index.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HERE = Path(__file__).parent
# Packages whose extras are used, and cannot be seen from the names in *.in.
_EXTRAS = {"uvicorn": {"standard"}, "sqlalchemy": {"asyncio"}, "sentence-transformers": {"train"}}


def closure(names: list[str]) -> dict[str, str]:
    """Return {package: version} for the packages in `names` and all they need here."""
    found: dict[str, str] = {}
    left = [(canonicalize_name(name), frozenset(_EXTRAS.get(name, set()))) for name in names]
    seen = set()
    while left:
        item = left.pop()
        if item in seen:
            continue
        seen.add(item)
        name, extras = item
        distribution = metadata.distribution(name)
        found[name] = distribution.version.split("+")[0]
        for line in distribution.requires or []:
            requirement = Requirement(line)
            environments = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if requirement.marker and not any(requirement.marker.evaluate(e) for e in environments):
                continue
            left.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def _names(file: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def main() -> None:
    """Write app.txt and dev.txt."""
    app = closure(_names(_HERE / "app.in"))
    dev = closure(_names(_HERE / "dev.in"))
    for file, packages in (("app.txt", app), ("dev.txt", {k: v for k, v in dev.items() if k not in app})):
        body = "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))
        (_HERE / file).write_text(f"# Written by lock.py; do not edit.\n{body}")


if __name__ == "__main__":
    main()
