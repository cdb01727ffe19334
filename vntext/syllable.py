"""The Vietnamese written syllable: onset, glide and nucleus, coda, tone; generated from tables of parts.

Rimes are written without tone ("ươc"), tones as one of `TONES`: "" (ngang), "\\u0300" (huyền), "\\u0301"
(sắc), "\\u0309" (hỏi), "\\u0303" (ngã), "\\u0323" (nặng). Tone marks are placed the classic way: "hòa",
"thủy", "khỏe", but "quý" and "già", because the u of "qu" and the i of "gi" belong to the onset.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

TONES = ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
_SHAPED = frozenset("ăâêôơư")
_VOWELS = frozenset("aăâeêioôơuưy")
_STOP_CODAS = ("c", "ch", "p", "t")
_STOP_TONES = ("\u0301", "\u0323")

# Longest first.
_ONSETS = (
    "ngh", "ng", "nh", "gh", "gi", "kh", "ph", "qu", "th", "tr", "ch", "b", "c", "d", "đ", "g", "h",
    "k", "l", "m", "n", "p", "r", "s", "t", "v", "x",
)  # fmt: skip

# Which codas may follow a nucleus; "-" stands for none. Semivowels count as codas here.
_PLAIN_RIMES = {
    "a": "- c ch i m n ng nh o p t u y",
    "ă": "c m n ng p t",
    "â": "c m n ng p t u y",
    "e": "- c m n ng o p t",
    "ê": "- ch m n nh p t u",
    "i": "- a ch m n nh p t u",
    "iê": "c m n ng p t u",
    "o": "- c i m n ng p t",
    "oo": "c ng",
    "ô": "- c i m n ng p t",
    "ơ": "- i m n p t",
    "u": "- a c i m n ng p t",
    "uô": "c i m n ng t",
    "ư": "- a c i m n ng t u",
    "ươ": "c i m n ng p t u",
    "y": "-",
    "yê": "m n ng t u",
}
_GLIDE_RIMES = {
    "oa": "- c ch i m n ng nh o p t y",
    "oă": "c m n ng p t",
    "oe": "- n ng o t",
    "uâ": "n ng t y",
    "uê": "- ch nh n",
    "uơ": "- n",
    "uy": "- a ch n nh p t u",
    "uyê": "n t",
}
_QU_RIMES = {
    "a": "- c ch i n ng nh o t u y",
    "ă": "c m n ng p t",
    "â": "n ng t y",
    "e": "- n o t",
    "ê": "- ch n nh t",
    "i": "- t n nh",
    "ô": "c",
    "ơ": "- i n t",
    "y": "- ch nh n t",
    "yê": "n t",
}


def _spell(table: dict[str, str]) -> frozenset[str]:
    return frozenset(
        nucleus + ("" if coda == "-" else coda) for nucleus, codas in table.items() for coda in codas.split()
    )


_PLAIN = _spell(_PLAIN_RIMES)
_GLIDED = _spell(_GLIDE_RIMES)
_AFTER_QU = _spell(_QU_RIMES)
# "giếng" and "giết" write iê once; "gì" and "gìn" write i once.
_AFTER_GI = frozenset(r for r in _PLAIN if r[0] not in "iy") | {
    "ên",
    "êng",
    "êt",
    "êc",
    "êm",
    "",
    "n",
    "m",
    "p",
}
# Labials take no glide but in a few loans ("buýt", "voan", "phuy").
_NO_GLIDE = frozenset({"b", "m", "p", "v", "ph", "gi"})
_LOANED = frozenset({"buyt", "voan", "phuy", "moay"})
_FRONT = frozenset("eêiy")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One written syllable, lower case: `onset` ("" to "ngh"), toneless `rime`, `tone` (one of `TONES`)."""

    onset: str
    rime: str
    tone: str


