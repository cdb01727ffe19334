"""Words by which a message in the form shows what it wants: stop, refuse, correct, confirm, ask."""

from __future__ import annotations

import re

# All patterns read canonical text without marks.
_SELF = r"(?:toi|em|minh|tui|con|chau|anh|chi)"
_FIELDS = {
    "phone": r"so dien thoai|sdt|so dt|dien thoai|so may|so lien he|\bso\b",
    "name": r"ho ten|ho va ten|ten nguoi gui|\bten\b",
    "address": r"dia chi lien he|dia chi nha|dia chi|cho o",
    "place": r"noi xay ra|dia diem|vi tri|ten duong|duong|cho do|noi phan anh|noi do|\bnoi\b",
    "content": r"noi dung|mo ta|su viec|phan anh",
}
_CANCEL = re.compile(
    r"^(?:da |a |um |u )*(?:thoi|huy|dung|bo|khoi|ngung|stop|cancel|huy bo|dung lai|bo qua|ket thuc|thoat)"
    r"(?:[ ,.]+(?:thoi|khoi|khong|ko|k|huy|bo|dung|gui|phan anh|bao|ghi|nua|lam|di|nhe|nha|a|ah|em|ad|vay|"
    r"luon|"
    r"can|dau|cam on|de|sau|toi|minh|tui|anh|chi|viec|cai|nay|lai|kia|muon|form|phieu|y|do|mat cong|phien|"
    r"qua))*[ .!]*$"
    r"|\b(?:khong|ko|khoi|thoi khong|k) (?:muon )?(?:gui|phan anh|bao|ghi) (?:nua|luon nua)\b|"
    r"\bhuy (?:phan anh|phieu|bo)\b"
)
_REFUSAL = re.compile(
    r"\b(?:khong|ko|k|khoi|dung|chang|ngai|so|chua) (?:muon |can |thich |the |phai )*(?:cho |ghi |neu |"
    r"cung cap |de lai |"
    r"khai |tiet lo |dua |noi |ke |xung |gui |lo )+(?:biet |ra |luon |them |cai )*(?:ten|ho ten|so|sdt|"
    r"dien thoai|dia chi|"
    r"thong tin|danh tinh|lien he|ca nhan|so dien thoai)\b"
    r"|\b(?:ten|ho ten|so|sdt|so dien thoai|dia chi|thong tin|thong tin ca nhan)[^,.;]{0,12}\b(?:khoi|"
    r"khong|ko|dung)\b[^,.;]{0,8}"
    r"\b(?:ghi|cho|can|neu|khai|muon|noi|de)\b"
    r"|\b(?:an danh|giau ten|nac danh|khong ten|giu kin ten)\b"
    r"|\b(?:so|ngai) (?:ho |bi |nguoi ta )*(?:biet|lo|tra thu|tru dap|tra dua|phien)\b"
    r"|\bkhong (?:dong y|cho phep) (?:luu|cho|cung cap|dung)\b"
)
_SENDS = re.compile(
    r"^(?:da |vang |a |u |uh |um |roi |the |vay )*(?:dong y|dung|dung roi|ok|oke|okie|okay|ok em|phai|gui|"
    r"gui di|gui luon|gui giup|"
    r"vang|co|duoc|duoc roi|chuan|chinh xac|xac nhan|u|uh|um|uk|yes|nhat tri|chuyen di|chuyen giup|"
    r"cu chuyen|cu gui|tot|on|hop ly|"
    r"nhu the|nhu vay la duoc|dong y gui|dung het|dung roi gui|da)"
    r"(?:[ ,.!]+(?:dong y|dung|roi|ok|gui|di|luon|nha|nhe|nhen|nghe|giup|giup toi|cho|toi|minh|em|anh|chi|"
    r"a|ah|ad|vay|do|het|ca|phan anh|"
    r"chuyen|cam on|tui|nhanh|len|ngay|phai|cu|duoc|the|la|y|u|vang|da|co|ho|dum|ban|ok|cam|on|phieu|thoi|"
    r"dong|xac|nhan))*[ .!]*$"
)
_NO = re.compile(
    r"^(?:da |a |um )*(?:khong|ko|k|chua|chua dung|sai|sai roi|khong dung|khong phai|nham|nham roi|"
    r"chua phai|sua|sua lai|"
    r"sua thong tin|toi muon sua|muon sua)(?:[ ,.]+(?:roi|a|ah|em|dau|dung|phai|lai|nha|nhe|ad|het|cho|nay|"
    r"do|chut|ty|ti))*[ .!]*$"
)
_CORRECTS = re.compile(
    r"\b(?:sai roi|sai|nham|nham roi|ghi sai|go nham|viet nham|ghi nham|sua|sua lai|doi|chinh lai|"
    r"chu khong phai|chu ko phai|"
    r"chu k phai|chu hong phai|khong phai|ma la|moi dung|dung la|cap nhat)\b"
)
_INSTEAD = (
    re.compile(
        r"(?P<new>[^,;.]+?)[ ,]*\b(?:chu|chu day|ma) (?:khong|ko|k|hong|chang) phai(?: la|"
        r" o)?\s+(?P<old>[^,;.]+)"
    ),
    re.compile(
        r"(?:khong|ko|k|hong) phai(?: la| o)?\s+(?P<old>[^,;.]+?)[ ,]+(?:ma la|ma o|ma|la)\s+(?P<new>[^,;.]+)"
    ),
    re.compile(r"(?:sua|doi)\s+(?P<old>[^,;.]+?)\s+(?:thanh|sang|qua)\s+(?P<new>.+)"),
)
_INSTEAD_LEAD = re.compile(
    r"^(?:(?:da|a|sai roi|sai|nham roi|nham|em oi|phai la|la|o|dung la|ghi nham|ghi sai)[ ,]+)+"
)
_SAME_AS_ABOVE = re.compile(
    r"\b(?:nhu tren|o tren|giong tren|giong vay|nhu vay|cung (?:o )?(?:cho|noi|dia chi) do|cho do luon|"
    r"noi do luon|trung|"
    r"ngay do|ngay cho do|dia chi do|tai do|cho do|cung vay|nhu the|y nhu vay)\b"
)
_SAME_AS_BEFORE = re.compile(
    r"\b(?:giong|nhu|y|lay lai|dung lai|van|theo)(?: \w+){0,3}? (?:nay|hoi nay|luc nay|cu|truoc|lan truoc|"
    r"ban nay|khi nay|vua roi|"
    r"phieu truoc)\b"
)
_ASKS = re.compile(
    r"\?|\b(?:bao nhieu|bao lau|o dau|the nao|nhu the nao|lam sao|khi nao|may gio|may ngay|cho hoi|"
    r"cho em hoi|hoi ti|hoi chut|"
    r"can gi|giay to gi|la gi|gi vay|gi the|duoc khong|duoc ko|dc k|duoc k|phai khong|co phai|ai|tai sao|"
    r"vi sao|sao lai|bao gio|"
    r"can nhung gi|nao|may tien|bn|ntn)\b"
)
_WHY = re.compile(
    r"\b(?:tai sao|vi sao|sao lai|sao phai|sao can|de lam gi|de chi|lam gi ma can|can chi|can de lam|"
    r"co bat buoc|bat buoc (?:khong|ko|k))\b"
)
_PRIVACY = re.compile(
    r"\b(?:bao mat|ai (?:xem|biet|thay|doc)|co lo|lo thong tin|cong khai|giu bi mat|bi mat|"
    r"an toan thong tin|luu bao lau|luu o dau|"
    r"lo khong|ho co biet|co biet (?:ten|toi))\b"
)
_DEADLINE = re.compile(
    r"\b(?:bao gio|bao lau|khi nao|may ngay|chung nao)\b.*\b(?:xu ly|giai quyet|tra loi|ket qua|phan hoi|"
    r"xong|co nguoi)\b"
    r"|\b(?:xu ly|giai quyet|tra loi|phan hoi)\b.*\b(?:bao lau|bao gio|khi nao|may ngay)\b"
)
_CALM = re.compile(
    r"\b(?:goi roi|da goi|goi xong|bao roi|dang toi|dang den|den roi|toi roi|on roi|on dinh|dap tat|"
    r"tat roi|khong sao|"
    r"xong roi|cuu hoa|cong an|cap cuu|xe cuu)\b"
)
_RESUMES = re.compile(
    r"\b(?:ghi tiep|tiep tuc|lam tiep|bao tiep|phan anh hoi nay|hoi nay|luc nay|dang do|tiep di|lam not|"
    r"ghi not)\b"
)
_PERSON = re.compile(
    r"\b(?:noi may|(?:gap|noi chuyen voi|cho gap|noi voi) (?:nguoi|can bo|nhan vien|tong dai)|"
    r"nguoi that|nguoi truc|tong dai vien)\b"
)
_LATE = re.compile(r"\b(?:tre|cham|qua hen|qua han|lau qua|lau roi|chua co ket qua|chua xong|tre hen)\b")


