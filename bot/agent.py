"""A Rasa agent that fails loudly: a turn either ran whole and is stored, or raised and left no trace.

Rasa itself logs an exception of an action and goes on, so that a crash looks like silence, and falls back to
a tracker store in memory when the real one is down, so that a conversation is forgotten without a word. Here
both raise. The tracker is stored once, at the end of the turn; a turn that failed can be tried again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rasa.core.actions.action import Action, ActionExecutionRejection
from rasa.core.agent import Agent
from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.core.nlg import NaturalLanguageGenerator
from rasa.core.policies.policy import PolicyPrediction
from rasa.core.processor import MessageProcessor
from rasa.core.tracker_store import InMemoryTrackerStore, TrackerStore
from rasa.core.utils import AvailableEndpoints
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.action_endpoint import ActionEndpoint, check_schema_once
from bot.closing import closing_clause, merge
from bot.context import in_context
from bot.event_types import look_up_events_once


class TurnFailedError(Exception):
    """The turn could not be completed; nothing of it was stored."""


class ActionRejectedError(TurnFailedError):
    """An action refused to run. None of ours may: the form takes every message (see `domain.yml`)."""


class TooManyActionsError(TurnFailedError):
    """The policies kept predicting actions and never listened."""


class SilentTurnError(TurnFailedError):
    """The turn ran, but nothing was said."""


def _too_many_actions(*_: Any) -> None:
    raise TooManyActionsError("the dialogue did not come to rest")


class TurnProcessor(MessageProcessor):
    """Runs one turn whole or not at all."""

    async def take_turn(self, message: UserMessage) -> DialogueStateTracker:
        """Run the dialogue for `message`, store the tracker and return it.

        Raises:
            TurnFailedError: the dialogue failed. Whatever else the actions or the store raise passes through.
        """
        output = message.output_channel
        tracker = await self.log_message(message, should_save_tracker=False)
        tracker = await self.run_action_extract_slots(output, tracker)
        await self._run_prediction_loop(output, tracker)
        if not _said_something(tracker):
            raise SilentTurnError("no message was said")
        await self.save_tracker(tracker)
        return tracker

    def _parse_message_with_graph(
        self, message: UserMessage, tracker: DialogueStateTracker, only_output_properties: bool = True
    ) -> dict[str, Any]:
        whole = super()._parse_message_with_graph(message, tracker, only_output_properties)
        clause = None if message.text.startswith("/") else closing_clause(message.text)
        closing = None if clause is None else super()._parse_message_with_graph(UserMessage(clause), tracker)
        read = merge(whole, closing)
        # A tapped button means what it says.
        return read if message.text.startswith("/") else in_context(read, tracker)

    async def _run_action(
        self,
        action: Action,
        tracker: DialogueStateTracker,
        output_channel: OutputChannel,
        nlg: NaturalLanguageGenerator,
        prediction: PolicyPrediction,
    ) -> bool:
        temporary_tracker = tracker.copy()
        temporary_tracker.update_with_events(prediction.events, self.domain)
        try:
            events = await action.run(output_channel, nlg, temporary_tracker, self.domain)
        except ActionExecutionRejection as rejection:
            raise ActionRejectedError(f"{action.name()}: {rejection.message}") from rejection
        self._log_action_on_tracker(tracker, action, events, prediction)
        await self.execute_side_effects(events, tracker, output_channel)
        return self.should_predict_another_action(action.name())


def _said_something(tracker: DialogueStateTracker) -> bool:
    for event in reversed(tracker.events):
        if isinstance(event, BotUttered):
            return True
        if isinstance(event, UserUttered):
            return False
    return False


class TurnAgent(Agent):
    """An agent whose processor is a `TurnProcessor` and whose tracker store has no silent substitute."""

    processor: TurnProcessor | None

    @staticmethod
    def _create_tracker_store(tracker_store: TrackerStore | None, domain: Domain) -> TrackerStore:
        if tracker_store is None:
            return InMemoryTrackerStore(domain)
        tracker_store.domain = domain
        return tracker_store

    def load_model(self, model_path: str | Path, fingerprint: str | None = None) -> None:
        """Load the model at `model_path` (see parent class)."""
        self.take_over(self.load_beside(model_path), fingerprint)

    def load_beside(self, model_path: str | Path) -> TurnProcessor:
        """Load a model without using it; this takes seconds and may be done in a thread.

        Raises:
            Exception: whatever Rasa raises of a model that is damaged, or was trained by other code.
        """
        return TurnProcessor(
            model_path=model_path,
            tracker_store=self.tracker_store,
            lock_store=self.lock_store,
            action_endpoint=self.action_endpoint,
            generator=self.nlg,
            on_circuit_break=_too_many_actions,
        )

    def take_over(self, processor: TurnProcessor, fingerprint: str | None = None) -> None:
        """Use a loaded model from the next turn on; a turn under way ends with the one it began with."""
        self.processor = processor
        self.domain = processor.domain
        self._set_fingerprint(fingerprint)
        self.tracker_store.domain = self.domain


def load_agent(model: Path, endpoints: AvailableEndpoints) -> TurnAgent:
    """Load the model archive `model` with the stores and the action server that `endpoints` names.

    Raises:
        rasa.exceptions.ModelNotFound: no readable model at that place.
    """
    check_schema_once()
    look_up_events_once()
    agent = TurnAgent(
        tracker_store=TrackerStore.create(endpoints.tracker_store),
        action_endpoint=ActionEndpoint.of(endpoints.action) if endpoints.action else None,
    )
    agent.load_model(model)
    return agent
