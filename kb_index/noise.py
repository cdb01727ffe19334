"""Spoils a text the way people do: no marks, chat spelling, mistyped and dropped words. For training only."""

from __future__ import annotations

import random

from vntext.normalise import strip_marks

_CHAT = {
    "không": ("k", "ko", "hok", "hong"),
    "được": ("dc", "đc"),
    "gì": ("j", "z"),
    "đăng ký": ("đk", "dk"),
    "giấy": ("giay", "zấy"),
    "với": ("vs",),
    "người": ("ng",),
    "nhiêu": ("nhiu",),
    "chứng": ("chứn",),
    "kinh doanh": ("kd",),
    "giấy tờ": ("gt",),
    "khai sinh": ("ks",),
    "kết hôn": ("kh",),
    "công an": ("ca",),
    "hồ sơ": ("hs",),
}
# Spellings that sound alike in the Centre and the South, or that fingers mix up.
_ALIKE = (
    ("ch", "tr"),
    ("tr", "ch"),
    ("s", "x"),
    ("x", "s"),
    ("d", "gi"),
    ("gi", "d"),
    ("v", "d"),
    ("d", "v"),
    ("l", "n"),
    ("c", "k"),
    ("ng", "n"),
    ("n", "ng"),
    ("t", "c"),
    ("c", "t"),
    ("i", "y"),
    ("y", "i"),
    ("ph", "f"),
    ("gh", "g"),
    ("ngh", "ng"),
    ("qu", "w"),
)
_TONES = {
    "ả": "ã",
    "ã": "ả",
    "ẻ": "ẽ",
    "ẽ": "ẻ",
    "ỉ": "ĩ",
    "ĩ": "ỉ",
    "ỏ": "õ",
    "õ": "ỏ",
    "ổ": "ỗ",
    "ỗ": "ổ",
} | {
    "ủ": "ũ",
    "ũ": "ủ",
    "ử": "ữ",
    "ữ": "ử",
    "ở": "ỡ",
    "ỡ": "ở",
    "ể": "ễ",
    "ễ": "ể",
    "ẩ": "ẫ",
    "ẫ": "ẩ",
    "ẳ": "ẵ",
    "ẵ": "ẳ",
}


def noisy(text: str, chance: random.Random) -> str:
    """Return `text` spoiled in one or two ways, drawn from `chance`."""
    ways = chance.choice(((_unmarked,), (_mistyped,), (_chat, _unmarked), (_chat,), (_mistyped, _unmarked)))
    for way in ways:
        text = way(text, chance)
    return text


def mistyped(word: str, chance: random.Random) -> str:
    """Return one word misspelt: spelt by ear, a wrong tone, or a letter dropped, doubled or swapped."""
    kind = chance.random()
    if kind < 0.45:
        options = [(a, b) for a, b in _ALIKE if word.startswith(a) or word.endswith(a)]
        if options:
            old, new = chance.choice(options)
            return new + word[len(old) :] if word.startswith(old) else word[: -len(old)] + new
    if kind < 0.65:
        return "".join(_TONES.get(letter, letter) for letter in word)
    if len(word) < 3:
        return word
    place = chance.randrange(1, len(word))
    if kind < 0.8:
        return word[:place] + word[place + 1 :]
    if kind < 0.9:
        return word[:place] + word[place - 1] + word[place:]
    return word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]


def _unmarked(text: str, chance: random.Random) -> str:
    return strip_marks(text)


def _mistyped(text: str, chance: random.Random) -> str:
    return " ".join(mistyped(word, chance) if chance.random() < 0.2 else word for word in text.split())


def _chat(text: str, chance: random.Random) -> str:
    for official, short in _CHAT.items():
        if official in text and chance.random() < 0.6:
            text = text.replace(official, chance.choice(short))
    return text
