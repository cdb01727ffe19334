"""The draft of a report as it grows in the form; it lives in the slot `report_draft` as a plain dict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from tickets.schemas import TicketKind

MOST_FILES = 20
CONTACT = ("name", "phone", "address")
KIND_OF_INTENT = {
    "report_problem": TicketKind.REPORT,
    "report_conduct": TicketKind.CONDUCT,
    "make_suggestion": TicketKind.SUGGESTION,
    "give_praise": TicketKind.PRAISE,
}
FORM_SLOTS = (
    "report_content", "report_place", "report_name", "report_phone", "report_address", "report_consent",
    "report_confirmed",
)  # fmt: skip

Ending = Literal["yes", "cancelled", "handoff"]


@dataclass
class Draft:
    """What has been understood so far, and where the form stands.

    `asked` is the field asked for last ("confirmed" for the summary). `refusals` counts refused personal
    data, `stuck` messages in a row that brought nothing. `parked` marks a draft that was left when a person
    took over.
    """

    kind: str = TicketKind.REPORT.value
    content: str | None = None
    place: str | None = None
    name: str | None = None
    phone: str | None = None
    address: str | None = None
    dossier: str | None = None
    asked: str | None = None
    refusals: int = 0
    stuck: int = 0
    offered_person: bool = False
    reused: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    parked: bool = False
    ending: Ending | None = None
    message_id: str | None = None

    @classmethod
    def from_slot(cls, value: Any) -> Draft | None:
        """Return the draft a slot holds, None when it holds none."""
        if not isinstance(value, dict):
            return None
        known = {item.name for item in fields(cls)}
        return cls(**{key: item for key, item in value.items() if key in known})

    def as_slot(self) -> dict[str, Any]:
        """Return the draft as the slot keeps it."""
        return asdict(self)

    def value(self, name: str) -> str | None:
        """Return the value of a field."""
        value = getattr(self, name)
        return value if isinstance(value, str) else None

    def missing(self) -> str:
        """Return the field to ask for next, "confirmed" for none. A suggestion needs no place."""
        order = (
            ["content", *CONTACT] if self.kind == TicketKind.SUGGESTION else ["content", "place", *CONTACT]
        )
        return next((name for name in order if not self.value(name)), "confirmed")

    def add_files(self, ids: Iterable[str]) -> int:
        """Keep stored files with the report, each once; return how many are new."""
        new = [file_id for file_id in dict.fromkeys(ids) if file_id not in self.files]
        new = new[: MOST_FILES - len(self.files)]
        self.files += new
        return len(new)

    def contact(self) -> dict[str, str]:
        """Return the sender's data as far as it is known."""
        return {name: value for name in CONTACT if (value := self.value(name))}

    def slots(self) -> dict[str, Any]:
        """Return all form slots as this draft has them."""
        return {
            "report_draft": self.as_slot(),
            "report_content": self.content,
            "report_place": self.place,
            "report_name": self.name,
            "report_phone": self.phone,
            "report_address": self.address,
        }
