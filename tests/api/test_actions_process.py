"""The process of the bot's actions: these, health and metrics, and nothing a citizen could reach."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from api.actions_process import create_actions_app
from api.settings import Settings
from tests.api.conftest import TOKEN


async def test_it_serves_actions_and_nothing_else(make_settings: Callable[..., Settings]):
    app = create_actions_app(make_settings(serve_actions=True, run_worker=False))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://actions") as http:
            assert (await http.get("/health/live")).status_code == 200
            assert (await http.get("/metrics")).status_code in (200, 403)
            for path in ("/", "/chat/messages", "/console", "/static/site.css"):
                assert (await http.get(path)).status_code == 404
            body = {"next_action": "action_nobody_wrote", "tracker": {"sender_id": "1"}}
            call = "/internal/actions/webhook"
            assert (await http.post(call, json=body)).status_code == 403
            asked = await http.post(call, json=body, params={"token": TOKEN})
            assert asked.status_code == 404
            assert asked.json()["action_name"] == "action_nobody_wrote"
        assert app.state.services.core.announcer.has_room is False
