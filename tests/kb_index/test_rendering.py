from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb_index.aspects import ASPECTS
from kb_index.phrases import shorten
from kb_index.rendering import SHORT, render
from kb_index.schemas import Article, Procedure

Make = Callable[..., Procedure]
SOURCE = "(Nguồn: thủ tục 9.000001 – Đăng ký khai sinh; 60/2014/QH13; cập nhật ngày 01/07/2026)"


def test_the_fact_stands_in_the_first_line_and_the_source_in_the_last(procedure: Make) -> None:
    lines = render(procedure(), "time").text.splitlines()
    assert lines[0] == "Về khai sinh lần đầu – thời hạn giải quyết: 1 ngày làm việc"
    assert lines[-1] == SOURCE


def test_fees_that_differ_are_told_by_way_of_filing(procedure: Make) -> None:
    lines = render(procedure(), "fee").text.splitlines()
    assert lines[1:3] == ["• Nộp trực tuyến: miễn phí", "• Nộp trực tiếp: 8.000 đồng (nộp quá hạn)"]


def test_a_fee_the_province_decides_is_not_guessed(procedure: Make) -> None:
    fees = [{"text": "Mức thu do Hội đồng nhân dân cấp tỉnh quyết định"}]
    answer = render(procedure(filing=[{"way": "in_person", "fees": fees}]), "fee")
    assert "do Hội đồng nhân dân tỉnh quy định, em chưa có mức" in answer.text
    assert "miễn phí" not in answer.text
    assert answer.is_known


def test_what_is_not_known_is_said_to_be_unknown(procedure: Make) -> None:
    answer = render(procedure(filing=[]), "fee")
    assert not answer.is_known
    assert "không dám nói chừng" in answer.text
    assert SOURCE in answer.text
    assert "fee" not in answer.next_aspects


def test_documents_are_a_list_with_counts_and_more_on_demand(procedure: Make) -> None:
    short, full = render(procedure(), "documents"), render(procedure(), "documents", full=True)
    assert "• Giấy chứng sinh (1 bản chính)" in short.text
    assert short.has_more
    assert "• Tờ khai (1 bản chính) – theo mẫu: Tờ khai khai sinh" in full.text
    assert not full.has_more


def test_long_lists_are_cut_at_whole_lines_and_whole_on_demand(procedure: Make) -> None:
    entry = procedure(
        documents=[{"name": f"Giấy tờ thứ {number} dùng để chứng minh"} for number in range(60)]
    )
    short, full = render(entry, "documents"), render(entry, "documents", full=True)
    assert len(short.text) <= SHORT
    assert short.has_more
    assert "mục nữa" in short.text
    assert full.text.count("•") == 60


def test_official_text_is_shown_where_nothing_was_taken_apart(procedure: Make) -> None:
    long = "Trực tiếp: 1100 VNĐ theo quy định. " * 40
    entry = procedure(filing=[], official={"filing": long})
    short = render(entry, "fee")
    assert short.is_known
    assert short.has_more
    assert len(short.text) <= SHORT
    assert len(render(entry, "fee", full=True).text) > 1000


def test_next_questions_are_ones_it_can_answer(procedure: Make) -> None:
    answer = render(procedure(documents=[]), "fee")
    assert answer.next_aspects == ["time", "place", "online"]


def test_parts_can_be_left_out_where_answers_are_joined(procedure: Make) -> None:
    answer = render(procedure(), "time", name=False, source=False)
    assert answer.text == "Thời hạn giải quyết: 1 ngày làm việc"


def test_an_article_has_one_answer(base_entries: list[Procedure | Article]) -> None:
    article = base_entries[-1]
    answer = render(article, "fee")
    assert answer.text.startswith("Lịch tạm ngừng cấp điện")
    assert "• Tổng đài điện lực: 19001909" in answer.text
    assert answer.text.endswith("(Nguồn: Công ty điện lực; cập nhật ngày 01/07/2026)")


@pytest.mark.parametrize("aspect", ASPECTS)
def test_every_aspect_names_the_procedure_and_its_source(procedure: Make, aspect: str) -> None:
    for entry in (
        procedure(),
        Procedure(
            code="9.1", title="Thủ tục trống", field="A", source={"name": "B"}, checked_on="2026-07-01"
        ),
    ):  # type: ignore[arg-type]
        for full in (False, True):
            answer = render(entry, aspect, full=full)
            assert answer.text.startswith("Về ")
            assert f"thủ tục {entry.code}" in answer.text
            assert full or len(answer.text) <= SHORT


_LONG = st.text(st.sampled_from("ab ăệ.;,\n"), min_size=1, max_size=2500).filter(
    lambda text: bool(text.strip())
)


@given(_LONG, _LONG, st.sampled_from(ASPECTS))
def test_no_text_makes_a_short_answer_long(long: str, other: str, aspect: str) -> None:
    entry = Procedure.model_validate(
        {
            "code": "9.1",
            "title": long[:900] + "x",
            "field": "A",
            "agency": other,
            "who_may_file": long,
            "summary": other,
            "steps": [long, other],
            "documents": [{"name": other, "when": long}, {"name": long}],
            "filing": [
                {"way": "online", "fees": [{"text": long}], "processing_time": {"text": other}, "note": long},
                {"way": "post", "fees": [{"amount": 5, "condition": other}]},
            ],
            "where_to_file": long,
            "legal_basis": [{"title": long}],
            "conditions": other,
            "result": long,
            "source": {"name": "B", "url": "https://example.gov.vn"},
            "checked_on": "2026-07-01",
        }
    )
    assert len(render(entry, aspect).text) <= SHORT
    assert len(render(entry, aspect, full=True).text) > 0


@given(st.text(max_size=300), st.integers(5, 200))
def test_shortening_keeps_within_its_limit(text: str, limit: int) -> None:
    shown, cut = shorten(text, limit)
    assert len(shown) <= limit
    assert cut == (len(text.strip()) > limit)
