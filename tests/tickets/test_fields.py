"""The guess of a report's field from its words."""

from __future__ import annotations

import pytest

from tickets import fields


@pytest.mark.parametrize(
    ("content", "group", "field"),
    [
        ("đèn đường hỏng cả tuần nay", 3, "Chiếu sáng công cộng"),
        ("den duong hong", 3, "Chiếu sáng công cộng"),
        ("đường có nhiều ổ gà", 3, "Đường sá"),
        ("trại heo xả thải hôi thối", 2, "Môi trường"),
        ("mất nước sinh hoạt ba ngày", 3, "Cấp nước"),
        ("cán bộ một cửa hách dịch", 1, "Thái độ, trách nhiệm của cán bộ"),
        ("hàng rong lấn chiếm vỉa hè", 2, "Trật tự, vỉa hè"),
        ("cửa hàng bán hàng giả, hàng nhái", 3, "Buôn lậu, hàng giả, gian lận thương mại"),
        ("khách sạn chặt chém khách du lịch", 4, "Du lịch"),
    ],
)
def test_the_field_is_guessed(content: str, group: int, field: str) -> None:
    guess = fields.guess(content)
    assert guess is not None
    assert (guess.group, guess.field) == (group, field)
    assert guess.evidence


@pytest.mark.parametrize("content", ["", "alo", "xyz 123"])
def test_without_a_word_of_any_field_there_is_no_guess(content: str) -> None:
    assert fields.guess(content) is None
