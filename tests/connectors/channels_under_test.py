"""Each channel with its provider played, behind one small face, so that one suite can try them all."""

from __future__ import annotations

import hmac
import json
import re
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import aiohttp
from aiohttp import web

import connectors.base
from connectors.base import Connector, InboundMessage, Intake
from connectors.credentials import ChannelCredentials
from connectors.messenger.client import GraphClient
from connectors.messenger.connector import Messenger
from connectors.messenger.events import Account
from connectors.messenger.webhook import BadSignatureError, Keys, MessengerWebhook
from connectors.webchat.connector import WebChat, provider_id
from connectors.webchat.visitors import Visitors
from connectors.zalo.channel import build_zalo
from connectors.zalo.settings import ZaloSettings
from connectors.zalo.webhook import Outcome
from conversations.core import ConversationCore
from conversations.errors import StorageUnavailableError
from database.clock import SystemClock
from database.engine import Database
from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options as MessengerOptions
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options as ZaloOptions

Entrance = Callable[[bytes, Any], Awaitable[int]]


class ChannelUnderTest(Protocol):
    """What the suite does with a channel."""

    connector: Connector

    async def say(self, user: str, text: str) -> None:
        """Have somebody write, and wait until the provider has delivered it."""

    async def say_twice(self, user: str, text: str) -> None:
        """The same, delivered twice."""

    async def forge(self, user: str, text: str) -> int:
        """Have somebody else deliver it; return the HTTP status they get."""

    def address(self, user: str) -> str:
        """Return the id under which the provider knows somebody."""

    async def shown(self, user: str) -> list[str]:
        """Return what was sent to somebody, as their phone shows it."""


class ProviderUnderTest(ChannelUnderTest, Protocol):
    """The same for a channel that has a provider, which can fail."""

    async def fail(self, how: str) -> None:
        """Fail from now on: `down`, `slow`, `garbage`, `drop`, `auth`, `refuse`, `limit`; `well` ends it."""


