"""`python -m tests.providers`: plays Zalo and Messenger, and shows phones of people to try things by hand."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex

from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options as MessengerOptions
from tests.providers.phone.server import PhonePage, Provider
from tests.providers.played.command import stopped
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options as ZaloOptions


async def _serve(arguments: argparse.Namespace) -> None:
    app = arguments.app.rstrip("/")
    messenger = PlayedMessenger(MessengerOptions(webhook=f"{app}/webhooks/messenger"))
    zalo = PlayedZalo(
        ZaloOptions(
            webhook=f"{app}/webhooks/zalo", redirect_uri=f"{app}/console/channels/connect/zalo/callback"
        )
    )
    await messenger.start(arguments.port + 1)
    await zalo.start(arguments.port + 2)
    page = PhonePage(
        {
            "messenger": Provider(messenger.url, messenger.options.control_token),
            "zalo": Provider(zalo.url, zalo.options.control_token),
        }
    )
    await page.start(arguments.port)
    settings = {**messenger.settings(), **zalo.settings()}
    lines = [f"  {name}={shlex.quote(value)} \\" for name, value in settings.items()]
    print("\nStart the system against the played providers, in another terminal:\n")
    print("\n".join([*lines, "  make run"]))
    print(f"\nPhones of people: {page.url}/\nCtrl-C stops the providers.\n", flush=True)
    await stopped()
    for played in (page, messenger, zalo):
        await played.stop()


def main() -> None:
    port = os.environ.get("APP_PORT") or "8022"
    parser = argparse.ArgumentParser(description="Plays Zalo and Facebook Messenger.")
    parser.add_argument("--port", type=int, default=8100, help="of the page; the providers take the next two")
    parser.add_argument("--app", default=f"http://127.0.0.1:{port}", help="address of the system")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
