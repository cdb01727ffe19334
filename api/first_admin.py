"""The first person who may log in: an administrator, made at first start, who sets the password by a link."""

from __future__ import annotations

from accounts.service import AccountService
from api.settings import Settings
from api.startup import prepare_database
from database.clock import SystemClock
from database.engine import Database


async def first_administrator_link(url: str) -> str | None:
    """Return a one-time link to set the first administrator's password, None once there is a password.

    Args:
        url: where the application is reached, without a slash at its end.
    """
    database = Database(Settings().resolved_database_url())
    try:
        await prepare_database(database)
        token = await AccountService(database, SystemClock()).create_first_admin()
    finally:
        await database.close()
    return None if token is None else f"{url}/console/set-password?token={token}"
