"""Telex that the keyboard did not convert: "thur tucj" is "thủ tục", "laanf ddaauf" is "lần đầu".

A word is decoded only when its keystrokes end in a valid Vietnamese syllable, when it is not itself
ordinary text, and when the sentence bears it out: English, brand and chat words that happen to be Telex
("tax", "max", "has") need several undoubted Telex words beside them. Marked words are left alone unless
keystrokes remain in them ("đuwowcj").
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import yaml

from vntext.normalise import strip_marks
from vntext.syllable import Syllable, is_complete, is_syllable, parse, write
from vntext.tokens import Token, replace, tokenise

_TONE_KEYS = {"s": "\u0301", "f": "\u0300", "r": "\u0309", "x": "\u0303", "j": "\u0323"}
_VOWELS = frozenset("aăâeêioôơuưy")
_DOUBLED = {"a": "â", "e": "ê", "o": "ô"}
_WITH_W = {"a": "ă", "o": "ơ", "u": "ư"}
_ENOUGH = 2  # undoubted words in a message that make the doubtful ones decode
_WORDS_FILE = Path(__file__).parent / "rules" / "not_telex.yml"


@cache
def _ordinary_words() -> tuple[frozenset[str], frozenset[str]]:
    """Return the ordinary words that look like Telex, and the words that mark an English text."""
    with _WORDS_FILE.open(encoding="utf-8") as lines:
        content = yaml.safe_load(lines)
    return (
        frozenset(word for group in content["words"].values() for word in group.split()),
        frozenset(content["english_function_words"].split()),
    )


def _apply_w(letters: list[str]) -> bool:
    """Apply the key w to the letters typed so far; False when there is nothing it could shape."""
    for index in range(len(letters) - 1, -1, -1):
        letter = letters[index]
        before = letters[index - 1] if index else ""
        if letter == "o" and before in ("u", "ư") and not (index > 1 and letters[index - 2] == "q"):
            letters[index - 1 : index + 1] = ["ư", "ơ"]
            return True
        if letter == "a" and before == "u" and not (index > 1 and letters[index - 2] == "q"):
            if index < len(letters) - 1:
                letters[index] = "ă"
            else:
                letters[index - 1] = "ư"
            return True
        if letter in _WITH_W:
            letters[index] = _WITH_W[letter]
            return True
        if letter in ("ư", "ơ") and before in ("", "u", "ư"):
            return letter == "ơ"
    return False


def _type(word: str, *, shaping: bool) -> tuple[list[str], str] | None:
    """Play the keystrokes; return letters and tone, or None when they contradict each other."""
    letters: list[str] = []
    tone = ""
    seen_vowel = False
    for key in word:
        if seen_vowel and key in _TONE_KEYS:
            if tone:
                return None
            tone = _TONE_KEYS[key]
        elif key == "w":
            if not _apply_w(letters):
                letters.append("ư")
                seen_vowel = True
        elif shaping and key in _DOUBLED and key in letters:
            last = len(letters) - 1 - letters[::-1].index(key)
            letters[last] = _DOUBLED[key]
        elif key == "d" and letters[:1] == ["d"] and (len(letters) == 1 or seen_vowel):
            letters[0] = "đ"
        else:
            if key == "o" and letters and letters[-1] == "ư":
                key = "ơ"
            letters.append(key)
            seen_vowel = seen_vowel or key in _VOWELS or not key.isascii()
    return letters, tone


@lru_cache(maxsize=20_000)
def decode_word(word: str) -> str | None:
    """Return what the keystrokes of a lower-case word spell, or None when it is no other valid syllable."""
    if not 2 <= len(word) <= 11 or not any(key in "sfrxjwdaeo" for key in word[1:] + word[:1]):
        return None
    for shaping in (True, False):
        typed = _type(word, shaping=shaping)
        if typed is None:
            continue
        letters, tone = typed
        spelled = "".join(letters)
        if spelled == word and not tone:
            continue
        syllable = parse(spelled)
        if syllable is None or (syllable.tone and tone):
            continue
        decoded = write(Syllable(syllable.onset, syllable.rime, tone or syllable.tone))
        if decoded != word and is_complete(decoded) and not decoded.isascii():
            return decoded
    return None


def _is_doubtful(word: str, decoded: str) -> bool:
    """Tell whether a decodable word may as well be meant as it stands."""
    words, _ = _ordinary_words()
    if word in words or len(word) <= 2 or is_syllable(word):
        return True
    if len(word) - len(decoded) > 4:
        return True
    # "toj", "moj" are chat spelling for "tôi", "mọi"; "nhee", "oo" are drawn out; w opens "wa" for "qua".
    plain = strip_marks(decoded)
    if word[-1] == "j" and word[:-1] == plain and len(plain) <= 4 and plain[-1] in "oua":
        return True
    return word[0] == "w" or (word[-1] == word[-2] and word[-1] in "aeo" and plain == word[:-1])


def _with_case(decoded: str, typed: str) -> str:
    if typed.isupper() and len(typed) > 1:
        return decoded.upper()
    if typed[0].isupper():
        return decoded[0].upper() + decoded[1:]
    return decoded


def _is_english(words: list[str], certain: int) -> bool:
    """Tell whether the words around look English enough that few Telex-like ones prove nothing."""
    _, function_words = _ordinary_words()
    english = sum(word in function_words for word in words)
    return english >= 2 and english * 2 > certain


def decode(text: str) -> str:
    """Convert the Telex keystrokes left in a normalised text; everything else comes back as it was.

    >>> decode("thur tucj khai sinh, max GL-2026-000123")
    'thủ tục khai sinh, max GL-2026-000123'
    """
    tokens = tokenise(text)
    candidates: list[tuple[Token, str, bool]] = []
    words: list[str] = []
    for position, token in enumerate(tokens):
        if token.kind != "word":
            continue
        word = token.text.lower()
        words.append(word)
        decoded = decode_word(word)
        if decoded is None or _is_glued(tokens, position):
            continue
        shouted = token.text.isupper() and len(word) <= 4 and not text.isupper()
        candidates.append((token, decoded, shouted or _is_doubtful(word, decoded)))
    certain = sum(not doubtful for _, _, doubtful in candidates)
    if not certain or _is_english(words, certain):
        return text
    long_enough = certain >= _ENOUGH or any(
        not doubtful and (len(token.text) >= 4 or len(token.text) - len(strip_marks(decoded)) >= 2)
        for token, decoded, doubtful in candidates
    )
    if not long_enough and len(words) > 2:
        return text
    return replace(
        text,
        [
            (token.start, token.end, _with_case(decoded, token.text))
            for token, decoded, doubtful in candidates
            if not doubtful or certain >= max(_ENOUGH, len(words) // 3)
        ],
    )


def _is_glued(tokens: list[Token], position: int) -> bool:
    """Tell whether a word touches a digit, an apostrophe or a sign: part of a code or of English."""
    token = tokens[position]
    for neighbour in (tokens[position - 1] if position else None, *tokens[position + 1 : position + 2]):
        if neighbour is None:
            continue
        touches = neighbour.end == token.start or neighbour.start == token.end
        if touches and (neighbour.kind in ("number", "fixed") or neighbour.text in "'’_&@#"):
            return True
    return False
