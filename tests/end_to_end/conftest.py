"""The whole system, started as a person starts it, and a real browser to use it with."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from deploy.local.prepare import find_chromium
from deploy.local.stack import ROOT, Stack
from tests.end_to_end.desk import PASSWORD, DeskApp, log_in
from tests.end_to_end.phones import Phones

_START_SECONDS = 240
_ALBUM = os.environ.get("SCREENSHOTS", "")

Photograph = Callable[[Page, str], None]


@dataclass
class Running:
    """A running system."""

    stack: Stack
    process: subprocess.Popen[str]
    printed: list[str]
    reader: threading.Thread

    @property
    def url(self) -> str:
        return self.stack.url

    def first_password_link(self) -> str:
        (line,) = [line for line in self.printed if "first password" in line]
        return line.split("at: ")[1].split()[0]


def start(stack: Stack, settings: Mapping[str, str] | None = None) -> Running:
    """Start `make run`'s program on `stack`, with further settings, and wait for its "is running" line."""
    environment = {
        **os.environ,
        **(settings or {}),
        "DATA_DIR": str(stack.data_dir),
        "APP_PORT": str(stack.app_port),
        "BOT_PORT": str(stack.bot_port),
        "REDIS_PORT": str(stack.redis_port),
        "ACTIONS_PORT": str(stack.actions_port),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("REDIS_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.local.run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + _START_SECONDS
    while True:
        line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
        assert line is not None, "the system ended while starting:\n" + "\n".join(printed[-60:])
        printed.append(line)
        if "Ctrl-C stops everything" in line:
            break
    # The reader goes on, so that the pipe never fills up.
    return Running(stack, process, printed, reader)


def stop(running: Running) -> int:
    """Press Ctrl-C and return the exit code."""
    running.process.send_signal(signal.SIGINT)
    code = running.process.wait(timeout=60)
    running.reader.join(timeout=10)
    assert running.process.stdout is not None
    running.process.stdout.close()
    return code


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the starter knowledge base, imported by the command people use."""
    folder = tmp_path_factory.mktemp("instance")
    subprocess.run(
        [sys.executable, "-m", "kb_index", "import", "--data-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder)},
        check=True,
    )
    return folder


@pytest.fixture(scope="session")
def stack(instance: Path) -> Stack:
    """Where the whole system of the session listens."""
    return Stack(data_dir=instance).on_free_ports()


@pytest.fixture(scope="session")
def phones(stack: Stack) -> Iterator[Phones]:
    """People with Zalo on their phones, who can write to the whole system."""
    opened = Phones(stack.url)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def system(stack: Stack, phones: Phones) -> Iterator[Running]:
    """The whole system on free ports, for all tests of the session."""
    running = start(stack, phones.settings())
    yield running
    assert stop(running) == 0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, headless."""
    path = find_chromium()
    assert path is not None, "install Chromium to run the browser tests"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                # The tests' pages come from this machine; real sites reach a public server.
                "--disable-features=LocalNetworkAccessChecks",
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def administrator(browser: Browser, system: Running) -> Iterator[BrowserContext]:
    """A browser in which the first password was set by the printed link; its owner is logged in."""
    opened = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 800}, bypass_csp=True)
    opened.set_default_timeout(15_000)
    page = opened.new_page()
    page.goto(system.first_password_link())
    page.fill("#password", "ngan")
    page.fill("#again", "ngan")
    page.click("button[type=submit]")
    assert page.locator("[role=alert]").is_visible()
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button[type=submit]")
    page.locator("#login").wait_for()
    log_in(page, system.url, "admin")
    page.close()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def photograph() -> Photograph:
    """Keeps a picture of a page as the person before it sees it, in SCREENSHOTS=<folder>, else none."""

    def keep(page: Page, name: str) -> None:
        if _ALBUM:
            page.screenshot(path=Path(_ALBUM) / f"{name}.png")

    return keep


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor who was never here."""
    visitor = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 800})
    visitor.set_default_timeout(15_000)
    yield visitor
    visitor.close()


@pytest.fixture
def page(context: BrowserContext, system: Running) -> Page:
    """The start page, opened by that visitor, with the chat ready."""
    opened = context.new_page()
    opened.goto(system.url)
    opened.locator("chat-1022 .message.bot").first.wait_for()
    return opened


def ask(page: Page, text: str) -> str:
    """Type `text` into the chat as a visitor does and return what the assistant answers."""
    answers = page.locator("chat-1022 .message:not(.citizen)")
    before = answers.count()
    field = page.locator("chat-1022 textarea")
    field.fill(text)
    field.press("Enter")
    answers.nth(before).wait_for()
    return said(answers.nth(before))


def said(message: Locator) -> str:
    """Return what a message says, without the speaker's name, which is there for screen readers."""
    return str(message.evaluate("e => e.innerText.replace(/^[^\\n]*: *\\n+/, '')"))


@pytest.fixture(scope="session")
def http(system: Running) -> Iterator[httpx.Client]:
    """A plain HTTP client on the running application."""
    with httpx.Client(base_url=system.url, timeout=15) as client:
        yield client


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskApp]:
    """The application without the bot: whoever writes waits for a person at once."""
    app = DeskApp(tmp_path_factory.mktemp("desk"))
    app.open()
    yield app
    app.close()


@pytest.fixture(scope="module")
def hoa(desk: DeskApp, browser: Browser) -> Iterator[BrowserContext]:
    """A browser in which an operator has logged in."""
    context = desk.operator(browser, "hoa")
    yield context
    context.close()


@pytest.fixture(scope="module")
def khanh(desk: DeskApp, browser: Browser) -> Iterator[BrowserContext]:
    """Another operator's browser."""
    context = desk.operator(browser, "khanh")
    yield context
    context.close()
