"""One id: what is accepted as one, how it is bound, what an outbound row belongs to."""

from __future__ import annotations

import pytest

from telemetry import correlation
from telemetry.tracing import outgoing_headers


@pytest.mark.parametrize("given", ["abcdefgh", "2b1c7a50-e1d9-4f7c", "A_1" * 10])
def test_good_ids_are_taken(given: str):
    assert correlation.accepted(given) == given


@pytest.mark.parametrize(
    "given", ["", "short", "a b c d e f", "x" * 65, "<script>alert", "abcdefg\n", "мессага12"]
)
def test_others_are_not(given: str):
    assert correlation.accepted(given) is None


def test_new_ids_are_accepted_ones():
    assert correlation.accepted(correlation.new())


def test_an_id_is_bound_and_given_on_for_the_block_alone():
    assert correlation.current() is None
    with correlation.about("abcdefgh1"):
        assert correlation.current() == "abcdefgh1"
        assert outgoing_headers() == {"X-Request-ID": "abcdefgh1"}
        with correlation.about("abcdefgh2"):
            assert correlation.current() == "abcdefgh2"
        assert correlation.current() == "abcdefgh1"
    assert outgoing_headers() == {}


def test_an_answer_belongs_to_the_message_it_answers():
    head, own = "a" * 32, "b" * 32
    assert correlation.of_outbound({"id": own, "idempotency_key": f"answer:{head}"}) == head
    assert correlation.of_outbound({"id": own, "idempotency_key": f"answer:{head}:1"}) == head
    assert correlation.of_outbound({"id": own, "idempotency_key": "operator:1"}) == own
    assert correlation.of_outbound({"id": own, "idempotency_key": None}) == own
