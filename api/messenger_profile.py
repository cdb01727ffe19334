"""`python -m api.messenger_profile`: sets greeting, Get Started and menu of the connected Facebook page.

It reads the same settings as the app. It says what it changed; a second run changes nothing.
"""

from __future__ import annotations

import asyncio
import sys

from api.messenger import graph_client, missing_settings
from api.settings import Settings
from connectors.credentials import ChannelCredentials
from connectors.messenger import profile
from connectors.messenger.errors import GraphError
from database.clock import SystemClock
from database.engine import Database


async def run(settings: Settings) -> int:
    """Set the page's profile and say what was changed; return the exit code."""
    missing = missing_settings(settings)
    if missing:
        print(f"error: set {', '.join(missing)} first", file=sys.stderr)  # noqa: T201
        return 2
    database = Database(settings.resolved_database_url())
    client = graph_client(
        settings, ChannelCredentials(database, SystemClock(), settings.resolved_secret_key())
    )
    try:
        changed = await profile.apply(client, settings.resolved_public_url())
    except GraphError as error:
        fault = error.fault
        print(f"error: {fault.reason} (code {fault.code}, subcode {fault.subcode})", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        await client.close()
        await database.close()
    print("\n".join(f"changed: {name}" for name in changed) or "Nothing had to be changed.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run(Settings())))
