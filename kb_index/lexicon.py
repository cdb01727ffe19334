"""Everyday terms and the official terms they stand for: finds them in a question and expands it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kb_index.importers.yaml_files import read_lexicon
from kb_index.schemas import LexiconTerm
from kb_index.texts import bare, query_syllables, syllables

STARTER_LEXICON = Path(__file__).parent / "starter" / "lexicon.yml"
_LONGEST = 8


@dataclass(frozen=True)
class Meaning:
    """A term found in a question, at words `start` to `end`, and what it stands for, as syllables."""

    start: int
    end: int
    means: tuple[tuple[str, ...], ...]
    never: tuple[tuple[str, ...], ...]


class Lexicon:
    """Looks terms up by their syllables.

    Marks decide between terms that are spelt alike without them; a term is found with some marks wrong or
    missing, but not where every syllable has other ones ("má" is not "mả").
    """

    def __init__(self, entries: Iterable[LexiconTerm]) -> None:
        self.entries = list(entries)
        self._marked: dict[tuple[str, ...], LexiconTerm] = {}
        self._bare: dict[tuple[str, ...], tuple[tuple[str, ...], LexiconTerm]] = {}
        for entry in self.entries:
            words = query_syllables(entry.term)
            self._marked.setdefault(tuple(words), entry)
            self._bare.setdefault(tuple(bare(words)), (tuple(words), entry))

    @classmethod
    def load(cls, path: Path = STARTER_LEXICON) -> Lexicon:
        """Read a lexicon file; a missing one is an empty lexicon."""
        return cls(read_lexicon(path) if path.is_file() else [])

    def find(self, words: Sequence[str]) -> list[Meaning]:
        """Return the terms in a question, the longest at each place, left to right."""
        if not self._bare:
            return []
        plain = bare(list(words))
        meanings: list[Meaning] = []
        position = 0
        while position < len(words):
            for length in range(min(_LONGEST, len(words) - position), 0, -1):
                end = position + length
                entry = self._at(words[position:end], plain[position:end])
                if entry is not None:
                    meanings.append(
                        Meaning(
                            position,
                            position + length,
                            tuple(tuple(syllables(term)) for term in entry.means),
                            tuple(tuple(syllables(term)) for term in entry.never),
                        )
                    )
                    position += length
                    break
            else:
                position += 1
        return meanings

    def _at(self, words: Sequence[str], plain: Sequence[str]) -> LexiconTerm | None:
        """Return the term that these words are, marked (`words`) and without marks (`plain`)."""
        exact = self._marked.get(tuple(words))
        if exact is not None:
            return exact
        term, entry = self._bare.get(tuple(plain), ((), None))
        alike = any(
            word in (own, bare_word) for word, own, bare_word in zip(words, term, plain, strict=False)
        )
        return entry if alike else None
