"""News within an emergency: "xe cứu hỏa đang tới rồi", "cảnh sát tới rồi, cảm ơn", "dập được lửa rồi".

Who was told to call 114 tells how it goes on. By itself such a message sounds like the emergency it is about;
whoever knows that there was one before asks here first. A message is news only when it says nothing else: all
its words belong to what is news (`rules/help_news.yml`) or are courtesies. Whatever stands beside it ("nhưng
cháy lan sang nhà bên", "chưa", a question) leaves the message to `vntext.emergency`, as ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vntext.emergency import read_words
from vntext.phrases import Found, Pattern, PhraseIndex

_LONGEST = 300  # characters; who writes more tells more

with (Path(__file__).parent / "rules" / "help_news.yml").open(encoding="utf-8") as _lines:
    _CONTENT: dict[str, Any] = yaml.safe_load(_lines)
_CLASSES = {name: words.split() for name, words in _CONTENT["classes"].items()}


def _index(section: str) -> PhraseIndex:
    rows: dict[str, list[str]] = _CONTENT[section]
    return PhraseIndex(
        (name, Pattern(source, _CLASSES)) for name, sources in rows.items() for source in sources
    )


_NEWS, _COURTESY = _index("news"), _index("courtesy")
_NO_WORDS = frozenset("^$.")


def is_news(text: str) -> bool:
    """Tell whether a message, after an emergency, says how it goes on and nothing else. Never raises."""
    if len(text) > _LONGEST or "?" in text:
        return False
    words = read_words(text)
    news = _NEWS.find(words)
    if not news:
        return False
    said = _positions(news) | _positions(_COURTESY.find(words))
    return all(place in said or word.key in _NO_WORDS for place, word in enumerate(words))


def _positions(found: list[Found]) -> set[int]:
    return {place for each in found for place in range(each.start, each.end)}
