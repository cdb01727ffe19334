"""The little pattern language of the rule tables."""

import pytest

from vntext.canonical import canonical
from vntext.phrases import Pattern, PhraseIndex, hold_phrases, loose, words_of

CLASSES = {"house": ["nhà", "căn_nhà"]}


def matches(source, text, never_bare=frozenset()):
    pattern = Pattern(source, CLASSES, never_bare)
    return bool(PhraseIndex([("it", pattern)]).find(words_of(canonical(text))))


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("cháy <house>", "cháy nhà", True),
        ("cháy <house>", "chay can nha", True),
        ("cháy <house>", "chạy nhà", False),
        ("!cháy nhà", "chay nha", False),
        ("cháy ~2 nhà", "cháy cái căn nhà", True),
        ("cháy ~2 nhà", "cháy rồi. nhà đây", False),
        ("cháy ~1 nhà", "cháy hai ba nhà", False),
        ("bị? cháy nhà", "cháy nhà", True),
        ("^ cứu $", "cứu", True),
        ("^ cứu $", "cứu với", False),
        ("# tháng", "12 tháng", True),
        ("đánh nhau|lộn", "đánh nhau", True),
    ],
)
def test_matches(source, text, expected):
    assert matches(source, text) is expected


def test_a_word_may_need_its_marks():
    assert matches("chó cắn", "cho can")
    assert not matches("chó cắn", "cho can", frozenset({"chó"}))
    assert matches("chó_cắn", "cho can", frozenset({"chó"}))


@pytest.mark.parametrize(
    ("typed", "meant"), [("cằm", "cầm"), ("xãy", "sảy"), ("đườn", "đường"), ("giựt", "dựt")]
)
def test_misspelt_by_ear_is_the_same(typed, meant):
    assert loose(typed) == loose(meant)


def test_a_frequent_word_is_not_a_misspelling():
    index = PhraseIndex([("it", Pattern("tống tiền", CLASSES))])
    assert index.find(words_of("tốn tiền"))
    assert not index.find(words_of("tốn tiền", frozenset({"tốn"})))
    assert index.find(words_of("tống tiền", frozenset({"tốn", "tống"})))


def test_an_ordinary_bare_phrase_stands_for_nothing_else():
    phrases = {"cua": [("cua", "dan")]}
    index = PhraseIndex([("saw", Pattern("cưa đạn", CLASSES)), ("bare", Pattern("cua dan", CLASSES))])
    assert [found.name for found in index.find(words_of("dat cua dan"))] == ["saw", "bare"]
    assert [found.name for found in index.find(hold_phrases(words_of("dat cua dan"), phrases))] == ["bare"]
    assert [found.name for found in index.find(hold_phrases(words_of("cưa đạn"), phrases))] == ["saw"]


@pytest.mark.parametrize("source", ["~ nhà", "~2"])
def test_a_pattern_begins_with_a_word(source):
    with pytest.raises(ValueError, match="begins with a word"):
        Pattern(source, CLASSES)


def test_an_unknown_class_is_an_error():
    with pytest.raises(KeyError):
        Pattern("cháy <rừng>", CLASSES)
