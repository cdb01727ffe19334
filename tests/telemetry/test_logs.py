"""Log lines of our own code and of libraries, as a real process writes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_PROGRAM = """
import asyncio, logging, warnings
import structlog
from telemetry import correlation, logs
logs.configure("app", level="INFO", form="json")
log = structlog.get_logger("api.test")
log.info("started")
with correlation.about("abcdefgh1"):
    log.warning("something", text="nhà tôi cháy", phone="0905123456", note="gọi 0905 123 456", n=3)
    try:
        int("Nguyễn Văn Ẩn")
    except ValueError:
        log.exception("failed")
    logging.getLogger("some.library").warning("cannot read %s", "Nguyễn Văn Ẩn")
    logging.getLogger("some.library").error(f"bad value 'Nguyễn Văn Ẩn' for 0905123456")
    logging.getLogger("some.library").warning("tried %d times", 3)
    logging.getLogger("kb_index.service").warning("building the search index: %s", "not there")
    logging.getLogger("some.library").info("not heard")
    warnings.warn("old way: 'Nguyễn Văn Ẩn'")
async def main():
    async def fail():
        raise ValueError("Nguyễn Văn Ẩn")
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task
    await asyncio.sleep(0)
asyncio.run(main())
"""


def run(program: str) -> list[dict[str, Any]]:
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    lines = (ended.stdout + ended.stderr).splitlines()
    return [json.loads(line) for line in lines]


def test_every_line_is_structured_joined_and_free_of_people():
    lines = run(_PROGRAM)
    whole = json.dumps(lines, ensure_ascii=False)
    assert "Nguyễn" not in whole
    assert "cháy" not in whole
    assert "0905" not in whole
    for line in lines:
        assert {"timestamp", "level", "service", "correlation_id", "event"} <= set(line)
        assert line["service"] == "app"
    said = {line["event"]: line for line in lines}
    assert said["started"]["correlation_id"] == "-"
    assert said["something"]["correlation_id"] == "abcdefgh1"
    assert said["something"]["n"] == 3
    assert "ValueError" in said["failed"]["exception"]
    assert said["cannot read %s"]["logger"] == "some.library"
    assert said["cannot read %s"]["correlation_id"] == "abcdefgh1"
    assert "tried 3 times" in said
    assert "building the search index: not there" in said
    assert "not heard" not in said
    assert any(line.get("logger") == "asyncio" for line in lines)


def test_lines_for_people_are_clean_too():
    program = _PROGRAM.replace('form="json"', 'form="console"')
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "something" in ended.stdout
    assert "abcdefgh1" in ended.stdout
    for secret in ("Nguyễn", "cháy", "0905"):
        assert secret not in ended.stdout + ended.stderr
