"""Finds the sender's name in a message, written with or without marks and capitals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.words import word_list
from vntext.normalise import strip_marks

_SELF = r"(?:toi|em|minh|tui|tao|con|chau|anh|chi|ba|ong|co|chu|bac|mk|mik|to)"
_LEADS = (
    re.compile(
        rf"\b(?:ho (?:va |& ?)?ten|ten)(?: (?:cua )?{_SELF})?(?: day du)?(?: dung)?(?: la\b|"
        rf" thanh\b)?\s*[:=-]?\s*(?=\S)"
    ),
    re.compile(rf"\b{_SELF} (?:la|ten la|ten)\s*[:]?\s+(?=\S)"),
    re.compile(r"\bnguoi (?:gui|phan anh|kien nghi|lien he)(?: la)?\s*[:]?\s*(?=\S)"),
)
_LOOSE_LEAD = 1
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MOST_TOKENS = 5
_FAMILY_NAMES = word_list("family_names")
_NOT_NAMES = word_list("never_begin_a_name")
# A name ends before one of these; the weak ones are parts of names too ("Trần Văn Nam", "Lê Thị Hồng").
_ENDS = word_list("end_a_name")
_WEAK_ENDS = word_list("may_end_a_name")
_MIDDLE = {"thi", "van"}
_FULL_NAME = 3
_FILLERS = re.compile(
    rf"^(?:(?:da|a|vang|thua|u|uh|ok|oke|roi|{_SELF}|ten|la|ho ten|ghi|cu|thi)\b[\s,:.]*)+|[\s,.]*\b(?:a|"
    rf"ah|nhe|nha|nghe|em|ad|day|do)$"
)
_NOT_A_NAME_ANSWER = re.compile(
    r"\d|\?|\b(?:khong|ko|sao|gi|dau|nao|thoi|huy|dung|muon|phan anh|tai|hoi|bao|nhieu|chua|duoc|dong y|gui|"
    r"biet|can|phai|roi|bi|the|hay|lam|cho|xem|chu)\b"
)


@dataclass(frozen=True)
class FoundName:
    """A name, and where it stands in the text together with the words that announce it."""

    name: str
    start: int
    end: int


def find_name(text: str) -> FoundName | None:
    """Return the name that is given with a word to announce it ("mình tên Khánh", "tôi là Nguyễn Văn A")."""
    plain = strip_marks(text).lower()
    for number, lead in enumerate(_LEADS):
        for match in lead.finditer(plain):
            tokens = _run(text, plain, match.end())
            if not tokens:
                continue
            first = tokens[0]
            is_capital = first[0].isupper()
            word = strip_marks(first).lower()
            if word in _NOT_NAMES and not (is_capital and word in _FAMILY_NAMES):
                continue
            loose = number == _LOOSE_LEAD and "ten" not in match[0].split()
            if loose and not (is_capital or (word in _FAMILY_NAMES and len(tokens) > 1)):
                continue
            end = _end_of(text, match.end(), len(tokens))
            return FoundName(_capitalised(tokens), match.start(), end)
    return None


def name_answer(text: str) -> str | None:
    """Return the name when the whole message is one, as the answer to the question for the name."""
    plain = strip_marks(text).lower()
    lead = _FILLERS.match(plain)
    start = lead.end() if lead and lead.start() == 0 else 0
    body, body_plain = text[start:], plain[start:]
    tail = re.search(r"[\s,.]*\b(?:a|ah|nhe|nha|nghe|em|ad|day|do)\s*[.!]*$", body_plain)
    if tail and tail.start() > 0:
        body, body_plain = body[: tail.start()], body_plain[: tail.start()]
    body, body_plain = body.strip(" .,!:"), body_plain.strip(" .,!:")
    if not body or _NOT_A_NAME_ANSWER.search(body_plain):
        return None
    tokens = _TOKEN.findall(body)
    if not 1 <= len(tokens) <= _MOST_TOKENS or " ".join(tokens) != " ".join(body.split()):
        return None
    if strip_marks(tokens[0]).lower() in _NOT_NAMES and not tokens[0][0].isupper():
        return None
    return _capitalised(tokens)


def _run(text: str, plain: str, start: int) -> list[str]:
    tokens: list[str] = []
    position = start
    while len(tokens) < _MOST_TOKENS:
        token = _TOKEN.match(text, position)
        if token is None:
            break
        word = strip_marks(token[0]).lower()
        is_capital = token[0][0].isupper()
        if tokens and not (is_capital and tokens[0][0].isupper()) and _is_end(word, tokens):
            break
        if tokens and tokens[0][0].isupper() and not is_capital:
            break
        tokens.append(token[0])
        position = token.end()
        if text[position : position + 1] != " ":
            break
        position += 1
    return tokens


def _is_end(word: str, tokens: list[str]) -> bool:
    if word in _ENDS:
        return True
    if word not in _WEAK_ENDS:
        return False
    before = [strip_marks(token).lower() for token in tokens]
    if word == "a":
        return before[-1] not in _MIDDLE
    return before[0] not in _FAMILY_NAMES or len(tokens) >= _FULL_NAME


def _end_of(text: str, start: int, count: int) -> int:
    position = start
    for _ in range(count):
        token = _TOKEN.search(text, position)
        assert token is not None
        position = token.end()
    return position


def _capitalised(tokens: list[str]) -> str:
    return " ".join(token if token[0].isupper() else token[0].upper() + token[1:] for token in tokens)
