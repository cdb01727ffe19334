"""Answers questions from the knowledge base: searches, decides, renders, keeps the procedure in hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from actions import choices
from actions.answering import Decision, Evidence, decide
from actions.codes import find_procedure_code
from actions.handover import hand_over
from actions.questions import Question, read_question, split
from actions.replies import (
    ASPECTS,
    Button,
    Outcome,
    Reply,
    TurnRecord,
    aspect_button,
    button,
    command,
    paragraphs,
)
from actions.services import Services
from actions.turn import Turn
from kb_index.phrases import short_name
from kb_index.rendering import Rendered, render
from kb_index.schemas import Article, Procedure
from kb_index.service import Hit, SearchResult
from vntext.catalogue import say

# Confidence from which the classifier's aspect is answered though no word asks for it, and from which it
# comes before others that words ask for.
_INTENT_LEADS = 0.75
_INTENT_ORDERS = 0.5
_MOST_ASPECTS = 3
_MOST_NEXT = 3
_TRIES_BEFORE_PERSON = 2


@dataclass(frozen=True)
class _Answered:
    """The answer to one question, or why there is none."""

    decision: Decision
    aspects: tuple[str, ...]
    ranked: tuple[tuple[str, float], ...]
    entry: Procedure | Article | None = None

    @property
    def parts(self) -> list[Rendered]:
        return [] if self.entry is None else _parts(self.entry, self.aspects)

    @property
    def is_known(self) -> bool:
        return any(part.is_known for part in self.parts)


class Answerer:
    """Answers questions about procedures and everything else the knowledge base holds.

    Args:
        services: the knowledge base and the thresholds.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def answer(self, turn: Turn) -> Outcome:
        """Answer a message: a tapped aspect, or one or more questions in words."""
        if turn.is_postback:
            return self._tapped(turn)
        if turn.candidates and (chosen := self.choose(turn)) is not None:
            return chosen
        in_hand = turn.procedure_in_hand
        answered: list[_Answered] = []
        for question in split(turn.text):
            if turn.candidates and (question.refers or not question.residue):
                # "cái đó nộp ở đâu" at a choice means the first; the answer names it, a wrong guess shows.
                in_hand = _first_offered(turn) or in_hand
            aspects = self._aspects(question, turn)
            one = self._one(question, aspects, turn, in_hand)
            if one.entry is not None and isinstance(one.entry, Procedure):
                in_hand = one.entry.code
            answered.append(one)
        return self._outcome(answered, turn)

    def is_confident(self, text: str) -> bool:
        """Return whether the knowledge base has an answer for a text of which no intent is known."""
        question = read_question(text)
        if not question.residue:
            return False
        result = self._services.kb.search(text)
        return bool(result.hits) and result.confidence >= self._services.thresholds.answer_unsure

    def choose(self, turn: Turn) -> Outcome | None:
        """Return what follows from a choice between the offered ones; None when the message is no choice."""
        offered = [item for item in turn.candidates if not item["code"].startswith("@")]
        if not offered:
            return None
        option = turn.payload.get("option")
        if option is not None:
            choice = _tapped_choice(str(option), len(offered))
        else:
            choice = choices.resolve(turn.text, [item["title"] for item in offered])
        if choice is None:
            return None
        if choice.index is None:
            return hand_over(
                self._services,
                "none_of_the_choices",
                lead=say("dialogue.clarify.none_of_these"),
                record=TurnRecord("handoff", tuple(turn.pending_aspects), _ranked_offer(offered)),
            )
        code = offered[choice.index]["code"]
        entry = self._services.kb.get(code)
        if entry is None:
            return hand_over(self._services, "entry_gone", lead=say("dialogue.answer.nothing"))
        wording = () if turn.is_postback else read_question(turn.text).aspects
        aspects = tuple(dict.fromkeys([*wording, *turn.pending_aspects])) or ("overview",)
        first = [(code, 1.0)]
        ranked = tuple(first + [(item["code"], 0.0) for item in offered if item["code"] != code])
        decision = Decision("answer", "chosen")
        return self._outcome([self._rendered(decision, entry, aspects[:_MOST_ASPECTS], ranked)], turn)

    def repeat(self, turn: Turn) -> Outcome | None:
        """Return the last answer again for "cái đầu tiên" where nothing was offered; it means that one."""
        code = turn.procedure_in_hand
        entry = self._services.kb.get(code) if code else None
        if entry is None or turn.is_postback or not choices.is_first(turn.text):
            return None
        aspects = tuple(turn.slots.get("last_aspects") or ("overview",))
        decision = Decision("follow_up", "first")
        return self._outcome([self._rendered(decision, entry, aspects, ((entry.key, 1.0),))], turn)

    def show_full(self, turn: Turn) -> Outcome | None:
        """Return the whole of what was answered last; None when nothing is in hand."""
        code = str(turn.payload.get("procedure_code") or turn.procedure_in_hand or "")
        entry = self._services.kb.get(code) if code else None
        if entry is None:
            return None
        asked = turn.payload.get("aspect")
        aspects = [str(asked)] if asked in ASPECTS else list(turn.slots.get("last_aspects") or ["overview"])
        parts = _parts(entry, aspects, full=True)
        ranked = ((code, 1.0),)
        record = _record("answer", entry, tuple(aspects), ranked)
        text = paragraphs(part.text for part in parts)
        return Outcome(
            (Reply(text, record, self._next_buttons(entry, parts, aspects)),), _kept(entry, aspects)
        )

    def _tapped(self, turn: Turn) -> Outcome:
        code = str(turn.payload.get("procedure_code") or turn.procedure_in_hand or "")
        aspect = turn.intent.removeprefix("ask_")
        entry = self._services.kb.get(code) if code else None
        if entry is None or aspect not in ASPECTS:
            return self._no_topic((aspect,) if aspect in ASPECTS else (), turn)
        decision = Decision("follow_up", "tapped")
        return self._outcome([self._rendered(decision, entry, (aspect,), ((code, 1.0),))], turn)

    def _aspects(self, question: Question, turn: Turn) -> tuple[str, ...]:
        """Combine what the wording asks for with the classifier's intent."""
        by_intent = turn.intent.removeprefix("ask_") if turn.intent.startswith("ask_") else ""
        by_intent = by_intent if by_intent in ASPECTS and by_intent != "overview" else ""
        aspects = list(question.aspects)
        if by_intent and by_intent not in aspects and (not aspects or turn.confidence >= _INTENT_LEADS):
            is_whole = len(question.text) > len(turn.text) * 0.8
            if is_whole or not aspects:
                aspects.insert(0, by_intent)
        elif by_intent in aspects and turn.confidence >= _INTENT_ORDERS:
            # Words of the topic ("đổi địa chỉ") may read like an aspect; what is really asked comes first.
            aspects.remove(by_intent)
            aspects.insert(0, by_intent)
        if len(aspects) > _MOST_ASPECTS and by_intent in aspects:
            aspects = [by_intent, *(aspect for aspect in aspects if aspect != by_intent)]
        return tuple(aspects[:_MOST_ASPECTS])

    def _one(
        self, question: Question, aspects: tuple[str, ...], turn: Turn, in_hand: str | None
    ) -> _Answered:
        code = find_procedure_code(question.text)
        if code and (entry := self._services.kb.get(code)) is not None:
            decision = Decision("answer", "code")
            return self._rendered(decision, entry, aspects or ("overview",), ((code, 1.0),))
        result = self._services.kb.search(question.text)
        decision = decide(
            Evidence(turn.intent, turn.confidence, result, question.residue, in_hand, question.refers),
            self._services.thresholds,
        )
        wanted = aspects or tuple(turn.pending_aspects if turn.candidates or not in_hand else ())
        wanted = wanted or ("overview",)
        ranked = _ranking(result, first=in_hand if decision.kind == "follow_up" else None)
        if decision.kind == "follow_up" and in_hand:
            entry = self._services.kb.get(in_hand)
            if entry is not None:
                return self._rendered(decision, entry, wanted, ranked)
            decision = Decision("handoff", "entry_gone")
        if decision.kind == "answer":
            entry = self._services.kb.get(decision.hits[0].code)
            if entry is not None:
                return self._rendered(decision, entry, wanted, ranked)
            decision = Decision("handoff", "entry_gone")
        if decision.kind == "clarify" and decision.hits:
            ranked = _ranking(result, offered=decision.hits)
        return _Answered(decision, wanted if aspects or turn.pending_aspects else aspects, ranked)

    def _rendered(
        self,
        decision: Decision,
        entry: Procedure | Article,
        aspects: tuple[str, ...],
        ranked: tuple[tuple[str, float], ...],
    ) -> _Answered:
        if isinstance(entry, Article):
            aspects = ("overview",)
        return _Answered(decision, aspects, ranked, entry)

    def _outcome(self, answered: list[_Answered], turn: Turn) -> Outcome:
        known = [one for one in answered if one.entry is not None and one.is_known]
        if not known:
            return self._not_answered(answered[0], turn)
        merged = _merge(known)
        text = paragraphs(part.text for one in merged for part in one.parts)
        last = merged[-1]
        assert last.entry is not None
        unanswered = len(known) < len(answered)
        partly_unknown = any(not part.is_known for one in merged for part in one.parts)
        buttons = list(self._next_buttons(last.entry, last.parts, list(last.aspects)))
        slots = _kept(last.entry, list(last.aspects))
        if unanswered:
            text = paragraphs([text, say("dialogue.answer.rest_unanswered")])
        if unanswered or partly_unknown:
            buttons.append(button("person", "ask_human"))
            slots["candidates"] = [offer_person()]
        aspects = tuple(dict.fromkeys(aspect for one in merged for aspect in one.aspects))
        ranked = _in_order([one.ranked for one in merged])
        record = _record("answer", merged[0].entry, aspects, ranked)
        return Outcome((Reply(text, record, tuple(buttons)),), slots)

    def _not_answered(self, one: _Answered, turn: Turn) -> Outcome:
        if one.entry is not None:
            # The entry is the right one, but has nothing on what was asked.
            record = TurnRecord("handoff", one.aspects, one.ranked)
            lead = paragraphs(part.text for part in one.parts)
            outcome = hand_over(self._services, "aspect_unknown", lead=lead, record=record)
            return Outcome(outcome.replies, {**outcome.slots, **_kept(one.entry, list(one.aspects))})
        tries = turn.unclear_count + (1 if turn.candidates or turn.pending_aspects else 0)
        if one.decision.kind == "clarify" and tries < _TRIES_BEFORE_PERSON:
            if not one.decision.hits:
                return self._no_topic(one.aspects, turn)
            return self._clarify(one, tries)
        reason = one.decision.reason if one.decision.kind == "handoff" else "still_unclear"
        record = TurnRecord("handoff", one.aspects, one.ranked)
        return hand_over(self._services, reason, lead=say("dialogue.answer.nothing"), record=record)

    def _clarify(self, one: _Answered, tries: int) -> Outcome:
        offered = _named(one.decision.hits)
        buttons = [
            Button(item["title"], command("choose_option", option=str(number)))
            for number, item in enumerate(offered, start=1)
        ]
        buttons.append(button("none_of_these", "choose_option", option=choices.NONE_OF_THESE))
        reply = Reply(
            say("dialogue.clarify.which"), TurnRecord("clarify", one.aspects, one.ranked), tuple(buttons)
        )
        slots = {"candidates": offered, "pending_aspects": list(one.aspects), "unclear_count": tries}
        return Outcome((reply,), slots)

    def _no_topic(self, aspects: tuple[str, ...], turn: Turn) -> Outcome:
        tries = turn.unclear_count + 1
        if tries > _TRIES_BEFORE_PERSON:
            return hand_over(self._services, "still_unclear", lead=say("dialogue.unclear.give_up"))
        reply = Reply(say("dialogue.clarify.which_procedure"), TurnRecord("clarify", aspects))
        slots = {"candidates": [], "pending_aspects": list(aspects), "unclear_count": tries}
        return Outcome((reply,), slots)

    def _next_buttons(
        self, entry: Procedure | Article, parts: list[Rendered], aspects: list[str]
    ) -> tuple[Button, ...]:
        if isinstance(entry, Article):
            return ()
        buttons = []
        if any(part.has_more for part in parts):
            first = next(aspect for aspect, part in zip(aspects, parts, strict=True) if part.has_more)
            buttons.append(button("show_full", "show_full", procedure_code=entry.code, aspect=first))
        following = [aspect for part in parts for aspect in part.next_aspects if aspect not in aspects]
        buttons += [
            aspect_button(aspect, entry.code) for aspect in list(dict.fromkeys(following))[:_MOST_NEXT]
        ]
        return tuple(buttons)


