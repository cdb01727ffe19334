"""`python -m tests.providers.messenger --port 8101 --webhook http://127.0.0.1:8022/webhooks/messenger`."""

from __future__ import annotations

import asyncio

from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options
from tests.providers.played.command import arguments_of, serve


async def main() -> None:
    webhook = "http://127.0.0.1:8022/webhooks/messenger"
    arguments = arguments_of("Plays Facebook Messenger.", port=8101, webhook=webhook).parse_args()
    options = Options(webhook=arguments.webhook, control_token=arguments.control_token)
    await serve("Messenger", PlayedMessenger(options), arguments.port)


if __name__ == "__main__":
    asyncio.run(main())
