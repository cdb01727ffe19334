"""Restores the marks of unmarked text: the likeliest marked syllables by a bigram model of written texts.

Nothing in the product reads it: search and the classifier read text without marks as it is. It stands here to
measure whether restoring first would be better (`bot.compare`), again whenever the texts have grown.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from vntext.normalise import normalise, strip_marks

_SYLLABLE = re.compile(r"[^\W\d_]+")
_START = ""
# How much a pair of syllables counts against the syllable by itself, and how many readings are tried of one.
_PAIRS = 0.85
_READINGS = 12


class Restorer:
    """A bigram model of marked text, read by the Viterbi algorithm.

    Where a pair is rare, the continuation count of Kneser and Ney (1995) speaks for the syllable.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._before: Counter[str] = Counter()
        for text in texts:
            words = _SYLLABLE.findall(normalise(text).lower())
            if not words or all(word == strip_marks(word) for word in words):
                continue  # typed without marks: it would teach that there are none
            counts.update(words)
            self._pairs.update(zip([_START, *words], words, strict=False))
            self._before.update([_START, *words[:-1]])
        readings: dict[str, list[str]] = defaultdict(list)
        for word, _ in counts.most_common():
            readings[strip_marks(word)].append(word)
        self._readings = {bare: words[:_READINGS] for bare, words in readings.items()}
        # After how many others a syllable stands, not how often it does: "sơ" is frequent, in "hồ sơ" alone.
        self._contexts = Counter(word for _, word in self._pairs)
        self._total = max(1, len(self._pairs))

    def __call__(self, text: str) -> str:
        """Return `text` in lower case with marks; what is no known unmarked syllable stays as it is."""
        typed = normalise(text).lower()
        found = list(_SYLLABLE.finditer(typed))
        best = {_START: (0.0, [""])}
        for match in found:
            best = {
                reading: max(
                    (score + self._likelihood(before, reading), [*path, reading])
                    for before, (score, path) in best.items()
                )
                for reading in self._readings.get(match[0], [match[0]])
            }
        _, words = max(best.values())
        parts, position = [], 0
        for match, word in zip(found, words[1:], strict=True):
            parts += [typed[position : match.start()], word]
            position = match.end()
        return "".join([*parts, typed[position:]])

    def _likelihood(self, before: str, word: str) -> float:
        after = self._pairs[before, word] / self._before[before] if self._before[before] else 0.0
        alone = (self._contexts[word] + 0.1) / self._total
        return math.log(_PAIRS * after + (1 - _PAIRS) * alone)
