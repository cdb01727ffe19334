"""`python -m api`: serve the application with uvicorn."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from api.settings import Settings


def main() -> None:
    """Serve until told to stop; what is under way is finished first."""
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host=settings.app_host,
        port=settings.app_port,
        # One log line a request is written by the app, without query and address.
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        # Open event streams would otherwise hold the process for ever.
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
