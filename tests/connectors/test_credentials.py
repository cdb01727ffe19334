"""Credentials of the channels: sealed, versioned, changed by one at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from connectors.credentials import UNREADABLE, ChannelCredentials, Credentials
from database.engine import Database

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


class StandingClock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def database(either_database: Database) -> Database:
    """Each test runs on both databases."""
    return either_database


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


async def test_what_was_put_comes_back_and_is_not_readable_in_the_table(
    database: Database, clock: StandingClock
):
    kept = ChannelCredentials(database, clock, "key-1")
    assert await kept.get("zalo") is None
    put = await kept.put("zalo", account="OA", values={"access": "a-secret"}, expires_at=NOW)
    found = await kept.get("zalo")
    assert found == put
    assert dict(found.values) == {"access": "a-secret"}
    assert (found.version, found.state, found.expires_at) == (1, "ok", NOW)
    assert "a-secret" not in repr(found)
    async with database.read() as session:
        row = (await session.execute(text("SELECT * FROM channel_credentials"))).one()
    assert "a-secret" not in repr(row)


async def test_a_changed_key_reads_with_the_older_one_until_everything_is_sealed_anew(
    database: Database, clock: StandingClock
):
    await ChannelCredentials(database, clock, "key-1").put("zalo", account="OA", values={"access": "a"})
    both = ChannelCredentials(database, clock, "key-2", ["key-1"])
    found = await both.get("zalo")
    assert found and dict(found.values) == {"access": "a"}
    newest = ChannelCredentials(database, clock, "key-2")
    unreadable = await newest.get("zalo")
    assert unreadable and (unreadable.state, unreadable.error) == ("needs_login", UNREADABLE)
    assert not unreadable.values
    assert await newest.reseal() == 0
    assert await both.reseal() == 1
    assert await both.reseal() == 0
    found = await newest.get("zalo")
    assert found and dict(found.values) == {"access": "a"} and found.state == "ok"


async def test_unreadable_credentials_survive_a_change_of_their_state(
    database: Database, clock: StandingClock
):
    await ChannelCredentials(database, clock, "key-1").put("zalo", account="OA", values={"access": "a"})
    other = ChannelCredentials(database, clock, "key-2")
    await other.change("zalo", lambda now: replace(now, lease="somebody"))
    found = await ChannelCredentials(database, clock, "key-1").get("zalo")
    assert found and dict(found.values) == {"access": "a"}


async def test_a_row_copied_to_another_channel_does_not_open(database: Database, clock: StandingClock):
    kept = ChannelCredentials(database, clock, "key-1")
    await kept.put("zalo", account="OA", values={"access": "a"})
    await kept.put("messenger", account="Page", values={"access": "b"})
    async with database.write() as session:
        await session.execute(
            text(
                "UPDATE channel_credentials SET sealed = (SELECT sealed FROM channel_credentials "
                "WHERE channel = 'zalo') WHERE channel = 'messenger'"
            )
        )
    found = await kept.get("messenger")
    assert found and found.error == UNREADABLE


async def test_version_and_times_follow_what_changed(database: Database, clock: StandingClock):
    kept = ChannelCredentials(database, clock, "key-1")
    assert await kept.change("zalo", lambda now: now) is None
    await kept.put("zalo", account="OA", values={"access": "a"})
    clock.time += timedelta(hours=1)
    failing = await kept.change("zalo", lambda now: replace(now, state="failing", error="e" * 1_000))
    assert failing and (failing.version, failing.refreshed_at, failing.state_since) == (1, NOW, clock.time)
    assert failing.error == "e" * 300
    clock.time += timedelta(hours=1)
    renewed = await kept.change("zalo", lambda now: replace(now, values={"access": "b"}, error=None))
    assert renewed and (renewed.version, renewed.refreshed_at) == (2, clock.time)
    assert renewed.state_since == clock.time - timedelta(hours=1)
    assert await kept.get("zalo") == renewed
    assert await kept.change("zalo", lambda _now: None) == renewed


async def test_changes_at_the_same_moment_all_count(database: Database, clock: StandingClock):
    kept = ChannelCredentials(database, clock, "key-1")
    await kept.put("zalo", account="OA", values={"count": "0"})

    def add(now: Credentials) -> Credentials:
        return replace(now, values={"count": str(int(now.values["count"]) + 1)})

    await asyncio.gather(*(kept.change("zalo", add) for _ in range(20)))
    found = await kept.get("zalo")
    assert found and (found.values["count"], found.version) == ("20", 21)


async def test_two_connect_for_the_first_time_at_once(database: Database, clock: StandingClock):
    kept = ChannelCredentials(database, clock, "key-1")
    await asyncio.gather(*(kept.put("zalo", account=str(n), values={"n": str(n)}) for n in range(5)))
    found = await kept.get("zalo")
    assert found and found.version == 5 and found.account == found.values["n"]


async def test_nothing_to_store_is_refused(database: Database, clock: StandingClock):
    with pytest.raises(ValueError, match="without values"):
        await ChannelCredentials(database, clock, "key-1").put("zalo", account="OA", values={})
