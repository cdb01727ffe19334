"""Meta's entrance: the handshake, and the deliveries, which are on disk before they are acknowledged."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import PlainTextResponse

from api.errors import Problem
from api.messenger import MessengerParts
from api.services import Services, get_services
from connectors.base import Intake
from connectors.health import REFUSED
from connectors.messenger.connector import CHANNEL
from connectors.messenger.signature import HEADER_SHA1, HEADER_SHA256
from connectors.messenger.webhook import BadSignatureError
from conversations.errors import StorageUnavailableError
from telemetry import metrics

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/webhooks", include_in_schema=False)

ServicesHere = Annotated[Services, Depends(get_services)]


async def _channel(services: ServicesHere) -> MessengerParts:
    if services.messenger is None:
        raise Problem(404, "unknown_page")
    return services.messenger


ChannelHere = Annotated[MessengerParts, Depends(_channel)]


async def get_intake(services: ServicesHere) -> Intake:
    """Return where deliveries are put."""
    return services.intake


IntakeHere = Annotated[Intake, Depends(get_intake)]


@router.get("/messenger")
async def handshake(
    channel: ChannelHere,
    mode: Annotated[str, Query(alias="hub.mode", max_length=100)] = "",
    token: Annotated[str, Query(alias="hub.verify_token", max_length=500)] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=500)] = "",
) -> PlainTextResponse:
    """Answer Meta's question whether this address is ours."""
    answer = channel.webhook.challenge(mode, token, challenge)
    if answer is None:
        raise Problem(403, "forbidden")
    return PlainTextResponse(answer)


@router.post("/messenger")
async def deliver(
    request: Request, services: ServicesHere, intake: IntakeHere, channel: ChannelHere
) -> PlainTextResponse:
    """Take a delivery. What is not acknowledged Meta delivers again; a repeat changes nothing."""
    body = await request.body()
    try:
        await channel.webhook.deliver(
            body,
            sha256=request.headers.get(HEADER_SHA256),
            sha1=request.headers.get(HEADER_SHA1),
            intake=intake,
        )
    except BadSignatureError as error:
        metrics.deliveries.labels(CHANNEL, "bad_signature").inc()
        services.health.event(CHANNEL, REFUSED)
        log.warning("bad_signature", channel=CHANNEL)
        raise Problem(403, "forbidden") from error
    except StorageUnavailableError:
        metrics.deliveries.labels(CHANNEL, "not_stored").inc()
        raise
    metrics.deliveries.labels(CHANNEL, "taken").inc()
    return PlainTextResponse("EVENT_RECEIVED")
