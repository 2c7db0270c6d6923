"""Variety: figures that can be worked out by hand."""

from __future__ import annotations

import math

import pytest

from backend.evaluation.copied import repeated_share
from backend.evaluation.diversity import distinct, on_topic, self_bleu

ONE, OTHER = "春江潮水连，海上明月生。", "大漠孤烟直，长河落日圆。"


def test_distinct_counts_different_runs_over_all_runs() -> None:
    assert distinct(["春春秋秋"], 1) == 0.5
    assert distinct(["春春春"], 2) == 0.5
    assert distinct(["春江，江春"], 2) == 1.0  # 江江 crosses lines and is no run
    assert distinct([], 1) == 0.0


def test_poems_that_share_nothing_have_no_self_bleu() -> None:
    assert self_bleu([ONE, OTHER], 4) == 0.0


def test_the_same_poem_twice_has_a_self_bleu_of_one() -> None:
    assert self_bleu([ONE, ONE], 4) == pytest.approx(1.0)


def test_self_bleu_is_papineni_s_geometric_mean_with_clipping() -> None:
    # 5 of 6 characters, 4 of 5 pairs, 3 of 4 triples, 2 of 3 fours; the second poem alike.
    poems = ["一二三四五六", "一二三四五七"]
    assert self_bleu(poems, 4) == pytest.approx((5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)
    assert self_bleu(poems, 2) == pytest.approx((5 / 6 * 4 / 5) ** 0.5)


def test_a_poem_is_never_its_own_reference() -> None:
    assert self_bleu(["一二三四五", "一二三四五", "甲乙丙丁戊"], 4) == pytest.approx(2 / 3)


def test_a_shorter_poem_pays_for_its_brevity() -> None:
    short, long = "一二三四", "一二三四五六七八"
    longer_matches = (4 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** 0.25
    assert self_bleu([short, long], 4) == pytest.approx((math.exp(1 - 8 / 4) + longer_matches) / 2)


def test_a_poem_is_on_its_topic_with_one_character_of_it_in_either_script() -> None:
    assert on_topic(["秋风起", "明月光"], ["秋思", "雪"]) == 0.5
    assert on_topic(["云起"], ["雲"]) == 1.0


def test_a_character_that_is_hammered_is_noticed() -> None:
    assert repeated_share(["秋风秋雨秋夜秋", "春江潮水"]) == 0.5
