"""What a page has to load for the chat, and that it loads nothing from elsewhere."""

from __future__ import annotations

import gzip
import re

from deploy.local.stack import ROOT

_STATIC = ROOT / "web" / "static"
_PARTS = [*sorted((_STATIC / "chat").iterdir()), _STATIC / "tokens.css"]


def test_the_widget_is_under_20_kilobytes_on_the_way():
    sizes = {part.name: len(gzip.compress(part.read_bytes(), 9)) for part in _PARTS}
    assert sum(sizes.values()) < 20_000, sizes


def test_everything_comes_from_this_server():
    for part in _PARTS:
        content = part.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[^\s\"'`<>)]+", content))
        assert addresses <= {
            "https://1022.gialai.gov.vn/static/chat/widget.js",
            "https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=17/${latitude}/${longitude}",
        }, part.name


def test_every_sentence_is_used_and_every_used_one_is_there():
    content = {part.name: part.read_text(encoding="utf-8") for part in _PARTS}
    known = set(re.findall(r"^  (\w+):", content["strings.js"], re.MULTILINE))
    used = {name for source in content.values() for name in re.findall(r"STRINGS\.(\w+)", source)}
    by_author = {"bot", "operator", "system", "you"}
    assert used <= known
    assert known - used <= by_author