def offer_person() -> dict[str, str]:
    """Return the candidate that stands for "a person", so that "có" or a word of it takes up the offer."""
    return {"code": "@person", "title": say("dialogue.buttons.person")}


def _first_offered(turn: Turn) -> str | None:
    return next((item["code"] for item in turn.candidates if not item["code"].startswith("@")), None)


def _tapped_choice(option: str, count: int) -> choices.Choice | None:
    if option == choices.NONE_OF_THESE:
        return choices.Choice(None)
    if option.isdecimal() and 1 <= int(option) <= count:
        return choices.Choice(int(option) - 1)
    return None


def _kept(entry: Procedure | Article, aspects: list[str]) -> dict[str, object]:
    slots: dict[str, object] = {"candidates": [], "pending_aspects": [], "unclear_count": 0}
    if isinstance(entry, Procedure):
        slots |= {"procedure_code": entry.code, "last_aspects": aspects}
    return slots


def _parts(entry: Procedure | Article, aspects: Sequence[str], *, full: bool = False) -> list[Rendered]:
    """Render several aspects as one answer: named once, with one source line at its end."""
    last = len(aspects) - 1
    return [
        render(entry, aspect, full=full, name=place == 0, source=place == last)
        for place, aspect in enumerate(aspects)
    ]


def _record(
    route: str,
    entry: Procedure | Article | None,
    aspects: tuple[str, ...],
    ranked: tuple[tuple[str, float], ...],
) -> TurnRecord:
    article = entry.id if isinstance(entry, Article) else None
    return TurnRecord(route, aspects, ranked, article)


