"""Where the words of a message are, and which stretches are no words: links, addresses, codes, numbers.

Shared by the Telex decoder and the chat-spelling expander, so that both leave the same things alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<fixed>"
    r"https?://\S{1,500}|www\.\S{1,300}"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"
    r"|[a-z0-9-]{2,63}(?:\.[a-z0-9-]{2,63}){0,4}\.(?:vn|com|net|org|gov|edu|info|io)\b(?:/\S{0,200})?"
    r"|\b[a-z]{2,5}-\d{4}-\d{3,8}(?:-\d)?\b"
    r"|\b(?:\d{3}\.\d{2}\.\d{2}\.)?[a-z]\d{2}(?:\.\d{2}){0,3}-\d{6}-\d{4}\b"
    r"|[@#][\w.]{2,60}"
    r")"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
    r"|(?P<mark>[^\w\s]|_)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch of text: `kind` is "word", "number", "mark" (one sign) or "fixed" (link, address, code)."""

    text: str
    start: int
    end: int
    kind: str


def tokenise(text: str) -> list[Token]:
    """Split a normalised text into tokens, in order, spaces left out."""
    return [
        Token(match[0], match.start(), match.end(), match.lastgroup or "mark")
        for match in _TOKEN.finditer(text)
    ]


def replace(text: str, changes: list[tuple[int, int, str]]) -> str:
    """Return the text with each (start, end, new) put in; the stretches must be in order and apart."""
    if not changes:
        return text
    parts: list[str] = []
    position = 0
    for start, end, new in changes:
        parts += (text[position:start], new)
        position = end
    parts.append(text[position:])
    return "".join(parts)
