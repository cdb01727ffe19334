"""What the actions work with; the app makes these once and hands them in."""

from __future__ import annotations

from dataclasses import dataclass, field

from actions.answering import Thresholds, fitted
from actions.dossiers import DossierClient
from conversations.desk.hours import DeskHours
from conversations.desk.waiting import WaitTimes
from database.clock import Clock
from kb_index.service import KnowledgeBase
from tickets.service import TicketService


@dataclass(frozen=True)
class Office:
    """Facts about the service that an instance sets.

    The hotline is from the province's plan for the pilot of 1022 (2020). The address and the hours of the
    citizen-reception office are empty until an administrator enters them with their source.
    """

    hotline: str = "0269.1022"
    dossier_portal: str = "https://dichvucong.gov.vn"
    reception_address: str = ""
    reception_hours: str = ""
    contact_point_hours: int = 8
    retention: str = ""
    hours: DeskHours = field(default_factory=DeskHours)


@dataclass(frozen=True)
class Services:
    """Everything an action may use; `waits` knows how long people wait for a person, where anybody counts."""

    kb: KnowledgeBase
    tickets: TicketService
    dossiers: DossierClient
    clock: Clock
    office: Office = field(default_factory=Office)
    thresholds: Thresholds = field(default_factory=fitted)
    waits: WaitTimes | None = None
