"""Lock-out: guessing is slow from anywhere, and nobody can shut others out for ever."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from accounts.errors import TooManyAttemptsError, WrongCredentialsError
from accounts.schemas import Visit
from accounts.service import AccountService
from database.engine import Database
from tests.accounts.conftest import OFFICE, SECRET, HandClock, cheap_hasher, entered, ready_admin
from tests.databases import sqlite_with_tables

WRONG = "không phải mật khẩu"


async def fail(accounts: AccountService, visit: Visit, login: str = "admin") -> bool:
    """Try a wrong password; tell whether it was judged at all."""
    try:
        await accounts.log_in(login, WRONG, visit)
    except WrongCredentialsError:
        return True
    except TooManyAttemptsError:
        return False
    raise AssertionError("a wrong password opened a session")


async def test_five_wrong_passwords_from_one_place_lock_it_for_a_while(accounts: AccountService, clock: Any):
    await ready_admin(accounts)
    assert [await fail(accounts, OFFICE) for _ in range(6)] == [True] * 5 + [False]
    with pytest.raises(TooManyAttemptsError):
        await entered(accounts)
    await entered(accounts, visit=Visit("10.0.0.2"))
    clock.forward(minutes=16)
    await entered(accounts)


async def test_many_places_together_get_twenty_guesses_in_a_quarter_and_a_hundred_a_day(
    accounts: AccountService, clock: Any
):
    await ready_admin(accounts)
    judged = [await fail(accounts, Visit(f"10.0.1.{number}")) for number in range(30)]
    assert sum(judged) == 20
    for quarter in range(1, 10):
        clock.forward(minutes=16)
        judged += [await fail(accounts, Visit(f"10.0.{quarter + 1}.{number}")) for number in range(30)]
    assert sum(judged) == 100
    clock.forward(days=1)
    await entered(accounts)


async def test_the_owners_browser_is_not_locked_by_strangers(accounts: AccountService, clock: Any):
    await ready_admin(accounts)
    mine = Visit("10.0.0.1", device=(await entered(accounts)).device)
    for number in range(25):
        await fail(accounts, Visit(f"10.0.1.{number}"))
    for _ in range(60):
        await fail(accounts, Visit("10.0.0.1"))
    assert not await fail(accounts, Visit("10.0.2.1"))
    await entered(accounts, visit=mine)


async def test_a_known_browser_is_limited_too_and_knows_one_login_only(accounts: AccountService, clock: Any):
    await ready_admin(accounts)
    device = (await entered(accounts)).device
    assert [await fail(accounts, Visit("a", device=device)) for _ in range(11)] == [True] * 10 + [False]
    for forged in (device + "0", device.replace(".", ".0"), "x.y", ".", ""):
        for _ in range(5):
            await fail(accounts, Visit("b", device=forged))
    assert not await fail(accounts, Visit("b"))
    assert [await fail(accounts, Visit("c", device=device), "lan") for _ in range(6)] == [True] * 5 + [False]


async def test_an_address_that_tries_many_logins_is_locked(accounts: AccountService):
    await ready_admin(accounts)
    for number in range(50):
        assert await fail(accounts, OFFICE, f"user{number}")
    with pytest.raises(TooManyAttemptsError):
        await entered(accounts)
    await entered(accounts, visit=Visit("10.0.0.2"))


async def test_many_attempts_at_once_do_not_slip_through(accounts: AccountService):
    await ready_admin(accounts)
    judged = await asyncio.gather(*(fail(accounts, OFFICE) for _ in range(20)))
    assert sum(judged) == 5


async def test_logins_that_do_not_exist_are_treated_alike(accounts: AccountService):
    await ready_admin(accounts)
    known = [await fail(accounts, Visit("10.0.0.1")) for _ in range(6)]
    unknown = [await fail(accounts, Visit("10.0.0.2"), "ai-do") for _ in range(6)]
    assert known == unknown


async def test_who_logs_in_begins_the_count_anew(accounts: AccountService):
    await ready_admin(accounts)
    for _ in range(10):
        assert [await fail(accounts, OFFICE) for _ in range(2)] == [True, True]
        if _ < 9:
            await entered(accounts)


class Guessing(RuleBasedStateMachine):
    """Strangers guess from anywhere at any time; the owner comes back now and then with a known browser."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(sqlite_with_tables(Path(self.folder.name) / "1022.sqlite3"))
        self.clock = HandClock()
        self.accounts = AccountService(self.database, self.clock, cheap_hasher(), secret=SECRET)
        self.judged: list[Any] = []
        self.run(ready_admin(self.accounts))
        self.device = self.run(entered(self.accounts)).device

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(place=st.integers(0, 3), times=st.integers(1, 8))
    def guess(self, place: int, times: int) -> None:
        for _ in range(times):
            if self.run(fail(self.accounts, Visit(f"10.0.0.{place}"))):
                self.judged.append(self.clock.now())

    @rule(minutes=st.integers(1, 40))
    def wait(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    @rule(place=st.integers(0, 3))
    def owner_comes(self, place: int) -> None:
        opened = self.run(entered(self.accounts, visit=Visit(f"10.0.0.{place}", device=self.device)))
        assert self.run(self.accounts.find_session(opened.token)) is not None

    @invariant()
    def guesses_stay_few(self) -> None:
        for span, most in ((timedelta(minutes=15), 20), (timedelta(days=1), 100)):
            recent = [at for at in self.judged if at > self.clock.now() - span]
            assert len(recent) <= most

    def teardown(self) -> None:
        self.run(self.database.close())
        self.loop.close()
        self.folder.cleanup()


TestGuessing = Guessing.TestCase
TestGuessing.settings = settings(
    max_examples=6, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
