"""Where the channels' providers deliver, one module a provider."""

from __future__ import annotations

from api.routers.webhooks import messenger, zalo

ROUTERS = (messenger.router, zalo.router)
