"""What the application can rely on when it hands a message to the bot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.bot.conftest import TOKEN

INTENT_ACTION = {
    "ask_overview": "action_answer",
    "ask_who": "action_answer",
    "ask_information": "action_answer",
    "choose_option": "action_choose",
    "inform": "action_choose",
    "affirm": "action_choose",
    "deny": "action_choose",
    "correct": "action_choose",
    "show_full": "action_show_full",
    "complaint_letter": "action_redirect_complaint",
    "emergency_113": "action_redirect_emergency",
    "emergency_114": "action_redirect_emergency",
    "emergency_115": "action_redirect_emergency",
    "ask_human": "action_hand_over",
    "return_to_bot": "action_return_to_bot",
    "ticket_status": "action_ticket_status",
    "dossier_status": "action_dossier_status",
    "greet": "action_small_talk",
    "ask_capabilities": "action_small_talk",
    "small_talk": "action_small_talk",
    "out_of_scope": "action_out_of_scope",
    "insult": "action_out_of_scope",
    "unclear": "action_unclear",
    "cancel": "action_unclear",
    "refuse_personal_data": "action_unclear",
}


def texts(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [message["text"] for message in answer.json()["messages"]]


def test_a_message_gets_one_whole_answer(bot, actions, conversation):
    answer = bot.say(conversation, "lệ phí bao nhiêu vậy", message_id="m1")

    body = answer.json()
    assert answer.status_code == 200
    assert body["message_id"] == "m1"
    assert body["replayed"] is False
    assert body["intent"]["name"] == "ask_fee"
    assert 0 < body["intent"]["confidence"] <= 1
    assert len(body["ranking"]) == 5
    assert body["ranking"][0] == body["intent"]
    assert body["messages"] == [
        {
            "text": "action_answer\n\nsecond paragraph",
            "buttons": [{"title": "Lệ phí", "payload": "/ask_fee"}],
            "turn": {"route": "answer", "aspect": "fee"},
        }
    ]


def test_actions_see_the_metadata_and_the_text_as_typed(bot, actions, conversation):
    bot.say(conversation, "  Lệ phí bao nhiêu  ", message_id="m7")

    [call] = actions.calls
    user = [event for event in call["tracker"]["events"] if event["event"] == "user"][-1]
    said = {
        "text": "  Lệ phí bao nhiêu  ",
        "conversation_id": conversation,
        "channel": "test",
        "message_id": "m7",
    }
    assert said.items() <= user["metadata"].items()
    assert "token=" in call["path"]


@pytest.mark.parametrize(("intent", "action"), INTENT_ACTION.items())
def test_each_intent_has_its_action(bot, actions, conversation, intent, action):
    assert texts(bot.say(conversation, f"/{intent}", postback=True)) == [f"{action}\n\nsecond paragraph"]
    assert actions.names == [action]


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("phản ánh GL-2026-000123 tới đâu rồi", "ticket_code", "GL-2026-000123"),
        ("ho so h21.20.15-261012-0057 sao roi", "dossier_code", "h21.20.15-261012-0057"),
        ("gọi tôi số 0905 123 456 nhé", "phone", "0905 123 456"),
    ],
)
def test_codes_and_phone_numbers_are_found_where_they_stand(bot, conversation, text, entity, value):
    [found] = [e for e in bot.say(conversation, text).json()["entities"] if e["entity"] == entity]
    assert found["value"] == value
    assert text[found["start"] : found["end"]] == value


def test_the_same_message_again_is_answered_from_the_tracker(bot, actions, conversation):
    first = bot.say(conversation, "lệ phí bao nhiêu", message_id="a").json()
    bot.say(conversation, "cảm ơn em nhiều", message_id="b")
    calls = len(actions.calls)

    again = bot.say(conversation, "lệ phí bao nhiêu", message_id="a").json()

    assert again == {**first, "replayed": True}
    assert len(actions.calls) == calls


def test_the_same_message_twice_at_once_runs_once(bot, actions, conversation):
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(bot.say, conversation, "cần giấy tờ gì", message_id="x") for _ in range(4)]
    answers = [t.result().json() for t in tries]

    assert len(actions.calls) == 1
    assert sorted(a["replayed"] for a in answers) == [False, True, True, True]
    assert len({str(a["messages"]) for a in answers}) == 1


def test_the_same_message_id_in_another_conversation_is_another_message(bot, actions, conversation):
    bot.say(conversation, "xin chào", message_id="1")
    assert bot.say(conversation + "b", "xin chào", message_id="1").json()["replayed"] is False


@pytest.mark.parametrize(
    ("mode", "status", "error"),
    [
        ("fail", 500, "failed"),
        ("reject", 500, "failed"),
        ("garbage", 500, "failed"),
        ("silent", 500, "failed"),
        ("hang", 503, "unavailable"),
    ],
)
def test_a_failing_action_is_an_error_and_a_retry_works(bot, actions, conversation, mode, status, error):
    bot.say(conversation, "xin chào", message_id="before")
    actions.mode = mode

    failed = bot.say(conversation, "lệ phí bao nhiêu", message_id="m")

    assert failed.status_code == status
    assert failed.json()["error"] == error
    assert "secret" not in failed.text
    assert failed.json()["id"] in bot.log.read_text()

    actions.mode = "ok"
    actions.release.set()
    retried = bot.say(conversation, "lệ phí bao nhiêu", message_id="m").json()
    assert retried["replayed"] is False
    assert [message["text"] for message in retried["messages"]] == ["action_answer\n\nsecond paragraph"]
    told = [e for e in actions.calls[-1]["tracker"]["events"] if e["event"] == "user"]
    assert [event["metadata"]["message_id"] for event in told] == ["before", "m"]


def test_an_action_server_that_is_away_is_an_error_and_comes_back(bot, actions, conversation):
    actions.stop()
    away = bot.say(conversation, "lệ phí bao nhiêu", message_id="m")
    actions.start()

    assert (away.status_code, away.json()["error"]) == (503, "unavailable")
    assert texts(bot.say(conversation, "lệ phí bao nhiêu", message_id="m"))


def test_without_redis_nothing_is_answered_and_nothing_forgotten(bot, actions, conversation, redis_server):
    bot.say(conversation, "xin chào", message_id="first")
    redis_server.stop()
    try:
        away = bot.say(conversation, "lệ phí bao nhiêu", message_id="second")
        health = requests.get(f"{bot.url}/health", timeout=10)
    finally:
        redis_server.start()

    assert (away.status_code, away.json()["error"]) == (503, "unavailable")
    assert (health.status_code, health.json()["tracker_store"]) == (503, False)
    assert bot.say(conversation, "lệ phí bao nhiêu", message_id="second").json()["replayed"] is False
    assert bot.say(conversation, "xin chào", message_id="first").json()["replayed"] is True


def test_a_slow_turn_blocks_no_other_conversation(bot, actions, conversation):
    actions.mode = "hang"
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(bot.say, conversation, "lệ phí bao nhiêu")
        while not actions.calls:
            assert not slow.done()
        actions.mode = "ok"
        assert texts(bot.say(conversation + "b", "xin chào"))
        assert not slow.done()
        actions.release.set()
        assert texts(slow.result())


def test_a_typed_slash_is_no_command(bot, actions, conversation):
    for text in ("/ask_human", "/restart", " /ask_fee", '/ask_fee{"procedure_code": "1.000001"}', "//", "/"):
        assert bot.say(conversation, text).status_code == 200
        latest = [e for e in actions.calls[-1]["tracker"]["events"] if e["event"] == "user"][-1]
        assert latest["metadata"]["text"] == text
        assert latest["parse_data"]["intent"]["confidence"] < 1
        assert actions.calls[-1]["tracker"]["slots"]["procedure_code"] is None


def test_a_button_carries_values(bot, actions, conversation):
    answer = bot.say(
        conversation, '/choose_option{"procedure_code": "1.001193", "option": "2"}', postback=True
    )

    assert texts(answer) == ["action_choose\n\nsecond paragraph"]
    assert answer.json()["intent"] == {"name": "choose_option", "confidence": 1.0}
    assert actions.calls[-1]["tracker"]["slots"]["procedure_code"] == "1.001193"


def test_the_report_form_takes_every_message_to_its_end(bot, actions, conversation):
    assert texts(bot.say(conversation, "đèn đường bị hỏng")) == ["? report_place"]
    assert texts(bot.say(conversation, "trước số 12 Trần Phú")) == ["? report_name"]
    # A question in between, a greeting, a request for a person: all stay in the form.
    assert texts(bot.say(conversation, "lệ phí bao nhiêu?")) == ["answered in between", "? report_name"]
    assert texts(bot.say(conversation, "/ask_human", postback=True)) == ["? report_phone"]
    assert texts(bot.say(conversation, "0905123456")) == ["? report_address"]
    assert texts(bot.say(conversation, "xin chào")) == ["? report_consent"]
    assert texts(bot.say(conversation, "đồng ý")) == ["? report_confirmed"]
    assert texts(bot.say(conversation, "đúng rồi")) == ["sent"]
    assert texts(bot.say(conversation, "lệ phí bao nhiêu")) == ["action_answer\n\nsecond paragraph"]
    assert texts(bot.say(conversation, "ổ gà to trước cổng chợ")) == ["? report_place"]


def test_a_cancelled_report_ends_at_once(bot, actions, conversation):
    bot.say(conversation, "đèn đường bị hỏng")
    assert texts(bot.say(conversation, "thôi")) == ["cancelled"]
    assert texts(bot.say(conversation, "xin chào")) == ["action_small_talk\n\nsecond paragraph"]


def test_a_form_turn_that_failed_is_tried_again_where_it_was(bot, actions, conversation):
    bot.say(conversation, "đèn đường bị hỏng")
    actions.mode = "fail"
    assert bot.say(conversation, "trước số 12 Trần Phú", message_id="p").status_code == 500
    actions.mode = "ok"
    assert texts(bot.say(conversation, "trước số 12 Trần Phú", message_id="p")) == ["? report_name"]


def good(**changes):
    return {"conversation": "c-1", "message_id": "m-1", "text": "xin chào", **changes}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"conversation": "c", "message_id": "m", "text": "\\ud800"}',
        good(conversation=""),
        good(conversation=None),
        good(conversation="x" * 129),
        good(conversation="a\nb"),
        good(message_id=7),
        {"conversation": "c", "text": "x"},
        good(text=""),
        good(text=" \n "),
        good(text=["x"]),
        good(text="a" * 8001),
        good(postback="yes"),
        good(metadata=[]),
        good(postback=True),
        good(postback=True, text="/no_such_intent"),
        good(postback=True, text="/restart"),
        good(postback=True, text="/ask_fee{"),
        good(postback=True, text="/ask_fee{not json}"),
        good(postback=True, text='/ask_fee{"a": {"b": 1}}'),
        good(postback=True, text="/ask_fee@0.5"),
    ],
)
def test_what_is_not_a_message_is_refused(bot, actions, body):
    answer = bot.post(body)

    assert answer.status_code == 400
    assert answer.json()["error"] == "bad_request"
    assert answer.json()["detail"]
    assert actions.calls == []


def test_a_huge_body_is_refused(bot, actions):
    assert bot.post(b"x" * 200_000).status_code == 413
    assert actions.calls == []


@pytest.mark.parametrize("token", ["", "wrong", "test-token-of-the-gatewa", "đ"])
def test_without_the_token_nothing_is_read(bot, actions, token):
    answer = bot.post(good(), token=token.encode().decode("latin-1"))
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert actions.calls == []


@pytest.mark.parametrize(
    "text", ["😀", "???", "\u200b\u200b", "ha" * 3000, "\x00", "1" * 500, "a\u0301" * 200, "؟ سلام"]
)
def test_any_text_gets_an_answer(bot, conversation, text):
    answer = bot.say(conversation, text)
    assert answer.status_code == 200
    assert answer.json()["messages"]


def test_health_says_what_is_loaded(bot):
    answer = requests.get(f"{bot.url}/health", timeout=10)
    assert answer.status_code == 200
    assert answer.json()["model_loaded"] is True
    assert answer.json()["model_id"]


def test_it_listens_on_the_loopback_only_and_has_no_rasa_api(bot):
    root = bot.url.removesuffix("/webhooks/gateway")
    for path in ("/model/parse", "/webhooks/rest/webhook", "/conversations/x/tracker", "/status"):
        assert requests.post(root + path, json={}, timeout=10).status_code == 404


def test_the_caller_s_id_and_trace_go_to_the_actions_and_into_the_log(bot, actions, conversation):
    import uuid

    message_id = uuid.uuid4().hex
    trace = f"00-{message_id}-{message_id[:16]}-01"
    body = {"conversation": conversation, "message_id": message_id, "text": "lệ phí bao nhiêu vậy"}
    sent = {"Authorization": f"Bearer {TOKEN}", "X-Request-ID": message_id, "traceparent": trace}
    assert requests.post(f"{bot.url}/messages", json=body, headers=sent, timeout=30).status_code == 200
    assert actions.calls[-1]["headers"]["X-Request-ID"] == message_id
    assert actions.calls[-1]["headers"]["traceparent"] == trace
    lines = [line for line in bot.log.read_text().splitlines() if message_id in line]
    assert any("turn answered" in line for line in lines)


def test_a_hostile_id_is_not_taken(bot, actions, conversation):
    body = {"conversation": conversation, "message_id": "m1", "text": "lệ phí bao nhiêu vậy"}
    sent = {
        "Authorization": f"Bearer {TOKEN}",
        "X-Request-ID": "<script>alert(1)</script>",
        "traceparent": "x",
    }
    assert requests.post(f"{bot.url}/messages", json=body, headers=sent, timeout=30).status_code == 200
    assert "<" not in actions.calls[-1]["headers"]["X-Request-ID"]
    assert "traceparent" not in actions.calls[-1]["headers"]
    assert "<script>" not in bot.log.read_text()


def test_a_turn_that_fails_is_in_the_log_without_what_was_said(bot, actions, conversation):
    actions.mode = "fail"
    answer = bot.say(conversation, "tên em là Trần Thị Kín Đáo, cccd 052099001234, lệ phí bao nhiêu")
    assert answer.status_code == 500
    log = bot.log.read_text()
    assert answer.json()["id"] in log
    assert "ActionServerFailedError" in log
    for secret in ("Kín Đáo", "052099001234", "a secret of the action server", TOKEN):
        assert secret not in log


def test_people_s_words_are_not_in_the_log(bot, conversation):
    bot.say(conversation, "tên tôi là Lê Thị Bí Mật, số 0905999888")
    log = bot.log.read_text()
    assert "Bí Mật" not in log
    assert "0905999888" not in log
    assert "ready after" in log
