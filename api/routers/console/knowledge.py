"""The knowledge base beside a conversation: what may answer it, search, entries, wrong answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from starlette.responses import HTMLResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from actions.learning.samples import TurnNotFoundError
from api.access import ServicesHere, changing, seeing
from api.errors import problem
from api.knowledge import KnowledgeAwayError
from api.services import Services
from api.templating import page
from conversations.errors import ConversationNotFoundError
from kb_index.aspects import ASPECTS
from kb_index.rendering import is_known, render
from kb_index.schemas import Procedure
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]

_SHOWN = 6
_LOOKED_BACK = 30
_LIKELY = 0.05


@router.get("/knowledge")
async def find(
    services: ServicesHere,
    _session: Seeing,
    q: Annotated[str, Query(max_length=300)] = "",
    conversation: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """What the words looked for may mean, or else the citizen's last message."""
    asked = q.strip()
    is_suggestion = not asked
    if is_suggestion and conversation:
        asked = await _last_said(services, conversation)
    try:
        hits = await services.library.find(asked, limit=_SHOWN) if asked else []
    except KnowledgeAwayError:
        return page("console/_knowledge_away.html")
    likely = [hit for hit in hits if not is_suggestion or hit["confidence"] >= _LIKELY]
    return page("console/_knowledge.html", hits=likely, asked=asked, is_suggestion=is_suggestion)


@router.get("/knowledge/{code}")
async def entry(
    code: str,
    services: ServicesHere,
    _session: Seeing,
    aspect: Annotated[str, Query(max_length=20)] = "overview",
) -> Response:
    """One entry: what it says on one aspect, as it would be answered, and what else it knows."""
    try:
        found = await services.library.entry(code[:100])
    except KnowledgeAwayError:
        return page("console/_knowledge_away.html")
    if found is None:
        return problem(404, "entry_gone", say("console.knowledge.gone"))
    chosen = aspect if aspect in ASPECTS else "overview"
    aspects = [one for one in ASPECTS if is_known(found, one)] if isinstance(found, Procedure) else []
    said = render(found, chosen, full=True)
    return page("console/_entry.html", entry=found, aspects=aspects, aspect=chosen, said=said)


@router.post("/messages/{message_id}/wrong")
async def wrong(
    message_id: str,
    services: ServicesHere,
    session: Answering,
    conversation: Annotated[str, Form(max_length=64)] = "",
    hint: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Keep for learning that the answer to a citizen's message was wrong, and note it for colleagues."""
    try:
        kept = await services.learning.add_correction(message_id[:64], hint=hint or None)
    except TurnNotFoundError as error:
        raise ConversationNotFoundError from error
    if not kept:
        return problem(409, "not_kept", say("console.wrong.not_kept"))
    text = say("console.wrong.noted")
    await services.core.notes.add(conversation, session.user.id, text, key=f"wrong-{message_id}")
    await services.accounts.record(session.user.id, "answer.wrong", message_id)
    return Response(status_code=204)


async def _last_said(services: Services, conversation_id: str) -> str:
    thread = await services.desk.open(conversation_id, limit=_LOOKED_BACK)
    said = [
        message.text for message in thread.messages if message.author == "citizen" and message.text.strip()
    ]
    return said[-1] if said else ""
