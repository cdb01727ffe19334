"""Real services for the actions, and a driver that plays Rasa: it calls actions and applies events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from actions.dossiers import Dossier, DossierState, DossiersUnavailableError
from actions.server import ActionServer
from actions.services import Services
from database.engine import Database
from kb_index.importers import read_path
from kb_index.importing import import_records
from kb_index.service import KnowledgeBase
from tests.databases import sqlite_with_tables
from tickets.service import TicketService

PROCEDURES = Path(__file__).parent / "procedures.yml"
ARTICLES = Path(__file__).parent / "articles.yml"

ACTION_OF_INTENT = {
    "ask_information": "action_answer",
    "choose_option": "action_choose",
    "inform": "action_choose",
    "affirm": "action_choose",
    "deny": "action_choose",
    "correct": "action_choose",
    "show_full": "action_show_full",
    "complaint_letter": "action_redirect_complaint",
    "ask_human": "action_hand_over",
    "return_to_bot": "action_return_to_bot",
    "ticket_status": "action_ticket_status",
    "dossier_status": "action_dossier_status",
    "greet": "action_small_talk",
    "thank": "action_small_talk",
    "goodbye": "action_small_talk",
    "ask_bot": "action_small_talk",
    "ask_capabilities": "action_small_talk",
    "small_talk": "action_small_talk",
    "out_of_scope": "action_out_of_scope",
    "insult": "action_out_of_scope",
    "unclear": "action_unclear",
    "cancel": "action_unclear",
    "refuse_personal_data": "action_unclear",
    "nlu_fallback": "action_unclear",
}
FORM_INTENTS = ("report_problem", "report_conduct", "make_suggestion", "give_praise")


class FixedClock:
    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


class KnownDossiers:
    """A one-stop system in memory, behind the same interface as the HTTP client."""

    def __init__(self) -> None:
        self.is_down = False
        self.known = {
            "H21.22.08-261110-0007": Dossier(
                code="H21.22.08-261110-0007",
                state=DossierState.PROCESSING,
                procedure="Đăng ký khai sinh",
                agency="Ủy ban nhân dân phường Pleiku",
                received_on=date(2026, 11, 10),
                due_on=date(2026, 11, 16),
                updated_at=datetime(2026, 11, 12, 2, 30, tzinfo=UTC),
            )
        }

    async def find(self, code: str) -> Dossier | None:
        if self.is_down:
            raise DossiersUnavailableError("down")
        return self.known.get(code)


@dataclass
class Said:
    """What the assistant said to one message."""

    messages: list[dict[str, Any]]

    @property
    def text(self) -> str:
        return "\n\n".join(message["text"] for message in self.messages)

    @property
    def turn(self) -> dict[str, Any]:
        return self.messages[-1]["custom"]["turn"]

    @property
    def route(self) -> str:
        return self.turn["route"]

    @property
    def buttons(self) -> dict[str, str]:
        return {
            button["title"]: button["payload"] for message in self.messages for button in message["buttons"]
        }


@dataclass
class Conversation:
    """Plays Rasa for one conversation: the tracker, the form loop of Rasa 3.6, one action an intent."""

    server: ActionServer
    id: str = "conversation-1"
    slots: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    active: bool = False
    count: int = 0
    latest: dict[str, Any] = field(default_factory=dict)

    async def say(
        self,
        text: str,
        intent: str,
        confidence: float = 0.95,
        ranking: dict[str, float] | None = None,
        message_id: str | None = None,
        typed: str | None = None,
        **metadata: Any,
    ) -> Said:
        self.count += 1
        stored = {
            "message_id": message_id or f"{self.id}-m{self.count}",
            "conversation_id": self.id,
            "channel": "webchat",
            "text": text if typed is None else typed,
            **metadata,
        }
        ranked = [{"name": intent, "confidence": confidence}]
        ranked += [{"name": name, "confidence": value} for name, value in (ranking or {}).items()]
        self.latest = {
            "text": text,
            "intent": {"name": intent, "confidence": confidence},
            "intent_ranking": ranked,
            "entities": [],
        }
        self.events.append({"event": "user", "text": text, "metadata": stored, "parse_data": self.latest})
        if self.active or intent in FORM_INTENTS:
            return Said(await self._form())
        if intent.startswith("emergency_"):
            action = "action_redirect_emergency"
        else:
            action = ACTION_OF_INTENT.get(intent, "action_answer")
        return Said(await self.run(action))

    async def tap(self, payload: str, **metadata: Any) -> Said:
        intent = payload.removeprefix("/").split("{")[0]
        return await self.say(payload, intent, 1.0, **metadata)

    async def run(self, action: str) -> list[dict[str, Any]]:
        body = {
            "next_action": action,
            "sender_id": f"{self.id}-session",
            "tracker": {
                "sender_id": f"{self.id}-session",
                "slots": dict(self.slots),
                "latest_message": self.latest,
                "events": list(self.events),
                "active_loop": {"name": "report_form"} if self.active else {},
            },
            "domain": {},
            "version": "3.6.21",
        }
        answer = await self.server.run(body)
        for event in answer["events"]:
            assert event["event"] == "slot"
            self.slots[event["name"]] = event["value"]
        self.last_events = answer["events"]
        return answer["responses"]

    async def _form(self) -> list[dict[str, Any]]:
        self.active = True
        said = await self.run("validate_report_form")
        # Rasa takes a run that sets no slot but `requested_slot` for a rejection.
        assert any(event["name"] != "requested_slot" for event in self.last_events)
        if self.slots.get("requested_slot") is None:
            self.active = False
            return said + await self.run("action_submit_report")
        return said + await self.run(f"action_ask_{self.slots['requested_slot']}")


@pytest.fixture(scope="session")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeBase:
    """A small knowledge base, imported and indexed once."""
    folder = tmp_path_factory.mktemp("knowledge")

    async def build() -> KnowledgeBase:
        database = Database(sqlite_with_tables(folder / "1022.sqlite3"))
        try:
            for source in (PROCEDURES, ARTICLES):
                report = await import_records(database, read_path(source, yaml_layer="starter"))
                assert not report.problems
            return await KnowledgeBase.open(database, folder)
        finally:
            await database.close()

    return asyncio.run(build())


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 20, 3, 0, tzinfo=UTC))


@pytest.fixture
async def tickets(tmp_path: Path, clock: FixedClock) -> AsyncIterator[TicketService]:
    database = Database(sqlite_with_tables(tmp_path / "tickets.sqlite3"))
    yield TicketService(database, clock)
    await database.close()


@pytest.fixture
def dossiers() -> KnownDossiers:
    return KnownDossiers()


@pytest.fixture
def services(
    knowledge: KnowledgeBase, tickets: TicketService, dossiers: KnownDossiers, clock: FixedClock
) -> Services:
    return Services(kb=knowledge, tickets=tickets, dossiers=dossiers, clock=clock)


@pytest.fixture
def conversation(services: Services) -> Conversation:
    return Conversation(ActionServer(services))


@pytest.fixture
def other_conversation(services: Services) -> Conversation:
    return Conversation(ActionServer(services), id="conversation-2")
