"""The report form: everything at once or bit by bit, corrections, questions in between, refusals, stops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.report_draft import Draft
from actions.server import ActionServer
from tickets.service import TicketService

FULL = (
    "Tôi tên Hồ Thị Sen, sđt 0914 222 333, nhà số 9 thôn Phú Mỹ xã Phù Cát, "
    "phản ánh lò gạch sát bên nhả khói đen cả ngày"
)


def draft_of(conversation: Any) -> Draft:
    draft = Draft.from_slot(conversation.slots["report_draft"])
    assert draft is not None
    return draft


async def test_everything_in_one_message_leads_straight_to_the_summary(conversation, tickets) -> None:
    said = await conversation.say(FULL, "report_problem")
    assert said.route == "ticket"
    for value in ("Hồ Thị Sen", "0914222333", "số 9 thôn Phú Mỹ xã Phù Cát", "lò gạch"):
        assert value in said.text
    assert "Đồng ý, gửi phản ánh" in said.buttons
    sent = await conversation.say("phải rồi, gửi giúp tôi", "affirm")
    ticket = await tickets.find(sent.turn["ticket"])
    assert ticket is not None
    assert ticket.code in sent.text
    assert (ticket.name, ticket.phone) == ("Hồ Thị Sen", "0914222333")
    assert "lò gạch sát bên nhả khói đen" in ticket.content
    assert ticket.place_unit == "Xã Phù Cát"
    assert conversation.slots["report_draft"] is None
    assert conversation.slots["report_name"] is None


async def test_bit_by_bit_each_thing_is_asked_once(conversation, tickets) -> None:
    first = await conversation.say("cho tôi gửi phản ánh", "report_problem")
    assert "kể giúp em" in first.text
    await conversation.say("đèn đường hư cả tuần nay", "report_problem")
    assert conversation.slots["requested_slot"] == "report_place"
    await conversation.say("trước số 12 Trần Phú, phường Pleiku", "inform")
    await conversation.say("nguyễn văn bình", "inform")
    assert draft_of(conversation).name == "Nguyễn Văn Bình"
    await conversation.say("0905 123 456", "inform")
    summary = await conversation.say("như trên", "inform")
    assert "Địa chỉ: trước số 12 Trần Phú, phường Pleiku" in summary.text
    sent = await conversation.say("đồng ý", "affirm")
    ticket = await tickets.find(sent.turn["ticket"])
    assert ticket is not None
    assert (ticket.name, ticket.phone) == ("Nguyễn Văn Bình", "0905123456")


async def test_unmarked_text_is_taken_as_well(conversation) -> None:
    await conversation.say("den duong hong truoc so 12 tran phu phuong pleiku", "report_problem")
    draft = draft_of(conversation)
    assert draft.place == "truoc so 12 tran phu phuong pleiku"
    said = await conversation.say("toi la nguyen van binh, sdt 0905123456, o 5 le loi", "inform")
    draft = draft_of(conversation)
    assert (draft.name, draft.phone, draft.address) == ("Nguyen Van Binh", "0905123456", "5 le loi")
    assert "Nguyen Van Binh" in said.text


async def test_values_for_other_fields_than_the_one_asked_are_taken(conversation) -> None:
    await conversation.say("rác đổ bừa bãi bốc mùi cả xóm", "report_problem")
    assert conversation.slots["requested_slot"] == "report_place"
    await conversation.say("0977 888 999", "inform")
    assert draft_of(conversation).phone == "0977888999"
    assert conversation.slots["requested_slot"] == "report_place"
    await conversation.say("mình tên Khánh", "inform")
    assert draft_of(conversation).name == "Khánh"
    await conversation.say("thôn Đại Chí, xã Tuy Phước", "inform")
    assert draft_of(conversation).place == "thôn Đại Chí, xã Tuy Phước"
    assert conversation.slots["requested_slot"] == "report_address"


async def test_a_wrong_phone_number_is_refused_with_the_reason_and_a_spelled_one_repaired(
    conversation,
) -> None:
    await conversation.say("dây cáp rớt xuống, đường Lý Thái Tổ, Pleiku", "report_problem")
    await conversation.say("mình tên Khánh", "inform")
    said = await conversation.say("091422233", "inform")
    assert "thiếu chữ số" in said.text
    assert draft_of(conversation).phone is None
    await conversation.say("o914 222 333", "inform")
    assert draft_of(conversation).phone == "0914222333"
    said = await conversation.say("như trên", "inform")
    assert "Địa chỉ: đường Lý Thái Tổ, Pleiku" in said.text


async def test_corrections_before_sending(conversation, tickets) -> None:
    await conversation.say(
        "cống nghẹt ở đường Lê Lai phường Pleiku, tôi tên Bình, 0905123456, địa chỉ 4 Hai Bà Trưng",
        "report_problem",
    )
    said = await conversation.say("sai rồi, đường Lê Lợi chứ không phải Lê Lai", "correct")
    draft = draft_of(conversation)
    assert draft.place is not None
    assert "Lê Lợi" in draft.place
    assert "Lê Lai" not in f"{draft.place} {draft.content}"
    assert "nơi xảy ra" in said.text
    await conversation.say("đổi số điện thoại thành 0914222333", "correct")
    assert draft_of(conversation).phone == "0914222333"
    await conversation.say("sửa tên thành Trần Văn Bính", "correct")
    assert draft_of(conversation).name == "Trần Văn Bính"
    said = await conversation.say("địa chỉ là 8 Nguyễn Huệ mới đúng", "correct")
    assert draft_of(conversation).address == "8 Nguyễn Huệ"
    sent = await conversation.say("ok gửi giúp em", "affirm")
    ticket = await tickets.find(sent.turn["ticket"])
    assert ticket is not None
    assert (ticket.name, ticket.phone, ticket.address) == ("Trần Văn Bính", "0914222333", "8 Nguyễn Huệ")


async def test_no_to_the_summary_asks_what_is_wrong(conversation) -> None:
    await conversation.say(FULL, "report_problem")
    said = await conversation.say("chưa đúng", "deny")
    assert "chỗ nào chưa đúng" in said.text
    assert conversation.active


async def test_a_question_in_between_is_answered_and_the_form_goes_on(conversation) -> None:
    await conversation.say("đèn đường hư trước chợ Phù Mỹ", "report_problem")
    asked = conversation.slots["requested_slot"]
    said = await conversation.say("à mà làm giấy kết hôn cần giấy tờ gì?", "ask_documents")
    assert said.route == "answer"
    assert said.turn["procedures"][0]["code"] == "1.000894"
    assert "Tờ khai đăng ký kết hôn" in said.text
    assert "ghi tiếp phản ánh" in said.text
    assert conversation.slots["requested_slot"] == asked
    assert conversation.active


@pytest.mark.parametrize("words", ["thôi", "thôi không gửi nữa", "hủy", "thôi khỏi phản ánh nữa", "dừng lại"])
async def test_stopping_keeps_nothing(conversation, tickets, words: str) -> None:
    await conversation.say("đèn đường hư trước số 12 Trần Phú", "report_problem")
    said = await conversation.say(words, "cancel")
    assert said.route == "ticket"
    assert said.turn["ticket"] is None
    assert "không được lưu" in said.text
    assert not conversation.active
    assert conversation.slots["report_draft"] is None
    assert await tickets.of_conversation(conversation.id) == []


async def test_refusing_data_is_explained_once_then_a_person_is_offered(conversation) -> None:
    await conversation.say("quán nhậu mở loa tới khuya ở số 5 đường Nguyễn Huệ", "report_problem")
    said = await conversation.say("số điện thoại thì tôi không muốn đưa", "refuse_personal_data")
    assert "giữ kín" in said.text
    said = await conversation.say("họ tên cũng đừng ghi, tôi ngại bị trả thù", "refuse_personal_data")
    assert said.route == "ticket"
    assert "0269.1022" in said.text
    assert said.buttons["Gặp người trực"] == "/ask_human"
    assert "quán nhậu" in (draft_of(conversation).content or "")
    said = await conversation.say("thế thì chuyển luôn đi", "affirm")
    assert said.route == "handoff"
    assert said.turn["handoff"]["reason"]
    assert not conversation.active
    assert "quán nhậu" in (draft_of(conversation).content or "")


async def test_after_a_refusal_the_data_may_still_be_given(conversation) -> None:
    await conversation.say("quán nhậu mở loa tới khuya ở số 5 đường Nguyễn Huệ", "report_problem")
    await conversation.say("không muốn để lại số điện thoại", "refuse_personal_data")
    await conversation.say("ngại lắm, ẩn danh được không", "refuse_personal_data")
    said = await conversation.say("thôi được, tôi tên Lan, 0905123456, địa chỉ như trên", "inform")
    assert said.route == "ticket"
    assert conversation.active
    draft = draft_of(conversation)
    assert (draft.name, draft.phone) == ("Lan", "0905123456")


async def test_the_draft_survives_an_emergency(conversation) -> None:
    await conversation.say("người ta hay đốt rơm, khói mù cả xóm", "report_problem")
    await conversation.say("thôn Đại Chí, xã Tuy Phước", "inform")
    said = await conversation.say("tôi báo rồi, công an đang trên đường", "small_talk", after_emergency="114")
    assert said.route == "ticket"
    assert "em vẫn giữ" in said.text
    said = await conversation.say("ghi tiếp phản ánh đi, tôi tên là Quý", "report_problem")
    draft = draft_of(conversation)
    assert (draft.name, draft.place) == ("Quý", "thôn Đại Chí, xã Tuy Phước")
    assert draft.content == "người ta hay đốt rơm, khói mù cả xóm"


async def test_a_second_report_is_new_and_reuses_the_contact_after_saying_so(conversation, tickets) -> None:
    await conversation.say("khen cô Hạnh tiếp dân ở phường Bồng Sơn nhiệt tình, làm nhanh", "give_praise")
    await conversation.say("họ tên Vinh, 0914-555-666, tổ dân phố 5", "inform")
    first = await conversation.say("đồng ý", "affirm")
    assert "lời khen" in first.text
    await conversation.say("còn một việc nữa, lòng đường bị chiếm bán hàng", "report_problem")
    draft = draft_of(conversation)
    assert draft.content is not None
    assert "Hạnh" not in draft.content
    said = await conversation.say("khúc gần cầu Bà Di, đường Quang Trung, liên hệ như lần trước", "inform")
    assert "dùng lại thông tin liên hệ" in said.text
    second = await conversation.say("ok gửi đi", "affirm")
    praise = await tickets.find(first.turn["ticket"])
    report = await tickets.find(second.turn["ticket"])
    assert praise is not None
    assert report is not None
    assert (praise.kind, report.kind) == ("praise", "report")
    assert praise.address == report.address == "tổ dân phố 5"
    assert report.place == "khúc gần cầu Bà Di, đường Quang Trung"


async def test_a_person_can_be_asked_for_and_the_draft_is_taken_up_again(conversation) -> None:
    await conversation.say("cây đổ chắn đường Lê Duẩn", "report_problem")
    said = await conversation.say("cho tôi gặp người thật", "ask_human")
    assert said.route == "handoff"
    assert not conversation.active
    await conversation.tap("/return_to_bot")
    said = await conversation.tap("/report_problem")
    assert conversation.active
    assert draft_of(conversation).content == "cây đổ chắn đường Lê Duẩn"


async def test_a_late_dossier_carries_its_code_into_the_report(conversation, tickets) -> None:
    said = await conversation.say("hồ sơ H21.22.08-261110-0007 trễ rồi", "dossier_status")
    await conversation.tap(said.buttons["Phản ánh trễ hẹn"])
    assert draft_of(conversation).dossier == "H21.22.08-261110-0007"
    await conversation.say("quá hẹn cả tuần mà chưa thấy trả kết quả", "inform")
    assert "quá hẹn cả tuần" in (draft_of(conversation).content or "")


async def test_nothing_is_done_twice_when_the_form_runs_again_in_the_same_turn(conversation) -> None:
    await conversation.say("cây đổ chắn đường Lê Duẩn", "report_problem")
    before = dict(conversation.slots)
    assert await conversation.run("validate_report_form") == []
    assert conversation.slots == before


async def test_a_replayed_submission_opens_one_ticket(conversation, tickets: TicketService) -> None:
    await conversation.say(FULL, "report_problem")
    agreed = dict(conversation.slots), list(conversation.events)
    first = await conversation.say("đồng ý", "affirm", message_id="same")
    conversation.slots, conversation.events = dict(agreed[0]), list(agreed[1])
    conversation.active = True
    second = await conversation.say("đồng ý", "affirm", message_id="same")
    assert first.turn["ticket"] == second.turn["ticket"]
    assert len(await tickets.of_conversation(conversation.id)) == 1


_PIECES = {
    "place": ["số 12 đường Trần Phú", "thôn Đại Chí, xã Tuy Phước", "đường Lê Duẩn, phường Pleiku"],
    "name": ["tôi tên Nguyễn Văn Nam", "mình tên Khánh", "họ tên: Võ Thị Thắm"],
    "phone": ["0905 123 456", "sđt 0914222333", "o914 222 333"],
    "address": ["địa chỉ của tôi là 4 Hai Bà Trưng", "nhà tôi ở số 9 thôn Phú Mỹ"],
}


@given(
    order=st.permutations(list(_PIECES)),
    picks=st.tuples(*(st.integers(0, 1) for _ in _PIECES)),
    intents=st.lists(
        st.sampled_from(["inform", "affirm", "unclear", "report_problem"]), min_size=4, max_size=4
    ),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_given_value_is_ever_lost(
    conversation, services, order: list[str], picks: tuple[int, ...], intents: list[str]
) -> None:
    """Whatever is given, in whatever order and however classified, is kept and never asked for again."""
    conversation = type(conversation)(ActionServer(services))
    await conversation.say("đèn hư tối om cả tuần", "report_problem")
    given_so_far: list[str] = ["content"]
    for number, name in enumerate(order):
        if name == "address" and "place" not in given_so_far:
            continue
        text = _PIECES[name][picks[number] % len(_PIECES[name])]
        await conversation.say(text, intents[number])
        given_so_far.append(name)
        draft = draft_of(conversation)
        for field in given_so_far:
            assert draft.value(field), f"{field} was lost or not taken from {text!r}"
            assert conversation.slots["requested_slot"] != f"report_{field}"


async def test_pictures_sent_during_a_report_are_kept_with_its_ticket(conversation, tickets) -> None:
    picture, page = {"id": "a" * 32, "kind": "image"}, {"id": "b" * 32, "kind": "file"}
    await conversation.say("đèn đường hỏng trước số 12 Trần Phú", "report_problem", attachments=[picture])
    said = await conversation.say("Ảnh, tệp gửi kèm", "unclear", attachments=[picture, page], typed="")
    assert "đã lưu 1 ảnh, tệp" in said.text
    assert draft_of(conversation).files == ["a" * 32, "b" * 32]
    said = await conversation.say("tôi tên Bình, 0905123456, địa chỉ 4 Hai Bà Trưng", "inform")
    assert "Ảnh, tệp gửi kèm: 2" in said.text
    sent = await conversation.say("đồng ý", "affirm")
    ticket = await tickets.find(sent.turn["ticket"])
    assert ticket is not None
    assert ticket.attachments == ("a" * 32, "b" * 32)


async def test_a_report_holds_so_many_pictures_and_says_so(conversation) -> None:
    many = [{"id": f"{number:032x}", "kind": "image"} for number in range(20)]
    await conversation.say("đèn đường hỏng trước số 12 Trần Phú", "report_problem", attachments=many)
    more = [{"id": "f" * 32, "kind": "image"}]
    said = await conversation.say("Ảnh, tệp gửi kèm", "unclear", attachments=more, typed="")
    assert "đã có đủ" in said.text
    assert len(draft_of(conversation).files) == 20


async def test_a_location_is_where_it_happens(conversation) -> None:
    await conversation.say("đèn đường hỏng cả tuần nay", "report_problem")
    where = {"latitude": 13.983, "longitude": 108.002}
    await conversation.say("Vị trí: 13.983, 108.002", "unclear", location=where)
    assert draft_of(conversation).place == "Vị trí: 13.983, 108.002"


async def test_a_location_sent_before_or_with_the_report_is_taken(conversation, other_conversation) -> None:
    where = {"latitude": 13.983, "longitude": 108.002}
    said = await conversation.say("Vị trí: 13.983, 108.002", "inform", location=where)
    assert "đã nhận được vị trí" in said.text
    await conversation.say("đèn đường hỏng cả tuần nay", "report_problem")
    assert draft_of(conversation).place == "Vị trí: 13.983, 108.002"
    assert conversation.slots["requested_slot"] == "report_name"
    await other_conversation.say("đèn đường hỏng cả tuần nay", "report_problem", location=where)
    assert draft_of(other_conversation).place == "Vị trí: 13.983, 108.002"


async def test_a_place_in_words_is_better_than_a_point(conversation) -> None:
    where = {"latitude": 13.983, "longitude": 108.002}
    await conversation.say("đèn đường hỏng trước số 12 Trần Phú", "report_problem", location=where)
    draft = draft_of(conversation)
    assert draft.place is not None
    assert "12 Trần Phú" in draft.place
    assert draft.address is None


async def test_pictures_alone_outside_a_report_ask_for_words(conversation) -> None:
    said = await conversation.say(
        "Ảnh, tệp gửi kèm", "ask_documents", attachments=[{"id": "a" * 32, "kind": "image"}], typed=""
    )
    assert "viết giúp em" in said.text
