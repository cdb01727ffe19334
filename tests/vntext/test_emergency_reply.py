"""The number comes first, advice second, what 1022 cannot do third."""

import pytest

from vntext.catalogue import lookup
from vntext.emergency import _TABLE, KINDS, Emergency, recognise
from vntext.emergency_reply import emergency_reply


@pytest.mark.parametrize("name", sorted(_TABLE.rules))
def test_every_rule_has_its_three_lines(name):
    rule = _TABLE.rules[name]
    lines = emergency_reply(Emergency(rule.kind, rule.also, name, None, rule.group)).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(rule.kind)
    assert all(kind in lines[0] for kind in rule.also)
    assert lines[2].startswith("1022 không")


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_without_group_gets_general_advice(kind):
    assert lookup(f"emergency.general.{kind}") in emergency_reply(Emergency(kind))


def test_every_advice_belongs_to_a_rule():
    assert set(lookup("emergency.meanwhile")) == {rule.group for rule in _TABLE.rules.values() if rule.group}


def test_fits_a_phone():
    for text in ("cháy nhà ở đường Hùng Vương", "má tui xỉu rồi", "trộm đang cạy cửa"):
        assert len(emergency_reply(recognise(text))) < 500


def test_no_emergency_has_no_reply():
    with pytest.raises(ValueError, match="no emergency"):
        emergency_reply(Emergency(None))
