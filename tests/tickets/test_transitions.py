"""Every state with every transition, as a table written out by hand says: nothing else goes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tickets.errors import DisputeUsedError, NotPossibleNowError
from tickets.flows import TRANSITIONS, possible
from tickets.schemas import RefusalReason, TicketState
from tickets.timeline import Standing

AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
GIVEN = {
    "text": "Đã kiểm tra tại chỗ",
    "agency": "Điện lực Gia Lai",
    "reason": RefusalReason.OUT_OF_SCOPE.value,
    "how": "nói trên điện thoại",
    "into": "id",
    "code": "GL-2026-000002-8",
}
STAYS = "stays"
ALWAYS = {"publish": STAYS, "unpublish": STAYS, "note": STAYS}
DECIDES = {"take": STAYS, "transfer": "transferred", "answer": "answered", "ask_info": "needs_info"}

LEADS: dict[str, dict[str, str]] = {
    "new": {**ALWAYS, **DECIDES, "refuse": "refused", "merge": "merged"},
    "needs_info": {
        **ALWAYS, "take": STAYS, "give_info": "transferred", "refuse": "refused", "merge": "merged",
    },
    "transferred": {**ALWAYS, **DECIDES, "agency_answer": "answered_by_agency", "merge": "merged"},
    "answered_by_agency": {**ALWAYS, **DECIDES, "merge": "merged"},
    "answered": {**ALWAYS, "dispute": "disputed", "close": "closed", "merge": "merged"},
    "disputed": {**ALWAYS, **DECIDES, "refuse": "refused", "merge": "merged"},
    "closed": {**ALWAYS, "dispute": "disputed", "reopen": "new"},
    "refused": {"unpublish": STAYS, "note": STAYS, "reopen": "new"},
    "merged": {"unmerge": "transferred"},
}  # fmt: skip
"""What leads where; a ticket that waits (for the sender, or merged) goes on where it was: transferred."""

SUPERVISORS_ONLY = {"reopen"}
BY_THE_SENDER = {"give_info", "dispute", "publish", "unpublish"}


def standing(state: str, **more: object) -> Standing:
    waits = state in {"needs_info", "merged"}
    resume = TicketState.TRANSFERRED if waits else None
    return Standing(TicketState(state), AT, resume=resume, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("name", sorted(set(TRANSITIONS) - {"called"}))
def test_a_transition_goes_from_where_it_should_to_where_it_should(state: str, name: str) -> None:
    transition, now = TRANSITIONS[name], standing(state)
    leads = LEADS[state].get(name)
    if leads is None:
        with pytest.raises(NotPossibleNowError):
            transition.check(now)
        return
    transition.check(now)
    assert transition.make(now, GIVEN).state == (None if leads == STAYS else leads)


@pytest.mark.parametrize("state", list(TicketState))
def test_whom_nobody_could_write_to_is_called_in_any_state_and_only_then(state: str) -> None:
    TRANSITIONS["called"].check(standing(state, call_due=True))
    with pytest.raises(NotPossibleNowError):
        TRANSITIONS["called"].check(standing(state))


@pytest.mark.parametrize("state", list(TicketState))
def test_the_page_offers_what_is_possible_and_nothing_else(state: str) -> None:
    offered = {transition.name for transition in possible(standing(state))}
    assert offered == set(LEADS[state]) - {"unpublish"}
    offered = {transition.name for transition in possible(standing(state, public=True, call_due=True))}
    assert offered == (set(LEADS[state]) | {"called"}) - {"publish"}


@pytest.mark.parametrize("state", ["answered", "closed"])
def test_a_second_dispute_is_neither_offered_nor_taken(state: str) -> None:
    now = standing(state, disputes=1)
    assert "dispute" not in {transition.name for transition in possible(now)}
    with pytest.raises(DisputeUsedError):
        TRANSITIONS["dispute"].make(now, GIVEN)


def test_who_may_do_what_is_as_written_here() -> None:
    asked = {name: transition.action for name, transition in TRANSITIONS.items()}
    assert {name for name, action in asked.items() if action == "tickets.reopen"} == SUPERVISORS_ONLY
    assert set(asked.values()) == {"tickets.change", "tickets.reopen"}
    assert {name for name, each in TRANSITIONS.items() if each.by_sender} == BY_THE_SENDER
