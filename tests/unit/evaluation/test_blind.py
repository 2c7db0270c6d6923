"""Blind pairs: nothing tells the sides apart, and verdicts are counted by the labels."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from backend.errors import SettingsError
from backend.evaluation.blind import LABELS, PAIRS, BlindPair, count, count_verdicts, write_pairs

SOME = [BlindPair(f"题{n}", "五绝", {"new": f"新{n}。", "old": f"旧{n}。"}) for n in range(20)]


def test_the_labels_say_which_text_is_whose(tmp_path: Path) -> None:
    write_pairs(SOME, tmp_path)
    labels = json.loads((tmp_path / LABELS).read_text())
    blocks = (tmp_path / PAIRS).read_text().split("== ")[1:]
    assert len(blocks) == len(labels) == 20
    for block in blocks:
        number = block.split(" ")[0]
        for letter, mark in {"new": "新", "old": "旧"}.items():
            assert f"-- {next(k for k, side in labels[number].items() if side == letter)}\n{mark}" in block
    assert 4 <= sum(sides["A"] == "new" for sides in labels.values()) <= 16
    assert "new" not in (tmp_path / PAIRS).read_text()


def test_verdicts_are_counted_for_the_sides_behind_the_letters(tmp_path: Path) -> None:
    (tmp_path / LABELS).write_text('{"1": {"A": "new", "B": "old"}, "2": {"A": "old", "B": "new"}}')
    (tmp_path / "verdicts").write_text("1 A\n2 A\n\n1 =\n2 B\n")
    found = count_verdicts(tmp_path / "verdicts", tmp_path / LABELS, "new", "old")
    assert (found["new"], found["old"], found["equal"]) == (2, 1, 1)


@pytest.mark.parametrize("line", ["3 A", "1 C", "1"])
def test_a_line_that_names_nothing_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / LABELS).write_text('{"1": {"A": "new", "B": "old"}}')
    (tmp_path / "verdicts").write_text(line)
    with pytest.raises(SettingsError, match="number and A, B or ="):
        count_verdicts(tmp_path / "verdicts", tmp_path / LABELS, "new", "old")


def test_the_sign_test_is_two_sided() -> None:
    assert count(Counter(new=5), "new", "old")["p"] == 0.062
    assert count(Counter(new=3, old=3), "new", "old")["p"] == 1.0
    assert count(Counter(old=10), "new", "old")["p"] == 0.002
