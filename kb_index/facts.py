"""What a procedure says on each aspect, as a first fact and lines below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kb_index import phrases
from kb_index.schemas import FilingOption, Procedure
from vntext.catalogue import say

NO_LIMIT = 100_000
_COUNTABLE = 12
_NOTHING_SPECIAL = frozenset(
    {"không", "không có", "không.", "không quy định", "không có yêu cầu", "không yêu cầu"}
)


@dataclass(frozen=True)
class Facts:
    """One aspect of an entry: a fact for the first line (may be empty), and the lines below it."""

    first: str
    lines: tuple[str, ...] = ()
    has_more: bool = False


def facts_of(aspect: str, entry: Procedure, full: bool, room: int) -> Facts | None:
    """Return what `entry` says on `aspect`, None when it says nothing.

    Args:
        aspect: one of `kb_index.aspects.ASPECTS`.
        entry: the procedure.
        full: whether texts are given whole.
        room: about how many characters the first fact may have otherwise.
    """
    return _FACTS[aspect](entry, full, room)


def _bullets(texts: list[str]) -> tuple[str, ...]:
    return tuple(say("answer.list_item", text=text) for text in texts)


def _overview(entry: Procedure, full: bool, room: int) -> Facts | None:
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
    return Facts(summary, _bullets(facts))


def _documents(entry: Procedure, full: bool, room: int) -> Facts | None:
    if not entry.documents:
        return _official(entry.official.documents, full, room)
    always = [item for item in entry.documents if not item.when]
    cases = list(dict.fromkeys(item.when for item in entry.documents if item.when))
    limit = NO_LIMIT if full else 140
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
    return Facts("", tuple(lines), has_more)


def _costs(entry: Procedure, limit: int) -> list[str]:
    if not any(option.fees for option in entry.filing):
        return []
    return phrases.by_way(entry.filing, lambda option: phrases.fees(option.fees, limit))


def _fee(entry: Procedure, full: bool, room: int) -> Facts | None:
    costs = _costs(entry, NO_LIMIT if full else 170)
    if not costs:
        return _official(entry.official.filing, full, room)
    notes = _council_notes(entry, NO_LIMIT if full else 200)
    if len(costs) == 1:
        return Facts(costs[0], notes)
    return Facts("", (*_bullets(costs), *notes))


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


def _time(entry: Procedure, full: bool, room: int) -> Facts | None:
    times = _times(entry, NO_LIMIT if full else 170)
    if not times:
        return _official(entry.official.filing, full, room)
    return Facts(times[0]) if len(times) == 1 else Facts("", _bullets(times))


def _place(entry: Procedure, full: bool, room: int) -> Facts | None:
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
    return Facts(first, tuple(lines))


def _steps(entry: Procedure, full: bool, room: int) -> Facts | None:
    if not entry.steps:
        return None
    if len(entry.steps) == 1:
        return Facts(entry.steps[0] if full else phrases.shorten(entry.steps[0], room)[0], has_more=True)
    limit = NO_LIMIT if full else 170
    shortened = [phrases.shorten(step, limit) for step in entry.steps]
    lines = [
        say("answer.step", number=number, text=text) for number, (text, _) in enumerate(shortened, start=1)
    ]
    return Facts("", tuple(lines), any(cut for _, cut in shortened))


def _online_url(entry: Procedure) -> str | None:
    return (entry.online.url if entry.online else None) or entry.source.url


def _online(entry: Procedure, full: bool, room: int) -> Facts | None:
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
        return Facts(say("answer.online.not_listed", ways=named))
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
    return Facts(first, tuple(lines))


def _form(entry: Procedure, full: bool, room: int) -> Facts | None:
    items = []
    limit = NO_LIMIT if full else 110
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
    return Facts("", (*page, *_bullets(list(dict.fromkeys(items)))))


def _legal(entry: Procedure, full: bool, room: int) -> Facts | None:
    if not entry.legal_basis:
        return _official(entry.official.legal_basis, full, room)
    lines = []
    for item in entry.legal_basis:
        title = item.title if full else phrases.shorten(item.title, 130)[0]
        is_named = item.number is None or item.number in title
        lines.append(title if is_named else say("answer.legal.numbered", title=title, number=item.number))
    return Facts("", _bullets(lines))


def _conditions(entry: Procedure, full: bool, room: int) -> Facts | None:
    if entry.conditions is None:
        return None
    if entry.conditions.strip().lower() in _NOTHING_SPECIAL:
        return Facts(say("answer.conditions.none"))
    return _text(entry.conditions, full, room)


def _result(entry: Procedure, full: bool, room: int) -> Facts | None:
    return None if entry.result is None else _text(entry.result, full, room)


def _who(entry: Procedure, full: bool, room: int) -> Facts | None:
    if entry.who_may_file is None:
        return None
    first = say("answer.who.filer", text=entry.who_may_file)
    agency = phrases.shorten(entry.agency or "", NO_LIMIT if full else 100)[0]
    lines = (say("answer.who.decided_by", agency=agency),) if agency else ()
    return Facts(first if full else phrases.shorten(first, max(200, room - 120))[0], lines)


def _official(text: str | None, full: bool, room: int) -> Facts | None:
    return None if text is None else _text(text, full, room)


def _text(text: str, full: bool, room: int) -> Facts:
    """Return running text, its lines as a list where there are several, shortened at ends of sentences."""
    lines = [line.strip(" -–+*•") for line in text.split("\n") if line.strip(" -–+*•")]
    if len(lines) < 2:
        whole = lines[0] if lines else text
        shown, cut = (whole, False) if full else phrases.shorten(whole, room)
        return Facts(shown, has_more=cut)
    shortened = [(line, False) if full else phrases.shorten(line, 200) for line in lines]
    return Facts("", _bullets([line for line, _ in shortened]), any(cut for _, cut in shortened))


_FACTS: dict[str, Callable[[Procedure, bool, int], Facts | None]] = {
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
