"""Every route of the app and of the actions process, tried with requests of any kind on both databases.

The routes are read from the apps themselves: a new one is tried without a word here, and one that cannot be
tried this way makes `test_no_entrance_is_left_out` fail. What lies behind a guard is reached: as an
administrator with the session's own mark, with a provider's signature, the internal token, a visitor's token.

`FUZZ_EXAMPLES` says how many requests a route gets; with it they differ from run to run (`make fuzz`).
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select, union_all
from starlette.routing import Mount, Route
from structlog.testing import capture_logs

from accounts.schemas import OpenedSession, Visit
from api.actions_process import create_actions_app
from api.app import create_app
from api.services import Services, build_services
from api.settings import Settings
from connectors.messenger.signature import HEADER_SHA256
from connectors.messenger.signature import sign as sign_for_messenger
from connectors.zalo.signature import HEADER as HEADER_OF_ZALO
from connectors.zalo.signature import sign as sign_for_zalo
from conversations.desk.service import files_of
from conversations.schemas import InboundMessage
from database.base import Base
from database.engine import Database
from kb_index.importers import read_path
from kb_index.importing import import_records
from kb_index.service import rebuild
from tests.accounts.conftest import cheap_hasher
from tests.actions.conftest import ARTICLES, PROCEDURES
from tests.api import fuzzing
from tests.api.conftest import TOKEN
from tests.api.test_access_routes import OPEN, all_routes
from tests.conftest import BOTH
from tests.databases import PostgresCopies, sqlite_migrated
from tickets.schemas import TicketDraft, TicketKind

PASSWORD = "sông Ba mùa nước nổi"
APP_SECRET, OA_SECRET, APP_ID, VERIFY = "app-secret", "oa-secret", "1022", "verify"
PAYLOADS = Path(__file__).parent.parent / "connectors"

NOT_READY = {"/ready", "/health/ready"}
"""503 is what they are for: no bot and no Redis is here."""

WRITTEN_WHEN_REFUSED = {
    "audit_log", "login_attempts", "login_challenges", "login_sessions", "channel_health", "channel_hours",
}  # fmt: skip
"""Tables in which a refusal may leave a line: who tried what, and how the channels are."""


class Entrances:
    """An app with something in it, an administrator, and what each entrance is reached with."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self.app = app
        self.services: Services = app.state.services
        self.runner = runner
        self.records: dict[str, str] = {}
        self.visitor = ""
        self.session: OpenedSession | None = None

    async def fill(self) -> None:
        """Put in one record of each kind that routes ask for."""
        services = self.services
        self.visitor, self.visitor_token = services.visitors.new()
        received = await services.inbox.receive(
            InboundMessage(
                channel="webchat",
                external_user_id=self.visitor,
                provider_message_id="m1",
                text="gặp tư vấn viên",
            )
        )
        draft = TicketDraft(
            kind=TicketKind.REPORT,
            content="Đèn đường hỏng",
            name="Lê An",
            phone="0905123456",
            address="12 Trần Phú",
            consent=True,
            channel="webchat",
            conversation_id=received.conversation_id,
        )
        ticket = await services.tickets.open(draft, origin_key="a")
        first = await services.accounts.create_first_admin()
        assert first is not None
        administrator = await services.accounts.set_password(first, PASSWORD)
        user, _link = await services.accounts.users.invite(
            login="lan", name="Lan", roles=("operator",), actor=administrator.id
        )
        me = administrator.id
        answer = await services.core.canned.add(me, "Chào", "Dạ, em chào anh/chị.", shared=True)
        file = await services.media.add(
            files_of(me), client_id="0" * 32, name="a.pdf", content=b"%PDF-1.7\n%%EOF"
        )
        self.records = {
            "conversation_id": received.conversation_id,
            "message_id": received.message_id,
            "code": ticket.code,
            "token": ticket.token,
            "user_id": user.id,
            "answer_id": answer.id,
            "file_id": file.id,
            "name": "answer",
        }

    async def prepare(self, request: fuzzing.Request, path: str) -> fuzzing.Request:
        """Give a request what its entrance asks of those who may come in."""
        headers = dict(request.headers)
        if path.startswith("/console"):
            session = await self._logged_in()
            headers |= {"cookie": f"console_session={session.token}", "x-csrf": session.csrf}
        elif path == "/metrics" or path.startswith("/internal"):
            headers["authorization"] = f"Bearer {TOKEN}"
        elif path.startswith("/chat"):
            headers["authorization"] = f"Bearer {self.visitor_token}"
        elif path == "/webhooks/messenger" and request.method == "GET":
            asked = f"{request.query}&hub.mode=subscribe&hub.verify_token={VERIFY}"
            return replace(request, query=asked)
        elif path == "/webhooks/messenger":
            headers[HEADER_SHA256] = sign_for_messenger(request.body, APP_SECRET)
        elif path == "/webhooks/zalo":
            headers[HEADER_OF_ZALO] = sign_for_zalo(
                APP_ID.encode(), request.body, _timestamp(request.body), OA_SECRET.encode()
            )
        return replace(request, headers=headers)

    async def _logged_in(self) -> OpenedSession:
        accounts = self.services.accounts
        if self.session is None or await accounts.find_session(self.session.token) is None:
            opened = await accounts.log_in("admin", PASSWORD, Visit("10.9.9.9"))
            assert isinstance(opened, OpenedSession)
            self.session = opened
        return self.session

    async def stored(self) -> list[tuple[str, int]]:
        """Return how many rows there are of what a refused request must not leave."""
        counts = [
            select(literal(name).label("name"), func.count()).select_from(table)
            for name, table in sorted(Base.metadata.tables.items())
            if name not in WRITTEN_WHEN_REFUSED
        ]
        async with self.services.database.read() as session:
            return [tuple(row) for row in await session.execute(union_all(*counts))]

    async def try_one(self, request: fuzzing.Request, path: str) -> int:
        """Send one request and look at what it did; return the status."""
        prepared = await self.prepare(request, path)
        before = await self.stored()
        with capture_logs() as lines:
            try:
                status = await fuzzing.send(self.app, prepared)
            except Exception as error:
                error.add_note(repr(prepared))
                raise
        assert status < 500 or path in NOT_READY, (status, prepared, lines)
        if status >= 400:
            assert await self.stored() == before, (status, prepared)
        return status


