"""Words by how they sound, for tolerant matching: what is misspelt by ear in Vietnamese gets the same key."""

from __future__ import annotations

import re
from functools import lru_cache

from vntext.normalise import normalise, strip_marks

# Written differently, spoken alike somewhere between Bình Định and the Highlands; longest first.
_ONSETS = (
    ("ngh", "ng"), ("gh", "g"), ("gi", "d"), ("tr", "ch"), ("ph", "f"), ("qu", "kw"),
    ("v", "d"), ("r", "d"), ("z", "d"), ("j", "d"), ("x", "s"), ("c", "k"), ("q", "k"), ("w", "kw"),
)  # fmt: skip
_NOT_ONSETS = ("ch", "kh", "th", "nh")
_RIMES = (
    (re.compile("y"), "i"),
    (re.compile("uou"), "uu"),
    (re.compile("ieu"), "iu"),
    (re.compile("uoi"), "ui"),
    (re.compile("ie(?=[mp])"), "i"),
    (re.compile("uo(?=m)"), "u"),
    (re.compile("ao"), "au"),
    (re.compile("(?:ng|nh)$"), "n"),
    (re.compile("(?:ch|c|k)$"), "t"),
)


@lru_cache(maxsize=50_000)
def sound_key(word: str) -> str:
    """Return a phonetic key without marks: words that people mistake for each other by ear share it.

    Merged are d, gi, v and r; ch and tr; s and x; i and y; final n, ng and nh; final t, c and ch; all tone
    and vowel marks (so that marked and unmarked typing meet). The key is for finding candidates; rank exact
    matches above it.

    >>> sound_key("xạt") == sound_key("sạt"), sound_key("giựng") == sound_key("dựng")
    (True, True)
    """
    plain = strip_marks(normalise(word)).lower()
    onset, rime = "", plain
    if plain.startswith(_NOT_ONSETS):
        onset, rime = plain[:2], plain[2:]
    else:
        for written, spoken in _ONSETS:
            if plain.startswith(written):
                rest = plain[len(written) :]
                if written == "gi" and (not rest or rest[0] not in "aeiouy"):
                    rest = "i" + rest
                onset, rime = spoken, rest
                break
    for pattern, spoken in _RIMES:
        rime = pattern.sub(spoken, rime)
    return onset + rime
