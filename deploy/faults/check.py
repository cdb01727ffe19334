"""Compares the senders' own record with what the system holds and shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from sqlalchemy import Table, select

from conversations.models import MessageRow
from database.engine import Database
from deploy.faults.senders import Sender

_MESSAGES = cast(Table, MessageRow.__table__)
_PAGE = 200


@dataclass
class Findings:
    """What came out; `wrong` holds one sentence for each thing that should not be."""

    sent: int = 0
    repeats: int = 0
    answered: int = 0
    held: int = 0
    handed_over: int = 0
    wrong: list[str] = field(default_factory=list)


async def settled(database: Database, patience: float) -> bool:
    """Wait until nothing is left to be handled or sent; False when it takes more than `patience` seconds."""
    unfinished = select(_MESSAGES.c.id).where(_MESSAGES.c.state.in_(["received", "processing", "pending"]))
    try:
        async with asyncio.timeout(patience):
            while True:
                async with database.read() as session:
                    if (await session.execute(unfinished.limit(1))).first() is None:
                        return True
                await asyncio.sleep(0.2)
    except TimeoutError:
        return False


async def check(url: str, database: Database, senders: Sequence[Sender]) -> Findings:
    """Check every sender's conversation, as the visitor sees it and as it is stored."""
    findings = Findings()
    async with database.read() as session:
        rows = [dict(row) for row in (await session.execute(select(_MESSAGES))).mappings()]
    by_conversation: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: int(row["sequence"])):
        by_conversation.setdefault(row["conversation_id"], []).append(row)
    of_message = {row["id"]: row["conversation_id"] for row in rows}
    async with aiohttp.ClientSession() as http:
        for sender in senders:
            findings.sent += len(sender.accepted)
            findings.repeats += sender.repeats
            shown = await _shown(http, url, sender)
            stored = by_conversation.pop(of_message.get(sender.accepted[0], ""), [])
            findings.wrong += _compare(sender, shown, stored)
            _count(findings, stored)
    for conversation_id in by_conversation:
        findings.wrong.append(f"conversation {conversation_id} belongs to no sender")
    return findings


async def _shown(http: aiohttp.ClientSession, url: str, sender: Sender) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        parameters = {"after": found[-1]["sequence"] if found else 0}
        headers = {"Authorization": f"Bearer {sender.token}"}
        async with http.get(f"{url}/chat/messages", params=parameters, headers=headers) as response:
            response.raise_for_status()
            page = (await response.json())["messages"]
        found += page
        if len(page) < _PAGE:
            return found


def _compare(sender: Sender, shown: list[dict[str, Any]], stored: list[dict[str, Any]]) -> list[str]:
    wrong = []
    said = [message["id"] for message in shown if message["author"] == "citizen"]
    for message_id in sender.accepted:
        if message_id not in said:
            wrong.append(f"lost: {message_id} was accepted and is not there")
    if len(set(said)) != len(said) or set(said) - set(sender.accepted):
        wrong.append(f"doubled: shown {said}, accepted {sender.accepted}")
    elif said != sender.accepted:
        wrong.append(f"out of order: shown {said}, accepted {sender.accepted}")
    if [message["sequence"] for message in shown] != list(range(1, len(shown) + 1)):
        wrong.append(f"gaps: {[message['sequence'] for message in shown]}")
    return wrong + _compare_answers(stored)


def _compare_answers(stored: list[dict[str, Any]]) -> list[str]:
    """Each message is answered once, and the answers stand in the order of the questions."""
    wrong = []
    questions = [row for row in stored if row["direction"] == "in"]
    answers = [row for row in stored if row["direction"] == "out" and row["author"] != "operator"]
    # An answer's key names its question; further parts have a number behind it.
    answered = [row["idempotency_key"].split(":")[1] for row in answers if _is_answer(row)]
    order = list(dict.fromkeys(answered))
    # An emergency is answered as it is received, ahead of what waits.
    urgent = {row["id"] for row in questions if row["attempts"] == 0 and row["turn"]}
    waited = [message_id for message_id in order if message_id not in urgent]
    if waited != [row["id"] for row in questions if row["id"] in waited]:
        wrong.append(f"answers out of order: {order}; as stored: {[_trace(row) for row in stored]}")
    for row in questions:
        state, turn = row["state"], row["turn"] or {}
        if state != "done":
            wrong.append(f"not handled: {row['id']} is {state}")
        elif row["id"] not in order and not turn.get("held_by") and not turn.get("read_with"):
            wrong.append(f"not answered: {row['id']}, route {turn.get('route')}")
    wrong += [f"not sent: {row['id']} is {row['state']}" for row in answers if row["state"] != "sent"]
    return wrong


def _trace(row: dict[str, Any]) -> str:
    """Return what explains a row's place, without its text."""
    turn = row["turn"] or {}
    return (
        f"{row['sequence']} {row['direction']} {row['id'][:8]} said {row['provider_timestamp']:%H:%M:%S.%f} "
        f"stored {row['created_at']:%H:%M:%S.%f} handled {row['handled_at'] or '-'} tries {row['attempts']} "
        f"read with {row['read_with']} key {row['idempotency_key']} route {turn.get('route')} "
        f"held by {turn.get('held_by')} failure {turn.get('failure')}"
    )


def _is_answer(row: dict[str, Any]) -> bool:
    return str(row["idempotency_key"] or "").startswith("answer:")


def _count(findings: Findings, stored: list[dict[str, Any]]) -> None:
    for row in stored:
        if row["direction"] != "in":
            continue
        turn = row["turn"] or {}
        if turn.get("held_by"):
            findings.held += 1
        elif turn.get("failure"):
            findings.handed_over += 1
        else:
            findings.answered += 1
