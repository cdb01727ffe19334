"""What administrators do with accounts, and what nobody can do."""

from __future__ import annotations

import asyncio

import pytest

from accounts.errors import (
    InvalidAccountError,
    InvalidLinkError,
    LastAdministratorError,
    LoginTakenError,
    OwnAccountError,
    UnknownUserError,
    WrongCredentialsError,
)
from accounts.service import AccountService
from tests.accounts.conftest import PASSWORD, entered, ready_admin, ready_user


async def test_who_is_invited_sets_the_password_and_logs_in(accounts: AccountService):
    admin = await ready_admin(accounts)
    user, token = await accounts.users.invite(
        login=" Lan.Nguyen ", name=" Nguyễn Lan ", roles=("operator", "auditor"), actor=admin.id
    )
    assert (user.login, user.name, user.roles) == ("lan.nguyen", "Nguyễn Lan", ("operator", "auditor"))
    await accounts.set_password(token, PASSWORD)
    opened = await entered(accounts, "LAN.nguyen")
    assert opened.user.id == user.id
    with pytest.raises(LoginTakenError):
        await accounts.users.invite(login="Lan.Nguyen", name="Lan khác", roles=("operator",), actor=admin.id)
    assert [user.name for user in await accounts.users.everybody()] == ["Nguyễn Lan", "Quản trị viên"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"login": " "}, "login"),
        ({"login": "a b"}, "login"),
        ({"login": "a" * 101}, "login"),
        ({"name": " "}, "name"),
        ({"roles": ()}, "roles"),
        ({"roles": ("king",)}, "roles"),
        ({"roles": ("contact_point",)}, "agency"),
        ({"roles": ("agency_head",), "agency": "  "}, "agency"),
        ({"agency": "a" * 101}, "agency"),
    ],
)
async def test_what_does_not_fit_is_refused(accounts: AccountService, given: dict[str, object], reason: str):
    whole: dict[str, object] = {
        "login": "lan",
        "name": "Lan",
        "roles": ("operator",),
        "agency": None,
        **given,
    }
    with pytest.raises(InvalidAccountError) as refused:
        await accounts.users.invite(**whole, actor="x")  # type: ignore[arg-type]
    assert refused.value.code == f"invalid_{reason}"
    assert refused.value.sentence
    assert await accounts.users.everybody() == []


async def test_other_rights_end_the_sessions_and_another_name_does_not(accounts: AccountService):
    admin = await ready_admin(accounts)
    lan = await ready_user(accounts)
    opened = await entered(accounts, "lan")
    changed = await accounts.users.change(
        lan.id, name="Chị Lan", roles=("operator",), agency="So Y te", actor=admin.id
    )
    assert changed.name == "Chị Lan"
    assert await accounts.find_session(opened.token) is not None
    changed = await accounts.users.change(
        lan.id, name="Chị Lan", roles=("handling_unit",), agency="so-y-te", actor=admin.id
    )
    assert (changed.roles, changed.agency) == (("handling_unit",), "so-y-te")
    assert await accounts.find_session(opened.token) is None


async def test_a_shut_account_is_shut_at_once_and_stays_on_the_list(accounts: AccountService):
    admin = await ready_admin(accounts)
    lan = await ready_user(accounts)
    opened = await entered(accounts, "lan")
    await accounts.users.deactivate(lan.id, actor=admin.id)
    assert await accounts.find_session(opened.token) is None
    with pytest.raises(WrongCredentialsError):
        await entered(accounts, "lan")
    assert [user.active for user in await accounts.users.everybody() if user.id == lan.id] == [False]
    token = await accounts.users.reactivate(lan.id, actor=admin.id)
    with pytest.raises(WrongCredentialsError):
        await entered(accounts, "lan")
    await accounts.set_password(token, PASSWORD)
    await entered(accounts, "lan")


async def test_the_link_of_a_shut_account_opens_nothing(accounts: AccountService):
    admin = await ready_admin(accounts)
    user, token = await accounts.users.invite(login="lan", name="Lan", roles=("operator",), actor=admin.id)
    await accounts.users.deactivate(user.id, actor=admin.id)
    with pytest.raises(InvalidLinkError):
        await accounts.set_password(token, PASSWORD)


async def test_a_reset_takes_the_old_password_away(accounts: AccountService):
    admin = await ready_admin(accounts)
    lan = await ready_user(accounts)
    opened = await entered(accounts, "lan")
    token = await accounts.users.reset(lan.id, actor=admin.id)
    assert await accounts.find_session(opened.token) is None
    with pytest.raises(WrongCredentialsError):
        await entered(accounts, "lan")
    await accounts.set_password(token, "một câu hoàn toàn khác")
    await entered(accounts, "lan", password="một câu hoàn toàn khác")


async def test_nobody_changes_their_own_rights(accounts: AccountService):
    admin = await ready_admin(accounts)
    await ready_user(accounts, "minh", roles=("administrator",))
    users = accounts.users
    for work in (
        users.change(admin.id, name="A", roles=("operator",), actor=admin.id),
        users.reset(admin.id, actor=admin.id),
        users.reset_totp(admin.id, actor=admin.id),
        users.deactivate(admin.id, actor=admin.id),
    ):
        with pytest.raises(OwnAccountError):
            await work
    assert (await users.change(admin.id, name="A", roles=admin.roles, actor=admin.id)).name == "A"


async def test_the_last_administrator_stays(accounts: AccountService):
    admin = await ready_admin(accounts)
    await accounts.users.invite(login="minh", name="Minh", roles=("administrator",), actor=admin.id)
    for work in (
        accounts.users.deactivate(admin.id, actor="x"),
        accounts.users.reset(admin.id, actor="x"),
        accounts.users.change(admin.id, name="A", roles=("auditor",), actor="x"),
    ):
        with pytest.raises(LastAdministratorError):
            await work
    assert await accounts.find_user(admin.id) == admin


async def test_two_administrators_who_shut_each_other_at_once_leave_one(accounts: AccountService):
    admin = await ready_admin(accounts)
    minh = await ready_user(accounts, "minh", roles=("administrator",))
    results = await asyncio.gather(
        accounts.users.deactivate(minh.id, actor=admin.id),
        accounts.users.deactivate(admin.id, actor=minh.id),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["LastAdministratorError", "NoneType"]
    assert sum(user.active for user in await accounts.users.everybody()) == 1


async def test_there_is_nobody_to_change(accounts: AccountService):
    users = accounts.users
    for work in (
        users.change("x", name="A", roles=("operator",), actor="y"),
        users.reset("x", actor="y"),
        users.reset_totp("x", actor="y"),
        users.deactivate("x", actor="y"),
        users.reactivate("x", actor="y"),
    ):
        with pytest.raises(UnknownUserError):
            await work
