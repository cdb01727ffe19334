"""Runs a played provider from the command line until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal

from tests.providers.played.server import PlayedProvider


def arguments_of(description: str, *, port: int, webhook: str) -> argparse.ArgumentParser:
    """Return what every played provider is told: its port, the app's address, the control token."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--webhook", default=webhook)
    parser.add_argument("--control-token", default="control")
    return parser


async def serve(name: str, played: PlayedProvider, port: int) -> None:
    """Play until stopped; print the address and the settings an app is to be started with."""
    await played.start(port)
    print(f"played {name}: {played.url}", flush=True)
    for setting, value in played.settings().items():
        print(f"{setting}={value}", flush=True)
    await stopped()
    await played.stop()


async def stopped() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    signalled = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    await signalled.wait()