def wants_person(plain: str) -> bool:
    """Return whether the message asks for a person."""
    return bool(_PERSON.search(plain))


def cancels(plain: str) -> bool:
    """Return whether the message stops the report."""
    return bool(_CANCEL.search(plain))


def refuses(plain: str) -> bool:
    """Return whether the message refuses personal data."""
    return bool(_REFUSAL.search(plain))


def confirms(plain: str) -> bool:
    """Return whether the message says yes, or send it."""
    return bool(_SENDS.match(plain))


def denies(plain: str) -> bool:
    """Return whether the message says no, and nothing else."""
    return bool(_NO.match(plain))


def corrects(plain: str) -> bool:
    """Return whether the message corrects something said before."""
    return bool(_CORRECTS.search(plain))


def asks(plain: str) -> bool:
    """Return whether the message has the form of a question."""
    return bool(_ASKS.search(plain))


def asks_why(plain: str) -> bool:
    """Return whether the message asks what the data is needed for."""
    return bool(_WHY.search(plain))


def asks_privacy(plain: str) -> bool:
    """Return whether the message asks who will see the data."""
    return bool(_PRIVACY.search(plain))


def asks_deadline(plain: str) -> bool:
    """Return whether the message asks when the report will be handled."""
    return bool(_DEADLINE.search(plain))


