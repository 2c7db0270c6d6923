"""Stores of keys and values, and what is kept between turns."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.kv_cache import GROW, CacheShape, SequenceCache, SessionCaches, common_prefix

SHAPE = CacheShape(2, 1, 4, torch.float32, torch.device("cpu"))


def filled(num_tokens: int) -> SequenceCache:
    cache = SequenceCache(SHAPE, num_tokens)
    cache.keys.copy_(torch.arange(num_tokens)[None, None, :, None].expand_as(cache.keys))
    cache.values.copy_(-cache.keys)
    return cache


def test_growing_and_shrinking_keep_what_is_there() -> None:
    cache = filled(10)
    cache.reserve(11)
    assert cache.capacity >= 10 + GROW
    cache.shrink(10)
    assert cache.capacity == 10
    assert torch.equal(cache.keys, filled(10).keys)
    assert torch.equal(cache.values, filled(10).values)


def test_a_fork_is_independent() -> None:
    cache = filled(10)
    fork = cache.fork(5)
    fork.keys[:, :, :5] = 99
    assert torch.equal(cache.keys, filled(10).keys)


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_the_common_prefix_is_the_longest(left: list[int], right: list[int]) -> None:
    n = common_prefix(left, right)
    assert left[:n] == right[:n]
    assert n == min(len(left), len(right)) or left[n] != right[n]


def test_a_session_gets_back_what_its_prompt_shares() -> None:
    kept = SessionCaches(1 << 20)
    cache = filled(6)
    kept.put("a", "du_fu", [1, 2, 3, 4, 5, 6], cache)
    assert kept.take("a", "du_fu", [1, 2, 3, 9, 9]) == (cache, 3)
    assert kept.take("a", "du_fu", [1, 2, 3]) is None, "it was handed out"


def test_a_cache_serves_only_the_session_and_adapter_that_wrote_it() -> None:
    kept = SessionCaches(1 << 20)
    kept.put("a", "du_fu", [1, 2, 3], filled(3))
    assert kept.take("a", "su_shi", [1, 2, 3]) is None
    assert kept.take("a", None, [1, 2, 3]) is None
    assert kept.take("b", "du_fu", [1, 2, 3]) is None
    assert kept.take(None, "du_fu", [1, 2, 3]) is None
    assert kept.take("a", "du_fu", [1, 2, 3]) is not None


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    kept = SessionCaches(1 << 20)
    kept.put("a", None, [1, 2, 3, 4], filled(4))
    taken = kept.take("a", None, [1, 2, 3, 4])
    assert taken is not None
    assert taken[1] == 3


def test_past_the_budget_the_least_recently_used_goes_first() -> None:
    kept = SessionCaches(25 * SHAPE.bytes_per_token)
    for session in "abc":
        kept.put(session, None, [*range(10)], filled(10))
    assert len(kept) == 2
    assert kept.num_bytes <= kept.budget_bytes
    assert kept.take("a", None, [*range(10)]) is None
    assert kept.take("c", None, [*range(10)]) is not None


def test_forgetting_a_session_or_an_adapter_leaves_the_others() -> None:
    kept = SessionCaches(1 << 20)
    for session in "ab":
        for adapter in ("du_fu", None):
            kept.put(session, adapter, [1, 2], filled(2))
    kept.forget(session="a")
    assert len(kept) == 2
    kept.forget(adapter="du_fu")
    assert len(kept) == 1
    assert kept.take("b", None, [1, 2]) is not None
