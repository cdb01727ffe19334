"""How far the words of a question and of an entry cover each other, and where they differ.

Everything is compared without marks, so that a question means the same typed with or without them; marks only
tell words apart that are spelt alike without them (thuê, thuế).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from kb_index.index import SearchIndex
from kb_index.query import Query
from kb_index.texts import EntryTexts, bare, syllables

COVERAGE = (
    "query_in_title",
    "title_in_query",
    "core_in_query",
    "same_as_title",
    "query_in_names",
    "name_in_query",
    "query_in_all",
    "variant_missing",
    "variant_shared",
    "variant_extra",
    "not_meant",
    "excluded",
    "best_inside",
    "best_match",
    "title_match",
    "unexplained",
    "unnamed",
    "foreign_words",
    "foreign_weight",
    "pairs_in_title",
    "title_pairs_in_query",
    "pairs_in_names",
    "unexplained_total",
    "unnamed_total",
    "question_total",
    "other_marks",
)
# What so many titles begin with that nobody need say it.
_OPENING = frozenset(("thu", "tuc", "dang", "ky", "cap"))
# From this share of its telling words on, a question says all of a title.
_WHOLE = 0.99
# An entry has a lexicon's term when it has so much of its words.
_MOST = 0.75
# The weight of a long question's words, to bring absolute weights near 1.
_MUCH = 40.0
# Words that tell variants of one procedure apart, without marks; the groups are alternatives.
_VARIANTS: tuple[tuple[str, ...], ...] = (
    ("lai", "cap lai", "bi mat", "hong", "rach", "that lac"),
    ("doi", "doi ten"),
    ("gia han",),
    ("nuoc ngoai", "quoc te", "nguoi nuoc ngoai"),
    ("sua doi", "dieu chinh", "bo sung", "thay doi", "cai chinh", "dinh chinh"),
    ("cham dut", "huy", "xoa", "thu hoi", "giai the", "tam ngung", "tam dung"),
    ("lien thong",),
    ("luu dong",),
    ("tam thoi", "tam tru"),
    ("lan dau", "moi", "cap moi"),
    ("chuyen nhuong", "chuyen doi", "sang ten"),
    ("doanh nghiep", "cong ty", "to chuc"),
    ("ho kinh doanh",),
    ("hop tac xa", "to hop tac"),
    ("chi nhanh", "van phong dai dien"),
    ("ban sao", "trich luc"),
    ("xuat khau",),
    ("nhap khau",),
    ("vien chuc", "can bo", "cong chuc", "bo cong an", "luc luong vu trang", "chien si"),
    ("tau bien", "hang hai", "tau bay", "hang khong"),
    ("ket hop", "da co ho so", "dong thoi"),
    ("bien gioi", "lang gieng"),
)
# What people say for some of them; each word list belongs to the group that has its first word.
_SAID: dict[str, tuple[str, ...]] = {
    "lai": ("mat roi", "lam mat", "danh mat", "mat tieu", "roi mat", "mat so", "mat the", "mat giay"),
    "nuoc ngoai": (
        "viet kieu",
        *(
            f"{person} {country}"
            for person in ("nguoi", "vo", "chong", "anh", "quoc tich", "ben")
            for country in (
                "uc",
                "my",
                "phap",
                "han",
                "nhat",
                "duc",
                "anh",
                "nga",
                "thai",
                "lao",
                "trung quoc",
                "dai loan",
                "campuchia",
                "singapore",
                "canada",
            )
            if person != country
        ),
    ),
    "sua doi": ("sai", "nham", "chinh lai", "sua lai", "ghi sai", "ghi nham"),
    "cham dut": ("nghi ban", "dong cua", "khong lam nua", "dep tiem", "bo"),
    "chuyen nhuong": ("ban lai", "mua lai", "mua ban", "dung ten"),
    "doanh nghiep": ("cty", "tnhh"),
}


@dataclass(frozen=True)
class WordSet:
    """Words without marks, and how telling they are together; `pairs` are the neighbours among them."""

    words: frozenset[str]
    total: float
    pairs: frozenset[str]
    pairs_total: float


@dataclass(frozen=True)
class EntryWords:
    """The words of an entry, ready to be compared; `core` is the title without its opening."""

    title: WordSet
    core: WordSet
    names: tuple[WordSet, ...]
    marked: frozenset[str]
    called: frozenset[str]
    all: frozenset[str]
    not_meant: tuple[WordSet, ...]
    text: str
    variants: frozenset[int]


def entry_words(entry: EntryTexts, index: SearchIndex) -> EntryWords:
    """Return the words of an entry of `index`."""
    idf = index.bare.idf_of

    def word_set(words: list[str]) -> WordSet:
        kept = frozenset(words)
        pairs = frozenset(f"{first}_{second}" for first, second in pairwise(words))
        return WordSet(
            kept,
            sum(idf(word) for word in kept) or 1.0,
            pairs,
            sum(idf(pair) for pair in pairs) or 1.0,
        )

    title = syllables(entry.title)
    named = [syllables(name) for name in entry.names]
    names = [bare(name) for name in named]
    rest = [
        word for part in ("field", "agency", "details", "body") for word in bare(syllables(entry.part(part)))
    ]
    called = frozenset([*bare(title), *(word for name in names for word in name)])
    return EntryWords(
        title=word_set(bare(title)),
        core=word_set([word for word in bare(title) if word not in _OPENING] or bare(title)),
        names=tuple(word_set(name) for name in names),
        marked=frozenset([*title, *(word for name in named for word in name)]),
        called=called,
        all=called | frozenset(rest),
        not_meant=tuple(word_set(bare(syllables(name))) for name in entry.not_meant),
        text=" ".join([" ".join(bare(title)), *(" ".join(name) for name in names)]),
        variants=frozenset(_variants(" ".join(bare(title)))),
    )


class QuestionWords:
    """The question's words with how telling each is, to be held against the words of entries."""

    def __init__(self, query: Query, index: SearchIndex) -> None:
        self.idf = index.bare.idf_of
        self.weights: dict[str, float] = {}
        for word, weight in zip(query.bare, query.weights, strict=True):
            self.weights[word] = max(self.weights.get(word, 0.0), weight * self.idf(word))
        self.total = sum(self.weights.values()) or 1.0
        # Pairs of words that both matter; how they were typed tells little about those that do not.
        matter = [w for w, weight in zip(query.bare, query.weights, strict=True) if weight == 1.0]
        self.matter = frozenset(matter)
        self.pairs = {f"{a}_{b}": self.idf(f"{a}_{b}") for a, b in pairwise(matter)}
        self.pairs_total = sum(self.pairs.values()) or 1.0
        # What was typed, what it stands for, and how many words of that must be there.
        self.alternatives: list[tuple[set[str], set[str], float]] = []
        meant_pairs: set[str] = set()
        for meaning in query.meanings:
            typed = set(query.bare[meaning.start : meaning.end])
            for term in meaning.means:
                words = bare(list(term))
                self.alternatives.append((typed, set(words), _MOST * len(set(words))))
                meant_pairs |= {f"{a}_{b}" for a, b in pairwise(words)}
        self.known_pairs = self.pairs.keys() | meant_pairs
        self.marked = {
            word: plain
            for word, plain, weight in zip(query.words, query.bare, query.weights, strict=True)
            if weight == 1.0 and word != plain and not plain.isdecimal()
        }
        said = [" ".join(query.bare), *(" ".join(bare(list(t))) for m in query.meanings for t in m.means)]
        self.variants = frozenset(v for text in said for v in [*_variants(text), *_said(text)])
        self.never = [" ".join(bare(list(term))) for meaning in query.meanings for term in meaning.never]

    def against(self, entry: EntryWords) -> tuple[float, ...]:
        """Return the figures named in `COVERAGE`."""
        in_title, title_in = self._cover(entry.title)
        core_in = self._cover(entry.core)[1]
        in_name = name_in = 0.0
        covers = [(in_title, title_in)]
        for name in entry.names:
            cover = self._cover(name)
            covers.append(cover)
            if cover[0] * cover[1] > in_name * name_in:
                in_name, name_in = cover
        never = max((self._both(name) for name in entry.not_meant), default=0.0)
        foreign = 1 - max(outside for _, outside in covers)
        explained = self._explained(entry.all)
        called = self._explained(entry.called)
        return (
            in_title,
            title_in,
            core_in,
            float(core_in >= _WHOLE and self.matter <= entry.title.words),
            in_name,
            name_in,
            sum([self.weights[word] for word in explained]) / self.total,
            float(len(self.variants - entry.variants)),
            float(len(self.variants & entry.variants)),
            float(len(entry.variants - self.variants)),
            max(0.0, never - in_name * name_in),
            float(any(term in entry.text for term in self.never)),
            max(inside for inside, _ in covers),
            max(_harmonic(*cover) for cover in covers),
            _harmonic(in_title, title_in),
            max((weight for word, weight in self.weights.items() if word not in explained), default=0.0) / 8,
            max((weight for word, weight in self.weights.items() if word not in called), default=0.0) / 8,
            foreign,
            min(1.0, (1 - title_in) * entry.title.total / 60),
            self._pairs_in(entry.title),
            sum([self.idf(pair) for pair in entry.title.pairs & self.known_pairs]) / entry.title.pairs_total,
            max((self._pairs_in(name) for name in entry.names), default=0.0),
            (self.total - sum([self.weights[word] for word in explained])) / _MUCH,
            (self.total - sum([self.weights[word] for word in called])) / _MUCH,
            self.total / _MUCH,
            self._other_marks(entry),
        )

    def _other_marks(self, entry: EntryWords) -> float:
        """Return the share of the question that the entry only has with other marks."""
        other = [
            plain for word, plain in self.marked.items() if plain in entry.called and word not in entry.marked
        ]
        return sum([self.weights[plain] for plain in other]) / self.total

    def _pairs_in(self, words: WordSet) -> float:
        return sum([self.pairs[pair] for pair in self.pairs.keys() & words.pairs]) / self.pairs_total

    def _explained(self, words: frozenset[str]) -> set[str]:
        found = set(self.weights.keys() & words)
        for typed, meant, needed in self.alternatives:
            if len(meant & words) >= needed:
                found |= typed
        return found

    def _cover(self, entry: WordSet) -> tuple[float, float]:
        """Return the share of the question found in the entry's words, and of those found in the question."""
        typed = self.weights.keys() & entry.words
        found = set(typed)
        for words, meant, needed in self.alternatives:
            hit = meant & entry.words
            if len(hit) >= needed:
                typed |= words
                found |= hit
        inside = sum([self.weights[word] for word in typed]) / self.total
        return inside, sum([self.idf(word) for word in found]) / entry.total

    def _both(self, entry: WordSet) -> float:
        inside, outside = self._cover(entry)
        return inside * outside


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second + 1e-6)


def _variants(text: str) -> list[int]:
    padded = f" {text} "
    return [n for n, words in enumerate(_VARIANTS) if any(f" {word} " in padded for word in words)]


def _said(text: str) -> list[int]:
    padded = f" {text} "
    return [
        next(n for n, group in enumerate(_VARIANTS) if group[0] == official)
        for official, phrases in _SAID.items()
        if any(f" {phrase} " in padded for phrase in phrases)
    ]
