"""The token: renewed in time, by one at a time, never lost without being told."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from connectors.credentials import ChannelCredentials, Credentials
from connectors.zalo.channel import ZaloChannel, build_zalo
from connectors.zalo.oauth import OAuthError
from connectors.zalo.tokens import PAIR_LOST, NoTokenError
from database.engine import Database
from tests.connectors.zalo.conftest import ShiftedClock
from tests.connectors.zalo.refresh_race import KEY, ROOT, channel_at, race, worker_command
from tests.providers.zalo.server import PlayedZalo


async def stored(credentials: ChannelCredentials) -> Credentials:
    found = await credentials.get("zalo")
    assert found is not None
    return found


async def under_way(played: PlayedZalo) -> None:
    async with asyncio.timeout(60):
        await played.oauth.held.wait()


async def test_a_code_is_exchanged_with_its_verifier(channel: ZaloChannel, played: PlayedZalo):
    played.state.codes["code-1"] = channel.oauth.code_challenge
    pair = await channel.oauth.exchange("code-1")
    assert pair.life == timedelta(hours=25)
    assert pair.refresh == played.state.refresh
    assert pair.access not in repr(pair)
    with pytest.raises(OAuthError) as refused:
        await channel.oauth.exchange("code-1")
    assert refused.value.refused


async def test_without_a_connection_there_is_no_token(channel: ZaloChannel):
    with pytest.raises(NoTokenError, match="not_connected"):
        await channel.tokens.access()
    assert not await channel.tokens.renew_if_due()


async def test_it_is_renewed_after_twenty_hours_and_not_before(
    connected: ZaloChannel,
    played: PlayedZalo,
    credentials: ChannelCredentials,
    zalo_clock: ShiftedClock,
):
    before = await connected.tokens.access()
    zalo_clock.forward(hours=18, minutes=59)
    assert not await connected.tokens.renew_if_due()
    zalo_clock.forward(minutes=2)
    assert await connected.tokens.renew_if_due()
    now = await stored(credentials)
    assert (now.state, now.version, now.error, now.lease) == ("ok", 2, None, None)
    assert now.values["refresh_token"] == played.state.refresh
    assert await connected.tokens.access() == now.values["access_token"] != before
    assert not await connected.tokens.renew_if_due()


async def test_a_token_that_ran_out_is_renewed_when_it_is_needed(
    connected: ZaloChannel, played: PlayedZalo, zalo_clock: ShiftedClock
):
    zalo_clock.forward(hours=30)
    assert await connected.tokens.access() in played.state.access
    assert played.state.refreshes == 1


async def test_many_who_need_it_at_once_renew_it_once(
    connected: ZaloChannel, played: PlayedZalo, zalo_clock: ShiftedClock
):
    zalo_clock.forward(hours=30)
    tokens = await asyncio.gather(*(connected.tokens.access() for _ in range(50)))
    assert len(set(tokens)) == 1
    assert (played.state.refreshes, played.state.most_refreshing) == (1, 1)


async def test_whoever_is_cancelled_does_not_take_the_new_pair_along(
    connected: ZaloChannel, played: PlayedZalo, credentials: ChannelCredentials
):
    played.control.set_faults(hold_refresh="after")
    renewing = asyncio.create_task(connected.tokens.renew(1))
    await under_way(played)
    renewing.cancel()
    played.control.set_faults(hold_refresh=None)
    await connected.tokens.stop()
    assert (await stored(credentials)).values["refresh_token"] == played.state.refresh


async def test_a_provider_that_is_down_costs_nothing_and_is_asked_again(
    connected: ZaloChannel,
    played: PlayedZalo,
    credentials: ChannelCredentials,
    zalo_clock: ShiftedClock,
):
    zalo_clock.forward(hours=20)
    played.control.set_faults(down=True)
    assert not await connected.tokens.renew_if_due()
    failing = await stored(credentials)
    assert (failing.state, failing.error) == ("failing", "no_answer")
    assert not await connected.tokens.renew_if_due(), "not at once again"
    zalo_clock.forward(minutes=2)
    assert not await connected.tokens.renew_if_due()
    assert (await stored(credentials)).state_since == failing.state_since, "since the first failure"
    played.control.set_faults(down=False)
    zalo_clock.forward(minutes=2)
    assert await connected.tokens.renew_if_due()
    assert (await stored(credentials)).state == "ok"


async def test_an_answer_lost_on_the_way_is_told_as_a_lost_pair(
    connected: ZaloChannel,
    played: PlayedZalo,
    credentials: ChannelCredentials,
    zalo_clock: ShiftedClock,
):
    played.control.set_faults(drop_connection="after")
    assert not await connected.tokens.renew(1)
    assert (await stored(credentials)).error == "no_answer"
    played.control.set_faults(drop_connection=False)
    zalo_clock.forward(minutes=2)
    with capture_logs() as lines:
        assert not await connected.tokens.renew_if_due()
    lost = await stored(credentials)
    assert (lost.state, lost.error) == ("needs_login", PAIR_LOST)
    assert {"error", "critical"} & {line["log_level"] for line in lines}
    pair = played.state.new_pair()
    played.state.codes["again"] = connected.oauth.code_challenge
    await connected.tokens.connect("OA", await connected.oauth.exchange("again"))
    assert (await stored(credentials)).state == "ok"
    assert await connected.tokens.access() != pair["access_token"]


async def test_a_refused_refresh_token_needs_an_administrator(
    connected: ZaloChannel,
    played: PlayedZalo,
    credentials: ChannelCredentials,
    zalo_clock: ShiftedClock,
):
    played.state.refresh = "another"
    assert not await connected.tokens.renew(1)
    refused = await stored(credentials)
    assert (refused.state, refused.error) == ("needs_login", "zalo_14014")
    assert await connected.tokens.access(), "what has not run out is used on"
    zalo_clock.forward(hours=30)
    with pytest.raises(NoTokenError):
        await connected.tokens.access()


async def test_a_pair_is_kept_until_the_database_takes_it(
    connected: ZaloChannel, played: PlayedZalo, zalo_database: Database, credentials: ChannelCredentials
):
    await connected.tokens.access()
    played.control.set_faults(hold_refresh="after")
    renewing = asyncio.create_task(connected.tokens.renew(1))
    await under_way(played)
    async with zalo_database.write() as session:
        await session.execute(text("ALTER TABLE channel_credentials RENAME TO away"))
    with capture_logs() as lines:
        played.control.set_faults(hold_refresh=None)
        async with asyncio.timeout(60):
            while not any(  # noqa: ASYNC110 - a log has no event
                line["event"] == "zalo_pair_not_stored_yet" for line in lines
            ):
                await asyncio.sleep(0.005)
        async with zalo_database.write() as session:
            await session.execute(text("ALTER TABLE away RENAME TO channel_credentials"))
        assert await renewing
    assert (await stored(credentials)).values["refresh_token"] == played.state.refresh


async def test_an_account_connected_anew_is_not_overwritten_by_an_older_renewal(
    connected: ZaloChannel, played: PlayedZalo, credentials: ChannelCredentials
):
    played.control.set_faults(hold_refresh="after")
    renewing = asyncio.create_task(connected.tokens.renew(1))
    await under_way(played)
    played.state.codes["again"] = connected.oauth.code_challenge
    pair = await connected.oauth.exchange("again")
    await connected.tokens.connect("OA", pair)
    played.control.set_faults(hold_refresh=None)
    await renewing
    assert (await stored(credentials)).values["refresh_token"] == pair.refresh == played.state.refresh


async def test_a_process_whose_lease_ran_out_still_stores_its_pair(
    connected: ZaloChannel,
    played: PlayedZalo,
    credentials: ChannelCredentials,
    zalo_clock: ShiftedClock,
    zalo_database: Database,
):
    """It was stopped for minutes; another one took the refresh token for used up meanwhile."""
    played.control.set_faults(hold_refresh="after")
    renewing = asyncio.create_task(connected.tokens.renew(1))
    await under_way(played)
    zalo_clock.forward(minutes=5)
    played.state.faults.hold_refresh = None
    another = build_zalo(connected.settings, zalo_database, zalo_clock, credentials)
    assert not await another.tokens.renew(1)
    assert (await stored(credentials)).state == "needs_login"
    played.control.set_faults(hold_refresh=None)
    assert await renewing
    await another.stop()
    now = await stored(credentials)
    assert (now.state, now.error, now.values["refresh_token"]) == ("ok", None, played.state.refresh)


async def test_two_processes_never_renew_at_once_and_never_lose_a_pair(database_url: str):
    verdict = await race(database_url, 100)
    assert (verdict.refreshes, verdict.version) == (100, 101)
    assert (verdict.most_at_once, verdict.used_again) == (1, 0)
    assert verdict.state == "ok" and verdict.pair_is_current


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_killed_while_it_renews(
    tables_url: str,
    zalo_database: Database,
    played: PlayedZalo,
    zalo_clock: ShiftedClock,
    moment: str,
):
    """Killed before the provider has used the token up: nothing is lost. After it: the loss is told."""
    credentials = ChannelCredentials(zalo_database, zalo_clock, KEY)
    pair = played.state.new_pair()
    values = {"access_token": pair["access_token"], "refresh_token": pair["refresh_token"]}
    await credentials.put("zalo", account="OA", values=values, expires_at=None)
    played.control.set_faults(hold_refresh=moment)
    worker = await asyncio.create_subprocess_exec(*worker_command(played.url, tables_url, 2), cwd=ROOT)
    await under_way(played)
    worker.kill()
    await worker.wait()
    played.control.set_faults(hold_refresh=None)
    async with asyncio.timeout(60):
        await played.oauth.quiet.wait()
    left = await stored(credentials)
    assert left.state == "refreshing" and left.lease is not None
    settings = channel_at(played.url, zalo_database).settings
    survivor = build_zalo(settings, zalo_database, zalo_clock, credentials)
    assert not await survivor.tokens.renew_if_due(), "the dead process's lease still holds"
    zalo_clock.forward(minutes=2)
    with capture_logs() as lines:
        done = await survivor.tokens.renew_if_due()
    await survivor.stop()
    now = await stored(credentials)
    assert any(line["event"] == "zalo_renewal_was_interrupted" for line in lines)
    if moment == "before":
        assert done and now.state == "ok"
        assert now.values["refresh_token"] == played.state.refresh
    else:
        assert not done
        assert (now.state, now.error) == ("needs_login", PAIR_LOST)
