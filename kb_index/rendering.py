"""Renders what an entry says on one aspect, short for a phone or whole on demand; every sentence from the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kb_index import phrases
from kb_index.aspects import ASPECTS
from kb_index.importers.legal_table import find_legal_numbers
from kb_index.schemas import Article, FilingOption, Procedure
from vntext.catalogue import say

SHORT = 600
_TITLE_IN_SOURCE = 80
_LEGAL_IN_SOURCE = 2
_NO_LIMIT = 100_000
_COUNTABLE = 12
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
_NOTHING_SPECIAL = frozenset(
    {"không", "không có", "không.", "không quy định", "không có yêu cầu", "không yêu cầu"}
)


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


@dataclass(frozen=True)
class _Facts:
    """One aspect of an entry: a fact for the first line (may be empty), then lines; the rest is made of these."""

    first: str
    lines: tuple[str, ...] = ()
    has_more: bool = False


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
    room = _NO_LIMIT if full else SHORT - len(tail) - 1
    facts = _FACTS[aspect](entry, full, room - len(called) - 40)
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
    return _FACTS[aspect](entry, False, SHORT) is not None


def _with_lead(aspect: str, called: str, facts: _Facts) -> list[str]:
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


def _bullets(texts: list[str]) -> tuple[str, ...]:
    return tuple(say("answer.list_item", text=text) for text in texts)


def _overview(entry: Procedure, full: bool, room: int) -> _Facts | None:
    summary = entry.summary or say("answer.overview.no_summary", title=entry.title.rstrip("."))
    facts = []
    always = [item for item in entry.documents if not item.when]
    if 0 < len(always) <= _COUNTABLE:
        facts.append(say("answer.overview.documents", count=len(always)))
    times = _plain_times(entry)
    if times:
        facts.append(say("answer.overview.time", time="; ".join(times)))
    costs = _costs(entry, 80)
    if costs:
        facts.append(say("answer.overview.fee", fee="; ".join(costs)))
    if entry.agency:
        facts.append(say("answer.overview.place", agency=entry.agency))
    if entry.result:
        facts.append(say("answer.overview.result", result=entry.result.replace("\n", "; ")))
    if not entry.summary and not facts:
        return None
    if not full:
        facts = [phrases.shorten(fact, 160)[0] for fact in facts]
        summary = phrases.shorten(summary, 240)[0]
    return _Facts(summary, _bullets(facts))


def _documents(entry: Procedure, full: bool, room: int) -> _Facts | None:
    if not entry.documents:
        return _official(entry.official.documents, full, room)
    always = [item for item in entry.documents if not item.when]
    cases = list(dict.fromkeys(item.when for item in entry.documents if item.when))
    limit = _NO_LIMIT if full else 140
    lines: list[str] = []
    has_more = False
    for case in [None, *cases] if always else cases:
        if case is not None:
            lines.append(say("answer.case", case=phrases.shorten(case, limit)[0]))
        for item in entry.documents:
            if item.when != case:
                continue
            text = phrases.document(item, limit)
            if full and item.note:
                text = say("answer.documents.with_note", document=text, note=item.note)
            if full and item.form:
                text = say("answer.documents.with_form", document=text, form=item.form.name)
            has_more = has_more or bool(item.note or item.form)
            lines.append(say("answer.list_item", text=text))
    return _Facts("", tuple(lines), has_more)


def _costs(entry: Procedure, limit: int) -> list[str]:
    if not any(option.fees for option in entry.filing):
        return []
    return phrases.by_way(entry.filing, lambda option: phrases.fees(option.fees, limit))


def _fee(entry: Procedure, full: bool, room: int) -> _Facts | None:
    costs = _costs(entry, _NO_LIMIT if full else 170)
    if not costs:
        return _official(entry.official.filing, full, room)
    notes = _council_notes(entry, _NO_LIMIT if full else 200)
    if len(costs) == 1:
        return _Facts(costs[0], notes)
    return _Facts("", (*_bullets(costs), *notes))


def _council_notes(entry: Procedure, limit: int) -> tuple[str, ...]:
    """Return the source's own words where the fee is left to the province."""
    council = say("answer.fee.by_council")
    texts = [
        fee.text
        for option in entry.filing
        for fee in option.fees
        if fee.text and fee.amount is None and phrases.fee(fee, 80) == council
    ]
    return tuple(
        say("answer.fee.council_note", text=phrases.shorten(text, limit)[0]) for text in dict.fromkeys(texts)
    )[:2]


