"""One-time codes: set up, asked for, never accepted twice; recovery codes for a lost telephone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pyotp import TOTP

from accounts.errors import TooManyAttemptsError, TotpRequiredError, WrongCodeError, WrongCredentialsError
from accounts.schemas import CodeAsked, OpenedSession, User, Visit
from accounts.service import AccountService
from database.engine import Database
from tests.accounts.conftest import OFFICE, PASSWORD, cheap_hasher, entered, ready_admin, ready_user


def shown(phone: TOTP, clock: Any, steps: int = 0) -> str:
    """What a telephone shows whose clock is some steps ahead."""
    return phone.at(clock.now() + timedelta(seconds=30 * steps))


async def enrolled(accounts: AccountService, clock: Any) -> tuple[User, TOTP, tuple[str, ...], OpenedSession]:
    """An administrator with a telephone; the code of this moment is used up."""
    admin = await ready_admin(accounts)
    opened = await entered(accounts)
    phone = TOTP((await accounts.own.begin_totp(admin.id)).secret)
    recovery = await accounts.own.confirm_totp(opened.token, admin.id, shown(phone, clock), OFFICE)
    return admin, phone, recovery, opened


async def asked(accounts: AccountService, visit: Visit = OFFICE) -> str:
    first = await accounts.log_in("admin", PASSWORD, visit)
    assert isinstance(first, CodeAsked)
    return first.token


async def test_the_secret_is_the_same_until_it_is_confirmed(accounts: AccountService, clock: Any):
    admin = await ready_admin(accounts)
    opened = await entered(accounts)
    first = await accounts.own.begin_totp(admin.id)
    assert await accounts.own.begin_totp(admin.id) == first
    assert first.secret in first.address
    with pytest.raises(WrongCodeError):
        await accounts.own.confirm_totp(opened.token, admin.id, "000000", OFFICE)
    assert not (await accounts.find_user(admin.id)).has_totp  # type: ignore[union-attr]
    await entered(accounts)


async def test_log_in_takes_password_and_code(accounts: AccountService, clock: Any):
    _admin, phone, _, opened = await enrolled(accounts, clock)
    clock.forward(seconds=30)
    token = await asked(accounts)
    assert await accounts.find_session(token) is None
    with pytest.raises(WrongCodeError):
        await accounts.confirm(token, "12345", OFFICE)
    second = await accounts.confirm(token, f" {shown(phone, clock)[:3]} {shown(phone, clock)[3:]}", OFFICE)
    assert await accounts.find_session(second.token) is not None
    with pytest.raises(WrongCodeError):
        await accounts.confirm(token, shown(phone, clock), OFFICE)
    assert await accounts.find_session(opened.token) is not None


async def test_a_code_is_accepted_once_and_an_older_one_never_again(accounts: AccountService, clock: Any):
    _, phone, _, _ = await enrolled(accounts, clock)
    clock.forward(seconds=60)
    earlier, code = shown(phone, clock, -1), shown(phone, clock)
    await accounts.confirm(await asked(accounts), code, OFFICE)
    for used in (code, earlier):
        with pytest.raises(WrongCodeError):
            await accounts.confirm(await asked(accounts), used, OFFICE)
    clock.forward(seconds=30)
    await accounts.confirm(await asked(accounts), shown(phone, clock), OFFICE)


async def test_one_code_typed_twice_at_once_opens_one_session(accounts: AccountService, clock: Any):
    _, phone, _, _ = await enrolled(accounts, clock)
    clock.forward(seconds=60)
    code = shown(phone, clock)
    tokens = [await asked(accounts) for _ in range(4)]
    tries = [accounts.confirm(token, code, OFFICE) for token in tokens]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, OpenedSession) for result in results) == 1
    assert sum(isinstance(result, WrongCodeError) for result in results) == 3


async def test_clocks_may_differ_by_half_a_minute(accounts: AccountService, clock: Any):
    _, phone, _, _ = await enrolled(accounts, clock)
    clock.forward(minutes=5)
    await accounts.confirm(await asked(accounts), shown(phone, clock, -1), OFFICE)
    clock.forward(minutes=5)
    with pytest.raises(WrongCodeError):
        await accounts.confirm(await asked(accounts), shown(phone, clock, -2), OFFICE)
    await accounts.confirm(await asked(accounts), shown(phone, clock, 1), OFFICE)


async def test_the_first_step_counts_for_five_minutes(accounts: AccountService, clock: Any):
    _, phone, _, _ = await enrolled(accounts, clock)
    token = await asked(accounts)
    clock.forward(minutes=5)
    with pytest.raises(WrongCodeError):
        await accounts.confirm(token, shown(phone, clock), OFFICE)


async def test_codes_cannot_be_guessed(accounts: AccountService, clock: Any):
    _, phone, _, _ = await enrolled(accounts, clock)
    clock.forward(minutes=1)
    token = await asked(accounts)
    right = shown(phone, clock)
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(5):
        with pytest.raises(WrongCodeError):
            await accounts.confirm(token, wrong, OFFICE)
    with pytest.raises(TooManyAttemptsError):
        await accounts.confirm(token, right, OFFICE)
    # Asking for the first step again does not begin the count anew.
    token = await asked(accounts)
    with pytest.raises(TooManyAttemptsError):
        await accounts.confirm(token, right, OFFICE)


async def test_each_recovery_code_opens_once(accounts: AccountService, clock: Any):
    admin, _, recovery, _ = await enrolled(accounts, clock)
    assert len(set(recovery)) == 10
    await accounts.confirm(await asked(accounts), recovery[0].upper().replace("-", " "), OFFICE)
    assert await accounts.own.recovery_codes_left(admin.id) == 9
    with pytest.raises(WrongCodeError):
        await accounts.confirm(await asked(accounts), recovery[0], OFFICE)
    fresh = await accounts.own.renew_recovery_codes(admin.id)
    with pytest.raises(WrongCodeError):
        await accounts.confirm(await asked(accounts), recovery[1], OFFICE)
    await accounts.confirm(await asked(accounts), fresh[1], OFFICE)


async def test_a_code_proves_that_it_is_still_the_same_person(accounts: AccountService, clock: Any):
    admin, phone, _, opened = await enrolled(accounts, clock)
    clock.forward(minutes=11)
    await accounts.own.prove(opened.token, admin.id, shown(phone, clock), OFFICE)
    with pytest.raises(WrongCredentialsError):
        await accounts.own.prove(opened.token, admin.id, shown(phone, clock), OFFICE)


async def test_switched_off_the_password_is_enough(accounts: AccountService, clock: Any):
    admin, _, _, _ = await enrolled(accounts, clock)
    await accounts.own.stop_totp(admin.id)
    await entered(accounts)


async def test_an_administrator_helps_who_lost_telephone_and_codes(accounts: AccountService, clock: Any):
    admin, _, _, opened = await enrolled(accounts, clock)
    other = await ready_user(accounts, "minh", roles=("administrator",))
    await accounts.users.reset_totp(admin.id, actor=other.id)
    assert await accounts.find_session(opened.token) is None
    await entered(accounts)


async def test_roles_can_require_a_code(strict_accounts: AccountService, clock: Any):
    admin = await ready_admin(strict_accounts)
    await ready_user(strict_accounts)
    opened, of_operator = await entered(strict_accounts), await entered(strict_accounts, "lan")
    found = await strict_accounts.find_session(opened.token)
    assert found is not None
    assert found.must_enrol
    found = await strict_accounts.find_session(of_operator.token)
    assert found is not None
    assert not found.must_enrol
    phone = TOTP((await strict_accounts.own.begin_totp(admin.id)).secret)
    await strict_accounts.own.confirm_totp(opened.token, admin.id, shown(phone, clock), OFFICE)
    found = await strict_accounts.find_session(opened.token)
    assert found is not None
    assert not found.must_enrol
    with pytest.raises(TotpRequiredError):
        await strict_accounts.own.stop_totp(admin.id)


async def test_with_another_secret_key_codes_are_of_no_use(
    accounts: AccountService, database: Database, clock: Any
):
    _, phone, recovery, _ = await enrolled(accounts, clock)
    clock.forward(minutes=1)
    stolen = AccountService(database, clock, cheap_hasher(), secret="another")
    token = await asked(stolen)
    for code in (shown(phone, clock), recovery[0]):
        with pytest.raises(WrongCodeError):
            await stolen.confirm(token, code, OFFICE)