def _merge(answered: list[_Answered]) -> list[_Answered]:
    """Put answers about the same entry together, in order."""
    merged: list[_Answered] = []
    for one in answered:
        if merged and merged[-1].entry is not None and one.entry is not None and _same(merged[-1], one):
            last = merged[-1]
            merged[-1] = _Answered(
                last.decision, tuple(dict.fromkeys([*last.aspects, *one.aspects])), last.ranked, last.entry
            )
        else:
            merged.append(one)
    return merged


def _same(one: _Answered, other: _Answered) -> bool:
    return one.entry is not None and other.entry is not None and one.entry.title == other.entry.title


def _ranking(
    result: SearchResult, *, first: str | None = None, offered: tuple[Hit, ...] = ()
) -> tuple[tuple[str, float], ...]:
    """Return the ranked procedures; the procedure in hand, or the offered ones, come first."""
    scores = {hit.code: hit.score for hit in result.hits if hit.kind == "procedure"}
    top = max(scores.values(), default=1.0)
    head = [(first, max(top, scores.get(first, 0.0)))] if first else []
    head += [(hit.code, hit.score) for hit in offered]
    taken = {code for code, _ in head}
    return tuple(head + [(code, score) for code, score in scores.items() if code not in taken])


def _ranked_offer(offered: list[dict[str, str]]) -> tuple[tuple[str, float], ...]:
    return tuple((item["code"], 0.0) for item in offered if not item["code"].startswith("@"))


def _in_order(rankings: list[tuple[tuple[str, float], ...]]) -> tuple[tuple[str, float], ...]:
    """Put rankings behind one another, the first of each before the rest of all."""
    heads = [ranking[0] for ranking in rankings if ranking]
    rest = [pair for ranking in rankings for pair in ranking[1:]]
    merged: dict[str, float] = {}
    for code, score in [*heads, *rest]:
        merged.setdefault(code, score)
    return tuple(merged.items())


def _named(hits: Sequence[Hit]) -> list[dict[str, str]]:
    """Return the choices offered; where two short names are the same, their codes tell them apart."""
    names = [short_name(hit.short_name) for hit in hits]
    return [
        {"code": hit.code, "title": name if names.count(name) == 1 else f"{name} ({hit.code})"}
        for hit, name in zip(hits, names, strict=True)
    ]
