"""Migrations: from nothing to what the models say, forward under load, whole or not at all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from api.startup import BrokenReferenceError, known_revisions, migrations, prepare_database
from conversations.bot_client import BotClient
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import InboundMessage
from database.base import new_id
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from deploy.local.postgres import PrivatePostgres

STEP = """
import sqlalchemy as sa
from alembic import op

revision = "trial"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade():
    copied = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("conversations", recreate=copied) as table:
        table.add_column(sa.Column("trial", sa.String(20), nullable=False, server_default="new"))
    op.add_column("messages", sa.Column("trial", sa.Integer(), nullable=True))
    op.create_index("ix_messages_trial", "messages", ["trial"])
    {more}
"""

MIGRATE = """
import asyncio, sys
from pathlib import Path
from api.startup import migrations, prepare_database
from database.engine import Database

async def main():
    database = Database(sys.argv[1])
    await prepare_database(database, migrations(Path(sys.argv[2])))
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def core(database: Database) -> AsyncIterator[ConversationCore]:
    """What receives messages; nothing answers them."""
    await prepare_database(database)
    bot = BotClient("http://127.0.0.1:1", "token")
    made = ConversationCore(database, SystemClock(), RedisLink(None), bot)
    yield made
    await made.stop()
    await bot.close()


def steps(folder: Path, more: str = "") -> Path:
    """Write one more migration on top of the product's own."""
    folder.mkdir()
    content = STEP.format(before=known_revisions()[0], more=more)
    (folder / "trial.py").write_text(content)
    return folder


def message(user: int, number: int) -> InboundMessage:
    return InboundMessage(
        channel="webchat",
        external_user_id=f"u{user}",
        provider_message_id=f"{user}-{number}",
        text="xin chào",
    )


async def one(database: Database, query: str) -> object:
    async with database.read() as session:
        return (await session.execute(text(query))).scalar_one()


async def revision(database: Database) -> object:
    return await one(database, "SELECT version_num FROM alembic_version")


async def test_a_database_from_nothing_is_what_the_models_say(database: Database) -> None:
    await prepare_database(database)

    def check(connection: Connection) -> None:
        config = migrations()
        config.attributes["connection"] = connection
        command.check(config)  # raises when a model and a table differ

    async with database.engine.connect() as connection:
        await connection.run_sync(check)
    assert await revision(database) == known_revisions()[0]


async def test_several_processes_may_start_at_once(database: Database, database_url: str) -> None:
    others = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(prepare_database(each) for each in [database, *others]))
    assert await revision(database) == known_revisions()[0]
    for other in others:
        await other.close()


async def test_messages_are_received_while_the_schema_changes(
    core: ConversationCore, database: Database, database_url: str, tmp_path: Path
) -> None:
    folder = steps(tmp_path / "steps")
    migrating = await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, database_url, str(folder))
    ended: asyncio.Task[int] = asyncio.create_task(migrating.wait())
    acknowledged: list[str] = []

    async def talk(user: int) -> None:
        number = 0
        after = 0
        # Goes on for a while after the change: the old code has to work on the new tables.
        while after < 5:
            after += ended.done()
            received = await core.inbox.receive(message(user, number))
            assert not received.duplicate
            assert received.sequence == number + 1
            acknowledged.append(f"{user}-{number}")
            number += 1
            await asyncio.sleep(0)

    await asyncio.gather(*(talk(user) for user in range(8)))
    assert await ended == 0
    assert await revision(database) == "trial"
    async with database.read() as session:
        stored = (await session.execute(text("SELECT provider_message_id FROM messages"))).scalars().all()
        assert sorted(stored) == sorted(acknowledged)
        lost = await session.execute(
            text("SELECT count(*) FROM messages WHERE conversation_id NOT IN (SELECT id FROM conversations)")
        )
        assert lost.scalar_one() == 0
    assert await one(database, "SELECT count(*) FROM conversations WHERE trial = 'new'") == 8


async def test_the_version_before_starts_on_the_new_schema(
    core: ConversationCore, database: Database, tmp_path: Path
) -> None:
    await prepare_database(database, migrations(steps(tmp_path / "steps")))
    await prepare_database(database)
    assert await revision(database) == "trial"
    assert not (await core.inbox.receive(message(1, 1))).duplicate


async def test_a_step_that_fails_leaves_the_database_as_it_was(
    core: ConversationCore, database: Database, tmp_path: Path
) -> None:
    await core.inbox.receive(message(1, 1))
    failing = steps(tmp_path / "steps", "op.execute('SELECT * FROM missing')")
    with pytest.raises(DBAPIError, match="missing"):
        await prepare_database(database, migrations(failing))
    assert await revision(database) == known_revisions()[0]
    with pytest.raises(DBAPIError, match="trial"):
        await one(database, "SELECT trial FROM conversations")
    assert (await core.inbox.receive(message(1, 2))).sequence == 2


async def test_sqlite_refuses_a_step_that_leaves_rows_without_their_conversation(tmp_path: Path) -> None:
    opened = Database(sqlite_url(tmp_path / "test.sqlite3"))
    await prepare_database(opened)
    core = ConversationCore(opened, SystemClock(), RedisLink(None), BotClient("http://127.0.0.1:1", "token"))
    await core.inbox.receive(message(1, 1))
    failing = steps(tmp_path / "steps", "op.execute('DELETE FROM conversations')")
    with pytest.raises(BrokenReferenceError, match="messages"):
        await prepare_database(opened, migrations(failing))
    assert await one(opened, "SELECT count(*) FROM conversations") == 1
    # The connection that migrated guards references again.
    with pytest.raises(DBAPIError, match="FOREIGN KEY"):
        async with opened.write() as session:
            await session.execute(text("DELETE FROM conversations"))
    await core.stop()
    await opened.close()


async def test_postgresql_a_long_reader_holds_up_the_change_and_nobody_else(
    postgres: PrivatePostgres, tmp_path: Path
) -> None:
    opened = Database(postgres.create(new_id()))
    await prepare_database(opened)
    core = ConversationCore(opened, SystemClock(), RedisLink(None), BotClient("http://127.0.0.1:1", "token"))
    folder = steps(tmp_path / "steps")
    other = Database(opened.url.render_as_string(hide_password=False))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'")
    async with opened.read() as reader:
        await reader.execute(text("SELECT count(*) FROM conversations"))
        change = asyncio.create_task(prepare_database(other, migrations(folder)))
        async with asyncio.timeout(60), opened.read() as watcher:
            while (await watcher.execute(waiting)).scalar_one() == 0:  # noqa: ASYNC110 - only the server knows
                await asyncio.sleep(0)
        # Whoever comes now stands behind the change for two seconds at the most.
        async with asyncio.timeout(60):
            for number in range(20):
                await core.inbox.receive(message(1, number))
        assert not change.done()
    async with asyncio.timeout(60):
        await change
    assert await revision(opened) == "trial"
    await core.stop()
    await other.close()
    await opened.close()
