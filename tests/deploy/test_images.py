"""The Dockerfiles: checked line by line, and the tree each image gets is started by hand."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.local.stack import BOT_PYTHON, ROOT

IMAGES = ROOT / "deploy" / "images"
MODEL = ROOT / ".build" / "rasa" / "model.tar.gz"


@dataclass
class Stage:
    """One FROM and what follows it."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for step, rest in self.steps if step == word]


def stages(name: str) -> list[Stage]:
    text = (IMAGES / f"{name}.Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            image, _, stage = rest.partition(" AS ")
            found.append(Stage(image, stage))
        else:
            found[-1].steps.append((word, " ".join(rest.split())))
    return found


def copies(stage: Stage) -> Iterator[tuple[str | None, list[str], str]]:
    """Yield where from, what and where to."""
    for rest in stage.all("COPY"):
        words = rest.split()
        origin = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
        yield origin, words[:-1], words[-1]


def is_let_in(path: str) -> bool:
    """Apply .dockerignore: the last line that matches decides."""
    result = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        keeps = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        parts = path.split("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        names = [*parts, *above] if pattern.startswith("**/") else above
        if any(fnmatch.fnmatchcase(each, pattern.removeprefix("**/")) for each in names):
            result = keeps
    return result


both = pytest.mark.parametrize("name", ["app", "bot"])


@both
def test_base_images_are_pinned_and_stages_named(name: str) -> None:
    seen: set[str] = set()
    for stage in stages(name):
        assert re.fullmatch(r"[a-z]+:\d[\w.-]*", stage.image), stage.image
        assert stage.name and stage.name not in seen
        seen.add(stage.name)
        for origin, _, _ in copies(stage):
            assert origin is None or origin in seen


@both
def test_it_does_not_run_as_root_and_says_how_it_is(name: str) -> None:
    last = stages(name)[-1]
    (user,) = last.all("USER")
    assert user == "10022:10022"
    (check,) = last.all("HEALTHCHECK")
    assert check.count("CMD") == 1
    (command,) = last.all("CMD")
    assert all(isinstance(word, str) for word in json.loads(command))
    steps = [word for word, _ in last.steps]
    assert steps.index("USER") > max(n for n, word in enumerate(steps) if word in {"COPY", "RUN"})


@both
def test_what_is_copied_is_there_and_nothing_secret_is(name: str) -> None:
    for stage in stages(name):
        for origin, sources, _ in copies(stage):
            for source in sources if origin is None else ():
                assert (ROOT / source).exists(), source
                assert is_let_in(source), source
        for step in [*stage.all("ENV"), *stage.all("ARG")]:
            assert not re.search(r"TOKEN|SECRET|PASSWORD|KEY", step)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "api/__pycache__/app.pyc",
        "deploy/.env",
        "deploy/compose/.env",
        "deploy/compose/secrets/redis_password",
        "node_modules/htmx.org/package.json",
        "tests/deploy/test_images.py",
        "var/1022.sqlite3",
        "var/secret.key",
        "web/x.key",
    ],
)
def test_the_build_does_not_see(path: str) -> None:
    assert not is_let_in(path)


@both
def test_packages_are_installed_lean_and_from_locks(name: str) -> None:
    for stage in stages(name):
        for run in stage.all("RUN"):
            if "apt-get install" in run:
                assert "--no-install-recommends" in run
                assert "rm -rf /var/lib/apt/lists/*" in run
            for install in re.findall(r"pip install [^&]*", run):
                assert "-r /build/" in install
            for npm in re.findall(r"npm \w+", run):
                assert npm == "npm ci"


def tree(name: str, target: Path) -> Path:
    """Put together what the image holds of the project, and return its folder."""
    for stage in stages(name):
        for origin, sources, to in copies(stage):
            for source in sources if origin is None else ():
                if to.startswith("/build") or to == "./" or source.startswith("requirements"):
                    continue
                place = target / to.removeprefix("/app/")
                place.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=_not_let_in)
                else:
                    shutil.copy(ROOT / source, place)
    return target


def _not_let_in(folder: str, names: list[str]) -> set[str]:
    inside = Path(folder).relative_to(ROOT)
    return {name for name in names if not is_let_in((inside / name).as_posix())}


def command(name: str) -> list[str]:
    (words,) = stages(name)[-1].all("CMD")
    return list(json.loads(words))


@contextmanager
def started(words: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    settings = {**inherited, "PYTHONPATH": str(folder), "HOME": "/tmp", **environment}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, env=settings, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def becomes_healthy(process: subprocess.Popen[bytes], name: str, folder: Path, port: int) -> None:
    """Run the image's own health check until it is well."""
    (check,) = stages(name)[-1].all("HEALTHCHECK")
    words = json.loads(check.split("CMD")[1])
    script, url = words[1], re.sub(r":\d+/", f":{port}/", words[2])
    ends_at = time.monotonic() + 600
    while time.monotonic() < ends_at:
        assert process.poll() is None, (folder / "log").read_text()[-2_000:]
        if subprocess.run([sys.executable, str(folder / script), url], check=False).returncode == 0:
            return
        # Checks without a pause would take the time it needs to start.
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
    raise AssertionError((folder / "log").read_text()[-2_000:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_app_starts_from_what_its_image_holds(tmp_path: Path) -> None:
    folder = tree("app", tmp_path)
    port = free_port()
    settings = {
        "APP_PORT": str(port), "DATA_DIR": str(tmp_path / "data"), "REDIS_URL": "", "SERVE_ACTIONS": "false",
    }  # fmt: skip
    with started([sys.executable, *command("app")[1:]], folder, settings) as process:
        becomes_healthy(process, "app", folder, port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in {0, -signal.SIGTERM}


def test_every_command_of_the_app_image_can_be_imported(tmp_path: Path) -> None:
    folder = tree("app", tmp_path)
    modules = (
        "api.worker, api.actions_process, deploy.instance, deploy.backup.__main__, kb_index.__main__, "
        "conversations.__main__, actions.server, kb_index.service"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_bot_starts_from_what_its_image_holds(tmp_path: Path) -> None:
    folder = tree("bot", tmp_path)
    # The stages before the last one train the model; here it is the one that is there.
    wanted = [source for _, sources, _ in copies(stages("bot")[-1]) for source in sources]
    assert "/app/.build/rasa/model.tar.gz" in wanted
    shutil.rmtree(folder / "nlu_data")
    (folder / "config.yml").unlink()
    (folder / ".build" / "rasa").mkdir(parents=True)
    shutil.copy(MODEL, folder / ".build" / "rasa")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "internal_token").write_text("from a file\n")
    (secrets / "redis_url").write_text("redis://127.0.0.1:1/0")
    port = free_port()
    settings = {"BOT_HOST": "127.0.0.1", "BOT_PORT": str(port), "SECRETS_DIR": str(secrets)}
    with started([str(BOT_PYTHON), *command("bot")[1:]], folder, settings) as process:
        becomes_healthy(process, "bot", folder, port)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
