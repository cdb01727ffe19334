"""Fits the ranker: on questions of our own with known answers, and on spoiled names of the base itself."""

from __future__ import annotations

import json
import logging
import math
import random
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kb_index.embedding import Encoder
from kb_index.features import FEATURES, FeatureMaker
from kb_index.index import SearchIndex
from kb_index.lexicon import Lexicon
from kb_index.noise import noisy
from kb_index.query import read_query
from kb_index.ranker import NEAR, Linear, Ranker, Scorer, confidence_row
from kb_index.texts import EntryTexts, bare, syllables

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

EVALUATION = Path(__file__).parent.parent / "nlu_data" / "evaluation"
# Fitted on the starter base with the national one (`python -m kb_index fit`).
PACKAGED = Path(__file__).with_name("ranker.json")
# Fewer questions than this say too little for a fit: a base of one's own, or a few entries.
_FEWEST_WRITTEN = 200
SEED = 1022
_MOST_TITLES = 600
_MOST_VARIANTS = 300
_MOST_NAMED = 900
# Share of the generated questions on a title that quote the whole of it.
_WHOLE = 0.3
# How much a question counts that somebody wrote, against a generated one.
_WRITTEN = 3.0
# Routes of questions that are real and that the base cannot answer.
_UNANSWERED = frozenset({"handoff", "out_of_scope"})
# A question whose answers were taken out counts less than one that the base really has nothing on.
_TAKEN_OUT = 0.3
# Set by hand, since written questions hardly show it. Other marks than the entry's only decide between what
# is otherwise equal, so that both ways of typing are ranked alike; who says just what a title says means that
# entry, and none that says more.
_SET = {"other_marks": -0.5, "same_as_title": 3.0}
_SET_PLACES = [FEATURES.index(name) for name in _SET]
_FITTED_PLACES = [place for place in range(len(FEATURES)) if place not in _SET_PLACES]
# The ranking is fitted with so many hidden units, that often over all questions. The rest keeps it from
# learning questions by heart: cross-validated, less of any of it was worse on questions it had not seen.
_UNITS = 32
_EPOCHS = 30
_BATCH = 128
_DROPPED = 0.3
_SHRINK = 0.3
_FASTEST = 0.009
_FOLDS = 5
_SHRINK_CONFIDENCE = 0.02
_PREFIX = re.compile(r"^(?:Thủ tục\s+)?(?:đăng ký|cấp)\s+", re.IGNORECASE)
_ASKS = (
    "{} cần giấy tờ gì",
    "{} hết bao nhiêu tiền",
    "{} mất mấy ngày",
    "{} ở đâu",
    "cho hỏi thủ tục {}",
    "{}",
    "muốn {} thì làm sao",
    "{} nộp qua mạng được không",
    "lệ phí {} là bao nhiêu",
    "hồ sơ {} gồm những gì",
    "ai được {}",
    "điều kiện {} là gì",
    "xin mẫu đơn {}",
    "{} thì có nhận kết quả ở xã được không",
)


@dataclass(frozen=True)
class Question:
    """A question with the keys of the entries that answer it; `weight` is how much it counts in fitting."""

    text: str
    keys: frozenset[str]
    weight: float = 1.0


@dataclass(frozen=True)
class Case:
    """A question's candidates: their figures and which are right; `fold` is of what it is about."""

    features: NDArray[np.float32]
    right: NDArray[np.bool_]
    weight: float
    found: bool
    fold: int


class TooFewQuestionsError(ValueError):
    """Hardly any question is about the base: nothing to fit on."""


def read_questions(folder: Path = EVALUATION) -> list[Question]:
    """Return the questions of our own evaluation files: those of entries, and those that no entry answers."""
    questions = []
    for file in sorted(folder.glob("*.jsonl")) if folder.is_dir() else []:
        for line in file.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            row = json.loads(line)
            keys = frozenset(row.get("procedures") or ([row["article"]] if row.get("article") else []))
            if "text" not in row:
                continue
            if keys:
                questions.append(Question(row["text"], keys, _WRITTEN))
            elif "answer" not in row["routes"] and _UNANSWERED & set(row["routes"]):
                questions.append(Question(row["text"], frozenset(), _WRITTEN))
    return questions


