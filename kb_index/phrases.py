"""Small pieces of answers: fees, time limits, documents, dates, and shortening at the end of a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from kb_index.schemas import Fee, FilingOption, ProcessingTime, RequiredDocument
from vntext.catalogue import say
from vntext.money import format_dong
from vntext.normalise import strip_marks

_SENTENCE_END = re.compile(r"(?<=[.;!?…])\s+")
_COUNCIL = re.compile(r"hoi dong nhan dan|hdnd|uy ban nhan dan (?:cap )?tinh quy dinh", re.I)
_TIME_WORDS = re.compile(r"\b(?:\d+|ngay|thời hạn|thời gian)[^.;]*?(?:ngày|giờ|tháng|thời hạn|ngay)\b", re.I)
_LAW_PREFIX = re.compile(r"^thủ tục\s+", re.I)
NAME_LENGTH = 90


def shorten(text: str, limit: int) -> tuple[str, bool]:
    """Return the text within `limit` characters and whether something was left out.

    It is cut at the end of a sentence where one lies beyond a third of the limit, else between words.
    """
    text = text.strip()
    if len(text) <= limit:
        return text, False
    room = max(1, limit - len(say("answer.shortened", text="")) - 1)
    head = text[:room]
    ends = [match.start() for match in _SENTENCE_END.finditer(head)]
    if ends and ends[-1] > room / 3:
        head = head[: ends[-1]]
    elif " " in head:
        head = head[: head.rindex(" ")]
    return say("answer.shortened", text=head.rstrip(" ,;:-–")), True


def short_name(name: str) -> str:
    """Return what an entry is called within a sentence: no "Thủ tục" before it, a small first letter."""
    name = _LAW_PREFIX.sub("", " ".join(name.split())).rstrip(" .;,")
    if len(name) > 1 and name[0].isupper() and not name[1].isupper():
        name = name[0].lower() + name[1:]
    return shorten(name, NAME_LENGTH)[0]


def day(value: date) -> str:
    """Return a date as it is written: 05/07/2026."""
    return value.strftime("%d/%m/%Y")


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def fee(item: Fee, limit: int) -> str:
    """Return one fee with its condition; who decides it where the amount is not known."""
    if item.amount is not None:
        amount = say("answer.fee.free") if item.amount == 0 else format_dong(item.amount)
        if item.per:
            amount = say("answer.fee.per", amount=amount, per=item.per)
        details = (item.condition or item.text or "").strip(" .;")
        if details.startswith(amount):
            return shorten(details, limit)[0]
        if details:
            return say("answer.fee.with_condition", fee=amount, condition=shorten(details, limit)[0])
        return amount
    text = item.text or ""
    if _COUNCIL.search(strip_marks(text)) and not re.search(r"\d{1,3}[.,]\d{3}", text):
        return say("answer.fee.by_council")
    return say("answer.fee.by_text", text=shorten(text, limit)[0])


def fees(items: Sequence[Fee], limit: int) -> str:
    """Return all fees of one way of filing in one line."""
    if not items:
        return say("answer.fee.none_given")
    texts = list(dict.fromkeys(fee(item, limit) for item in items))
    return "; ".join(texts)


def duration(time: ProcessingTime | None, limit: int, *, note: str | None = None) -> str:
    """Return a time limit: "3 ngày làm việc (điều kiện)"."""
    if time is None:
        return say("answer.time.none_given") if not note else shorten(note, limit)[0]
    if time.value is None or time.unit is None:
        return shorten(time.text or "", limit)[0]
    number = f"{time.value:g}".replace(".", ",")
    text = say(f"answer.time.{time.unit}", number=number)
    condition = time.text or _about_time(note)
    if condition:
        return say("answer.time.with_condition", time=text, condition=shorten(condition, limit)[0])
    return text


def _about_time(note: str | None) -> str | None:
    """Return the sentences of a row's note that say something about time; the others are told elsewhere."""
    sentences = [sentence for sentence in _SENTENCE_END.split(note or "") if _TIME_WORDS.search(sentence)]
    return " ".join(sentences).strip() or None


def document(item: RequiredDocument, limit: int) -> str:
    """Return a paper with the number of sheets: "Giấy chứng sinh (1 bản chính)"."""
    counts = []
    if item.originals:
        counts.append(say("answer.documents.originals", number=item.originals))
    if item.copies:
        counts.append(say("answer.documents.copies", number=item.copies))
    name = shorten(item.name.rstrip(" ."), limit)[0]
    return say("answer.documents.counted", name=name, count=", ".join(counts)) if counts else name


def by_way(options: Sequence[FilingOption], fact: Callable[[FilingOption], str]) -> list[str]:
    """Return one fact where all ways of filing agree, else one line a way."""
    facts: dict[str, list[str]] = {}
    for option in options:
        said = facts.setdefault(option.way, [])
        if (text := fact(option)) not in said:
            said.append(text)
    lines = {way: "; ".join(texts) for way, texts in facts.items()}
    if len(set(lines.values())) == 1:
        return [next(iter(lines.values()))]
    return [say("answer.by_way", way=say(f"answer.way.{way}"), fact=text) for way, text in lines.items()]
