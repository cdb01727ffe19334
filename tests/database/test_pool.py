"""Connections to PostgreSQL: one that was cut is replaced unseen; where none is to be had, that is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.errors import install_errors
from database.base import new_id
from database.engine import STORAGE_DOWN, Database, Pool
from deploy.local.postgres import PrivatePostgres


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return postgres.create(new_id())


@pytest.fixture
async def other(url: str) -> AsyncIterator[Database]:
    opened = Database(url)
    yield opened
    await opened.close()


async def answers(database: Database) -> bool:
    async with database.read() as session:
        return bool((await session.execute(text("SELECT 1"))).scalar_one() == 1)


async def cut(database: Database, by: Database) -> Any:
    """Let the server end the one connection that rests; return the driver's side of it."""
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
    ended = {"pid": driver.get_server_pid()}
    async with by.write() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), ended)
    return driver


@pytest.mark.parametrize("rest", [0.0, 3_600.0])
async def test_a_connection_that_was_cut_is_replaced_before_it_is_used(
    url: str, other: Database, rest: float
):
    database = Database(url, Pool(size=1, overflow=0, rest=rest))
    assert await answers(database)
    driver = await cut(database, other)
    if rest:
        # One that was used a moment ago is not tried: the driver itself has to know.
        async with asyncio.timeout(20):
            while not driver.is_closed():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
    assert await answers(database)
    await database.close()


async def test_whoever_gets_no_connection_in_time_is_refused_and_nobody_after(url: str):
    database = Database(url, Pool(size=1, overflow=1, wait=0.05))
    app = FastAPI()
    install_errors(app)

    @app.get("/")
    async def look() -> bool:
        return await answers(database)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        async with database.read() as one, database.read() as two:
            for session in (one, two):
                await session.execute(text("SELECT 1"))
            with pytest.raises(STORAGE_DOWN):
                await answers(database)
            refused = await client.get("/")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert (await client.get("/")).status_code == 200
    await database.close()
