"""A scripted bot with the gateway's contract: answers at once and by the text alone."""

from __future__ import annotations

import argparse
from typing import Any

from aiohttp import web

ANSWER = "Trả lời: {text}"


async def _answer(request: web.Request) -> web.Response:
    body: dict[str, Any] = await request.json()
    turn: dict[str, Any] = {
        "route": "answer",
        "aspect": None,
        "aspects": [],
        "procedures": [],
        "handoff": None,
    }
    message = {"text": ANSWER.format(text=body["text"]), "buttons": [], "turn": turn}
    intent = {"name": "ask_fee", "confidence": 1.0}
    return web.json_response({"message_id": body["message_id"], "intent": intent, "messages": [message]})


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({})


def main() -> None:
    """Listen on the loopback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    app = web.Application()
    app.router.add_post("/webhooks/gateway/messages", _answer)
    app.router.add_get("/webhooks/gateway/health", _health)
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, access_log=None, print=None)


if __name__ == "__main__":
    main()
