"""Who may read the metrics: whoever shows the token, or asks directly from an address that is allowed."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address

from api.settings import Settings

_PASSED_ON = ("x-forwarded-for", "x-real-ip", "forwarded", "via")


def may_read(settings: Settings, address: str | None, headers: Mapping[str, str]) -> bool:
    """Tell whether a request may read the metrics.

    What a proxy has passed on has the proxy's address, or one that the other side could choose; it needs the
    token.

    Args:
        settings: the token and the networks.
        address: where the request comes from.
        headers: its headers, by lower-case name or case-insensitive.
    """
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else ""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if token and scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    if address is None or any(name in headers for name in _PASSED_ON):
        return False
    try:
        where = ip_address(address)
    except ValueError:
        return False
    return any(where in network for network in settings.metrics_networks)