@asynccontextmanager
async def entrance(take: Entrance) -> AsyncIterator[str]:
    """Serve one address to which a provider delivers; `take` returns the status."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=await take(await request.read(), request.headers))

    app = web.Application()
    app.router.add_post("/webhook", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    await runner.cleanup()


# --- web chat ---------------------------------------------------------------------------------------------


class WebChatUnderTest:
    """The web chat has no provider: the page speaks to us, and reads what is stored."""

    def __init__(self, core: ConversationCore) -> None:
        self.connector: Connector = WebChat(core.events)
        self._core = core
        self._visitors = Visitors("k" * 32)
        self._numbers = iter(range(1, 1_000))

    async def say(self, user: str, text: str) -> None:
        await self._receive(user, text, next(self._numbers))

    async def say_twice(self, user: str, text: str) -> None:
        number = next(self._numbers)
        for _ in range(2):
            await self._receive(user, text, number)

    async def _receive(self, user: str, text: str, number: int) -> None:
        message = InboundMessage(
            channel="webchat",
            external_user_id=user,
            provider_message_id=provider_id(user, f"c{number}"),
            text=text,
        )
        await self._core.inbox.receive(message)

    async def forge(self, user: str, text: str) -> int:
        visitor, token = self._visitors.new()
        assert self._visitors.read(token) == visitor
        payload, _, signature = token.partition(".")
        return 401 if self._visitors.read(f"{payload}.{signature[::-1]}") is None else 200

    def address(self, user: str) -> str:
        return user

    async def shown(self, user: str) -> list[str]:
        state = await self._core.inbox.state("webchat", user)
        return [one.text for one in state.messages if one.direction == "out"] if state else []


@asynccontextmanager
async def webchat(core: ConversationCore, _database: Database) -> AsyncIterator[ChannelUnderTest]:
    yield WebChatUnderTest(core)


# --- played providers -------------------------------------------------------------------------------------

_FAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "zalo": {
        "down": {"down": True},
        "slow": {"latency_ms": 500},
        "drop": {"drop_connection": "before"},
        "auth": {"error_code": -216},
        "refuse": {"error_code": -213},
        "limit": {"error_code": -32},
        "well": {"down": False, "latency_ms": 0, "drop_connection": False, "error_code": None},
    },
    "messenger": {
        "down": {"down": True},
        "slow": {"latency_ms": 500},
        "drop": {"drop_connection": "before"},
        "auth": {"error_code": 190},
        "refuse": {"error_code": 551, "error_subcode": 1545041},
        "limit": {"error_code": 613},
        "well": {
            "down": False, "latency_ms": 0, "drop_connection": False,
            "error_code": None, "error_subcode": None,
        },
    },
}  # fmt: skip


class PlayedUnderTest:
    """Zalo or Messenger: both are played with the same control."""

    def __init__(self, connector: Connector, played: PlayedZalo | PlayedMessenger) -> None:
        self.connector = connector
        self._played: Any = played

    async def say(self, user: str, text: str) -> None:
        await self.do(user, text=text)

    async def do(self, user: str, **what: Any) -> None:
        """Have somebody do something, as the played provider's control calls it."""
        self._played.control.say({"user": user, **what})
        await self._played.webhooks.settled()

    async def say_twice(self, user: str, text: str) -> None:
        self._played.state.faults.repeat_share = 1.0
        await self.say(user, text)
        self._played.state.faults.repeat_share = 0.0

    async def forge(self, user: str, text: str) -> int:
        self._played.state.faults.bad_signature_share = 1.0
        await self.say(user, text)
        self._played.state.faults.bad_signature_share = 0.0
        (entry,) = [one for one in self._played.state.record if one["kind"] == "webhook" and one["forged"]]
        status: int = entry["status"]
        return status

    def address(self, user: str) -> str:
        found: str = self._played.state.person(user).id
        return found

    async def shown(self, user: str) -> list[str]:
        screen = self._played.state.person(user).screen
        return [str(one.get("text", "")) for one in screen if one["from"] != "me"]

    async def fail(self, how: str) -> None:
        for name, value in _FAULTS[self.connector.name][how].items():
            setattr(self._played.state.faults, name, value)


@asynccontextmanager
async def messenger(core: ConversationCore, _database: Database) -> AsyncIterator[ProviderUnderTest]:
    played = PlayedMessenger(MessengerOptions(seed=1, first_retry=0.02))
    clock = SystemClock()
    await played.start()
    options = played.options

    async def token() -> str | None:
        return options.page_token

    client = GraphClient(
        page_id=options.page_id,
        app_id=options.app_id,
        app_secret=options.app_secret,
        token=token,
        api_url=played.api_url,
        timeout=10.0,
    )
    connector = Messenger(client, clock)
    keys = Keys(app_secret=options.app_secret, verify_token=options.verify_token)
    webhook = MessengerWebhook(Account(options.page_id, options.app_id), keys, connector, clock)

    async def take(body: bytes, headers: Any) -> int:
        try:
            await webhook.deliver(
                body,
                sha256=headers.get("X-Hub-Signature-256"),
                sha1=headers.get("X-Hub-Signature"),
                intake=core.intake,
            )
        except BadSignatureError:
            return 403
        except StorageUnavailableError:
            return 503
        return 200

    async with entrance(take) as options.webhook:
        yield PlayedUnderTest(connector, played)
        await played.stop()
    await connector.close()


