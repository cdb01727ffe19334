"""Renders an entry's answer: lead, facts, source line; short for a phone or whole on demand.

Every sentence comes from the catalogue file `answer.yml`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kb_index import phrases
from kb_index.aspects import ASPECTS
from kb_index.facts import NO_LIMIT, Facts, facts_of
from kb_index.importers.legal_table import find_legal_numbers
from kb_index.schemas import Article, Procedure
from vntext.catalogue import say

SHORT = 600
_TITLE_IN_SOURCE = 80
_LEGAL_IN_SOURCE = 2
# What people tend to ask next, likeliest first.
_NEXT = (
    "documents",
    "fee",
    "time",
    "place",
    "online",
    "steps",
    "form",
    "conditions",
    "who",
    "result",
    "legal",
)
_SHOWN_NEXT = 3


@dataclass(frozen=True)
class Rendered:
    """An answer.

    Attributes:
        text: what is said, the source line at its end.
        is_known: False when the entry holds nothing on the aspect; the text then says so.
        has_more: whether `full=True` would say more.
        next_aspects: likely next questions the entry can answer, likeliest first.
    """

    text: str
    is_known: bool
    has_more: bool
    next_aspects: list[str]


def render(
    entry: Procedure | Article, aspect: str, *, full: bool = False, name: bool = True, source: bool = True
) -> Rendered:
    """Return what `entry` says on `aspect`.

    Args:
        entry: a procedure or an article (which has one answer, whatever is asked).
        aspect: one of `kb_index.aspects.ASPECTS`; anything else is read as "overview".
        full: everything, in place of at most 600 characters.
        name: whether the first line names the procedure ("Về …").
        source: whether the source line stands at the end.
    """
    if isinstance(entry, Article):
        return _article(entry, full, source)
    aspect = aspect if aspect in ASPECTS else "overview"
    tail = _source(entry) if source else ""
    known = _next(entry, aspect)
    called = phrases.short_name(entry.name)
    room = NO_LIMIT if full else SHORT - len(tail) - 1
    facts = facts_of(aspect, entry, full, room - len(called) - 40)
    if facts is None:
        text = _joined(say(f"answer.unknown.{aspect}", name=called), tail)
        return Rendered(text, False, False, known)
    body, cut = _fitted(_with_lead(aspect, called if name else "", facts), room)
    has_more = not full and (cut or facts.has_more)
    return Rendered(_joined(body, tail), True, has_more, known)


def is_known(entry: Procedure | Article, aspect: str) -> bool:
    """Return whether the entry holds anything on `aspect`."""
    if isinstance(entry, Article):
        return True
    return facts_of(aspect, entry, False, SHORT) is not None


def _with_lead(aspect: str, called: str, facts: Facts) -> list[str]:
    label = say(f"answer.label.{aspect}")
    if not called:
        first = (
            f"{phrases.capitalised(label)}: {facts.first}"
            if facts.first
            else f"{phrases.capitalised(label)}:"
        )
        if aspect == "overview":
            first = facts.first
    elif aspect == "overview":
        first = say("answer.lead.summary", name=called, text=facts.first)
    elif facts.first:
        first = say("answer.lead.inline", name=called, label=label, fact=facts.first)
    else:
        first = say("answer.lead.block", name=called, label=label)
    return [first, *facts.lines]


def _fitted(lines: list[str], room: int) -> tuple[str, bool]:
    """Return as many whole lines as fit; the first always, shortened if it must be."""
    head, cut = phrases.shorten(lines[0], room)
    kept = [head]
    used = len(head)
    reserve = len(say("answer.more_items", count=99)) + 1
    for number, line in enumerate(lines[1:], start=1):
        is_last = number == len(lines) - 1
        if used + 1 + len(line) + (0 if is_last else reserve) > room:
            kept.append(say("answer.more_items", count=len(lines) - number))
            return "\n".join(kept), True
        kept.append(line)
        used += 1 + len(line)
    return "\n".join(kept), cut


def _joined(body: str, tail: str) -> str:
    return f"{body}\n{tail}" if tail else body


def _next(entry: Procedure, aspect: str) -> list[str]:
    found = [other for other in _NEXT if other != aspect and is_known(entry, other)]
    return found[:_SHOWN_NEXT]


def _source(entry: Procedure) -> str:
    numbers = [item.number for item in entry.legal_basis if item.number]
    if not numbers and entry.official.legal_basis:
        numbers = list(find_legal_numbers(entry.official.legal_basis))
    numbers.sort(key=_legal_rank)
    legal = say("answer.source.legal", numbers=", ".join(numbers[:_LEGAL_IN_SOURCE])) if numbers else ""
    return say(
        "answer.source.line",
        code=entry.code,
        title=phrases.shorten(entry.title, _TITLE_IN_SOURCE)[0],
        legal=legal,
        date=phrases.day(entry.checked_on),
    )


def _legal_rank(number: str) -> int:
    """Order legal documents by weight: laws, decrees, the rest."""
    return 0 if "QH" in number else 1 if "NĐ-CP" in number else 2


def _article(entry: Article, full: bool, source: bool) -> Rendered:
    tail = (
        say("answer.source.article", source=entry.source.name, date=phrases.day(entry.checked_on))
        if source
        else ""
    )
    lines = [entry.answer]
    for phone in entry.phones:
        key = "answer.article.phone_note" if phone.note else "answer.article.phone"
        lines.append(
            say(
                "answer.list_item", text=say(key, name=phone.name, number=phone.number, note=phone.note or "")
            )
        )
    for link in entry.links:
        lines.append(say("answer.list_item", text=say("answer.article.link", title=link.title, url=link.url)))
    if full and entry.details:
        lines.append(entry.details)
    body, cut = _fitted(lines, NO_LIMIT if full else SHORT - len(tail) - 1)
    return Rendered(_joined(body, tail), True, not full and (cut or bool(entry.details)), [])
