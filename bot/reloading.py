"""Takes up a newly trained model while the bot answers: loaded beside, warmed, swapped in between two turns.

A training renames its model over the served one. The file is looked at every few seconds; a restart, during
which messages would go to people, is not needed. A model that cannot be loaded is said once, and the old one
goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from rasa.core.channels.channel import UserMessage

from bot.agent import TurnAgent, TurnProcessor

logger = logging.getLogger("bot")

_Stamp = tuple[int, int, int]


class ModelWatch:
    """Looks for a new model in place of the one that is served.

    Make it before the model is loaded: what is put there from then on is new.

    Args:
        model: the file.
        warm_up: texts that a model reads before it is used.
        seconds: time between two looks.
    """

    def __init__(self, model: Path, warm_up: Sequence[str], *, seconds: float) -> None:
        self._model = model
        self._warm_up = warm_up
        self._seconds = seconds
        self._seen = _stamp(model)

    async def watch_for_ever(self, agent: TurnAgent) -> None:
        """Look at the file for ever, and have `agent` take up what is new."""
        while True:
            await asyncio.sleep(self._seconds)
            found = _stamp(self._model)
            if found is None or found == self._seen:
                continue
            self._seen = found
            try:
                await self._take_up(agent)
            except Exception as error:  # whatever is wrong with it, the one in use is well
                logger.error("the new model cannot be used, the old one stays: %s", type(error).__name__)

    async def _take_up(self, agent: TurnAgent) -> None:
        started = time.monotonic()
        processor = await asyncio.to_thread(self._load, agent)
        agent.take_over(processor)
        logger.info("took up model %s in %.1f s", agent.model_id, time.monotonic() - started)

    def _load(self, agent: TurnAgent) -> TurnProcessor:
        processor = agent.load_beside(self._model)
        for text in self._warm_up:
            asyncio.run(processor.parse_message(UserMessage(text)))
        return processor


def _stamp(file: Path) -> _Stamp | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
