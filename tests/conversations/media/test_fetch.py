"""Attachments that lie at the provider: fetched, checked, and nothing reached that only we can reach."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image
from sqlalchemy import select

from conversations.channel_events import Withdrawal
from conversations.core import ConversationCore
from conversations.media.download import Downloader, DownloadError, is_public
from conversations.media.fetch_models import FetchRow
from conversations.media.models import StoredFileRow
from conversations.media.service import Media
from conversations.redis_link import RedisLink
from conversations.schemas import Attachment, Capabilities, InboundMessage
from database.engine import Database
from tests.conversations.conftest import FakeBot, HandClock, Provider, free_port


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 90, 70)).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Storage:
    """Plays a provider's storage of files."""

    host: str = ""
    status: int = 200
    content: bytes = field(default_factory=picture)
    asked: list[str] = field(default_factory=list)
    location: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/moved":
            raise web.HTTPFound(self.location)
        if request.path == "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(64):
                await response.write(b"a" * 1024 * 1024)
            return response
        return web.Response(body=self.content, status=self.status)


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    played = Storage()
    app = web.Application()
    app.router.add_get("/{name}", played.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    played.host = f"127.0.0.1:{port}"
    yield played
    await runner.cleanup()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class Account(Provider):
    name = "zalo"
    capabilities = Capabilities(max_text=2_000, buttons=False, reorders=True)


@pytest.fixture
async def fetching(
    database: Database, clock: HandClock, bot_client: Any, storage: Storage, tmp_path: Path
) -> AsyncIterator[ConversationCore]:
    made = ConversationCore(
        database,
        clock,
        RedisLink(None),
        bot_client,
        channels=[Account()],
        media=Media(database, clock, tmp_path / "files"),
        download=Downloader(1_000_000, allowed=[storage.host]),
    )
    yield made
    await made.stop()


@pytest.fixture
def with_picture(storage: Storage) -> Callable[..., InboundMessage]:
    def make(name: str = "a.jpg", text: str = "ổ gà trước nhà") -> InboundMessage:
        file = Attachment(kind="image", url=f"http://{storage.host}/{name}")
        return InboundMessage(
            channel="zalo", external_user_id="u1", provider_message_id="m1", text=text, attachments=(file,)
        )

    return make


async def fetch(core: ConversationCore) -> int:
    assert core.fetcher is not None
    return await core.fetcher.fetch_due()


async def test_a_picture_is_fetched_before_its_message_is_read(
    fetching: ConversationCore, clock: HandClock, with_picture: Any, fake_bot: FakeBot, database: Database
):
    taken = await fetching.intake.receive(with_picture())
    await fetching.worker.work_off()
    assert fake_bot.asked == []
    assert await fetch(fetching) == 1
    assert await fetch(fetching) == 0
    clock.forward(seconds=1)
    await fetching.worker.work_off()
    (asked,) = fake_bot.asked
    (given,) = asked["metadata"]["attachments"]
    (message,) = [one for one in await fetching.inbox.history(taken.conversation_id) if one.direction == "in"]
    (file,) = message.payload["attachments"]
    assert file["file_id"] == given["id"]
    assert (file["content_type"], file["width"]) == ("image/jpeg", 64)
    assert "url" not in file
    async with database.read() as session:
        assert (await session.scalars(select(FetchRow))).all() == []
        (row,) = (await session.scalars(select(StoredFileRow))).all()
    assert row.attached_at is not None


async def test_a_message_does_not_wait_for_ever_for_its_picture(
    fetching: ConversationCore, clock: HandClock, with_picture: Any, storage: Storage, fake_bot: FakeBot
):
    storage.status = 503
    await fetching.intake.receive(with_picture())
    assert await fetch(fetching) == 1
    clock.forward(seconds=5)
    await fetching.worker.work_off()
    assert len(fake_bot.asked) == 1
    storage.status = 200
    clock.forward(seconds=5)
    assert await fetch(fetching) == 1
    assert len(storage.asked) == 2


@pytest.mark.parametrize(
    ("name", "status", "content", "code"),
    [
        ("gone.jpg", 404, b"", "gone"),
        ("page.jpg", 200, b"<html>", "file_type"),
        ("endless", 200, b"", "file_too_large"),
        ("big.jpg", 200, b"a" * 1_000_001, "file_too_large"),
    ],
)
async def test_what_cannot_be_kept_is_given_up_with_its_reason(
    fetching: ConversationCore,
    storage: Storage,
    with_picture: Any,
    name: str,
    status: int,
    content: bytes,
    code: str,
):
    storage.status, storage.content = status, content
    taken = await fetching.intake.receive(with_picture(name))
    assert await fetch(fetching) == 1
    assert await fetch(fetching) == 0
    message = (await fetching.inbox.history(taken.conversation_id))[0]
    assert message.payload["attachments"] == [{"kind": "image", "error": code}]


async def test_a_file_goes_with_the_message_that_is_taken_back(
    fetching: ConversationCore, clock: HandClock, with_picture: Any, database: Database, tmp_path: Path
):
    await fetching.intake.receive(with_picture())
    await fetch(fetching)
    assert list((tmp_path / "files").rglob("*-*"))
    await fetching.intake.note(Withdrawal("zalo", "u1", "m1", clock.now()))
    async with database.read() as session:
        assert (await session.scalars(select(StoredFileRow))).all() == []
    assert not [path for path in (tmp_path / "files").rglob("*-*") if path.is_file()]


async def test_what_was_taken_back_is_not_fetched(
    fetching: ConversationCore, clock: HandClock, with_picture: Any, storage: Storage
):
    await fetching.intake.receive(with_picture())
    await fetching.intake.note(Withdrawal("zalo", "u1", "m1", clock.now()))
    assert await fetch(fetching) == 0
    assert storage.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.jpg",
        "http://127.1/a.jpg",
        "http://0x7f000001/a.jpg",
        "http://2130706433/a.jpg",
        "http://localhost/a.jpg",
        "http://[::1]/a.jpg",
        "http://[::ffff:127.0.0.1]/a.jpg",
        "http://[64:ff9b::7f00:1]/a.jpg",
        "http://10.0.0.8/a.jpg",
        "http://192.168.1.1/a.jpg",
        "http://172.16.3.4/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/a.jpg",
        "http://0.0.0.0/a.jpg",
        "http://224.0.0.1/a.jpg",
        "http://[fe80::1]/a.jpg",
        "http://[fc00::1]/a.jpg",
        "https://user@8.8.8.8/a.jpg",
        "https://8.8.8.8:22/a.jpg",
        "ftp://8.8.8.8/a.jpg",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://",
        "",
        "http://[",
    ],
)
async def test_only_the_public_internet_is_reached(url: str):
    download = Downloader(1_000)
    with pytest.raises(DownloadError) as refused:
        await download.get(url)
    await download.close()
    assert refused.value.code == "address_refused"
    assert refused.value.is_final


async def test_a_redirect_does_not_lead_inside(storage: Storage):
    download = Downloader(1_000, allowed=[storage.host])
    for target in (
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/",
        "http://localhost/x",
        "file:///etc/passwd",
    ):
        storage.location = target
        with pytest.raises(DownloadError) as refused:
            await download.get(f"http://{storage.host}/moved")
        assert refused.value.code == "address_refused"
    await download.close()


async def test_a_redirect_to_an_allowed_place_is_followed_but_not_in_circles(storage: Storage):
    download = Downloader(1_000_000, allowed=[storage.host])
    storage.location = f"http://{storage.host}/a.jpg"
    content, name = await download.get(f"http://{storage.host}/moved")
    assert (content, name) == (storage.content, "a.jpg")
    storage.location = f"http://{storage.host}/moved"
    with pytest.raises(DownloadError) as refused:
        await download.get(f"http://{storage.host}/moved")
    await download.close()
    assert refused.value.code == "gone"


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2001:4860:4860::8888", True), ("fe80::1%eth0", False), ("::ffff:10.0.0.1", False)],
)
def test_addresses(address: str, public: bool):
    assert is_public(address) is public
