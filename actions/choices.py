"""Resolves which of the offered choices is meant: by number, ordinal, words of it, or none of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vntext.canonical import canonical
from vntext.normalise import strip_marks

NONE_OF_THESE = "none"

_NUMBERS = {
    "1": 1, "mot": 1, "nhat": 1, "dau": 1, "dau tien": 1,
    "2": 2, "hai": 2, "nhi": 2,
    "3": 3, "ba": 3,
    "4": 4, "bon": 4, "tu": 4,
    "5": 5, "nam": 5,
}  # fmt: skip
_LAST = {"cuoi", "cuoi cung", "chot", "sau cung"}
_FILLERS = {
    "a", "ah", "da", "vang", "u", "uh", "um", "em", "anh", "chi", "ad", "oi", "nhe", "nha", "nhen", "nghe",
    "di", "do", "ay", "y", "cai", "muc", "so", "cau", "dong", "chon", "lay", "thu", "lua", "phuong", "an",
    "la", "cho", "toi", "minh", "tui", "o", "ne", "thi", "truong", "hop", "vay", "hen", "luon", "ok", "oke",
    "theo", "hoi", "muon", "can", "xem", "tren", "ben", "ve",
}  # fmt: skip
# They may stand around a choice ("cái đăng ký lại thì cần gì") and do not speak against one.
_QUESTION_WORDS = {
    "bao", "nhieu", "lau", "gi", "dau", "the", "nao", "sao", "can", "giay", "to", "phi", "le", "nop", "khong",
    "ko", "k", "phai", "nhung", "lam", "online", "duoc", "hoi", "co", "va", "tien", "mat", "het", "ha", "vay",
}  # fmt: skip
_NONE = re.compile(
    r"^(?:da |a |u |vang )*(?:deu )?(?:khong phai|ko phai|khong co|khong dung|khong thay)?\s*"
    r"(?:cai nao|muc nao|cac muc nay|may cai nay|may muc nay|nhung cai nay|cai khac|muc khac|cai nay|"
    r"khong phai|"
    r"deu khong phai|khong cai nao|khong muc nao|y toi|viec khac|cai nao het|cai nao ca)"
    r"(?: ca| het| dung| dau| a| em| nhe| nha| het tron)*$"
)
_NOT_THESE = re.compile(
    r"\b(?:khong|ko|k|hong|chang) (?:phai|co|dung|thay)\b|\bkhac\b|\bkhong (?:cai|muc) nao\b"
)


@dataclass(frozen=True)
class Choice:
    """What was chosen: the index of the option, or none of them (`index` None)."""

    index: int | None


def is_first(text: str) -> bool:
    """Return whether a text says "the first one" in words; a bare "1" may mean anything."""
    plain = " ".join(re.findall(r"\w+", strip_marks(canonical(text))))
    return not any(letter.isdigit() for letter in plain) and _by_number(plain, 1) == 0 and "dau" in plain


def resolve(text: str, titles: Sequence[str]) -> Choice | None:
    """Return which of `titles` the text chooses, `Choice(None)` for none of these, None for no choice."""
    if not titles:
        return None
    plain = " ".join(re.findall(r"\w+", strip_marks(canonical(text))))
    if not plain:
        return None
    by_number = _by_number(plain, len(titles))
    if by_number is not None:
        return Choice(by_number)
    if _NONE.match(plain) and _NOT_THESE.search(plain):
        return Choice(None)
    by_words = _by_words(text, titles)
    return None if by_words is None else Choice(by_words)


def _by_number(plain: str, count: int) -> int | None:
    words = [word for word in plain.split() if word not in _FILLERS]
    said = " ".join(words)
    if said in _LAST:
        return count - 1
    if said in {"giua", "chinh giua"} and count == 3:
        return 1
    number = _NUMBERS.get(said)
    if number is None or number > count:
        return None
    return number - 1


def _by_words(text: str, titles: Sequence[str]) -> int | None:
    """Choose the option that shares most words with the text, counting only words that tell options apart."""
    options = [_words(title) for title in titles]
    shared_by_all = set.intersection(*options) if len(options) > 1 else set()
    known = {word for option in options for word in option}
    said = _words(text) - ((_FILLERS | _QUESTION_WORDS) - known)
    if not said:
        return None
    if len(said & known) * 2 < len(said):
        return None
    scores = [len((option - shared_by_all) & said) for option in options]
    best = max(scores)
    if best == 0 or scores.count(best) > 1:
        return None
    return scores.index(best)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", strip_marks(canonical(text))))
