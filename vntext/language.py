"""Is this message Vietnamese? Rules on script, syllables, function words; unmarked Vietnamese is Vietnamese.

The default is Vietnamese: turning a citizen away costs more than one answer to a foreigner in the wrong
language.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from vntext.codes import find_codes
from vntext.normalise import normalise, strip_marks
from vntext.spelling import expand
from vntext.syllable import is_syllable, parse
from vntext.telex import decode

_FILE = Path(__file__).parent / "rules" / "language.yml"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LINK = re.compile(r"https?://\S{1,500}|[\w.+-]{1,64}@[\w.-]{1,200}")
# Letters that only Vietnamese uses among the languages met here.
_ONLY_VIETNAMESE = frozenset("ăđơưảẩẳẻểỉỏổởủửỷạặậẹệịọộợụựỵấầẫắằẵếềễốồỗớờỡứừữỹẽĩũ")
_MIXED_SHARE = 0.34
_VOWELS = frozenset("aeiouy")


@dataclass(frozen=True, slots=True)
class Language:
    """What a message is written in: `kind`, and the reason, e.g. "marks", "script:thai", "no_words"."""

    kind: Literal["vi", "other", "unclear"]
    reason: str


@cache
def _lists() -> dict[str, frozenset[str]]:
    with _FILE.open(encoding="utf-8") as lines:
        return {name: frozenset(words.split()) for name, words in yaml.safe_load(lines).items()}


def _script(letter: str) -> str:
    return unicodedata.name(letter, "UNKNOWN").split(" ")[0].split("-")[0].lower()


def _is_gibberish(words: list[str]) -> bool:
    """Tell whether no word could be read aloud: no syllable, no vowel, or one letter over and over."""
    readable = 0
    for word in words:
        plain = strip_marks(word)
        if is_syllable(word) or is_syllable(plain):
            readable += 1
        elif 2 <= len(plain) <= 20 and set(plain) & _VOWELS and not re.search(r"[^aeiouy]{5}|(.)\1\1", plain):
            vowels = sum(letter in _VOWELS for letter in plain)
            readable += 0.2 <= vowels / len(plain) <= 0.7
    return readable * 2 <= len(words)


def _decide_latin(words: list[str], expanded: list[str]) -> Language:
    lists = _lists()
    marked = [word for word in words if set(word) & _ONLY_VIETNAMESE and parse(word) is not None]
    if len(marked) >= max(1, len(words) * _MIXED_SHARE):
        return Language("vi", "marks")
    if all(word in lists["greetings"] for word in words):
        return Language("vi", "greeting")
    plain = [strip_marks(word) for word in expanded]
    vietnamese = sum(word in lists["vietnamese"] for word in plain)
    syllables = sum(is_syllable(word) for word in plain)
    counts = {
        name: sum(
            word in lists[name] and not (name != "english" and is_syllable(word) and word.isascii())
            for word in words
        )
        for name in ("english", "french", "spanish", "german", "indonesian")
    }
    foreign, count = max(counts.items(), key=lambda item: item[1])
    skeleton = vietnamese + len(marked)
    if marked and skeleton >= 2 and skeleton >= count * 0.5:
        return Language("vi", "mixed")
    if _is_gibberish(words) and not skeleton and count == 0:
        return Language("unclear", "gibberish")
    if count >= 2 and count > skeleton * 1.5:
        return Language("other", foreign)
    if count == 1 and len(words) > 1 and syllables * 3 <= len(plain) and not skeleton:
        return Language("other", foreign)
    if syllables * 2 >= len(plain) or skeleton >= 2:
        return Language("vi", "syllables")
    if skeleton:
        return Language("vi", "function_words")
    if len(words) >= 4:
        return Language("other", "latin")
    return Language("vi", "default")


def decide(text: str) -> Language:
    """Decide whether a message is Vietnamese, another language, or nothing that can be told.

    Another language needs evidence: another script, or foreign function words that outweigh the Vietnamese
    ones.
    """
    text = normalise(text)
    if not text:
        return Language("unclear", "empty")
    if find_codes(text):
        return Language("vi", "code")
    without_links = _LINK.sub(" ", text)
    letters = [letter for letter in without_links if letter.isalpha()]
    if not letters:
        if text != without_links:
            return Language("unclear", "link_only")
        return Language("unclear", "digits_only" if any(sign.isdigit() for sign in text) else "no_words")
    if len(letters) == 1 and len(text) == 1 and letters[0].isascii():
        return Language("unclear", "one_letter")
    other = [letter for letter in letters if not letter.isascii() and _script(letter) != "latin"]
    if len(other) * 2 > len(letters):
        return Language("other", f"script:{_script(other[0])}")
    decoded = decode(without_links)
    words = [word.lower() for word in _WORD.findall(decoded)]
    if not words:
        return Language("unclear", "no_words")
    expanded = [word.lower() for word in _WORD.findall(expand(decoded))]
    return _decide_latin(words, expanded)