def _timestamp(body: bytes) -> str:
    try:
        return str(json.loads(body)["timestamp"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def app_options(url: str, folder: Path) -> Settings:
    most = 10**9
    return Settings(
        _env_file=None,
        data_dir=folder,
        database_url=url,
        redis_url="",
        bot_url="http://127.0.0.1:1",
        internal_token=TOKEN,
        metrics_token=TOKEN,
        run_worker=False,
        serve_actions=True,
        log_level="INFO",
        visitor_messages_per_minute=most,
        address_messages_per_minute=most,
        visitor_files_per_ten_minutes=most,
        messenger_page_id="108800000001022",
        messenger_app_id="1022000000000001",
        messenger_app_secret=APP_SECRET,
        messenger_verify_token=VERIFY,
        messenger_api_url="http://127.0.0.1:1",
        zalo_app_id=APP_ID,
        zalo_app_secret="another",
        zalo_oa_id="2210000000001022",
        zalo_oa_secret=OA_SECRET,
        zalo_api_url="http://127.0.0.1:1",
        zalo_oauth_url="http://127.0.0.1:1",
    )


async def import_knowledge(url: str) -> None:
    database = Database(url)
    for file in (PROCEDURES, ARTICLES):
        await import_records(database, read_path(file, yaml_layer="starter"))
    await database.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search index, built once for both databases."""
    folder = tmp_path_factory.mktemp("index")

    async def build() -> None:
        url = sqlite_migrated(folder / "1022.sqlite3")
        await import_knowledge(url)
        database = Database(url)
        await rebuild(database, folder)
        await database.close()

    asyncio.run(build())
    return folder


@pytest.fixture(scope="module", params=BOTH)
def options(
    request: pytest.FixtureRequest, index: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(index, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sqlite3*"))
    if request.param == "sqlite":
        url = sqlite_migrated(folder / "1022.sqlite3")
    else:
        copies: PostgresCopies = request.getfixturevalue("postgres_copies")
        url = copies.migrated()
    return app_options(url, folder)


@pytest.fixture(scope="module")
def entrances(options: Settings) -> Iterator[list[Entrances]]:
    """The app and the actions process of one instance, which nobody works for in the background."""
    with asyncio.Runner() as runner:
        runner.run(import_knowledge(options.resolved_database_url()))
        made = []
        for make in (create_app, create_actions_app):
            app = make(options, build_services(options, hasher=cheap_hasher()))
            runner.run(app.state.services.start(actions_only=make is create_actions_app))
            made.append(Entrances(app, runner))
        main, actions = made
        runner.run(main.fill())
        actions.records = main.records
        yield made
        for each in made:
            runner.run(each.services.stop())


def tried(app: FastAPI) -> list[tuple[str, str, fuzzing.Reads]]:
    """Return method, path and names of what is tried."""
    found = [
        (method, route.path.replace(":path", ""), fuzzing.reads(route))
        for route in all_routes(app.routes)
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]
    nothing = fuzzing.Reads(frozenset(), (), ())
    mounted = [route.path for route in all_routes(app.routes) if isinstance(route, Mount)]
    return [
        *found,
        *(("GET", f"{path}/{{file}}", replace(nothing, path=frozenset({"file"}))) for path in mounted),
        *(
            ("GET", route.path, nothing)
            for route in all_routes(app.routes)
            if isinstance(route, Route) and not isinstance(route, APIRoute)
        ),
    ]


def bodies_of(entrances: Entrances, path: str) -> st.SearchStrategy[bytes] | None:
    """Return bodies near those an entrance expects, where it reads them by itself."""
    if path.startswith("/webhooks"):
        name = path.removeprefix("/webhooks/")
        originals = [
            json.loads(file.read_bytes()) for file in sorted((PAYLOADS / name / "payloads").glob("*.json"))
        ]
        return fuzzing.mutated(originals, entrances.records.values())
    if path == "/internal/actions/webhook":
        actions = entrances.services.actions
        assert actions is not None
        calls = [
            {
                "next_action": name,
                "sender_id": "s",
                "tracker": {
                    "sender_id": "s",
                    "slots": {},
                    "latest_message": {
                        "text": "lệ phí khai sinh",
                        "intent": {"name": "ask_information", "confidence": 0.9},
                        "intent_ranking": [{"name": "ask_information", "confidence": 0.9}],
                        "entities": [],
                    },
                    "events": [
                        {
                            "event": "user",
                            "text": "lệ phí khai sinh",
                            "metadata": {"message_id": "m", "conversation_id": "c", "channel": "webchat"},
                        }
                    ],
                    "active_loop": {},
                },
                "domain": {},
            }
            for name in actions.names
        ]
        return fuzzing.mutated(calls, entrances.records.values())
    return None


async def test_no_entrance_is_left_out(entrances: list[Entrances]):
    # Frames of the one WebSocket: test_chat_frames.py.
    for each in entrances:
        others = [
            route.path
            for route in all_routes(each.app.routes)
            if not isinstance(route, Route | Mount) and route.path != "/chat/ws"
        ]
        assert not others, "neither tried here nor in test_chat_frames.py"
    assert len(tried(entrances[0].app)) >= 100
    assert {path for _, path, _ in tried(entrances[1].app)} >= {"/internal/knowledge/search"}


def test_nothing_breaks_and_what_is_refused_is_not_stored(entrances: list[Entrances]):
    failed: list[Exception] = []
    for each in entrances:
        for method, path, read in tried(each.app):
            try:
                try_entrance(each, method, path, read)
            except Exception as error:
                error.add_note(f"{method} {path}")
                failed.append(error)
    if failed:
        raise ExceptionGroup("entrances that broke", failed)


def try_entrance(each: Entrances, method: str, path: str, read: fuzzing.Reads) -> None:
    statuses: set[int] = set()

    @settings(
        max_examples=fuzzing.EXAMPLES or 12,
        derandomize=not fuzzing.EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(request=fuzzing.requests(method, path, read, each.records, bodies_of(each, path)))
    def holds(request: fuzzing.Request) -> None:
        statuses.add(each.runner.run(each.try_one(request, path)))

    holds()
    # Those who log in are refused by what they say, not by what they bring.
    assert statuses - {401, 403, 405} or (method, path) in OPEN, "the guard was never passed"
