"""Who may log in: first administrator, one-time links, sessions, and what ends them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from accounts.errors import InvalidLinkError, WeakPasswordError, WrongCredentialsError
from accounts.schemas import Visit
from accounts.service import AccountService
from database.engine import Database
from tests.accounts.conftest import OFFICE, PASSWORD, entered, ready_admin, ready_user


async def test_first_administrator_sets_a_password_once(accounts: AccountService):
    token = await accounts.create_first_admin()
    assert token is not None
    assert await accounts.link_is_valid(token)
    user = await accounts.set_password(token, PASSWORD)
    assert user.roles == ("administrator",)
    assert not await accounts.link_is_valid(token)
    with pytest.raises(InvalidLinkError):
        await accounts.set_password(token, PASSWORD + "!")
    assert await accounts.create_first_admin() is None


async def test_until_a_password_is_set_each_start_gives_a_new_link_and_the_old_one_ends(
    accounts: AccountService,
):
    old = await accounts.create_first_admin()
    new = await accounts.create_first_admin()
    assert old is not None
    assert new is not None
    assert not await accounts.link_is_valid(old)
    await accounts.set_password(new, PASSWORD)


async def test_links_run_out_after_three_days(accounts: AccountService, clock: Any):
    token = await accounts.create_first_admin()
    assert token is not None
    clock.forward(hours=71)
    assert await accounts.link_is_valid(token)
    clock.forward(hours=2)
    with pytest.raises(InvalidLinkError):
        await accounts.set_password(token, PASSWORD)


async def test_weak_passwords_are_refused_and_the_link_stays(accounts: AccountService):
    token = await accounts.create_first_admin()
    assert token is not None
    with pytest.raises(WeakPasswordError):
        await accounts.set_password(token, "short")
    assert await accounts.link_is_valid(token)


async def test_log_in_look_up_log_out(accounts: AccountService):
    user = await ready_admin(accounts)
    opened = await entered(accounts, " Admin ")
    found = await accounts.find_session(opened.token)
    assert found is not None
    assert (found.user.id, found.csrf) == (user.id, opened.csrf)
    assert await accounts.find_session("x" * 43) is None
    assert await accounts.find_session("\ud800") is None
    await accounts.log_out(opened.token)
    assert await accounts.find_session(opened.token) is None


async def test_the_same_letters_typed_another_way_are_the_same_password(accounts: AccountService):
    import unicodedata

    await ready_admin(accounts)
    await entered(accounts, password=unicodedata.normalize("NFD", PASSWORD))


async def test_a_session_ends_when_it_is_not_used(accounts: AccountService, clock: Any):
    await ready_admin(accounts)
    opened = await entered(accounts)
    clock.forward(minutes=119)
    assert await accounts.find_session(opened.token) is not None
    clock.forward(minutes=119)
    assert await accounts.find_session(opened.token) is not None
    clock.forward(minutes=121)
    assert await accounts.find_session(opened.token) is None


async def test_a_session_that_is_used_ends_after_its_longest_time(accounts: AccountService, clock: Any):
    user = await ready_admin(accounts)
    opened = await entered(accounts)
    for _ in range(13):
        clock.forward(hours=1)
        assert await accounts.find_session(opened.token) is not None
    clock.forward(hours=1)
    assert await accounts.find_session(opened.token) is None
    assert await accounts.own.sessions(user.id) == []


async def test_each_log_in_has_a_token_of_its_own(accounts: AccountService):
    await ready_admin(accounts)
    first, second = await entered(accounts), await entered(accounts)
    assert first.token != second.token
    assert first.csrf != second.csrf


async def test_one_sees_and_ends_ones_own_sessions_only(accounts: AccountService, clock: Any):
    admin = await ready_admin(accounts)
    lan = await ready_user(accounts)
    here = await entered(accounts, visit=Visit("10.0.0.1", "Firefox"))
    clock.forward(minutes=1)
    there = await entered(accounts, visit=Visit("10.0.0.2", "Chrome"))
    other = await entered(accounts, "lan")
    lines = await accounts.own.sessions(admin.id)
    assert [(line.agent, line.address) for line in lines] == [("Chrome", "10.0.0.2"), ("Firefox", "10.0.0.1")]

    (of_lan,) = await accounts.own.sessions(lan.id)
    assert not await accounts.own.end_session(admin.id, of_lan.key)
    assert not await accounts.own.end_session(admin.id, "")
    assert not await accounts.own.end_session(admin.id, "%" * 16)
    assert await accounts.find_session(other.token) is not None

    assert await accounts.own.end_session(admin.id, lines[0].key)
    assert await accounts.find_session(there.token) is None
    assert await accounts.find_session(here.token) is not None
    third = await entered(accounts)
    assert await accounts.own.end_other_sessions(here.token, admin.id) == 1
    assert await accounts.find_session(third.token) is None
    assert await accounts.find_session(here.token) is not None
    assert await accounts.find_session(other.token) is not None


async def test_another_password_ends_the_other_sessions_and_old_links(accounts: AccountService):
    admin = await ready_admin(accounts)
    here, there = await entered(accounts), await entered(accounts)
    with pytest.raises(WrongCredentialsError):
        await accounts.own.change_password(
            here.token, admin.id, "không phải", "một câu hoàn toàn khác", OFFICE
        )
    with pytest.raises(WeakPasswordError):
        await accounts.own.change_password(here.token, admin.id, PASSWORD, "ngắn", OFFICE)
    assert await accounts.find_session(there.token) is not None
    await accounts.own.change_password(here.token, admin.id, PASSWORD, "một câu hoàn toàn khác", OFFICE)
    assert await accounts.find_session(here.token) is not None
    assert await accounts.find_session(there.token) is None
    with pytest.raises(WrongCredentialsError):
        await entered(accounts)
    await entered(accounts, password="một câu hoàn toàn khác")


async def test_dangerous_actions_ask_again_after_ten_minutes(accounts: AccountService, clock: Any):
    admin = await ready_admin(accounts)
    opened = await entered(accounts)

    async def is_proved() -> bool:
        found = await accounts.find_session(opened.token)
        assert found is not None
        return accounts.is_proved(found)

    assert await is_proved()
    clock.forward(minutes=10)
    assert not await is_proved()
    with pytest.raises(WrongCredentialsError):
        await accounts.own.prove(opened.token, admin.id, "không phải", OFFICE)
    assert not await is_proved()
    await accounts.own.prove(opened.token, admin.id, PASSWORD, OFFICE)
    assert await is_proved()


async def test_nothing_secret_is_stored(accounts: AccountService, database: Database):
    admin = await ready_admin(accounts)
    opened = await entered(accounts)
    secret = (await accounts.own.begin_totp(admin.id)).secret
    async with database.read() as session:
        for table in ("users", "login_sessions", "password_links", "login_attempts", "audit_log"):
            rows = (await session.execute(text(f"SELECT * FROM {table}"))).all()
            for kept in (PASSWORD, opened.token, secret, opened.device.split(".")[1]):
                assert kept not in str(rows)
