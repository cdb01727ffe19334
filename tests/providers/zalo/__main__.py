"""`python -m tests.providers.zalo --port 8102 --webhook http://127.0.0.1:8022/webhooks/zalo`."""

from __future__ import annotations

import argparse
import asyncio
import signal

from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options


async def _serve(arguments: argparse.Namespace) -> None:
    options = Options(
        webhook=arguments.webhook,
        redirect_uri=arguments.redirect_uri,
        control_token=arguments.control_token,
    )
    played = PlayedZalo(options)
    await played.start(arguments.port)
    print(f"played Zalo: {played.url}", flush=True)
    for name, value in played.settings().items():
        print(f"{name}={value}", flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await played.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Plays Zalo.")
    parser.add_argument("--port", type=int, default=8102)
    parser.add_argument("--webhook", default="http://127.0.0.1:8022/webhooks/zalo")
    parser.add_argument(
        "--redirect-uri", default="http://127.0.0.1:8022/console/channels/connect/zalo/callback"
    )
    parser.add_argument("--control-token", default="control")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
