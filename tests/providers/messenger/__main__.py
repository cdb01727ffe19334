"""`python -m tests.providers.messenger --port 8101 --webhook http://127.0.0.1:8022/webhooks/messenger`."""

from __future__ import annotations

import argparse
import asyncio
import signal

from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options


async def _serve(arguments: argparse.Namespace) -> None:
    options = Options(webhook=arguments.webhook, control_token=arguments.control_token)
    played = PlayedMessenger(options)
    await played.start(arguments.port)
    print(f"played Messenger: {played.url}", flush=True)
    for name, value in played.settings().items():
        print(f"{name}={value}", flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await played.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Plays Facebook Messenger.")
    parser.add_argument("--port", type=int, default=8101)
    parser.add_argument("--webhook", default="http://127.0.0.1:8022/webhooks/messenger")
    parser.add_argument("--control-token", default="control")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
