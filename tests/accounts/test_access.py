"""The table of actions and roles, spelled out a second time, and what depends on the record."""

from __future__ import annotations

import pytest

from accounts.access import ALLOWED, DANGEROUS, Action, is_own, may, may_take_from, may_write_in, sees_agency
from accounts.schemas import ROLES, User

# One line an action, one column a role, in the order of ROLES:
#                     operator
#                     | supervisor
#                     | | contact_point
#                     | | | handling_unit
#                     | | | | agency_head
#                     | | | | | office
#                     | | | | | | leadership
#                     | | | | | | | administrator
#                     | | | | | | | | auditor
TABLE = """
account.own           x x x x x x x x x
conversations.see     x x . . . . . x .
conversations.answer  x x . . . . . x .
conversations.take_over . x . . . . . x .
answers.share         . x . . . . . x .
people.merge          x x . . . . . x .
tickets.see           x x . . . . . x .
tickets.change        x x . . . . . x .
tickets.reopen        . x . . . . . x .
tickets.see_sender    x x . . . . . x .
channels.see          . x . . . . . x .
channels.connect      . . . . . . . x .
users.manage          . . . . . . . x .
audit.see             . . . . . . . x x
person.export         . . . . . . . x .
person.erase          . . . . . . . x .
"""
EXPECTED = {
    line.split()[0]: dict(zip(ROLES, line.split()[1:], strict=True)) for line in TABLE.strip().splitlines()
}


def somebody(*roles: str, active: bool = True, agency: str | None = None) -> User:
    return User("u1", "lan", "Lan", roles, active, True, agency)


def test_the_table_names_every_action_and_every_role():
    assert set(EXPECTED) == {action.value for action in Action}
    assert set(ALLOWED) == set(Action)
    assert ROLES == (
        "operator", "supervisor", "contact_point", "handling_unit", "agency_head", "office", "leadership",
        "administrator", "auditor",
    )  # fmt: skip


@pytest.mark.parametrize("action", list(Action))
def test_each_role_may_what_the_table_says(action: Action):
    for role in ROLES:
        assert may(somebody(role), action) == (EXPECTED[action.value][role] == "x"), role
        assert not may(somebody(role, active=False), action)
    assert not may(somebody(), action)
    assert not may(somebody("king"), action)


@pytest.mark.parametrize("action", list(Action))
def test_several_roles_add_up(action: Action):
    for first in ROLES:
        for second in ROLES:
            both = may(somebody(first, second), action)
            assert both == (may(somebody(first), action) or may(somebody(second), action))


def test_what_is_dangerous_is_for_administrators_alone():
    assert {action.value for action in DANGEROUS} == {
        "channels.connect", "users.manage", "person.export", "person.erase",
    }  # fmt: skip
    for action in DANGEROUS:
        assert ALLOWED[action] == {"administrator"}


@pytest.mark.parametrize("role", ROLES)
def test_an_agencys_people_see_its_own_records_only(role: str):
    of_province = role in {"operator", "supervisor", "office", "leadership", "administrator"}
    of_agency = role in {"contact_point", "handling_unit", "agency_head"}
    user = somebody(role, agency="so-y-te")
    assert sees_agency(user, "so-y-te") == (of_province or of_agency)
    assert sees_agency(user, "so-xay-dung") == of_province
    assert sees_agency(user, None) == of_province
    assert not sees_agency(somebody(role, agency="so-y-te", active=False), "so-y-te")
    assert sees_agency(somebody(role), "so-y-te") == of_province


def test_one_answers_in_ones_own_conversation_only():
    assert may_write_in(somebody("operator"), "u1")
    assert not may_write_in(somebody("operator"), "u2")
    assert not may_write_in(somebody("administrator"), "u2")
    assert not may_write_in(somebody("operator"), None)
    assert not may_write_in(somebody("auditor"), "u1")


def test_a_supervisor_takes_over_and_an_operator_does_not():
    assert may_take_from(somebody("operator"), None)
    assert not may_take_from(somebody("operator"), "u2")
    assert may_take_from(somebody("supervisor"), "u2")
    assert not may_take_from(somebody("auditor"), None)


def test_what_is_ones_own_is_nobody_elses():
    assert is_own(somebody("operator"), "u1")
    for role in ROLES:
        assert not is_own(somebody(role), "u2")
    assert not is_own(somebody("operator", active=False), "u1")
