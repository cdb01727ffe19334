"""News within an emergency is told from emergencies: nothing that could be one is taken for news."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vntext.emergency import recognise
from vntext.emergency_news import is_news
from vntext.normalise import strip_marks

HERE = Path(__file__).parent / "cases"
CASES: dict[str, list[str]] = yaml.safe_load((HERE / "help_news.yml").read_text(encoding="utf-8"))
EMERGENCIES = [
    row.split(" | ", 1)[1] for row in yaml.safe_load((HERE / "emergencies.yml").read_text(encoding="utf-8"))
]


def both(texts: list[str]) -> list[str]:
    """Return the texts with and without marks, lower and as typed."""
    return list(dict.fromkeys(form for text in texts for form in (text, strip_marks(text), text.upper())))


@pytest.mark.parametrize("text", both(CASES["news"]))
def test_news(text: str) -> None:
    assert is_news(text)


@pytest.mark.parametrize("text", both(CASES["emergency"]))
def test_an_emergency_beside_news_stays_one(text: str) -> None:
    assert not is_news(text)
    assert recognise(text).kind is not None


@pytest.mark.parametrize("text", both(CASES["other"]))
def test_what_is_asked_or_missing_is_no_news(text: str) -> None:
    assert not is_news(text)


@pytest.mark.parametrize("form", [str, strip_marks])
def test_no_known_emergency_is_news(form: type[str]) -> None:
    assert [text for text in EMERGENCIES if is_news(form(text))] == []


@settings(deadline=None, max_examples=300)
@given(
    news=st.sampled_from(CASES["news"]),
    told=st.sampled_from(EMERGENCIES),
    first=st.booleans(),
    bare=st.booleans(),
)
def test_whatever_emergency_stands_beside_news_is_not_suppressed(
    news: str, told: str, first: bool, bare: bool
) -> None:
    text = f"{told}. {news}" if first else f"{news} {told}"
    assert not is_news(strip_marks(text) if bare else text)


@settings(deadline=None)
@given(st.text())
def test_never_raises(text: str) -> None:
    is_news(text)
