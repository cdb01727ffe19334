"""Asks the province's one-stop system how far a filed dossier has got.

The protocol: `GET {base}/dossiers/{code}` with a bearer token. 200 carries `{"code", "state", "procedure",
"agency", "received_on", "due_on", "updated_at", "note"}` (dates ISO 8601, `state` one of `DossierState`),
404 means that no dossier has this code. Everything else, and no answer in time, is
`DossiersUnavailableError`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

_CODE = re.compile(r"[0-9A-Za-z.\-]{5,40}")


class DossierState(StrEnum):
    """Where a dossier stands."""

    RECEIVED = "received"
    PROCESSING = "processing"
    NEEDS_SUPPLEMENT = "needs_supplement"
    FEE_DUE = "fee_due"
    READY = "ready"
    RETURNED = "returned"
    REJECTED = "rejected"


class Dossier(BaseModel):
    """A filed dossier as the one-stop system tells it; no personal data."""

    model_config = ConfigDict(frozen=True)

    code: str
    state: DossierState
    procedure: str
    agency: str
    received_on: date
    due_on: date | None = None
    updated_at: datetime
    note: str | None = None

    def is_late(self, today: date) -> bool:
        """Return whether the day it was due on is over and it is not finished."""
        finished = self.state in (DossierState.READY, DossierState.RETURNED, DossierState.REJECTED)
        return not finished and self.due_on is not None and self.due_on < today


class DossiersUnavailableError(Exception):
    """The one-stop system is not connected, does not answer, or answers with something else."""


class DossierClient(Protocol):
    """Anything that knows dossiers."""

    async def find(self, code: str) -> Dossier | None:
        """Return the dossier with this code, None when there is none.

        Raises:
            DossiersUnavailableError: it cannot be said.
        """
        ...


class UnconnectedDossiers:
    """Stands where no one-stop system is connected; it can never say anything."""

    async def find(self, code: str) -> Dossier | None:
        """Raise `DossiersUnavailableError`."""
        raise DossiersUnavailableError("no one-stop system is connected")


class HttpDossiers:
    """Client of a one-stop system over HTTP.

    Args:
        session: the HTTP session; its owner closes it.
        base_url: address of the system, without a slash at its end.
        token: bearer token.
        timeout: seconds for the whole call. A citizen is waiting, so it is short.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, token: str, timeout: float = 4.0
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def find(self, code: str) -> Dossier | None:
        """Return the dossier with this code, None when there is none, nor can be.

        Raises:
            DossiersUnavailableError: no answer in time, an error, or an answer that is none.
        """
        if not _CODE.fullmatch(code):
            return None
        url = f"{self._base_url}/dossiers/{quote(code, safe='')}"
        try:
            async with self._session.get(url, headers=self._headers, timeout=self._timeout) as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise DossiersUnavailableError(f"the one-stop system answered {response.status}")
                body = await response.read()
            dossier = Dossier.model_validate_json(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DossiersUnavailableError("the one-stop system does not answer") from error
        except ValidationError as error:
            raise DossiersUnavailableError("the one-stop system's answer is not a dossier") from error
        if dossier.code.upper() != code.upper():
            raise DossiersUnavailableError("the one-stop system answered for another dossier")
        return dossier
