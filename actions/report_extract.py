"""Takes a message about a report apart: what happened, where, who says it and how to reach them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from actions.locations import Location, find_locations
from actions.names import find_name
from vntext.normalise import strip_marks
from vntext.phones import Phone, find_phones

_SELF = r"(?:toi|em|minh|tui|con|chau|anh|chi|gia dinh|nha)"
_PHONE_LEAD = re.compile(
    r"(?:\b(?:so dien thoai|sdt|so dt|dien thoai|dt|phone|so lien he|lien he|lien lac|zalo|goi|so)\b"
    rf"(?: (?:cua )?{_SELF})?(?: la| thanh| qua so| so)?\s*[:.\-]?\s*)+$"
)
_ADDRESS_LEAD = re.compile(
    rf"(?:\b(?:dia chi|d/c|dc)(?: (?:lien he|nha|nha rieng|cua))*(?: {_SELF})?(?: la| thanh| o)?\s*[:\-]?\s*"
    rf"|\bnha(?: {_SELF})?(?: o| tai)?\s+|\b{_SELF} (?:o|dang o|song o|ngu|tru|thuong tru|cu tru)(?: tai|"
    rf" o)?\s+"
    r"|\b(?:thuong tru|tam tru|cu tru|ngu)(?: tai| o)?\s*[:]?\s*)$"
)
_EXPLICIT_ADDRESS = re.compile(
    rf"\b(?:dia chi|d/c)(?: (?:lien he|nha|nha rieng|cua))*(?: {_SELF})?(?: la|"
    rf" thanh)?\s*[:\-]?\s*(?P<value>[^,;\n.][^;\n]*)"
)
_NEAR_HOME = re.compile(
    r"\b(?:sat ben|ben canh|canh nha|gan nha|truoc nha|sau nha|nha toi|nha em|nha minh|sat nha|doi dien nha|"
    r"ke ben|cho toi|cho em|khu toi|xom toi|thon toi)\b"
)
_LEAD = re.compile(
    r"^(?:[\s,.:;!\-]*(?:alo|alô|da|vang|a|chao|kinh|gui|thua|xin|cho|toi|em|minh|tui|con|chau|anh|chi|ad|"
    r"admin|oi|"
    r"1022|muon|can|dang ky|duoc|phan anh|kien nghi|gop y|khen|khen ngoi|bao|bao cao|trinh bao|to cao|tin|"
    r"gui|"
    r"viec|ve|rang|la|thu|mot|1|chuyen|van de|nua|con|y kien|den|toi|trung tam|tong dai|bieu duong|cam on|"
    r"nho|"
    r"giup|dum|voi|ghi|tiep|nhan|noi|tren|nay|do|hoi nay|luc nay|di|nhe|nha|luon|phan|anh|moi|khac|cai|"
    r"trung tam 1022|co|roi|het|thi|hay|ok)\b)+",
)
_REFERENCES = re.compile(
    r"\b(?:(?:thong tin|dia chi|ten|so|sdt)(?: lien he)?(?: va \w+)? |lien he )?"
    r"(?:(?:giong|nhu) (?:hoi nay|luc nay|ban nay|khi nay|lan truoc|nay|cu|truoc|tren)|o tren)\b"
)
_AND_ANOTHER = re.compile(r"^(?:à )?còn (?:một|1) (?:chuyện|việc|vấn đề)(?: nữa)?\s*[,:.]\s*", re.IGNORECASE)
# What is left of "Tôi tên Lụa, phản ánh …" when the name is taken out.
_LONE_SELF = re.compile(r"^(?:(?:tôi|em|mình|tui|con|cháu|toi|minh|chau)\s*[,.;:]\s*)+", re.IGNORECASE)
_WORD = re.compile(r"\w+")
FEWEST_CONTENT_WORDS = 2


@dataclass(frozen=True)
class Extracted:
    """What a message gives; `content` is the text without name, phone and address, None if too short."""

    content: str | None = None
    place: str | None = None
    name: str | None = None
    phone: Phone | None = None
    bad_phone: Phone | None = None
    address: str | None = None
    is_near_home: bool = False

    @property
    def has_contact(self) -> bool:
        """Whether the message gives the sender's own data."""
        return bool(self.name or self.phone or self.bad_phone or self.address)