def _times(entry: Procedure, limit: int) -> list[str]:
    options = [option for option in entry.filing if option.processing_time or option.note]
    if not any(option.processing_time for option in options):
        return []

    def fact(option: FilingOption) -> str:
        return phrases.duration(option.processing_time, limit, note=option.note)

    return phrases.by_way(options, fact)


def _plain_times(entry: Procedure) -> list[str]:
    """Return the time limits without their conditions."""
    options = [option for option in entry.filing if option.processing_time and option.processing_time.value]

    def fact(option: FilingOption) -> str:
        assert option.processing_time is not None
        return phrases.duration(option.processing_time.model_copy(update={"text": None}), 80)

    return phrases.by_way(options, fact) if options else []


def _time(entry: Procedure, full: bool, room: int) -> _Facts | None:
    times = _times(entry, _NO_LIMIT if full else 170)
    if not times:
        return _official(entry.official.filing, full, room)
    return _Facts(times[0]) if len(times) == 1 else _Facts("", _bullets(times))


def _place(entry: Procedure, full: bool, room: int) -> _Facts | None:
    ways = list(dict.fromkeys(option.way for option in entry.filing))
    lines = []
    if entry.where_to_file:
        first = entry.where_to_file if full else phrases.shorten(entry.where_to_file, max(120, room - 160))[0]
        if entry.agency:
            agency = entry.agency if full else phrases.shorten(entry.agency, 100)[0]
            lines.append(say("answer.place.handled_by", agency=agency))
    elif entry.agency:
        agency = entry.agency if full else phrases.shorten(entry.agency, max(120, room - 160))[0]
        first = say("answer.place.agency", agency=agency)
    elif entry.levels:
        levels = ", ".join(say(f"answer.place.level.{level}") for level in entry.levels)
        first = say("answer.place.by_level", level=levels)
    else:
        return None
    if ways:
        named = ", ".join(say(f"answer.place.way_name.{way}") for way in ways)
        lines.append(say("answer.place.ways", ways=named))
    if "online" in ways and (url := _online_url(entry)):
        lines.append(say("answer.online.link", url=url))
    return _Facts(first, tuple(lines))


def _steps(entry: Procedure, full: bool, room: int) -> _Facts | None:
    if not entry.steps:
        return None
    if len(entry.steps) == 1:
        return _Facts(entry.steps[0] if full else phrases.shorten(entry.steps[0], room)[0], has_more=True)
    limit = _NO_LIMIT if full else 170
    shortened = [phrases.shorten(step, limit) for step in entry.steps]
    lines = [
        say("answer.step", number=number, text=text) for number, (text, _) in enumerate(shortened, start=1)
    ]
    return _Facts("", tuple(lines), any(cut for _, cut in shortened))


def _online_url(entry: Procedure) -> str | None:
    return (entry.online.url if entry.online else None) or entry.source.url


def _online(entry: Procedure, full: bool, room: int) -> _Facts | None:
    online = next((option for option in entry.filing if option.way == "online"), None)
    lines = []
    if entry.online is not None:
        first = say(f"answer.online.{entry.online.level}")
        if entry.online.note:
            lines.append(entry.online.note if full else phrases.shorten(entry.online.note, 160)[0])
    elif online is not None:
        first = say("answer.online.available")
    elif entry.filing:
        ways = list(dict.fromkeys(option.way for option in entry.filing))
        named = ", ".join(say(f"answer.place.way_name.{way}") for way in ways)
        return _Facts(say("answer.online.not_listed", ways=named))
    else:
        return None
    if entry.online is None or entry.online.level != "none":
        if entry.online and entry.online.url:
            lines.insert(0, say("answer.online.link", url=entry.online.url))
        elif entry.source.url:
            lines.insert(0, say("answer.online.page", url=entry.source.url))
        if online and online.processing_time:
            lines.append(say("answer.online.time", time=phrases.duration(online.processing_time, 100)))
        if online and online.fees:
            lines.append(say("answer.online.fee", fee=phrases.fees(online.fees, 100)))
    return _Facts(first, tuple(lines))