def calms(plain: str) -> bool:
    """Return whether the message says that help has been called or is there."""
    return bool(_CALM.search(plain))


def resumes(plain: str) -> bool:
    """Return whether the message takes up an earlier report."""
    return bool(_RESUMES.search(plain))


def is_late(plain: str) -> bool:
    """Return whether the message says that something is overdue."""
    return bool(_LATE.search(plain))


def same_as_above(plain: str) -> bool:
    """Return whether the message points at the place given in this report."""
    return bool(_SAME_AS_ABOVE.search(plain))


def same_as_before(plain: str) -> bool:
    """Return whether the message points at data given earlier in the conversation."""
    return bool(_SAME_AS_BEFORE.search(plain))


def named_field(plain: str) -> str | None:
    """Return which field of the report the message names first, None when it names none."""
    found = [
        (match.start(), -len(match[0]), field)
        for field, pattern in _FIELDS.items()
        if (match := re.search(rf"\b(?:{pattern})", plain))
    ]
    return min(found)[2] if found else None


def replacement(plain: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return where the new and the old value stand in "X chứ không phải Y", None when it has no such form."""
    for pattern in _INSTEAD:
        match = pattern.search(plain)
        if match is None:
            continue
        start, end = match.span("new")
        lead = _INSTEAD_LEAD.match(plain[start:end] + " ")
        start += min(lead.end(), end - start) if lead else 0
        while start < end and plain[start] in " ,":
            start += 1
        if start < end:
            return (start, end), match.span("old")
    return None
