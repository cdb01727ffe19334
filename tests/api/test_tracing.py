"""One trace a message, by an exporter in memory: receive → dispatch → bot → action → search → send."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from aiohttp import ClientSession, web
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.app import create_app
from api.settings import Settings
from telemetry import metrics, tracing
from telemetry.timing import timed

ROOT = Path(__file__).parents[2]
TOKEN = "internal-token"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    tracing.start("test", endpoint="", exporter=kept)
    yield kept
    tracing.stop()


class ActingBot:
    """Plays Rasa: calls an action of the app, passing on the headers it was given, and answers."""

    def __init__(self) -> None:
        self.url = self.app_url = ""
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.headers.append(dict(request.headers))
        passed = {
            name: request.headers[name] for name in ("X-Request-ID", "traceparent") if name in request.headers
        }
        call = {"next_action": "action_test", "tracker": {"sender_id": "x"}}
        async with (
            ClientSession() as http,
            http.post(
                f"{self.app_url}/internal/actions/webhook", params={"token": TOKEN}, json=call, headers=passed
            ) as response,
        ):
            assert response.status == 200
        message = {"text": "trả lời", "buttons": [], "turn": {"route": "answer"}}
        intent = {"name": "ask_fee", "confidence": 0.8}
        return web.json_response({"message_id": body["message_id"], "intent": intent, "messages": [message]})


class Actions:
    """Plays the action server: one action, which searches."""

    names = ("action_test",)

    async def run(self, _body: dict[str, Any]) -> dict[str, Any]:
        self.search("lệ phí khai sinh")
        return {"events": [], "responses": []}

    @timed("search", metrics.search_seconds)
    def search(self, _text: str) -> None:
        return None


@pytest.fixture
async def acting() -> AsyncIterator[ActingBot]:
    from tests.api.conftest import free_port

    played = ActingBot()
    app = web.Application()
    app.router.add_post("/webhooks/gateway/messages", played.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    played.url = f"http://127.0.0.1:{port}"
    yield played
    await runner.cleanup()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app with that action server, over real HTTP."""
    app = create_app(settings)
    app.state.services.actions = Actions()
    config = uvicorn.Config(app, port=settings.app_port, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.app_port}") as client:
            yield client
    finally:
        server.should_exit = True
        await task


async def talk(settings: Settings, acting: ActingBot, text: str) -> str:
    """Say one thing to a served app and wait for the answer; return the message's id."""
    acting.app_url = f"http://127.0.0.1:{settings.app_port}"
    async with serving(settings) as client:
        token = (await client.post("/chat/session", json={})).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        body = {"client_id": str(uuid4()), "text": text}
        taken = await client.post("/chat/messages", json=body, headers=headers)
        async with asyncio.timeout(60):
            while True:
                shown = (await client.get("/chat/messages", headers=headers)).json()["messages"]
                if len(shown) > 1:
                    break
                await asyncio.sleep(0.02)
    return str(taken.json()["message_id"])


def tree(spans: list[ReadableSpan]) -> dict[str, str | None]:
    """Return {name: name of the span above}."""
    names = {span.context.span_id: span.name for span in spans if span.context}
    return {span.name: names.get(span.parent.span_id) if span.parent else None for span in spans}


async def test_a_message_is_one_trace(
    exporter: InMemorySpanExporter, acting: ActingBot, make_settings: Callable[..., Settings]
):
    from tests.api.conftest import free_port

    settings = make_settings(bot_url=acting.url, app_port=free_port())
    message_id = await talk(settings, acting, "lệ phí khai sinh bao nhiêu, sđt 0905123456?")
    spans = list(exporter.get_finished_spans())
    assert tree(spans) == {
        "receive": None,
        "dispatch": "receive",
        "bot": "dispatch",
        "action": "bot",
        "search": "action",
        "send": "dispatch",
    }
    assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {message_id}
    assert acting.headers[0]["X-Request-ID"] == message_id
    assert acting.headers[0]["traceparent"].startswith(f"00-{message_id}-")
    whole = "".join(span.to_json() for span in spans)
    assert "0905123456" not in whole
    assert "khai sinh" not in whole
    times = {span.name: (span.start_time, span.end_time) for span in spans}
    assert times["receive"][0] <= times["dispatch"][0]


async def test_an_emergency_is_received_and_sent(
    exporter: InMemorySpanExporter, acting: ActingBot, make_settings: Callable[..., Settings]
):
    from tests.api.conftest import free_port

    settings = make_settings(bot_url=acting.url, app_port=free_port())
    await talk(settings, acting, "cháy nhà ở đường Hùng Vương, cứu với")
    assert tree(list(exporter.get_finished_spans())) == {"receive": None, "send": "receive"}


