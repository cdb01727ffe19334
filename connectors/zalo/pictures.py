"""Makes a picture small enough for Zalo: JPEG or PNG of at most one megabyte."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from connectors.zalo.client import Upload

_TAKEN = {"image/jpeg", "image/png"}
_SIDES = (2_048, 1_600, 1_280, 960, 640)
_QUALITIES = (85, 70, 55)


class PictureError(Exception):
    """The picture cannot be read, or not be made small enough."""


def fitted(content: bytes, name: str, content_type: str, limit: int) -> Upload:
    """Return a picture as it may be uploaded: as it is where it fits, else smaller and as JPEG.

    Args:
        content: the picture's bytes.
        name: its file name.
        content_type: its media type.
        limit: the most bytes.

    Raises:
        PictureError: it cannot be done.
    """
    if content_type in _TAKEN and len(content) <= limit:
        return Upload(content, name, content_type)
    try:
        with Image.open(io.BytesIO(content)) as opened:
            picture = _on_white(ImageOps.exif_transpose(opened))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError("unreadable") from error
    for side in _SIDES:
        smaller = picture.copy()
        smaller.thumbnail((side, side))
        for quality in _QUALITIES:
            written = io.BytesIO()
            smaller.save(written, "JPEG", quality=quality, optimize=True)
            if written.tell() <= limit:
                return Upload(written.getvalue(), f"{name.rpartition('.')[0] or name}.jpg", "image/jpeg")
    raise PictureError("too_large")


def _on_white(picture: Image.Image) -> Image.Image:
    """Return a picture without transparency, which JPEG does not have."""
    if picture.mode not in ("RGBA", "LA", "P", "PA"):
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    ground = Image.new("RGB", layered.size, "white")
    ground.paste(layered, mask=layered.getchannel("A"))
    return ground
