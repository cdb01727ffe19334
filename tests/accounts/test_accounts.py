"""Who may log in: first administrator, one-time links, sessions, lock-out, and a trail nobody can change."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from accounts.errors import (
    InvalidLinkError,
    LoginTakenError,
    TooManyAttemptsError,
    WeakPasswordError,
    WrongCredentialsError,
)
from accounts.service import AccountService
from database.engine import Database

PASSWORD = "sông Ba mùa nước nổi"


async def ready_admin(accounts: AccountService) -> str:
    token = await accounts.create_first_admin()
    assert token is not None
    return (await accounts.set_password(token, PASSWORD)).id


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


async def test_links_run_out(accounts: AccountService, clock: Any):
    token = await accounts.create_first_admin()
    assert token is not None
    clock.forward(hours=25)
    with pytest.raises(InvalidLinkError):
        await accounts.set_password(token, PASSWORD)


@pytest.mark.parametrize(
    "password", ["", "short", "a" * 201, "aaaaaaaaaaaaaa", "password1234", "Matkhau12345"]
)
async def test_weak_passwords_are_refused_and_the_link_stays(accounts: AccountService, password: str):
    token = await accounts.create_first_admin()
    assert token is not None
    with pytest.raises(WeakPasswordError):
        await accounts.set_password(token, password)
    assert await accounts.link_is_valid(token)


async def test_log_in_look_up_log_out(accounts: AccountService, clock: Any):
    user_id = await ready_admin(accounts)
    opened = await accounts.log_in(" Admin ", PASSWORD, address="10.0.0.1")
    assert opened.user.id == user_id
    found = await accounts.find_session(opened.token)
    assert found is not None
    assert (found.user.id, found.csrf) == (user_id, opened.csrf)
    assert await accounts.find_session("x" * 43) is None
    assert await accounts.find_session("\ud800") is None
    clock.forward(hours=11)
    assert await accounts.find_session(opened.token) is not None
    clock.forward(hours=11)
    assert await accounts.find_session(opened.token) is not None
    clock.forward(hours=13)
    assert await accounts.find_session(opened.token) is None
    again = await accounts.log_in("admin", PASSWORD, address="10.0.0.1")
    await accounts.log_out(again.token)
    assert await accounts.find_session(again.token) is None


async def test_a_new_password_ends_all_sessions(accounts: AccountService):
    await ready_admin(accounts)
    user, token = await accounts.create_user(login="lan", name="Lan", roles=("operator",), actor="admin")
    await accounts.set_password(token, PASSWORD)
    opened = await accounts.log_in("lan", PASSWORD, address="a")
    assert opened.user.id == user.id
    with pytest.raises(LoginTakenError):
        await accounts.create_user(login="LAN", name="Lan khác", roles=("operator",), actor="admin")
    with pytest.raises(ValueError, match="not valid"):
        await accounts.create_user(login="x", name="X", roles=("king",), actor="admin")


async def test_wrong_passwords_lock_the_login_for_a_while(accounts: AccountService, clock: Any):
    await ready_admin(accounts)
    for _ in range(5):
        with pytest.raises(WrongCredentialsError):
            await accounts.log_in("admin", "không phải mật khẩu", address="10.0.0.1")
    with pytest.raises(TooManyAttemptsError):
        await accounts.log_in("admin", PASSWORD, address="10.0.0.2")
    clock.forward(minutes=16)
    await accounts.log_in("admin", PASSWORD, address="10.0.0.1")


async def test_an_address_that_tries_many_logins_is_locked(accounts: AccountService):
    await ready_admin(accounts)
    for number in range(50):
        with pytest.raises(WrongCredentialsError):
            await accounts.log_in(f"user{number}", "đoán bừa thôi mà", address="10.0.0.9")
    with pytest.raises(TooManyAttemptsError):
        await accounts.log_in("admin", PASSWORD, address="10.0.0.9")
    await accounts.log_in("admin", PASSWORD, address="10.0.0.1")


async def test_nothing_secret_is_stored(accounts: AccountService, database: Database):
    await ready_admin(accounts)
    opened = await accounts.log_in("admin", PASSWORD, address="10.0.0.1")
    async with database.read() as session:
        for table in ("users", "login_sessions", "password_links", "audit_log"):
            rows = (await session.execute(text(f"SELECT * FROM {table}"))).all()
            assert PASSWORD not in str(rows)
            assert opened.token not in str(rows)


async def test_the_trail_is_written_and_cannot_be_changed(accounts: AccountService, database: Database):
    user_id = await ready_admin(accounts)
    await accounts.record(user_id, "conversation.claimed", "c1", {"from": "queue"})
    trail = await accounts.audit()
    assert [entry.action for entry in trail] == ["conversation.claimed", "user.password_set", "user.created"]
    assert [entry.actor for entry in await accounts.audit("c1")] == [user_id]
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(DatabaseError, match="append-only"):
            async with database.write() as session:
                await session.execute(text(statement))
    assert len(await accounts.audit()) == 3
