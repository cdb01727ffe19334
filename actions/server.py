"""Runs the custom actions that Rasa asks for, by Rasa's action protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import ActionExecutor, CollectingDispatcher
from rasa_sdk.interfaces import ActionExecutionRejection

from actions.dialogue import Dialogue
from actions.replies import Outcome
from actions.services import Services
from actions.turn import Turn, read_turn

Handler = Callable[[Turn], Awaitable[Outcome]]


class ActionUnknownError(LookupError):
    """Rasa asked for an action that does not exist here."""


class ActionRejectedError(ValueError):
    """The body is no action call, or the action refused to run; `action` is its name where it is known."""

    def __init__(self, message: str, action: str = "") -> None:
        super().__init__(message)
        self.action = action


# The names the contract of the action server uses.
ActionUnknown = ActionUnknownError
ActionRejected = ActionRejectedError


class _TrackerState(BaseModel):
    model_config = ConfigDict(extra="allow")

    sender_id: str
    slots: dict[str, Any] = Field(default_factory=dict)
    latest_message: dict[str, Any] | None = None
    events: list[dict[str, Any]] = Field(default_factory=list)


class _ActionCall(BaseModel):
    model_config = ConfigDict(extra="allow")

    next_action: str = Field(min_length=1)
    sender_id: str | None = None
    tracker: _TrackerState
    domain: dict[str, Any] = Field(default_factory=dict)


class ActionServer:
    """All custom actions, over the services they need.

    Args:
        services: what the actions work with.
    """

    def __init__(self, services: Services) -> None:
        self._executor = ActionExecutor()
        for name, handler in Dialogue(services).handlers().items():
            self._executor.register_function(name, _as_rasa_action(handler))

    @property
    def names(self) -> list[str]:
        """The names of all actions."""
        return sorted(self._executor.actions)

    async def run(self, body: dict[str, Any]) -> dict[str, Any]:
        """Run the action that `body` asks for.

        Args:
            body: `{"next_action", "sender_id", "tracker", "domain"}` as Rasa 3.6 posts it.

        Returns:
            `{"events": [...], "responses": [...]}`.

        Raises:
            ActionRejectedError: the body is no action call, or the action rejected it.
            ActionUnknownError: no such action.
        """
        try:
            call = _ActionCall.model_validate(body)
        except ValidationError as error:
            raise ActionRejectedError("the body is not a call of an action") from error
        if call.next_action not in self._executor.actions:
            raise ActionUnknownError(call.next_action)
        try:
            # The executor wants a domain, or a digest of one it has seen; these actions need none.
            result = await self._executor.run({**body, "domain": call.domain or {"version": "3.1"}})
        except ActionExecutionRejection as error:
            raise ActionRejectedError(str(error), call.next_action) from error
        assert result is not None
        return {"events": result.events, "responses": result.responses}


def _as_rasa_action(handler: Handler) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    async def run(
        dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        outcome = await handler(read_turn(tracker))
        for reply in outcome.replies:
            dispatcher.utter_message(
                text=reply.text,
                buttons=[button.as_dict() for button in reply.buttons],
                json_message={"turn": reply.turn.as_dict()},
            )
        return [SlotSet(name, value) for name, value in outcome.slots.items()]

    return run
