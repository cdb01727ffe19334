"""Takes out of a text what tells who somebody is: names, addresses, numbers, codes.

What it replaces is seen in the text: "(tên)", "(địa chỉ)" and the labels of `vntext.masking`. It errs on the
side of removing: a street's name lost costs a sample little, a name kept would stand in the training data for
ever.
"""

from __future__ import annotations

import re

from actions.locations import find_locations
from actions.names import FoundName, find_name
from actions.words import word_list
from vntext.masking import find_identifiers, remove_identifiers
from vntext.normalise import normalise, strip_marks

NAME, ADDRESS = "(tên)", "(địa chỉ)"

_FAMILY_NAMES = word_list("family_names")
_NO_NAMES = word_list("never_begin_a_name")
_MOST_GIVEN = 4
_TOKEN = re.compile(r"[^\W\d_]+")
# "anh Tuấn", "bà H'Loan", "cháu Minh": one capitalised word behind a word for a person.
_PERSON = re.compile(
    r"(?<!\w)(?:anh|chị|em|ông|bà|cô|chú|bác|cậu|dì|thím|mợ|cháu|con|bé|vợ|chồng|ba|má|mẹ|cha|bố|thầy|bạn|tên)"
    r"(?: (?:trai|gái|tôi|tên))? (?P<name>[^\W\d_]+(?:['’][^\W\d_]+)?)"
)
_NOT_BEHIND_A_PERSON = word_list("no_name_behind_a_person")
# "nguyen van tam", "trần thị hoa": a family name, its middle word and one or two more, without capitals.
_LOWER = re.compile(
    rf"(?<!\w)(?P<family>{'|'.join(sorted(_FAMILY_NAMES))}) (?:thi|van) (?P<third>\w+)(?: \w+)?"
)
# Without marks the other families are words of everyday life before "thi" and "van" ("do thi": đô thị).
_SURE_FAMILIES = word_list("sure_family_names")
# "quản lý thị trường", "cấp lại văn bằng".
_NOT_A_THIRD = word_list("no_third_of_a_name")
# A name behind one of these is a street's or a lake's, known to everybody.
_PUBLIC = word_list("before_public_names")
_COUNTRIES_AND_PROVINCES = word_list("like_full_names")
_SELF_NAMED = re.compile(r"(?:toi|em|minh|tui|con|chau|mk|mik) ten\b")
_STREETS = word_list("begin_a_street")
_NUMBERED = re.compile(r"so \d+[a-z]? (?=(?P<next>\w+))")
_NO_ADDRESS = re.compile(
    r"(?:\w+ ){0,2}"
    r"(?:(?:quoc lo|ql|tinh lo|tl|duong tinh|dt|km)[ .]?\d+[a-z]?|so \d+[a-z]?|1022\b.*|\d+ chu\b.*)$"
)
_HOME = re.compile(
    r"(?:\b(?:dia chi|d/c|dc|thuong tru|tam tru|cu tru|ngu|nha (?:toi|em|minh|tui|con|chau|rieng|o)|que)\b"
    r"|\b(?:toi|em|minh|tui|con|chau) (?:o|dang o|song)\b)[\s,:]*(?:o|tai|la|so|thuoc)?[\s,:]*$"
)
_REPEATED = re.compile(rf"(?:({re.escape(NAME)}|{re.escape(ADDRESS)})[\s,]*)+(?=\1)")


def anonymise(text: str) -> str:
    """Return the text, normalised, without names, addresses, numbers and codes; twice is the same as once."""
    cleaned = normalise(text)
    while True:
        again = _once(cleaned)
        if again == cleaned:
            return cleaned
        cleaned = again


def find_personal(text: str) -> list[str]:
    """Return what of a text would be taken out, by its label; empty for a text that may be kept for ever."""
    cleaned = anonymise(text)
    found = find_identifiers(normalise(text))
    return found + [label for label in (NAME, ADDRESS) if cleaned.count(label) > text.count(label)]


def _once(text: str) -> str:
    text = remove_identifiers(text)
    text = _without_addresses(text)
    # Several people may be named, each announced.
    for _ in range(_MOST_GIVEN):
        named = find_name(text)
        if named is None or not _is_announced(text, named):
            break
        # The words that announce it go with it: "mình tên Khánh".
        text = f"{text[: named.start]}{NAME}{text[named.end :]}"
    text = _without_full_names(text)
    text = _without_lower_names(text)
    text = _PERSON.sub(_without_person, text)
    return " ".join(_REPEATED.sub("", text).split())


