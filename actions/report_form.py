"""The report form: each message is read for all it gives, and answered with what is asked next.

Rasa's form asks `validate_report_form` on every message and would take "nothing set" for a rejection; so each
run sets `report_draft`, and `requested_slot` says what is asked next (None ends the form).
"""

from __future__ import annotations

from actions import report_cues as cues
from actions import report_talk as talk
from actions.answer_flow import Answerer
from actions.codes import find_dossier_code
from actions.emergencies import redirect
from actions.names import name_answer
from actions.replies import Outcome, Reply, TurnRecord, paragraphs
from actions.report_changes import apply_correction
from actions.report_draft import CONTACT, KIND_OF_INTENT, Draft, Ending
from actions.report_extract import Extracted, digits, extract, rest
from actions.services import Services
from actions.turn import Turn
from tickets.schemas import CONTENT_LIMIT, TicketKind
from vntext.normalise import strip_marks

_QUESTION_CONFIDENCE = 0.35
_LONGEST_FIELD = 300
_REFUSALS_BEFORE_OFFER = 2
_STUCK_BEFORE_OFFER = 3
_SHORTEST_EXTRA = 4
_SURE_YES = 0.7
_LONGEST_YES = 8


class ReportForm:
    """Runs one message of the report form.

    Args:
        services: for the knowledge base (questions in between) and the desk's hours.
        answerer: answers questions in between, as outside the form.
    """

    def __init__(self, services: Services, answerer: Answerer) -> None:
        self._services = services
        self._answerer = answerer

    def run(self, turn: Turn) -> Outcome:
        """Return what a message of the form leads to."""
        draft = Draft.from_slot(turn.slots.get("report_draft"))
        if draft is not None and turn.message_id and draft.message_id == turn.message_id:
            # Rasa runs the form twice in a turn when it comes back to it; nothing is taken or said twice.
            return Outcome((), self._slots(draft))
        if draft is None or draft.parked or draft.ending:
            draft = self._begin(turn, draft)
            draft.message_id = turn.message_id
            draft.add_files(turn.files)
            return self._started(draft, turn)
        draft.message_id = turn.message_id
        outcome = self._go_on(draft, turn)
        return Outcome(outcome.replies, {**self._slots(draft), **outcome.slots})

    def ask(self, turn: Turn) -> Outcome:
        """Return the question for what is missing, for a form that is asked to ask without a message."""
        draft = Draft.from_slot(turn.slots.get("report_draft"))
        if draft is None or draft.message_id == turn.message_id:
            return Outcome()
        return Outcome((self._question(draft),))

    # --- the beginning

    def _begin(self, turn: Turn, left: Draft | None) -> Draft:
        if left is not None and left.parked and (cues.resumes(turn.plain) or rest(turn.text) is None):
            left.parked = False
            left.refusals = left.stuck = 0
            return left
        draft = Draft(kind=KIND_OF_INTENT.get(turn.intent, TicketKind.REPORT).value)
        draft.dossier = str(turn.payload.get("dossier") or "") or self._dossier(turn)
        return draft

    @staticmethod
    def _point(turn: Turn) -> str | None:
        """Return the point on the map that came with the message, or alone just before it."""
        before = turn.earlier[-1] if turn.earlier else None
        if turn.location is not None or before is None or before.location != before.text:
            return turn.location
        return before.location

    def _dossier(self, turn: Turn) -> str | None:
        """Return the dossier a report of lateness is about: the one in the message, else the last named."""
        here = find_dossier_code(turn.text)
        if here is not None:
            return here
        if not (cues.is_late(turn.plain) or "ho so" in turn.plain):
            return None
        codes = (find_dossier_code(earlier.text) for earlier in reversed(turn.earlier))
        return next((code for code in codes if code is not None), None)

    def _started(self, draft: Draft, turn: Turn) -> Outcome:
        bad = None
        if turn.text:
            found = extract(turn.text)
            bad = found.bad_phone
            self._take(draft, found, turn, is_start=True)
        draft.place = draft.place or self._point(turn)
        if draft.dossier and not draft.content and cues.is_late(turn.plain):
            draft.content = turn.text
        self._reuse_contact(draft, turn)
        notes = [talk.received(draft)]
        if bad is not None:
            notes.append(talk.bad_phone(bad))
        return Outcome((self._question(draft, *notes),), self._slots(draft) | _nothing_offered())

    # --- the messages after

    def _go_on(self, draft: Draft, turn: Turn) -> Outcome:
        if turn.files:
            added = draft.add_files(turn.files)
            if turn.is_only_files:
                return self._say(draft, talk.files_kept(added))
        if turn.is_only_location and not draft.place:
            draft.place = turn.location
            return self._say(draft, talk.thanks(["place"], draft))
        plain = turn.plain
        found = extract(turn.text) if turn.text else Extracted()
        if (urgent := self._emergency(turn)) is not None:
            return urgent
        if turn.after_emergency and not found.has_contact and self._is_calm(turn):
            return self._say(draft, talk.after_emergency())
        if turn.intent == "ask_human" and not found.has_contact:
            return self._end(draft, "handoff")
        if self._cancels(draft, turn, found):
            return self._end(draft, "cancelled")
        if turn.candidates and (chosen := self._answerer.choose(turn)) is not None:
            return self._answered(draft, chosen)
        if self._refuses(turn, plain):
            return self._refused(draft)
        if draft.offered_person and self._agrees(turn, plain, found) and draft.missing() != "confirmed":
            return self._end(draft, "handoff")
        if draft.asked == "confirmed" and self._agrees(turn, plain, found):
            return self._end(draft, "yes")
        if cues.asks_privacy(plain) and cues.asks(plain):
            return self._say(draft, talk.privacy(self._services.office))
        if cues.asks_why(plain):
            return self._say(draft, talk.why(cues.named_field(plain) or draft.asked))
        if cues.asks_deadline(plain):
            return self._say(draft, talk.deadline(self._services.office))
        if self._is_question(draft, turn, found):
            return self._answered(draft, self._answerer.answer(turn))
        if (cues.corrects(plain) or turn.intent == "correct") and (
            changed := apply_correction(draft, turn.text, found)
        ):
            draft.stuck = 0
            return self._say(draft, talk.changed(changed))
        if found.bad_phone is not None and found.phone is None:
            self._take(draft, found, turn)
            draft.stuck += 1
            return self._say(draft, talk.bad_phone(found.bad_phone))
        if turn.is_postback and turn.intent in KIND_OF_INTENT:
            return self._say(draft)
        taken = self._take(draft, found, turn)
        if taken:
            draft.stuck = 0
            draft.offered_person = False
            return self._say(draft, talk.thanks(taken, draft))
        if draft.asked == "confirmed" and (turn.intent == "deny" or cues.denies(plain)):
            return Outcome((talk.what_is_wrong(draft),))
        return self._stuck(draft)

    def _emergency(self, turn: Turn) -> Outcome | None:
        name, confidence = turn.intent, turn.confidence
        if name.startswith("emergency_") and confidence >= self._services.thresholds.emergency:
            return Outcome((redirect(name.removeprefix("emergency_")),))
        return None

    @staticmethod
    def _is_calm(turn: Turn) -> bool:
        talks = turn.intent in ("small_talk", "thank", "affirm", "greet", "unclear", "goodbye")
        return talks or (cues.calms(turn.plain) and not cues.resumes(turn.plain))

    @staticmethod
    def _cancels(draft: Draft, turn: Turn, found: Extracted) -> bool:
        if turn.is_postback:
            return turn.intent == "cancel"
        if found.has_contact or found.place:
            return False
        return cues.cancels(turn.plain)

    @staticmethod
    def _refuses(turn: Turn, plain: str) -> bool:
        return cues.refuses(plain) or (turn.intent == "refuse_personal_data" and not turn.is_postback)

    @staticmethod
    def _agrees(turn: Turn, plain: str, found: Extracted) -> bool:
        if turn.is_postback:
            return turn.intent == "affirm"
        if found.has_contact or found.place or cues.corrects(plain) or cues.denies(plain):
            return False
        said_so = turn.intent == "affirm" and turn.confidence >= _SURE_YES and not cues.asks(plain)
        return cues.confirms(plain) or (said_so and len(plain.split()) <= _LONGEST_YES)

    def _is_question(self, draft: Draft, turn: Turn, found: Extracted) -> bool:
        if turn.is_postback:
            return turn.intent.startswith("ask_")
        if not turn.intent.startswith("ask_") or turn.intent in ("ask_human",):
            return False
        if found.has_contact or turn.confidence < _QUESTION_CONFIDENCE:
            return False
        return cues.asks(turn.plain)

    # --- taking values

    def _take(self, draft: Draft, found: Extracted, turn: Turn, *, is_start: bool = False) -> list[str]:
        """Take what a message gives, whatever was asked; return the fields that were filled or changed."""
        plain, asked = turn.plain, draft.asked
        before = {name: draft.value(name) for name in ("content", "place", *CONTACT)}
        if found.name:
            draft.name = found.name
        if found.phone is not None:
            draft.phone = digits(found.phone)
        self._take_where(draft, found, plain, asked)
        self._take_references(draft, turn)
        self._take_content(draft, found, turn, is_start)
        draft.place = draft.place or turn.location
        if not is_start and all(draft.value(name) == before[name] for name in before):
            self._take_whole(draft, turn)
        return [name for name in before if draft.value(name) != before[name]]

    @staticmethod
    def _take_where(draft: Draft, found: Extracted, plain: str, asked: str | None) -> None:
        place, address = found.place, found.address
        if (place and not address and draft.place and not draft.address) or (
            place and not address and asked == "address" and not draft.address
        ):
            place, address = None, place
        elif place and not address and found.has_contact and not found.content and not draft.address:
            if asked != "place" or draft.place:
                place, address = None, place
        elif address and not place and asked == "place" and not draft.place:
            place = address
        if (place and not draft.place) or (place and asked == "confirmed" and cues.corrects(plain)):
            draft.place = _short(place)
        if address:
            draft.address = _short(address)
        if draft.address and not draft.place and found.address and (found.is_near_home or found.content):
            # "sát bên nhà tôi, nhà số 7 thôn An Lợi": where it is and where to reach the sender are one.
            draft.place = draft.address

    def _take_references(self, draft: Draft, turn: Turn) -> None:
        plain = turn.plain
        if cues.same_as_before(plain) and self._last_contact(turn):
            self._reuse_contact(draft, turn)
            return
        if cues.same_as_above(plain) or cues.same_as_before(plain):
            if draft.place and not draft.address and draft.asked in ("address", None, "name", "phone"):
                draft.address = draft.place
            elif draft.address and not draft.place:
                draft.place = draft.address

    @staticmethod
    def _take_content(draft: Draft, found: Extracted, turn: Turn, is_start: bool) -> None:
        content = found.content
        if content is None:
            return
        if draft.content is None:
            if is_start or draft.asked == "content" or turn.intent in KIND_OF_INTENT:
                draft.content = content[:CONTENT_LIMIT]
            return
        words = len(content.split())
        is_more = turn.intent in KIND_OF_INTENT or draft.asked in ("confirmed", "place", "address")
        is_only_place = found.place is not None and words <= len(found.place.split()) + 3
        is_only_place = is_only_place or (
            found.place is None and draft.asked in ("place", "address", *CONTACT)
        )
        if is_more and words >= _SHORTEST_EXTRA and not is_only_place and content not in draft.content:
            draft.content = f"{draft.content}. {content}"[:CONTENT_LIMIT]

    @staticmethod
    def _take_whole(draft: Draft, turn: Turn) -> None:
        """Take the whole message as the answer to what was asked."""
        text = turn.text.strip()
        if draft.asked == "name" and (name := name_answer(text)):
            draft.name = name
        elif draft.asked in ("place", "address") and _may_be_place(turn):
            setattr(draft, draft.asked, _short(text))

    def _last_contact(self, turn: Turn) -> dict[str, str]:
        contact = turn.slots.get("last_contact")
        return dict(contact) if isinstance(contact, dict) else {}

    def _reuse_contact(self, draft: Draft, turn: Turn) -> None:
        """Fill what is missing with the data of an earlier report; the summary says so."""
        for name, value in self._last_contact(turn).items():
            if name in CONTACT and not draft.value(name):
                setattr(draft, name, value)
                draft.reused.append(name)

    # --- what is said

    def _say(self, draft: Draft, *notes: str) -> Outcome:
        return Outcome((self._question(draft, *notes),))

    def _question(self, draft: Draft, *notes: str) -> Reply:
        draft.asked = draft.missing()
        return talk.question(draft, self._services.office, notes)

    def _answered(self, draft: Draft, outcome: Outcome) -> Outcome:
        """Say the answer to a question in between, and go on with the form in the same message."""
        if not outcome.replies:
            return self._say(draft)
        answer = outcome.replies[0]
        kept = {
            key: value
            for key, value in outcome.slots.items()
            if key in ("procedure_code", "last_aspects", "candidates", "pending_aspects")
        }
        if answer.turn.handoff is not None:
            # The form holds the conversation: that there is no answer is said, and a person is offered.
            record = TurnRecord("ticket", answer.turn.aspects, answer.turn.procedures)
            question = self._question(draft, talk.no_answer())
            return Outcome((Reply(question.text, record, (*question.buttons, talk.person_button())),))
        question = self._question(draft)
        text = paragraphs([answer.text, talk.back_to_report(question.text)])
        buttons = answer.buttons if answer.turn.route == "clarify" else question.buttons
        return Outcome((Reply(text, answer.turn, buttons),), kept)

    def _refused(self, draft: Draft) -> Outcome:
        draft.refusals += 1
        if draft.refusals > _REFUSALS_BEFORE_OFFER:
            return self._end(draft, "handoff")
        if draft.refusals < _REFUSALS_BEFORE_OFFER:
            return self._say(draft, talk.refusal_explained(self._services.office))
        draft.offered_person = True
        draft.asked = draft.missing()
        return Outcome((talk.refusal_offer(self._services.office),))

    def _stuck(self, draft: Draft) -> Outcome:
        draft.stuck += 1
        if draft.stuck >= _STUCK_BEFORE_OFFER:
            draft.offered_person = True
            return Outcome((talk.stuck_offer(self._services.office),))
        return self._say(draft, talk.not_taken(draft))

    def _end(self, draft: Draft, ending: Ending) -> Outcome:
        draft.ending = ending
        return Outcome((), {"requested_slot": None})

    @staticmethod
    def _slots(draft: Draft) -> dict[str, object]:
        slots: dict[str, object] = dict(draft.slots())
        if draft.ending is not None:
            agreed = draft.ending == "yes"
            slots |= {"report_consent": agreed, "report_confirmed": agreed, "requested_slot": None}
        else:
            slots["requested_slot"] = f"report_{draft.asked or draft.missing()}"
        return slots


def _nothing_offered() -> dict[str, object]:
    return {"candidates": [], "pending_aspects": [], "unclear_count": 0}


def _short(text: str) -> str:
    return text.strip(" .,;:")[:_LONGEST_FIELD]


def _may_be_place(turn: Turn) -> bool:
    words = strip_marks(turn.text).lower().split()
    if not words or len(turn.text) > _LONGEST_FIELD or not any(letter.isalpha() for letter in turn.text):
        return False
    if turn.intent in ("affirm", "deny", "greet", "thank", "goodbye", "unclear", "insult", "out_of_scope"):
        return len(words) > 2 and turn.intent in ("unclear", "out_of_scope", "deny", "affirm")
    return not (cues.confirms(turn.plain) or cues.denies(turn.plain) or cues.asks(turn.plain))
