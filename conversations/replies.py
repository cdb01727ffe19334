"""What is answered to one message, whoever answers: texts, turn record, hand-over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conversations.schemas import Author, BotMessage, BotTurn, Button, Capabilities
from vntext.catalogue import lookup, say
from vntext.emergency import Emergency, recognise
from vntext.emergency_reply import emergency_reply

_SENTENCE_END = re.compile(r"[.!?…;](?=\s)")

RETURN_TO_BOT = "/return_to_bot"
"""Payload that takes a waiting citizen back to the bot."""

Turn = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one message.

    Attributes:
        messages: what is said, possibly nothing (a person will answer).
        turn: the turn record kept with the citizen's message.
        hand_over: the reason for which a person takes over, None when none does.
        even_if_held: said also when a person has taken the conversation meanwhile (emergencies).
        failed: the message could not be handled; the record says so.
    """

    messages: tuple[BotMessage, ...]
    turn: Turn
    author: Author = "bot"
    hand_over: str | None = None
    even_if_held: bool = False
    failed: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def _turn(route: str, **more: Any) -> Turn:
    return {
        "route": route,
        "intent": None,
        "confidence": None,
        "aspect": None,
        "aspects": [],
        "procedures": [],
        "article": None,
        "handoff": None,
        "ticket": None,
        **more,
    }


def emergency(text: str) -> Reply | None:
    """Return what an emergency is answered, None when `text` is none."""
    found = recognise(text)
    return None if found.kind is None else _emergency(found)


def _emergency(found: Emergency) -> Reply:
    turn = _turn(
        f"redirect_{found.kind}",
        confidence=1.0,
        emergency={"kind": found.kind, "also": list(found.also), "rule": found.rule},
    )
    message = BotMessage(text=emergency_reply(found), turn=turn)
    return Reply((message,), turn, even_if_held=True)


def emergency_news(kind: str) -> Reply:
    """Within an emergency somebody says how it goes on: thanks, and what to do if it gets worse."""
    turn = _turn("smalltalk", confidence=1.0, news_of=kind)
    text = say("emergency.news", numbers=say(f"emergency.numbers.{kind}"))
    return Reply((BotMessage(text=text, turn=turn),), turn)


def not_vietnamese(reason: str) -> Reply:
    """The message is in another language."""
    turn = _turn("not_vietnamese", confidence=1.0, language=reason)
    return Reply((BotMessage(text=say("conversation.not_vietnamese.text"), turn=turn),), turn)


def held_by_person() -> Reply:
    """A person holds the conversation: nothing is said for them."""
    return Reply((), _turn("handoff", held_by="person"))


def waiting(position: int | None, when: str = "") -> Reply:
    """The conversation waits for a person; with a position the citizen is told it, and `when`."""
    turn = _turn("handoff", held_by="queue")
    if position is None:
        return Reply((), turn)
    return Reply((queue_message(position, when, turn),), turn, author="system", extra={"told": True})


def queue_message(position: int, when: str = "", turn: Turn | None = None) -> BotMessage:
    """Where somebody stands in the queue and when a person will answer, with the way back to the bot."""
    place = (
        say("conversation.queue.first")
        if position == 1
        else say("conversation.queue.position", position=position)
    )
    back = Button(title=say("conversation.queue.back_button"), payload=RETURN_TO_BOT)
    return BotMessage(text=f"{place} {when}".strip(), buttons=(back,), turn=turn)


def unreadable_kind(kind: str, files: Sequence[Mapping[str, str]] = (), when: str = "") -> Reply:
    """A picture, file, video or sticker without a word; a voice message goes to a person, who answers `when`.

    The turn remembers `files`, so that the next message can be a report with them.
    """
    if kind == "voice":
        reason = say("conversation.kinds.voice_reason")
        turn = _turn("handoff", handoff={"reason": reason})
    else:
        reason = None
        turn = _turn("unclear", kind=kind, attachments=list(files))
    text = say(f"conversation.kinds.{kind if kind in lookup('conversation.kinds') else 'empty'}")
    if reason is not None:
        text = f"{text} {when}".strip()
    return Reply((BotMessage(text=text, turn=turn),), turn, hand_over=reason)


