"""Small talk, what lies outside the service, what was not understood, and letters that belong elsewhere."""

from __future__ import annotations

from actions import report_cues as cues
from actions.answer_flow import offer_person
from actions.handover import hand_over
from actions.replies import Button, Outcome, Reply, TurnRecord, button, command, paragraphs
from actions.services import Services
from actions.turn import Turn
from vntext.catalogue import say

_TRIES_BEFORE_PERSON = 2
_CALM: dict[str, object] = {"candidates": [], "unclear_count": 0}


def what_it_can_do() -> tuple[Button, ...]:
    """Return the three things to start with."""
    return (
        button("example_procedure", "ask_capabilities"),
        button("report", "report_problem"),
        button("person", "ask_human"),
    )


def small_talk(turn: Turn) -> Outcome:
    """Return the answer to a greeting, thanks, a goodbye, or a question about the assistant."""
    if turn.after_emergency:
        return after_emergency(turn)
    known = ("greet", "thank", "goodbye", "ask_bot", "ask_capabilities")
    key = turn.intent if turn.intent in known else "small_talk"
    buttons = what_it_can_do() if key in ("greet", "ask_bot") else ()
    if key == "ask_capabilities":
        buttons = what_it_can_do()[1:]
    slots: dict[str, object] = dict(_CALM)
    return Outcome((Reply(say(f"dialogue.talk.{key}"), TurnRecord("smalltalk"), buttons),), slots)


def after_emergency(turn: Turn) -> Outcome:
    """Return the calm answer to what is said right after an emergency."""
    parked = turn.slots.get("report_draft")
    buttons = (button("go_on_report", "report_problem"),) if parked else what_it_can_do()
    reply = Reply(say("dialogue.talk.after_emergency"), TurnRecord("smalltalk"), buttons)
    return Outcome((reply,), dict(_CALM))


def is_after_emergency(turn: Turn) -> bool:
    """Return whether a message only says how the emergency goes on."""
    talks = ("small_talk", "thank", "affirm", "inform", "unclear", "greet", "goodbye", "out_of_scope", "deny")
    return bool(turn.after_emergency) and (turn.intent in talks or cues.calms(turn.plain))


def without_words(turn: Turn) -> Outcome:
    """Return that pictures, files or a location came, and that words are needed with them."""
    key = "conversation.kinds.image" if turn.is_only_files else "conversation.kinds.location_alone"
    return Outcome((Reply(say(key), TurnRecord("unclear")),))


def out_of_scope(turn: Turn) -> Outcome:
    """Return the friendly word to what is none of the service's business, or the calm one to an insult."""
    if turn.intent == "insult":
        again = any(earlier.intent == "insult" for earlier in turn.earlier)
        slots: dict[str, object] = {**_CALM, "candidates": [offer_person()]}
        key = "dialogue.talk.insult_again" if again else "dialogue.talk.insult"
        reply = Reply(say(key), TurnRecord("out_of_scope"), (button("person", "ask_human"),))
        return Outcome((reply,), slots)
    reply = Reply(say("dialogue.talk.out_of_scope"), TurnRecord("out_of_scope"), what_it_can_do())
    return Outcome((reply,), dict(_CALM))


def unclear(turn: Turn, services: Services) -> Outcome:
    """Ask again another way; the second time hand over. Choices that are open stay open."""
    count = turn.unclear_count + 1
    if count >= _TRIES_BEFORE_PERSON:
        return hand_over(services, "not_understood", lead=say("dialogue.unclear.give_up"))
    offered = [item for item in turn.candidates if not item["code"].startswith("@")]
    if offered:
        buttons = tuple(
            Button(item["title"], command("choose_option", option=str(number)))
            for number, item in enumerate(offered, start=1)
        )
        buttons = (*buttons, button("none_of_these", "choose_option", option="none"))
        ranked = tuple((item["code"], 0.0) for item in offered)
        record = TurnRecord("unclear", tuple(turn.pending_aspects), ranked)
        reply = Reply(say("dialogue.unclear.choices"), record, buttons)
        return Outcome((reply,), {"candidates": offered, "unclear_count": count})
    reply = Reply(say("dialogue.unclear.first"), TurnRecord("unclear"), what_it_can_do())
    return Outcome((reply,), {"candidates": [], "unclear_count": count})


def back_to_bot(turn: Turn) -> Outcome:
    """Return the one sentence after a person has handed back, or was not waited for."""
    buttons: tuple[Button, ...] = ()
    if turn.slots.get("report_draft"):
        buttons = (button("go_on_report", "report_problem"),)
    return Outcome((Reply(say("dialogue.talk.back"), TurnRecord("smalltalk"), buttons),), dict(_CALM))


def declined(turn: Turn) -> Outcome:
    """Return the answer to a no to what was offered."""
    return Outcome((Reply(say("dialogue.talk.declined"), TurnRecord("smalltalk")),), dict(_CALM))


def complaint_letter(services: Services) -> Outcome:
    """Say where letters of complaint and denunciation are handled, without a word on the merits."""
    office = services.office
    where = say("dialogue.complaint.where")
    if office.reception_address:
        where = say("dialogue.complaint.address", address=office.reception_address)
    hours = say("dialogue.complaint.hours", hours=office.reception_hours) if office.reception_hours else ""
    text = paragraphs([say("dialogue.complaint.not_here"), f"{where} {hours}".strip()])
    reply = Reply(text, TurnRecord("redirect_complaint"), (button("person", "ask_human"),))
    return Outcome((reply,), dict(_CALM))