def _split_tone(word: str) -> tuple[str, str] | None:
    """Return the word without its tone mark, and the mark; None when it carries more than one."""
    tone = ""
    letters = []
    for letter in word:
        if letter.isascii():
            letters.append(letter)
            continue
        parts = unicodedata.normalize("NFD", letter)
        found = [part for part in parts if part in TONES[1:]]
        if found:
            if tone or len(found) > 1:
                return None
            tone = found[0]
            letter = unicodedata.normalize("NFC", "".join(part for part in parts if part != tone))
        letters.append(letter)
    return "".join(letters), tone


def _fits(onset: str, rime: str) -> bool:
    if onset == "qu":
        return rime in _AFTER_QU
    if onset == "gi":
        return rime in _AFTER_GI
    if not rime:
        return False
    if rime in _GLIDED:
        return onset not in _NO_GLIDE or onset + rime in _LOANED
    if rime not in _PLAIN:
        return False
    front = rime[0] in _FRONT
    if onset == "c" or onset == "ng":
        return not front
    if onset == "g":
        return not front or rime[0] == "i"
    if onset in ("k", "gh", "ngh"):
        return front
    if rime[0] == "y":
        return onset == "" or len(rime) == 1
    return True


@lru_cache(maxsize=20_000)
def parse(word: str) -> Syllable | None:
    """Take a word (NFC, any case, tone on any vowel) apart; None when it is no Vietnamese syllable."""
    if not 0 < len(word) <= 8:
        return None
    split = _split_tone(word.lower())
    if split is None:
        return None
    bare, tone = split
    for onset in _ONSETS:
        if bare.startswith(onset):
            rime = bare[len(onset) :]
            if _fits(onset, rime):
                break
    else:
        onset, rime = "", bare
        if not _fits(onset, rime):
            return None
    if tone not in _STOP_TONES and rime.endswith(_STOP_CODAS) and tone:
        return None
    return Syllable(onset, rime, tone)


def is_syllable(word: str) -> bool:
    """Tell whether the word, marked as it is, can be written Vietnamese (unmarked stop codas pass)."""
    return parse(word) is not None


def is_complete(word: str) -> bool:
    """Like `is_syllable`, but a stop coda must carry sắc or nặng, as in marked text ("tục", not "tuc")."""
    syllable = parse(word)
    if syllable is None:
        return False
    return bool(syllable.tone) or not syllable.rime.endswith(_STOP_CODAS)


def _tone_position(onset: str, rime: str) -> int:
    """Return the index in `rime` of the letter that carries the tone mark."""
    vowels = 0
    while vowels < len(rime) and rime[vowels] in _VOWELS:
        vowels += 1
    shaped = [i for i in range(vowels) if rime[i] in _SHAPED]
    if shaped:
        return shaped[-1]
    if vowels < len(rime):
        return vowels - 1
    return 1 if vowels == 3 else 0


def write(syllable: Syllable) -> str:
    """Write a syllable in lower case with its tone mark in the classic place."""
    onset, rime, tone = syllable.onset, syllable.rime, syllable.tone
    if not tone:
        return onset + rime
    if onset == "gi" and (not rime or rime[0] not in _VOWELS):
        return "g" + unicodedata.normalize("NFC", "i" + tone) + rime
    position = _tone_position(onset, rime)
    marked = unicodedata.normalize("NFC", rime[position] + tone)
    return onset + rime[:position] + marked + rime[position + 1 :]


@lru_cache(maxsize=20_000)
def place_tone(word: str) -> str:
    """Move the tone mark of a word to its classic place, letter for letter; other words come back unchanged.

    The result has the length and the case of the word ("HOÀ" becomes "HÒA").
    """
    if word.isascii():
        return word
    syllable = parse(word)
    if syllable is None or not syllable.tone:
        return word
    placed = write(syllable)
    if len(placed) != len(word):
        return word
    return "".join(new.upper() if old.isupper() else new for old, new in zip(word, placed, strict=True))
