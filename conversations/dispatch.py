"""The way of one message: emergency, person, queue, language, bot; and its end in one transaction.

`handle` takes a conversation's next message (or the pieces that are read as one), decides the answer without
holding the database, and then, in one transaction, marks the message done and writes the answer. A crash
before that transaction leaves the message where it was, to be decided again: the bot answers a message id it
knows from its tracker. A crash after it leaves the answer in the outbox. In between there is nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from conversations import fragments, replies, repository, watch
from conversations.bot_client import Bot, BotRequest
from conversations.bot_memory import bot_session
from conversations.claims import ClaimNames
from conversations.desk import repository as desk_repository
from conversations.desk.handoffs import handoff_record
from conversations.desk.waiting import WaitTimes
from conversations.errors import BotError
from conversations.events import DESK, LiveEvents
from conversations.job import LEASE, Job
from conversations.outbox import Outbox
from conversations.replies import RETURN_TO_BOT, Reply
from conversations.repository import Row
from conversations.topics import conversation_topic
from conversations.writing import say_in
from database.clock import Clock
from database.engine import Database
from vntext.catalogue import lookup, say
from vntext.emergency_news import is_news
from vntext.language import decide
from vntext.normalise import normalise, strip_marks

log = structlog.get_logger(__name__)

_MOST_ATTEMPTS = 8
_LOOKED_AT = 20
_TYPING_AFTER = 0.5
_FORM_ANSWER_WORDS = 8
_MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `handle` did.

    Attributes:
        handled: a message was closed.
        has_more: another one waits in the same conversation.
        wait: seconds until it is worth looking again, because the last piece stops in mid-sentence; 0
        otherwise.
    """

    handled: bool = False
    has_more: bool = False
    wait: float = 0.0


