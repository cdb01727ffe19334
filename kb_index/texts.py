"""The texts of an entry that search reads, by part, and how they are cut into terms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from kb_index.schemas import Article, Procedure
from kb_index.sounds import sound_key
from vntext.canonical import canonical
from vntext.normalise import normalise, strip_marks

PARTS = ("title", "names", "field", "agency", "details", "body")
_WORD = re.compile(r"[^\W_]+")
_MAX_BODY = 1500
_NUMBERS = {
    "mot": "1",
    "hai": "2",
    "01": "1",
    "02": "2",
    "03": "3",
    "04": "4",
    "05": "5",
    "i": "1",
    "ii": "2",
    "iii": "3",
}


@dataclass(frozen=True)
class EntryTexts:
    """What search reads of one entry, by part; `names` are the everyday names, one each."""

    key: str
    kind: str
    title: str
    names: tuple[str, ...]
    not_meant: tuple[str, ...]
    field: str
    agency: str
    details: str
    body: str
    levels: tuple[str, ...]

    def part(self, name: str) -> str:
        """Return the text of one of `PARTS`."""
        return " . ".join(self.names) if name == "names" else str(getattr(self, name))


def texts_of(entry: Procedure | Article) -> EntryTexts:
    """Return the texts of an entry for the index."""
    if isinstance(entry, Article):
        names = list(entry.questions)
        details, body = entry.answer, entry.details or ""
        agency = " ".join(phone.name for phone in entry.phones)
        not_meant: tuple[str, ...] = ()
        levels: tuple[str, ...] = ()
    else:
        names = list(entry.everyday_names)
        details = " . ".join(
            [
                *(document.name[:200] for document in entry.documents[:12]),
                entry.result or "",
                entry.who_may_file or "",
            ]
        )
        body = " . ".join([entry.summary or "", *entry.steps, entry.conditions or ""])
        agency = entry.agency or ""
        not_meant = tuple(entry.not_meant)
        levels = tuple(entry.levels)
    if entry.short_name and entry.short_name not in names:
        names.append(entry.short_name)
    return EntryTexts(
        key=entry.key,
        kind=entry.kind,
        title=entry.title,
        names=tuple(names),
        not_meant=not_meant,
        field=entry.field,
        agency=agency,
        details=details[:_MAX_BODY],
        body=body[:_MAX_BODY],
        levels=levels,
    )


def syllables(text: str) -> list[str]:
    """Return the lower-case syllables and numbers of a text in official spelling, marks kept."""
    return list(_syllables(text))


@lru_cache(maxsize=20_000)
def _syllables(text: str) -> tuple[str, ...]:
    # A build reads the same texts several times: for training, for fitting and for the index itself.
    return tuple(_WORD.findall(normalise(text).lower()))


def forget_texts() -> None:
    """Free what was kept while many entries were read."""
    _syllables.cache_clear()


def query_syllables(text: str) -> list[str]:
    """Return the syllables of what somebody typed, chat spelling and Telex undone."""
    return _WORD.findall(canonical(text))


def bare(words: list[str]) -> list[str]:
    """Return the words without marks; small numbers are one, written as figures or as words."""
    return [_bare(word) for word in words]


@lru_cache(maxsize=50_000)
def _bare(word: str) -> str:
    plain = strip_marks(word)
    return _NUMBERS.get(plain, plain)


def terms(words: list[str]) -> list[str]:
    """Return the words and their pairs (`a_b`): a pair of syllables is what most Vietnamese words are."""
    return words + [f"{first}_{second}" for first, second in pairwise(words)]


def sounds(words: list[str]) -> list[str]:
    """Return words and pairs by how they sound in common misspelling ("xang tên" and "sang tên" are one)."""
    return terms([sound_key(word) for word in words])
