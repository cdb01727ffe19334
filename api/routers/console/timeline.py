"""A conversation as it is read: messages, and among them what happened to it and what colleagues noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from conversations.desk.schemas import DeskEvent, Note
from conversations.schemas import MessageView
from database.clock import local
from vntext.catalogue import say


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a `message`, a `note`, an `event`, or where a `day` begins.

    Attributes:
        order: its place; a message's sequence, and what happened after it behind it.
        answers: the citizen's message that a message of the bot answers.
    """

    kind: str
    id: str
    order: tuple[int, int, float]
    at: datetime
    text: str = ""
    by: str = ""
    message: MessageView | None = None
    delivery: str = ""
    delivery_class: str = ""
    choices: str = ""
    files: tuple[Mapping[str, Any], ...] = ()
    answers: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One stretch of talk, for reading later."""

    number: int
    begun_at: datetime
    count: int
    lines: list[Line]


def timeline(
    messages: Sequence[MessageView],
    events: Iterable[DeskEvent],
    notes: Iterable[Note],
    names: Mapping[str, str],
) -> list[Line]:
    """Return everything in order, with a line where another day begins."""
    lines = [*_messages(messages, names)]
    lines += [_event(event, names) for event in events]
    lines += [_note(note, names) for note in notes]
    lines.sort(key=lambda line: line.order)
    found: list[Line] = []
    today = ""
    for line in lines:
        day = local(line.at).strftime("%d/%m/%Y")
        if day != today:
            today = day
            found.append(Line("day", f"{line.kind}-{line.id}", line.order, line.at, text=day))
        found.append(line)
    return found


def sessions(messages: Sequence[MessageView], names: Mapping[str, str]) -> list[Session]:
    """Return messages by stretch of talk, the newest first."""
    found = []
    for number, group in groupby(messages, key=lambda message: message.session):
        said = list(group)
        found.append(Session(number, said[0].created_at, len(said), timeline(said, (), (), names)))
    return found[::-1]


def _messages(messages: Sequence[MessageView], names: Mapping[str, str]) -> Iterable[Line]:
    asked = ""
    for message in messages:
        line = _message(message, names)
        if message.direction == "in":
            asked = message.id
        elif message.author == "bot" and asked:
            line = replace(line, answers=asked)
        yield line


def _message(message: MessageView, names: Mapping[str, str]) -> Line:
    if message.author == "operator":
        by = names.get(message.author_id or "", say("console.thread.operator"))
    else:
        by = say(f"console.thread.{message.author}")
    delivery, delivery_class = _delivery(message)
    return Line(
        "message",
        message.id,
        (message.sequence, 0, 0.0),
        message.created_at,
        by=by,
        message=message,
        delivery=delivery,
        delivery_class=delivery_class,
        choices=" · ".join(button.title for button in message.buttons),
        files=tuple(file for file in message.payload.get("attachments", ()) if file.get("file_id")),
    )


def _delivery(message: MessageView) -> tuple[str, str]:
    if message.withdrawn_at is not None:
        return say("console.delivery.withdrawn"), ""
    if message.direction != "out":
        return "", ""
    if message.state == "failed":
        return say("console.delivery.failed", reason=message.reason or ""), "bad"
    if message.read_at is not None:
        return say("console.delivery.read"), ""
    return say(
        "console.delivery.delivered" if message.delivered_at else f"console.delivery.{message.state}"
    ), ""


def _event(event: DeskEvent, names: Mapping[str, str]) -> Line:
    who = {name: say(f"console.actor.{name}") for name in ("bot", "citizen", "system")} | dict(names)
    text = say(f"console.event.{event.kind}", name=who.get(event.actor, say("console.thread.operator")))
    if event.reason:
        text = say("console.event.because", event=text, reason=event.reason)
    return Line("event", str(event.id), (event.after_sequence, 1, event.at.timestamp()), event.at, text=text)


def _note(note: Note, names: Mapping[str, str]) -> Line:
    by = names.get(note.author_id, say("console.thread.operator"))
    order = (note.after_sequence, 1, note.at.timestamp())
    return Line("note", note.id, order, note.at, text=note.text, by=by)
