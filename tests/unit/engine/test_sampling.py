"""The sampler against plain definitions of its parts."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.sampling import Rng, draw, keep, nucleus, penalize, sample
from backend.errors import NumericsError
from backend.types import Sampling

LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=60).map(torch.tensor)


def probabilities(size: int, seed: int = 0) -> torch.Tensor:
    return torch.softmax(3 * torch.randn(size, generator=torch.Generator().manual_seed(seed)), -1)


@given(LOGITS)
def test_a_temperature_of_zero_takes_the_most_probable(logits: torch.Tensor) -> None:
    column = sample(logits, Sampling(temperature=0.0), Rng(0))
    assert logits[column] == logits.max()


@given(LOGITS, st.integers(0, 10), st.floats(0.1, 2.0))
def test_the_same_seed_gives_the_same_draws(logits: torch.Tensor, seed: int, temperature: float) -> None:
    settings = Sampling(temperature=temperature, top_p=0.9)
    one, other = Rng(seed), Rng(seed)
    assert [sample(logits, settings, one) for _ in range(5)] == [sample(logits, settings, other) for _ in range(5)]


@given(st.integers(0, 50), st.floats(0.05, 0.999), st.sampled_from([30, 3000]))
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(seed: int, top_p: float, size: int) -> None:
    given_ = probabilities(size, seed)
    kept, columns = nucleus(given_, None, top_p)
    assert torch.equal(given_[columns], kept)
    assert kept.sum() >= top_p - 1e-4
    assert kept[:-1].sum() < top_p + 1e-4
    outside = torch.ones(size, dtype=torch.bool)
    outside[columns] = False
    assert not outside.any() or given_[outside].max() <= kept.min()


@given(st.integers(0, 50), st.integers(1, 40))
def test_top_k_keeps_the_k_best(seed: int, k: int) -> None:
    given_ = probabilities(30, seed)
    _, columns = keep(given_, Sampling(top_k=k))
    best = set(given_.argsort(descending=True)[:k].tolist())
    assert columns is None or set(columns.tolist()) == best


@given(st.integers(0, 50), st.floats(0.01, 1.0))
def test_min_p_drops_what_is_far_below_the_best(seed: int, min_p: float) -> None:
    given_ = probabilities(30, seed)
    _, columns = keep(given_, Sampling(min_p=min_p))
    assert columns is not None
    assert set(columns.tolist()) == set((given_ >= min_p * given_.max()).nonzero()[:, 0].tolist())


def test_draws_follow_the_probabilities() -> None:
    weights = torch.tensor([0.1, 0.2, 0.7])
    rng = Rng(3)
    counts = torch.bincount(torch.tensor([draw(weights, rng) for _ in range(4000)]), minlength=3)
    assert torch.allclose(counts / 4000, weights, atol=0.03)


def test_the_penalty_moves_seen_tokens_towards_less_probable() -> None:
    logits = torch.tensor([2.0, -2.0, 1.0])
    assert penalize(logits, 2.0, [0, 1, 1]).tolist() == [1.0, -4.0, 1.0]
    assert logits.tolist() == [2.0, -2.0, 1.0], "the model's own logits stay as they are"


@given(LOGITS, st.data(), st.floats(0.0, 2.0))
def test_a_masked_column_is_never_drawn(logits: torch.Tensor, data: st.DataObject, temperature: float) -> None:
    allowed = data.draw(st.sets(st.integers(0, len(logits) - 1), min_size=1))
    mask = torch.zeros(len(logits), dtype=torch.bool)
    mask[list(allowed)] = True
    rng = Rng(1)
    settings = Sampling(temperature=temperature, top_p=0.9, top_k=5, min_p=0.01)
    assert all(sample(logits, settings, rng, mask=mask) in allowed for _ in range(10))


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_broken_logits_end_in_a_clear_error(broken: float) -> None:
    with pytest.raises(NumericsError):
        sample(torch.tensor([0.0, broken, 1.0]), Sampling(), Rng(0))


@pytest.mark.parametrize("temperature", [0, 1e-6, 0.01, 0.1, 0.3, 0.7, 1.0, 1.5, 2.0])
def test_every_temperature_draws_something_finite(temperature: float) -> None:
    logits = torch.tensor([80.0, -80.0, 79.0, 0.0])
    assert sample(logits, Sampling(temperature=temperature, top_p=0.99), Rng(5)) in range(4)