def fit_ranker(
    entries: Sequence[EntryTexts], encoder: Encoder, lexicon: Lexicon, questions: Iterable[Question] = ()
) -> Ranker:
    """Fit on `questions` and on generated ones.

    Generated questions are everyday names, taken out of the index first so that the ranker learns what a
    question looks like that nobody has written down, and pieces of titles.

    Raises:
        TooFewQuestionsError: hardly any of the questions is about these entries.
    """
    chance = random.Random(SEED)  # noqa: S311 - no secrets, reproducible
    kept, generated = generate(entries, chance)
    numbers = {entry.key: number for number, entry in enumerate(kept)}
    own = [question for question in questions if question.keys & numbers.keys() or not question.keys]
    # Written questions meet the base as it is; only for generated ones are names missing.
    cases = [
        case_of(question, maker, numbers, lexicon)
        for some, maker in (
            (own, FeatureMaker(SearchIndex.build(entries, encoder), encoder)),
            (generated, FeatureMaker(SearchIndex.build(kept, encoder), encoder)),
        )
        for question in some
    ]
    written = sum(case.found for case in cases[: len(own)])
    if written < _FEWEST_WRITTEN:
        raise TooFewQuestionsError(f"only {written} of our questions are about this base")
    ranking = fit_ranking(cases)
    scores = _scores_unseen(cases)
    confidence, near = (_fit_confidence(cases, scores, first) for first in (1, NEAR))
    logger.info("ranker fitted on %d written and %d generated questions", len(own), len(generated))
    return Ranker(ranking, confidence, near)


