"""A PostgreSQL server of one's own: with a folder to keep, what was filled once is there the next time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.postgres import PrivatePostgres


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own: the server's user may not enter that.
    made = Path(tempfile.mkdtemp(prefix="1022-kept-"))
    yield made
    shutil.rmtree(made)


def test_what_is_kept_is_served_again(folder: Path) -> None:
    with PrivatePostgres(keep=folder) as server:
        half = server.create("half")
        assert not server.has("whole")
        assert server.rename("half", "whole") == half.replace("/half", "/whole")
    with PrivatePostgres(keep=folder) as again:
        assert again.has("whole")
        assert not again.has("half")


def test_what_is_not_kept_goes() -> None:
    with PrivatePostgres() as server:
        assert server.pids()
    assert server.pids() == []
