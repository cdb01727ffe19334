"""How the channels are: counted, kept for all processes, judged, and said aloud once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

import conversations.intake_models
import conversations.models  # noqa: F401 - defines tables
from connectors import health_repository
from connectors.credentials import ChannelCredentials
from connectors.health import REFUSED, ChannelHealth
from connectors.quiet import expected, is_quiet
from conversations.schemas import SendResult
from database.engine import Database
from tests.databases import sqlite_with_tables

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class HandClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


@pytest.fixture
async def health_database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(sqlite_with_tables(tmp_path / "1022.sqlite3"))
    yield opened
    await opened.close()


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def channel_credentials(health_database: Database, hand_clock: HandClock) -> ChannelCredentials:
    return ChannelCredentials(health_database, hand_clock, "key")


@pytest.fixture
def health(
    health_database: Database, hand_clock: HandClock, channel_credentials: ChannelCredentials
) -> ChannelHealth:
    made = ChannelHealth(health_database, hand_clock, channel_credentials)
    made.watch(lambda: ["zalo"])
    return made


async def test_what_passed_is_told(health: ChannelHealth, hand_clock: HandClock):
    for _ in range(5):
        health.event("zalo", "message")
    health.event("zalo", REFUSED)
    health.sent("zalo", SendResult.accepted("p1"))
    hand_clock.time += timedelta(minutes=1)
    health.sent("zalo", SendResult.transient("timeout"))
    health.sent("zalo", SendResult.transient("timeout"))
    health.sent("zalo", SendResult.permanent("zalo_213"))
    await health.flush()
    await health.flush()
    (report,) = await health.reports()
    assert (report.events, report.sent, report.refused) == (5, 1, 1)
    assert report.errors == (("timeout", 2), ("zalo_213", 1))
    assert report.last_event_at == report.last_success_at == START
    assert (report.state, report.fault) == ("ok", "none")


async def test_two_processes_add_up(
    health: ChannelHealth,
    health_database: Database,
    hand_clock: HandClock,
    channel_credentials: ChannelCredentials,
):
    other = ChannelHealth(health_database, hand_clock, channel_credentials)
    for one in (health, other):
        one.event("zalo", "message")
        one.sent("zalo", SendResult.transient("http_503"))
        await one.flush()
    (report,) = await health.reports()
    assert (report.events, report.errors) == (2, (("http_503", 2),))


async def test_what_is_older_than_a_day_is_not_counted(health: ChannelHealth, hand_clock: HandClock):
    health.event("zalo", "message")
    await health.flush()
    hand_clock.time += timedelta(hours=25)
    (report,) = await health.reports()
    assert report.events == 0
    assert report.last_event_at == START


async def test_what_cannot_be_written_down_is_not_lost(health: ChannelHealth, health_database: Database):
    health.event("zalo", "message")
    async with health_database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE channel_hours RENAME TO away")
    with pytest.raises(Exception, match="channel_hours"):
        await health.flush()
    async with health_database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE away RENAME TO channel_hours")
    health.event("zalo", "message")
    await health.flush()
    (report,) = await health.reports()
    assert report.events == 2


async def test_a_state_that_a_dead_process_left_behind_is_corrected(health: ChannelHealth):
    health.state("zalo", "down", "http_503")
    await health.flush()
    assert (await health.reports())[0].fault == "down"
    # The process that had found it down is gone; this one sends.
    health._states.clear()
    health.sent("zalo", SendResult.accepted("p1"))
    await health.flush()
    assert (await health.reports())[0].fault == "none"


@pytest.mark.parametrize(
    ("life", "state", "age", "fault"),
    [
        (timedelta(hours=25), "ok", timedelta(hours=1), "none"),
        (timedelta(hours=25), "failing", timedelta(hours=21), "renewal"),
        (timedelta(hours=25), "ok", timedelta(hours=26), "refused_credentials"),
        (timedelta(hours=25), "needs_login", timedelta(hours=1), "needs_login"),
        (timedelta(days=60), "ok", timedelta(days=58), "expires"),
        (timedelta(days=60), "ok", timedelta(days=10), "none"),
        (None, "ok", timedelta(days=900), "none"),
    ],
)
async def test_how_the_credentials_stand(
    health: ChannelHealth,
    hand_clock: HandClock,
    channel_credentials: ChannelCredentials,
    life: timedelta | None,
    state: Any,
    age: timedelta,
    fault: str,
):
    expires = START + life if life is not None else None
    await channel_credentials.put("zalo", account="1022", values={"token": "x"}, expires_at=expires)
    await channel_credentials.change("zalo", lambda stored: replace(stored, state=state))
    hand_clock.time = START + age
    (report,) = await health.reports()
    assert report.fault == fault


async def test_a_fault_is_said_once(health: ChannelHealth):
    health.state("zalo", "auth", "zalo_216")
    await health.flush()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await health.look()
        health.state("zalo", "ok", None)
        await health.flush()
        await health.look()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("channel_fault", "error"),
        ("channel_well", "info"),
    ]


# --- quiet ------------------------------------------------------------------------------------------------


def usual(days: int, by_hour: dict[int, int]) -> dict[datetime, int]:
    """Return what came in each hour of the days before START."""
    midnight = START.replace(hour=0)
    return {
        midnight - timedelta(days=day) + hour * HOUR: count
        for day in range(1, days + 1)
        for hour, count in by_hour.items()
    }


def test_what_the_same_hours_of_other_days_let_expect():
    history = usual(7, {1: 20, 2: 60})
    assert expected(history, START - HOUR, START) == 20
    assert expected(history, START, START + HOUR / 2) == 30
    assert expected({}, START - HOUR, START) == 0
    assert expected(usual(2, {1: 1_000}), START - HOUR, START) == 0  # two days tell nothing yet


def test_a_silent_night_is_no_alarm_and_a_silent_morning_is():
    history = usual(10, dict.fromkeys(range(1, 10), 30))
    last = START.replace(hour=0) - 10 * HOUR
    assert not is_quiet(history, last, START.replace(hour=0, minute=50), limit=None)
    assert is_quiet(history, last, START.replace(hour=2), limit=None)


def test_a_small_account_is_not_suspected():
    history = usual(10, dict.fromkeys(range(24), 0) | {3: 1})
    assert not is_quiet(history, START - timedelta(hours=20), START, limit=None)
    assert is_quiet(history, START - timedelta(hours=20), START, limit=timedelta(hours=6))
    assert not is_quiet(history, None, START, limit=timedelta(hours=6))


async def test_a_webhook_that_went_quiet_is_reported(
    health: ChannelHealth, health_database: Database, hand_clock: HandClock
):
    async with health_database.write() as session:
        for hour, count in usual(5, {1: 40, 2: 40}).items():
            await health_repository.add_to_hour(
                session, "zalo", hour, events=count, sent=0, refused=0, errors={}
            )
        await health_repository.change(session, "zalo", START, {"last_event_at": START - 3 * HOUR})
    (report,) = await health.reports()
    assert (report.is_quiet, report.fault) == (True, "quiet")
    health.event("zalo", "message")
    await health.flush()
    assert (await health.reports())[0].fault == "none"
