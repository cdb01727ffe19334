"""Trains the instance's own embedding: pairs of what people may type and what the base calls it."""

from __future__ import annotations

import logging
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kb_index.lexicon import Lexicon
from kb_index.noise import noisy
from kb_index.texts import EntryTexts, syllables

logger = logging.getLogger(__name__)

DIMENSIONS = 256
_VOCABULARY = 16_000
_BATCH = 256
_EPOCHS = 2
_SEED = 1022
_PARTS = re.compile(r"[,;:()–]| - ")
_SENTENCES = re.compile(r"[.;\n]")

Pair = tuple[str, str]


def make_pairs(entries: Sequence[EntryTexts], lexicon: Lexicon, seed: int = _SEED) -> list[Pair]:
    """Return (what may be typed, what it is called) pairs, with spoiled copies (no marks, mistyped…)."""
    chance = random.Random(seed)  # noqa: S311 - no secrets, reproducible
    pairs: list[Pair] = []
    swaps = _swaps(lexicon)
    for entry in entries:
        title = _plain(entry.title)
        names = [_plain(name) for name in entry.names]
        target = title
        clean: list[Pair] = []
        for name in names:
            clean.append((name, target))
            others = [other for other in names if other != name]
            if others:
                clean.append((name, chance.choice(others)))
        parts = [_plain(part) for part in _PARTS.split(entry.title)]
        clean += [(part, target) for part in parts if len(part.split()) > 2 and part != title]
        clean += [(_dropped(title, chance), target) for _ in range(2 if len(title.split()) > 4 else 1)]
        clean += [(swapped, target) for swapped in _swapped(title, swaps, chance)]
        snippets = [_plain(part) for part in _SENTENCES.split(f"{entry.details} . {entry.body}")]
        snippets = [" ".join(snippet.split()[:24]) for snippet in snippets if len(snippet.split()) > 3]
        clean += [(snippet, target) for snippet in chance.sample(snippets, min(4, len(snippets)))]
        pairs += clean
        pairs += [(noisy(anchor, chance), target) for anchor, target in clean]
    for term in lexicon.entries:
        for meaning in term.means:
            pairs.append((_plain(term.term), _plain(meaning)))
            pairs.append((noisy(_plain(term.term), chance), _plain(meaning)))
    kept = [(anchor, target) for anchor, target in pairs if anchor and target and anchor != target]
    chance.shuffle(kept)
    return list(dict.fromkeys(kept))


def train_embedding(
    pairs: Sequence[Pair], texts: Iterable[str], folder: Path, dimensions: int = DIMENSIONS
) -> None:
    """Train a static embedding on `pairs` and put it in `folder`, replacing what is there.

    Args:
        pairs: (anchor, positive) texts.
        texts: what the tokenizer's vocabulary is learnt from, besides the pairs.
        folder: where the model goes; written beside and moved when whole.
        dimensions: length of its vectors.
    """
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

    started = time.monotonic()
    torch.manual_seed(_SEED)
    torch.set_num_threads(1)
    tokenizer = _tokenizer([*texts, *(text for pair in pairs for text in pair)])
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=dimensions)], device="cpu")
    dataset = Dataset.from_dict(
        {"anchor": [pair[0] for pair in pairs], "positive": [pair[1] for pair in pairs]}
    )
    with tempfile.TemporaryDirectory() as scratch:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=scratch,
            num_train_epochs=_EPOCHS,
            per_device_train_batch_size=_BATCH,
            learning_rate=0.05,
            warmup_steps=0.1,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=_SEED,
        )
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=dataset, loss=MultipleNegativesRankingLoss(model)
        )
        trainer.train()
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    model.save(str(beside), create_model_card=False)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    logger.info("embedding trained on %d pairs in %.1f s", len(pairs), time.monotonic() - started)


def _tokenizer(texts: Sequence[str]) -> Any:
    """Learn a BPE vocabulary on text without marks: unmarked typing then costs nothing.

    Marks are read by the keyword index; here the model sees one spelling of every word.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.NFD(),
            normalizers.StripAccents(),
            normalizers.Replace("đ", "d"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, special_tokens=["[UNK]", "[PAD]"], min_frequency=2, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _plain(text: str) -> str:
    return " ".join(syllables(text))


def _dropped(text: str, chance: random.Random) -> str:
    words = text.split()
    kept = [word for word in words if chance.random() > 0.3]
    return " ".join(kept or words)


def _swaps(lexicon: Lexicon) -> dict[tuple[str, ...], list[str]]:
    """Return official terms with the everyday ones that stand for them."""
    swaps: dict[tuple[str, ...], list[str]] = {}
    for entry in lexicon.entries:
        for meaning in entry.means:
            swaps.setdefault(tuple(syllables(meaning)), []).append(_plain(entry.term))
    return swaps


def _swapped(title: str, swaps: dict[tuple[str, ...], list[str]], chance: random.Random) -> list[str]:
    """Return the title with one official term replaced by an everyday one, for up to four terms."""
    words = title.split()
    results = []
    for start in range(len(words)):
        for length in range(1, min(10, len(words) - start) + 1):
            everyday = swaps.get(tuple(words[start : start + length]))
            if everyday:
                for term in chance.sample(everyday, min(2, len(everyday))):
                    results.append(" ".join([*words[:start], term, *words[start + length :]]))
    return results[:6]