@asynccontextmanager
async def zalo(core: ConversationCore, database: Database) -> AsyncIterator[ProviderUnderTest]:
    played = PlayedZalo(ZaloOptions(seed=1, first_retry=0.02))
    clock = SystemClock()
    await played.start()
    options = played.options
    settings = ZaloSettings(
        app_id=options.app_id,
        app_secret=options.app_secret,
        oa_id=options.oa_id,
        oa_secret=options.oa_secret,
        api_url=played.url,
        oauth_url=played.url,
        redirect_url="https://1022.example/callback",
        code_verifier="v" * 43,
    )
    credentials = ChannelCredentials(database, clock, "key")
    pair = played.state.new_pair()
    await credentials.put(
        "zalo",
        account=options.oa_name,
        values={name: pair[name] for name in ("access_token", "refresh_token")},
        expires_at=clock.now() + timedelta(hours=25),
    )
    channel = build_zalo(settings, database, clock, credentials)
    statuses = {
        Outcome.TAKEN: 200,
        Outcome.BAD_SIGNATURE: 403,
        Outcome.NOT_STORED: 503,
        Outcome.MALFORMED: 400,
    }

    async def take(body: bytes, headers: Any) -> int:
        outcome = await channel.webhook.deliver(body, headers.get("X-ZEvent-Signature", ""), core.intake)
        return statuses[outcome]

    async with entrance(take) as options.webhook:
        yield PlayedUnderTest(channel.connector, played)
        await played.stop()
    await channel.stop()


# --- the example of connectors/base.py --------------------------------------------------------------------


def example_class() -> Any:
    """Return the class of the docstring, as it stands there."""
    documentation = connectors.base.__doc__ or ""
    found = re.search(r"\n(    class Example:\n.*?)\n\n(?=[^ \n])", documentation, re.S)
    assert found is not None
    names: dict[str, Any] = {
        **vars(connectors.base),
        "aiohttp": aiohttp,
        "hmac": hmac,
        "json": json,
        "datetime": datetime,
        "UTC": UTC,
    }
    exec(textwrap.dedent(found[1]), names)
    return names["Example"]


@dataclass
class ExampleUnderTest:
    """The example's provider, played."""

    intake: Intake
    connector: Any = None
    taken: list[dict[str, Any]] = field(default_factory=list)
    how: str = "well"
    number: int = 0

    def _delivery(self, user: str, text: str) -> bytes:
        self.number += 1
        at = datetime.now(UTC).timestamp() * 1000
        return json.dumps({"id": f"m{self.number}", "from": user, "text": text, "at": at}).encode()

    async def say(self, user: str, text: str) -> None:
        body = self._delivery(user, text)
        assert await self.connector.deliver(body, hmac.new(b"s", body, "sha256").hexdigest(), self.intake)

    async def say_twice(self, user: str, text: str) -> None:
        body = self._delivery(user, text)
        for _ in range(2):
            assert await self.connector.deliver(body, hmac.new(b"s", body, "sha256").hexdigest(), self.intake)

    async def forge(self, user: str, text: str) -> int:
        body = self._delivery(user, text)
        signature = hmac.new(b"other", body, "sha256").hexdigest()
        return 200 if await self.connector.deliver(body, signature, self.intake) else 403

    def address(self, user: str) -> str:
        return user

    async def shown(self, user: str) -> list[str]:
        return [one["text"] for one in self.taken if one["to"] == user]

    async def fail(self, how: str) -> None:
        self.how = how

    async def messages(self, request: web.Request) -> web.Response:
        """Play the provider's one call."""
        body = await request.json()
        match self.how:
            case "down":
                return web.Response(status=503)
            case "drop":
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case "auth":
                return web.Response(status=401)
            case "limit":
                return web.Response(status=429, headers={"Retry-After": "7"})
            case "refuse":
                return web.json_response({"code": "unreachable"}, status=400)
        self.taken.append(body)
        return web.json_response({"id": f"p{len(self.taken)}"})


@asynccontextmanager
async def example(core: ConversationCore, _database: Database) -> AsyncIterator[ProviderUnderTest]:
    async with AsyncExitStack() as opened:
        under_test = ExampleUnderTest(core.intake)
        app = web.Application()
        app.router.add_post("/messages", under_test.messages)
        runner = web.AppRunner(app)
        await runner.setup()
        opened.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = await opened.enter_async_context(aiohttp.ClientSession())
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        under_test.connector = example_class()(client, url, "s")
        yield under_test


ALL = {"webchat": webchat, "zalo": zalo, "messenger": messenger, "example": example}
WITH_PROVIDER = {"zalo": zalo, "messenger": messenger, "example": example}
PLAYED = {"zalo": zalo, "messenger": messenger}
