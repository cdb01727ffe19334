"""Proposes labels for a group of texts: from the classifier's ranking, the nearest phrases, and search."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actions.learning.clusters import MOST, Vectors, centre, clusters, split
from actions.learning.samples import Sample
from actions.learning.training_files import TrainingFiles
from kb_index.aspects import asking_words, match_aspects
from kb_index.service import KnowledgeBase
from vntext.canonical import canonical

TYPICAL = 5
MOST_PROPOSALS = 3

_WORD = re.compile(r"[^\W_]+")
_NEIGHBOURS = 10
_SURE = 0.5
# Leading words of a name that only ask elsewhere: "làm lại bằng lái", "xin giấy độc thân".
_BEGIN_A_NAME = frozenset(
    ["làm", "xin", "đổi", "cấp", "mua", "bán", "lam", "doi", "cap", "ban", "sang", "tách", "tach"]
)


@dataclass(frozen=True, slots=True)
class Group:
    """Texts that mean much the same, the most typical first."""

    samples: tuple[Sample, ...]

    @property
    def said(self) -> int:
        """How often the texts were said together."""
        return sum(sample.count for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent proposed: `share` of the evidence for it, 0 to 1, and its nearest phrase."""

    name: str
    share: float
    phrase: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A procedure proposed; `chosen` says how many of the texts' writers chose it themselves."""

    code: str
    title: str
    share: float
    chosen: int = 0


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a group may be, best first."""

    intents: tuple[Intent, ...]
    entries: tuple[Entry, ...]

    @property
    def first_is_entry(self) -> bool:
        """Whether a procedure is the likelier label."""
        if not self.entries or not self.intents:
            return bool(self.entries)
        asks = self.intents[0].name.startswith("ask_") and self.intents[0].name != "ask_human"
        return self.entries[0].chosen > 0 or (asks and self.entries[0].share >= _SURE)


class Proposer:
    """Groups samples and proposes labels for them.

    Args:
        knowledge: embedding and search of the instance.
        files: the phrases there are.
    """

    def __init__(self, knowledge: KnowledgeBase, files: TrainingFiles) -> None:
        self._knowledge = knowledge
        self._phrases = [(phrase, intent) for intent, phrases in files.phrases.items() for phrase in phrases]
        self._phrase_vectors = knowledge.encode([phrase for phrase, _ in self._phrases])

    def groups(self, samples: Sequence[Sample]) -> list[Group]:
        """Return the samples in groups, the most frequently said first."""
        some = list(samples)[:MOST]
        vectors, counts = self._vectors(some), [sample.count for sample in some]
        return [Group(tuple(some[row] for row in rows)) for rows in clusters(vectors, counts)]

    def split(self, group: Group) -> list[Group]:
        """Return the smaller groups a group falls into."""
        counts = [sample.count for sample in group.samples]
        parts = split(self._vectors(group.samples), counts)
        return [Group(tuple(group.samples[row] for row in rows)) for rows in parts]

    def propose(self, group: Group) -> Proposals:
        """Return what a group may be."""
        return Proposals(self._intents(group), self._entries(group))

    def search(self, text: str, limit: int = TYPICAL) -> list[Entry]:
        """Return procedures that a person's words may mean; a code means itself."""
        entry = self._knowledge.get(text.strip())
        if entry is not None and entry.kind == "procedure":
            return [Entry(entry.key, entry.title, 1.0)]
        hits = self._knowledge.search(text, limit=2 * limit).hits
        return [Entry(hit.code, hit.title, hit.confidence) for hit in hits if hit.kind == "procedure"][:limit]

    def title(self, code: str) -> str | None:
        """Return what a procedure is called; None for a code that the base does not have."""
        entry = self._knowledge.get(code)
        return entry.title if entry is not None and entry.kind == "procedure" else None

    def _intents(self, group: Group) -> tuple[Intent, ...]:
        scores: defaultdict[str, float] = defaultdict(float)
        for sample in group.samples:
            ranking = sample.ranking or (((sample.intent, 1.0),) if sample.intent else ())
            for name, confidence in ranking:
                scores[name] += confidence * sample.count / group.said / 2
        nearest: dict[str, str] = {}
        if self._phrases:
            counts = [sample.count for sample in group.samples]
            likeness = self._phrase_vectors @ centre(self._vectors(group.samples), counts)
            near = np.argsort(-likeness)[:_NEIGHBOURS]
            total = float(np.clip(likeness[near], 0, None).sum()) or 1.0
            for row in near:
                phrase, intent = self._phrases[int(row)]
                nearest.setdefault(intent, phrase)
                scores[intent] += max(0.0, float(likeness[row])) / total / 2
        hinted = Counter(sample.hint for sample in group.samples if sample.hint in nearest)
        best = sorted(scores, key=lambda name: (-hinted[name], -scores[name], name))
        return tuple(
            Intent(name, round(float(scores[name]), 3), nearest.get(name)) for name in best[:MOST_PROPOSALS]
        )

    def _entries(self, group: Group) -> tuple[Entry, ...]:
        chosen: Counter[str] = Counter()
        for sample in group.samples:
            if sample.hint and self.title(sample.hint):
                chosen[sample.hint] += sample.count
        scores: defaultdict[str, float] = defaultdict(float)
        typical = group.samples[:TYPICAL]
        for sample in typical:
            for hit in self._knowledge.search(sample.text, limit=TYPICAL).hits:
                if hit.kind == "procedure":
                    scores[hit.code] += hit.confidence / len(typical)
        best = sorted({*chosen, *scores}, key=lambda code: (-chosen[code], -scores[code], code))
        return tuple(
            Entry(code, self.title(code) or code, round(float(scores[code]), 3), chosen[code])
            for code in best[:MOST_PROPOSALS]
        )

    def _vectors(self, samples: Sequence[Sample]) -> Vectors:
        return self._knowledge.encode([sample.text for sample in samples])


def name_of(text: str) -> str:
    """Return what a question calls its topic: without what it asks for, and without polite words around it.

    >>> name_of("cho em hỏi làm lại bằng lái bị mất cần giấy tờ gì")
    'làm lại bằng lái bị mất'
    """
    whole = canonical(text)
    asked = match_aspects(text)
    flags = asking_words(text)
    words = []
    position = 0
    for word, asks in zip(_WORD.findall(whole), flags, strict=True):
        start = whole.index(word, position)
        position = start + len(word)
        is_aspect = any(match.start <= start < match.end for match in asked)
        words.append((word, asks, is_aspect))
    while words and (words[-1][1] or words[-1][2]):
        words.pop()
    while words and words[0][1] and (words[0][0] not in _BEGIN_A_NAME or words[0][2]):
        words.pop(0)
    return " ".join(word for word, _, is_aspect in words if not is_aspect) or whole
