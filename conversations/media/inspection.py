"""Decides by its bytes what a file is, and makes pictures safe to keep.

A name or a type that the sender declares decides nothing. Pictures are decoded and written anew, so that no
metadata (where a photo was taken, by which phone) and no hidden content is left; what cannot be decoded is no
picture. PDF, Word, Excel and text files are kept byte by byte.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from conversations.media.errors import FileRefusedError

register_heif_opener()
# Checked below, before anything is decoded: Pillow itself would only warn.
Image.MAX_IMAGE_PIXELS = None

MOST_PIXELS = {"JPEG": 50_000_000, "HEIF": 50_000_000}
"""Largest picture of the kinds cameras make that is decoded; a small file may unpack to gigabytes."""
MOST_PIXELS_DRAWN = 16_000_000
"""The same of other kinds: drawings and screens are smaller, and cost four bytes a pixel."""
LONGEST_SIDE = 2_560
"""Longest side of a picture as it is kept, in pixels: enough to read a sign, a number plate, a page."""
SMALL_SIDE = 480
"""Longest side of the copy shown in the conversation."""
SMALL_TYPE = "image/jpeg"
"""What the small copy is."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "HEIF")
_LARGEST_PNG = 3 * 1024 * 1024
_LONGEST_NAME = 120
_MOST_ENTRIES = 10_000
_OFFICE = {
    "word/document.xml": (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "xl/workbook.xml": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
_TEXT_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|]+')


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file as it will be kept.

    Attributes:
        kind: a picture, or a file kept as it came.
        content: the bytes to keep.
        small: for pictures, a small copy, JPEG.
        width, height: of a picture, in pixels.
    """

    kind: Literal["image", "file"]
    content_type: str
    name: str
    content: bytes
    small: bytes | None = None
    width: int | None = None
    height: int | None = None


def inspect(content: bytes, name: str) -> Inspected:
    """Return what a file is, ready to be kept. Takes up to seconds of processor time for a large picture.

    Args:
        content: the bytes as they came.
        name: the name the sender gave; its extension is replaced by that of the real type.

    Raises:
        FileRefusedError: the file is empty, broken, too large to unpack, or of a kind that is not taken.
    """
    if not content:
        raise FileRefusedError("file_empty")
    if (picture := _open_picture(content)) is not None:
        return _picture(picture, name)
    if content.startswith(b"%PDF-"):
        return Inspected("file", "application/pdf", clean_name(name, "pdf"), content)
    if content.startswith(b"PK\x03\x04"):
        extension, content_type = _office_type(content)
        return Inspected("file", content_type, clean_name(name, extension), content)
    if name.lower().endswith(".txt") and _is_text(content):
        return Inspected("file", "text/plain", clean_name(name, "txt"), content)
    raise FileRefusedError("file_type")


def clean_name(name: str, extension: str) -> str:
    """Return a name without folders and control characters, with `extension` as its one extension."""
    last = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    printable = "".join(letter for letter in last if letter.isprintable() and not _is_surrogate(letter))
    stem = _NOT_IN_NAMES.sub("_", printable)
    stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", stem).strip(" ._")
    return f"{stem[:_LONGEST_NAME] or 'tep'}.{extension}"


def _is_surrogate(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"


def _open_picture(content: bytes) -> Image.Image | None:
    """Return the picture with only its head read, None when the bytes are no picture."""
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        return None
    except Exception as error:
        # Made-up bytes make decoders raise anything; whatever it is, there is no picture to keep.
        raise FileRefusedError("file_broken") from error


def _picture(picture: Image.Image, name: str) -> Inspected:
    width, height = picture.size
    if width * height > MOST_PIXELS.get(picture.format or "", MOST_PIXELS_DRAWN):
        raise FileRefusedError("picture_too_large")
    try:
        return _written_anew(picture, name)
    except FileRefusedError:
        raise
    except Exception as error:
        raise FileRefusedError("file_broken") from error


def _written_anew(picture: Image.Image, name: str) -> Inspected:
    source = picture.format
    # A JPEG can be decoded at a fraction of its size: less work and a fraction of the memory.
    picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    has_alpha = picture.has_transparency_data
    mode = "RGBA" if has_alpha else "RGB"
    if picture.mode == "P":
        # Colours of a palette cannot be mixed.
        picture = picture.convert(mode)
    # Made smaller in place and first: every further copy is one of the small picture.
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    upright = ImageOps.exif_transpose(picture).convert(mode)
    # Pasted onto an empty one: what the decoder noted beside the pixels (comments, profiles) stays behind.
    clean = Image.new(mode, upright.size)
    clean.paste(upright)
    content, extension = b"", "png"
    if has_alpha or source == "PNG":
        content = _encoded(clean, "PNG")
    if not content or (len(content) > _LARGEST_PNG and not has_alpha):
        content, extension = _encoded(clean, "JPEG"), "jpg"
    width, height = clean.size
    clean.thumbnail((SMALL_SIDE, SMALL_SIDE))
    if has_alpha:
        clean = Image.alpha_composite(Image.new("RGBA", clean.size, "white"), clean).convert("RGB")
    small = _encoded(clean, "JPEG")
    content_type = "image/png" if extension == "png" else "image/jpeg"
    return Inspected("image", content_type, clean_name(name, extension), content, small, width, height)


def _encoded(picture: Image.Image, kind: Literal["PNG", "JPEG"]) -> bytes:
    buffer = io.BytesIO()
    if kind == "PNG":
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def _office_type(content: bytes) -> tuple[str, str]:
    """Return extension and type of a Word or Excel file; nothing in the archive is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise FileRefusedError("file_broken") from error
    has_macros = any(name.lower().endswith("vbaproject.bin") for name in names)
    if "[Content_Types].xml" in names and not has_macros and len(names) <= _MOST_ENTRIES:
        for part, found in _OFFICE.items():
            if part in names:
                return found
    raise FileRefusedError("file_type")


def _is_text(content: bytes) -> bool:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return _TEXT_CONTROLS.search(text) is None
