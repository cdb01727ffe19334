"""What a file is, decided by its bytes; pictures written anew; what is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from conversations.media.errors import FileRefusedError
from conversations.media.inspection import LONGEST_SIDE, SMALL_SIDE, clean_name, inspect

Make = Callable[..., bytes]


def photo_with_place() -> bytes:
    """Return a JPEG as a phone makes it: lying on its side, with camera, place and comment."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "PhoneMaker"
    exif[ExifTags.Base.Orientation] = 6
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (13.0, 58.0, 59.0)
    place[ExifTags.GPS.GPSLongitudeRef] = "E"
    place[ExifTags.GPS.GPSLongitude] = (108.0, 0.0, 7.0)
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), "green").save(
        buffer, "JPEG", exif=exif, comment=b"a secret comment", icc_profile=b"profile", xmp=b"<x>secret</x>"
    )
    return buffer.getvalue()


def test_a_photo_keeps_its_pixels_upright_and_nothing_else():
    original = photo_with_place()
    assert Image.open(io.BytesIO(original)).getexif().get_ifd(ExifTags.IFD.GPSInfo)
    kept = inspect(original, "IMG_2041.JPG")
    assert (kept.kind, kept.content_type, kept.name) == ("image", "image/jpeg", "IMG_2041.jpg")
    assert (kept.width, kept.height) == (300, 400)
    assert kept.small is not None
    for content in (kept.content, kept.small):
        again = Image.open(io.BytesIO(content))
        assert dict(again.getexif()) == {}
        assert set(again.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        for secret in (b"Exif", b"PhoneMaker", b"secret", b"profile", b"GPS"):
            assert secret not in content


@pytest.mark.parametrize(
    ("kind", "mode", "content_type"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("WEBP", "RGB", "image/jpeg"),
        ("WEBP", "RGBA", "image/png"),
        ("GIF", "RGB", "image/png"),
        ("HEIF", "RGB", "image/jpeg"),
    ],
)
def test_every_kind_of_picture_becomes_jpeg_or_png(picture: Make, kind: str, mode: str, content_type: str):
    source = picture(kind, mode="RGBA" if mode == "RGBA" else "RGB")
    if mode == "CMYK":
        buffer = io.BytesIO()
        Image.new("CMYK", (640, 480)).save(buffer, "JPEG")
        source = buffer.getvalue()
    kept = inspect(source, "ảnh.exe")
    if kind == "GIF":
        assert kept.content_type in ("image/png", "image/jpeg")
    else:
        assert kept.content_type == content_type
    assert (kept.width, kept.height) == (640, 480)
    assert kept.name in ("ảnh.jpg", "ảnh.png")
    assert kept.small is not None
    assert max(Image.open(io.BytesIO(kept.small)).size) <= SMALL_SIDE


def test_large_pictures_are_made_smaller(picture: Make):
    kept = inspect(picture(size=(6_000, 4_000)), "a.jpg")
    assert kept.width == LONGEST_SIDE
    assert len(kept.content) < 200_000


def test_a_text_chunk_of_a_png_is_gone():
    info = PngImagePlugin.PngInfo()
    info.add_text("Location", "13.983, 108.002")
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20)).save(buffer, "PNG", pnginfo=info)
    assert b"13.983" in buffer.getvalue()
    assert b"13.983" not in inspect(buffer.getvalue(), "a.png").content


def test_what_hides_behind_a_picture_is_gone(picture: Make):
    hidden = picture() + b"PK\x03\x04 <script>alert(1)</script>"
    assert b"script" not in inspect(hidden, "a.jpg").content


