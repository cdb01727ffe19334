"""`python -m tests.providers.zalo --port 8102 --webhook http://127.0.0.1:8022/webhooks/zalo`."""

from __future__ import annotations

import asyncio

from tests.providers.played.command import arguments_of, serve
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options

_APP = "http://127.0.0.1:8022"


async def main() -> None:
    parser = arguments_of("Plays Zalo.", port=8102, webhook=f"{_APP}/webhooks/zalo")
    parser.add_argument("--redirect-uri", default=f"{_APP}/console/channels/connect/zalo/callback")
    arguments = parser.parse_args()
    options = Options(
        webhook=arguments.webhook,
        redirect_uri=arguments.redirect_uri,
        control_token=arguments.control_token,
    )
    await serve("Zalo", PlayedZalo(options), arguments.port)


if __name__ == "__main__":
    asyncio.run(main())
