"""Serves the trained model: `python -m bot.run`, in Rasa's environment, from the project's root.

Variables: BOT_HOST (127.0.0.1), BOT_PORT (5022), INTERNAL_TOKEN (needed), ACTIONS_URL, REDIS_URL (the
application's, which erases there), BOT_MODEL (`.build/rasa/model.tar.gz`), BOT_TURN_TIMEOUT and
BOT_ACTION_TIMEOUT (seconds), BOT_MODEL_CHECK (seconds between looks for a new model), LOG_LEVEL.
INTERNAL_TOKEN and REDIS_URL may be files instead: `internal_token` and `redis_url` in SECRETS_DIR, else in
`/run/secrets`.
It does not listen before the model is loaded and warm. A model that is put in place of the one it serves is
taken up without a restart.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS = {
    "BOT_HOST": "127.0.0.1",
    "BOT_PORT": "5022",
    "BOT_MODEL": str(ROOT / ".build" / "rasa" / "model.tar.gz"),
    "ACTIONS_URL": "http://127.0.0.1:8022/internal/actions/webhook",
    "REDIS_URL": "redis://127.0.0.1:6022/0",
    "BOT_TURN_TIMEOUT": "20",
    "BOT_ACTION_TIMEOUT": "10",
    "BOT_MODEL_CHECK": "15",
    "LOG_LEVEL": "INFO",
    "RASA_TELEMETRY_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
}


SECRETS = ("INTERNAL_TOKEN", "REDIS_URL")


def _read_secrets() -> None:
    """Take what is not in the environment from files, as containers and systemd hand secrets over."""
    folder = Path(os.environ.get("SECRETS_DIR") or "/run/secrets")
    for name in SECRETS:
        file = folder / name.lower()
        if not os.environ.get(name) and file.is_file():
            os.environ[name] = file.read_text(encoding="utf-8").strip()


def _bind(host: str, port: int) -> socket.socket:
    """Take the port at once, so that a taken one is said before ten seconds of loading."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit(f"bot: {host}:{port} cannot be used ({error.strerror}); set BOT_HOST or BOT_PORT to another")
    return listener


def main() -> None:
    """Start the server and stay until it is stopped."""
    _read_secrets()
    for name, value in DEFAULTS.items():
        if not os.environ.get(name):
            os.environ[name] = value
    if not os.environ.get("INTERNAL_TOKEN"):
        sys.exit("bot: INTERNAL_TOKEN is not set; the application and the bot share it")
    model = Path(os.environ["BOT_MODEL"])
    if not model.is_file():
        sys.exit(f"bot: no model at {model}; train one with 'python -m bot.train'")
    listener = _bind(os.environ["BOT_HOST"], int(os.environ["BOT_PORT"]))
    started = time.monotonic()

    # Only after the checks: these take seconds. Sanic turns deprecation warnings on when it is imported, and
    # Rasa's dependencies are full of them.
    import sanic.app  # noqa: F401

    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from bot.server import make_app

    app = make_app(model, ROOT / "bot" / "credentials.yml", ROOT / "bot" / "endpoints.yml", started=started)
    app.run(sock=listener, access_log=False, motd=False)


if __name__ == "__main__":
    main()
