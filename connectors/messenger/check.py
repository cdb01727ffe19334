"""Asks Meta whether a page is connected as it should be: whose token it is, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.messenger.client import GraphClient
from connectors.messenger.errors import GraphError

SUBSCRIPTIONS = (
    "messages",
    "messaging_postbacks",
    "message_deliveries",
    "message_reads",
    "message_echoes",
    "messaging_referrals",
    "messaging_handovers",
    "standby",
)
"""Events the page has to send us."""

PERMISSIONS = ("pages_messaging", "pages_manage_metadata", "pages_show_list")


@dataclass(frozen=True, slots=True)
class Connection:
    """What Meta says of a page and its token.

    Attributes:
        page_name: as people know the page.
        missing_subscriptions: events that would not come.
        missing_permissions: what the token does not allow.
        expires_at: when the token ends; None: never.
        problem: a reason of `connectors.messenger.errors`; None: the token works.
    """

    page_name: str = ""
    missing_subscriptions: tuple[str, ...] = ()
    missing_permissions: tuple[str, ...] = ()
    expires_at: datetime | None = None
    problem: str | None = None

    @property
    def is_complete(self) -> bool:
        """Nothing is left to do."""
        return not (self.problem or self.missing_subscriptions or self.missing_permissions)


async def check(client: GraphClient, token: str) -> Connection:
    """Return how a page's token stands, as far as Meta tells."""
    try:
        details = await client.token_details(token)
        name = await client.page_name(token)
        subscribed = await client.subscriptions(token)
    except GraphError as error:
        return Connection(problem=error.fault.reason)
    if details.get("is_valid") is False:
        return Connection(problem="token_invalid")
    if str(details.get("app_id", client.app_id)) != client.app_id:
        return Connection(problem="other_apps_token")
    scopes = details.get("scopes")
    granted = set(scopes) if isinstance(scopes, list) else set()
    ends = details.get("expires_at")
    return Connection(
        page_name=name,
        missing_subscriptions=tuple(field for field in SUBSCRIPTIONS if field not in subscribed),
        missing_permissions=tuple(scope for scope in PERMISSIONS if scope not in granted),
        expires_at=datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) and ends > 0 else None,
    )
