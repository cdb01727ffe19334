from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from database.engine import Database
from kb_index.embedding import EmbeddingUnavailableError, Encoder
from kb_index.importers import Record
from kb_index.importing import import_records
from kb_index.schemas import Procedure
from kb_index.service import KnowledgeBase, is_current, rebuild

Build = Callable[[], Awaitable[Path]]
Records = Callable[..., list[Record]]

QUESTIONS = [
    ("Làm giấy khai sinh cho con cần giấy tờ gì?", "9.000001"),
    ("lam giay khai sinh cho con can giay to gi", "9.000001"),
    ("mất bản gốc, giờ đăng ký lại khai sinh ở đâu", "9.000002"),
    ("xin phep cat nha het bao nhieu tien", "9.000005"),
    ("mở tiệm tạp hóa phải đăng ký gì", "9.000006"),
    ("doi bang lai xe o dau", "9.000007"),
    ("lm sổ đỏ lần đầu bn ngày", "9.000012"),
    ("hom nay co cup dien khong", "gl-cup-dien"),
]


async def test_the_small_base_is_found_with_and_without_marks(
    small_base: Build, database: Database, clock: Any
) -> None:
    base = await KnowledgeBase.open(database, await small_base(), clock=clock)
    for text, code in QUESTIONS:
        result = base.search(text)
        assert result.hits[0].code == code, text
        assert 0 <= result.confidence <= 1
        assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
        assert base.search(text) == result
    assert base.search("").hits == []
    assert base.search("🙂🙂").hits == []
    assert len(base.search("đăng ký " * 2000, limit=3).hits) <= 3
    assert base.get("9.000001") is not None
    assert base.get("nothing") is None


async def test_entries_out_of_force_never_answer(
    database: Database, tmp_path: Path, base_entries: list[Any], records: Records, clock: Any
) -> None:
    expired = base_entries[0].model_copy(update={"effective_to": datetime(2026, 7, 14, tzinfo=UTC).date()})
    future = base_entries[2].model_copy(update={"effective_from": datetime(2026, 7, 16, tzinfo=UTC).date()})
    await import_records(database, records([expired, base_entries[1], future, *base_entries[3:]]))
    await rebuild(database, tmp_path)
    base = await KnowledgeBase.open(database, tmp_path, clock=clock)
    for text in ("làm giấy khai sinh cho con", "đăng ký kết hôn"):
        assert {"9.000001", "9.000003"}.isdisjoint(hit.code for hit in base.search(text).hits)
    assert base.get("9.000001") is None
    assert base.get("9.000003") is None
    clock.instant = datetime(2026, 7, 15, 17, 30, tzinfo=UTC)  # half past midnight of the 16th, local time
    assert base.get("9.000003") is not None
    assert base.search("đăng ký kết hôn").hits[0].code == "9.000003"


async def test_a_new_index_is_swapped_in_while_others_search(
    small_base: Build, database: Database, records: Records, procedure: Callable[..., Procedure], clock: Any
) -> None:
    data_dir = await small_base()
    base = await KnowledgeBase.open(database, data_dir, clock=clock)
    stop, failures, searches = threading.Event(), [], [0]

    def search_on() -> None:
        while not stop.is_set():
            try:
                assert base.search("làm giấy khai sinh cho con").hits[0].code == "9.000001"
                searches[0] += 1
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=search_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert not await base.refresh()
        new = procedure(
            code="9.000099", title="Cấp thẻ thuyền viên tàu giấy", short_name=None, everyday_names=[]
        )
        await import_records(database, records([new]))
        assert not await is_current(database, data_dir)
        await rebuild(database, data_dir)
        assert base.get("9.000099") is None
        assert await base.refresh()
    finally:
        stop.set()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert not failures
    assert searches[0] > 0
    assert base.search("thẻ thuyền viên tàu giấy").hits[0].code == "9.000099"
    assert await is_current(database, data_dir)


async def test_a_damaged_index_is_built_anew_at_start_and_left_alone_while_running(
    small_base: Build, database: Database, clock: Any
) -> None:
    data_dir = await small_base()
    base = await KnowledgeBase.open(database, data_dir, clock=clock)
    shutil.copytree(data_dir / "kb" / "index" / "1", data_dir / "kb" / "index" / "2")
    (data_dir / "kb" / "index" / "2" / "vectors.faiss").write_bytes(b"half")
    (data_dir / "kb" / "CURRENT").write_text("2\n")
    assert not await base.refresh()
    assert base.version == 1
    assert base.search("đăng ký kết hôn").hits[0].code == "9.000003"
    again = await KnowledgeBase.open(database, data_dir, clock=clock)
    assert again.version == 3
    assert again.search("đăng ký kết hôn").hits[0].code == "9.000003"


async def test_another_model_can_be_named(small_base: Build, database: Database, clock: Any) -> None:
    data_dir = await small_base()
    other = data_dir / "other-model"
    shutil.copytree(data_dir / "models" / "embedding", other)
    base = await KnowledgeBase.open(database, data_dir, str(other), clock=clock)
    assert base.version == 2
    assert base.search("đăng ký kết hôn").hits[0].code == "9.000003"
    with pytest.raises(EmbeddingUnavailableError, match="cannot load the embedding folder"):
        Encoder(str(data_dir / "kb"))


async def test_an_empty_base_answers_nothing(database: Database, tmp_path: Path, clock: Any) -> None:
    base = await KnowledgeBase.open(database, tmp_path, clock=clock)
    assert base.size == 0
    assert base.search("đăng ký kết hôn").hits == []
