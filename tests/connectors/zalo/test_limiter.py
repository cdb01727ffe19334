"""The rate limit: as the provider's headers tell it, without long waits."""

from __future__ import annotations

import pytest

from connectors.zalo.limiter import RateLimit, RateLimitedError


class HandTime:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def headers(limit: int, remain: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remain": str(remain)}


@pytest.fixture
def at() -> HandTime:
    return HandTime()


async def taken(limit: RateLimit, most: int) -> int:
    for count in range(most):
        try:
            await limit.acquire()
        except RateLimitedError:
            return count
    return most


async def test_nothing_left_closes_until_the_next_minute(at: HandTime):
    limit = RateLimit(4_000, at)
    limit.learn(headers(4_000, 0))
    with pytest.raises(RateLimitedError) as closed:
        await limit.acquire()
    assert closed.value.retry_after == pytest.approx(60, abs=1)
    at.seconds += 61
    await limit.acquire()


async def test_what_others_have_used_counts_too(at: HandTime):
    limit = RateLimit(60, at)
    limit.learn(headers(60, 2))
    # Two are left, and at one a second two more may be waited for.
    assert await taken(limit, 20) <= 4


async def test_a_larger_limit_is_used(at: HandTime):
    limit = RateLimit(60, at)
    assert await taken(limit, 100) < 20
    at.seconds += 60
    limit.learn(headers(6_000, 5_999))
    at.seconds += 1
    assert await taken(limit, 100) == 100


async def test_a_refusal_for_the_rate_closes_it(at: HandTime):
    limit = RateLimit(4_000, at)
    assert limit.close(30.0) == pytest.approx(30)
    with pytest.raises(RateLimitedError):
        await limit.acquire()
    at.seconds += 31
    await limit.acquire()


@pytest.mark.parametrize("value", ["", "many", "-1", "1.5"])
async def test_headers_that_say_nothing_change_nothing(at: HandTime, value: str):
    limit = RateLimit(4_000, at)
    limit.learn({"X-RateLimit-Limit": value, "X-RateLimit-Remain": value})
    limit.learn({})
    assert await taken(limit, 50) == 50