def extract(text: str) -> Extracted:
    """Return what a normalised message gives for a report."""
    plain = strip_marks(text).lower()
    cuts: list[tuple[int, int]] = []
    phone, bad_phone = _phones(text, plain, cuts)
    named = find_name(_blanked(text, cuts))
    if named is not None:
        cuts.append((named.start, named.end))
    cuts += [match.span() for match in _REFERENCES.finditer(plain)]
    open_text = _blanked(text, cuts)
    address, spots = _where(open_text, plain, cuts)
    left = _blanked(text, cuts)
    # A message that is only a place says nothing of what happened.
    says_more = rest(_blanked(left, [(spot.start, spot.end) for spot in spots])) is not None
    content = rest(left) if says_more else None
    place = ", ".join(dict.fromkeys(spot.text for spot in spots)) or None
    return Extracted(
        content=content,
        place=place,
        name=named.name if named else None,
        phone=phone,
        bad_phone=bad_phone,
        address=address,
        is_near_home=bool(_NEAR_HOME.search(plain)),
    )


def digits(phone: Phone) -> str:
    """Return a phone number as it is stored: the national form, digits only."""
    return "".join(filter(str.isdecimal, phone.national))


def rest(text: str) -> str | None:
    """Return what a text says beyond "I want to report …", None when that is hardly anything."""
    cleaned = re.sub(r"\s*([,;.:])(?:\s*[,;.:])+", r"\1", re.sub(r"\s+", " ", text)).strip(" ,;:.-")
    cleaned = _AND_ANOTHER.sub("", cleaned)
    cleaned = _LONE_SELF.sub("", re.sub(r"\s+([,;.])", r"\1", cleaned))
    plain = strip_marks(cleaned).lower()
    lead = _LEAD.match(plain)
    said = _WORD.findall(plain[lead.end() :] if lead else plain)
    if len(said) < FEWEST_CONTENT_WORDS:
        return None
    return cleaned


def _phones(text: str, plain: str, cuts: list[tuple[int, int]]) -> tuple[Phone | None, Phone | None]:
    good: Phone | None = None
    bad: Phone | None = None
    for phone in find_phones(text):
        if phone.valid and not phone.e164:
            continue  # 1022, 113 ...: not the sender's number
        lead = _PHONE_LEAD.search(plain[: phone.start])
        cuts.append((lead.start() if lead else phone.start, phone.end))
        if phone.valid:
            good = phone
        else:
            bad = phone
    return good, None if good else bad


def _where(text: str, plain: str, cuts: list[tuple[int, int]]) -> tuple[str | None, list[Location]]:
    address: str | None = None
    spots: list[Location] = []
    for location in find_locations(text):
        lead = _ADDRESS_LEAD.search(plain[: location.start])
        own = lead is not None or plain[location.start :].startswith(("nha so", "nha o"))
        if own and address is None:
            address = re.sub(r"^nhà\s+(?=số)", "", location.text)
            cuts.append((lead.start() if lead else location.start, location.end))
        else:
            spots.append(location)
    if address is None:
        explicit = _EXPLICIT_ADDRESS.search(strip_marks(text).lower())
        if explicit and (value := text[explicit.start("value") : explicit.end("value")].strip(" .,")):
            address = value
            cuts.append(explicit.span())
            spots = [spot for spot in spots if spot.end <= explicit.start() or spot.start >= explicit.end()]
    return address, spots


def _blanked(text: str, cuts: list[tuple[int, int]]) -> str:
    """Return the text with the cuts blanked out by spaces, so that offsets stay right."""
    for start, end in cuts:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
