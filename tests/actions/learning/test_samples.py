"""What was misunderstood is kept, once, without personal data, and not for ever."""

from __future__ import annotations

from typing import Any

import pytest

from actions.learning.samples import SETTLED, LearningSamples, TurnNotFoundError
from conversations import repository


async def collected(samples: LearningSamples, clock: Any) -> dict[str, Any]:
    clock.forward(seconds=SETTLED.total_seconds())
    await samples.collect()
    return {sample.text: sample for sample in await samples.open(100)}


async def test_what_was_not_understood_is_kept_without_personal_data(talk, samples, clock):
    await talk.said("tôi tên Nguyễn Văn Tám, 0905123456, lam cai do cho con", "unclear")

    kept = await collected(samples, clock)

    assert list(kept) == ["tôi (tên), (số), lam cai do cho con"]
    [sample] = kept.values()
    assert (sample.reason, sample.intent, sample.confidence, sample.model) == (
        "unclear",
        "ask_overview",
        0.4,
        "m1",
    )
    assert sample.ranking[1] == ("ask_fee", 0.3)


async def test_nothing_is_kept_of_what_was_understood(talk, samples, clock, offered):
    await talk.said("lệ phí khai sinh", "answer", procedures=offered("1.001193"))
    await talk.said("cảm ơn em", "smalltalk", intent="thank")
    await talk.said("ổ gà trước chợ", "ticket", intent="report_problem")
    await talk.said("cháy nhà rồi", "redirect_114", intent=None)

    assert await collected(samples, clock) == {}


@pytest.mark.parametrize(
    ("code", "reason"),
    [("nothing_found", "nothing_found"), ("nothing_near", "nothing_found"), ("not_understood", "unclear")],
)
async def test_what_was_handed_over_for_want_of_an_answer_is_kept(talk, samples, clock, code, reason):
    await talk.said("lịch cúp nước khu mình", "handoff", handoff={"reason": "…", "code": code})

    kept = await collected(samples, clock)

    assert kept["lịch cúp nước khu mình"].reason == reason


async def test_who_asks_for_a_person_was_answered_badly_before(talk, samples, clock, offered):
    await talk.said("làm lại cái giấy đó", "answer", procedures=offered("1.001193"))
    await talk.said("cho gặp người thật", "handoff", intent="ask_human", handoff={"code": "asked_for"})

    kept = await collected(samples, clock)

    assert {text: sample.reason for text, sample in kept.items()} == {"làm lại cái giấy đó": "asked_person"}
    assert kept["làm lại cái giấy đó"].procedures == ("1.001193",)


async def test_the_choice_tells_which_entry_was_right(talk, samples, clock, offered):
    await talk.said("giấy độc thân", "clarify", procedures=offered("1.1", "1.2", "1.3"))
    await talk.said("Cái thứ hai", "answer", intent="choose_option", procedures=offered("1.2", "1.1", "1.3"))

    kept = await collected(samples, clock)

    assert {text: (s.reason, s.hint) for text, s in kept.items()} == {
        "giấy độc thân": ("chosen_second", "1.2")
    }


async def test_whoever_took_the_first_was_understood(talk, samples, clock, offered):
    await talk.said("giấy độc thân", "clarify", procedures=offered("1.1", "1.2"))
    await talk.said("1", "answer", intent="choose_option", procedures=offered("1.1", "1.2"))

    assert await collected(samples, clock) == {}


async def test_choices_of_which_none_was_right_are_kept(talk, samples, clock, offered):
    await talk.said("giấy độc thân", "clarify", procedures=offered("1.1", "1.2"))
    none = {"intent": "choose_option", "handoff": {"code": "none_of_the_choices"}}
    await talk.said("không phải", "handoff", procedures=offered("1.1", "1.2"), **none)
    await talk.said("sang tên rẫy", "clarify", user="u2", procedures=offered("1.4", "1.5"))

    kept = await collected(samples, clock)

    assert {text: s.reason for text, s in kept.items()} == {
        "giấy độc thân": "clarified_and_none_chosen",
        "sang tên rẫy": "clarified_and_none_chosen",
    }


async def test_who_may_still_choose_is_waited_for(talk, samples, clock, offered):
    await talk.said("giấy độc thân", "clarify", procedures=offered("1.1", "1.2"))

    assert await samples.collect() == 0


async def test_answers_inside_the_report_form_are_not_looked_at(talk, samples, clock):
    await talk.said("ổ gà trước chợ", "ticket", intent="report_problem")
    await talk.said("hoa mai lan cuc", "unclear", intent="inform")

    assert await collected(samples, clock) == {}


async def test_the_same_words_are_one_sample_that_counts(talk, samples, clock):
    await talk.said("lam cai do", "unclear")
    await talk.said("Lam  cai do", "unclear", user="u2")
    first = await collected(samples, clock)
    await talk.said("lam cai do", "handoff", user="u3", handoff={"code": "nothing_found"})

    kept = await collected(samples, clock)

    assert [sample.count for sample in first.values()] == [2]
    assert [(s.count, s.reason) for s in kept.values()] == [(3, "unclear")]


async def test_every_message_is_looked_at_once(talk, samples, clock):
    for number in range(230):
        await talk.said(f"câu {'a' * (number % 7 + 2)} không rõ", "unclear", user=f"u{number % 5}")

    kept = await collected(samples, clock)
    await samples.collect()

    assert sum(sample.count for sample in kept.values()) == 230
    assert sum(sample.count for sample in await samples.open(100)) == 230


async def test_only_placeholders_are_not_kept(talk, samples, clock):
    await talk.said("0905123456", "unclear")
    await talk.said("??", "unclear")

    assert await collected(samples, clock) == {}


async def test_an_operator_can_say_that_an_answer_was_wrong(talk, samples, clock, offered):
    message = await talk.said("sang tên rẫy", "answer", procedures=offered("1.1"))

    assert await samples.add_correction(message, hint="1.2")

    [sample] = await samples.open(10)
    assert (sample.reason, sample.hint) == ("corrected", "1.2")
    with pytest.raises(TurnNotFoundError):
        await samples.add_correction("unknown")


async def test_samples_are_forgotten_when_nobody_says_them_any_more(talk, samples, clock):
    await talk.said("lam cai do", "unclear")
    await talk.said("sang tên rẫy", "unclear")
    await collected(samples, clock)
    clock.forward(days=100)
    await talk.said("sang tên rẫy", "unclear")
    await collected(samples, clock)
    clock.forward(days=100)

    assert await samples.forget() == 1
    assert [sample.text for sample in await samples.open(10)] == ["sang tên rẫy"]


async def test_what_its_sender_took_back_is_forgotten(talk, samples, clock, database):
    mine = await talk.said("lam cai do cho con toi", "unclear")
    for user in ("u2", "u3"):
        await talk.said("thẻ gì đó của bố", "unclear", user=user)
    await collected(samples, clock)
    theirs = await talk.said("thẻ gì đó của bố", "unclear", user="u4")
    async with database.write() as session:
        await samples.withdraw(session, mine)
        await samples.withdraw(session, theirs)
        await samples.withdraw(session, "no such message")

    assert {sample.text: sample.count for sample in await samples.open(100)} == {"thẻ gì đó của bố": 1}


async def test_what_was_taken_back_is_not_collected_later(talk, samples, clock, database):
    message = await talk.said("lam cai do cho con toi", "unclear")
    async with database.write() as session:
        await repository.change_messages(session, [message], text="", payload={}, turn=None)

    assert await collected(samples, clock) == {}