async def test_without_the_switch_there_are_no_traces_but_the_id_goes_along(
    acting: ActingBot, make_settings: Callable[..., Settings]
):
    from tests.api.conftest import free_port

    settings = make_settings(bot_url=acting.url, app_port=free_port())
    message_id = await talk(settings, acting, "lệ phí khai sinh bao nhiêu?")
    assert not tracing.is_on()
    assert acting.headers[0]["X-Request-ID"] == message_id
    assert "traceparent" not in acting.headers[0]


def test_the_share_is_of_messages_and_the_same_everywhere(exporter: InMemorySpanExporter):
    tracing.start("test", endpoint="", exporter=exporter, share=0.25)
    ids = [uuid4().hex for _ in range(2_000)]
    for message_id in ids:
        tracing.received(message_id, 0.001)
        with tracing.span("dispatch", message_id=message_id):
            pass
    spans = exporter.get_finished_spans()
    received = {s.context.trace_id for s in spans if s.name == "receive" and s.context}
    dispatched = {s.context.trace_id for s in spans if s.name == "dispatch" and s.context}
    assert received == dispatched
    assert 350 < len(received) < 650


def test_a_failure_is_marked_by_its_type_alone(exporter: InMemorySpanExporter):
    with pytest.raises(ValueError, match="Nguyễn"), tracing.span("dispatch", message_id=uuid4().hex):
        raise ValueError("Nguyễn Văn Ẩn")
    (span,) = exporter.get_finished_spans()
    assert span.status.description == "ValueError"
    assert "Nguyễn" not in span.to_json()


@pytest.mark.parametrize(
    "given", ["", "garbage", "00-" + "0" * 10, "01-" + "a" * 32 + "-" + "b" * 16 + "-01", "00-" + "A" * 32]
)
def test_a_header_that_is_none_makes_no_trace(exporter: InMemorySpanExporter, given: str):
    with tracing.incoming({"traceparent": given}), tracing.span("action"):
        assert tracing.outgoing_headers() == {}
    assert exporter.get_finished_spans() == ()


def test_the_switch_says_what_to_install(make_settings: Callable[..., Settings]):
    """In a process without the packages: the app does not start, and the sentence helps."""
    settings = {"DATA_DIR": str(make_settings().data_dir), "OTEL_TRACES": "true", "PYTHONPATH": str(ROOT)}
    program = (
        "import sys\n"
        "sys.modules['opentelemetry.sdk.trace'] = None\n"
        "from api.logs import start_tracing\n"
        "from api.settings import Settings\n"
        "from telemetry.tracing import TracingUnavailableError\n"
        "try:\n    start_tracing(Settings(_env_file=None))\n"
        "except TracingUnavailableError as error:\n    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=settings, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "OTEL_TRACES" in ended.stdout
    for package in tracing.PACKAGES:
        assert package in ended.stdout


def test_what_to_install_is_what_the_project_pins():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert tuple(declared["project"]["optional-dependencies"]["otel"]) == tracing.PACKAGES


async def test_spans_reach_a_collector(make_settings: Callable[..., Settings]):
    """By OTLP over HTTP, as a collector takes them."""
    from tests.api.conftest import free_port

    taken: list[tuple[str, int]] = []

    async def collect(request: web.Request) -> web.Response:
        taken.append((request.path, len(await request.read())))
        return web.Response(body=b"", content_type="application/x-protobuf")

    collector = web.Application()
    collector.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(collector)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        tracing.start("test", endpoint=f"http://127.0.0.1:{port}")
        tracing.received(uuid4().hex, 0.001, channel="webchat")
        await asyncio.to_thread(tracing.stop)
    finally:
        await runner.cleanup()
    assert taken[0][0] == "/v1/traces"
    assert taken[0][1] > 50


def test_settings_of_traces_have_the_usual_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("OTEL_TRACES", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    settings = Settings(_env_file=None, data_dir=tmp_path)
    assert settings.otel_traces
    assert json.loads(settings.model_dump_json())["otel_exporter_otlp_endpoint"] == "http://collector:4318"


def test_the_app_is_made_with_traces_off_by_default(make_settings: Callable[..., Settings]):
    assert isinstance(httpx.ASGITransport(create_app(make_settings())), httpx.ASGITransport)
    assert not tracing.is_on()
