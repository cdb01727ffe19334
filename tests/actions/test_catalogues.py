"""The sentences of the dialogue and of the form: complete, with marks, short, one way of address."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tickets.schemas import TicketKind, TicketState
from vntext.catalogue import lookup, say
from vntext.normalise import normalise, strip_marks

ACTIONS = Path(__file__).parents[2] / "actions"
MESSAGES = Path(__file__).parents[2] / "vntext" / "messages"
CATALOGUES = ("dialogue", "report")
LONGEST = 600
LONGEST_BUTTON = 30


def sentences(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield from sentences(child, f"{key}.{name}")
    else:
        yield key, node


def everything() -> list[tuple[str, str]]:
    files = {
        name: yaml.safe_load((MESSAGES / f"{name}.yml").read_text(encoding="utf-8")) for name in CATALOGUES
    }
    return [pair for name, content in files.items() for pair in sentences(content, name)]


@pytest.mark.parametrize(("key", "sentence"), everything())
def test_a_sentence_is_plain_marked_and_short(key: str, sentence: str) -> None:
    assert isinstance(sentence, str), key
    assert len(sentence) <= LONGEST
    assert normalise(sentence.replace("\n", " ")) == re.sub(r"\s+", " ", sentence).strip()
    if len(sentence.split()) > 3:
        assert strip_marks(sentence) != sentence
    assert not re.search(r"\b(?:quý khách|bạn|tôi|mình)\b", sentence.split('"')[0])
    assert all(name is None or name.isidentifier() for _, name, _, _ in string.Formatter().parse(sentence))


@pytest.mark.parametrize("group", ["aspects", "buttons"])
def test_buttons_fit_on_every_channel(group: str) -> None:
    for title in lookup(f"dialogue.{group}").values():
        assert len(title) <= LONGEST_BUTTON


def test_every_key_named_in_the_code_exists() -> None:
    for file in ACTIONS.glob("*.py"):
        for key in re.findall(r'"((?:dialogue|report)\.[a-z_.]+[a-z_])"', file.read_text(encoding="utf-8")):
            assert lookup(key) is not None, f"{file.name}: {key}"


@pytest.mark.parametrize("kind", [kind.value for kind in TicketKind])
def test_every_kind_of_ticket_has_its_words(kind: str) -> None:
    for key in ("kinds", "begin", "received", "ask.content", "ask.place"):
        assert say(f"report.{key}.{kind}")
    assert "GL-1" in say(f"report.done.{kind}", code="GL-1", hours=8)


@pytest.mark.parametrize("state", [state.value for state in TicketState])
def test_every_state_of_a_ticket_can_be_told(state: str) -> None:
    words = {"code": "GL-1", "opened": "", "since": "", "agency": "", "hours": 8}
    assert "GL-1" in say(f"dialogue.ticket.state.{state}", **words)