def bot_failed(code: str, when: str = "") -> Reply:
    """The bot did not answer: a person will, `when`."""
    reason = say("conversation.bot_down.reason")
    turn = _turn("handoff", handoff={"reason": reason}, failure=code)
    message = BotMessage(text=f"{say('conversation.bot_down.text')} {when}".strip(), turn=turn)
    return Reply((message,), turn, hand_over=reason, failed=True)


def from_bot(answer: BotTurn) -> Reply:
    """Return the bot's turn as a reply; the record joins what its messages say."""
    turns = [message.turn for message in answer.messages if message.turn]
    record = _turn("unclear")
    if turns:
        record |= turns[0]
    record["intent"] = answer.intent.name
    record["confidence"] = answer.intent.confidence
    record["model"] = answer.model
    record["ranking"] = [{"name": rank.name, "confidence": rank.confidence} for rank in answer.ranking[:5]]
    record["aspects"] = _joined(turn.get("aspects") or [] for turn in turns)
    record["procedures"] = _ranked(turn.get("procedures") or [] for turn in turns)
    for name in ("handoff", "ticket", "article"):
        record[name] = next((turn[name] for turn in turns if turn.get(name)), None)
    handoff = record["handoff"]
    reason = None if handoff is None else str(handoff.get("reason") or "")
    said = tuple(message for message in answer.messages if message.text.strip())
    return Reply(said, record, hand_over=reason)


def _joined(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(item for items in lists for item in items))


def _ranked(lists: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    best: dict[str, dict[str, Any]] = {}
    for items in lists:
        for item in items:
            best.setdefault(item["code"], item)
    return list(best.values())


def fitted(message: BotMessage, able: Capabilities) -> list[BotMessage]:
    """Return `message` as the channel can show it: choices numbered where it has no buttons, long texts in
    parts.

    The buttons stay with the last part: also a numbered list's payloads are kept on record as offered.
    """
    text = message.text.strip()
    if message.buttons and must_be_listed(message.buttons, able):
        lines = [
            say("conversation.choices.line", number=number, title=button.title)
            for number, button in enumerate(message.buttons, 1)
        ]
        text = "\n".join([text, "", *lines, say("conversation.choices.hint")])
    parts = split_text(text, able.max_text)
    return [
        BotMessage(
            text=part,
            buttons=message.buttons if last else (),
            attachments=message.attachments if last else (),
            turn=message.turn,
        )
        for part, last in zip(parts, [False] * (len(parts) - 1) + [True], strict=True)
    ]


def must_be_listed(buttons: Sequence[Button], able: Capabilities) -> bool:
    """Tell whether choices are written out, because the channel cannot show them as buttons."""
    return (
        not able.buttons
        or len(buttons) > able.most_buttons
        or any(len(button.title) > able.longest_title for button in buttons)
    )


def split_text(text: str, limit: int) -> list[str]:
    """Return `text` in parts of at most `limit` characters, cut at paragraphs, lines, sentences or words."""
    parts = []
    while len(text) > limit:
        cut = _cut(text, limit)
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*parts, text]


def _cut(text: str, limit: int) -> int:
    """Return where to cut: as late as it can be, at the strongest boundary in the second half."""
    for separator in ("\n\n", "\n"):
        if (cut := text.rfind(separator, limit // 2, limit + 1)) > 0:
            return cut
    ends = [found.end() for found in _SENTENCE_END.finditer(text, limit // 2, limit + 1)]
    if ends and ends[-1] <= limit:
        return ends[-1]
    cut = text.rfind(" ", limit // 2, limit + 1)
    return cut if cut > 0 else limit
