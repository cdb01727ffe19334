"""A played Zalo and the page with its people's phones, in a thread beside the browser's driver."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from api.zalo import CALLBACK_PATH, WEBHOOK_PATH
from tests.providers.phone.server import PhonePage, Provider
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options


class Phones:
    """The phones of people who write on Zalo.

    Args:
        app: address of the application they write to.
    """

    def __init__(self, app: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._zalo = PlayedZalo(Options(webhook=app + WEBHOOK_PATH, redirect_uri=app + CALLBACK_PATH))
        self._page: PhonePage | None = None

    @property
    def url(self) -> str:
        """Where a browser sees the phones."""
        assert self._page is not None
        return self._page.url

    def settings(self) -> dict[str, str]:
        """What the application is to be started with."""
        return self._zalo.settings()

    def open(self) -> None:
        """Start the provider, then the page in front of it."""
        self._thread.start()
        self._run(self._zalo.start())
        self._page = PhonePage({"zalo": Provider(self._zalo.url, self._zalo.options.control_token)})
        self._run(self._page.start())

    def close(self) -> None:
        """Stop both."""
        if self._page is not None:
            self._run(self._page.stop())
        self._run(self._zalo.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
