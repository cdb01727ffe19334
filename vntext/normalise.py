"""One form for every text: NFC, one tone placement, no invisible characters, single spaces; case is kept.

The tone mark goes where the classic rule puts it: "hòa", "thủy", "khỏe", "quý" (see `vntext.syllable`).
Bases with marks in another order than Unicode's composition needs (tone typed before the circumflex or
breve, as some VNI keyboards do) are put together, and the Latin eth that old fonts use for đ becomes đ.
"""

from __future__ import annotations

import re
import unicodedata

from vntext.syllable import place_tone

_SHAPE_MARKS = frozenset("\u0302\u0306\u031b")
# Fillers that look like a space but are letters or symbols to Unicode.
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_DROPPED = frozenset({"Cc", "Cf", "Cs"})
_ETH = {"ð": "đ", "Ð": "Đ"}
# A word that ends in a mark which could not be composed is no Vietnamese syllable: moving its tone would let
# the stray mark compose with what is left.
_WORD = re.compile(r"[^\W\d_]++(?![\u0300-\u036f])")


def _letters_of(table: dict[int, str], first: int, last: int) -> None:
    for code in range(first, last + 1):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii() and base.isalpha():
            table[code] = base


_UNMARKED: dict[int, str] = {ord("đ"): "d", ord("Đ"): "D"}
_letters_of(_UNMARKED, 0x00C0, 0x024F)
_letters_of(_UNMARKED, 0x1E00, 0x1EFF)


def _visible(text: str) -> tuple[list[str], list[int]]:
    """Drop what cannot be seen, make every space the same; return characters and where they came from."""
    characters: list[str] = []
    origins: list[int] = []
    pending_space = -1
    for index, character in enumerate(text):
        if character.isspace() or character in _BLANKS:
            if characters and pending_space < 0:
                pending_space = index
            continue
        if not character.isascii() or not character.isprintable():
            if unicodedata.category(character) in _DROPPED:
                continue
            character = _ETH.get(character, character)
        if pending_space >= 0:
            characters.append(" ")
            origins.append(pending_space)
            pending_space = -1
        characters.append(character)
        origins.append(index)
    return characters, origins


def _compose_cluster(cluster: str) -> str:
    composed = unicodedata.normalize("NFC", cluster)
    if len(composed) > 1 and any(mark in _SHAPE_MARKS for mark in composed):
        base, *marks = list(unicodedata.normalize("NFD", composed))
        marks.sort(key=lambda mark: mark not in _SHAPE_MARKS)
        reordered = unicodedata.normalize("NFC", base + "".join(marks))
        if len(reordered) < len(composed):
            return reordered
    return composed


def _compose(characters: list[str], origins: list[int]) -> tuple[str, list[int]]:
    """Compose to NFC, cluster by cluster, so that each result character keeps the origin of its base."""
    clusters: list[tuple[str, int]] = []
    for character, origin in zip(characters, origins, strict=True):
        if clusters:
            held, start = clusters[-1]
            if unicodedata.combining(character) or (
                not character.isascii()
                and unicodedata.normalize("NFC", held[-3:] + character)
                != unicodedata.normalize("NFC", held[-3:]) + unicodedata.normalize("NFC", character)
            ):
                clusters[-1] = (held + character, start)
                continue
        clusters.append((character, origin))
    output: list[str] = []
    output_origins: list[int] = []
    for cluster, origin in clusters:
        composed = _compose_cluster(cluster)
        output.append(composed)
        output_origins.extend([origin] * len(composed))
    return "".join(output), output_origins


def normalise_with_offsets(text: str) -> tuple[str, list[int]]:
    """Normalise, and say where each character came from.

    Returns:
        The normalised text, and a list of the same length that maps each of its characters to an index of
        `text` (never decreasing).
    """
    characters, origins = _visible(text)
    result = "".join(characters)
    if not unicodedata.is_normalized("NFC", result) or any(mark in result for mark in _SHAPE_MARKS):
        result, origins = _compose(characters, origins)
    if not result.isascii():
        result = _WORD.sub(lambda match: place_tone(match[0]), result)
    return result, origins


def normalise(text: str) -> str:
    """Return the text in the one form that everything behind reads; idempotent.

    >>> normalise("hoà  giải\\u200b")
    'hòa giải'
    """
    return normalise_with_offsets(text)[0]


def strip_marks(text: str) -> str:
    """Return the text without diacritics, "Đường" as "Duong"; its length is that of the text's NFC form."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text).translate(_UNMARKED)