def generate(entries: Sequence[EntryTexts], chance: random.Random) -> tuple[list[EntryTexts], list[Question]]:
    """Return the entries with some names taken out, and questions made of those and of titles."""
    kept: list[EntryTexts] = []
    questions: list[Question] = []
    bare_titles = [entry for entry in entries if not entry.names]
    variants, general = _variants(entries)
    chosen = {entry.key for entry in chance.sample(bare_titles, min(_MOST_TITLES, len(bare_titles)))}
    chosen |= {entry.key for entry in chance.sample(variants, min(_MOST_VARIANTS, len(variants)))}
    named = [entry for entry in entries if len(entry.names) >= 2]
    asked = {entry.key for entry in chance.sample(named, min(_MOST_NAMED, len(named)))}
    for entry in entries:
        if entry.key in asked:
            out = set(chance.sample(entry.names, min(2, len(entry.names) // 2)))
            kept.append(replace(entry, names=tuple(name for name in entry.names if name not in out)))
            # What names the general procedure means it, not one that says more.
            for name in sorted(out) + ([_PREFIX.sub("", entry.title)] if entry.key in general else []):
                text = chance.choice(_ASKS).format(name)
                text = noisy(text, chance) if chance.random() < 0.5 else text
                questions.append(Question(text, frozenset([entry.key])))
            continue
        kept.append(entry)
        if entry.key in chosen:
            # Few type a whole title, most a piece of it, with words left out.
            words = entry.title.split()
            if chance.random() < _WHOLE:
                some = words
            else:
                start = chance.randrange(max(1, len(words) - 8)) if chance.random() < 0.3 else 0
                some = [word for word in words[start : start + 16] if chance.random() > 0.25] or words
            text = chance.choice(_ASKS).format(" ".join(some))
            text = noisy(text, chance) if chance.random() < 0.5 else text
            questions.append(Question(text, frozenset([entry.key])))
    return kept, questions


def _variants(entries: Sequence[EntryTexts]) -> tuple[list[EntryTexts], set[str]]:
    """Return the entries without names whose title says all of another's and more, and those others."""
    titles = [(entry, frozenset(bare(syllables(_PREFIX.sub("", entry.title))))) for entry in entries]
    named = [(entry, words) for entry, words in titles if entry.names and entry.kind == "procedure"]
    variants, general = [], set()
    for entry, words in titles:
        said = {other.key for other, fewer in named if fewer < words}
        general |= said
        if said and not entry.names:
            variants.append(entry)
    return variants, general


def case_of(question: Question, maker: FeatureMaker, numbers: dict[str, int], lexicon: Lexicon) -> Case:
    """Return the question's candidates; `numbers` are the places of the entries' keys."""
    chosen, features = maker.candidates(read_query(question.text, lexicon, maker.vocabulary))
    right_numbers = {numbers[key] for key in question.keys if key in numbers}
    right = np.array([number in right_numbers for number in chosen], dtype=bool)
    about = min(question.keys) if question.keys else question.text
    return Case(features, right, question.weight, bool(right.any()), zlib.crc32(about.encode()) % _FOLDS)


def _scores_unseen(cases: Sequence[Case]) -> list[NDArray[np.float32]]:
    """Return the scores of every question's candidates by a ranking that was not fitted on that question.

    On questions it was fitted on, a ranking is surer than it has reason to be. Questions about the same entry
    are left out together.
    """
    scores: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * len(cases)
    for fold in range(_FOLDS):
        ranking = fit_ranking([case for case in cases if case.fold != fold])
        for number, case in enumerate(cases):
            if case.fold == fold:
                scores[number] = ranking(case.features)
    return scores


def fit_ranking(cases: Sequence[Case], units: int = _UNITS) -> Scorer:
    """Fit a score so that the right candidate of a question wins its softmax (a conditional logit).

    Args:
        cases: the questions.
        units: of the hidden layer; none leaves a linear function.
    """
    import torch

    torch.manual_seed(SEED)
    cases = [case for case in cases if case.found and not case.right.all()]
    rows = np.concatenate([case.features for case in cases])[:, _FITTED_PLACES]
    means, scales = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    widest = max(len(case.features) for case in cases)
    features = np.zeros((len(cases), widest, len(_FITTED_PLACES)), dtype=np.float32)
    by_hand = np.zeros((len(cases), widest), dtype=np.float32)
    mask = np.full((len(cases), widest), -1e9, dtype=np.float32)
    right = np.full((len(cases), widest), -1e9, dtype=np.float32)
    set_weights = np.array(list(_SET.values()), dtype=np.float32)
    for number, case in enumerate(cases):
        size = len(case.features)
        standardised = (case.features[:, _FITTED_PLACES] - means) / scales
        features[number, :size] = np.clip(standardised, -Scorer.farthest, Scorer.farthest)
        by_hand[number, :size] = case.features[:, _SET_PLACES] @ set_weights
        mask[number, :size] = 0.0
        right[number, :size][case.right] = 0.0
    x, h, m, r = (torch.from_numpy(table) for table in (features, by_hand, mask, right))
    importance = torch.tensor([case.weight for case in cases])
    linear = torch.nn.Linear(len(_FITTED_PLACES), 1, bias=False)
    hidden = torch.nn.Linear(len(_FITTED_PLACES), units)
    out = torch.nn.Linear(units, 1, bias=False)
    dropout = torch.nn.Dropout(_DROPPED)
    parameters = [*linear.parameters(), *hidden.parameters(), *out.parameters()]
    optimiser = torch.optim.AdamW(parameters, weight_decay=_SHRINK)
    steps = _EPOCHS * math.ceil(len(cases) / _BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=_FASTEST, total_steps=steps)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(cases)), _BATCH):
            units = dropout(torch.relu(hidden(x[batch])))
            scores = (linear(x[batch]) + out(units)).squeeze(-1) + h[batch]
            likelihood = torch.logsumexp(scores + r[batch], 1) - torch.logsumexp(scores + m[batch], 1)
            loss = -(importance[batch] * likelihood).sum() / importance[batch].sum()
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            pace.step()

    def whole(fitted: Tensor, rest: float | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return fitted numbers in the places of their figures, and `rest` in those set by hand."""
        array = fitted.detach().numpy().astype(np.float32)
        table = np.zeros((len(FEATURES), *array.shape[1:]), dtype=np.float32)
        table[_FITTED_PLACES] = array
        table[_SET_PLACES] = rest
        return table

    return Scorer(
        means=whole(torch.from_numpy(means), 0.0),
        scales=whole(torch.from_numpy(scales), 1.0),
        weights=whole(linear.weight[0], set_weights),
        hidden=whole(hidden.weight.T, 0.0),
        hidden_bias=hidden.bias.detach().numpy().astype(np.float32),
        out=out.weight[0].detach().numpy().astype(np.float32),
    )


def _fit_confidence(cases: Sequence[Case], all_scores: Sequence[NDArray[np.float32]], first: int) -> Linear:
    """Fit how probably one of the `first` candidates is right, from each case's scores.

    Each question counts again with its answers taken out: what the base cannot answer looks like that.
    """
    import torch

    rows, labels, weights = [], [], []
    for case, case_scores in zip(cases, all_scores, strict=True):
        wrong = ~case.right
        for kept, right, weight in (
            (np.ones(len(wrong), dtype=bool), case.right, case.weight),
            (wrong, np.zeros(wrong.sum(), dtype=bool), case.weight * _TAKEN_OUT if case.found else 0.0),
        ):
            if not kept.any() or not weight:
                continue
            features, scores = case.features[kept], case_scores[kept]
            order = np.argsort(-scores, kind="stable").tolist()
            rows.append(confidence_row(features, scores, order))
            labels.append(bool(right[order[:first]].any()))
            weights.append(weight)
    table = np.array(rows, dtype=np.float32)
    means, scales = table.mean(axis=0), table.std(axis=0) + 1e-6
    x = torch.from_numpy((table - means) / scales)
    y = torch.tensor(labels, dtype=torch.float32)
    importance = torch.tensor(weights)

    def loss(fitted: Tensor) -> Tensor:
        values = x @ fitted[:-1] + fitted[-1]
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(values, y, weight=importance)
        return wrong + _SHRINK_CONFIDENCE * (fitted[:-1] ** 2).sum()

    found = _minimise(loss, table.shape[1] + 1)
    return Linear(means, scales, found[:-1], float(found[-1]))


def _minimise(loss: Callable[[Tensor], Tensor], size: int, start: float = 0.0) -> NDArray[np.float32]:
    """Return the vector of `size` that makes a smooth loss least, beginning with `start` in every place."""
    import torch

    fitted = torch.full((size,), start, requires_grad=True)
    optimiser = torch.optim.LBFGS([fitted], max_iter=150, line_search_fn="strong_wolfe")

    def step() -> float:
        optimiser.zero_grad()
        value = loss(fitted)
        torch.autograd.backward(value)
        return float(value.detach())

    optimiser.step(step)  # type: ignore[no-untyped-call]
    return fitted.detach().numpy().astype(np.float32)
