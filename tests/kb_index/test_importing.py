from __future__ import annotations

from collections.abc import Callable
from typing import Any

from database.engine import Database
from kb_index.importers import Problem, Record
from kb_index.importing import import_records
from kb_index.repository import KbRepository
from kb_index.schemas import Procedure
from kb_index.service import read_entries

Make = Callable[..., Procedure]
Records = Callable[..., list[Record]]


async def test_reimport_changes_nothing_and_doubles_nothing(
    database: Database, base_entries: list[Any], records: Records, clock: Any
) -> None:
    first = await import_records(database, records(base_entries), clock=clock)
    second = await import_records(database, records(base_entries), clock=clock)
    assert (len(first.new), len(first.unchanged)) == (len(base_entries), 0)
    assert (len(second.new), len(second.changed), len(second.unchanged)) == (0, 0, len(base_entries))
    assert not second.differs
    async with database.read() as session:
        counts = await KbRepository(session).counts()
    assert sum(counts.values()) == len(base_entries)


async def test_a_changed_record_replaces_the_old_one(
    database: Database, procedure: Make, records: Records
) -> None:
    await import_records(database, records([procedure()]))
    report = await import_records(database, records([procedure(result="Giấy khai sinh điện tử")]))
    assert report.changed == ["9.000001"]
    entry = (await read_entries(database))["9.000001"]
    assert isinstance(entry, Procedure)
    assert entry.result == "Giấy khai sinh điện tử"


async def test_problems_and_doubles_are_reported_and_the_rest_goes_in(
    database: Database, procedure: Make, records: Records
) -> None:
    rows = [Problem("x.jsonl", 7, "broken"), *records([procedure(), procedure()])]
    report = await import_records(database, rows)
    assert report.imported == 1
    assert [problem.line for problem in report.problems] == [7, 2]
    assert "already read from base.yml:1" in report.problems[1].reason


async def test_what_left_the_starter_base_leaves_the_store(
    database: Database, procedure: Make, records: Records
) -> None:
    both = [procedure(), procedure(code="9.000002")]
    await import_records(database, records(both), prune="starter")
    report = await import_records(database, records(both[:1]), prune="starter")
    assert report.removed == ["9.000002"]
    assert list(await read_entries(database)) == ["9.000001"]


async def test_two_layers_are_one_entry_official_facts_and_our_words(
    database: Database, procedure: Make, records: Records
) -> None:
    official = procedure(
        title="Thủ tục đăng ký khai sinh",
        everyday_names=[],
        short_name=None,
        summary=None,
        documents=[{"name": "Giấy tờ theo quy định tại khoản 1"}],
        filing=[
            {
                "way": "online",
                "processing_time": {"value": 2, "unit": "day"},
                "fees": [{"text": "theo thông tư"}],
            },
            {"way": "post", "processing_time": {"value": 2, "unit": "day"}, "fees": [{"amount": 5000}]},
        ],
        result="Giấy khai sinh (bản chính)",
    )
    await import_records(database, records([procedure()]))
    await import_records(database, records([official], layer="portal"))
    entry = (await read_entries(database))["9.000001"]
    assert isinstance(entry, Procedure)
    assert entry.title == "Thủ tục đăng ký khai sinh"
    assert entry.result == "Giấy khai sinh (bản chính)"
    assert entry.short_name == "khai sinh lần đầu"
    assert entry.everyday_names == ["làm giấy khai sinh cho con"]
    assert entry.documents[0].name == "Giấy chứng sinh"
    # Of the same version, ours is the same fact in plain words; what we do not have is official.
    ways = {option.way: option for option in entry.filing}
    assert ways["online"].fees[0].amount == 0
    assert ways["online"].processing_time is not None
    assert ways["online"].processing_time.unit == "working_day"
    assert ways["post"].fees[0].amount == 5000


async def test_what_was_published_anew_by_another_decision_wins_over_our_words(
    database: Database, procedure: Make, records: Records
) -> None:
    await import_records(database, records([procedure()]))
    newer = procedure(
        steps=["Làm theo cách mới."],
        filing=[{"way": "online", "fees": [{"amount": 9000}]}],
        source={"name": "Cổng Dịch vụ công quốc gia", "decision": "999/QĐ-BTP"},
    )
    await import_records(database, records([newer], layer="portal"))
    entry = (await read_entries(database))["9.000001"]
    assert isinstance(entry, Procedure)
    assert entry.steps == ["Làm theo cách mới."]
    assert [fee.amount for option in entry.filing for fee in option.fees] == [9000]


async def test_what_an_agency_sends_wins(database: Database, procedure: Make, records: Records) -> None:
    sheet = procedure(where_to_file="Số 1 đường Tàu Giấy", steps=[])
    await import_records(database, records([procedure()]))
    await import_records(database, records([sheet], layer="sheet"))
    entry = (await read_entries(database))["9.000001"]
    assert isinstance(entry, Procedure)
    assert entry.where_to_file == "Số 1 đường Tàu Giấy"
    assert len(entry.steps) == 3