def _is_announced(text: str, named: FoundName) -> bool:
    """Tell a name from other words behind "tên": "sang tên xe", "đừng ghi tên tôi vô"."""
    said = text[named.start : named.end]
    if "(" in said:
        return False
    words = named.name.split()
    if words[0] in said and len(words[0]) > 1:
        return True  # typed with a capital; a small letter was raised by the finder
    plain = strip_marks(said).lower()
    if "ten" not in plain.split() or words[0].lower() in ("hộ", "họ"):
        return False
    is_full = len(words) > 1 and strip_marks(words[0]).lower() in _FAMILY_NAMES
    return is_full or _SELF_NAMED.match(plain) is not None


def _without_addresses(text: str) -> str:
    plain = strip_marks(text).lower()
    for location in reversed(find_locations(text)):
        bare = strip_marks(location.text).lower()
        has_number = any(letter.isdigit() for letter in bare) and not _is_no_address(location.text, bare)
        if has_number or _HOME.search(plain[: location.start]):
            text = f"{text[: location.start]}{ADDRESS}{text[location.end :]}"
    return text


def _is_no_address(text: str, bare: str) -> bool:
    """Tell roads of the country, forms and lines with a number ("mẫu số 15 hay 04") from a house."""
    if _NO_ADDRESS.match(bare):
        return True
    numbered = _NUMBERED.match(bare)
    if numbered is None:
        return False
    following = text[numbered.end() : numbered.end() + 1]
    return not following.isupper() and numbered["next"] not in _STREETS


def _without_full_names(text: str) -> str:
    """Replace a capitalised family name with the capitalised words behind it."""
    if text.isupper():
        return text  # every word would be a name
    tokens = list(_TOKEN.finditer(text))
    spans = []
    taken = 0
    for first, token in enumerate(tokens):
        if first < taken or not _begins_full_name(text, tokens, first):
            continue
        last = first
        while last - first < _MOST_GIVEN and _goes_on(text, tokens, last):
            last += 1
        said = strip_marks(text[token.start() : tokens[last].end()]).lower().replace(" ", "-")
        if last > first and said not in _COUNTRIES_AND_PROVINCES:
            spans.append((token.start(), tokens[last].end()))
            taken = last + 1
    for start, end in reversed(spans):
        text = f"{text[:start]}{NAME}{text[end:]}"
    return text


def _begins_full_name(text: str, tokens: list[re.Match[str]], place: int) -> bool:
    word = tokens[place][0]
    if len(word) < 2 or not word[0].isupper() or strip_marks(word).lower() not in _FAMILY_NAMES:
        return False
    if place == 0 or text[tokens[place - 1].end() : tokens[place].start()] != " ":
        return True
    before = tokens[place - 1][0]
    if before.lower() in _PUBLIC:
        return False
    # "Hùng Vương", "Đại Đoàn Kết": the family's name is the first of a name.
    return not before[0].isupper() or _PERSON.match(f"{before.lower()} {word}") is not None or place == 1


def _goes_on(text: str, tokens: list[re.Match[str]], last: int) -> bool:
    if last + 1 >= len(tokens) or text[tokens[last].end() : tokens[last + 1].start()] != " ":
        return False
    following = tokens[last + 1][0]
    return following[0].isupper() and not (len(following) > 1 and following.isupper())


def _without_lower_names(text: str) -> str:
    plain = strip_marks(text).lower()
    for match in reversed(list(_LOWER.finditer(plain))):
        family, middle = text[match.start() : match.end()].lower().split()[:2]
        if family == "đô":
            continue
        if middle in ("thi", "van") and strip_marks(family) == family:
            is_name = match["family"] in _SURE_FAMILIES
        else:
            is_name = middle in ("thị", "văn") and match["third"] not in _NOT_A_THIRD
            is_name = is_name or match["family"] in ("nguyen", "tran")
        if is_name:
            text = f"{text[: match.start()]}{NAME}{text[match.end() :]}"
    return text


def _without_person(match: re.Match[str]) -> str:
    word = match["name"]
    bare = strip_marks(word).lower()
    if (
        not word[0].isupper()
        or bare in _NOT_BEHIND_A_PERSON
        or (bare in _NO_NAMES and bare not in _FAMILY_NAMES)
    ):
        return match[0]
    if word.isupper() and len(word) > 1:
        return match[0]  # an abbreviation
    return match[0][: match.start("name") - match.start()] + NAME
