"""The text as search and classifiers read it: normalised, Telex and chat spelling resolved, lower case.

Unmarked text stays unmarked but for the words that were written out; compare with `strip_marks` where it
matters.
"""

from __future__ import annotations

from functools import lru_cache

from vntext.normalise import normalise
from vntext.spelling import expand
from vntext.telex import decode

_PASSES = 6  # each pass only turns short forms into words, so two are nearly always enough


@lru_cache(maxsize=256)
def canonical(text: str) -> str:
    """Return the canonical form; idempotent.

    >>> canonical("Lamf KS cho bé hết bn?")
    'làm khai sinh cho bé hết bao nhiêu?'
    """
    current = normalise(text)
    for _ in range(_PASSES):
        following = normalise(expand(decode(current)).lower())
        if following == current:
            break
        current = following
    return current
