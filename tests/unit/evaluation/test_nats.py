"""Nats a character: the arithmetic, and that each column is what its adapter really says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.evaluation import nats
from backend.evaluation.nats import AdapterScorers, Group, Row
from backend.evaluation.scoring import Scorer, batched, count_characters
from backend.models.adapters import StyleRegistry
from backend.models.dense import DenseModel
from backend.training.verse import Verse
from backend.types import Message
from tests import tiny

POEMS = ("春江潮水连，海上明月生。", "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。")
TASKS = [((Message("system", "诗人"), Message("user", title)), text) for title, text in zip("甲乙", POEMS, strict=True)]


def dense() -> DenseModel:
    return DenseModel(tiny.make_model().model, tiny.make_tokenizer(), tiny.NAME, None)


def by_hand(model: Any, task: Any) -> float:
    """Minus the log-probability of the text, token by token."""
    tokenizer, (messages, text) = tiny.make_tokenizer(), task
    turns = [{"role": message.role, "content": message.content} for message in messages]
    prompt = tokenizer.encode(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    ids = prompt + tokenizer.encode(text)
    with torch.inference_mode():
        chances = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return -sum(float(chances[at - 1, ids[at]]) for at in range(len(prompt), len(ids)))


def verse(title: str, text: str, form: str = "五绝") -> Verse:
    return Verse(title, form, tuple(text.split("，")), text, None)


def test_scores_are_the_sum_over_the_poem_s_tokens_and_don_t_depend_on_their_batch() -> None:
    model = dense()
    together = Scorer(model).nats(TASKS)
    assert together == pytest.approx([by_hand(model.model, task) for task in TASKS], rel=1e-4)
    assert together == pytest.approx([Scorer(model).nats([task])[0] for task in TASKS], rel=1e-4)


def test_every_column_is_the_score_under_its_own_adapter(tiny_adapters: Path) -> None:
    from peft import PeftModel

    scorers = AdapterScorers(dense(), {"east": tiny_adapters / "east", "west": tiny_adapters / "west"})
    for name in ("east", "west"):
        alone = PeftModel.from_pretrained(tiny.make_model().model, tiny_adapters / name).eval()
        assert scorers.under(name).nats(TASKS[:1])[0] == pytest.approx(by_hand(alone, TASKS[0]), rel=1e-4)
    assert scorers.under(None).nats(TASKS[:1])[0] == pytest.approx(by_hand(tiny.make_model().model, TASKS[0]), rel=1e-4)


def test_the_matrix_is_read_from_the_cache_the_second_time(tiny_adapters: Path, tmp_path: Path) -> None:
    styles = {name: StyleRegistry.discover(tiny_adapters, None, None).styles[name] for name in ("east", "west")}
    poems = {Group("east", "shi"): [verse("甲", POEMS[0])], Group("west", "shi"): [verse("乙", POEMS[1])]}
    loads: list[object] = []

    def load(adapters: Any) -> AdapterScorers:
        loads.append(adapters)
        return AdapterScorers(dense(), adapters)

    columns = {"base": None, **styles}
    first = nats.rows(poems, styles, columns, tmp_path, load)
    again = nats.rows(poems, styles, columns, tmp_path, load)
    assert len(loads) == 1
    assert [set(row.nats) for row in first.values()] == [{"base", "east", "west"}] * 2
    for group, row in first.items():
        assert row.characters.tolist() == [count_characters(verse.text) for verse in poems[group]]
        assert len({round(row.mean(column), 6) for column in columns}) == 3
        assert all(row.mean(column) == again[group].mean(column) for column in columns)


ROW = Row(np.array([10.0, 30.0]), {"base": np.array([50.0, 150.0]), "own": np.array([40.0, 120.0])})


def test_means_are_over_characters_and_not_over_poems() -> None:
    row = Row(np.array([10.0, 30.0]), {"base": np.array([50.0, 30.0])})
    assert row.mean("base") == 2.0


def test_a_gain_is_the_difference_with_an_interval_over_poems() -> None:
    gain = ROW.gain("base", "own")
    assert gain.value == 1.0
    assert (gain.low, gain.high) == (1.0, 1.0)  # every poem gains as much
    assert ROW.gain("own", "base").value == -1.0
    assert ROW.best() == "own"


def test_an_interval_is_wide_where_poems_disagree() -> None:
    nats_of = {"base": np.array([20.0, 10.0] * 10), "own": np.full(20, 15.0)}
    gain = Row(np.full(20, 5.0), nats_of).gain("base", "own")
    assert gain.value == 0.0
    assert gain.low < -0.2 < 0.2 < gain.high


def test_shi_and_ci_are_averaged_apart_and_a_larger_sample_holds_the_smaller() -> None:
    poems = {"east": [verse(str(n), POEMS[0]) for n in range(9)] + [verse("词", POEMS[0], "水调歌头")]}
    few, more = nats.grouped(poems, 3), nats.grouped(poems, 6)
    assert {str(group): len(verses) for group, verses in few.items()} == {"east shi": 3, "east ci": 1}
    shi = Group("east", "shi")
    assert {verse.title for verse in few[shi]} < {verse.title for verse in more[shi]}


def test_the_report_compares_with_the_base_the_others_and_the_adapter_before() -> None:
    scores = {"base": 6.0, "east": 4.0, "west": 5.0, "east_before": 4.5, "west_before": 4.8}
    row = Row(np.ones(4), {name: np.full(4, value) for name, value in scores.items()})
    (told,) = nats.describe({Group("east", "shi"): row}, "_before")
    assert told["best"] == "east"
    assert {over: gain[0] for over, gain in told["gain_over"].items()} == {"base": 2.0, "west": 1.0, "before": 0.5}


def test_batches_hold_texts_of_about_one_length_and_lose_none() -> None:
    tasks = {str(n): ((), "字" * (10 + 37 * n % 400)) for n in range(40)}
    batches = list(batched(tasks))
    assert sorted(key for batch in batches for key in batch) == sorted(tasks)
    assert len(batches) > 5
    for batch in batches:
        lengths = [len(tasks[key][1]) for key in batch]
        assert lengths == sorted(lengths)
