"""Real Rasa, real Redis and a small action server; collected only where Rasa is installed (.venv-bot)."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-token-of-the-gateway"
collect_ignore_glob = [] if importlib.util.find_spec("rasa") else ["*.py"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the process ended with {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError(f"nothing listens on {port}")


class Actions:
    """An action server with a small report form; `mode` makes it fail in the ways real ones do."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.calls: list[dict[str, Any]] = []
        self.release = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.calls.append({**body, "path": self.path, "headers": dict(self.headers)})
                status, answer = owner.answer(body)
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                return None

        self.port = free_port()
        self._handler = Handler
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook"

    @property
    def names(self) -> list[str]:
        return [call["next_action"] for call in self.calls]

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        action = body["next_action"]
        if self.mode == "fail":
            return 500, {"error": "a secret of the action server"}
        if self.mode == "reject":
            return 400, {"error": "no", "action_name": action}
        if self.mode == "garbage":
            return 200, b"<html>"
        if self.mode == "silent":
            return 200, {"events": [], "responses": []}
        if self.mode == "hang":
            self.release.wait(30)
        if action == "validate_report_form":
            return 200, self._form(body["tracker"])
        if action.startswith("action_ask_"):
            return 200, {"events": [], "responses": [{"text": f"? {action.removeprefix('action_ask_')}"}]}
        if action == "action_submit_report":
            confirmed = body["tracker"]["slots"]["report_confirmed"]
            events = [{"event": "slot", "name": name, "value": None} for name in _FORM]
            return 200, {"events": events, "responses": [{"text": "sent" if confirmed else "cancelled"}]}
        said = {
            "text": f"{action}\n\nsecond paragraph",
            "buttons": [{"title": "Lệ phí", "payload": "/ask_fee"}],
            "custom": {"turn": {"route": "answer", "aspect": "fee"}},
        }
        return 200, {"events": [{"event": "slot", "name": "unclear_count", "value": 1}], "responses": [said]}

    def _form(self, tracker: dict[str, Any]) -> dict[str, Any]:
        text = tracker["latest_message"]["text"]
        requested = tracker["slots"]["requested_slot"]
        draft = [*(tracker["slots"]["report_draft"] or []), text]
        events = [{"event": "slot", "name": "report_draft", "value": draft}]
        responses: list[dict[str, Any]] = []
        if text == "thôi":
            events.append({"event": "slot", "name": "report_confirmed", "value": False})
            events.append({"event": "slot", "name": "requested_slot", "value": None})
        elif text.endswith("?"):
            responses.append({"text": "answered in between"})
        elif requested in ("report_consent", "report_confirmed"):
            events.append({"event": "slot", "name": requested, "value": True})
        else:
            events.append({"event": "slot", "name": requested or "report_content", "value": text})
        return {"events": events, "responses": responses}


_FORM = (
    "report_draft", "report_content", "report_place", "report_name", "report_phone", "report_address",
    "report_consent", "report_confirmed",
)  # fmt: skip


class Redis:
    """A Redis server that can be stopped and started on the same port, keeping its data."""

    def __init__(self, folder: Path) -> None:
        found = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
        self.binary = found or str(ROOT / ".venv" / "bin" / "redis-server")
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/1"

    def start(self) -> None:
        command = [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for_port(self.port, self._process)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)


class Bot:
    """The bot as it runs in production, started by `python -m bot.run`, and a client of its gateway."""

    def __init__(self, model: Path, redis: Redis, actions: Actions, log: Path) -> None:
        self.port, self.log = free_port(), log
        self.url = f"http://127.0.0.1:{self.port}/webhooks/gateway"
        environment = {
            **os.environ,
            "BOT_PORT": str(self.port),
            "BOT_MODEL": str(model),
            "INTERNAL_TOKEN": TOKEN,
            "REDIS_URL": redis.url,
            "ACTIONS_URL": actions.url,
            "BOT_ACTION_TIMEOUT": "2",
            "BOT_TURN_TIMEOUT": "4",
            "LOG_LEVEL": "INFO",
        }
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot.run"], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def post(self, body: Any, *, token: str = TOKEN) -> Any:
        import requests

        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return requests.post(
            f"{self.url}/messages", data=raw, headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    def say(
        self, conversation: str, text: str, *, message_id: str | None = None, postback: bool = False
    ) -> Any:
        body = {
            "conversation": conversation,
            "message_id": message_id or uuid.uuid4().hex,
            "text": text,
            "postback": postback,
            "metadata": {"channel": "test"},
        }
        return self.post(body)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own pipeline, domain, rules and stories, with a few phrases."""
    import bot.train as training
    from bot.augment import build

    training.prepare_rasa()
    from rasa.model_training import train

    folder = tmp_path_factory.mktemp("model")
    (folder / "in").mkdir()
    shutil.copy(Path(__file__).parent / "small_nlu.yml", folder / "in")
    build(folder / "in", ROOT / "bot" / "patterns.yml", folder / "nlu")
    data = [str(folder / "nlu"), str(ROOT / "bot" / "rules.yml"), str(ROOT / "bot" / "stories.yml")]
    result = train(
        str(ROOT / "bot" / "domain.yml"),
        str(ROOT / "config.yml"),
        data,
        str(folder),
        fixed_model_name="model.tar.gz",
    )
    assert result.model is not None
    return Path(result.model)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def action_server() -> Iterator[Actions]:
    server = Actions()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def running_bot(
    small_model: Path, redis_server: Redis, action_server: Actions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bot]:
    bot = Bot(small_model, redis_server, action_server, tmp_path_factory.mktemp("log") / "bot.log")
    yield bot
    bot.stop()


@pytest.fixture
def start_bot(redis_server: Redis, action_server: Actions) -> Iterator[Callable[[Path, Path], Bot]]:
    """Start a bot of one's own, of a model and with a log file."""
    started: list[Bot] = []

    def start(model: Path, log: Path) -> Bot:
        started.append(Bot(model, redis_server, action_server, log))
        return started[-1]

    yield start
    for bot in started:
        bot.stop()


@pytest.fixture
def actions(action_server: Actions) -> Iterator[Actions]:
    """The action server, answering well and with no calls counted yet."""
    action_server.mode = "ok"
    action_server.calls.clear()
    action_server.release.clear()
    yield action_server
    action_server.mode = "ok"
    action_server.release.set()


@pytest.fixture
def bot(running_bot: Bot, actions: Actions) -> Bot:
    return running_bot


@pytest.fixture
def conversation() -> str:
    return uuid.uuid4().hex
