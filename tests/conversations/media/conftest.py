"""Real pictures and files, made here, and a store for them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conversations.media.service import Media
from database.engine import Database


class SetClock:
    """A clock the test sets."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def media(database: Database, clock: SetClock, tmp_path: Path) -> Media:
    return Media(database, clock, tmp_path / "files")


@pytest.fixture
def picture() -> Callable[..., bytes]:
    def make(kind: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **more: Any) -> bytes:
        buffer = io.BytesIO()
        colour = (200, 30, 30, 128) if mode == "RGBA" else (200, 30, 30)
        Image.new(mode, size, colour).save(buffer, kind, **more)
        return buffer.getvalue()

    return make


@pytest.fixture
def office() -> Callable[..., bytes]:
    def make(*parts: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in parts:
                archive.writestr(part, "<x/>")
        return buffer.getvalue()

    return make
