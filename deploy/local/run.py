"""Starts everything on this machine, says where to click, and stops cleanly on Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import webbrowser

from api.first_admin import first_administrator_link
from deploy.local.stack import ROOT, PortTakenError, Stack
from deploy.local.supervisor import ServiceError, Supervisor


async def run(stack: Stack) -> None:
    """Bring `stack` up and keep it up until SIGINT or SIGTERM.

    Raises:
        ServiceError: a service did not come up.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    os.environ.update(stack.environment())
    supervisor = Supervisor(ROOT, stack.data_dir / "logs")
    starting = asyncio.create_task(_start(stack, supervisor))
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await waiting
    finally:
        _say("Stopping…")
        starting.cancel()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError, ServiceError):
            await starting
        await supervisor.stop()
        _say("Stopped.")


async def _start(stack: Stack, supervisor: Supervisor) -> None:
    link = await first_administrator_link(stack.url)
    redis = stack.redis_service()
    if redis is not None:
        await supervisor.start(redis)
    await supervisor.start(stack.bot_service(), stack.actions_service(), stack.app_service())
    _say("")
    _say(f"  1022 Gia Lai is running:   {stack.url}/")
    _say(f"  The operators' page:       {stack.url}/console")
    if link:
        _say(f"  Set the first password at: {link}   (works once)")
    _say("  Ctrl-C stops everything.")
    _say("")
    if sys.stdout.isatty():
        # Without a screen there is nothing to open, and that is no error.
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(stack.url)


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Start the system of DATA_DIR."""
    try:
        stack = Stack.from_environment()
        stack.check_ports()
        asyncio.run(run(stack))
    except (PortTakenError, ServiceError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
