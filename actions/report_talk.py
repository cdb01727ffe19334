"""What the report form says; every turn of the form has the route "ticket"."""

from __future__ import annotations

from collections.abc import Iterable

from actions.replies import Button, Reply, TurnRecord, button, paragraphs
from actions.report_draft import CONTACT, Draft
from actions.services import Office
from tickets import places
from tickets.schemas import TicketKind
from vntext.catalogue import lookup, say
from vntext.phones import Phone

_TICKET = TurnRecord("ticket")
_SHOWN_CONTENT = 300


def person_button() -> Button:
    """Return the button that asks for a person."""
    return button("person", "ask_human")


def question(draft: Draft, office: Office, notes: Iterable[str] = ()) -> Reply:
    """Return the question for what is missing, or the summary, behind what is to be said first."""
    missing = draft.missing()
    if missing == "confirmed":
        text = paragraphs([*notes, summary(draft), _consent(office)])
        return Reply(text, _TICKET, (_send(draft), button("correct", "deny"), button("stop", "cancel")))
    return Reply(paragraphs([*notes, _ask(draft, missing)]), _TICKET)


def _ask(draft: Draft, missing: str) -> str:
    if missing in ("content", "place"):
        return say(f"report.ask.{missing}.{draft.kind}")
    if missing == "name" and not draft.phone and not draft.address:
        return say("report.ask.contact")
    if missing == "address" and draft.place:
        return say("report.ask.address_with_place")
    return say(f"report.ask.{missing}")


def _send(draft: Draft) -> Button:
    return button("send_praise" if draft.kind == TicketKind.PRAISE else "send", "affirm")


def summary(draft: Draft) -> str:
    """Return what was understood, a line a field."""
    content = draft.content or ""
    if len(content) > _SHOWN_CONTENT:
        content = content[:_SHOWN_CONTENT].rsplit(" ", 1)[0] + "…"
    lines = [say("report.summary.head"), say("report.summary.content", value=content)]
    if draft.dossier:
        lines.append(say("report.summary.dossier", value=draft.dossier))
    if draft.place:
        lines.append(say("report.summary.place", value=_place(draft.place)))
    if draft.files:
        lines.append(say("report.summary.files", count=len(draft.files)))
    values = {"name": draft.name, "phone": draft.phone, "address": draft.address}
    lines += [say(f"report.summary.{name}", value=value) for name, value in values.items()]
    if draft.reused:
        lines.append(say("report.summary.reused"))
    return "\n".join(lines)


def _place(text: str) -> str:
    """Add the commune or ward of today where the text says an old name."""
    match = places.resolve(text)
    if match is None or match.code is None or match.old_name is None:
        return text
    return say("report.summary.place_now", place=text, unit=match.unit)


def _consent(office: Office) -> str:
    return say("report.consent", retention=office.retention or say("report.retention"))


def received(draft: Draft) -> str:
    """Return the first words of the form."""
    return say(f"report.received.{draft.kind}" if draft.content else f"report.begin.{draft.kind}")


def thanks(taken: list[str], draft: Draft) -> str:
    """Return a short sign that something was taken; nothing before the summary, which shows it."""
    if draft.missing() == "confirmed":
        return ""
    if "name" in taken and draft.name:
        return say("report.taken_name", name=draft.name)
    return say("report.taken")


def files_kept(count: int) -> str:
    """Return that pictures or files are kept with the report; 0 when it holds as many as it can."""
    return say("report.files_kept", count=count) if count else say("report.files_full")


def changed(names: list[str]) -> str:
    """Return which fields were corrected."""
    labels = lookup("report.fields")
    return say("report.changed", fields=", ".join(labels[name] for name in names))


def bad_phone(phone: Phone) -> str:
    """Return what is wrong with a phone number."""
    return say(f"report.bad_phone.{phone.reason or 'unknown_prefix'}", number=phone.raw.strip())


def why(field: str | None) -> str:
    """Return what a field is needed for; all of them where none is meant."""
    return say(f"report.why.{field if field in ('place', *CONTACT) else 'all'}")


def privacy(office: Office) -> str:
    """Return who sees the data and how long it is kept."""
    return say("report.privacy", retention=office.retention or say("report.retention"))


def deadline(office: Office) -> str:
    """Return when a report is answered."""
    return say("report.deadline", hours=office.contact_point_hours)


def refusal_explained(office: Office) -> str:
    """Return why personal data is compulsory."""
    return say("report.refusal.explained")


def refusal_offer(office: Office) -> Reply:
    """Return what is possible without personal data."""
    buttons = (person_button(), button("go_on", "return_to_bot"), button("stop", "cancel"))
    return Reply(say("report.refusal.offer", hotline=office.hotline), _TICKET, buttons)


def stuck_offer(office: Office) -> Reply:
    """Return the offer of a person after several messages that brought nothing."""
    buttons = (person_button(), button("go_on", "return_to_bot"), button("stop", "cancel"))
    return Reply(say("report.stuck", hotline=office.hotline), _TICKET, buttons)


def not_taken(draft: Draft) -> str:
    """Return that the message brought nothing that could be taken."""
    return say("report.not_taken_summary" if draft.missing() == "confirmed" else "report.not_taken")


def what_is_wrong(draft: Draft) -> Reply:
    """Ask what is to be corrected."""
    return Reply(say("report.what_is_wrong"), _TICKET, (_send(draft), button("stop", "cancel")))


def after_emergency() -> str:
    """Return the calm words after an emergency."""
    return say("report.after_emergency")


def no_answer() -> str:
    """Return that a question in between has no answer here."""
    return say("report.no_answer")


def back_to_report(question_text: str) -> str:
    """Return the way back from a question in between."""
    return say("report.back", question=question_text)


def cancelled(draft: Draft) -> Reply:
    """Return that the report was stopped and nothing kept."""
    buttons = (button("ask_procedure", "ask_capabilities"), person_button())
    return Reply(say("report.cancelled"), _TICKET, buttons)


def done(draft: Draft, code: str, link: str, office: Office) -> Reply:
    """Return the code, what happens next and by when, and how to follow it."""
    text = say(f"report.done.{draft.kind}", code=code, hours=office.contact_point_hours)
    if link:
        text = f"{text}\n{say('report.done_link', link=link)}"
    buttons = (
        button("follow_ticket", "ticket_status", ticket_code=code),
        button("another_report", "report_problem"),
    )
    return Reply(text, TurnRecord("ticket", ticket=code), buttons)
