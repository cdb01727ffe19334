"""Words as they are searched: without marks, in lower case, telephone numbers and codes also as one word.

"Nguyễn Thị Hoà", "Nguyễn Thị Hòa" and "nguyen thi hoa" have the same words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vntext.normalise import normalise, strip_marks
from vntext.phones import Phone, find_phones

_WORD = re.compile(r"[a-z0-9]+")
_JOINED = re.compile(r"(?<![a-z0-9])[a-z]{2}[-– ]?\d{4}[-– ]?\d{4,}(?:[-– ]?[a-z0-9])?(?![a-z0-9])")
_DIGITS = re.compile(r"\d[\d\s.()+-]{6,}\d")
_QUOTED = re.compile(r'"([^"]*)"')
_LONGEST_WORD = 60
_MOST_WORDS = 12


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order."""
    return [word[:_LONGEST_WORD] for word in _WORD.findall(_plain(text))]


def indexed_words(text: str) -> str:
    """Return what is kept in the index: the words, then numbers and codes that are written apart, as one."""
    plain = _plain(text)
    found = [word[:_LONGEST_WORD] for word in _WORD.findall(plain)]
    found += [re.sub(r"[^a-z0-9]", "", match[0]) for match in _JOINED.finditer(plain)]
    if _DIGITS.search(text):
        found += [number for number in map(_national, _phones(text)) if number not in found]
    return " ".join(found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: every word of `words` (the last one may go on), and `phrases` word for word."""

    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.words and not self.phrases


def wanted_words(text: str) -> Wanted:
    """Read what somebody typed into the search field; quotes keep words together.

    A telephone number counts as one word, however it is written.
    """
    phrases = tuple(tuple(words_of(quoted)) for quoted in _QUOTED.findall(text))
    rest = _QUOTED.sub(" ", text)
    words: list[str] = []
    for phone in reversed(_phones(rest)):
        words.append(_national(phone))
        rest = rest[: phone.start] + " " + rest[phone.end :]
    words += words_of(rest)
    return Wanted(tuple(words[:_MOST_WORDS]), tuple(phrase for phrase in phrases if phrase))


def national_number(text: str) -> str | None:
    """Return a telephone number in its national form without blanks ("0905123456"), None for none."""
    found = [phone for phone in find_phones(text.strip()) if phone.valid]
    return _national(found[0]) if len(found) == 1 else None


def _phones(text: str) -> list[Phone]:
    return [
        phone for phone in find_phones(text) if phone.valid and any(letter.isdigit() for letter in phone.raw)
    ]


def _national(phone: Phone) -> str:
    return re.sub(r"\D", "", phone.national)


def _plain(text: str) -> str:
    return strip_marks(normalise(text)).lower()