def _form(entry: Procedure, full: bool, room: int) -> _Facts | None:
    items = []
    limit = _NO_LIMIT if full else 110
    for document in entry.documents:
        form = document.form
        if form is None:
            continue
        text = form.name
        if form.code and form.code not in form.name:
            text = say("answer.form.with_code", name=form.name, code=form.code)
        if form.url:
            text = say("answer.form.link", form=text, url=form.url)
        if form.name != document.name:
            name = phrases.shorten(document.name, limit)[0]
            text = say("answer.form.with_document", form=text, document=name)
        items.append(text)
    if not items:
        return None
    page = (say("answer.form.page", url=entry.source.url),) if entry.source.url else ()
    return _Facts("", (*page, *_bullets(list(dict.fromkeys(items)))))


def _legal(entry: Procedure, full: bool, room: int) -> _Facts | None:
    if not entry.legal_basis:
        return _official(entry.official.legal_basis, full, room)
    lines = []
    for item in entry.legal_basis:
        title = item.title if full else phrases.shorten(item.title, 130)[0]
        is_named = item.number is None or item.number in title
        lines.append(title if is_named else say("answer.legal.numbered", title=title, number=item.number))
    return _Facts("", _bullets(lines))


def _conditions(entry: Procedure, full: bool, room: int) -> _Facts | None:
    if entry.conditions is None:
        return None
    if entry.conditions.strip().lower() in _NOTHING_SPECIAL:
        return _Facts(say("answer.conditions.none"))
    return _text(entry.conditions, full, room)


def _result(entry: Procedure, full: bool, room: int) -> _Facts | None:
    return None if entry.result is None else _text(entry.result, full, room)


def _who(entry: Procedure, full: bool, room: int) -> _Facts | None:
    if entry.who_may_file is None:
        return None
    first = say("answer.who.filer", text=entry.who_may_file)
    agency = phrases.shorten(entry.agency or "", _NO_LIMIT if full else 100)[0]
    lines = (say("answer.who.decided_by", agency=agency),) if agency else ()
    return _Facts(first if full else phrases.shorten(first, max(200, room - 120))[0], lines)


def _official(text: str | None, full: bool, room: int) -> _Facts | None:
    return None if text is None else _text(text, full, room)


def _text(text: str, full: bool, room: int) -> _Facts:
    """Return running text: its lines as a list where there are several, shortened at the end of a sentence."""
    lines = [line.strip(" -–+*•") for line in text.split("\n") if line.strip(" -–+*•")]
    if len(lines) < 2:
        whole = lines[0] if lines else text
        shown, cut = (whole, False) if full else phrases.shorten(whole, room)
        return _Facts(shown, has_more=cut)
    shortened = [(line, False) if full else phrases.shorten(line, 200) for line in lines]
    return _Facts("", _bullets([line for line, _ in shortened]), any(cut for _, cut in shortened))


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
    body, cut = _fitted(lines, _NO_LIMIT if full else SHORT - len(tail) - 1)
    return Rendered(_joined(body, tail), True, not full and (cut or bool(entry.details)), [])


_FACTS: dict[str, Callable[[Procedure, bool, int], _Facts | None]] = {
    "overview": _overview,
    "documents": _documents,
    "fee": _fee,
    "time": _time,
    "place": _place,
    "steps": _steps,
    "online": _online,
    "form": _form,
    "legal": _legal,
    "conditions": _conditions,
    "result": _result,
    "who": _who,
}