class Dispatcher:
    """Handles messages one conversation at a time.

    Args:
        database: where the rows are.
        clock: the time of handling.
        bot: answers what no gate answers.
        outbox: sends the answers, and knows what each channel can show.
        events: tells consoles and open chats.
        claims: names for this process's claims.
        waits: when a person will answer, for those who are handed over.
        join_pieces: False reads every message by itself and at once (evaluation).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bot: Bot,
        outbox: Outbox,
        events: LiveEvents,
        claims: ClaimNames,
        waits: WaitTimes,
        *,
        join_pieces: bool = True,
    ) -> None:
        self._database = database
        self._clock = clock
        self._bot = bot
        self._outbox = outbox
        self._events = events
        self._claims = claims
        self._waits = waits
        self._join_pieces = join_pieces

    async def handle(self, conversation_id: str) -> Outcome:
        """Handle the next message of a conversation, if there is one and nobody else does."""
        job = await self._take(conversation_id)
        return job if isinstance(job, Outcome) else await self.work(job)

    @watch.working
    async def work(self, job: Job) -> Outcome:
        """Handle what has been claimed already."""
        reply = await self._decide(job)
        return await self._finish(job, reply)

    # --- taking -------------------------------------------------------------------------------------------

    async def _take(self, conversation_id: str) -> Job | Outcome:
        claim = self._claims.new()
        now = self._clock.now()
        async with self._database.write(durable=False) as session:
            conversation = await repository.claim_work(session, conversation_id, claim, now, now + LEASE)
            if conversation is None:
                return Outcome()
            rows = await repository.unhandled(session, conversation_id, _LOOKED_AT)
            group = fragments.first_group(rows, enabled=self._join_pieces)
            wait = fragments.wait_for_more(group, now) if self._join_pieces else 0.0
            held = _held(group, now)
            if held > 0 or (wait > 0 and conversation["owner"] == "bot"):
                await repository.release_work(session, conversation_id, claim)
                return Outcome(wait=max(wait, held))
            head = group[0]
            await repository.start_attempt(session, [row["id"] for row in group], read_with=head["id"])
            previous = await repository.previous_turn(session, conversation_id, head["sequence"])
        return Job(conversation, group, previous, claim)

    # --- deciding -----------------------------------------------------------------------------------------

    async def _decide(self, job: Job) -> Reply:
        if job.head["attempts"] >= _MOST_ATTEMPTS:
            # It has brought the process down before, or the database keeps failing: people look at it.
            return replies.bot_failed("too_many_attempts", self._waits.sentence())
        try:
            return await self._reply(job)
        except BotError as error:
            watch.bot_failed(error)
            log.warning("bot_failed", reason=error.reason, message_id=job.head["id"])
            return replies.bot_failed(error.reason, self._waits.sentence())

    async def _reply(self, job: Job) -> Reply:
        text = fragments.joined_text(job.group)
        payload: dict[str, Any] = job.head["payload"] or {}
        postback: str | None = payload.get("postback")
        is_like_news = postback is None and is_news(text)
        news_of = await self._emergency_before(job) if is_like_news else None
        # A message alone was looked at when it was received: only pieces may say it together.
        is_new = postback is None and news_of is None and (len(job.group) > 1 or is_like_news)
        if is_new and (emergency := replies.emergency(text)) is not None:
            return emergency
        owner = job.conversation["owner"]
        if owner == "person":
            return replies.held_by_person()
        if owner == "queue":
            if not _wants_bot_back(text, postback):
                position = await self._position_if_untold(job.conversation)
                return replies.waiting(position, self._waits.sentence())
            postback = RETURN_TO_BOT
        elif news_of is not None:
            return replies.emergency_news(news_of)
        elif (gate := _gate(job, text, postback, self._waits.sentence())) is not None:
            return gate
        reply = replies.from_bot(await self._ask(job, text, postback))
        return reply if owner == "bot" else _returned(reply)

    async def _emergency_before(self, job: Job) -> str | None:
        """Return the number of the emergency this talk began with or came to; None when there was none."""
        head = job.head
        async with self._database.read() as session:
            return await repository.emergency_before(
                session, job.conversation["id"], head["session"], head["sequence"]
            )

    async def _position_if_untold(self, conversation: Row) -> int | None:
        if conversation["queue_told_at"] is not None or conversation["waiting_since"] is None:
            return None
        async with self._database.read() as session:
            return await repository.queue_position(
                session, conversation["waiting_since"], urgent=conversation["urgent"]
            )

    async def _ask(self, job: Job, text: str, postback: str | None) -> Any:
        conversation, head = job.conversation, job.head
        payload: dict[str, Any] = head["payload"] or {}
        location = payload.get("location")
        if not text and location:
            text = say("conversation.kinds.location", **location)
        files = _files(job)
        metadata: dict[str, Any] = {
            "message_id": head["id"],
            "conversation_id": conversation["id"],
            "channel": conversation["channel"],
            "text": text,
        }
        if location:
            metadata["location"] = location
        if files:
            metadata["attachments"] = files
        route = str((job.previous or {}).get("route") or "")
        if route.startswith("redirect_11"):
            metadata["after_emergency"] = route.removeprefix("redirect_")
        request = BotRequest(
            conversation=bot_session(conversation["id"], head["session"]),
            message_id=head["id"],
            text=postback or text or say("conversation.kinds.sent"),
            postback=postback is not None,
            metadata=metadata,
        )
        topics = (conversation_topic(conversation["id"]),)
        loop = asyncio.get_running_loop()
        typing = loop.call_later(_TYPING_AFTER, self._show_typing, conversation, topics)
        try:
            return await self._bot.ask(request)
        finally:
            typing.cancel()

    def _show_typing(self, conversation: Row, topics: tuple[str, ...]) -> None:
        self._events.tell(topics, {"type": "typing"})
        self._outbox.show_typing(conversation)

    # --- finishing ----------------------------------------------------------------------------------------

    async def _finish(self, job: Job, reply: Reply) -> Outcome:
        """Mark the message done and write the answer, in one transaction, if the claim is still ours."""
        conversation_id: str = job.conversation["id"]
        now = self._clock.now()
        async with self._database.write() as session:
            current = await repository.lock(session, conversation_id)
            if current is None or current["work_claim"] != job.claim:
                log.warning("claim_lost", message_id=job.head["id"])
                return Outcome()
            turn = {**reply.turn, "latency_ms": _milliseconds(now - job.group[-1]["created_at"])}
            is_answered = await self._close_group(session, job, turn, reply.failed)
            changes: dict[str, Any] = {"work_claim": None, "work_until": None}
            messages = reply.messages
            if not is_answered:
                # Taken back meanwhile: there is nothing to answer any more.
                messages = ()
            elif current["owner"] == "person" and not reply.even_if_held:
                # Somebody took the conversation while the bot was thinking: it says nothing more.
                messages = ()
                changes |= _kept_waiting(current, job, now)
            else:
                changes |= _owner_changes(current, reply, now)
                if changes.get("owner") == "queue":
                    changes["handoff"] = await handoff_record(session, job, reply, now)
                await self._note_owner(session, current, reply, changes)
            delivery = self._outbox.begin(current, now) if messages else None
            if delivery is not None:
                changes |= delivery.changes
            said = await say_in(
                session,
                current,
                messages,
                author=reply.author,
                key=f"answer:{job.head['id']}",
                able=self._outbox.capabilities(current["channel"]),
                now=now,
                **changes,
            )
            rows = await repository.open_messages(session, conversation_id)
        watch.answered(current["channel"], turn)
        if delivery is not None:
            # Whoever holds the claim sends everything that waits, and in order.
            unsent = said if delivery.claim is None else [row for row in rows if row["direction"] == "out"]
            self._outbox.deliver_soon(current, unsent, delivery)
        await self._tell(current, changes.get("owner", current["owner"]))
        return Outcome(handled=True, has_more=any(row["direction"] == "in" for row in rows))

    async def _note_owner(
        self, session: AsyncSession, current: Row, reply: Reply, changes: dict[str, Any]
    ) -> None:
        """Write down that the conversation goes to the queue, or leaves it."""
        now = self._clock.now()
        if changes.get("owner") == "queue":
            reason = str(changes["handoff_reason"])
            await desk_repository.add_event(
                session, current, "handed_over", actor="bot", at=now, reason=reason
            )
        elif changes.get("owner") == "bot":
            await desk_repository.add_event(session, current, "left_queue", actor="citizen", at=now)

    async def _close_group(self, session: Any, job: Job, turn: dict[str, Any], failed: bool) -> bool:
        """Close the messages; return whether any of them was still open."""
        now = self._clock.now()
        state = "failed" if failed and job.head["attempts"] >= _MOST_ATTEMPTS else "done"
        if state == "failed":
            watch.given_up("in")
        closed = [
            await repository.finish_inbound(
                session,
                row["id"],
                state=state,
                turn=turn if row is job.head else {"route": turn["route"], "read_with": job.head["id"]},
                at=now,
            )
            for row in job.group
        ]
        return any(closed)

    async def _tell(self, before: Row, owner: str) -> None:
        if owner != before["owner"]:
            await self._events.publish(
                conversation_topic(before["id"]), DESK, type="owner", conversation=before["id"], owner=owner
            )
        else:
            await self._events.publish(DESK, type="handled", conversation=before["id"])


def _held(group: list[Row], now: datetime) -> float:
    """Return the seconds until the head may be worked on: earlier ones, or its files, may still come."""
    until: datetime | None = group[0]["next_attempt_at"]
    return max(0.0, (until - now).total_seconds()) if until is not None else 0.0


def _gate(job: Job, text: str, postback: str | None, when: str) -> Reply | None:
    """Return the answer of a gate before the bot, None when the bot is to answer; a person answers `when`."""
    if postback is not None:
        return None
    payload: dict[str, Any] = job.head["payload"] or {}
    previous = job.previous or {}
    is_in_form = previous.get("route") == "ticket" and not previous.get("ticket")
    if not text:
        if payload.get("location"):
            return None
        files = _files(job)
        if is_in_form and files:
            return None
        attachments = payload.get("attachments") or [{"kind": job.head["kind"]}]
        return replies.unreadable_kind(attachments[0]["kind"], files, when)
    # Inside a form "John Smith" or "Ia Der" is an answer, not another language.
    is_form_answer = previous.get("route") == "ticket" and len(text.split()) <= _FORM_ANSWER_WORDS
    language = decide(text)
    if language.kind == "other" and not is_form_answer:
        return replies.not_vietnamese(language.reason)
    return None


def _files(job: Job) -> list[dict[str, str]]:
    """Return the stored files of a message, and of pictures without a word just before it."""
    earlier: list[dict[str, str]] = (job.previous or {}).get("attachments") or []
    carried = [file for row in job.group for file in (row["payload"] or {}).get("attachments", ())]
    own = [{"id": file["file_id"], "kind": file["kind"]} for file in carried if file.get("file_id")]
    return (earlier + own)[-_MOST_FILES:]


def _wants_bot_back(text: str, postback: str | None) -> bool:
    if postback is not None:
        return postback == RETURN_TO_BOT
    said = " ".join(strip_marks(normalise(text)).lower().strip(" .!,").split())
    phrases = lookup("conversation.queue.back_phrases")
    return said in {strip_marks(normalise(phrase)).lower() for phrase in phrases}


def _returned(reply: Reply) -> Reply:
    """The citizen leaves the queue; should the bot hand over again at once, they wait on."""
    return (
        reply if reply.hand_over is not None else Reply(reply.messages, reply.turn, extra={"returned": True})
    )


def _owner_changes(current: Row, reply: Reply, now: Any) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if reply.extra.get("told"):
        changes["queue_told_at"] = now
    if reply.extra.get("returned") and current["owner"] == "queue":
        changes |= {**desk_repository.WITH_BOT, "unread": current["unread"], "urgent": current["urgent"]}
    if reply.hand_over is not None and current["owner"] == "bot":
        changes |= {
            "owner": "queue",
            "waiting_since": now,
            "handoff_reason": reply.hand_over[:500],
            "queue_told_at": None,
            "unread": current["unread"] + 1,
        }
    return changes


def _kept_waiting(current: Row, job: Job, now: datetime) -> dict[str, Any]:
    """Return what changes when the citizen says something to the person who holds the conversation."""
    return {
        "waiting_since": current["waiting_since"] or job.head["created_at"],
        "silent_since": current["silent_since"] or now,
    }


def _milliseconds(span: timedelta) -> int:
    return max(0, round(span.total_seconds() * 1000))
