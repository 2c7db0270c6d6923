"""``moyun eval drafts``: ranking, pairs without labels, and the reader's verdicts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from backend.cli import main
from backend.evaluation.blind import count, write_pairs
from backend.evaluation.drafts import CANDIDATES, Draft, make_orders, make_pairs, repetition
from backend.evaluation.poems import Order, Written


def draft(text: str, nats: float = 4.0, repeated: float = 0.0, copied: int = 0) -> Draft:
    """A draft with these figures."""
    order = Order("五绝", "general", 0.7, "登高", 0, True)
    return Draft(Written(order, "base", text, 20), nats, repeated, 0, copied)


def test_each_topic_has_one_draft_alone_and_four_others() -> None:
    orders = make_orders(40)
    assert len(orders) == 40 * (1 + CANDIDATES)
    assert len({order.seed for order in orders}) == len(orders)
    assert all(order.constrained for order in orders)


def test_repetition_counts_what_comes_again_but_not_what_stands_twice_side_by_side() -> None:
    assert repetition("萧萧班马鸣，落日故人情。") == (0.0, 0)
    assert repetition("山山水水，水水山山。") == (0.5, 2)
    share, words = repetition("明月照人，明月入怀。")
    assert share == pytest.approx(2 / 8)
    assert words == 1


def test_the_best_has_no_copied_line_then_the_fewest_nats_and_repeats() -> None:
    single, good = draft("甲", nats=1.0), draft("乙", nats=3.0)
    others = [draft("丙", nats=2.0, copied=1), draft("丁", nats=2.9, repeated=0.2), draft("戊", nats=3.1), good]
    (pair,) = make_pairs([single, *others])
    assert (pair.single, pair.best) == (single, good)


def test_the_pairs_to_read_tell_nothing_and_the_labels_put_them_right(tmp_path: Path) -> None:
    drafts = [draft(f"第{topic}题第{n}稿", nats=n) for topic in range(6) for n in range(1 + CANDIDATES)]
    write_pairs([pair.blind() for pair in make_pairs(drafts)], tmp_path)
    shown = (tmp_path / "pairs.txt").read_text(encoding="utf-8")
    labels = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    assert "single" not in shown
    assert "best" not in shown
    assert {tuple(sides.values()) for sides in labels.values()} == {("single", "best"), ("best", "single")}
    blocks = shown.split("== ")[1:]
    for block in blocks:
        number = block.split(" ")[0]
        texts = dict(zip("AB", [part.strip()[-5:] for part in block.split("-- ")[1:]], strict=True))
        alone = next(letter for letter, side in labels[number].items() if side == "single")
        assert texts[alone].endswith("第0稿")


def test_verdicts_are_counted_by_their_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.json").write_text('{"1": {"A": "best", "B": "single"}, "2": {"A": "single", "B": "best"}}')
    read = tmp_path / "verdicts.txt"
    read.write_text("1 A\n2 A\n\n")
    assert main(["eval", "drafts", "--out", str(tmp_path), "--verdicts", str(read)]) == 0
    assert json.loads(capsys.readouterr().out) == {"best": 1, "single": 1, "equal": 0, "p": 1.0}
    read.write_text("3 A\n")
    assert main(["eval", "drafts", "--out", str(tmp_path), "--verdicts", str(read)]) == 2


def test_the_sign_test_is_two_sided() -> None:
    assert count(Counter(best=15, single=5), "best", "single")["p"] == pytest.approx(0.041)
    assert count(Counter(equal=20), "best", "single")["p"] == 1.0
