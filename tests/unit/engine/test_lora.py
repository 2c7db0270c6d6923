"""Stacked adapters against PEFT's, forward by forward, and what adding and removing them leaves alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.engine.engine import Engine
from backend.engine.scheduler import Plan, Segment
from backend.errors import AdapterError
from backend.models.adapters import AdapterWeights
from tests.unit.engine.harness import FEW, ask, make_engine
from tests.unit.engine.oracle import Oracle

NAMES = [None, "east", "west"]


@pytest.fixture
def engine(tiny_model: Any, tiny_adapters: Path) -> Engine:
    return make_engine(tiny_model, tiny_adapters)


@pytest.fixture(scope="module")
def oracle(make_tiny_model: Callable[..., Any], tiny_adapters: Path) -> Oracle:
    return Oracle(make_tiny_model().model, {name: tiny_adapters / name for name in ("east", "west")})


def forward(engine: Engine, prompts: list[list[int]], adapters: list[str | None], as_chunks: bool) -> torch.Tensor:
    """One forward over whole prompts, (prompts, vocabulary)."""
    rows = [ask(engine, prompt, adapter=name).rows[0] for prompt, name in zip(prompts, adapters, strict=True)]
    engine.scheduler.schedule()
    segments = [Segment(row, 0, len(row.tokens)) for row in rows]
    plan = Plan([], segments) if as_chunks else Plan(segments, [])
    found = torch.stack(engine.runner.run(plan, segments))
    for row in rows:
        engine.scheduler.remove(row)
    return found


@pytest.mark.parametrize("as_chunks", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_mixed_batch_equals_peft(engine: Engine, oracle: Oracle, seed: int, as_chunks: bool) -> None:
    rng = random.Random(seed)
    length = rng.randint(1, 16)
    prompts = [[rng.randrange(3, 400) for _ in range(length)] for _ in range(5)]
    adapters = [rng.choice(NAMES) for _ in range(5)]
    ours, theirs = forward(engine, prompts, adapters, as_chunks), oracle.logits(prompts, adapters)
    assert torch.allclose(ours, theirs, atol=2e-4 * float(theirs.abs().max()))


def test_every_adapter_alone_equals_peft_and_differs_from_the_others(engine: Engine, oracle: Oracle) -> None:
    prompt = [[5, 6, 7, 8, 9]]
    found = {name: forward(engine, prompt, [name], as_chunks=False) for name in NAMES}
    for name, ours in found.items():
        assert torch.allclose(ours, oracle.logits(prompt, [name]), atol=1e-3), name
    assert not torch.allclose(found[None], found["east"], atol=0.1)
    assert not torch.allclose(found["west"], found["east"], atol=0.1)


def test_an_adapter_can_go_and_come_while_others_stay_equal_to_the_bit(engine: Engine, tiny_adapters: Path) -> None:
    prompts = [[5, 6, 7], [8, 9, 10], [11, 12, 13]]
    before = forward(engine, prompts, [None, "east", "east"], as_chunks=False)
    table = engine.runner.lora
    table.remove("west")
    assert torch.equal(forward(engine, prompts, [None, "east", "east"], as_chunks=False), before)
    east = engine.runner.lora.ranks["east"]
    table.add("north", weights(table.sites[0].paths[0], 64, 64, rank=16))
    assert torch.equal(forward(engine, prompts, [None, "east", "east"], as_chunks=False), before)
    assert table.ranks == {"east": east, "north": 16}


def weights(path: str, in_features: int, out_features: int, rank: int) -> AdapterWeights:
    matrices = {path: (torch.randn(rank, in_features), torch.randn(out_features, rank))}
    return AdapterWeights(rank=rank, scaling=1.0, matrices=matrices)


def test_an_adapter_for_some_projections_leaves_the_others_alone(engine: Engine) -> None:
    table = engine.runner.lora
    table.add("north", weights("model.layers.0.self_attn.k_proj", 64, 32, rank=2))
    site = next(site for site in table.sites if "model.layers.0.self_attn.k_proj" in site.paths)
    _, b = site.resident["north"]
    q_size, k_size, _ = site.sizes
    assert not b[:, :q_size].any()
    assert b[:, q_size : q_size + k_size].any()
    assert not b[:, q_size + k_size :].any()


@pytest.mark.parametrize(
    ("path", "in_features", "out_features", "rank", "reason"),
    [
        ("model.layers.0.self_attn.q_proj", 64, 64, 65, "over the limit"),
        ("model.layers.0.self_attn.q_proj", 32, 64, 4, "doesn't fit"),
        ("model.layers.9.self_attn.q_proj", 64, 64, 4, "doesn't fit"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    engine: Engine, path: str, in_features: int, out_features: int, rank: int, reason: str
) -> None:
    before = forward(engine, [[5, 6, 7]], ["west"], as_chunks=False)
    with pytest.raises(AdapterError, match=reason):
        engine.runner.lora.add("north", weights(path, in_features, out_features, rank))
    assert "north" not in engine.runner.lora.ranks
    assert all("north" not in site.resident for site in engine.runner.lora.sites)
    assert torch.equal(forward(engine, [[5, 6, 7]], ["west"], as_chunks=False), before)


def test_a_row_under_an_adapter_is_the_same_alone_and_in_a_mixed_batch(engine: Engine) -> None:
    prompts = [[5 + i, 6, 7, 8] for i in range(FEW)]
    adapters = ["east", None, "west", "east"]
    mixed = forward(engine, prompts, adapters, as_chunks=False)
    for index, (prompt, name) in enumerate(zip(prompts, adapters, strict=True)):
        alone = forward(engine, [prompt], [name], as_chunks=False)
        assert torch.allclose(mixed[index], alone[0], atol=1e-4)
