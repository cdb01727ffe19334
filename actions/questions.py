"""Takes a message with several questions apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.words import word_list
from kb_index.aspects import find_aspects, residue
from vntext.canonical import canonical
from vntext.normalise import strip_marks

_BREAK = re.compile(
    r"\?+|;|\n|(?<=\w)\.\s|,\s+(?=con\s)|"
    r",?\s+(?=(?:với lại|voi lai|và|va|còn|đồng thời|dong thoi|ngoài ra|ngoai ra|à mà|a ma|"
    r"sẵn tiện|san tien|tiện thể|tien the|tiện hỏi|tien hoi|rồi|roi)\s)",
    re.IGNORECASE,
)
_REFERS = re.compile(r"\b(?:cai|thu tuc|viec|ho so|giay|loai|truong hop) (?:do|nay|kia|ay)\b")
_MOST = 3
_FEWEST_OWN = 4
_FOLLOW_UP = word_list("follow_up")


@dataclass(frozen=True)
class Question:
    """One question of a message: its text, the aspects it asks for, and its own content words.

    `refers` says that it points at what was talked about ("cái đó").
    """

    text: str
    aspects: tuple[str, ...]
    residue: tuple[str, ...]
    refers: bool = False


def read_question(text: str) -> Question:
    """Return a text as one question."""
    own = tuple(residue(text)) or _own_words(text)
    refers = bool(_REFERS.search(strip_marks(canonical(text))))
    return Question(text, tuple(find_aspects(text)), own, refers)


def _own_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that no follow-up has, where there are enough of them to be a topic.

    Wording such as "cấp phép nuôi cá sấu phải nộp gì" may be read as asking from its first word to its last;
    it names a topic all the same.
    """
    words = re.findall(r"\w+", strip_marks(canonical(text)))
    own = tuple(word for word in words if word not in _FOLLOW_UP and not word.isdecimal())
    return own if len(own) >= _FEWEST_OWN else ()


def split(text: str) -> list[Question]:
    """Return the questions of a message in order, at most three; the whole where there is only one.

    It is only taken apart where each part asks for something and names something: "khai sinh cần giấy tờ
    gì, còn kết hôn bao nhiêu tiền". In "khai sinh cần giấy tờ gì và lệ phí bao nhiêu" both are on one.
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
