"""The piece of a text around the words that were looked for, for lists."""

from __future__ import annotations

from conversations.desk.words import words_of
from vntext.masking import mask_personal
from vntext.normalise import normalise, strip_marks

_LENGTH = 120
_BEFORE = 30


def snippet(text: str, asked: str) -> str:
    """Return about 120 characters of a text around the first of the words looked for, numbers masked."""
    line = " ".join(mask_personal(normalise(text)).split())
    if len(line) <= _LENGTH:
        return line
    plain = strip_marks(line).lower()
    places = [place for word in words_of(asked) if (place := plain.find(word)) >= 0]
    start = max(0, min(places, default=0) - _BEFORE)
    start = line.rfind(" ", 0, start) + 1 if start else 0
    piece = line[start : start + _LENGTH]
    return ("…" if start else "") + piece + ("…" if start + _LENGTH < len(line) else "")
