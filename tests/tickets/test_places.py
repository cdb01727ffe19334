"""Places: new and old names, with and without marks, with and without the province; and what is no unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets import places
from vntext.normalise import normalise, strip_marks

UNITS = [
    ("xã Phù Cát", "Xã Phù Cát", "exact", None),
    ("xa phu cat", "Xã Phù Cát", "exact", None),
    ("XÃ PHÙ CÁT", "Xã Phù Cát", "exact", None),
    ("phường Bồng Sơn", "Phường Bồng Sơn", "exact", None),
    ("phuong bong son, Gia Lai", "Phường Bồng Sơn", "exact", None),
    ("nhà số 15 thôn Phú Mỹ xã Phù Cát", "Xã Phù Cát", "exact", None),
    ("thôn 3, xã Ia Der, huyện Ia Grai", "Xã Ia Hrung", "exact", "Xã Ia Dêr"),
    ("thôn 3, xã Ia Der, huyện Ia Grai, Gia Lai", "Xã Ia Hrung", "exact", "Xã Ia Dêr"),
    ("xa Ayun Ha, Phu Thien, Gia Lai", "Xã Chư A Thai", "exact", "Xã Ayun Hạ"),
    ("Phường Nhơn Bình, Quy Nhơn, Bình Định", "Phường Quy Nhơn Đông", "exact", "Phường Nhơn Bình"),
    ("Phường Nhơn Bình, Quy Nhơn", "Phường Quy Nhơn Đông", "exact", "Phường Nhơn Bình"),
    ("phường Nhơn Bình", "Phường Quy Nhơn Đông", "likely", "Phường Nhơn Bình"),
    ("phuong Tran Phu, Qui Nhon", "Phường Quy Nhơn", "exact", "Phường Trần Phú"),
    ("p. Hoa Lư", "Phường Pleiku", "likely", "Phường Hoa Lư"),
    ("thị trấn Phú Thiện", "Xã Phú Thiện", "likely", "Thị trấn Phú Thiện"),
    ("phường Pleiku", "Phường Pleiku", "exact", None),
]


@pytest.mark.parametrize(("said", "unit", "certainty", "old_name"), UNITS)
def test_a_unit_is_found(said: str, unit: str, certainty: str, old_name: str | None) -> None:
    match = places.resolve(said)
    assert match is not None
    assert (match.unit, match.certainty, match.old_name) == (unit, certainty, old_name)
    assert match.code is not None
    assert match.code.isdecimal()


@pytest.mark.parametrize(
    ("said", "area"),
    [
        ("Pleiku", "Thành phố Pleiku"),
        ("đường Lý Thái Tổ Pleiku", "Thành phố Pleiku"),
        ("Phù Cát", "Huyện Phù Cát"),
        ("tp Quy Nhơn", "Thành phố Quy Nhơn"),
    ],
)
def test_a_former_town_or_district_alone_is_only_an_area(said: str, area: str) -> None:
    match = places.resolve(said)
    assert match is not None
    assert (match.unit, match.code, match.certainty) == (area, None, "area")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "  ",
        "trước số 12 Trần Phú",
        "12 Lê Lợi",
        "xã An Phú, Hà Nội",
        "chỗ này nè",
        "gần trường An Phú",
        "ngã ba",
    ],
)
def test_what_names_no_unit_of_the_province_finds_none(said: str) -> None:
    assert places.resolve(said) is None


@given(st.sampled_from([row[0] for row in UNITS]))
def test_marks_make_no_difference(said: str) -> None:
    marked, unmarked = places.resolve(said), places.resolve(strip_marks(normalise(said)))
    assert marked is not None
    assert unmarked is not None
    assert marked.unit == unmarked.unit


@given(st.text(max_size=80))
def test_no_text_breaks_it(said: str) -> None:
    match = places.resolve(said)
    if match is not None:
        assert 0 <= match.start < match.end <= len(normalise(said))
