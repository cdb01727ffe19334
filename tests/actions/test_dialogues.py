"""Whole conversations outside the report form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actions.server import ActionRejected, ActionServer, ActionUnknown
from actions.services import Office, Services
from conversations.desk.hours import DeskHours


async def test_an_answer_names_the_procedure_and_offers_what_comes_next(conversation) -> None:
    said = await conversation.say("làm khai sinh cho con cần giấy tờ gì", "ask_documents")
    assert said.route == "answer"
    assert said.turn["aspect"] == "documents"
    assert said.turn["procedures"][0]["code"] == "1.001193"
    assert "Giấy chứng sinh" in said.text
    assert len(said.text) <= 600
    assert 2 <= len([payload for payload in said.buttons.values() if payload.startswith("/ask_")]) <= 3


async def test_follow_ups_keep_the_procedure(conversation) -> None:
    await conversation.say("làm khai sinh cho con cần giấy tờ gì", "ask_documents")
    for text, intent, aspect in [
        ("vậy tốn bao nhiêu tiền?", "ask_fee", "fee"),
        ("nộp qua mạng được không", "ask_online", "online"),
        ("cái đó nộp ở đâu", "ask_place", "place"),
        ("mấy ngày thì xong", "ask_time", "time"),
    ]:
        said = await conversation.say(text, intent)
        assert (said.route, said.turn["aspect"]) == ("answer", aspect), text
        assert said.turn["procedures"][0]["code"] == "1.001193"
        assert "khai sinh" in said.text.lower()


async def test_a_tapped_aspect_answers_for_its_own_procedure(conversation) -> None:
    said = await conversation.say("làm khai sinh cho con cần giấy tờ gì", "ask_documents")
    fee = next(payload for payload in said.buttons.values() if payload.startswith("/ask_fee"))
    await conversation.say("mất bằng lái làm lại ở đâu", "ask_place")
    said = await conversation.tap(fee)
    assert said.turn["aspect"] == "fee"
    assert said.turn["procedures"][0]["code"] == "1.001193"


async def test_a_clear_new_procedure_replaces_the_one_in_hand(conversation) -> None:
    await conversation.say("làm khai sinh cho con cần giấy tờ gì", "ask_documents")
    said = await conversation.say("cấp lại bằng lái phí bao nhiêu", "ask_fee")
    assert said.turn["procedures"][0]["code"] == "3.000348"
    assert "135.000" in said.text


async def test_several_aspects_are_answered_in_order(conversation) -> None:
    said = await conversation.say("cấp lại bằng lái phí bao nhiêu và nộp ở đâu", "ask_fee")
    assert said.turn["aspects"] == ["fee", "place"]
    assert said.text.index("135.000") < said.text.index("Phòng Cảnh sát giao thông")


async def test_two_questions_on_two_procedures_are_both_answered(conversation) -> None:
    said = await conversation.say(
        "cấp lại bằng lái phí bao nhiêu, còn đăng ký thường trú thì nộp ở đâu", "ask_fee"
    )
    assert [item["code"] for item in said.turn["procedures"][:2]] == ["3.000348", "1.004222"]
    assert said.text.index("135.000") < said.text.index("Công an xã")


async def test_an_aspect_without_a_topic_is_kept_until_the_topic_is_named(conversation) -> None:
    said = await conversation.say("lệ phí bao nhiêu vậy", "ask_fee")
    assert said.route == "clarify"
    said = await conversation.say("cấp lại bằng lái", "inform")
    assert (said.route, said.turn["aspect"]) == ("answer", "fee")
    assert said.turn["procedures"][0]["code"] == "3.000348"


async def _offered(conversation) -> None:
    """Bring the conversation to where three procedures are offered after a question for the fee."""
    conversation.slots |= {
        "candidates": [
            {"code": "1.001193", "title": "khai sinh lần đầu"},
            {"code": "1.004884", "title": "đăng ký lại khai sinh"},
            {"code": "2.000528", "title": "khai sinh có yếu tố nước ngoài"},
        ],
        "pending_aspects": ["documents"],
    }


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("2", "choose_option"),
        ("số hai", "inform"),
        ("2", "unclear"),
        ("đăng ký lại", "report_none"),
        ("cái thứ hai", "out_of_scope"),
        ('/choose_option{"option": "2"}', "choose_option"),
    ],
)
async def test_a_choice_answers_what_was_asked_before(conversation, text: str, intent: str) -> None:
    await _offered(conversation)
    said = await conversation.say(text, intent)
    assert (said.route, said.turn["aspect"]) == ("answer", "documents")
    assert said.turn["procedures"][0]["code"] == "1.004884"
    assert conversation.slots["candidates"] == []
    assert conversation.slots["procedure_code"] == "1.004884"


@pytest.mark.parametrize("text", ["không phải các mục này", '/choose_option{"option": "none"}'])
async def test_none_of_the_choices_goes_to_a_person(conversation, text: str) -> None:
    await _offered(conversation)
    said = await conversation.say(text, "choose_option")
    assert said.route == "handoff"
    assert said.turn["handoff"]["code"] == "none_of_the_choices"


async def test_a_new_question_at_a_choice_is_a_new_question(conversation) -> None:
    await _offered(conversation)
    said = await conversation.say("cấp lại bằng lái phí bao nhiêu", "ask_fee")
    assert said.turn["procedures"][0]["code"] == "3.000348"


async def test_what_is_not_known_is_said_and_handed_over(conversation) -> None:
    said = await conversation.say("cấp phép nuôi cá sấu xuất khẩu phải nộp gì", "ask_documents")
    assert said.route == "handoff"
    assert "không dám trả lời bừa" in said.text
    said = await conversation.say("khai sinh có yếu tố nước ngoài lệ phí bao nhiêu", "ask_fee")
    assert said.route == "handoff"
    assert said.turn["handoff"]["code"] == "aspect_unknown"
    assert said.turn["procedures"][0]["code"] == "2.000528"


async def test_an_article_answers_a_question_that_is_no_procedure(conversation) -> None:
    said = await conversation.say("bộ phận một cửa làm việc mấy giờ", "ask_information")
    assert said.route == "answer"
    assert said.turn["article"] == "gio-lam-viec-mot-cua"


async def test_information_that_is_not_there_goes_to_a_person(conversation) -> None:
    said = await conversation.say("lịch cắt điện ngày mai ở phường Pleiku", "ask_information")
    assert said.route == "handoff"


@pytest.mark.parametrize("text", ["uk", "1", "không", "ờ"])
async def test_a_fragment_without_context_is_unclear(conversation, text: str) -> None:
    said = await conversation.say(text, "inform")
    assert said.route == "unclear"


async def test_the_first_one_where_nothing_was_offered_keeps_the_procedure(conversation) -> None:
    await conversation.say("mất bằng lái làm lại ở đâu", "ask_place")
    said = await conversation.say("cái đầu tiên", "choose_option")
    assert said.route == "answer"
    assert said.turn["procedures"][0]["code"] == "3.000348"


@pytest.mark.parametrize("intent", ["affirm", "unclear", "inform"])
async def test_a_person_asked_for_in_words_is_never_unclear(conversation, intent: str) -> None:
    assert (await conversation.say("ừ, gặp người trực đi", intent)).route == "handoff"


async def test_twice_not_understood_goes_to_a_person(conversation) -> None:
    said = await conversation.say("asdkjh", "unclear")
    assert said.route == "unclear"
    assert "ví dụ" in said.text
    said = await conversation.say("qwe zxc", "unclear")
    assert said.route == "handoff"
    assert said.turn["handoff"]["code"] == "not_understood"


async def test_something_understood_in_between_counts_from_the_start(conversation) -> None:
    await conversation.say("asdkjh", "unclear")
    await conversation.say("cảm ơn em", "thank")
    assert (await conversation.say("qwe", "unclear")).route == "unclear"


async def test_a_yes_to_an_offered_person_hands_over(conversation) -> None:
    said = await conversation.say("đồ ngu", "insult")
    assert said.route == "out_of_scope"
    said = await conversation.say("ừ cho gặp đi", "affirm")
    assert said.route == "handoff"


async def test_the_whole_text_on_demand(conversation) -> None:
    await conversation.say("làm khai sinh cho con cần giấy tờ gì", "ask_documents")
    said = await conversation.tap("/show_full")
    assert said.route == "answer"
    assert "Tờ khai đăng ký khai sinh" in said.text


@pytest.mark.parametrize("intent", ["greet", "thank", "goodbye", "ask_bot", "ask_capabilities", "small_talk"])
async def test_small_talk_is_short_and_starts_nothing(conversation, intent: str) -> None:
    said = await conversation.say("…", intent)
    assert said.route == "smalltalk"
    assert said.turn["handoff"] is None
    assert not conversation.active


async def test_after_an_emergency_the_answer_is_calm(conversation) -> None:
    for intent in ("small_talk", "inform", "affirm", "unclear"):
        said = await conversation.say("tôi báo rồi, công an đang trên đường", intent, after_emergency="114")
        assert said.route == "smalltalk"
        assert "an toàn" in said.text


async def test_letters_are_sent_where_they_belong(conversation, services: Services) -> None:
    said = await conversation.say("tôi muốn gửi đơn khiếu nại", "complaint_letter")
    assert said.route == "redirect_complaint"
    assert "Ban Tiếp công dân" in said.text
    office = Office(reception_address="một địa chỉ đã kiểm tra", reception_hours="ngày làm việc")
    known = type(conversation)(ActionServer(Services(**{**vars(services), "office": office})))
    said = await known.say("tôi muốn gửi đơn khiếu nại", "complaint_letter")
    assert "một địa chỉ đã kiểm tra" in said.text


async def test_an_emergency_the_classifier_sees_gets_its_number_first(conversation) -> None:
    said = await conversation.say("có người nằm bất tỉnh nè", "emergency_115", 0.9)
    assert said.route == "redirect_115"
    assert "115" in said.text.splitlines()[0]
    said = await conversation.say("có người nằm đó", "emergency_115", 0.4)
    assert said.route == "redirect_115"
    assert "115" in said.text.splitlines()[0]
    assert "Nếu không phải việc khẩn cấp" in said.text


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(2026, 11, 20, 3, 0, tzinfo=UTC), "chưa ước được"),
        (datetime(2026, 11, 20, 5, 0, tzinfo=UTC), "13:00 hôm nay"),
        (datetime(2026, 11, 20, 10, 0, tzinfo=UTC), "07:00 23/11"),
    ],
)
async def test_outside_hours_it_is_said_when(
    conversation, services: Services, clock, instant, expected
) -> None:
    clock.instant = instant
    office = Office(hours=DeskHours(always_open=False))
    desk = type(conversation)(ActionServer(Services(**{**vars(services), "office": office})))
    said = await desk.say("cho gặp người thật", "ask_human")
    assert expected in said.text
    assert said.turn["handoff"] == {"reason": "Người dân xin gặp người trực", "code": "asked_for"}
    assert said.buttons["Hỏi trợ lý tiếp"] == "/return_to_bot"


async def test_a_ticket_is_found_by_its_code_and_never_by_a_foreign_phone(
    conversation, other_conversation
) -> None:
    await conversation.say(
        "cống nghẹt ở đường Lê Lai phường Pleiku, tôi tên Bình, 0905123456, địa chỉ 4 Hai Bà Trưng",
        "report_problem",
    )
    code = (await conversation.say("đồng ý", "affirm")).turn["ticket"]
    said = await conversation.say("phản ánh của tôi tới đâu rồi", "ticket_status")
    assert code in said.text
    said = await other_conversation.say(f"còn cái {code.lower()} thì sao", "ticket_status")
    assert (said.route, said.turn["ticket"]) == ("ticket_status", code)
    assert "Bình" not in said.text
    said = await other_conversation.say("xem phản ánh theo số 0905123456", "ticket_status")
    assert code not in said.text
    assert "mã phản ánh" in said.text
    said = await other_conversation.say("GL-2026-999999", "inform")
    assert said.route == "ticket_status"
    assert "không tìm thấy" in said.text


async def test_a_dossier_is_asked_for_its_code_then_told(conversation) -> None:
    said = await conversation.say(
        "giấy tờ tôi nộp ở xã đang tới bước nào, mà quá hẹn thì kêu ai", "dossier_status"
    )
    assert said.route == "dossier_status"
    assert "giấy hẹn" in said.text
    assert "/report_conduct" in said.buttons["Phản ánh trễ hẹn"]
    said = await conversation.say("đây, H21.22.08-261110-0007", "inform")
    assert said.route == "dossier_status"
    assert "đang được xử lý" in said.text
    assert "16/11/2026" in said.text
    assert "H21.22.08-261110-0007" in said.buttons["Phản ánh trễ hẹn"]


async def test_a_silent_one_stop_system_is_said_with_the_way_to_look_it_up(conversation, dossiers) -> None:
    dossiers.is_down = True
    said = await conversation.say("hồ sơ H21.22.08-261110-0007 xong chưa", "dossier_status")
    assert said.route == "dossier_status"
    assert "dichvucong.gov.vn" in said.text


async def test_a_call_that_is_none_is_rejected(services: Services) -> None:
    server = ActionServer(services)
    for body in (
        {},
        {"next_action": "action_answer"},
        {"next_action": "", "tracker": {"sender_id": "x"}},
        {"tracker": 1},
    ):
        with pytest.raises(ActionRejected):
            await server.run(body)
    with pytest.raises(ActionUnknown):
        await server.run({"next_action": "action_evil", "tracker": {"sender_id": "x"}})
