"""Takes a message with several questions apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kb_index.aspects import find_aspects, residue

_BREAK = re.compile(
    r"\?+|;|\n|(?<=\w)\.\s|"
    r",?\s+(?=(?:với lại|voi lai|và|va|còn|con|đồng thời|dong thoi|ngoài ra|ngoai ra|à mà|a ma|"
    r"sẵn tiện|san tien|tiện thể|tien the|tiện hỏi|tien hoi|rồi|roi)\s)",
    re.IGNORECASE,
)
_MOST = 3


@dataclass(frozen=True)
class Question:
    """One question of a message: its text, the aspects it asks for, and the content words it has of its own."""

    text: str
    aspects: tuple[str, ...]
    residue: tuple[str, ...]


def read_question(text: str) -> Question:
    """Return a text as one question."""
    return Question(text, tuple(find_aspects(text)), tuple(residue(text)))


def split(text: str) -> list[Question]:
    """Return the questions of a message in order, at most three; one that cannot be taken apart comes back whole.

    It is only taken apart where each part asks for something and names something: "khai sinh cần giấy tờ gì, còn
    kết hôn bao nhiêu tiền". In "khai sinh cần giấy tờ gì và lệ phí bao nhiêu" both ask about the same thing.
    """
    whole = read_question(text)
    if len(whole.aspects) < 1:
        return [whole]
    parts: list[Question] = []
    carried = ""
    for piece in (piece.strip(" ,.") for piece in _BREAK.split(text) if piece):
        joined = f"{carried} {piece}".strip()
        question = read_question(joined)
        if question.aspects and question.residue:
            parts.append(question)
            carried = ""
        elif parts and not carried:
            # A part without a topic of its own belongs to the question before it.
            last = parts[-1]
            parts[-1] = read_question(f"{last.text}, {piece}")
        else:
            carried = joined
    if len(parts) < 2:
        return [whole]
    if carried:
        parts[-1] = read_question(f"{parts[-1].text}, {carried}")
    return parts[:_MOST]
