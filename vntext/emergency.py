"""Emergencies in a citizen's message, recognised before anything else runs: which number, by which rule.

The rules are a table (`rules/emergency_*.yml`), matched over canonical text with or without marks:

1. *Figures* ("cháy túi", "phòng cháy chữa cháy") are taken out of the text by name.
2. *Rules* name what is happening. Each has a strength: 3 stands nearly alone, 2 is enough by itself, 1
   needs a sign of urgency ("đang", "cứu với", "xuống liền").
3. *Brakes* ("năm ngoái", "thủ tục", "đề nghị lắp") weigh against it; `unless` names the urgency that lifts
   a brake ("từ hôm qua tới giờ" is not past). A rule fires when its strength with the urgency found, less the
   brakes, is 2 or more.
4. *Places*: a message that tells of it twice is surer; a lone sign in long writing without marks is less.

A missed emergency is worse than a false one, so urgency counts for much and brakes are specific.
Needs nothing but the files beside it: no model, no database, no network. The tables are read at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from vntext.canonical import canonical
from vntext.phrases import (
    Found,
    Pattern,
    PhraseIndex,
    Word,
    hold_bare,
    hold_phrases,
    words_of,
)

Kind = Literal["113", "114", "115"]
KINDS: tuple[Kind, ...] = ("113", "114", "115")

_RULES = Path(__file__).parent / "rules"
_ENOUGH = 2
_MOST_URGENT = 2
_LONG = 24  # words; of a longer message one sign alone is little
_LONGEST = 6_000  # characters read; a longer message is read at both ends
_BLANK = Word("▪", "▪")


@dataclass(frozen=True, slots=True)
class Emergency:
    """What the recogniser found.

    Attributes:
        kind: the number to call first, None when this is no emergency.
        also: further numbers that are needed.
        rule: name of the rule that fired, or of the strongest that was held back; "" when none matched.
        excluded_by: name of the figure or brake that held it back, "not_urgent" or "lone_sign"; None when it
            fired or nothing matched.
        group: key of the advice for the time until help comes (`emergency.meanwhile.<group>`); "" when none.
    """

    kind: Kind | None
    also: tuple[Kind, ...] = ()
    rule: str = ""
    excluded_by: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    kind: Kind
    also: tuple[Kind, ...]
    group: str
    strength: int
    rank: int


@dataclass(frozen=True, slots=True)
class _Brake:
    name: str
    weight: int
    spares: frozenset[str]
    unless: frozenset[str]


class _Table:
    """The rule files, compiled."""

    def __init__(self) -> None:
        content: dict[str, Any] = {}
        for path in sorted(_RULES.glob("emergency_*.yml")):
            with path.open(encoding="utf-8") as lines:
                for section, entries in (yaml.safe_load(lines) or {}).items():
                    content.setdefault(section, {}).update(entries)
        classes = {name: words.split() for name, words in content["classes"].items()}
        never_bare = frozenset(content["everyday"]["never_bare"].split())

        def compiled(sections: Any) -> list[tuple[str, Pattern]]:
            return [
                (name, Pattern(source, classes, never_bare))
                for name, sources in sections
                for source in sources
            ]

        self.bare_words = frozenset(content["everyday"]["bare_words"].split())
        self.sure_words = frozenset(content["everyday"]["sure_words"].split())
        self.bare_phrases: dict[str, list[tuple[str, ...]]] = {}
        for phrase in content["everyday"]["bare_phrases"].split():
            parts = tuple(phrase.split("_"))
            self.bare_phrases.setdefault(parts[0], []).append(parts)
        self.rules: dict[str, _Rule] = {}
        for rank, (name, row) in enumerate(content["rules"].items()):
            self.rules[name] = _Rule(
                name,
                str(row["kind"]),  # type: ignore[arg-type]
                tuple(str(kind) for kind in row.get("also", ())),  # type: ignore[misc]
                row.get("group", ""),
                row.get("strength", _ENOUGH),
                row.get("rank", rank + 100),
            )
        figures = {
            name: row if isinstance(row, dict) else {"any": row} for name, row in content["figures"].items()
        }
        self.figures = PhraseIndex(compiled((name, row["any"]) for name, row in figures.items()))
        self.figure_unless = {
            name: frozenset(row["unless"].split()) for name, row in figures.items() if "unless" in row
        }
        self.signals = PhraseIndex(compiled((name, row["any"]) for name, row in content["rules"].items()))
        self.urgency = PhraseIndex(compiled(content["urgency"].items()))
        self.brakes = {
            name: _Brake(
                name, row["weight"], frozenset(row.get("spares", ())), frozenset(row.get("unless", ()))
            )
            for name, row in content["brakes"].items()
        }
        self.brake_phrases = PhraseIndex(
            compiled((name, row["any"]) for name, row in content["brakes"].items())
        )


_TABLE = _Table()


def _read(text: str) -> tuple[list[Word], bool]:
    """Return the words of the message and whether it was typed with marks.

    Everyday bare words lose the reading with marks: in a message with marks every bare word that is frequent
    as such, in one without only the phrases that are ordinary Vietnamese.
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} . {text[-_LONGEST // 2 :]}"
    typed = text.split()
    marked = sum(not part.isascii() for part in typed) * 2 >= len(typed)
    words = words_of(canonical(text), _TABLE.sure_words)
    if marked:
        return hold_bare(words, _TABLE.bare_words), True
    return hold_phrases(words, _TABLE.bare_phrases), False


def read_words(text: str) -> list[Word]:
    """Return the words of a message as the rules read them."""
    return _read(text)[0]


def _blank(words: list[Word], figures: list[Found]) -> list[Word]:
    if not figures:
        return words
    words = list(words)
    for figure in figures:
        for position in range(figure.start, figure.end):
            words[position] = _BLANK
    return words


def _places(signals: list[Found]) -> int:
    """Count the places of the text that tell of an emergency; what overlaps is one place."""
    count = end = 0
    for signal in sorted(signals, key=lambda found: found.end):
        if signal.start >= end:
            count, end = count + 1, signal.end
    return count


def _support(signals: list[Found], length: int, marked: bool) -> int:
    """Return what the rest of the message adds to a sign: more where it tells of it twice.

    Who tells a long story of an emergency names it more than once. In long writing without marks a single
    sign is more often chance, for every syllable there can be read in several ways.
    """
    if _places(signals) > 1:
        return 1
    return -1 if length > _LONG and not marked else 0


def recognise(text: str) -> Emergency:
    """Tell whether a message reports an emergency, which number it needs and by which rule.

    Never raises, whatever the text; takes well under a millisecond for a chat message.
    """
    words, marked = _read(text)
    bare = {word.bare for word in words}
    figures = [
        figure
        for figure in _TABLE.figures.find(words)
        if bare.isdisjoint(_TABLE.figure_unless.get(figure.name, ()))
    ]
    signals = _TABLE.signals.find(_blank(words, figures))
    if not signals:
        hidden = _TABLE.signals.find(words) if figures else []
        if not hidden:
            return Emergency(None)
        covering = next(
            (f for f in figures if any(f.start < s.end and s.start < f.end for s in hidden)), figures[0]
        )
        return Emergency(None, rule=hidden[0].name, excluded_by=covering.name)
    urgent = {found.name for found in _TABLE.urgency.find(words)}
    urgency = min(_MOST_URGENT, len(urgent))
    support = _support(signals, len(words), marked)
    names = {found.name for found in _TABLE.brake_phrases.find(words)}
    pulled = [brake for brake in map(_TABLE.brakes.__getitem__, names) if brake.unless.isdisjoint(urgent)]
    fired: list[tuple[int, _Rule]] = []
    held: list[tuple[int, _Rule, str]] = []
    for name in {signal.name for signal in signals}:
        rule = _TABLE.rules[name]
        brakes = [brake for brake in pulled if name not in brake.spares]
        brakes.sort(key=lambda brake: (-brake.weight, brake.name))
        against = brakes[0].weight + (len(brakes) > 1) if brakes else 0
        # A second place makes sure of a sign, but outweighs no request and makes no emergency of mere noise.
        counted = min(support, 0) if brakes or rule.strength < _ENOUGH else support
        score = rule.strength + urgency + counted - against
        if score >= _ENOUGH:
            fired.append((score, rule))
        else:
            why = brakes[0].name if brakes else "lone_sign" if counted < 0 else "not_urgent"
            held.append((score, rule, why))
    if not fired:
        _, rule, brake = max(held, key=lambda row: (row[0], -row[1].rank))
        return Emergency(None, rule=rule.name, excluded_by=brake)
    fired.sort(key=lambda row: row[1].rank)
    first = fired[0][1]
    others = [kind for _, rule in fired for kind in (rule.kind, *rule.also)]
    also = tuple(kind for kind in dict.fromkeys((*first.also, *others)) if kind != first.kind)
    return Emergency(first.kind, also, first.name, None, first.group)
