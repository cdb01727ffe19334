"""Carries out what a person decides on samples, and takes it back: files first, then the database.

A crash in between leaves a text in the files that still waits for a label; labelled again it is "known".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from actions.learning.proposals import name_of
from actions.learning.samples import LearningSamples, Sample, Verdict
from actions.learning.training_files import RefusedError, TrainingFiles, without_placeholders
from vntext.canonical import canonical


class UnknownLabelError(ValueError):
    """There is no such intent."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A text that could not be written, and why (see `RefusedError`); it waits on."""

    text: str
    reason: str
    detail: str


@dataclass(slots=True)
class Result:
    """What became of a decision: texts by state (`phrase`, `evaluation`, `name`, `known`, `dropped`)."""

    written: dict[str, int] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)

    def count(self, state: str) -> None:
        """Count one text."""
        self.written[state] = self.written.get(state, 0) + 1


class Labeller:
    """Writes decisions.

    Args:
        samples: what waits for a label.
        files: the training data.
    """

    def __init__(self, samples: LearningSamples, files: TrainingFiles) -> None:
        self._samples = samples
        self._files = files

    async def accept_intent(self, some: Sequence[Sample], intent: str) -> Result:
        """Label samples with an intent: they become phrases, every fifth a row to measure with.

        Raises:
            UnknownLabelError: no phrase has this intent.
        """
        if intent not in self._files.phrases:
            raise UnknownLabelError(intent)
        result = Result()
        verdicts = []
        for sample in some:
            try:
                state = self._files.add_phrase(sample.text, intent)
            except RefusedError as error:
                result.refused.append(Refusal(sample.text, error.reason, error.detail))
                continue
            verdicts.append(Verdict(sample, state, intent))
        return await self._note(verdicts, result)

    async def accept_procedure(
        self, some: Sequence[Sample], code: str, names: Iterable[str] | None = None
    ) -> Result:
        """Label samples with the procedure they mean: what they call it becomes its everyday names.

        Args:
            some: the samples.
            code: the procedure; the caller knows that it exists.
            names: the names to learn; None: what each text calls its topic.
        """
        result = Result()
        verdicts = []
        # Names that a person gave are written once, with the first text that is not kept for measuring.
        given = None if names is None else list(names)
        for sample in some:
            try:
                state = self._files.add_question(sample.text, code)
                if state is None:
                    wanted = [name_of(without_placeholders(sample.text))] if given is None else given
                    learned = self._files.add_names(code, wanted)
                    given = None if given is None else []
                    verdicts.append(Verdict(sample, "name" if learned else "known", code, learned))
                else:
                    verdicts.append(Verdict(sample, state, code))
            except RefusedError as error:
                result.refused.append(Refusal(sample.text, error.reason, error.detail))
        return await self._note(verdicts, result)

    async def drop(self, some: Sequence[Sample]) -> Result:
        """Put samples away: there is nothing to learn from them."""
        return await self._note([Verdict(sample, "dropped") for sample in some], Result())

    async def undo(self) -> list[Sample]:
        """Take the last decision back; return its samples as they were decided, none where there is none."""
        decided = await self._samples.last_decision()
        for sample in decided:
            if sample.label is not None:
                self._files.remove(sample.text, sample.state, sample.label, sample.names)
        if decided:
            await self._samples.reopen(decided)
        return decided

    async def _note(self, verdicts: list[Verdict], result: Result) -> Result:
        if verdicts:
            await self._samples.decide(verdicts)
        for verdict in verdicts:
            result.count(verdict.state)
        return result


def pick(some: Sequence[Sample], texts: Iterable[str]) -> tuple[list[Sample], list[str]]:
    """Return the samples of texts, and the texts that are none; spelling is read as search reads it."""
    by_key = {canonical(sample.text): sample for sample in some}
    found: dict[str, Sample] = {}
    missing = []
    for text in texts:
        sample = by_key.get(canonical(text))
        if sample is None:
            missing.append(text)
        else:
            found[sample.id] = sample
    return list(found.values()), missing
