"""The web server around the gateway channel."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import warnings
from asyncio import AbstractEventLoop
from pathlib import Path

from rasa.core.run import configure_app, create_http_input_channels
from rasa.core.utils import AvailableEndpoints
from rasa.utils.common import configure_logging_and_warnings
from rasa.utils.log_utils import configure_structlog
from sanic import Sanic

from bot.action_endpoint import ActionEndpoint
from bot.agent import load_agent
from bot.channels.requests import MAX_BODY_BYTES
from bot.reloading import ModelWatch
from telemetry import logs

logger = logging.getLogger("bot")

# One of each kind, so that the first citizen does not wait for what is loaded lazily.
_WARM_UP = (
    "xin chào",
    "thu tuc lam giay khai sinh can giay to gi",
    "Đèn đường hỏng ở 12 Trần Phú, sđt 0912345678",
)


def configure_logging() -> None:
    """Log the application's kind of lines. Rasa by itself logs every step, people's words included."""
    configure_structlog()
    configure_logging_and_warnings(filter_repeated_logs=False)
    # Afterwards, so that ours is what counts. Rasa speaks from WARNING on, and only of what went wrong.
    logs.configure("bot", level="WARNING", form=os.environ.get("LOG_FORMAT", "console"))
    logging.getLogger("bot").setLevel(os.environ.get("LOG_LEVEL", "INFO"))
    for name in ("sanic.root", "sanic.error", "apscheduler", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings(
        "ignore", message=r"[\s\S]*Slot auto-fill has been removed"
    )  # said of every domain


def make_app(model: Path, credentials: Path, endpoints: Path, *, started: float | None = None) -> Sanic:
    """Return the server; it loads and warms the model before it listens.

    Args:
        model: a trained model archive.
        credentials: Rasa's credentials file; every channel in it is served.
        endpoints: Rasa's endpoints file.
        started: `time.monotonic()` when the process began, for the line that says it is ready.
    """
    configure_logging()
    begun = time.monotonic() if started is None else started
    stores = AvailableEndpoints.read_endpoints(str(endpoints))
    app = configure_app(
        input_channels=create_http_input_channels(None, str(credentials)), enable_api=False, endpoints=stores
    )
    app.config.REQUEST_MAX_SIZE = MAX_BODY_BYTES
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 5.0

    async def load(app: Sanic, _: AbstractEventLoop) -> None:
        watch = ModelWatch(model, _WARM_UP, seconds=float(os.environ.get("BOT_MODEL_CHECK", "15")))
        app.ctx.agent = load_agent(model, stores)
        for text in _WARM_UP:
            await app.ctx.agent.parse_message(text)
        app.ctx.watching = asyncio.create_task(watch.watch_for_ever(app.ctx.agent))

    async def ready(app: Sanic, _: AbstractEventLoop) -> None:
        logger.info("ready after %.1f s, model %s", time.monotonic() - begun, app.ctx.agent.model_id)

    async def close(app: Sanic, _: AbstractEventLoop) -> None:
        if (watching := getattr(app.ctx, "watching", None)) is not None:
            watching.cancel()
        agent = getattr(app.ctx, "agent", None)
        if agent is not None and isinstance(agent.action_endpoint, ActionEndpoint):
            await agent.action_endpoint.close()

    app.register_listener(load, "before_server_start")
    app.register_listener(ready, "after_server_start")
    app.register_listener(close, "after_server_stop")
    return app
