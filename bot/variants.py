"""Ways in which people type the same sentence: chat spelling, sound swaps, slips of the finger, raw Telex.

Each function takes text and a random generator and returns another spelling, or the same text when nothing
in it can change. They make training copies only; reading what people type is `vntext`'s part.
"""

from __future__ import annotations

import re
import unicodedata
from random import Random

from vntext.normalise import strip_marks

# Full form to short forms, as they are seen in public chats; longer full forms first when applied.
_CHAT: dict[str, tuple[str, ...]] = {
    "như thế nào": ("ntn", "như nào", "ntnao"),
    "bao nhiêu": ("bn", "bnh", "bao nhiu", "nhiêu"),
    "bao lâu": ("bl", "bao lau"),
    "ủy ban nhân dân": ("ubnd", "ủy ban"),
    "căn cước công dân": ("cccd",),
    "chứng minh nhân dân": ("cmnd",),
    "bảo hiểm y tế": ("bhyt",),
    "bảo hiểm xã hội": ("bhxh",),
    "giấy chứng nhận": ("gcn", "giấy cn"),
    "quyền sử dụng đất": ("qsdđ", "qsdd"),
    "giấy phép xây dựng": ("gpxd",),
    "giấy phép lái xe": ("gplx",),
    "đăng ký": ("đk", "dk", "đki"),
    "khai sinh": ("ks",),
    "kết hôn": ("kh",),
    "hộ khẩu": ("hk",),
    "thủ tục": ("tt", "thủ tuc"),
    "giấy tờ": ("giấy tờ", "gtờ", "giấy tơ"),
    "hồ sơ": ("hs", "hsơ"),
    "điện thoại": ("đt", "dt", "sđt"),
    "trực tuyến": ("onl", "online"),
    "trên mạng": ("onl", "trên mxh"),
    "phản ánh": ("pa", "p.ánh"),
    "nhân viên": ("nv",),
    "không": ("k", "ko", "kg", "hông", "hok", "khum", "hem"),
    "được": ("dc", "đc", "đk", "đươc", "dk"),
    "gì": ("j", "gi", "zì"),
    "vậy": ("v", "z", "zậy", "vay"),
    "với": ("vs", "vớ", "zới"),
    "mình": ("mk", "mik", "m"),
    "tôi": ("t", "tui", "toi"),
    "người": ("ng", "ngừi", "nguoi"),
    "rồi": ("r", "rùi", "ròi"),
    "biết": ("bt", "bít", "bik"),
    "làm": ("lm", "lam"),
    "phải": ("pải", "fải", "p"),
    "nhiều": ("nhìu", "nh"),
    "cũng": ("cx", "cug"),
    "trước": ("trc", "tr"),
    "thôi": ("thui", "thoi"),
    "quá": ("wá", "wa", "qá"),
    "giờ": ("h", "giờ"),
    "những": ("nhg", "~"),
    "trong": ("tr", "trog"),
    "bây giờ": ("bi h", "bh"),
    "anh chị": ("ac", "a/c"),
    "em": ("e",),
    "anh": ("a",),
    "chị": ("c",),
    "nhé": ("nha", "nhá", "nhe"),
    "vâng": ("vg", "zâng"),
    "dạ": ("dạ", "zạ"),
    "cảm ơn": ("cám ơn", "thanks", "tks", "cảm on"),
    "bạn": ("b", "bn"),
    "muốn": ("mún", "mun"),
    "hỏi": ("hoi", "hỏi"),
    "chưa": ("chx", "chua"),
    "sao": ("s", "sao"),
}
_CHAT_PATTERN = re.compile(
    r"(?<!\w)(" + "|".join(sorted(map(re.escape, _CHAT), key=len, reverse=True)) + r")(?!\w)", re.IGNORECASE
)

# Sounds that fall together in a dialect of the region or in many people's spelling, both ways.
_INITIALS = (
    ("tr", "ch"), ("ch", "tr"), ("s", "x"), ("x", "s"), ("gi", "d"), ("d", "gi"), ("v", "d"), ("d", "v"),
    ("r", "g"), ("n", "l"), ("l", "n"), ("qu", "w"), ("kh", "h"), ("ngh", "ng"), ("gh", "g"),
)  # fmt: skip
_FINALS = (("n", "ng"), ("ng", "n"), ("c", "t"), ("t", "c"), ("y", "i"), ("i", "y"))
_HOOK, _TILDE = "\u0309", "\u0303"
_TELEX_MARKS = {
    "\u0300": "f", "\u0301": "s", "\u0309": "r", "\u0303": "x", "\u0323": "j",
    "\u0302": None, "\u031b": "w", "\u0306": "w",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")


def without_marks(text: str) -> str:
    """Return `text` as typed without any marks: "đường" becomes "duong"."""
    return strip_marks(text)


def in_chat_spelling(text: str, random: Random) -> str:
    """Shorten some words as in chats; at least one where any can be."""
    found = list(_CHAT_PATTERN.finditer(unicodedata.normalize("NFC", text)))
    if not found:
        return text
    chosen = [match for match in found if random.random() < 0.6] or [random.choice(found)]
    text = unicodedata.normalize("NFC", text)
    for match in reversed(chosen):
        text = text[: match.start()] + random.choice(_CHAT[match[1].lower()]) + text[match.end() :]
    return text


def _swap_tone(word: str) -> str:
    letters = unicodedata.normalize("NFD", word)
    swapped = letters.translate({ord(_HOOK): _TILDE, ord(_TILDE): _HOOK})
    return unicodedata.normalize("NFC", swapped)


def _misheard(word: str, random: Random) -> str:
    options = [new + word[len(old) :] for old, new in _INITIALS if word.lower().startswith(old)]
    options += [
        word[: -len(old)] + new for old, new in _FINALS if len(word) > 2 and word.lower().endswith(old)
    ]
    options += [_swap_tone(word)] * 2 if _swap_tone(word) != word else []
    return random.choice(options) if options else word


def _mistyped(word: str, random: Random) -> str:
    if len(word) < 3:
        return word
    at = random.randrange(len(word) - 1)
    kind = random.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[: at + 1] + word[at] + word[at + 1 :]


def with_mistakes(text: str, random: Random) -> str:
    """Misspell one word, or two in a longer text: sounds that fall together, or a slip of the finger."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    chosen = random.sample(words, min(len(words), 1 if len(words) < 6 else 2))
    for match in sorted(chosen, key=lambda found: -found.start()):
        wrong = (_misheard if random.random() < 0.6 else _mistyped)(match[0], random)
        text = text[: match.start()] + wrong + text[match.end() :]
    return text


def _telex(word: str) -> str:
    """Spell one word as Telex keys, the tone at the end: "thủ" becomes "thur"."""
    keys: list[str] = []
    tone = ""
    for letter in unicodedata.normalize("NFD", word.replace("đ", "dd").replace("Đ", "DD")):
        if letter not in _TELEX_MARKS:
            keys.append(letter)
        elif letter == "\u0302":
            keys.append(keys[-1])
        elif letter in ("\u031b", "\u0306"):
            keys.append("w")
        else:
            tone = _TELEX_MARKS[letter] or ""
    return "".join(keys) + tone


def in_telex(text: str, random: Random) -> str:
    """Leave Telex keys unconverted, in every word or in about half of them."""
    share = random.choice((1.0, 0.5))
    return _WORD.sub(lambda match: _telex(match[0]) if random.random() < share else match[0], text)
