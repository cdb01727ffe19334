"""A small port for a worker process, which serves no pages: metrics, liveness and readiness."""

from __future__ import annotations

from aiohttp import web

from api.figures import FigureKeeper
from api.metrics_access import may_read
from api.readiness import readiness
from api.services import Services
from telemetry import metrics


class WorkerPort:
    """Serves `/metrics`, `/health` and `/ready`.

    Args:
        services: the worker's parts.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._figures = FigureKeeper(services)
        self._runner: web.AppRunner | None = None

    async def open(self, host: str, port: int) -> None:
        """Begin to listen.

        Raises:
            OSError: the port cannot be used.
        """
        app = web.Application()
        app.router.add_get("/health", self._live)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def _ready(self, _request: web.Request) -> web.Response:
        state = await readiness(self._services)
        return web.Response(
            text=state.model_dump_json(),
            content_type="application/json",
            status=503 if state.status == "unready" else 200,
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        if not may_read(self._services.settings, request.remote, request.headers):
            return web.json_response({"error": "forbidden"}, status=403)
        await self._figures.refresh()
        return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})
