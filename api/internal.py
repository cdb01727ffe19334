"""What processes of ours ask of each other: guarded by the token they share, never for the public."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Header, Query

from api.errors import Problem
from api.services import Services, get_services


async def check_token(
    services: Annotated[Services, Depends(get_services)],
    token: Annotated[str, Query()] = "",
    authorization: Annotated[str, Header()] = "",
) -> None:
    """Refuse whoever does not know the internal token.

    Raises:
        Problem: 403.
    """
    given = token or authorization.removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), services.internal_token.encode()):
        raise Problem(403, "forbidden")
