"""`python -m api`: serve the application with uvicorn."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from api.app import create_app
from api.chat_socket import LARGEST_FRAME
from api.garbage import look_seldom
from api.settings import Settings


def server_options(settings: Settings) -> dict[str, Any]:
    """Return how uvicorn serves the app."""
    return {
        "host": settings.app_host,
        "port": settings.app_port,
        # One log line a request is written by the app, without query and address.
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": True,
        "forwarded_allow_ips": settings.forwarded_allow_ips,
        # Open event streams would otherwise hold the process for ever.
        "timeout_graceful_shutdown": 5,
        # No task and no timer of its own for each connection: the chat has its own signs of life.
        "ws": "websockets-sansio",
        "ws_ping_interval": None,
        "ws_max_size": LARGEST_FRAME,
        # Frames are short; a compressor for each of a thousand connections costs more than it saves.
        "ws_per_message_deflate": False,
    }


def main() -> None:
    """Serve until told to stop; what is under way is finished first."""
    # The disk is flushed in a thread, which must not wait for its turn longer than the flush itself takes.
    sys.setswitchinterval(0.0005)
    settings = Settings()
    app = create_app(settings)
    look_seldom()
    uvicorn.run(app, **server_options(settings))


if __name__ == "__main__":
    main()
