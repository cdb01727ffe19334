"""One key for spellings that sound alike, so that "xang tên sỗ đõ" still finds "sang tên sổ đỏ"."""

from __future__ import annotations

from functools import lru_cache

from vntext.normalise import strip_marks

# The longest first. What the Centre and the South do not tell apart, or what spelling by ear mixes up.
_INITIALS = (
    ("ngh", "ng"),
    ("ng", "ng"),
    ("nh", "nh"),
    ("tr", "ch"),
    ("ch", "ch"),
    ("ph", "f"),
    ("kh", "kh"),
    ("gh", "g"),
    ("gi", "d"),
    ("th", "th"),
    ("qu", "kw"),
    ("k", "k"),
    ("c", "k"),
    ("q", "k"),
    ("x", "s"),
    ("s", "s"),
    ("r", "r"),
    ("d", "d"),
    ("z", "d"),
    ("v", "d"),
    ("j", "d"),
    ("f", "f"),
    ("w", "kw"),
    ("b", "b"),
    ("g", "g"),
    ("h", "h"),
    ("l", "l"),
    ("m", "m"),
    ("n", "n"),
    ("p", "p"),
    ("t", "t"),
)
_FINALS = (
    ("ng", "n"),
    ("nh", "n"),
    ("ch", "t"),
    ("c", "t"),
    ("t", "t"),
    ("n", "n"),
    ("m", "m"),
    ("p", "p"),
    ("g", "n"),
)
_VOWELS = str.maketrans({"y": "i"})


@lru_cache(maxsize=50_000)
def sound_key(word: str) -> str:
    """Return the key of a syllable, without marks; a number is its own key."""
    plain = strip_marks(word.lower())
    if not plain.isalpha():
        return plain
    # "đ" and "d" are one here: unmarked typing must find marked text.
    initial, rest = "", plain
    for spelling, sound in _INITIALS:
        if plain.startswith(spelling) and len(plain) > len(spelling):
            initial, rest = sound, plain[len(spelling) :]
            if spelling == "gi" and rest[0] not in "aeou":
                rest = "i" + rest
            break
    for ending, sound in _FINALS:
        if rest.endswith(ending) and len(rest) > len(ending):
            rest = rest[: -len(ending)] + sound
            break
    return initial + rest.translate(_VOWELS)
