"""Decides which messages are pieces of one: "cho em hỏi" … "làm khai sinh ở đâu ạ" sent in two goes.

A message that is complete by itself is never made to wait. Only one that plainly stops in mid-sentence waits
for the next piece, and pieces that are already there are read together when one leads into the other.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache

from conversations.repository import Row
from vntext.catalogue import lookup
from vntext.normalise import normalise, strip_marks

WINDOW = timedelta(seconds=2.5)
"""How long after a piece the next one may come."""

_MOST_PIECES = 6
_LONGEST_PIECE = 25
_OPEN_ENDS = (",", ":", "...", "…", "-", "(")
_CLOSED_ENDS = ("?", "!", ".")
_WORD = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text).lower())


def _bare(text: str) -> str:
    return " ".join(_WORD.findall(strip_marks(text).lower()))


@cache
def _lead_ins() -> frozenset[str]:
    return frozenset(_bare(phrase) for phrase in lookup("conversation.fragments.lead_ins"))


@cache
def _word_list(key: str) -> frozenset[str]:
    return frozenset(normalise(word).lower() for word in lookup(f"conversation.fragments.{key}"))


def _is_listed(word: str, words: list[str], key: str) -> bool:
    # Without marks "cho" may be a dog and "ve" a ticket, so those who type none have a shorter list.
    typed = " ".join(words)
    return word in _word_list(key if strip_marks(typed) != typed else f"{key}_unmarked")


def looks_unfinished(text: str) -> bool:
    """Tell whether `text` stops where a sentence cannot stop."""
    ending = text.rstrip()
    if ending.endswith(_OPEN_ENDS):
        return True
    if ending.endswith(_CLOSED_ENDS):
        return False
    words = _words(ending)
    if not words or len(words) > _LONGEST_PIECE:
        return False
    if _bare(ending) in _lead_ins():
        return True
    return len(words) > 1 and _is_listed(words[-1], words, "open_words")


def looks_continued(text: str) -> bool:
    """Tell whether `text` begins where a sentence cannot begin."""
    words = _words(text)
    return bool(words) and _is_listed(words[0], words, "continuing_words")


def _is_plain(row: Row) -> bool:
    return row["kind"] == "text" and bool(row["text"])


def first_group(rows: list[Row], *, enabled: bool) -> list[Row]:
    """Return the leading rows that are to be read as one message, at least one.

    Args:
        rows: unhandled inbound rows in order, not empty.
        enabled: False reads every row by itself. A group written down by an earlier try is kept in any case.
    """
    head = rows[0]
    if head["read_with"] is not None:
        return [row for row in rows if row["read_with"] == head["read_with"]]
    group = [head]
    for row in rows[1:_MOST_PIECES] if enabled else []:
        last = group[-1]
        near = row["created_at"] - last["created_at"] <= WINDOW
        if not (near and _is_plain(last) and _is_plain(row) and row["read_with"] is None):
            break
        if not (looks_unfinished(last["text"]) or looks_continued(row["text"])):
            break
        group.append(row)
    return group


def wait_for_more(group: list[Row], now: datetime) -> float:
    """Return the seconds to wait for another piece after `group`, 0 when it can be read now."""
    last = group[-1]
    if last["read_with"] is not None or len(group) >= _MOST_PIECES or not _is_plain(last):
        return 0.0
    if not looks_unfinished(last["text"]):
        return 0.0
    left: timedelta = last["created_at"] + WINDOW - now
    return max(0.0, left.total_seconds())


def joined_text(group: list[Row]) -> str:
    """Return the pieces as one text."""
    return " ".join(row["text"] for row in group if row["text"])
