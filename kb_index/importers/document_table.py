"""Takes the portal's glued table of required documents (case, paper, forms, number) apart where certain."""

from __future__ import annotations

import re

from kb_index.importers.filing_table import UncertainTableError
from kb_index.schemas import FormFile, RequiredDocument

_HEADING = re.compile(r"Tên giấy tờ\s*Mẫu đơn, tờ khai\s*Số lượng")
_COUNT = re.compile(
    r"(?P<digits>\d+) bản chính(?:, ?(?P<copies>\d+) bản sao)?|(?P<only>\d+) bản sao(?=$|[^ \w,.;)])"
)
# The number is glued to the paper's name: "…ngày 01/01/20051 bản chính". Only these readings are certain.
_YEAR_AND_COUNT = re.compile(r"^((?:19|20)\d\d)(\d)$")
_CODE_AND_COUNT = re.compile(r"^(0\d)(\d)$")
_FILE = re.compile(r"\.(?:docx?|xlsx?|pdf|rar|zip|jpe?g|png|rtf)", re.I)
# Where a file's name begins: behind the end of a sentence or at a capital glued to a small letter.
_CAPITAL = "A-ZĐÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴ"
_SMALL = rf"[^\W\d_{_CAPITAL}]"
_FILE_START = re.compile(
    rf"(?<=[.;:,)\]\"”])(?=[^\W\d])|(?<={_SMALL})(?=[{_CAPITAL}])|(?<=\d)(?=[{_CAPITAL}]{_SMALL})"
)
_FORM_CODE = re.compile(
    r"\b[Mm]ẫu (?:số )?(?P<code>[A-ZĐ]{0,5}[\-.]?\d{1,3}[a-zđ]?(?:[\-./][0-9A-ZĐ]{1,8})*)(?![\w/])"
)
_MAX_FILE_NAME = 90


def parse_documents(text: str) -> list[RequiredDocument]:
    """Return the papers listed in the table `text`; the case above a part of the table becomes `when`.

    Raises:
        UncertainTableError: no heading, or a number that cannot be told from the paper's name.
    """
    headings = list(_HEADING.finditer(text))
    if not headings:
        raise UncertainTableError("no table heading")
    documents: list[RequiredDocument] = []
    case = _case(text[: headings[0].start()])
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        part = text[heading.end() : following.start() if following else len(text)]
        rows, rest = _rows(part, case)
        documents.extend(rows)
        if following is None and rest.strip(" -\n\t"):
            raise UncertainTableError("text behind the last row")
        case = _case(rest)
    if not documents:
        raise UncertainTableError("no row")
    return documents


def _rows(part: str, case: str | None) -> tuple[list[RequiredDocument], str]:
    rows: list[RequiredDocument] = []
    position = 0
    for count in _COUNT.finditer(part):
        digits = count["digits"] or count["only"]
        glued, number = _number(digits, part[position : count.start()])
        copies = int(count["copies"]) if count["copies"] else None
        originals = number if count["digits"] else None
        if count["only"]:
            copies = number
        document = _document(part[position : count.start()] + glued, originals, copies, case)
        position = count.end()
        if document is not None:
            rows.append(document)
    return rows, part[position:]


def _number(digits: str, before: str) -> tuple[str, int]:
    """Split a run of digits into what belongs to the name and the number of sheets."""
    if len(digits) == 1:
        return "", int(digits)
    for reading in (_YEAR_AND_COUNT, _CODE_AND_COUNT):
        found = reading.match(digits)
        if found is not None:
            return found[1], int(found[2])
    if digits == "01" or digits == "02":
        return "", int(digits)
    if before.endswith(("/", "-")) or (len(digits) == 2 and digits[1] in "01"):
        # "Mẫu số 1/PC1 bản", "Phụ lục 31 bản chính": one original is meant, the rest is the form's number.
        return digits[:-1], int(digits[-1])
    raise UncertainTableError("the number of sheets runs into the paper's name")


def _document(
    cell: str, originals: int | None, copies: int | None, case: str | None
) -> RequiredDocument | None:
    name, files = _split_files(cell)
    name = re.sub(r"\s+", " ", name).strip(" -–+*;./,")
    if not name:
        if not files:
            return None
        name = files[0]
    if originals == 0 and copies is None:
        # "0 bản chính" is how the portal writes a paper that exists only as data.
        originals = None
    code = _FORM_CODE.search(name)
    form = None
    if files:
        form = FormFile(name="; ".join(files), code=code["code"] if code else None)
    elif code:
        form = FormFile(name=f"Mẫu {code['code']}", code=code["code"])
    return RequiredDocument(name=name, originals=originals, copies=copies, form=form, when=case)


def _split_files(cell: str) -> tuple[str, list[str]]:
    """Split a cell into the paper's name and the names of the form files glued behind it."""
    endings = list(_FILE.finditer(cell))
    if not endings or endings[-1].end() < len(cell.rstrip()):
        return cell, []
    names: list[str] = []
    window_from = max(0, endings[0].start() - _MAX_FILE_NAME)
    starts = [match.start() for match in _FILE_START.finditer(cell, window_from, endings[0].start())]
    if not starts:
        return cell, []
    start = starts[0]
    first = cell[start : endings[0].end()]
    names.append(first.strip())
    position = endings[0].end()
    for ending in endings[1:]:
        names.append(cell[position : ending.end()].strip())
        position = ending.end()
    return cell[:start], [name for name in names if name]


def _case(text: str) -> str | None:
    cleaned = re.sub(r"\s+", " ", text).strip(" -–+*:;.")
    return cleaned or None
