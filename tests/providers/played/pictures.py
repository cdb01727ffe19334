"""Draws the picture that is sent where none is given."""

from __future__ import annotations

import struct
import zlib


def small_picture(colour: tuple[int, int, int]) -> bytes:
    """Return a PNG of 64 × 48 pixels of one colour (red, green, blue)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\x00" + bytes(colour) * 64
    head = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(row * 48))
        + chunk(b"IEND", b"")
    )
