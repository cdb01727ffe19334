"""Which action does what: one method an action, and what has to be looked at before any of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from actions import report_cues as cues
from actions import status, talk
from actions.answer_flow import Answerer
from actions.codes import find_dossier_code, find_ticket_code
from actions.emergencies import redirect, redirect_softly
from actions.handover import hand_over
from actions.replies import Outcome
from actions.report_form import ReportForm
from actions.report_submit import submit
from actions.services import Services
from actions.turn import Turn

_ASKED_FIELDS = ("content", "place", "name", "phone", "address", "consent", "confirmed")
# Intents whose messages may still be a choice between offered ones.
_FREE_TALK = ("small_talk", "out_of_scope", "unclear", "cancel", "refuse_personal_data", "ask_capabilities")


class Dialogue:
    """The actions of the assistant.

    Args:
        services: what they work with.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._answerer = Answerer(services)
        self._form = ReportForm(services, self._answerer)

    def handlers(self) -> dict[str, Callable[[Turn], Awaitable[Outcome]]]:
        """Return every action by its name."""
        talking: dict[str, Callable[[Turn], Awaitable[Outcome]]] = {
            "action_answer": self.answer,
            "action_choose": self.choose,
            "action_show_full": self.show_full,
            "action_redirect_complaint": self.redirect_complaint,
            "action_redirect_emergency": self.redirect_emergency,
            "action_hand_over": self.hand_over,
            "action_return_to_bot": self.return_to_bot,
            "action_ticket_status": self.ticket_status,
            "action_dossier_status": self.dossier_status,
            "action_small_talk": self.small_talk,
            "action_out_of_scope": self.out_of_scope,
            "action_unclear": self.unclear,
        }
        handlers = {name: _reading(action) for name, action in talking.items()}
        handlers |= {
            "validate_report_form": self.report,
            "action_submit_report": self.submit_report,
        }
        return handlers | {f"action_ask_report_{name}": self.ask_report for name in _ASKED_FIELDS}

    async def answer(self, turn: Turn) -> Outcome:
        """Answer a question (ask_*, ask_information)."""
        if (coded := await self._by_code(turn)) is not None:
            return coded
        return self._answerer.answer(turn)

    async def choose(self, turn: Turn) -> Outcome:
        """Take up a choice, a yes or a no to what was offered, or a fact given without being asked."""
        if (chosen := self._chosen(turn)) is not None:
            return chosen
        if talk.is_after_emergency(turn):
            return talk.after_emergency(turn)
        if (coded := await self._by_code(turn)) is not None:
            return coded
        if (turn.intent == "affirm" and _offers_person(turn)) or cues.wants_person(turn.plain):
            return hand_over(self._services, "asked_for")
        if turn.intent == "deny" and turn.candidates:
            if _offers_person(turn):
                return talk.declined(turn)
            return hand_over(self._services, "none_of_the_choices")
        if not turn.candidates and (again := self._answerer.repeat(turn)) is not None:
            return again
        waits_for_topic = bool(turn.pending_aspects) and turn.intent in ("inform", "choose_option", "correct")
        if waits_for_topic or self._answerer.is_confident(turn.text):
            return self._answerer.answer(turn)
        return talk.unclear(turn, self._services)

    async def show_full(self, turn: Turn) -> Outcome:
        """Show the whole of the last answer."""
        outcome = self._answerer.show_full(turn)
        return outcome if outcome is not None else talk.unclear(turn, self._services)

    async def redirect_complaint(self, turn: Turn) -> Outcome:
        """Say where letters of complaint are handled."""
        return talk.complaint_letter(self._services)

    async def redirect_emergency(self, turn: Turn) -> Outcome:
        """Give the emergency number: alone where it is clear, with an offer to go on where it is not."""
        name, confidence = turn.confidence_of("emergency_")
        kind = name.removeprefix("emergency_")
        thresholds = self._services.thresholds
        if confidence >= thresholds.emergency:
            return Outcome((redirect(kind),), {"candidates": []})
        if confidence >= thresholds.emergency_low:
            return Outcome((redirect_softly(kind),), {"candidates": []})
        return await self.unclear(turn)

    async def hand_over(self, turn: Turn) -> Outcome:
        """Hand over to a person who was asked for."""
        return hand_over(self._services, "asked_for")

    async def return_to_bot(self, turn: Turn) -> Outcome:
        """Go on after a person."""
        return talk.back_to_bot(turn)

    async def ticket_status(self, turn: Turn) -> Outcome:
        """Say how far a report has got."""
        return await status.ticket_status(turn, self._services)

    async def dossier_status(self, turn: Turn) -> Outcome:
        """Say how far a dossier has got."""
        return await status.dossier_status(turn, self._services)

    async def small_talk(self, turn: Turn) -> Outcome:
        """Greet, thank, say goodbye, say who it is."""
        if turn.intent in _FREE_TALK and (chosen := self._chosen(turn)) is not None:
            return chosen
        return talk.small_talk(turn)

    async def out_of_scope(self, turn: Turn) -> Outcome:
        """Answer what lies outside the service, and insults."""
        if turn.intent != "insult" and (chosen := self._chosen(turn)) is not None:
            return chosen
        if turn.intent != "insult" and talk.is_after_emergency(turn):
            return talk.after_emergency(turn)
        return talk.out_of_scope(turn)

    async def unclear(self, turn: Turn) -> Outcome:
        """Take up what can be taken up of a message that was not understood, or ask again."""
        if (chosen := self._chosen(turn)) is not None:
            return chosen
        if talk.is_after_emergency(turn):
            return talk.after_emergency(turn)
        if (coded := await self._by_code(turn)) is not None:
            return coded
        if cues.wants_person(turn.plain):
            return hand_over(self._services, "asked_for")
        if turn.intent == "unclear" and self._answerer.is_confident(turn.text):
            return self._answerer.answer(turn)
        return talk.unclear(turn, self._services)

    async def report(self, turn: Turn) -> Outcome:
        """Run one message of the report form."""
        return self._form.run(turn)

    async def ask_report(self, turn: Turn) -> Outcome:
        """Ask for what the report form needs, where its run has not asked already."""
        return self._form.ask(turn)

    async def submit_report(self, turn: Turn) -> Outcome:
        """End the report form."""
        return await submit(turn, self._services)

    def _chosen(self, turn: Turn) -> Outcome | None:
        """Return what follows when the message takes up something that was offered."""
        if not turn.candidates:
            return None
        if _offers_person(turn):
            return None
        return self._answerer.choose(turn)

    async def _by_code(self, turn: Turn) -> Outcome | None:
        """Return the status when the message quotes the code of a ticket or of a dossier."""
        if turn.is_postback:
            return None
        if find_ticket_code(turn.text):
            return await status.ticket_status(turn, self._services)
        if find_dossier_code(turn.text):
            return await status.dossier_status(turn, self._services)
        return None


def _offers_person(turn: Turn) -> bool:
    return any(item["code"] == "@person" for item in turn.candidates)


def _reading(action: Callable[[Turn], Awaitable[Outcome]]) -> Callable[[Turn], Awaitable[Outcome]]:
    """Let an action run where there is something to read; what comes without words is only acknowledged."""

    async def run(turn: Turn) -> Outcome:
        if turn.is_only_files or turn.is_only_location:
            return talk.without_words(turn)
        return await action(turn)

    return run
