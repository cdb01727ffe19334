"""The page's profile and the check of its connection, against the played Graph API."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.messenger import profile
from connectors.messenger.check import PERMISSIONS, SUBSCRIPTIONS, Connection, check
from connectors.messenger.client import GraphClient
from connectors.messenger.errors import GraphError
from tests.providers.messenger.server import PlayedMessenger

HTTPS = "https://1022.example"


def writes(played: PlayedMessenger) -> list[dict[str, Any]]:
    record = played.state.record
    return [entry for entry in record if entry["kind"] == "call" and entry["method"] == "POST"]


async def test_the_profile_is_set_once(client: GraphClient, played: PlayedMessenger) -> None:
    assert await profile.apply(client, HTTPS) == ["get_started", "greeting", "persistent_menu"]
    assert played.state.profile == profile.wanted(HTTPS)
    assert await profile.apply(client, HTTPS) == []
    assert len(writes(played)) == 1


async def test_what_was_changed_by_hand_is_set_again(client: GraphClient, played: PlayedMessenger) -> None:
    await profile.apply(client, HTTPS)
    played.state.profile["greeting"] = [{"locale": "default", "text": "Chào"}]
    assert await profile.apply(client, HTTPS) == ["greeting"]
    del played.state.profile["persistent_menu"], played.state.profile["get_started"]
    assert await profile.apply(client, HTTPS) == ["get_started", "persistent_menu"]


async def test_defaults_that_meta_adds_or_leaves_out_are_no_change(
    client: GraphClient, played: PlayedMessenger
) -> None:
    await profile.apply(client, HTTPS)
    menu = played.state.profile["persistent_menu"][0]
    del menu["composer_input_disabled"]
    menu["disabled_surfaces"] = []
    assert await profile.apply(client, HTTPS) == []


def test_the_texts_fit() -> None:
    wanted = profile.wanted(HTTPS)
    assert len(wanted["greeting"][0]["text"]) <= profile.LONGEST_GREETING
    actions = wanted["persistent_menu"][0]["call_to_actions"]
    assert all(len(action["title"]) <= profile.LONGEST_MENU_TITLE for action in actions)
    assert [action["type"] for action in actions] == ["postback", "postback", "postback", "web_url"]


async def test_without_https_no_page_joins_the_menu(client: GraphClient, played: PlayedMessenger) -> None:
    await profile.apply(client, "http://127.0.0.1:8022")
    actions = played.state.profile["persistent_menu"][0]["call_to_actions"]
    assert {action["type"] for action in actions} == {"postback"}


async def test_a_refusal_is_said(client: GraphClient, played: PlayedMessenger) -> None:
    played.state.faults.expire_token = True
    with pytest.raises(GraphError) as refused:
        await profile.apply(client, HTTPS)
    assert refused.value.fault.reason == "token_invalid"


async def test_a_page_that_lacks_nothing(client: GraphClient, played: PlayedMessenger) -> None:
    found = await check(client, played.options.page_token)
    assert found == Connection(page_name=played.options.page_name)
    assert found.is_complete


async def test_what_is_missing_is_named_and_can_be_subscribed(
    client: GraphClient, played: PlayedMessenger
) -> None:
    played.state.subscribed = {"messages"}
    played.options.scopes = ("pages_messaging",)
    found = await check(client, played.options.page_token)
    assert set(found.missing_subscriptions) == set(SUBSCRIPTIONS) - {"messages"}
    assert set(found.missing_permissions) == set(PERMISSIONS) - {"pages_messaging"}
    assert not found.is_complete
    await client.subscribe(SUBSCRIPTIONS)
    assert (await check(client, played.options.page_token)).missing_subscriptions == ()


async def test_a_page_that_is_not_subscribed_at_all(client: GraphClient, played: PlayedMessenger) -> None:
    played.state.subscribed = set()
    found = await check(client, played.options.page_token)
    assert found.missing_subscriptions == SUBSCRIPTIONS


async def test_a_token_that_does_not_work(client: GraphClient, played: PlayedMessenger) -> None:
    assert (await check(client, "EAAwrong")).problem == "token_invalid"
    played.state.faults.down = True
    assert (await check(client, played.options.page_token)).problem == "http_503"