def bomb(width: int, height: int) -> bytes:
    """Return a PNG that says it is huge, as its head alone decides."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (4_001, 4_000)])
def test_decompression_bombs_are_refused_before_they_unpack(size: tuple[int, int]):
    with pytest.raises(FileRefusedError) as refused:
        inspect(bomb(*size), "a.png")
    assert refused.value.code in ("picture_too_large", "file_broken")


@pytest.mark.parametrize(
    ("parts", "extension"),
    [
        (("[Content_Types].xml", "word/document.xml"), "docx"),
        (("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
    ],
)
def test_word_and_excel_files_are_kept_as_they_are(office: Make, parts: tuple[str, ...], extension: str):
    content = office(*parts)
    kept = inspect(content, "don.zip")
    assert (kept.kind, kept.name, kept.content) == ("file", f"don.{extension}", content)
    assert "openxmlformats" in kept.content_type


def test_pdf_and_text_are_kept_as_they_are():
    pdf = b"%PDF-1.7\n%\xe2\xe3\n1 0 obj"
    assert inspect(pdf, "Đơn đề nghị.pdf").content == pdf
    text = "Kính gửi Ủy ban nhân dân xã\r\n".encode()
    kept = inspect(text, "don.TXT")
    assert (kept.content, kept.content_type, kept.name) == (text, "text/plain", "don.txt")
    assert inspect("Kính gửi".encode("utf-16"), "don.txt").kind == "file"


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.jpg", "file_empty"),
        (b"MZ\x90\x00" + b"\x00" * 200, "anh.jpg", "file_type"),
        (b"<html><script>alert(1)</script></html>", "a.html", "file_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.svg", "file_type"),
        (b"#!/bin/sh\nrm -rf /\n", "a.sh", "file_type"),
        (b"text with \x00 zeros", "a.txt", "file_type"),
        (b"\xff\xfe\xff", "a.txt", "file_type"),
        (b"PK\x03\x04 not an archive", "a.docx", "file_broken"),
        (b"\x89PNG\r\n\x1a\n", "a.png", "file_broken"),
        (b"\xff\xd8\xff\xe0 no picture", "a.jpg", "file_broken"),
        (b"GIF89a", "a.gif", "file_broken"),
    ],
)
def test_everything_else_is_refused(content: bytes, name: str, code: str):
    with pytest.raises(FileRefusedError) as refused:
        inspect(content, name)
    assert refused.value.code in (code, "file_type")
    assert refused.value.sentence.strip()


def test_archives_and_documents_with_macros_are_refused(office: Make):
    for parts in (
        ("a.txt",),
        ("[Content_Types].xml",),
        ("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
    ):
        with pytest.raises(FileRefusedError) as refused:
            inspect(office(*parts), "a.docx")
        assert refused.value.code == "file_type"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_broken_picture_is_refused_or_shown_and_nothing_else(picture: Make, data: st.DataObject):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "HEIF"]))
    content = bytearray(picture(kind, size=(32, 24)))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    try:
        kept = inspect(bytes(content), "a.bin")
    except FileRefusedError:
        return
    assert kept.kind == "image"
    assert Image.open(io.BytesIO(kept.content)).format in ("JPEG", "PNG")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=40))
def test_no_bytes_and_no_name_break_it(content: bytes, name: str):
    try:
        kept = inspect(content, name)
    except FileRefusedError:
        return
    assert kept.content


@given(st.text(max_size=400))
def test_names_are_names(name: str):
    cleaned = clean_name(name, "jpg")
    assert cleaned.endswith(".jpg")
    assert cleaned.isprintable()
    assert not set(cleaned) & set('/\\:*?"<>|')
    assert len(cleaned) <= 130
    cleaned.encode()


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\Users\\An\\Ảnh hố ga.JPEG", "Ảnh hố ga.jpg"),
        ("", "tep.jpg"),
        ("...", "tep.jpg"),
        ("be\u0301.png", "bé.jpg"),
        ("a\r\nSet-Cookie: b=c\r\n\r\n.png", "aSet-Cookie_ b=c.jpg"),
    ],
)
def test_some_names(name: str, cleaned: str):
    assert clean_name(name, "jpg") == cleaned
