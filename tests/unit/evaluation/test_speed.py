"""The benchmark's arithmetic, and that it measures what it says on an engine of the tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.evaluation.speed import HISTORY, NEW, ROW_COUNTS, Bench, interleave, measure, ratio
from tests import tiny
from tests.unit.engine.harness import make_engine


@pytest.fixture
def bench(tiny_model: Any, tiny_adapters: Path) -> Bench:
    return Bench(make_engine(tiny_model, tiny_adapters), tiny.make_tokenizer())


def small_vocabulary(bench: Bench) -> None:
    """Prompts of ids that the tiny model has."""
    original = bench.ask

    def ask(num_tokens: int, *args: Any, **options: Any) -> Any:
        row = original(num_tokens, *args, **options)
        row.tokens[:] = [token % 400 for token in row.tokens]
        return row

    bench.ask = ask  # type: ignore[method-assign]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    assert ratio([1.0, 9.0, 4.0], [1.0, 1.0, 2.0]) == 2.0


def test_blocks_are_measured_in_turn() -> None:
    order: list[str] = []
    blocks = {name: lambda name=name: float(order.append(name) or 1) for name in "ab"}  # type: ignore[misc, func-returns-value]
    assert interleave(blocks, 2) == {"a": [1.0, 1.0], "b": [1.0, 1.0]}
    assert order == ["a", "b", "a", "b"]


def test_every_figure_is_there_and_nothing_is_left_running(bench: Bench) -> None:
    small_vocabulary(bench)
    figures = measure(bench, rounds=1, peft=lambda: 1.0, peer=None)
    assert list(figures["decode_tok_s"]) == list(ROW_COUNTS)
    assert figures["peer_ratio"] is None
    assert figures["peft_step_ratio"] > 0
    assert not bench.engine.scheduler
    assert len(bench.engine.sessions) == 0


def test_a_switch_that_had_time_costs_no_step_more(bench: Bench) -> None:
    small_vocabulary(bench)
    assert bench.switch_steps() == 0


def test_a_second_turn_is_measured_on_a_kept_history(bench: Bench) -> None:
    small_vocabulary(bench)
    bench.first_token(HISTORY, session="bench")
    row = bench.ask(HISTORY + NEW, session="bench")
    bench.engine.step()
    assert row.num_cached >= HISTORY
